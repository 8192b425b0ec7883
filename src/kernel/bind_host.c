/* SPDX-License-Identifier: MIT */
/*
 * Does the host need a function?
 *
 * Theory of operation: sysfs keeps what a function brings about below its directory, down to the
 * partition of a disk. So each thing that the host cannot do without is followed to its place in
 * /sys/devices, and a function that lies on the way is needed. Things made of other things (dm, md,
 * the common disk of NVMe controllers with several ports) lie elsewhere and are followed through
 * what they are made of. What has two legs stands on one of them, but only the network is given
 * that credit: a mirror without one of its disks is not what its owner wants to find.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/bind.h"
#include "kernel/root.h"
#include "util/sysfs.h"

/* Things made of things made of things. */
#define MAX_DEPTH 8

bool set_has(const struct bind_set *set, const char *name)
{
	for (size_t i = 0; i < set->count; i++) {
		if (!strcmp(set->list[i].name, name))
			return true;
	}
	return false;
}

/* Is a name one of the components of a path? */
static bool lies_below(const char *path, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = path; (at = strchr(at, '/')); at++) {
		if (!strncmp(at + 1, name, len) && (at[1 + len] == '/' || !at[1 + len]))
			return true;
	}
	return false;
}

const char *set_owns(const struct bind_set *set, const char *path)
{
	for (size_t i = 0; i < set->count; i++) {
		if (lies_below(path, set->list[i].name))
			return set->list[i].name;
	}
	return NULL;
}

/* ---- disks ---- */

static const char *behind(const struct bind_set *set, const char *path, unsigned int depth);

static bool is_controller(const char *name)
{
	return !strncmp(name, "nvme", 4) && isdigit(name[4]) &&
	       !name[4 + strspn(name + 4, "0123456789")];
}

static bool is_visible(const char *name)
{
	return name[0] != '.';
}

/* The first function that one of the entries of a directory leads to. */
static const char *behind_any(const struct bind_set *set, const char *folder,
			      bool (*wanted)(const char *name), unsigned int depth)
{
	const char *found = NULL;
	char path[PATH_MAX];
	DIR *dir = opendir(folder);

	for (const struct dirent *e = dir ? readdir(dir) : NULL; e && !found; e = readdir(dir)) {
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (wanted(e->d_name))
			found = behind(set, path, depth);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* @path: of a block device in sysfs, or a link to it */
static const char *behind(const struct bind_set *set, const char *path, unsigned int depth)
{
	char real[PATH_MAX], other[PATH_MAX + 16];
	const char *found;

	if (!depth || !realpath(path, real))
		return NULL;
	found = set_owns(set, real);
	if (found)
		return found;
	snprintf(other, sizeof(other), "%s/slaves", real);
	found = behind_any(set, other, is_visible, depth - 1);
	if (found)
		return found;
	/* A partition is on its disk; a disk with several controllers lies beside them. */
	snprintf(other, sizeof(other), "%s/..", real);
	if (root_exists(real, "/partition"))
		return behind(set, other, depth - 1);
	return strstr(real, "/nvme-subsystem/") ? behind_any(set, other, is_controller, depth - 1)
						: NULL;
}

static int refuse_disk(const char *function, const char *what, const char *disk, const char *remedy,
		       struct dfd_error *err)
{
	return dfd_error_set(err, -EBUSY,
			     "%s: the host needs it: %.100s is on %.60s, which is behind it; "
			     "%s first, or use --force",
			     function, what, disk, remedy);
}

/* The name of a block device, when a path of /dev leads to one. */
static bool name_of_file(const char *root, const char *file, char *name)
{
	char path[PATH_MAX], real[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, file);
	if (strncmp(file, "/dev/", 5) != 0 || !realpath(path, real))
		return false;
	snprintf(name, NAME_MAX + 1, "%s", strrchr(real, '/') + 1);
	return true;
}

/* @path: of a block device in sysfs */
static int check_disk(const struct bind_set *set, const char *path, const char *what,
		      const char *remedy, struct dfd_error *err)
{
	const char *function = behind(set, path, MAX_DEPTH);
	char real[PATH_MAX];

	if (!function || !realpath(path, real))
		return 0;
	return refuse_disk(function, what, strrchr(real, '/') + 1, remedy, err);
}

/* @file: of /dev, or anything else, which is no disk */
static int check_file(const char *root, const struct bind_set *set, const char *file,
		      const char *what, const char *remedy, struct dfd_error *err)
{
	char path[PATH_MAX], name[NAME_MAX + 1];

	if (!name_of_file(root, file, name))
		return 0;
	snprintf(path, sizeof(path), "%s/sys/class/block/%s", root, name);
	return check_disk(set, path, what, remedy, err);
}

/* Some file systems have numbers of their own; the field behind "-" names a device of theirs. */
static int check_mount(const char *root, const struct bind_set *set, const char *line,
		       struct dfd_error *err)
{
	char path[PATH_MAX], number[32], point[512], source[512], what[600];
	const char *rest = strstr(line, " - ");
	int ret;

	if (!rest || sscanf(line, "%*s %*s %31s %*s %511s", number, point) != 2 ||
	    sscanf(rest, " - %*s %511s", source) != 1)
		return 0;
	snprintf(what, sizeof(what), "the file system at %s", point);
	snprintf(path, sizeof(path), "%s/sys/dev/block/%s", root, number);
	ret = check_disk(set, path, what, "unmount it", err);
	return ret ? ret : check_file(root, set, source, what, "unmount it", err);
}

static int check_swap(const char *root, const struct bind_set *set, const char *line,
		      struct dfd_error *err)
{
	char file[512];

	if (sscanf(line, "%511s", file) != 1)
		return 0;
	return check_file(root, set, file, "swap space", "swapoff it", err);
}

static int each_line(const char *root, const char *file, const struct bind_set *set,
		     int (*check)(const char *root, const struct bind_set *set, const char *line,
				  struct dfd_error *err),
		     struct dfd_error *err)
{
	char path[PATH_MAX], *line = NULL;
	size_t room = 0;
	int ret = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, file);
	f = fopen(path, "re");
	while (f && !ret && getline(&line, &room, f) > 0)
		ret = check(root, set, line, err);
	free(line);
	if (f)
		fclose(f);
	return ret;
}

/* The other disks of a file system that has several; the kernel lists them while it is mounted. */
static int check_btrfs(const char *root, const struct bind_set *set, struct dfd_error *err)
{
	const char *function = NULL;
	char path[2 * PATH_MAX], uuid[64] = "";
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/fs/btrfs", root);
	dir = opendir(path);
	for (const struct dirent *e = dir ? readdir(dir) : NULL; e && !function; e = readdir(dir)) {
		if (!strchr(e->d_name, '-'))
			continue;
		snprintf(uuid, sizeof(uuid), "%.60s", e->d_name);
		snprintf(path, sizeof(path), "%s/sys/fs/btrfs/%s/devices", root, uuid);
		function = behind_any(set, path, is_visible, MAX_DEPTH);
	}
	if (dir)
		closedir(dir);
	if (!function)
		return 0;
	return dfd_error_set(err, -EBUSY,
			     "%s: the host needs it: a disk of the mounted btrfs %s is behind it; "
			     "unmount that first, or use --force",
			     function, uuid);
}

/* ---- console ---- */

static int check_display(const char *root, const char *name, struct dfd_error *err)
{
	char path[128];
	int64_t boot;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/boot_vga", name);
	if (root_num(root, path, &boot) || boot != 1)
		return 0;
	return dfd_error_set(err, -EBUSY,
			     "%s: the host needs it: it is the display that the machine started "
			     "with, and the console is on it; use --force if you can do without",
			     name);
}

/* A serial line, perhaps. */
static int check_console(const char *root, const struct bind_set *set, struct dfd_error *err)
{
	char names[256], path[PATH_MAX], real[PATH_MAX];
	char *rest = names;

	if (root_text(root, "/sys/class/tty/console/active", names, sizeof(names)) < 0)
		return 0;
	for (char *tty = strsep(&rest, " "); tty; tty = strsep(&rest, " ")) {
		const char *function;

		snprintf(path, sizeof(path), "%s/sys/class/tty/%s", root, tty);
		function = realpath(path, real) ? set_owns(set, real) : NULL;
		if (function)
			return dfd_error_set(
				err, -EBUSY,
				"%s: the host needs it: the console is on %s, which is "
				"behind it; use --force if you can do without",
				function, tty);
	}
	return 0;
}

/* ---- all of it ---- */

/* Those of the first process count, too, when this one has mounts of its own. */
int host_check(const char *root, const struct bind_set *set, struct dfd_error *err)
{
	int ret = each_line(root, "/proc/self/mountinfo", set, check_mount, err);

	if (!ret)
		ret = each_line(root, "/proc/1/mountinfo", set, check_mount, err);
	if (!ret)
		ret = check_btrfs(root, set, err);
	if (!ret)
		ret = each_line(root, "/proc/swaps", set, check_swap, err);
	if (!ret)
		ret = host_check_net(root, set, err);
	if (!ret)
		ret = check_console(root, set, err);
	for (size_t i = 0; i < set->count && !ret; i++)
		ret = check_display(root, set->list[i].name, err);
	return ret;
}
