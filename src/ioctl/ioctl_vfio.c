/* SPDX-License-Identifier: MIT */
/*
 * Today's VFIO device ioctls, provider side, with the kernel's rules.
 *
 * An argument starts with argsz, how much the caller has room for. Less than the first version of
 * the struct is -EINVAL; more is fine. Capabilities follow the struct as a chain; where they do not
 * fit the call succeeds, argsz says how much is needed and there is no chain.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <devfd/display.h>

#include "abi/vfio.h"
#include "device/device.h"
#include "ioctl/ioctl.h"
#include "util/usermem.h"

/* What the kernel's first version of struct vfio_device_info ended with. */
#define DEVICE_INFO_MINSZ offsetof(struct vfio_device_info, cap_offset)
/* No feature has a larger fixed body; a caller may have room for more. */
#define MAX_FEATURE_BODY 4096u

/* Copy in a struct that starts with argsz, which must reach @minsz. */
static int get_struct(void *to, const void *user, size_t minsz)
{
	uint32_t argsz;

	if (dfd_copy_in(to, user, minsz))
		return -EFAULT;
	memcpy(&argsz, to, sizeof(argsz));
	return argsz < minsz ? -EINVAL : 0;
}

/* ---- capability chains ---- */

/* A chain being laid out: @buf NULL only measures. */
struct chain {
	uint8_t *buf;
	uint32_t start; /* size of the struct in front */
	uint32_t len;	/* bytes of the chain so far, a multiple of 8 */
	uint32_t last;	/* where in @buf the last header is */
};

static void chain_add(struct chain *c, uint16_t id, uint16_t version, const void *head,
		      uint32_t head_len, const void *body, uint32_t body_len)
{
	struct vfio_info_cap_header header = { .id = id, .version = version };
	uint32_t total = (uint32_t)sizeof(header) + head_len + body_len;

	if (c->buf) {
		uint32_t here = c->start + c->len;

		if (c->len)
			memcpy(c->buf + c->last + offsetof(struct vfio_info_cap_header, next),
			       &here, sizeof(here));
		memcpy(c->buf + c->len, &header, sizeof(header));
		if (head_len)
			memcpy(c->buf + c->len + sizeof(header), head, head_len);
		if (body_len)
			memcpy(c->buf + c->len + sizeof(header) + head_len, body, body_len);
	}
	c->last = c->len;
	c->len += (total + 7) & ~UINT32_C(7);
}

static void chain_caps(struct chain *c, const struct dfd_cap *caps, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		chain_add(c, caps[i].id, caps[i].version, NULL, 0, caps[i].data, caps[i].size);
}

/* Of a region: mappable areas first, then what the description passes through. */
static void chain_fill(struct chain *c, const struct dfd_desc *desc,
		       const struct dfd_region *region)
{
	const uint32_t head[2] = { region ? region->num_areas : 0, 0 };
	const struct dfd_cap *caps;
	uint32_t count;

	c->len = 0;
	if (head[0])
		chain_add(c, VFIO_REGION_INFO_CAP_SPARSE_MMAP, 1, head, sizeof(head), region->areas,
			  head[0] * (uint32_t)sizeof(*region->areas));
	if (region) {
		chain_caps(c, region->caps, region->num_caps);
	} else {
		caps = dfd_desc_caps(desc, &count);
		chain_caps(c, caps, count);
	}
}

/*
 * Hand out the chain of @region, or of the device where that is NULL, behind a struct of @start
 * bytes; the caller copies that one out afterwards. Return: 1, 0 where there is no chain, -errno
 */
static int put_chain(const struct dfd_desc *desc, const struct dfd_region *region, uint32_t start,
		     void *user, uint32_t *argsz, uint32_t *cap_offset)
{
	struct chain c = { .start = start };
	int ret;

	*cap_offset = 0;
	chain_fill(&c, desc, region);
	if (!c.len)
		return 0;
	if (*argsz < start + c.len) {
		*argsz = start + c.len;
		return 1;
	}
	c.buf = calloc(1, c.len);
	if (!c.buf)
		return -ENOMEM;
	chain_fill(&c, desc, region);
	ret = dfd_copy_out((char *)user + start, c.buf, c.len);
	free(c.buf);
	*cap_offset = start;
	return ret ? ret : 1;
}

_Static_assert(sizeof(struct dfd_area) == sizeof(struct vfio_region_sparse_mmap_area) &&
		       offsetof(struct dfd_area, size) ==
			       offsetof(struct vfio_region_sparse_mmap_area, size),
	       "areas are copied as they are");

/* ---- description ---- */

static int get_info(struct dfd_device *dev, void *user)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	struct vfio_device_info info = { 0 };
	uint32_t size = sizeof(info);
	int ret = get_struct(&info, user, DEVICE_INFO_MINSZ);

	if (ret)
		return ret;
	if (info.argsz < size)
		size = info.argsz;
	info.flags = 0;
	if (dfd_desc_flags(desc) & DFD_DEVICE_RESET)
		info.flags |= VFIO_DEVICE_FLAGS_RESET;
	if (dfd_desc_flags(desc) & DFD_DEVICE_PCI)
		info.flags |= VFIO_DEVICE_FLAGS_PCI;
	if (dfd_desc_flags(desc) & DFD_DEVICE_DT)
		info.flags |= VFIO_DEVICE_FLAGS_PLATFORM;
	info.num_regions = dfd_desc_region_limit(desc);
	info.num_irqs = dfd_desc_irq_limit(desc);
	ret = put_chain(desc, NULL, sizeof(info), user, &info.argsz, &info.cap_offset);
	if (ret < 0)
		return ret;
	if (ret)
		info.flags |= VFIO_DEVICE_FLAGS_CAPS;
	return dfd_copy_out(user, &info, size);
}

static uint32_t region_flags(const struct dfd_region *region)
{
	uint32_t flags = VFIO_REGION_INFO_FLAG_READ;

	if (!(region->flags & DFD_REGION_READ_ONLY))
		flags |= VFIO_REGION_INFO_FLAG_WRITE;
	if (region->flags & DFD_REGION_MAPPABLE)
		flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return flags;
}

static int get_region_info(struct dfd_device *dev, void *user)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	struct vfio_region_info info = { 0 };
	const struct dfd_region *region;
	int ret = get_struct(&info, user, sizeof(info));

	if (ret)
		return ret;
	if (info.index >= dfd_desc_region_limit(desc))
		return -EINVAL;
	region = dfd_desc_region(desc, info.index);
	/* As vfio-pci: only the fixed regions can be there with a size of 0. */
	if (!region && dfd_desc_bus(desc) == DFD_BUS_PCI && info.index > DFD_PCI_CONFIG)
		return -EINVAL;
	info = (struct vfio_region_info){ .argsz = info.argsz, .index = info.index };
	if (region) {
		info.flags = region_flags(region);
		info.size = region->size;
		info.offset = region->offset;
		ret = put_chain(desc, region, sizeof(info), user, &info.argsz, &info.cap_offset);
		if (ret < 0)
			return ret;
		if (ret)
			info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
	}
	return dfd_copy_out(user, &info, sizeof(info));
}

/*
 * A message interrupt must be switched off before it can have more vectors. As vfio-pci, what an
 * index of PCI can do is told even where the function has none of it.
 */
static uint32_t irq_flags(const struct dfd_desc *desc, uint32_t index)
{
	const struct dfd_irq *irq = dfd_desc_irq(desc, index);
	const bool pci = dfd_desc_bus(desc) == DFD_BUS_PCI;
	uint32_t flags = VFIO_IRQ_INFO_EVENTFD;

	if (!pci && !dfd_desc_vectors(desc, index))
		return 0;
	if (!irq && pci && index == DFD_PCI_INTX)
		return flags | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	if (!irq)
		return flags | VFIO_IRQ_INFO_NORESIZE;
	if (irq->flags & DFD_IRQ_MASKABLE)
		flags |= VFIO_IRQ_INFO_MASKABLE;
	if (irq->flags & DFD_IRQ_LEVEL)
		flags |= VFIO_IRQ_INFO_AUTOMASKED;
	return flags;
}

static int get_irq_info(struct dfd_device *dev, void *user)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	struct vfio_irq_info info = { 0 };
	int ret = get_struct(&info, user, sizeof(info));

	if (ret)
		return ret;
	if (info.index >= dfd_desc_irq_limit(desc))
		return -EINVAL;
	info.flags = irq_flags(desc, info.index);
	info.count = dfd_desc_vectors(desc, info.index);
	return dfd_copy_out(user, &info, sizeof(info));
}

/* ---- interrupts ---- */

/* Bytes of data for each vector, or -EINVAL when there is not exactly one kind of data. */
static int data_size(uint32_t flags)
{
	switch (flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		return 0;
	case VFIO_IRQ_SET_DATA_BOOL:
		return sizeof(uint8_t);
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return sizeof(int32_t);
	default:
		return -EINVAL;
	}
}

/* Everything that the kernel checks before it looks at the data. Return: bytes of data */
static int check_set(const struct dfd_desc *desc, const struct vfio_irq_set *set)
{
	uint32_t vectors = dfd_desc_vectors(desc, set->index);
	int size = data_size(set->flags);

	if (set->flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK))
		return -EINVAL;
	if (size < 0 || set->start >= vectors || set->count > vectors - set->start)
		return -EINVAL;
	if ((uint64_t)set->argsz - sizeof(*set) < (uint64_t)set->count * (uint32_t)size)
		return -EINVAL;
	return (int)set->count * size;
}

/* Not every index has every action, and no index has two at once. */
static bool has_action(const struct dfd_desc *desc, const struct vfio_irq_set *set)
{
	bool wired = dfd_desc_irq(desc, set->index);

	switch (set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_TRIGGER:
		return true;
	case VFIO_IRQ_SET_ACTION_UNMASK:
		return wired;
	case VFIO_IRQ_SET_ACTION_MASK:
		return wired && !(set->flags & VFIO_IRQ_SET_DATA_EVENTFD);
	default:
		return false;
	}
}

static int set_irqs(struct dfd_device *dev, void *user)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	union {
		int32_t fds[DFD_MAX_IRQ_COUNT];
		uint8_t bools[DFD_MAX_IRQ_COUNT];
	} data;
	struct vfio_irq_set set = { 0 };
	int size, ret = get_struct(&set, user, sizeof(set));

	if (ret)
		return ret;
	size = check_set(desc, &set);
	if (size < 0)
		return size;
	if (size && dfd_copy_in(&data, (const char *)user + sizeof(set), (size_t)size))
		return -EFAULT;
	if (!has_action(desc, &set))
		return -ENOTTY;
	if (set.flags & VFIO_IRQ_SET_DATA_EVENTFD)
		ret = ioctl_take_eventfds(data.fds, set.count);
	if (ret)
		return ret;
	ret = dfd_set_irqs(dev, &(struct dfd_irq_set){ .flags = set.flags,
						       .index = set.index,
						       .start = set.start,
						       .count = set.count,
						       .fds = data.fds,
						       .bools = data.bools });
	if (set.flags & VFIO_IRQ_SET_DATA_EVENTFD)
		ioctl_drop_eventfds(data.fds, set.count);
	return ret;
}

_Static_assert(VFIO_IRQ_SET_DATA_EVENTFD == DFD_IRQ_DATA_EVENTFD &&
		       VFIO_IRQ_SET_ACTION_TRIGGER == DFD_IRQ_ACTION_TRIGGER,
	       "flags are passed on");

/* ---- the rest ---- */

static int reset(struct dfd_device *dev, void *user)
{
	(void)user;
	return dfd_device_reset(dev);
}

/* Addresses and fds in the body of a feature are taken for those of this process. */
static bool may_ask(uint32_t flags)
{
	return dfd_user_pid() == getpid() || device_feature_is_plain(flags);
}

static int feature(struct dfd_device *dev, void *user)
{
	const uint32_t directions = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
	char *body;
	struct vfio_device_feature head = { 0 };
	uint8_t data[MAX_FEATURE_BODY];
	uint32_t len;
	int ret = get_struct(&head, user, sizeof(head));

	if (ret)
		return ret;
	if (head.flags & ~(VFIO_DEVICE_FEATURE_MASK | directions | VFIO_DEVICE_FEATURE_PROBE))
		return -EINVAL;
	if (!may_ask(head.flags))
		return -ENOTTY;
	if (head.flags & VFIO_DEVICE_FEATURE_PROBE)
		return dfd_device_feature(dev, head.flags, NULL, 0);
	if ((head.flags & directions) == directions)
		return -EINVAL;
	body = (char *)user + sizeof(head);
	len = head.argsz - (uint32_t)sizeof(head);
	if (len > sizeof(data))
		len = sizeof(data);
	if (len && dfd_copy_in(data, body, len))
		return -EFAULT;
	ret = dfd_device_feature(dev, head.flags, data, len);
	if (ret >= 0 && len && (head.flags & VFIO_DEVICE_FEATURE_GET))
		return dfd_copy_out(body, data, len) ? -EFAULT : ret;
	return ret;
}

/* ---- planes of a display ---- */

static void put_plane(struct vfio_device_gfx_plane_info *info, const struct dfd_plane *p)
{
	info->drm_format = p->format;
	info->drm_format_mod = p->modifier;
	info->width = p->width;
	info->height = p->height;
	info->stride = p->stride;
	info->size = p->size;
	info->x_pos = p->x;
	info->y_pos = p->y;
	info->x_hot = p->hot_x;
	info->y_hot = p->hot_y;
	info->where = p->where;
}

static int query_plane(struct dfd_device *dev, void *user)
{
	const size_t minsz = offsetof(struct vfio_device_gfx_plane_info, reserved);
	struct vfio_device_gfx_plane_info info = { 0 };
	struct dfd_plane plane = { 0 };
	int ret;

	if (!DEVICE_HAS(dev, plane))
		return -ENOTTY;
	ret = get_struct(&info, user, minsz);
	if (ret)
		return ret;
	if (info.flags & VFIO_GFX_PLANE_TYPE_PROBE)
		return dfd_plane_probe(dev, info.flags & ~VFIO_GFX_PLANE_TYPE_PROBE);
	ret = dfd_plane_get(dev, info.flags, info.drm_plane_type, &plane);
	if (ret)
		return ret;
	put_plane(&info, &plane);
	return dfd_copy_out(user, &info, minsz);
}

/* Return: a new fd of this process */
static int get_dmabuf(struct dfd_device *dev, void *user)
{
	uint32_t where;

	if (!DEVICE_HAS(dev, plane_dmabuf))
		return -ENOTTY;
	return dfd_copy_in(&where, user, sizeof(where)) ? -EFAULT : dfd_plane_dmabuf(dev, where);
}

/* ---- dispatch ---- */

static const struct call {
	uint32_t request;
	int (*handle)(struct dfd_device *dev, void *user);
} calls[] = {
	{ VFIO_DEVICE_GET_INFO, get_info },
	{ VFIO_DEVICE_GET_REGION_INFO, get_region_info },
	{ VFIO_DEVICE_GET_IRQ_INFO, get_irq_info },
	{ VFIO_DEVICE_SET_IRQS, set_irqs },
	{ VFIO_DEVICE_RESET, reset },
	{ VFIO_DEVICE_FEATURE, feature },
	{ VFIO_DEVICE_QUERY_GFX_PLANE, query_plane },
	{ VFIO_DEVICE_GET_GFX_DMABUF, get_dmabuf },
};

int dfd_ioctl_vfio(struct dfd_device *dev, uint32_t request, void *user)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (calls[i].request == request)
			return calls[i].handle(dev, user);
	}
	return -ENOTTY;
}
