/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "desc/copy.h"
#include "device/process.h"
#include "shim/env.h"
#include "shim/way.h"

/* What programs cannot map: see shim_trap_nothing(). */
static bool untrapped, unmapped;

void shim_trap_nothing(bool memory)
{
	untrapped = true;
	unmapped = !memory;
}

/* What vfio-pci maps: BARs with memory. Of other devices: every region. */
static bool may_be_mapped(const struct dfd_desc *desc, const struct dfd_region *r)
{
	if (r->flags & DFD_REGION_IOPORT)
		return false;
	return dfd_desc_bus(desc) != DFD_BUS_PCI || r->index < DFD_PCI_ROM;
}

bool shim_may_trap(const struct dfd_device *dev, const struct dfd_region *r)
{
	return SHIM_TRAPS && !untrapped && device_has_contents(dev) &&
	       may_be_mapped(dfd_device_desc(dev), r);
}

static bool has_memory(struct dfd_device *dev, uint32_t index)
{
	uint64_t offset;
	int fd;

	return !unmapped && !dfd_region_backing(dev, index, &fd, &offset);
}

static void tell_way(struct dfd_device *dev, struct dfd_region *r)
{
	if (shim_may_trap(dev, r))
		r->flags |= DFD_REGION_MAPPABLE;
	if (!untrapped || has_memory(dev, r->index))
		return;
	r->flags &= ~DFD_REGION_MAPPABLE;
	r->num_areas = 0;
}

/* A region that is mappable in parts stays that: its areas are plain memory. */
int shim_tell_ways(struct dfd_device *dev)
{
	const struct dfd_desc *desc = dfd_device_desc(dev), *told;
	struct dfd_desc_builder *b;
	uint32_t count;
	const struct dfd_region *regions = dfd_desc_regions(desc, &count);

	if (!untrapped && (!SHIM_TRAPS || !device_has_contents(dev)))
		return 0;
	b = dfd_desc_builder_new(dfd_desc_bus(desc));
	for (uint32_t i = 0; i < count; i++) {
		struct dfd_region r = regions[i];

		tell_way(dev, &r);
		dfd_desc_add_region(b, &r);
	}
	dfd_desc_copy_rest(b, desc);
	if (dfd_desc_build(b, &told, NULL))
		return -ENOMEM;
	device_tell(dev, told);
	dfd_desc_unref(told);
	return 0;
}

static void say(const char *name, const struct dfd_region *r, uint64_t start, uint64_t end,
		const char *way)
{
	if (start < end)
		fprintf(stderr,
			"devfd run: %s region %" PRIu32 ", 0x%" PRIx64 " to 0x%" PRIx64 ": %s\n",
			name, r->index, start, end - 1, way);
}

static void say_region(const char *name, struct dfd_device *dev, const struct dfd_region *r)
{
	const char *other = shim_may_trap(dev, r) ? "trapped" : "by read and write only";
	const struct dfd_area whole = { 0, r->size };
	uint32_t count = r->num_areas ? r->num_areas : 1;
	uint64_t at = 0, offset;
	int fd;

	if (!(r->flags & DFD_REGION_MAPPABLE) || dfd_region_backing(dev, r->index, &fd, &offset))
		count = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct dfd_area *a = r->num_areas ? &r->areas[i] : &whole;

		say(name, r, at, a->offset, other);
		at = a->offset + a->size;
		say(name, r, a->offset, at, "shared memory");
	}
	say(name, r, at, r->size, other);
}

void shim_say_ways(const char *name, struct dfd_device *dev)
{
	uint32_t count;
	const struct dfd_region *regions = dfd_desc_regions(dfd_device_desc(dev), &count);

	for (uint32_t i = 0; i < count; i++)
		say_region(name, dev, &regions[i]);
}

void shim_say_memory(const char *name, const struct dfd_dma_map *map, const char *way)
{
	if (getenv(SHIM_ENV_SAY))
		fprintf(stderr,
			"devfd run: %s memory for DMA, 0x%" PRIx64 " to 0x%" PRIx64 ": %s\n", name,
			map->iova, map->iova + (map->size - 1), way);
}
