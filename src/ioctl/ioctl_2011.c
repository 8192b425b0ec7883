/* SPDX-License-Identifier: MIT */
/*
 * The ioctls of 2011, provider side.
 *
 * Theory of operation: the number of a request says how large its argument is and which way it
 * goes. So one place copies arguments in and answers out, and a handler sees a checked copy. The
 * one number that 2011 and today share, VFIO_DEVICE_RESET, is in ioctl_vfio.c.
 */
#include <errno.h>
#include <string.h>

#include <devfd/ioctl.h>

#include "ioctl/ioctl.h"
#include "util/usermem.h"

/** struct argument - a copy of what the caller's pointer @user points to */
struct argument {
	union {
		uint64_t num;
		uint32_t id;
		int32_t word;
		int32_t pair[2];
		struct vfio_device_dtpath path;
		struct vfio_device_dtindex dt;
	};
	const void *user;
};

_Static_assert(sizeof(struct vfio_device_dtpath) == 24, "the same on 32 and 64 bit");
_Static_assert(sizeof(struct vfio_device_dtindex) == 16, "the same on 32 and 64 bit");

/* ---- what the device is ---- */

static int get_flags(struct dfd_device *dev, struct argument *arg)
{
	arg->num = dfd_desc_flags(dfd_device_desc(dev));
	return 0;
}

static int check_extension(struct dfd_device *dev, struct argument *arg)
{
	return dfd_check_extension(dev, arg->id);
}

static int get_num_irqs(struct dfd_device *dev, struct argument *arg)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);

	if (dfd_desc_bus(desc) == DFD_BUS_PCI)
		arg->word = (int32_t)dfd_desc_vectors(desc, DFD_PCI_INTX);
	else
		arg->word = (int32_t)dfd_desc_irq_limit(desc);
	return 0;
}

/* ---- regions ---- */

/* On PCI a fixed number, whatever else the device has. */
static uint32_t num_regions(const struct dfd_desc *desc)
{
	return dfd_desc_bus(desc) == DFD_BUS_PCI ? DFD_PCI_CONFIG + 1 : dfd_desc_region_limit(desc);
}

/* The region of an index, NULL for one of length zero. */
static int find_region(struct dfd_device *dev, uint64_t index, const struct dfd_region **region)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);

	if (index >= num_regions(desc))
		return -EINVAL;
	*region = dfd_desc_region(desc, (uint32_t)index);
	return 0;
}

static int get_num_regions(struct dfd_device *dev, struct argument *arg)
{
	arg->word = (int32_t)num_regions(dfd_device_desc(dev));
	return 0;
}

static int get_region_len(struct dfd_device *dev, struct argument *arg)
{
	const struct dfd_region *region;
	int ret = find_region(dev, arg->num, &region);

	if (!ret)
		arg->num = region ? region->size : 0;
	return ret;
}

static int get_region_flags(struct dfd_device *dev, struct argument *arg)
{
	const struct dfd_region *region;
	int ret = find_region(dev, arg->num, &region);

	if (!ret)
		arg->num = region ? region->flags : 0;
	return ret;
}

static int get_region_offset(struct dfd_device *dev, struct argument *arg)
{
	const struct dfd_region *region;
	int ret = find_region(dev, arg->num, &region);

	if (!ret)
		arg->num = region ? region->offset : 0;
	return ret;
}

static int get_region_phys_addr(struct dfd_device *dev, struct argument *arg)
{
	const struct dfd_region *region;
	int ret = find_region(dev, arg->num, &region);

	if (ret)
		return ret;
	if (dfd_desc_bus(dfd_device_desc(dev)) == DFD_BUS_PCI || !region || !region->has_phys)
		return -EINVAL;
	arg->num = region->phys_addr;
	return 0;
}

/* ---- place in the device tree ---- */

/* The node of a region or an interrupt. A region of length zero has none. */
static int find_node(struct dfd_device *dev, uint32_t type, uint32_t index,
		     const struct dfd_dt_ref **dt)
{
	const struct dfd_region *region;
	const struct dfd_irq *irq;
	int ret;

	if (type == VFIO_DEVICE_DT_REGION) {
		ret = find_region(dev, index, &region);
		if (ret)
			return ret;
		*dt = region ? &region->dt : NULL;
	} else if (type == VFIO_DEVICE_DT_IRQ) {
		irq = dfd_desc_irq(dfd_device_desc(dev), index);
		if (!irq)
			return -EINVAL;
		*dt = &irq->dt;
	} else {
		return -EINVAL;
	}
	return *dt && (*dt)->path ? 0 : -ENOENT;
}

static int get_dtpath(struct dfd_device *dev, struct argument *arg)
{
	struct vfio_device_dtpath *path = &arg->path;
	uint32_t room = path->buf_len, size;
	const struct dfd_dt_ref *dt;
	int ret;

	if (path->reserved)
		return -EINVAL;
	ret = find_node(dev, path->type, path->index, &dt);
	if (ret)
		return ret;
	size = (uint32_t)strlen(dt->path) + 1;
	path->buf_len = size;
	if (!room)
		return 0;
	if (room < size)
		return -ENOSPC;
	return dfd_copy_out((void *)(uintptr_t)path->buf, dt->path, size);
}

static int get_dtindex(struct dfd_device *dev, struct argument *arg)
{
	const struct dfd_dt_ref *dt;
	int ret = find_node(dev, arg->dt.type, arg->dt.index, &dt);

	if (ret)
		return ret;
	arg->dt.prop_type = dt->prop_type;
	arg->dt.prop_index = dt->prop_index;
	return 0;
}

/* ---- interrupts ---- */

static const struct dfd_irq *find_irq(struct dfd_device *dev, int32_t index)
{
	return index < 0 ? NULL : dfd_desc_irq(dfd_device_desc(dev), (uint32_t)index);
}

/* 2011 knows only -EINVAL, also for what has no unmasking. */
static int set_irqs(struct dfd_device *dev, const struct dfd_irq_set *set)
{
	int ret = dfd_set_irqs(dev, set);

	return ret == -ENOTTY ? -EINVAL : ret;
}

/* Give vectors the caller's eventfds; -1 is none. */
static int route(struct dfd_device *dev, uint32_t action, uint32_t index, int32_t *fds,
		 uint32_t count)
{
	int ret = 0;

	for (uint32_t i = 0; i < count && !ret; i++)
		ret = fds[i] < -1 ? -EINVAL : 0;
	if (ret || ioctl_take_eventfds(fds, count))
		return -EINVAL;
	ret = set_irqs(dev, &(struct dfd_irq_set){ .flags = action | DFD_IRQ_DATA_EVENTFD,
						   .index = index,
						   .count = count,
						   .fds = fds });
	ioctl_drop_eventfds(fds, count);
	return ret;
}

/* Turn an index off altogether, so that another can be used. Off already is as good. */
static int disable(struct dfd_device *dev, uint32_t index)
{
	const struct dfd_irq_set set = {
		.flags = DFD_IRQ_ACTION_TRIGGER | DFD_IRQ_DATA_NONE,
		.index = index,
	};
	int ret = dfd_set_irqs(dev, &set);

	return ret == -EINVAL ? 0 : ret;
}

static int set_irq_eventfd(struct dfd_device *dev, struct argument *arg)
{
	const uint32_t index = (uint32_t)arg->pair[0];

	if (!find_irq(dev, arg->pair[0]))
		return -EINVAL;
	if (arg->pair[1] == -1)
		return disable(dev, index);
	return route(dev, DFD_IRQ_ACTION_TRIGGER, index, &arg->pair[1], 1);
}

static int unmask_irq(struct dfd_device *dev, struct argument *arg)
{
	const struct dfd_irq_set set = {
		.flags = DFD_IRQ_ACTION_UNMASK | DFD_IRQ_DATA_NONE,
		.index = (uint32_t)arg->word,
		.count = 1,
	};

	return find_irq(dev, arg->word) ? set_irqs(dev, &set) : -EINVAL;
}

static int set_unmask_irq_eventfd(struct dfd_device *dev, struct argument *arg)
{
	if (!find_irq(dev, arg->pair[0]))
		return -EINVAL;
	return route(dev, DFD_IRQ_ACTION_UNMASK, (uint32_t)arg->pair[0], &arg->pair[1], 1);
}

/*
 * The whole index is set in one call, vectors past the array to none: the device takes all of it
 * or nothing.
 */
static int set_eventfds(struct dfd_device *dev, uint32_t index, const struct argument *arg)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	const uint32_t count = dfd_desc_vectors(desc, index);
	int32_t fds[DFD_MAX_IRQ_COUNT], n = arg->word;
	int ret;

	if (dfd_desc_bus(desc) != DFD_BUS_PCI || n < 0 || (uint32_t)n > count)
		return -EINVAL;
	if (!n)
		return disable(dev, index);
	memset(fds, 0xff, sizeof(fds));
	ret = dfd_copy_in(fds, (const char *)arg->user + sizeof(n), (size_t)n * sizeof(*fds));
	if (!ret)
		ret = route(dev, DFD_IRQ_ACTION_TRIGGER, index, fds, count);
	/* A positive answer: the machine has no room for so many, and nothing was set. */
	return ret > 0 ? -EINVAL : ret;
}

static int set_msi_eventfds(struct dfd_device *dev, struct argument *arg)
{
	return set_eventfds(dev, DFD_PCI_MSI, arg);
}

static int set_msix_eventfds(struct dfd_device *dev, struct argument *arg)
{
	return set_eventfds(dev, DFD_PCI_MSIX, arg);
}

/* ---- reset ---- */

static int pci_reset(struct dfd_device *dev, struct argument *arg)
{
	uint32_t flags = dfd_desc_flags(dfd_device_desc(dev));

	if (!(flags & DFD_DEVICE_PCI) || !(flags & DFD_DEVICE_RESET))
		return -EINVAL;
	if (arg->word == 1)
		return 0;
	return arg->word ? -EINVAL : dfd_device_reset(dev);
}

/* ---- dispatch ---- */

static const struct call {
	uint32_t request;
	int (*handle)(struct dfd_device *dev, struct argument *arg);
} calls[] = {
	{ VFIO_DEVICE_GET_FLAGS, get_flags },
	{ VFIO_DEVICE_GET_NUM_REGIONS, get_num_regions },
	{ VFIO_DEVICE_GET_REGION_LEN, get_region_len },
	{ VFIO_DEVICE_GET_REGION_FLAGS, get_region_flags },
	{ VFIO_DEVICE_GET_REGION_OFFSET, get_region_offset },
	{ VFIO_DEVICE_GET_REGION_PHYS_ADDR, get_region_phys_addr },
	{ VFIO_DEVICE_GET_NUM_IRQS, get_num_irqs },
	{ VFIO_DEVICE_SET_IRQ_EVENTFD, set_irq_eventfd },
	{ VFIO_DEVICE_UNMASK_IRQ, unmask_irq },
	{ VFIO_DEVICE_SET_UNMASK_IRQ_EVENTFD, set_unmask_irq_eventfd },
	{ VFIO_DEVICE_GET_DTPATH, get_dtpath },
	{ VFIO_DEVICE_GET_DTINDEX, get_dtindex },
	{ VFIO_DEVICE_PCI_RESET, pci_reset },
	{ VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, set_msi_eventfds },
	{ VFIO_DEVICE_PCI_SET_MSIX_EVENTFDS, set_msix_eventfds },
	{ VFIO_DEVICE_CHECK_EXTENSION, check_extension },
};

static const struct call *find_call(uint32_t request)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (calls[i].request == request)
			return &calls[i];
	}
	return NULL;
}

int dfd_ioctl_2011(struct dfd_device *dev, uint32_t request, void *user)
{
	const struct call *call = find_call(request);
	struct argument arg = { .user = user };
	int ret;

	if (!call)
		return -ENOTTY;
	if ((_IOC_DIR(request) & _IOC_WRITE) && dfd_copy_in(&arg, user, _IOC_SIZE(request)))
		return -EFAULT;
	ret = call->handle(dev, &arg);
	/* What did not fit goes with its size; other failures leave the argument alone. */
	if ((ret >= 0 || ret == -ENOSPC) && (_IOC_DIR(request) & _IOC_READ) &&
	    dfd_copy_out(user, &arg, _IOC_SIZE(request)))
		return -EFAULT;
	return ret;
}
