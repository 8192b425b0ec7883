/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/core.h"

/* Set up before main() and constant from then on, but for what their locks guard. */
static struct shim_mount mounts[SHIM_MAX_MOUNTS];
static uint32_t num_mounts;
static struct shim_mount files[SHIM_MAX_DEVICES * SHIM_NUM_SYSFS];
static uint32_t num_files;

_Static_assert(SHIM_FIRST_FILE > SHIM_MAX_MOUNTS + 1, "a number in between ends the first list");

static const char *const file_names[SHIM_NUM_SYSFS] = {
	"config",	"reset",	"rom",		"resource0",	"resource1",
	"resource2",	"resource3",	"resource4",	"resource5",	"resource0_wc",
	"resource1_wc", "resource2_wc", "resource3_wc", "resource4_wc", "resource5_wc",
};

bool shim_endings[256];

/* All memfds have the same; 0 until one was seen. */
static _Atomic(dev_t) memfd_dev;

struct shim_mount *shim_mount_number(uint64_t number)
{
	if (number >= SHIM_FIRST_FILE)
		return shim_mount_file((uint32_t)number - SHIM_FIRST_FILE);
	return number && number <= num_mounts ? &mounts[number - 1] : NULL;
}

struct shim_mount *shim_mount_file(uint32_t i)
{
	return i < num_files ? &files[i] : NULL;
}

enum shim_sysfs shim_sysfs_name(const char *name)
{
	enum shim_sysfs i = 0;

	while (i < SHIM_NUM_SYSFS && strcmp(file_names[i], name) != 0)
		i++;
	return i;
}

struct shim_mount *shim_mount_path(const char *path)
{
	for (uint32_t i = 0; i < num_mounts; i++) {
		if (!strcmp(mounts[i].path, path))
			return &mounts[i];
	}
	for (uint32_t i = 0; i < num_files; i++) {
		if (!strcmp(files[i].path, path))
			return &files[i];
	}
	return NULL;
}

/* ---- memfds ---- */

uint64_t shim_memfd_inode(int fd)
{
	struct stat st;

	return NEXT(fstat)(fd, &st) || st.st_dev != memfd_dev ? 0 : st.st_ino & UINT64_MAX >> 16;
}

void shim_memfd_seen(int fd)
{
	struct stat st;

	if (!NEXT(fstat)(fd, &st))
		memfd_dev = st.st_dev;
}

static void memfd_name(const struct shim_mount *m, char out[SHIM_MAX_PATH + 8])
{
	snprintf(out, SHIM_MAX_PATH + 8, SHIM_MEMFD "%s", m->path);
}

int shim_mount_new_memfd(const struct shim_mount *m)
{
	char name[SHIM_MAX_PATH + 8];
	int fd;

	memfd_name(m, name);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	shim_memfd_seen(fd);
	return fd;
}

struct shim_mount *shim_mount_of_fd(int fd)
{
	static const char start[] = "/memfd:" SHIM_MEMFD, end[] = " (deleted)";
	char path[32], link[SHIM_MAX_PATH + 32];
	struct shim_mount *m;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = NEXT(readlink)(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	n -= (ssize_t)strlen(end);
	if (n < 0 || strcmp(link + n, end) != 0 || strncmp(link, start, strlen(start)) != 0)
		return NULL;
	link[n] = '\0';
	m = shim_mount_path(link + strlen(start));
	if (m)
		shim_memfd_seen(fd);
	return m;
}

/* ---- setting up ---- */

static struct shim_mount *add_node(const char *path, enum shim_node node, const char *address)
{
	struct shim_mount *m = &mounts[num_mounts];

	if (num_mounts == SHIM_MAX_MOUNTS ||
	    !shim_path_absolute("/", path, m->path, sizeof(m->path)) || !m->path[0])
		return NULL;
	m->base = strrchr(m->path, '/') + 1;
	shim_endings[shim_ending(m->path)] = true;
	m->node = node;
	if (address && *address == '@')
		m->supervisor = address + 1;
	else
		m->address = address;
	m->memfd = -1;
	m->number = ++num_mounts;
	pthread_mutex_init(&m->position, NULL);
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

/* What is not understood is passed over: devfd run has checked it. */
static void add_mount(char *line)
{
	char *equals = strchr(line, '=');

	if (!equals)
		return;
	*equals = '\0';
	add_node(line, SHIM_DEVICE, equals + 1);
}

/* The group of a function: that of its slot, which is a new one for the first function of it. */
static struct shim_mount *group_of(const char *name, unsigned int number)
{
	char path[SHIM_MAX_PATH];
	struct shim_mount *group;

	for (uint32_t i = 0; i < num_mounts; i++) {
		if (mounts[i].node == SHIM_CDEV && shim_same_slot(mounts[i].name, name))
			return mounts[i].device;
	}
	snprintf(path, sizeof(path), "/dev/vfio/%u", number);
	group = add_node(path, SHIM_GROUP, NULL);
	if (group)
		group->index = number;
	return group;
}

static void add_files(struct shim_mount *device)
{
	for (uint32_t i = 0; i < SHIM_NUM_SYSFS; i++) {
		struct shim_mount *m = &files[num_files];

		snprintf(m->path, sizeof(m->path), "/sys/devices/pci%.7s/%s/%s", device->name,
			 device->name, file_names[i]);
		m->base = strrchr(m->path, '/') + 1;
		shim_endings[shim_ending(m->path)] = true;
		m->node = SHIM_SYSFS;
		m->index = i;
		m->device = device;
		m->supervisor = device->supervisor;
		m->memfd = -1;
		m->number = SHIM_FIRST_FILE + num_files++;
	}
}

static void add_device(char *line, unsigned int number)
{
	char *equals = strchr(line, '='), path[SHIM_MAX_PATH];
	struct shim_mount *group, *cdev;

	if (!equals)
		return;
	*equals = '\0';
	group = group_of(line, number);
	snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%u", number);
	cdev = group ? add_node(path, SHIM_CDEV, equals + 1) : NULL;
	if (!cdev)
		return;
	cdev->index = number;
	group->supervisor = cdev->supervisor;
	cdev->device = group;
	cdev->name = line;
	if (number < SHIM_MAX_DEVICES)
		add_files(cdev);
}

/* All devices behind VFIO are in one place, and so is what they share. */
static void share_supervisor(struct shim_mount *container, struct shim_mount *iommufd)
{
	const struct shim_mount *last = shim_mount_number(num_mounts);

	if (container && last)
		container->supervisor = last->supervisor;
	if (iommufd && last)
		iommufd->supervisor = last->supervisor;
}

const char *shim_mounts_set(char *at, char *vfio)
{
	struct shim_mount *container, *iommufd;
	char *view, *line;

	while ((line = strsep(&at, "\n")))
		add_mount(line);
	view = strsep(&vfio, "\n");
	if (!view)
		return NULL;
	container = add_node("/dev/vfio/vfio", SHIM_CONTAINER, NULL);
	iommufd = add_node("/dev/iommu", SHIM_IOMMUFD, NULL);
	for (unsigned int i = 0; (line = strsep(&vfio, "\n")); i++)
		add_device(line, i);
	share_supervisor(container, iommufd);
	return view;
}
