/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/members.h"
#include "util/sysfs.h"

/* ---- devices ---- */

enum driver_kind driver_of(int dir, char *driver)
{
	driver[0] = '\0';
	if (dfd_sysfs_link_name(dir, "driver", driver, NAME_MAX + 1))
		return DRIVER_NONE;
	/* From Linux 6.1 on, a device of any driver of VFIO has this. */
	if (strstr(driver, "vfio") || !faccessat(dir, "vfio-dev", F_OK, 0))
		return DRIVER_VFIO;
	return !strcmp(driver, "pcieport") || !strcmp(driver, "pci-stub") ? DRIVER_HARMLESS
									  : DRIVER_FOREIGN;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int members_walk(int dir, int (*fn)(void *ctx, const struct member *m), void *ctx)
{
	int devices = openat(dir, "iommu_group/devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names;
	int count, ret = 0;

	if (devices < 0)
		return -errno;
	count = scandirat(devices, ".", &names, not_hidden, alphasort);
	for (int i = 0; i < count; i++) {
		int device = openat(devices, names[i]->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct member m;

		snprintf(m.name, sizeof(m.name), "%s", names[i]->d_name);
		m.kind = driver_of(device, m.driver);
		if (!ret)
			ret = fn(ctx, &m);
		if (device >= 0)
			close(device);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	close(devices);
	return ret;
}

static int is_foreign(void *ctx, const struct member *m)
{
	if (m->kind != DRIVER_FOREIGN)
		return 0;
	*(struct member *)ctx = *m;
	return 1;
}

int members_culprit(int dir, struct member *culprit)
{
	return members_walk(dir, is_foreign, culprit) > 0;
}

/* ---- processes ---- */

/* Is a link of /proc/PID/fd the file of a group? */
static int names_group(int fds, const char *link, unsigned int *group)
{
	char target[64];
	int end = -1;

	if (dfd_sysfs_link(fds, link, target, sizeof(target)))
		return 0;
	sscanf(target, "/dev/vfio/%8u%n", group, &end);
	return end > 0 && !target[end];
}

static void add_holder(struct holders *out, int proc, const char *pid, unsigned int group)
{
	struct holder *h = &out->list[out->count];
	char path[NAME_MAX + 8];

	if (out->count == MAX_HOLDERS)
		return;
	h->group = group;
	h->pid = atoi(pid);
	snprintf(path, sizeof(path), "%s/comm", pid);
	if (dfd_sysfs_text(proc, path, h->name, sizeof(h->name)) < 0)
		strcpy(h->name, "?");
	out->count++;
}

static void look_at_process(struct holders *out, int proc, const char *pid)
{
	char path[NAME_MAX + 8];
	unsigned int group;
	int fd;
	DIR *fds;

	snprintf(path, sizeof(path), "%s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		out->hidden |= errno == EACCES;
		return;
	}
	fds = fdopendir(fd);
	if (!fds) {
		close(fd);
		return;
	}
	for (const struct dirent *e = readdir(fds); e; e = readdir(fds)) {
		if (names_group(fd, e->d_name, &group))
			add_holder(out, proc, pid, group);
	}
	closedir(fds);
}

void holders_find(const char *root, struct holders *out)
{
	char path[PATH_MAX];
	DIR *proc;

	*out = (struct holders){ 0 };
	snprintf(path, sizeof(path), "%s/proc", root);
	proc = opendir(path);
	if (!proc)
		return;
	for (const struct dirent *e = readdir(proc); e; e = readdir(proc)) {
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			look_at_process(out, dirfd(proc), e->d_name);
	}
	closedir(proc);
}

const struct holder *holders_of(const struct holders *holders, unsigned int group)
{
	for (size_t i = 0; i < holders->count; i++) {
		if (holders->list[i].group == group)
			return &holders->list[i];
	}
	return NULL;
}
