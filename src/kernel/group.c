/* SPDX-License-Identifier: MIT */
/*
 * Opening a device through its group.
 *
 * Theory of operation: a container is the address space for DMA, a group what the IOMMU can tell
 * apart. The group goes into a container, the container gets an IOMMU, and then the group hands out
 * its devices. Without an IOMMU there are groups, too, one for each device, but nothing to map.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "abi/vfio.h"
#include "kernel/explain.h"
#include "kernel/link.h"
#include "kernel/type1.h"

static int open_dev(const struct kernel_target *t, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev/vfio/%s", t->env->root, name);
	return t->env->calls->open(path, O_RDWR);
}

/* The best of what the container offers; it is to be set once a group is in it. */
static int choose_iommu(const struct space *s, uintptr_t *type)
{
	static const uintptr_t real[] = { VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_IOMMU, 0 };
	static const uintptr_t none[] = { VFIO_NOIOMMU_IOMMU, 0 };
	const uintptr_t *types = s->via == VIA_NOIOMMU ? none : real;

	for (; *types; types++) {
		*type = *types;
		if (s->env.calls->ioctl(s->fd, VFIO_CHECK_EXTENSION, (void *)*types) > 0)
			return 0;
	}
	return -ENODEV;
}

static int open_container(const struct kernel_target *t, struct space *s, uintptr_t *type,
			  struct dfd_error *err)
{
	int version;

	s->fd = open_dev(t, "vfio");
	if (s->fd < 0)
		return explain_container(t, s->fd, err);
	version = s->env.calls->ioctl(s->fd, VFIO_GET_API_VERSION, NULL);
	if (version != VFIO_API_VERSION)
		return dfd_error_set(err, version < 0 ? version : -EPROTO,
				     "%s: /dev/vfio/vfio does not speak version %d of VFIO",
				     t->address, VFIO_API_VERSION);
	return choose_iommu(s, type) ? explain_no_type1(t, err) : 0;
}

static int open_group(const struct kernel_target *t, struct space *s, struct dfd_error *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char name[32];
	int ret;

	snprintf(name, sizeof(name), "%s%d", s->via == VIA_NOIOMMU ? "noiommu-" : "", t->group);
	s->group_fd = open_dev(t, name);
	if (s->group_fd < 0)
		return explain_group(t, s->group_fd, err);
	ret = s->env.calls->ioctl(s->group_fd, VFIO_GROUP_GET_STATUS, &status);
	if (ret < 0)
		return explain_group(t, ret, err);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return explain_not_viable(t, err);
	return 0;
}

static int join(const struct kernel_target *t, const struct space *s, uintptr_t type,
		struct dfd_error *err)
{
	const struct kernel_calls *c = s->env.calls;
	int container = s->fd;
	int ret = c->ioctl(s->group_fd, VFIO_GROUP_SET_CONTAINER, &container);

	if (ret == -EPERM)
		return explain_not_viable(t, err);
	if (!ret)
		ret = c->ioctl(s->fd, VFIO_SET_IOMMU, (void *)type);
	return ret < 0 ? explain_set_iommu(t, ret, err) : 0;
}

/* The token goes with the name. */
static int get_device(const struct kernel_target *t, struct kernel_link *link,
		      struct dfd_error *err)
{
	char name[TARGET_NAME_SIZE + sizeof(" vf_token=") + sizeof(t->options.token)];

	snprintf(name, sizeof(name), "%s%s%s", t->name, t->options.token[0] ? " vf_token=" : "",
		 t->options.token);
	link->device = link->calls->ioctl(link->space->group_fd, VFIO_GROUP_GET_DEVICE_FD, name);
	return link->device < 0 ? explain_device(t, link->device, err) : 0;
}

/* The first device of a group. */
static int make_space(const struct kernel_target *t, struct space *s, struct dfd_error *err)
{
	uintptr_t type = 0;
	int ret = open_container(t, s, &type, err);

	if (!ret)
		ret = open_group(t, s, err);
	if (!ret)
		ret = join(t, s, type, err);
	if (!ret && s->via != VIA_NOIOMMU)
		s->ops = &type1_ops;
	return ret;
}

int group_open(const struct kernel_target *t, enum kernel_via via, struct kernel_link *link,
	       struct dfd_error *err)
{
	const struct space *s = space_find(t);
	int ret;

	if (t->group < 0)
		return explain_no_iommu(t, err);
	if (s && s->group_fd < 0)
		return explain_group(t, -EBUSY, err);
	ret = space_join(t, via, make_space, &link->space, err);
	return ret ? ret : get_device(t, link, err);
}
