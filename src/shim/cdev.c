/* SPDX-License-Identifier: MIT */
/*
 * A device: /dev/vfio/devices/vfioN, which does nothing until it is bound to an iommufd, or an fd
 * that a group has given.
 */
#include <fcntl.h>
#include <string.h>

#include "abi/vfio.h"
#include "shim/ioeventfd.h"
#include "shim/vfio.h"
#include "util/usermem.h"

/* ---- binding ---- */

static int get_bind(struct vfio_device_bind_iommufd *bind, void *arg)
{
	const size_t minsz = offsetof(struct vfio_device_bind_iommufd, token_uuid_ptr);
	int ret = vfio_get(bind, arg, minsz);

	if (ret)
		return ret;
	if (bind->argsz >= sizeof(*bind) && dfd_copy_in(bind, arg, sizeof(*bind)))
		return -EFAULT;
	return vfio_check_tail(arg, sizeof(*bind), bind->argsz);
}

/* Tokens belong to functions with SR-IOV, of which there are none here. */
static int find_iommufd(const struct vfio_object *o, const struct vfio_device_bind_iommufd *bind,
			struct vfio_object **iommufd)
{
	const struct vfio_object *mate;
	uint8_t token[16];
	int ret;

	if (bind->iommufd < 0 || (bind->flags & ~VFIO_DEVICE_BIND_FLAG_TOKEN) || o->by_group)
		return -EINVAL;
	if (bind->flags &&
	    dfd_copy_in(token, (const void *)(uintptr_t)bind->token_uuid_ptr, sizeof(token)))
		return -EFAULT;
	vfio_sweep();
	if (vfio_is_open(VFIO_GROUP, o->mount->device, NULL))
		return -EBUSY;
	if (o->bound)
		return -EINVAL;
	ret = vfio_object_of(bind->iommufd, iommufd);
	if (ret)
		return ret;
	if ((*iommufd)->kind != VFIO_IOMMUFD)
		return -EBADFD;
	if (bind->flags || vfio_is_open(VFIO_DEVICE, o->mount, o))
		return -EINVAL;
	/* All devices of a group belong to one owner. */
	mate = vfio_next_of_group(o->mount->device, NULL);
	return mate && mate->parent != *iommufd ? -EPERM : 0;
}

static int bind_iommufd(struct vfio_object *o, void *arg)
{
	struct vfio_device_bind_iommufd bind = { 0 };
	struct vfio_object *iommufd;
	int ret = get_bind(&bind, arg);

	if (!ret)
		ret = find_iommufd(o, &bind, &iommufd);
	if (ret)
		return ret;
	ret = iommufd_bind(iommufd, &bind.out_devid);
	if (ret)
		return ret;
	if (dfd_copy_out((char *)arg + offsetof(struct vfio_device_bind_iommufd, out_devid),
			 &bind.out_devid, sizeof(bind.out_devid))) {
		iommufd_unbind(iommufd, bind.out_devid);
		return -EFAULT;
	}
	core_taken(o->mount);
	vfio_hold(o, iommufd);
	o->devid = bind.out_devid;
	o->bound = true;
	return 0;
}

/* ---- attaching ---- */

/* The iommufd that a device is in, by itself or by its group; NULL for one in a container. */
static struct vfio_object *iommufd_of(const struct vfio_object *o)
{
	struct vfio_object *parent = o->by_group ? o->parent->parent : o->parent;

	return parent && parent->kind == VFIO_IOMMUFD ? parent : NULL;
}

static int attach_pt(struct vfio_object *o, void *arg)
{
	struct vfio_device_attach_iommufd_pt attach = { 0 };
	int ret = vfio_get(&attach, arg, VFIO_DEVICE_ATTACH_SIZE);

	if (ret)
		return ret;
	if (attach.flags & ~VFIO_DEVICE_ATTACH_PASID)
		return -EINVAL;
	if (attach.flags)
		return -EINVAL;
	ret = iommufd_attach(o->parent, o, &attach.pt_id);
	if (ret)
		return ret;
	return dfd_copy_out((char *)arg + offsetof(struct vfio_device_attach_iommufd_pt, pt_id),
			    &attach.pt_id, sizeof(attach.pt_id));
}

static int detach_pt(struct vfio_object *o, void *arg)
{
	struct vfio_device_detach_iommufd_pt arg_in = { 0 };
	int ret = vfio_get(&arg_in, arg, VFIO_DEVICE_DETACH_SIZE);

	if (ret)
		return ret;
	if (arg_in.flags & ~VFIO_DEVICE_DETACH_PASID)
		return -EINVAL;
	/* No device here is attached for one PASID. */
	if (arg_in.flags)
		return arg_in.argsz < sizeof(arg_in) ? -EINVAL : 0;
	iommufd_detach(o->parent, o);
	return 0;
}

int cdev_ioctl(struct vfio_object *o, uint32_t request, void *arg)
{
	if (request == VFIO_DEVICE_BIND_IOMMUFD)
		return bind_iommufd(o, arg);
	if (!o->bound)
		return -EINVAL;
	if (!o->by_group && request == VFIO_DEVICE_ATTACH_IOMMUFD_PT)
		return attach_pt(o, arg);
	if (!o->by_group && request == VFIO_DEVICE_DETACH_IOMMUFD_PT)
		return detach_pt(o, arg);
	if (request == VFIO_DEVICE_GET_PCI_HOT_RESET_INFO)
		return hot_reset_info(o, arg);
	if (request == VFIO_DEVICE_PCI_HOT_RESET)
		return hot_reset(o, arg);
	if (request == VFIO_DEVICE_IOEVENTFD)
		return ioeventfd_ioctl(o->mount, arg);
	return -ENODATA;
}

void cdev_release(struct vfio_object *o)
{
	struct vfio_object *iommufd;

	if (!o->bound || vfio_is_open(VFIO_DEVICE, o->mount, o))
		return;
	if (!core_lock(o->mount)) {
		ioeventfd_release(o->mount);
		core_released(o->mount);
		core_unlock(o->mount);
	}
	iommufd = iommufd_of(o);
	if (iommufd) {
		iommufd_detach(iommufd, o);
		iommufd_unbind(iommufd, o->devid);
	} else if (o->attached) {
		shim_space_detach(o->attached, o->mount);
	}
}
