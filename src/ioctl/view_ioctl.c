/* SPDX-License-Identifier: MIT */
/* What a user learns through design two: the ioctls of 2011. */
#include <errno.h>
#include <string.h>

#include <devfd/ioctl.h>

#include "desc/fact.h"
#include "ioctl/view.h"

/* Told whatever the bus; the count of an interrupt and its trigger have no call. */
#define TOPICS                                                                                     \
	(TOPIC(LAYOUT) | TOPIC(IOPORT) | TOPIC(DEVICE_TREE) | TOPIC(MESSAGE_IRQ) |                 \
	 TOPIC(NOTIFY_IRQ) | TOPIC(NUMBER))

static int ask_count(struct dfd_asker *a, unsigned long request, const char *what, uint32_t max,
		     uint32_t *count)
{
	int answer = 0, ret = dfd_ask(a, request, &answer);

	if (ret < 0)
		return dfd_error_set(a->err, ret, "asking for the number of %s: %s", what,
				     strerror(-ret));
	if (answer < 0 || (uint32_t)answer > max)
		return dfd_error_set(a->err, -EBADMSG, "the device has %d %s, at most %u can be",
				     answer, what, max);
	*count = (uint32_t)answer;
	return 0;
}

/* One of the calls that take a region's index and leave the answer in its place. */
static int ask_region(struct dfd_asker *a, unsigned long request, uint32_t index, uint64_t *value)
{
	int ret;

	*value = index;
	ret = dfd_ask(a, request, value);
	return ret < 0 ? dfd_ask_failed(a, ret, "region", index) : 0;
}

/* Return: 0 with the node, -ENOENT without one, or another errno. */
static int ask_node(struct dfd_asker *a, uint32_t type, uint32_t index, struct dfd_dt_ref *dt,
		    char path[DFD_MAX_STRING + 1])
{
	struct vfio_device_dtindex where = { .type = type, .index = index };
	struct vfio_device_dtpath name = {
		.type = type, .index = index, .buf_len = DFD_MAX_STRING + 1, .buf = (uintptr_t)path
	};
	int ret = dfd_ask(a, VFIO_DEVICE_GET_DTINDEX, &where);

	if (ret < 0)
		return ret;
	memset(path, 0, DFD_MAX_STRING + 1);
	ret = dfd_ask(a, VFIO_DEVICE_GET_DTPATH, &name);
	if (ret < 0)
		return ret == -ENOENT || ret == -ENOSPC ? -EBADMSG : ret;
	if (strnlen(path, DFD_MAX_STRING + 1) + 1 != name.buf_len)
		return -EBADMSG;
	*dt = (struct dfd_dt_ref){ path, where.prop_type, where.prop_index };
	return 0;
}

static int view_region(struct dfd_asker *a, struct dfd_desc_builder *b, uint64_t bus_flags,
		       uint32_t index, struct dfd_view_config *config)
{
	struct dfd_region region = { .index = index };
	char path[DFD_MAX_STRING + 1];
	uint64_t flags;
	int ret = ask_region(a, VFIO_DEVICE_GET_REGION_LEN, index, &region.size);

	if (ret || !region.size)
		return ret;
	ret = ask_region(a, VFIO_DEVICE_GET_REGION_FLAGS, index, &flags);
	if (!ret)
		ret = ask_region(a, VFIO_DEVICE_GET_REGION_OFFSET, index, &region.offset);
	if (ret)
		return ret;
	region.flags = flags > UINT32_MAX ? UINT32_MAX : (uint32_t)flags;
	if (bus_flags & VFIO_DEVICE_FLAG_PCI) {
		if (index == DFD_PCI_CONFIG)
			dfd_view_config_read(a, region.offset, region.size, config);
	} else {
		region.phys_addr = index;
		ret = dfd_ask(a, VFIO_DEVICE_GET_REGION_PHYS_ADDR, &region.phys_addr);
		if (ret < 0 && ret != -EINVAL)
			return dfd_ask_failed(a, ret, "region", index);
		region.has_phys = !ret;
	}
	ret = ask_node(a, VFIO_DEVICE_DT_REGION, index, &region.dt, path);
	if (ret && ret != -ENOENT)
		return dfd_ask_failed(a, ret, "the device-tree node of region", index);
	dfd_desc_add_region(b, &region);
	return 0;
}

static int view_irq(struct dfd_asker *a, struct dfd_desc_builder *b, uint32_t index)
{
	struct dfd_irq irq = { .index = index, .count = 1 };
	char path[DFD_MAX_STRING + 1];
	int ret = ask_node(a, VFIO_DEVICE_DT_IRQ, index, &irq.dt, path);

	if (ret == -EINVAL)
		return 0; /* a number that is not in use */
	if (ret && ret != -ENOENT)
		return dfd_ask_failed(a, ret, "the device-tree node of interrupt", index);
	dfd_desc_add_irq(b, &irq);
	return 0;
}

/* Numbers are answers themselves; identity is asked for, then read from configuration space. */
static int view_fact(struct dfd_asker *a, struct dfd_desc_builder *b, enum dfd_fact fact,
		     const struct dfd_view_config *config)
{
	const struct dfd_fact_info *info = &dfd_fact_infos[fact];
	uint32_t id = info->number;
	uint64_t value = 0;
	int ret;

	if (info->tell == DFD_TELL_YES && !dfd_view_config_fact(config, fact, &value))
		return 0;
	ret = dfd_ask(a, VFIO_DEVICE_CHECK_EXTENSION, &id);
	if (ret < 0)
		return dfd_ask_failed(a, ret, "extension", info->number);
	if (!ret)
		return 0;
	if (info->tell != DFD_TELL_YES)
		value = (uint64_t)ret - (info->tell == DFD_TELL_PLUS1);
	dfd_desc_set_num(b, fact, value);
	return 0;
}

static int view_parts(struct dfd_asker *a, struct dfd_desc_builder *b, uint64_t flags,
		      struct dfd_view_config *config)
{
	uint32_t regions = 0, irqs = 0;
	int ret = ask_count(a, VFIO_DEVICE_GET_NUM_REGIONS, "regions", DFD_MAX_REGION_INDEX + 1,
			    &regions);

	if (!ret)
		ret = ask_count(a, VFIO_DEVICE_GET_NUM_IRQS, "interrupts", DFD_MAX_IRQ_INDEX + 1,
				&irqs);
	for (uint32_t i = 0; !ret && i < regions; i++)
		ret = view_region(a, b, flags, i, config);
	for (uint32_t i = 0; !ret && i < irqs; i++)
		ret = view_irq(a, b, i);
	for (int f = 0; !ret && f < DFD_NUM_FACTS; f++)
		ret = view_fact(a, b, (enum dfd_fact)f, config);
	return ret;
}

int dfd_view_ioctl(struct dfd_asker *a, struct dfd_view *out)
{
	struct dfd_view_config config = { 0 };
	struct dfd_desc_builder *b;
	uint64_t flags = 0;
	int ret = dfd_ask(a, VFIO_DEVICE_GET_FLAGS, &flags);

	if (ret < 0)
		return dfd_error_set(a->err, ret, "asking for the flags: %s", strerror(-ret));
	b = dfd_desc_builder_new(flags & VFIO_DEVICE_FLAG_PCI  ? DFD_BUS_PCI
				 : flags & VFIO_DEVICE_FLAG_DT ? DFD_BUS_DT
							       : DFD_BUS_OTHER);
	if (flags & VFIO_DEVICE_FLAG_RESET)
		dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	ret = view_parts(a, b, flags, &config);
	if (ret) {
		dfd_desc_builder_free(b);
		return ret;
	}
	out->topics = TOPICS | (config.readable ? TOPIC(IDENTITY) : 0) |
		      (flags & VFIO_DEVICE_FLAG_PCI ? 0 : TOPIC(PHYS_ADDR));
	return dfd_view_build(a, b, out);
}
