/* SPDX-License-Identifier: MIT */
/*
 * A device through the kernel's VFIO.
 *
 * Theory of operation: the description has every region where the file layout puts it, and each
 * access goes to where the kernel has that region. Interrupts, features and eventfds are the
 * kernel's business and go there unchanged. Nothing here needs a lock but the DMA maps.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <devfd/provider.h>

#include "abi/vfio.h"
#include "kernel/describe.h"
#include "kernel/explain.h"
#include "kernel/vfio.h"

#define COMMAND	       4 /* of configuration space */
#define COMMAND_MASTER 4u

/* A reset finds the function's lock taken, for a moment. */
#define RESET_TRIES   50
#define RESET_WAIT_NS 10000000

#define MDEV_DIRECTORY "/sys/bus/mdev/devices"

/* No feature has a larger body. */
#define MAX_FEATURE_BODY 4096u

/**
 * struct vfio_device - an open device
 * @offsets: where the kernel has each region in the device fd
 */
struct vfio_device {
	struct kernel_env env;
	struct kernel_group group;
	struct type1 dma;
	char address[TARGET_NAME_SIZE + 8];
	uint64_t offsets[DFD_MAX_REGION_INDEX + 1];
};

/* ---- regions ---- */

static ssize_t region_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			   size_t len)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return p->env.calls->pread(p->group.device, buf, len, p->offsets[index] + offset);
}

static ssize_t region_write(struct dfd_device *dev, uint32_t index, uint64_t offset,
			    const void *buf, size_t len)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	return p->env.calls->pwrite(p->group.device, buf, len, p->offsets[index] + offset);
}

static int region_map(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset)
{
	const struct vfio_device *p = dfd_device_priv(dev);

	*fd = p->group.device;
	*offset = p->offsets[index];
	return 0;
}

/* ---- interrupts ---- */

static int set_irqs(struct dfd_device *dev, const struct dfd_irq_set *set)
{
	const struct vfio_device *p = dfd_device_priv(dev);
	struct {
		struct vfio_irq_set head;
		uint8_t data[DFD_MAX_IRQ_COUNT * sizeof(int32_t)];
	} arg = { .head = { .flags = set->flags,
			    .index = set->index,
			    .start = set->start,
			    .count = set->count } };
	size_t len = 0;

	if (set->flags & DFD_IRQ_DATA_EVENTFD)
		len = set->count * sizeof(int32_t);
	else if (set->flags & DFD_IRQ_DATA_BOOL)
		len = set->count;
	if (len > sizeof(arg.data))
		return -EINVAL;
	if (len)
		memcpy(arg.data,
		       set->flags & DFD_IRQ_DATA_BOOL ? (const void *)set->bools : set->fds, len);
	arg.head.argsz = (uint32_t)(sizeof(arg.head) + len);
	return p->env.calls->ioctl(p->group.device, VFIO_DEVICE_SET_IRQS, &arg);
}

/* ---- DMA ---- */

static int dma_map(struct dfd_device *dev, struct dfd_dma_map *map)
{
	struct vfio_device *p = dfd_device_priv(dev);
	int ret = type1_map(&p->dma, map);
	struct dfd_error why;

	if (ret && ret != -EOPNOTSUPP) {
		explain_map(p->env.root, &p->dma, map, ret, &why);
		dfd_device_log(dev, "%s: %s", p->address, why.text);
	}
	return ret;
}

static int dma_unmap(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	struct vfio_device *p = dfd_device_priv(dev);

	return type1_unmap(&p->dma, iova, size, unmapped);
}

/* ---- the rest ---- */

/* The kernel restores the command register as it was; the waist promises bus mastering off. */
static int clear_bus_master(struct dfd_device *dev)
{
	uint8_t command[2];
	ssize_t n = dfd_region_read(dev, DFD_PCI_CONFIG, COMMAND, command, sizeof(command));

	if (n == sizeof(command)) {
		command[0] &= (uint8_t)~COMMAND_MASTER;
		n = dfd_region_write(dev, DFD_PCI_CONFIG, COMMAND, command, sizeof(command));
	}
	return n < 0 ? (int)n : 0;
}

static int reset(struct dfd_device *dev)
{
	const struct vfio_device *p = dfd_device_priv(dev);
	const struct timespec wait = { .tv_nsec = RESET_WAIT_NS };
	int ret;

	for (int i = 0; i < RESET_TRIES; i++) {
		ret = p->env.calls->ioctl(p->group.device, VFIO_DEVICE_RESET, NULL);
		if (ret != -EAGAIN)
			break;
		nanosleep(&wait, NULL);
	}
	return ret < 0 ? ret : clear_bus_master(dev);
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
	ret = p->env.calls->ioctl(p->group.device, VFIO_DEVICE_FEATURE, &arg);
	if (ret >= 0 && len && (flags & VFIO_DEVICE_FEATURE_GET))
		memcpy(data, body, len);
	return ret;
}

static void vfio_close(struct dfd_device *dev)
{
	struct vfio_device *p = dfd_device_priv(dev);

	group_close(&p->group);
	type1_finish(&p->dma);
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
};

/* ---- opening ---- */

/* Everything behind the open group. On failure the caller closes that. */
static int make_device(struct vfio_device *p, const struct kernel_target *t,
		       struct dfd_device **out, struct dfd_error *err)
{
	const struct dfd_desc *desc = NULL;
	struct dfd_error why;
	int ret = describe_device(p->env.calls, p->group.device, t->dir, p->offsets, &desc, &why);

	if (!ret) {
		ret = type1_init(&p->dma, p->env.calls, p->group.container, &why);
		if (!ret) {
			ret = dfd_device_new(desc, &vfio_ops, p, false, out);
			if (ret) {
				type1_finish(&p->dma);
				dfd_error_set(&why, ret, "out of memory");
			}
		}
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
	ret = group_open(t, &p->group, err);
	if (!ret) {
		ret = make_device(p, t, out, err);
		if (ret)
			group_close(&p->group);
	}
	if (ret)
		free(p);
	return ret;
}

static const struct kernel_env here = { "", &kernel_calls };

int dfd_pci_open(const struct kernel_env *env, const char *bdf, struct dfd_device **out,
		 struct dfd_error *err)
{
	struct kernel_target t = { .env = env ? env : &here };
	int ret;

	t.dir = function_open("pci", t.env->root, bdf, t.name, err);
	if (t.dir < 0)
		return t.dir;
	snprintf(t.address, sizeof(t.address), "pci:%s", t.name);
	ret = open_target(&t, out, err);
	close(t.dir);
	return ret;
}

/* 8-4-4-4-12 hexadecimal digits. */
static bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	for (i = 0; text[i] && form[i]; i++) {
		if (form[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return text[i] == form[i];
}

int dfd_mdev_open(const struct kernel_env *env, const char *uuid, struct dfd_device **out,
		  struct dfd_error *err)
{
	struct kernel_target t = { .env = env ? env : &here, .mediated = true };
	char path[PATH_MAX];
	int ret;

	if (!is_uuid(uuid))
		return dfd_error_set(
			err, -EINVAL,
			"mdev:%s is not a mediated device: write its UUID, as ls " MDEV_DIRECTORY
			" shows it",
			uuid);
	snprintf(t.name, sizeof(t.name), "%s", uuid);
	snprintf(t.address, sizeof(t.address), "mdev:%s", uuid);
	snprintf(path, sizeof(path), "%s" MDEV_DIRECTORY "/%s", t.env->root, uuid);
	t.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t.dir < 0)
		return dfd_error_set(err, -errno,
				     "%s: there is no such device in " MDEV_DIRECTORY ": %m",
				     t.address);
	ret = open_target(&t, out, err);
	close(t.dir);
	return ret;
}
