/* SPDX-License-Identifier: MIT */
/*
 * Opening a device through its own file.
 *
 * Theory of operation: the file does nothing until it is bound to an iommufd, and no DMA until it
 * is attached to an address space in there. All devices of a group have to be in the same one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi/vfio.h"
#include "kernel/explain.h"
#include "kernel/ioas.h"
#include "kernel/link.h"
#include "kernel/root.h"

/* The directory vfio-dev of a device has one entry, named as the file is. */
bool cdev_file(const struct kernel_target *t, char *path, size_t room)
{
	int fd = openat(t->dir, "vfio-dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool found = false;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (const struct dirent *e = readdir(dir); e && !found; e = readdir(dir)) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, room, "/dev/vfio/devices/%s", e->d_name);
		found = root_exists(t->env->root, path);
	}
	closedir(dir);
	return found;
}

static int open_file(const struct kernel_target *t, const char *file)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s%s", t->env->root, file);

	return n < 0 || (size_t)n >= sizeof(path) ? -ENAMETOOLONG
						  : t->env->calls->open(path, O_RDWR);
}

static int open_device(const struct kernel_target *t, struct kernel_link *link,
		       struct dfd_error *err)
{
	char file[PATH_MAX];

	if (link->device >= 0)
		return 0;
	if (!cdev_file(t, file, sizeof(file)))
		return explain_no_cdev(t, err);
	link->device = open_file(t, file);
	return link->device < 0 ? explain_cdev(t, file, link->device, err) : 0;
}

/* The iommufd of a new space: the caller's, or one of its own. */
static int open_iommufd(const struct kernel_target *t, struct space *s, struct dfd_error *err)
{
	int fd = t->options.iommufd;

	if (fd < 0) {
		s->fd = open_file(t, "/dev/iommu");
		return s->fd < 0 ? explain_iommufd(t, s->fd, err) : 0;
	}
	s->fd = s->env.calls->dup(fd);
	if (s->fd < 0)
		return dfd_error_set(err, s->fd,
				     "%s: iommufd=%d: no file of this process has that number: %s",
				     t->address, fd, strerror(-s->fd));
	return 0;
}

/* The bytes of a UUID in the order in which it is written. */
static void parse_uuid(const char *text, uint8_t uuid[16])
{
	for (int i = 0; i < 16; i++) {
		if (*text == '-')
			text++;
		sscanf(text, "%2hhx", &uuid[i]);
		text += 2;
	}
}

/* @device receives its number in the iommufd. */
static int bind_device(const struct kernel_target *t, const struct kernel_link *link,
		       uint32_t *device, struct dfd_error *err)
{
	uint8_t uuid[16];
	struct vfio_device_bind_iommufd arg = { .argsz = sizeof(arg), .iommufd = link->space->fd };
	int ret;

	if (t->options.token[0]) {
		parse_uuid(t->options.token, uuid);
		arg.flags = VFIO_DEVICE_BIND_FLAG_TOKEN;
		arg.token_uuid_ptr = (uintptr_t)uuid;
	}
	ret = link->calls->ioctl(link->device, VFIO_DEVICE_BIND_IOMMUFD, &arg);
	*device = arg.out_devid;
	return ret < 0 ? explain_bind(t, ret, err) : 0;
}

static int attach(const struct kernel_target *t, const struct kernel_link *link,
		  struct dfd_error *err)
{
	const struct space *s = link->space;
	struct vfio_device_attach_iommufd_pt arg = { .argsz = VFIO_DEVICE_ATTACH_SIZE,
						     .pt_id = s->hwpt ? s->hwpt : s->ioas };
	int ret = link->calls->ioctl(link->device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &arg);

	return ret < 0 ? explain_attach(t, ret, err) : 0;
}

static int make_space(const struct kernel_target *t, struct space *s, struct dfd_error *err)
{
	int ret = open_iommufd(t, s, err);

	if (ret)
		return ret;
	ret = ioas_new(s);
	if (ret)
		return explain_ioas(t, ret, err);
	s->ops = s->via == VIA_NOIOMMU ? &ioas_noiommu_ops : &ioas_ops;
	return 0;
}

int cdev_open(const struct kernel_target *t, enum kernel_via via, bool bound,
	      struct kernel_link *link, struct dfd_error *err)
{
	const struct space *s = space_find(t);
	uint32_t device = 0;
	int ret = open_device(t, link, err);

	if (ret)
		return ret;
	if (s && s->group_fd >= 0)
		return explain_bind(t, -EBUSY, err);
	ret = space_join(t, via, make_space, &link->space, err);
	if (!ret && !bound)
		ret = bind_device(t, link, &device, err);
	if (ret)
		return ret;
	/* Who was bound by somebody else has a number that is not known here. */
	if (!bound && link->space->users == 1 && via != VIA_NOIOMMU)
		ioas_count_writes(link->space, device);
	return attach(t, link, err);
}
