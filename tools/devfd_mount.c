/* SPDX-License-Identifier: MIT */
/*
 * The view of a program under `devfd run`, mounted over /sys and /dev for it and what it starts.
 *
 * Theory of operation
 *
 * The program gets a mount namespace of its own, inside a user namespace where its user may not
 * mount. There /sys and /dev become directories of a tmpfs that hold what the machine has, each
 * entry bound to where it was, and what the view has in place of that. Directories that both have
 * are merged down to those that are the view's alone, such as /sys/bus/pci. So shells, static
 * programs and everything else that asks the kernel sees the devices, and the machine does not
 * change.
 *
 * Not every system allows that, and some allow the namespaces and then no mount in them. As there
 * is no way back out of a namespace, a child tries first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devfd_view.h"
#include "tool.h"

/* Which directories are merged; of all others that it has, the view's stands for the machine's. */
static const char *const merged[] = {
	"/dev",	       "/sys",	      "/sys/bus", "/sys/class", "/sys/devices", "/sys/devices/pci*",
	"/sys/kernel", "/sys/module",
};

/** struct merge - one directory; the paths of its entries are made in place */
struct merge {
	char real[PATH_MAX]; /* as the machine has it, and the program sees it */
	char tree[PATH_MAX]; /* as the view has it */
	char over[PATH_MAX]; /* what is mounted over @real */
};

/* ---- namespaces ---- */

static int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Everybody keeps his number; nobody else has one. */
static int keep_ids(uid_t uid, gid_t gid)
{
	char text[64];
	int ret;

	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	ret = put_text("/proc/self/uid_map", text);
	if (!ret)
		ret = put_text("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	return ret ? ret : put_text("/proc/self/gid_map", text);
}

static int mount_tmpfs(const char *over)
{
	return mount("devfd", over, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") ? -errno : 0;
}

/* What else the mount must not do stays so: in a user namespace nobody may lift that. */
static int make_read_only(const char *path)
{
	const unsigned long kept = ST_NOSUID | ST_NODEV | ST_NOEXEC;
	struct statvfs vfs;

	if (statvfs(path, &vfs))
		return -errno;
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | (vfs.f_flag & kept), NULL)
		       ? -errno
		       : 0;
}

_Static_assert((int)ST_NOSUID == (int)MS_NOSUID && (int)ST_NODEV == (int)MS_NODEV &&
		       (int)ST_NOEXEC == (int)MS_NOEXEC,
	       "flags of a mount are told as they are set");

/* What is mounted here stays here; what the machine mounts later comes in. */
static int enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int ret = 0;

	/* That none is left, ENOSPC, is how some forbid them. */
	if (unshare(CLONE_NEWNS))
		ret = unshare(CLONE_NEWUSER | CLONE_NEWNS) ? -EPERM : keep_ids(uid, gid);
	if (!ret && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		ret = -errno;
	return ret;
}

static int try_enter(const char *over)
{
	pid_t child = fork();
	int status;

	if (!child) {
		int ret = enter();

		_exit(-(ret ? ret : mount_tmpfs(over)));
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* ---- merging ---- */

/* Have @to be @from: a link is copied, anything else is bound. */
static int graft(const char *from, const char *to)
{
	char link[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (lstat(from, &st))
		return errno == ENOENT ? 0 : -errno; /* gone again */
	if (S_ISLNK(st.st_mode)) {
		n = readlink(from, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		return n < 0 || symlink(link, to) ? -errno : 0;
	}
	if (S_ISDIR(st.st_mode) ? mkdir(to, 0755) : mknod(to, S_IFREG | 0444, 0))
		return -errno;
	return mount(from, to, NULL, MS_BIND | MS_REC, NULL) ? -errno : 0;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISDIR(st.st_mode);
}

static bool is_merged(const struct merge *m)
{
	if (!is_directory(m->real) || !is_directory(m->tree))
		return false;
	for (size_t i = 0; i < sizeof(merged) / sizeof(*merged); i++) {
		if (!fnmatch(merged[i], m->real, FNM_PATHNAME))
			return true;
	}
	return false;
}

static bool step(struct merge *m, const struct merge *parent, const char *name)
{
	return snprintf(m->real, PATH_MAX, "%s/%s", parent->real, name) < PATH_MAX &&
	       snprintf(m->tree, PATH_MAX, "%s/%s", parent->tree, name) < PATH_MAX &&
	       snprintf(m->over, PATH_MAX, "%s/%s", parent->over, name) < PATH_MAX;
}

static int merge(const struct merge *m);

/* An entry of the machine's directory, or of the view's. */
static int merge_entry(const struct merge *parent, const char *name, bool of_view)
{
	struct merge m = { 0 };
	struct stat st;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (!step(&m, parent, name))
		return -ENAMETOOLONG;
	if (!of_view)
		return lstat(m.tree, &st) ? graft(m.real, m.over) : 0;
	if (!is_merged(&m))
		return graft(m.tree, m.over);
	return mkdir(m.over, 0755) ? -errno : merge(&m);
}

static int merge_entries(const struct merge *m, bool of_view)
{
	DIR *dir = opendir(of_view ? m->tree : m->real);
	const struct dirent *entry;
	int ret = dir || (of_view && errno == ENOENT) ? 0 : -errno; /* it may add nothing */

	while (dir && !ret && (entry = readdir(dir)))
		ret = merge_entry(m, entry->d_name, of_view);
	if (dir)
		closedir(dir);
	return ret;
}

static int merge(const struct merge *m)
{
	int ret = merge_entries(m, false);

	return ret ? ret : merge_entries(m, true);
}

static int mount_over(const char *real, const char *view, const char *over)
{
	struct merge m = { 0 };
	int ret = mount_tmpfs(over);

	snprintf(m.real, PATH_MAX, "%s", real);
	snprintf(m.over, PATH_MAX, "%s", over);
	if (!ret && snprintf(m.tree, PATH_MAX, "%s%s", view, real) >= PATH_MAX)
		ret = -ENAMETOOLONG;
	if (!ret)
		ret = merge(&m);
	return ret || !mount(over, real, NULL, MS_MOVE, NULL) ? ret : -errno;
}

/* ---- all of it ---- */

static int bind_below(const char *dir, const char *path)
{
	char to[PATH_MAX];

	if (snprintf(to, sizeof(to), "%s%s", dir, path) >= (int)sizeof(to))
		return -ENAMETOOLONG;
	return graft(path, to);
}

/* Whoever opens devices of the machine here finds them there. */
static int keep_machine(const char *dir)
{
	int ret = mkdir(dir, 0755) ? -errno : bind_below(dir, "/sys");

	if (!ret)
		ret = bind_below(dir, "/dev");
	return ret ? ret : bind_below(dir, "/proc");
}

static bool has_tree(const char *view, const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s%s", view, name) < PATH_MAX && is_directory(path);
}

/* What is to be seen in sysfs, and in /dev. */
static int mount_trees(const char *view, const char *over)
{
	int ret = has_tree(view, "/sys") ? mount_over("/sys", view, over) : 0;

	/* Nobody makes files in sysfs. */
	if (!ret && has_tree(view, "/sys"))
		ret = make_read_only("/sys");
	return ret ? ret : mount_over("/dev", view, over);
}

int view_mount(const char *view, const char *machine)
{
	char over[PATH_MAX];
	int ret;

	if (snprintf(over, sizeof(over), "%s/over", view) >= (int)sizeof(over))
		return -ENAMETOOLONG;
	if (!is_directory("/dev") || (has_tree(view, "/sys") && !is_directory("/sys")))
		return -ENOENT;
	if (mkdir(over, 0755))
		return -errno;
	ret = try_enter(over);
	if (ret)
		return ret;
	ret = enter();
	if (!ret && machine)
		ret = keep_machine(machine);
	if (!ret)
		ret = mount_trees(view, over);
	if (ret)
		return tool_fail(TOOL_FAILED,
				 "the view of sysfs cannot be mounted: %s; try --view=paths",
				 strerror(-ret));
	return 0;
}

/* ---- one file ---- */

/* Below /dev what is not there can be made, but not in a directory of the machine's. */
static int make_file(const char *path)
{
	char part[PATH_MAX], *slash;
	struct stat own, st;

	if (strncmp(path, "/dev/", 5) != 0 || stat("/dev", &own))
		return -ENOENT;
	snprintf(part, sizeof(part), "%s", path);
	for (slash = strchr(part + 5, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(part, 0755);
		if (stat(part, &st) || st.st_dev != own.st_dev)
			return -ENOENT;
		*slash = '/';
	}
	return mknod(part, S_IFREG | 0444, 0) ? -errno : 0;
}

int view_show(const char *file, const char *path)
{
	struct stat st;
	int ret = stat(path, &st) ? make_file(path) : 0;

	if (!ret && mount(file, path, NULL, MS_BIND, NULL))
		ret = -errno;
	return ret ? ret : make_read_only(path);
}
