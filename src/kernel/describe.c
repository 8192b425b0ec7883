/* SPDX-License-Identifier: MIT */
/*
 * A description from the kernel's device fd.
 *
 * Theory of operation: the fd answers today's VFIO requests, and src/ioctl/ knows how to make a
 * description of such answers. It is given an fd on which every region lies where the file layout
 * has it; reads are taken to where the kernel has it. What then is missing comes from sysfs.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <devfd/view.h>

#include "abi/vfio.h"
#include "desc/fact.h"
#include "kernel/describe.h"
#include "kernel/ofnode.h"
#include "pci/caps.h"
#include "util/sysfs.h"

#define WINDOW (UINT64_C(1) << DFD_REGION_SHIFT)

/** struct translator - an fd, and where the kernel has the regions in it */
struct translator {
	const struct kernel_calls *calls;
	int fd;
	uint64_t *offsets;
};

static ssize_t translated_pread(void *ctx, void *buf, size_t len, uint64_t offset)
{
	const struct translator *t = ctx;
	uint64_t index = (offset >> DFD_REGION_SHIFT) - 1;

	if (index > DFD_MAX_REGION_INDEX)
		return -EINVAL;
	return t->calls->pread(t->fd, buf, len, t->offsets[index] + offset % WINDOW);
}

static int translated_ioctl(void *ctx, unsigned long request, void *arg)
{
	struct translator *t = ctx;
	struct vfio_region_info info;
	int ret = t->calls->ioctl(t->fd, request, arg);

	if (ret < 0 || request != VFIO_DEVICE_GET_REGION_INFO)
		return ret;
	memcpy(&info, arg, sizeof(info));
	if (info.index > DFD_MAX_REGION_INDEX || info.size > INT64_MAX - WINDOW ||
	    info.offset > INT64_MAX - info.size)
		return -EBADMSG;
	t->offsets[info.index] = info.offset;
	info.offset = (info.index + UINT64_C(1)) * WINDOW;
	memcpy(arg, &info, sizeof(info));
	return ret;
}

static const struct dfd_fd_ops translated = { translated_pread, translated_ioctl };

/* ---- the hole of MSI-X ---- */

/** struct hole - pages of a BAR that cannot be mapped because vectors are in them */
struct hole {
	uint32_t bar;
	uint64_t start;
	uint64_t end;
};

/* The kernel keeps the table to itself unless it says otherwise. */
static struct hole find_hole(const struct translator *t, const struct dfd_desc *desc)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct hole hole = { .bar = UINT32_MAX };
	uint8_t config[256];
	uint32_t offset;
	int vectors;
	ssize_t n;

	if (dfd_desc_bus(desc) != DFD_BUS_PCI || !dfd_desc_region(desc, DFD_PCI_CONFIG))
		return hole;
	n = t->calls->pread(t->fd, config, sizeof(config), t->offsets[DFD_PCI_CONFIG]);
	vectors = n < 0 ? 0 : dfd_pci_msix_table(config, (size_t)n, &hole.bar, &offset);
	if (vectors <= 0)
		return (struct hole){ .bar = UINT32_MAX };
	hole.start = offset & ~(page - 1);
	hole.end = (offset + UINT64_C(16) * (uint32_t)vectors + page - 1) & ~(page - 1);
	return hole;
}

static bool msix_mappable(const struct dfd_region *r)
{
	for (uint32_t i = 0; i < r->num_caps; i++) {
		if (r->caps[i].id == VFIO_REGION_INFO_CAP_MSIX_MAPPABLE)
			return true;
	}
	return false;
}

/* Take the hole out of a region without areas; @areas has room for two. */
static void cut_hole(struct dfd_region *r, const struct hole *hole, struct dfd_area *areas)
{
	uint32_t count = 0;

	if (r->index != hole->bar || !(r->flags & DFD_REGION_MAPPABLE) || r->num_areas ||
	    hole->start >= r->size || msix_mappable(r))
		return;
	if (hole->start)
		areas[count++] = (struct dfd_area){ 0, hole->start };
	if (hole->end < r->size)
		areas[count++] = (struct dfd_area){ hole->end, r->size - hole->end };
	if (!count)
		r->flags &= ~DFD_REGION_MAPPABLE;
	r->areas = areas;
	r->num_areas = count;
}

/* ---- what sysfs adds ---- */

/**
 * struct places - where regions and interrupts are, as sysfs has it
 * @resources: of a PCI function
 * @node: path of the device-tree node, "" without one
 */
struct places {
	int dir;
	struct function_resource resources[FUNCTION_NUM_RESOURCES];
	char node[DFD_MAX_STRING + 1];
};

/* Where sysfs does not say, the addresses stay unknown. */
static void find_places(int dir, enum dfd_bus bus, struct places *out)
{
	*out = (struct places){ .dir = dir };
	if (bus == DFD_BUS_PCI)
		function_resources(dir, out->resources, NULL);
	else if (bus == DFD_BUS_DT && ofnode_path(dir, out->node, sizeof(out->node)))
		out->node[0] = '\0';
}

/* Regions come in the order of `reg`; that of another size is another one. */
static void place_region(const struct places *p, struct dfd_region *r)
{
	uint64_t addr, size;

	if (r->index < FUNCTION_NUM_RESOURCES && p->resources[r->index].phys) {
		r->has_phys = true;
		r->phys_addr = p->resources[r->index].phys;
	}
	if (!p->node[0])
		return;
	r->dt = (struct dfd_dt_ref){ p->node, DFD_DT_REG, r->index };
	if (!ofnode_reg(p->dir, p->node, r->index, &addr, &size) && size == r->size) {
		r->has_phys = true;
		r->phys_addr = addr;
	}
}

static void add_regions(struct dfd_desc_builder *b, const struct dfd_desc *told,
			const struct hole *hole, const struct places *places)
{
	uint32_t count;
	const struct dfd_region *regions = dfd_desc_regions(told, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct dfd_region r = regions[i];
		struct dfd_area areas[2];

		cut_hole(&r, hole, areas);
		place_region(places, &r);
		dfd_desc_add_region(b, &r);
	}
}

static void add_irqs(struct dfd_desc_builder *b, const struct dfd_desc *told,
		     const struct places *places)
{
	uint32_t count;
	const struct dfd_irq *irqs = dfd_desc_irqs(told, &count);

	for (uint32_t i = 0; i < count; i++) {
		struct dfd_irq irq = irqs[i];

		if (places->node[0])
			irq.dt = (struct dfd_dt_ref){ places->node, DFD_DT_INTERRUPTS, irq.index };
		dfd_desc_add_irq(b, &irq);
	}
}

/* As the source dtb: has it. */
static void add_node(struct dfd_desc_builder *b, const struct places *places)
{
	char compatible[DFD_MAX_STRING + 1];

	if (!places->node[0])
		return;
	dfd_desc_set_str(b, DFD_FACT_NAME, strrchr(places->node, '/') + 1);
	if (!ofnode_compatible(places->dir, compatible, sizeof(compatible)))
		dfd_desc_set_str(b, DFD_FACT_COMPATIBLE, compatible);
}

static void add_rest(struct dfd_desc_builder *b, const struct dfd_desc *told)
{
	uint32_t caps;
	const struct dfd_cap *cap = dfd_desc_caps(told, &caps);
	uint64_t value;

	dfd_desc_add_flags(b, dfd_desc_flags(told) & DFD_DEVICE_RESET);
	for (uint32_t i = 0; i < caps; i++)
		dfd_desc_add_cap(b, &cap[i]);
	for (int i = 0; i < DFD_NUM_FACTS; i++) {
		if (dfd_desc_num(told, (enum dfd_fact)i, &value))
			dfd_desc_set_num(b, (enum dfd_fact)i, value);
	}
}

/* What configuration space holds the fd has told; negative: the kernel does not know. */
static void add_facts_of_sysfs(struct dfd_desc_builder *b, int dir)
{
	for (int i = 0; i < DFD_NUM_FACTS; i++) {
		const struct dfd_fact_info *info = &dfd_fact_infos[i];
		int64_t value;

		if (info->sysfs && !info->config_width &&
		    !dfd_sysfs_num(dir, info->sysfs, &value) && value >= 0)
			dfd_desc_set_num(b, (enum dfd_fact)i, (uint64_t)value);
	}
}

static int complete(const struct translator *t, int dir, const struct dfd_desc *told,
		    const struct dfd_desc **out, struct dfd_error *err)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(dfd_desc_bus(told));
	struct hole hole = find_hole(t, told);
	struct places places;

	find_places(dir, dfd_desc_bus(told), &places);
	add_regions(b, told, &hole, &places);
	add_irqs(b, told, &places);
	add_node(b, &places);
	add_rest(b, told);
	if (dfd_desc_bus(told) == DFD_BUS_PCI)
		add_facts_of_sysfs(b, dir);
	return dfd_desc_build(b, out, err);
}

/* Without power, or without a link, every register reads as all ones. */
static bool is_dead(const struct translator *t)
{
	uint64_t at = t->offsets[DFD_PCI_CONFIG];
	uint32_t id;

	return at && t->calls->pread(t->fd, &id, sizeof(id), at) == sizeof(id) && id == UINT32_MAX;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the translator writes there */
int describe_device(const struct kernel_calls *calls, int fd, int dir, uint64_t *offsets,
		    const struct dfd_desc **out, struct dfd_error *err)
{
	struct translator t = { calls, fd, offsets };
	struct dfd_view view;
	int ret = dfd_view_get(DFD_VIEW_VFIO, &translated, &t, &view, err);

	if ((!ret || ret == -EBADMSG) && is_dead(&t)) {
		dfd_desc_unref(view.desc);
		return dfd_error_set(err, -EIO, DESCRIBE_DEAD);
	}
	if (ret)
		return ret;
	ret = complete(&t, dir, view.desc, out, err);
	dfd_desc_unref(view.desc);
	return ret;
}
