/* SPDX-License-Identifier: MIT */
/*
 * A device through the kernel's VFIO.
 *
 * Theory of operation: the description has every region where the file layout puts it, and each
 * access goes to where the kernel has that region. Interrupts, features and eventfds are the
 * kernel's business and go there unchanged. Nothing here needs a lock but the DMA maps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/provider.h>

#include "abi/vfio.h"
#include "kernel/describe.h"
#include "kernel/display.h"
#include "kernel/explain.h"
#include "kernel/hot_reset.h"
#include "kernel/irqs.h"
#include "kernel/link.h"
#include "kernel/retry.h"
#include "kernel/root.h"
#include "kernel/vfio.h"

#define COMMAND	       4 /* of configuration space */
#define COMMAND_MASTER 4u

/* No feature has a larger body. */
#define MAX_FEATURE_BODY 4096u

/**
 * struct vfio_device - an open device
 * @offsets: where the kernel has each region in the device fd
 */
struct vfio_device {
	struct kernel_env env;
	struct kernel_link link;
	char address[TARGET_NAME_SIZE + 16];
	uint64_t offsets[DFD_MAX_REGION_INDEX + 1];
};

/* ---- regions ---- */

static ssize_t region_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			   size_t len)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return p->env.calls->pread(p->link.device, buf, len, p->offsets[index] + offset);
}

static ssize_t region_write(struct dfd_device *dev, uint32_t index, uint64_t offset,
			    const void *buf, size_t len)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return p->env.calls->pwrite(p->link.device, buf, len, p->offsets[index] + offset);
}

static int region_map(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	*fd = p->link.device;
	*offset = p->offsets[index];
	return 0;
}

/* ---- interrupts ---- */

static bool switches_off(const struct dfd_irq_set *set)
{
	return set->flags == (DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER) && !set->count;
}

static int set_irqs(struct dfd_device *dev, const struct dfd_irq_set *set)
{
	const struct vfio_device *p = dfd_device_priv(dev);
	struct dfd_error why;
	int ret = irqs_set(p->env.calls, p->link.device, set, &why);

	if (why.text[0])
		dfd_device_log(dev, "%s: %s", p->address, why.text);
	if (!ret && switches_off(set) && dfd_desc_bus(dfd_device_desc(dev)) != DFD_BUS_PCI)
		irqs_forget_mask(p->env.calls, p->link.device, set->index);
	return ret;
}

static int irq_flags(struct dfd_device *dev, uint32_t index, uint32_t *flags)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return irqs_flags(p->env.calls, p->link.device, index, flags);
}

/* ---- DMA ---- */

static int dma_map(struct dfd_device *dev, struct dfd_dma_map *map)
{
	struct vfio_device *p = dfd_device_priv(dev);
	int ret = space_map(p->link.space, &p->link, map);
	struct dfd_error why;

	if (ret && map->kind != DFD_DMA_MESSAGE) {
		explain_map(p->env.root, p->link.space, map, ret, &why);
		dfd_device_log(dev, "%s: %s", p->address, why.text);
	}
	return ret;
}

static int dma_unmap(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return space_unmap(p->link.space, &p->link, iova, size, unmapped);
}

static int dma_limits(struct dfd_device *dev, struct dfd_dma_limits *out)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return space_limits(p->link.space, out);
}

static int dirty(struct dfd_device *dev, enum dfd_dirty_op op, uint64_t iova, uint64_t size,
		 uint64_t *bitmap)
{
	const struct vfio_device *p = dfd_device_priv(dev);
	int ret = space_dirty(p->link.space, op, iova, size, bitmap);
	struct dfd_error why;

	if (ret == -EOPNOTSUPP) {
		explain_account(p->link.space, &why);
		dfd_device_log(dev, "%s: %s", p->address, why.text);
	}
	return ret;
}

/* ---- the rest ---- */

/* The kernel restores the command register as it was; the waist promises bus mastering off. */
static int clear_bus_master(struct dfd_device *dev)
{
	uint8_t command[2];
	ssize_t n;

	if (dfd_desc_bus(dfd_device_desc(dev)) != DFD_BUS_PCI)
		return 0;
	n = dfd_region_read(dev, DFD_PCI_CONFIG, COMMAND, command, sizeof(command));
	if (n == sizeof(command)) {
		command[0] &= (uint8_t)~COMMAND_MASTER;
		n = dfd_region_write(dev, DFD_PCI_CONFIG, COMMAND, command, sizeof(command));
	}
	return n < 0 ? (int)n : 0;
}

static int reset(struct dfd_device *dev)
{
	const struct vfio_device *p = dfd_device_priv(dev);
	int ret = kernel_retry(p->env.calls, p->link.device, VFIO_DEVICE_RESET, NULL);

	return ret < 0 ? ret : clear_bus_master(dev);
}

static int vfio_hot_reset_info(struct dfd_device *dev, struct dfd_hot_reset **out,
			       struct dfd_error *err)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return hot_reset_info(&p->env, &p->link, out, err);
}

static int vfio_hot_reset(struct dfd_device *dev, struct dfd_error *err)
{
	const struct vfio_device *p = dfd_device_priv(dev);
	int ret = hot_reset(&p->env, &p->link, err);

	return ret ? ret : clear_bus_master(dev);
}

static int feature(struct dfd_device *dev, uint32_t flags, void *data, size_t len)
{
	const struct vfio_device *p = dfd_device_priv(dev);
	union {
		struct vfio_device_feature head;
		uint8_t bytes[sizeof(struct vfio_device_feature) + MAX_FEATURE_BODY];
	} arg;
	uint8_t *body = arg.bytes + sizeof(arg.head);
	int ret;

	if (len > MAX_FEATURE_BODY)
		return -EINVAL;
	arg.head.argsz = (uint32_t)(sizeof(arg.head) + len);
	arg.head.flags = flags;
	if (len)
		memcpy(body, data, len);
	ret = p->env.calls->ioctl(p->link.device, VFIO_DEVICE_FEATURE, &arg);
	/* A migration state that was set answers with an fd. */
	if (ret >= 0 && len)
		memcpy(data, body, len);
	return ret;
}

/* ---- planes ---- */

static int plane(struct dfd_device *dev, enum dfd_plane_way way, const enum dfd_plane_kind *kind,
		 struct dfd_plane *out)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return display_plane(p->env.calls, p->link.device, way, kind, out);
}

static int plane_dmabuf(struct dfd_device *dev, uint32_t where)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return display_dmabuf(p->env.calls, p->link.device, where);
}

static void vfio_close(struct dfd_device *dev)
{
	struct vfio_device *p = dfd_device_priv(dev);

	link_close(&p->link);
	free(p);
}

static const struct dfd_device_ops vfio_ops = {
	.size = sizeof(vfio_ops),
	.name = "vfio",
	.region_read = region_read,
	.region_write = region_write,
	.region_map = region_map,
	.set_irqs = set_irqs,
	.dma_map = dma_map,
	.dma_unmap = dma_unmap,
	.reset = reset,
	.feature = feature,
	.close = vfio_close,
	.hot_reset_info = vfio_hot_reset_info,
	.hot_reset = vfio_hot_reset,
	.dma_limits = dma_limits,
	.dirty = dirty,
	.plane = plane,
	.plane_dmabuf = plane_dmabuf,
	.irq_flags = irq_flags,
};

/* Whose memory cannot be mapped: without an IOMMU, or opened by somebody else. */
static const struct dfd_device_ops no_dma_ops = {
	.size = sizeof(no_dma_ops),
	.name = "vfio",
	.region_read = region_read,
	.region_write = region_write,
	.region_map = region_map,
	.set_irqs = set_irqs,
	.reset = reset,
	.feature = feature,
	.close = vfio_close,
	.hot_reset_info = vfio_hot_reset_info,
	.hot_reset = vfio_hot_reset,
	.plane = plane,
	.plane_dmabuf = plane_dmabuf,
	.irq_flags = irq_flags,
};

/* ---- opening ---- */

/* Everything behind the open device. On failure the caller closes that. */
static int make_device(struct vfio_device *p, const struct kernel_target *t,
		       struct dfd_device **out, struct dfd_error *err)
{
	bool dma = p->link.space && p->link.space->ops;
	const struct dfd_desc *desc = NULL;
	struct dfd_error why;
	int ret = describe_device(p->env.calls, p->link.device, t->dir, p->offsets, &desc, &why);

	if (!ret) {
		ret = dfd_device_new(desc, dma ? &vfio_ops : &no_dma_ops, p, false, out);
		if (ret)
			dfd_error_set(&why, ret, "out of memory");
	}
	dfd_desc_unref(desc);
	if (ret == -ENODEV)
		return explain_device(t, ret, err);
	return ret ? dfd_error_set(err, ret, "%s: %s", t->address, why.text) : 0;
}

static int open_target(struct kernel_target *t, struct dfd_device **out, struct dfd_error *err)
{
	struct vfio_device *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return dfd_error_set(err, -ENOMEM, "%s: out of memory", t->address);
	p->env = *t->env;
	memcpy(p->address, t->address, sizeof(p->address));
	ret = link_open(t, &p->link, err);
	if (!ret) {
		ret = make_device(p, t, out, err);
		if (ret)
			link_close(&p->link);
	}
	if (ret)
		free(p);
	return ret;
}

int dfd_vfio_open(const struct kernel_env *env, const char *scheme, const char *rest,
		  struct dfd_device **out, struct dfd_error *err)
{
	const struct kernel_env here = { root_here(), &kernel_calls };
	struct kernel_target t;
	int ret = kernel_target_find(&t, env ? env : &here, scheme, rest, err);

	if (!ret)
		ret = open_target(&t, out, err);
	kernel_target_finish(&t);
	return ret;
}
