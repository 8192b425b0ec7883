/* SPDX-License-Identifier: MIT */
/*
 * Regions of a device-tree node.
 *
 * Theory of operation: each entry of `reg` is an address on the node's bus and a size. The address
 * is carried from bus to bus towards the root by the `ranges` of each bus; what arrives at the root
 * is the physical address. A bus without `ranges` lets nothing through: the region is then
 * described without a physical address. Addresses are kept in 128 bits, as four cells can hold.
 *
 * The first of the three cells of a PCI address is not part of the number: it says which of the
 * address spaces is meant. It is kept apart and has to agree when a range is matched.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "file/dt.h"

#define PCI_RELOCATABLE UINT32_C(0x80000000) /* n bit: the address is absolute */
#define PCI_SPACE_SHIFT 24
#define PCI_SPACE_MEM32 2
#define PCI_SPACE_MEM64 3

/* More entries than any bus has; bounds the work for one region. */
#define MAX_RANGES 1024u

typedef unsigned __int128 u128;

/** struct address - a place on a bus; @space is 0 on everything but PCI */
struct address {
	uint32_t space;
	u128 value;
};

/**
 * struct bus - how the children of a node are addressed
 * @ranges: to the bus above; no data: nothing gets there, no cells: addresses are the same there
 */
struct bus {
	int node;
	uint32_t address_cells;
	uint32_t size_cells;
	bool pci;
	struct dt_cells ranges;
};

/** struct way - the buses from a node's own, bus[0], upwards; @to_root: the last one is the root */
struct way {
	struct bus bus[DT_MAX_DEPTH];
	int count;
	bool to_root;
};

static int cell_count(const struct dt_node *n, int node, const char *name, uint32_t *value,
		      struct dfd_error *err)
{
	int ret = dt_number(n, node, name, value, err);

	if (ret >= 0 && *value > FDT_MAX_NCELLS)
		ret = dfd_error_set(err, -EBADMSG, "%s of node %s is %" PRIu32 ", at most %d", name,
				    dt_name(n, node), *value, FDT_MAX_NCELLS);
	return ret < 0 ? ret : 0;
}

static int get_bus(const struct dt_node *n, int level, struct bus *bus, struct dfd_error *err)
{
	int node = n->chain[level];
	int ret;

	/* What the specification says of a node without these properties. */
	*bus = (struct bus){ .node = node, .address_cells = 2, .size_cells = 1 };
	ret = cell_count(n, node, "#address-cells", &bus->address_cells, err);
	if (!ret)
		ret = cell_count(n, node, "#size-cells", &bus->size_cells, err);
	bus->pci = bus->address_cells == 3 && dt_is_pci(n, node);
	return ret;
}

/* The entries of `ranges` of one bus, which name addresses of the bus above. */
static uint32_t ranges_stride(const struct bus *bus, const struct bus *above)
{
	return bus->address_cells + above->address_cells + bus->size_cells;
}

static int check_ranges(const struct dt_node *n, const struct bus *bus, const struct bus *above,
			struct dfd_error *err)
{
	uint32_t stride = ranges_stride(bus, above);

	if (!bus->ranges.count)
		return 0;
	if (!stride || bus->ranges.count % stride)
		return dfd_error_set(err, -EBADMSG,
				     "ranges of node %s is %" PRIu32
				     " cells long, not whole entries of %" PRIu32,
				     dt_name(n, bus->node), bus->ranges.count, stride);
	if (bus->ranges.count / stride > MAX_RANGES)
		return dfd_error_set(err, -EBADMSG, "ranges of node %s has more than %u entries",
				     dt_name(n, bus->node), MAX_RANGES);
	return 0;
}

static int get_way(const struct dt_node *n, struct way *way, struct dfd_error *err)
{
	for (int level = n->depth - 1; level >= 0; level--) {
		struct bus *bus = &way->bus[way->count++];
		int ret = get_bus(n, level, bus, err);

		if (!ret && way->count > 1)
			ret = check_ranges(n, bus - 1, bus, err);
		if (!ret && level)
			ret = dt_cells(n, bus->node, "ranges", &bus->ranges, err);
		if (ret)
			return ret;
		if (level && !bus->ranges.data)
			return 0;
	}
	way->to_root = true;
	return 0;
}

static u128 get_value(const struct dt_cells *cells, uint32_t at, uint32_t count)
{
	u128 value = 0;

	for (uint32_t i = 0; i < count; i++)
		value = value << 32 | dt_cell(cells, at + i);
	return value;
}

static struct address get_address(const struct bus *bus, const struct dt_cells *cells, uint32_t at)
{
	struct address a = { 0 };

	if (!bus->pci) {
		a.value = get_value(cells, at, bus->address_cells);
		return a;
	}
	a.space = dt_cell(cells, at) >> PCI_SPACE_SHIFT & 3;
	/* Both are memory: a bridge may hand one on as the other. */
	if (a.space == PCI_SPACE_MEM64)
		a.space = PCI_SPACE_MEM32;
	a.value = get_value(cells, at + 1, 2);
	return a;
}

/* The entry of `ranges` that holds @a moves it to the bus above. */
static bool go_up(const struct bus *bus, const struct bus *above, struct address *a)
{
	uint32_t parent_at = bus->address_cells, size_at = parent_at + above->address_cells;
	const struct dt_cells *ranges = &bus->ranges;

	if (!ranges->count)
		return true;
	for (uint32_t at = 0; at < ranges->count; at += ranges_stride(bus, above)) {
		struct address child = get_address(bus, ranges, at);
		u128 size = get_value(ranges, at + size_at, bus->size_cells);
		u128 within = a->value - child.value;

		if (child.space != a->space || a->value < child.value || within >= size)
			continue;
		*a = get_address(above, ranges, at + parent_at);
		a->value += within;
		return a->value >= within; /* else wrapped: there is no such place */
	}
	return false;
}

static bool translate(const struct way *way, struct address a, uint64_t *phys)
{
	for (int i = 0; i + 1 < way->count; i++) {
		if (!go_up(&way->bus[i], &way->bus[i + 1], &a))
			return false;
	}
	*phys = (uint64_t)a.value;
	return way->to_root && a.value <= UINT64_MAX;
}

/* The bus of the registers of a PCI function may place them anywhere unless told otherwise. */
static bool is_placed(const struct bus *bus, const struct dt_cells *reg, uint32_t at)
{
	return !bus->pci || dt_cell(reg, at) & PCI_RELOCATABLE;
}

static int add_region(const struct dt_node *n, const struct way *way, const struct dt_cells *reg,
		      uint32_t index, struct dfd_desc_builder *b, struct dfd_error *err)
{
	const struct bus *bus = &way->bus[0];
	uint32_t at = index * (bus->address_cells + bus->size_cells);
	struct dfd_region r = { .index = index, .dt = { n->path, DFD_DT_REG, index } };
	u128 size = get_value(reg, at + bus->address_cells, bus->size_cells);
	uint64_t phys;

	if (size > UINT64_MAX)
		return dfd_error_set(err, -EBADMSG,
				     "entry %" PRIu32 " of reg has a size above 64 bits", index);
	if (!size)
		return 0;
	r.size = (uint64_t)size;
	if (is_placed(bus, reg, at) && translate(way, get_address(bus, reg, at), &phys)) {
		r.has_phys = true;
		r.phys_addr = phys;
	}
	dfd_desc_add_region(b, &r);
	return 0;
}

int dt_regions(const struct dt_node *n, struct dfd_desc_builder *b, struct dfd_error *err)
{
	struct way way = { .count = 0 };
	struct dt_cells reg;
	uint32_t stride;
	int ret;

	ret = dt_cells(n, n->chain[n->depth], "reg", &reg, err);
	if (ret || !reg.count || !n->depth)
		return ret;
	ret = get_way(n, &way, err);
	if (ret)
		return ret;
	stride = way.bus[0].address_cells + way.bus[0].size_cells;
	if (!stride || reg.count % stride)
		return dfd_error_set(err, -EBADMSG,
				     "reg is %" PRIu32 " cells long, not whole entries of %" PRIu32
				     " (#address-cells) and %" PRIu32 " (#size-cells of node %s)",
				     reg.count, way.bus[0].address_cells, way.bus[0].size_cells,
				     dt_name(n, way.bus[0].node));
	if (reg.count / stride > DFD_MAX_REGION_INDEX + 1)
		return dfd_error_set(err, -EBADMSG, "reg has more than %u entries",
				     DFD_MAX_REGION_INDEX + 1);
	for (uint32_t i = 0; i < reg.count / stride && !ret; i++)
		ret = add_region(n, &way, &reg, i, b, err);
	return ret;
}
