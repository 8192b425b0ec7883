/* SPDX-License-Identifier: MIT */
/*
 * Opening a device through its group.
 *
 * Theory of operation: a container is the address space for DMA, a group what the IOMMU can tell
 * apart. The group goes into a container, the container gets an IOMMU, and then the group hands out
 * its devices. Each device has a container of its own here, so the second device of a group finds
 * the group busy.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/vfio.h"
#include "kernel/explain.h"
#include "kernel/group.h"
#include "util/sysfs.h"

static int group_number(struct kernel_target *t)
{
	char number[16];
	int ret = dfd_sysfs_link_name(t->dir, "iommu_group", number, sizeof(number));

	t->group = ret ? 0 : (unsigned int)strtoul(number, NULL, 10);
	return ret;
}

static int open_dev(const struct kernel_target *t, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev/vfio/%s", t->env->root, name);
	return t->env->calls->open(path, O_RDWR);
}

static int open_container(const struct kernel_target *t, struct kernel_group *g,
			  struct dfd_error *err)
{
	const struct kernel_calls *c = g->calls;
	int version;

	g->container = open_dev(t, "vfio");
	if (g->container < 0)
		return explain_container(t, g->container, err);
	version = c->ioctl(g->container, VFIO_GET_API_VERSION, NULL);
	if (version != VFIO_API_VERSION)
		return dfd_error_set(err, version < 0 ? version : -EPROTO,
				     "%s: /dev/vfio/vfio does not speak version %d of VFIO",
				     t->address, VFIO_API_VERSION);
	if (c->ioctl(g->container, VFIO_CHECK_EXTENSION, (void *)VFIO_TYPE1v2_IOMMU) <= 0)
		return explain_no_type1(t, err);
	return 0;
}

static int open_group(const struct kernel_target *t, struct kernel_group *g, struct dfd_error *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char name[16];
	int ret;

	snprintf(name, sizeof(name), "%u", t->group);
	g->group = open_dev(t, name);
	if (g->group < 0)
		return explain_group(t, g->group, err);
	ret = g->calls->ioctl(g->group, VFIO_GROUP_GET_STATUS, &status);
	if (ret < 0)
		return explain_group(t, ret, err);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return explain_not_viable(t, err);
	return 0;
}

static int join(const struct kernel_target *t, struct kernel_group *g, struct dfd_error *err)
{
	const struct kernel_calls *c = g->calls;
	int ret = c->ioctl(g->group, VFIO_GROUP_SET_CONTAINER, &g->container);

	if (ret == -EPERM)
		return explain_not_viable(t, err);
	if (!ret)
		ret = c->ioctl(g->container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);
	return ret < 0 ? explain_set_iommu(t, ret, err) : 0;
}

static int get_device(const struct kernel_target *t, struct kernel_group *g, struct dfd_error *err)
{
	char name[TARGET_NAME_SIZE];

	snprintf(name, sizeof(name), "%s", t->name);
	g->device = g->calls->ioctl(g->group, VFIO_GROUP_GET_DEVICE_FD, name);
	return g->device < 0 ? explain_device(t, g->device, err) : 0;
}

int group_open(struct kernel_target *t, struct kernel_group *g, struct dfd_error *err)
{
	int ret;

	*g = (struct kernel_group){ t->env->calls, -1, -1, -1 };
	if (group_number(t))
		return explain_no_iommu(t, err);
	ret = t->mediated ? 0 : explain_driver(t, err);
	if (!ret)
		ret = open_container(t, g, err);
	if (!ret)
		ret = open_group(t, g, err);
	if (!ret)
		ret = join(t, g, err);
	if (!ret)
		ret = get_device(t, g, err);
	if (ret)
		group_close(g);
	return ret;
}

void group_close(struct kernel_group *g)
{
	/* The device first: a group with open devices does not leave its container. */
	if (g->device >= 0)
		g->calls->close(g->device);
	if (g->group >= 0)
		g->calls->close(g->group);
	if (g->container >= 0)
		g->calls->close(g->container);
	g->device = g->group = g->container = -1;
}
