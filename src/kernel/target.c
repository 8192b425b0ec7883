/* SPDX-License-Identifier: MIT */
/*
 * From an address to the device's directory in sysfs.
 *
 * Theory of operation: what a device is, which group it is in and which files it has, all follows
 * from that directory. A device that was opened by somebody else is found by what /proc says about
 * its fd (newer kernels), or by the number of its device file; without either it can be used,
 * but what only sysfs knows stays unknown.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "abi/vfio.h"
#include "kernel/function.h"
#include "kernel/target.h"
#include "util/sysfs.h"

#define MDEV_DIRECTORY "/sys/bus/mdev/devices"
#define CDEV_DIRECTORY "/dev/vfio/devices/"
#define SYSPATH	       "vfio-device-syspath:"

/* ---- options ---- */

bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	for (i = 0; text[i] && form[i]; i++) {
		if (form[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return text[i] == form[i];
}

/* A number from 0 to INT_MAX; -1 for anything else. */
static int fd_number(const char *text)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)text[0]))
		return -1;
	n = strtoul(text, &end, 10);
	return *end || n > INT_MAX ? -1 : (int)n;
}

static bool take_via(const char *value, struct kernel_options *out)
{
	static const char *const names[] = {
		[VIA_CDEV] = "cdev", [VIA_GROUP] = "group", [VIA_NOIOMMU] = "noiommu"
	};

	out->via = VIA_ANY;
	for (size_t i = VIA_CDEV; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(value, names[i]))
			out->via = (enum kernel_via)i;
	}
	return out->via != VIA_ANY;
}

static bool take_option(const char *option, struct kernel_options *out)
{
	if (!strncmp(option, "via=", 4))
		return take_via(option + 4, out);
	if (!strncmp(option, "iommufd=", 8)) {
		out->iommufd = fd_number(option + 8);
		return out->iommufd >= 0;
	}
	if (strncmp(option, "token=", 6) != 0 || !is_uuid(option + 6))
		return false;
	snprintf(out->token, sizeof(out->token), "%s", option + 6);
	return true;
}

static int split(const char *scheme, const char *rest, char *name, struct kernel_options *out,
		 struct dfd_error *err)
{
	const char *mark = strchr(rest, '?');
	size_t len = mark ? (size_t)(mark - rest) : strlen(rest);
	char text[256], *next = text;
	const char *option;

	*out = (struct kernel_options){ .iommufd = -1 };
	if (len >= TARGET_NAME_SIZE || (mark && strlen(mark) >= sizeof(text)))
		return dfd_error_set(err, -EINVAL, "%s:%.40s...: this is too long to be a device",
				     scheme, rest);
	snprintf(name, TARGET_NAME_SIZE, "%.*s", (int)len, rest);
	snprintf(text, sizeof(text), "%s", mark ? mark + 1 : "");
	while (mark && (option = strsep(&next, ","))) {
		if (!take_option(option, out))
			return dfd_error_set(err, -EINVAL,
					     "%s:%s: after the \"?\" there can be via=cdev, "
					     "via=group or via=noiommu, token=UUID and "
					     "iommufd=NUMBER, separated by commas, but no \"%s\"",
					     scheme, name, option);
	}
	return 0;
}

/* ---- the directory ---- */

static void number_group(struct kernel_target *t)
{
	char number[16];

	t->group = -1;
	if (!dfd_sysfs_link_name(t->dir, "iommu_group", number, sizeof(number)))
		t->group = fd_number(number);
}

static int open_directory(struct kernel_target *t, const char *where)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s%s", t->env->root, where);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	t->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir < 0)
		return -errno;
	number_group(t);
	return 0;
}

static int find_pci(struct kernel_target *t, const char *name, struct dfd_error *err)
{
	t->dir = function_open("pci", t->env->root, name, t->name, err);
	if (t->dir < 0)
		return t->dir;
	snprintf(t->address, sizeof(t->address), "pci:%s", t->name);
	t->bus = "pci";
	t->driver = "vfio-pci";
	number_group(t);
	return 0;
}

static int find_mdev(struct kernel_target *t, const char *name, struct dfd_error *err)
{
	char path[PATH_MAX];
	int ret;

	if (!is_uuid(name))
		return dfd_error_set(
			err, -EINVAL,
			"mdev:%s is not a mediated device: write its UUID, as ls " MDEV_DIRECTORY
			" shows it",
			name);
	snprintf(t->name, sizeof(t->name), "%s", name);
	snprintf(t->address, sizeof(t->address), "mdev:%s", name);
	t->bus = "mdev";
	snprintf(path, sizeof(path), MDEV_DIRECTORY "/%s", name);
	ret = open_directory(t, path);
	if (ret)
		return dfd_error_set(err, ret,
				     "%s: there is no such device in " MDEV_DIRECTORY ": %s",
				     t->address, strerror(-ret));
	return 0;
}

static int find_platform(struct kernel_target *t, const char *name, struct dfd_error *err)
{
	char path[PATH_MAX];
	int ret;

	if (!*name || strchr(name, '/') || name[0] == '.')
		return dfd_error_set(err, -EINVAL,
				     "platform:%s is not a platform device: write its name, as ls "
				     "/sys/bus/platform/devices shows it",
				     name);
	snprintf(t->name, sizeof(t->name), "%s", name);
	snprintf(t->address, sizeof(t->address), "platform:%s", name);
	t->bus = "platform";
	t->driver = "vfio-platform";
	snprintf(path, sizeof(path), "/sys/bus/platform/devices/%s", name);
	ret = open_directory(t, path);
	if (ret == -ENOENT) {
		snprintf(path, sizeof(path), "/sys/bus/amba/devices/%s", name);
		ret = open_directory(t, path);
		if (!ret) {
			t->bus = "amba";
			t->driver = "vfio-amba";
		}
	}
	if (ret)
		return dfd_error_set(err, ret,
				     "%s: there is no such device in /sys/bus/platform/devices "
				     "or /sys/bus/amba/devices: %s; lsvfio without an address "
				     "lists those there are",
				     t->address, strerror(-ret));
	return 0;
}

/* ---- devices that are known by a file ---- */

/* What the directory says of itself, after it was found by other means than its name. */
static void take_names(struct kernel_target *t)
{
	static const struct {
		const char *bus, *driver;
	} known[] = { { "pci", "vfio-pci" },
		      { "platform", "vfio-platform" },
		      { "amba", "vfio-amba" },
		      { "mdev", NULL } };
	char path[32], target[PATH_MAX], bus[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->dir);
	if (!dfd_sysfs_link_name(AT_FDCWD, path, target, sizeof(target)))
		snprintf(t->name, sizeof(t->name), "%.*s", TARGET_NAME_SIZE - 1, target);
	if (dfd_sysfs_link_name(t->dir, "subsystem", bus, sizeof(bus)))
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(bus, known[i].bus)) {
			t->bus = known[i].bus;
			t->driver = known[i].driver;
		}
	}
}

static int find_cdev(struct kernel_target *t, const char *name, struct dfd_error *err)
{
	const char *base = strncmp(name, CDEV_DIRECTORY, strlen(CDEV_DIRECTORY)) != 0
				   ? name
				   : name + strlen(CDEV_DIRECTORY);
	char path[PATH_MAX];
	int ret;

	if (!*base || strchr(base, '/') || base[0] == '.')
		return dfd_error_set(err, -EINVAL,
				     "cdev:%s is not the file of a device: write one of those "
				     "in " CDEV_DIRECTORY,
				     name);
	snprintf(t->address, sizeof(t->address), "cdev:%s", base);
	snprintf(path, sizeof(path), "/sys/class/vfio-dev/%s/device", base);
	ret = open_directory(t, path);
	if (ret)
		return dfd_error_set(err, ret,
				     "%s: there is no such device in /sys/class/vfio-dev: %s; "
				     "lsvfio without an address lists the devices there are",
				     t->address, strerror(-ret));
	take_names(t);
	if (t->options.via == VIA_ANY)
		t->options.via = strncmp(base, "noiommu-", 8) != 0 ? VIA_CDEV : VIA_NOIOMMU;
	return 0;
}

/* "vfio-device-syspath: /sys/devices/pci0000:00/0000:00:01.0" */
static int find_by_fdinfo(struct kernel_target *t, int fd)
{
	char path[64], text[4096], *at;

	snprintf(path, sizeof(path), "%s/proc/self/fdinfo/%d", t->env->root, fd);
	if (dfd_sysfs_text(AT_FDCWD, path, text, sizeof(text)) < 0)
		return -ENOENT;
	at = strstr(text, SYSPATH);
	if (!at)
		return -ENOENT;
	at += strlen(SYSPATH);
	at += strspn(at, " \t");
	at[strcspn(at, "\n")] = '\0';
	return strncmp(at, "/sys/", 5) != 0 || strstr(at, "/../") ? -EBADMSG
								  : open_directory(t, at);
}

static int find_by_number(struct kernel_target *t, int fd)
{
	char path[PATH_MAX], class[32];
	struct stat st;

	if (fstat(fd, &st) || !S_ISCHR(st.st_mode))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/sys/dev/char/%u:%u/subsystem", t->env->root,
		 major(st.st_rdev), minor(st.st_rdev));
	if (dfd_sysfs_link_name(AT_FDCWD, path, class, sizeof(class)) ||
	    strcmp(class, "vfio-dev") != 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device", major(st.st_rdev),
		 minor(st.st_rdev));
	return open_directory(t, path);
}

/*
 * A device answers, or it is one that is not bound to an iommufd yet, which answers nothing: that
 * one has a name.
 */
static bool is_device(const struct kernel_target *t, bool named)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int ret = t->env->calls->ioctl(t->fd, VFIO_DEVICE_GET_INFO, &info);

	return !ret || (ret == -EINVAL && named);
}

static int find_fd(struct kernel_target *t, const char *name, struct dfd_error *err)
{
	int fd = fd_number(name);
	bool named;

	snprintf(t->address, sizeof(t->address), "fd:%s", name);
	if (fd < 0)
		return dfd_error_set(err, -EINVAL,
				     "%s: write the number of an open file, such as fd:3",
				     t->address);
	t->fd = t->env->calls->dup(fd);
	if (t->fd < 0)
		return dfd_error_set(err, t->fd, "%s: no file of this process has that number: %s",
				     t->address, strerror(-t->fd));
	named = !find_by_fdinfo(t, fd) || !find_by_number(t, fd);
	if (named)
		take_names(t);
	if (!is_device(t, named)) {
		char path[32], target[PATH_MAX] = "something else";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		dfd_sysfs_link(AT_FDCWD, path, target, sizeof(target));
		return dfd_error_set(
			err, -ENOTTY,
			"%s: is no device of VFIO but %.200s; pass the fd that "
			"VFIO_GROUP_GET_DEVICE_FD gave, or an open file of " CDEV_DIRECTORY,
			t->address, target);
	}
	return 0;
}

/** struct kind - a kind of address, and how such a device is found */
struct kind {
	const char *scheme;
	int (*find)(struct kernel_target *t, const char *name, struct dfd_error *err);
};

static const struct kind kinds[] = {
	{ "pci", find_pci },   { "platform", find_platform },
	{ "mdev", find_mdev }, { "cdev", find_cdev },
	{ "fd", find_fd },
};

int kernel_target_find(struct kernel_target *t, const struct kernel_env *env, const char *scheme,
		       const char *rest, struct dfd_error *err)
{
	const struct kind *kind = kinds;
	char name[TARGET_NAME_SIZE];
	int ret;

	*t = (struct kernel_target){ .env = env, .dir = -1, .group = -1, .fd = -1 };
	ret = split(scheme, rest, name, &t->options, err);
	while (strcmp(kind->scheme, scheme) != 0)
		kind++;
	return ret ? ret : kind->find(t, name, err);
}

void kernel_target_finish(struct kernel_target *t)
{
	if (t->dir >= 0)
		close(t->dir);
	if (t->fd >= 0)
		t->env->calls->close(t->fd);
	t->dir = t->fd = -1;
}
