/* SPDX-License-Identifier: MIT */
/*
 * Opening a device by the interface that there is.
 *
 * Theory of operation: a device with a file of its own is opened by that, together with an iommufd,
 * and otherwise by its group. What the kernel has not, or what this user may not use, is passed
 * over as long as there is another way. A group that is in use in this process stays with its way:
 * the kernel does not mix them. Use without an IOMMU gives the device all of memory, so it is never
 * taken unless it was asked for.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "abi/vfio.h"
#include "kernel/explain.h"
#include "kernel/link.h"
#include "kernel/root.h"

static struct kernel_link *links; /* guarded by spaces_lock() */

static bool is_open(const struct kernel_target *t)
{
	for (const struct kernel_link *l = links; l && t->name[0]; l = l->next) {
		if (l->calls == t->env->calls && !strcmp(l->name, t->name))
			return true;
	}
	return false;
}

static void give_up(struct kernel_link *link)
{
	/* The device first: a group with open devices does not leave its container. */
	if (link->device >= 0)
		link->calls->close(link->device);
	if (link->space)
		space_put(link->space, link);
	link->device = -1;
	link->space = NULL;
}

/* ---- choosing ---- */

/*
 * The kernel makes such a group, or such a file, for a device that has no IOMMU. The name of the
 * group does not tell: mediated devices have one of that name, too.
 */
bool link_without_iommu(const struct kernel_target *t)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/vfio/noiommu-%d", t->group);
	if (t->group >= 0 && root_exists(t->env->root, path))
		return true;
	return cdev_file(t, path, sizeof(path)) && strstr(path, "/noiommu-");
}

static bool group_file(const struct kernel_target *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%d", t->group);
	return t->group >= 0 && root_exists(t->env->root, path);
}

static bool can_cdev(const struct kernel_target *t, bool noiommu)
{
	char path[PATH_MAX];

	return cdev_file(t, path, sizeof(path)) && !strstr(path, "/noiommu-") == !noiommu &&
	       (t->options.iommufd >= 0 || root_exists(t->env->root, "/dev/iommu"));
}

/*
 * Is what keeps the device's own file from being used a matter of this interface alone? Older
 * kernels take a token by the group only.
 */
static bool goes_otherwise(const struct kernel_target *t, int ret)
{
	return ret == -ENOENT || ret == -ENODEV || ret == -ENXIO || ret == -EACCES ||
	       ret == -EPERM || (ret == -EINVAL && t->options.token[0]);
}

static int open_any(const struct kernel_target *t, struct kernel_link *link, struct dfd_error *err)
{
	const struct space *s = space_find(t);
	int ret;

	if (s ? s->via == VIA_GROUP : !can_cdev(t, false))
		return group_open(t, VIA_GROUP, link, err);
	ret = cdev_open(t, VIA_CDEV, false, link, err);
	if (s || !goes_otherwise(t, ret) || !group_file(t))
		return ret;
	give_up(link);
	return group_open(t, VIA_GROUP, link, err);
}

static int open_noiommu(const struct kernel_target *t, struct kernel_link *link,
			struct dfd_error *err)
{
	if (can_cdev(t, true))
		return cdev_open(t, VIA_NOIOMMU, false, link, err);
	return group_open(t, VIA_NOIOMMU, link, err);
}

bool link_by_file(const struct kernel_target *t)
{
	switch (t->options.via) {
	case VIA_CDEV:
		return true;
	case VIA_GROUP:
		return false;
	case VIA_NOIOMMU:
		return can_cdev(t, true);
	case VIA_ANY:
		break;
	}
	return can_cdev(t, false);
}

int link_check_iommu(const struct kernel_target *t, struct dfd_error *err)
{
	bool noiommu = t->options.via == VIA_NOIOMMU, fake = link_without_iommu(t);

	if (!noiommu && t->group < 0 && !can_cdev(t, false))
		return explain_no_iommu(t, err);
	if (noiommu && !fake)
		return t->group < 0 && t->driver ? explain_noiommu_off(t, err)
						 : explain_has_iommu(t, err);
	return !noiommu && fake ? explain_only_noiommu(t, err) : 0;
}

/* What sysfs tells before anything is opened. A driver of VFIO has what is without an IOMMU. */
static int check(const struct kernel_target *t, struct dfd_error *err)
{
	char path[PATH_MAX];
	int ret;

	if (is_open(t))
		return explain_twice(t, err);
	ret = link_check_iommu(t, err);
	if (!ret && t->driver)
		ret = explain_driver(t, err);
	if (ret)
		return ret;
	if (t->options.via == VIA_CDEV && !cdev_file(t, path, sizeof(path)))
		return explain_no_cdev(t, err);
	return 0;
}

static int open_path(const struct kernel_target *t, struct kernel_link *link, struct dfd_error *err)
{
	int ret = check(t, err);

	if (ret)
		return ret;
	switch (t->options.via) {
	case VIA_CDEV:
		return cdev_open(t, VIA_CDEV, false, link, err);
	case VIA_GROUP:
		return group_open(t, VIA_GROUP, link, err);
	case VIA_NOIOMMU:
		return open_noiommu(t, link, err);
	case VIA_ANY:
		break;
	}
	return open_any(t, link, err);
}

/*
 * An fd that answers was opened by a group, or bound to the iommufd of somebody else: without that
 * iommufd nothing can be mapped for it. One that does not answer waits to be bound.
 */
static int open_fd(struct kernel_target *t, struct kernel_link *link, struct dfd_error *err)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	enum kernel_via via =
		link_without_iommu(t) || t->options.via == VIA_NOIOMMU ? VIA_NOIOMMU : VIA_CDEV;
	bool bound = !link->calls->ioctl(t->fd, VFIO_DEVICE_GET_INFO, &info);

	link->device = t->fd;
	t->fd = -1;
	if (bound && t->options.iommufd < 0)
		return 0;
	return cdev_open(t, via, bound, link, err);
}

static int learn(const struct kernel_target *t, struct space *s, struct dfd_error *err)
{
	int ret;

	if (!s || !s->ops)
		return 0;
	pthread_mutex_lock(&s->lock);
	ret = s->ops->learn(s);
	s->low = s->page;
	pthread_mutex_unlock(&s->lock);
	if (ret)
		return dfd_error_set(err, ret, "%s: asking the IOMMU what it can map: %s",
				     t->address, strerror(-ret));
	return 0;
}

int link_open(struct kernel_target *t, struct kernel_link *link, struct dfd_error *err)
{
	int ret;

	*link = (struct kernel_link){ .calls = t->env->calls, .device = -1 };
	spaces_lock();
	ret = t->fd >= 0 ? open_fd(t, link, err) : open_path(t, link, err);
	if (!ret)
		ret = learn(t, link->space, err);
	if (!ret) {
		memcpy(link->name, t->name, sizeof(link->name));
		link->next = links;
		links = link;
	} else {
		give_up(link);
	}
	spaces_unlock();
	return ret;
}

void link_close(struct kernel_link *link)
{
	struct kernel_link **at = &links;

	spaces_lock();
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	give_up(link);
	spaces_unlock();
}
