/* SPDX-License-Identifier: MIT */
/*
 * Paths with a device behind them: finding, opening and forking.
 *
 * A device is opened at the first use of its path in a process and lives as long as the process,
 * because nobody tells when the last fd goes away. The next opening looks: if no fd is left, the
 * device is put back as a kernel driver would have left it, interrupts off and reset.
 *
 * After fork() the child has a copy of the device in the state of that moment. A program that is
 * executed opens it anew.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/open.h>
#include <devfd/table.h>

#include "device/process.h"
#include "shim/shim.h"
#include "shim/trap.h"
#include "shim/vfio.h"
#include "shim/way.h"

/* Set up before main() and constant from then on, but for what their locks guard. */
static struct shim_mount mounts[SHIM_MAX_MOUNTS];
static uint32_t num_mounts;

/* This thread is opening a device: what it opens on the way are files, not mounts. */
static __thread bool opening;

/* ---- finding ---- */

/* The directory that a relative path starts from. */
static bool start_directory(int dirfd, char *out, size_t size)
{
	char link[32];
	ssize_t n;

	if (dirfd == AT_FDCWD)
		return getcwd(out, size);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	n = readlink(link, out, size);
	if (n < 0 || (size_t)n >= size)
		return false;
	out[n] = '\0';
	return true;
}

static bool same_path(const struct shim_mount *m, int dirfd, const char *path)
{
	char base[4096], absolute[SHIM_MAX_PATH];
	int saved = errno;
	bool same;

	same = (path[0] == '/' || start_directory(dirfd, base, sizeof(base))) &&
	       shim_path_absolute(base, path, absolute, sizeof(absolute)) &&
	       !strcmp(shim_unview(absolute), m->path);
	errno = saved;
	return same;
}

struct shim_mount *shim_find(int dirfd, const char *path)
{
	const char *slash, *base;

	if (!path || !num_mounts || opening)
		return NULL;
	/* Nearly every other path has another last component, and that is all it costs. */
	slash = strrchr(path, '/');
	base = slash ? slash + 1 : path;
	for (uint32_t i = 0; i < num_mounts; i++) {
		if (mounts[i].base[0] == base[0] && !strcmp(mounts[i].base, base) &&
		    same_path(&mounts[i], dirfd, path))
			return &mounts[i];
	}
	return NULL;
}

bool shim_any(void)
{
	return num_mounts;
}

struct shim_mount *shim_mount_number(uint32_t number)
{
	return number && number <= num_mounts ? &mounts[number - 1] : NULL;
}

static void memfd_name(const struct shim_mount *m, char out[SHIM_MAX_PATH + 8])
{
	snprintf(out, SHIM_MAX_PATH + 8, "devfd:%s", m->path);
}

struct shim_mount *shim_mount_of_memfd(const char *link)
{
	char name[SHIM_MAX_PATH + 8];

	for (uint32_t i = 0; i < num_mounts; i++) {
		size_t n;

		memfd_name(&mounts[i], name);
		n = strlen(name);
		if (!strncmp(link, "/memfd:", 7) && !strncmp(link + 7, name, n) &&
		    !strcmp(link + 7 + n, " (deleted)"))
			return &mounts[i];
	}
	return NULL;
}

/* ---- opening ---- */

int shim_write_table(const struct shim_mount *m, int fd)
{
	const struct dfd_desc *desc = dfd_device_desc(m->dev);
	struct dfd_table_cursor cursor = { 0 };
	char piece[4096];
	off_t pos = 0;
	size_t n;

	while ((n = dfd_table_read(desc, &cursor, (uint64_t)pos, piece, sizeof(piece)))) {
		if (pwrite(fd, piece, n, pos) != (ssize_t)n)
			return -EIO;
		pos += (off_t)n;
	}
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
		       ? -errno
		       : 0;
}

static int make_memfd(const struct shim_mount *m)
{
	char name[SHIM_MAX_PATH + 8];
	int fd, ret;

	memfd_name(m, name);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	ret = shim_write_table(m, fd);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int open_device(struct shim_mount *m)
{
	int ret = dfd_open(m->address, &m->dev, NULL);

	if (ret)
		return ret;
	m->file = shim_tell_ways(m->dev) ? NULL : dfd_file_new(m->dev);
	m->memfd = m->file ? make_memfd(m) : -ENOMEM;
	if (m->memfd >= 0) {
		shim_memfd_seen(m->memfd);
		m->inode = shim_memfd_inode(m->memfd);
		if (getenv(SHIM_ENV_SAY))
			shim_say_ways(m->name ? m->name : m->path, m->dev);
		return 0;
	}
	dfd_file_free(m->file);
	dfd_device_close(m->dev);
	m->dev = NULL;
	return m->memfd;
}

/* What is missing of: the device, its table, the thread that serves it. */
static int start(struct shim_mount *m)
{
	int low[SHIM_LOW_FDS], ret = 0;

	if (shim_vforked())
		return -EAGAIN; /* the fds would be the child's and the memory the parent's */
	opening = true;
	shim_low_fds_take(low, SHIM_LOW_FDS);
	if (!m->dev)
		ret = open_device(m);
	if (!ret)
		ret = dfd_service_thread(m->dev);
	m->served = !ret;
	shim_low_fds_release(low, SHIM_LOW_FDS);
	opening = false;
	return ret;
}

int shim_lock(struct shim_mount *m)
{
	int ret = 0;

	shim_mutex_lock(&m->lock);
	if (!m->served)
		ret = start(m);
	if (ret)
		shim_mutex_unlock(&m->lock);
	return ret;
}

void shim_unlock(struct shim_mount *m)
{
	shim_mutex_unlock(&m->lock);
}

/* The last fd is gone: put the device back into the state in which the next one finds it. */
void shim_released(struct shim_mount *m)
{
	const struct dfd_desc *desc = dfd_device_desc(m->dev);

	for (uint32_t i = 0; i < dfd_desc_irq_limit(desc); i++) {
		const struct dfd_irq_set off = {
			.flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER,
			.index = i,
		};

		if (dfd_desc_vectors(desc, i))
			dfd_set_irqs(m->dev, &off);
	}
	dfd_device_reset(m->dev);
}

/*
 * As shim_lock(), for a new opening: @path receives what to open.
 *
 * A program that closes every number it can think of, as daemons do, has closed what is inside the
 * device as well: then that one is given up, and another one opened.
 */
static int lock_for_open(struct shim_mount *m, char *path, size_t size)
{
	bool used;
	int ret;

	shim_mutex_lock(&m->lock);
	if (m->dev && shim_memfd_inode(m->memfd) != m->inode) {
		m->dev = NULL;
		m->served = false;
	}
	used = m->dev;
	ret = m->served ? 0 : start(m);
	if (ret) {
		shim_mutex_unlock(&m->lock);
		return ret;
	}
	if (used && !shim_fd_any(m))
		shim_released(m);
	snprintf(path, size, "/proc/self/fd/%d", m->memfd);
	return 0;
}

int shim_open(struct shim_mount *m, int flags)
{
	/* The others make no sense on a device, or would not work on a sealed file. */
	const int keep = O_ACCMODE | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOATIME;
	char path[32];
	int fd, ret;

	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	if (m->node != SHIM_DEVICE)
		return vfio_open(m, flags);
	ret = lock_for_open(m, path, sizeof(path));
	if (ret)
		return ret;
	fd = NEXT(open)(path, flags & keep);
	ret = fd < 0 ? -errno : shim_fd_add(fd, m);
	shim_unlock(m);
	if (ret && fd >= 0)
		close(fd);
	return ret ? ret : fd;
}

int shim_stdio_path(struct shim_mount *m, char *out, size_t size)
{
	int ret = m->node == SHIM_DEVICE ? lock_for_open(m, out, size) : -EINVAL;

	if (!ret)
		shim_unlock(m);
	return ret;
}

/* ---- forking: no thread of the parent may be inside a device at that moment ---- */

static void fork_prepare(void)
{
	trap_fork_prepare();
	vfio_fork_prepare();
	for (uint32_t i = 0; i < num_mounts; i++) {
		shim_mutex_lock(&mounts[i].lock);
		if (mounts[i].dev)
			device_fork_prepare(mounts[i].dev);
	}
}

static void fork_parent(void)
{
	for (uint32_t i = 0; i < num_mounts; i++) {
		if (mounts[i].dev)
			device_fork_parent(mounts[i].dev);
		shim_mutex_unlock(&mounts[i].lock);
	}
	vfio_fork_parent();
	trap_fork_done();
}

static void fork_child(void)
{
	for (uint32_t i = 0; i < num_mounts; i++) {
		if (mounts[i].dev)
			device_fork_child(mounts[i].dev);
		/* Started again when the device is used; most children only execute a program. */
		mounts[i].served = false;
		shim_mutex_unlock(&mounts[i].lock);
	}
	shim_fd_forked();
	vfio_fork_child();
	trap_fork_done();
}

/* ---- setting up ---- */

static struct shim_mount *add_node(const char *path, enum shim_node node, const char *address)
{
	struct shim_mount *m = &mounts[num_mounts];

	if (num_mounts == SHIM_MAX_MOUNTS ||
	    !shim_path_absolute("/", path, m->path, sizeof(m->path)) || !m->path[0])
		return NULL;
	m->base = strrchr(m->path, '/') + 1;
	m->node = node;
	m->address = address;
	m->memfd = -1;
	m->number = ++num_mounts;
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

static void add_device(char *line, unsigned int number)
{
	char *equals = strchr(line, '='), path[SHIM_MAX_PATH];
	struct shim_mount *group, *cdev;

	if (!equals)
		return;
	*equals = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%u", number);
	group = add_node(path, SHIM_GROUP, NULL);
	snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%u", number);
	cdev = add_node(path, SHIM_CDEV, equals + 1);
	if (!group || !cdev)
		return;
	group->index = cdev->index = number;
	group->device = cdev;
	cdev->device = group;
	cdev->name = line;
}

/* The addresses stay in the copies. */
static char *copy_of(const char *variable)
{
	const char *value = getenv(variable);

	return value ? strdup(value) : NULL;
}

static void set_up_vfio(void)
{
	static char *kept;
	char *rest = kept = copy_of(SHIM_ENV_VFIO), *line = strsep(&rest, "\n");

	if (!line)
		return;
	shim_view_set(line);
	add_node("/dev/vfio/vfio", SHIM_CONTAINER, NULL);
	add_node("/dev/iommu", SHIM_IOMMUFD, NULL);
	for (unsigned int i = 0; (line = strsep(&rest, "\n")); i++)
		add_device(line, i);
}

__attribute__((constructor)) static void set_up(void)
{
	static char *kept;
	char *rest = kept = copy_of(SHIM_ENV), *line;

	while ((line = strsep(&rest, "\n")))
		add_mount(line);
	set_up_vfio();
	if (!num_mounts)
		return;
	trap_masks_start();
	shim_fd_adopt();
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}
