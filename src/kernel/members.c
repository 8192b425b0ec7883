/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/members.h"
#include "kernel/root.h"
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

int members_walk(int devices, int (*fn)(void *ctx, const struct member *m), void *ctx)
{
	struct dirent **names;
	int count = scandirat(devices, ".", &names, not_hidden, alphasort), ret = 0;

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		struct member m = { .dir = openat(devices, names[i]->d_name,
						  O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

		snprintf(m.name, sizeof(m.name), "%s", names[i]->d_name);
		m.kind = driver_of(m.dir, m.driver);
		if (!ret)
			ret = fn(ctx, &m);
		if (m.dir >= 0)
			close(m.dir);
		free(names[i]);
	}
	free(names);
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
	int devices = openat(dir, "iommu_group/devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (devices < 0)
		return 0;
	ret = members_walk(devices, is_foreign, culprit);
	close(devices);
	return ret > 0;
}

/* ---- processes ---- */

/* The group of a device file: its class in sysfs leads to the device. */
static int group_of_file(const char *root, const char *name, unsigned int *group)
{
	char path[PATH_MAX], link[32];

	snprintf(path, sizeof(path), "%s/sys/class/vfio-dev/%s/device/iommu_group", root, name);
	return !dfd_sysfs_link_name(AT_FDCWD, path, link, sizeof(link)) &&
	       sscanf(link, "%8u", group) == 1;
}

/* Is a link of /proc/PID/fd the file of a group, or of a device in one? */
static int names_group(const char *root, int fds, const char *link, unsigned int *group)
{
	char target[64], name[32];

	if (dfd_sysfs_link(fds, link, target, sizeof(target)))
		return 0;
	if (sscanf(target, "/dev/vfio/devices/%31s", name) == 1)
		return group_of_file(root, name, group);
	return sscanf(target, "/dev/vfio/%8u", group) == 1 ||
	       sscanf(target, "/dev/vfio/noiommu-%8u", group) == 1;
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

static void look_at_process(struct holders *out, const char *root, int proc, const char *pid)
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
		if (names_group(root, fd, e->d_name, &group))
			add_holder(out, proc, pid, group);
	}
	closedir(fds);
}

void holders_find(const char *root, struct holders *out)
{
	char path[PATH_MAX];
	DIR *proc;

	*out = (struct holders){ 0 };
	if (!root_exists(root, "/dev/vfio"))
		return;
	snprintf(path, sizeof(path), "%s/proc", root);
	proc = opendir(path);
	if (!proc)
		return;
	for (const struct dirent *e = readdir(proc); e; e = readdir(proc)) {
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			look_at_process(out, root, dirfd(proc), e->d_name);
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

/* ---- files ---- */

/* The names of the numbers, if they have some. */
static void name_user(uid_t uid, char *name, size_t room)
{
	struct passwd entry, *found = NULL;
	char strings[1024];

	getpwuid_r(uid, &entry, strings, sizeof(strings), &found);
	if (found)
		snprintf(name, room, "%s", found->pw_name);
	else
		snprintf(name, room, "%u", uid);
}

static void name_group(gid_t gid, char *name, size_t room)
{
	struct group entry, *found = NULL;
	char strings[4096];

	getgrgid_r(gid, &entry, strings, sizeof(strings), &found);
	if (found)
		snprintf(name, room, "%s", found->gr_name);
	else
		snprintf(name, room, "%u", gid);
}

void file_owner(const char *path, char *text, size_t room)
{
	char user[40], group[40];
	struct stat st;

	if (stat(path, &st)) {
		snprintf(text, room, "somebody's");
		return;
	}
	name_user(st.st_uid, user, sizeof(user));
	name_group(st.st_gid, group, sizeof(group));
	snprintf(text, room, "%s:%s %04o", user, group, st.st_mode & 07777);
}
