/* SPDX-License-Identifier: MIT */
/* /dev/vfio/N: what an IOMMU can tell apart; here the functions of a slot. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "abi/vfio.h"
#include "shim/vfio.h"
#include "util/usermem.h"

#define MAX_NAME 4096

/* The address space of the group, NULL without one. */
static struct shim_space *space_of(const struct vfio_object *o)
{
	if (!o->parent)
		return NULL;
	return o->parent->kind == VFIO_CONTAINER ? o->parent->space : iommufd_compat(o->parent);
}

static int get_status(const struct vfio_object *o, void *arg)
{
	struct vfio_group_status status = { 0 };
	int ret = vfio_get(&status, arg, sizeof(status));

	if (ret)
		return ret;
	status.flags = VFIO_GROUP_FLAGS_VIABLE;
	if (o->parent)
		status.flags |= VFIO_GROUP_FLAGS_CONTAINER_SET;
	return dfd_copy_out(arg, &status, sizeof(status));
}

static int set_container(struct vfio_object *o, const void *arg)
{
	struct vfio_object *to;
	int32_t fd;
	int ret;

	if (dfd_copy_in(&fd, arg, sizeof(fd)))
		return -EFAULT;
	ret = vfio_object_of(fd, &to);
	if (ret == -EBADF)
		return ret;
	if (o->parent)
		return -EINVAL;
	if (ret || (to->kind != VFIO_CONTAINER && to->kind != VFIO_IOMMUFD))
		return ret ? ret : -EBADFD;
	if (to->kind == VFIO_IOMMUFD && iommufd_make_compat(to))
		return -ENOMEM;
	vfio_hold(o, to);
	return 0;
}

void group_leave(struct vfio_object *o)
{
	if (!o->parent)
		return;
	if (o->parent->kind == VFIO_CONTAINER)
		container_left(o->parent);
	vfio_hold(o, NULL);
}

static int unset_container(struct vfio_object *o)
{
	if (!o->parent)
		return -EINVAL;
	if (o->holders)
		return -EBUSY;
	group_leave(o);
	return 0;
}

/* ---- the device ---- */

/* A string of the program. Return: 0, -EFAULT, or -EINVAL when it is too long */
static int copy_name(char *to, const char *user)
{
	for (size_t i = 0; i < MAX_NAME; i++) {
		if (dfd_copy_in(to + i, user + i, 1))
			return -EFAULT;
		if (!to[i])
			return 0;
	}
	return -EINVAL;
}

/* Behind the name there may be a token, which only functions with SR-IOV have. */
static int check_name(const struct shim_mount *m, const char *name)
{
	size_t len = strlen(m->name);

	if (strncmp(name, m->name, len) != 0 || (name[len] && name[len] != ' '))
		return -ENODEV;
	return strspn(name + len, " ") == strlen(name + len) ? 0 : -EINVAL;
}

static int find_device(const struct shim_mount *group, const char *name, struct shim_mount **m)
{
	int ret = -ENODEV;

	for (uint32_t i = 1; ret == -ENODEV && (*m = shim_mount_number(i)); i++) {
		if ((*m)->node == SHIM_CDEV && (*m)->device == group)
			ret = check_name(*m, name);
	}
	return ret;
}

/* The first fd of a device attaches it, and the others go along. */
static int attach(struct vfio_object *device, struct vfio_object *to)
{
	const struct vfio_object *first = vfio_in_use(device->mount);
	uint32_t id;
	int ret;

	if (first) {
		device->attached = first->attached;
		device->hwpt = first->hwpt;
		device->devid = first->devid;
		return 0;
	}
	core_taken(device->mount);
	if (to->kind == VFIO_CONTAINER) {
		device->attached = to->space;
		return shim_space_attach(to->space, device->mount);
	}
	ret = iommufd_bind(to, &device->devid);
	if (ret)
		return ret;
	id = iommufd_compat_id(to);
	ret = iommufd_attach(to, device, &id);
	if (ret)
		iommufd_unbind(to, device->devid);
	return ret;
}

static int open_device(struct vfio_object *o, struct shim_mount *m)
{
	struct vfio_object *device = vfio_object_new(VFIO_DEVICE, m);
	int ret;

	if (!device)
		return -ENOMEM;
	device->by_group = true;
	ret = attach(device, o->parent);
	if (ret) {
		device->kind = VFIO_FREE;
		return ret;
	}
	device->bound = true;
	vfio_hold(device, o);
	return vfio_object_fd(device, O_RDWR | O_CLOEXEC);
}

static int get_device_fd(struct vfio_object *o, const char *user)
{
	char name[MAX_NAME];
	struct shim_mount *m;
	int ret = copy_name(name, user);

	if (!ret)
		ret = find_device(o->mount, name, &m);
	if (!ret && !space_of(o))
		ret = -EINVAL;
	if (!ret)
		ret = core_lock(m); /* opens it */
	if (ret)
		return ret;
	core_unlock(m);
	return open_device(o, m);
}

int group_ioctl(struct vfio_object *o, uint32_t request, void *arg)
{
	vfio_sweep();
	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		return get_status(o, arg);
	case VFIO_GROUP_SET_CONTAINER:
		return set_container(o, arg);
	case VFIO_GROUP_UNSET_CONTAINER:
		return unset_container(o);
	case VFIO_GROUP_GET_DEVICE_FD:
		return get_device_fd(o, arg);
	default:
		return -ENOTTY;
	}
}
