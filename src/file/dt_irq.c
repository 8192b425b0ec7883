/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of a device-tree node.
 *
 * Theory of operation: `interrupts-extended` names a controller for each of its entries and counts
 * more than `interrupts`, whose entries all belong to one controller: the one that the nearest
 * `interrupt-parent` names, or the nearest node above that is a controller itself. A controller
 * says with #interrupt-cells how long an entry is; what the cells mean is its own business, so
 * level or edge is only known for the kinds in the table below.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "file/dt.h"

/* Different controllers of one node; finding one searches the whole tree. */
#define MAX_CONTROLLERS 16u
#define MAX_CELLS	8u

/** struct kind - controllers whose specifiers we can read; @level: bit s: sense s is level */
struct kind {
	const char *compatible;
	uint32_t sense_cell;
	uint32_t level;
};

/* IRQ_TYPE: 1 rising, 2 falling, 4 high, 8 low. OpenPIC: 0 rising, 1 low, 2 high, 3 falling. */
#define IRQ_TYPE_LEVELS (1u << 4 | 1u << 8)
#define OPENPIC_LEVELS	(1u << 1 | 1u << 2)

static const struct kind kinds[] = {
	{ "arm,gic-v3", 2, IRQ_TYPE_LEVELS },
	{ "arm,gic-400", 2, IRQ_TYPE_LEVELS },
	{ "arm,cortex-a15-gic", 2, IRQ_TYPE_LEVELS },
	{ "arm,cortex-a9-gic", 2, IRQ_TYPE_LEVELS },
	{ "arm,cortex-a7-gic", 2, IRQ_TYPE_LEVELS },
	{ "arm,pl061", 1, IRQ_TYPE_LEVELS },
	{ "fsl,qoriq-gpio", 1, IRQ_TYPE_LEVELS },
	{ "snps,dw-apb-gpio-port", 1, IRQ_TYPE_LEVELS },
	{ "fsl,mpic", 1, OPENPIC_LEVELS },
	{ "chrp,open-pic", 1, OPENPIC_LEVELS },
};

/* A PCI bus hands INTA to INTD on, by number: level triggered, all of them. */
static const struct kind pci_pins = { NULL, 0, UINT32_MAX };

/** struct controller - an interrupt parent; @kind is NULL where we cannot tell level from edge */
struct controller {
	uint32_t phandle;
	uint32_t cells;
	const struct kind *kind;
};

/** struct controllers - those of one node that have been looked up */
struct controllers {
	struct controller known[MAX_CONTROLLERS];
	uint32_t count;
};

static const struct kind *kind_of(const struct dt_node *n, int node)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!fdt_node_check_compatible(n->fdt, node, kinds[i].compatible))
			return &kinds[i];
	}
	return dt_is_pci(n, node) ? &pci_pins : NULL;
}

/* 1 a controller, 0 not, or -EBADMSG. */
static int get_controller(const struct dt_node *n, int node, struct controller *c,
			  struct dfd_error *err)
{
	int ret = dt_number(n, node, "#interrupt-cells", &c->cells, err);

	if (ret <= 0)
		return ret;
	if (!c->cells || c->cells > MAX_CELLS)
		return dfd_error_set(err, -EBADMSG,
				     "#interrupt-cells of node %s is %" PRIu32 ", not 1 to %u",
				     dt_name(n, node), c->cells, MAX_CELLS);
	c->kind = kind_of(n, node);
	if (c->kind && c->kind->sense_cell >= c->cells)
		c->kind = NULL;
	return 1;
}

static int controller_by_phandle(const struct dt_node *n, uint32_t phandle, struct controller *c,
				 struct dfd_error *err)
{
	int node = fdt_node_offset_by_phandle(n->fdt, phandle);
	int ret;

	if (node < 0)
		return dfd_error_set(
			err, -EBADMSG,
			"its interrupt parent, phandle 0x%" PRIx32 ", is not in the tree", phandle);
	ret = get_controller(n, node, c, err);
	if (ret)
		return ret < 0 ? ret : 0;
	return dfd_error_set(err, -EBADMSG,
			     "its interrupt parent, node %s, has no #interrupt-cells",
			     dt_name(n, node));
}

/* The controller of all entries of `interrupts`. */
static int find_parent(const struct dt_node *n, struct controller *c, struct dfd_error *err)
{
	for (int level = n->depth; level >= 0; level--) {
		uint32_t phandle;
		int ret = dt_number(n, n->chain[level], "interrupt-parent", &phandle, err);

		if (ret > 0)
			return controller_by_phandle(n, phandle, c, err);
		if (!ret && level)
			ret = get_controller(n, n->chain[level - 1], c, err);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	return dfd_error_set(err, -EBADMSG,
			     "has interrupts, but neither it nor a node above it has an "
			     "interrupt-parent");
}

/* An entry of `interrupts-extended`; the list of known ones keeps hostile trees cheap. */
static int look_up(const struct dt_node *n, uint32_t phandle, struct controllers *all,
		   const struct controller **out, struct dfd_error *err)
{
	struct controller *c;
	int ret;

	for (uint32_t i = 0; i < all->count; i++) {
		*out = &all->known[i];
		if (all->known[i].phandle == phandle)
			return 0;
	}
	if (all->count == MAX_CONTROLLERS)
		return dfd_error_set(err, -EBADMSG,
				     "interrupts-extended names more than %u controllers",
				     MAX_CONTROLLERS);
	c = &all->known[all->count++];
	c->phandle = phandle;
	ret = controller_by_phandle(n, phandle, c, err);
	*out = c;
	return ret;
}

static void add_irq(const struct dt_node *n, const struct controller *c,
		    const struct dt_cells *cells, uint32_t at, uint32_t index,
		    struct dfd_desc_builder *b)
{
	struct dfd_irq irq = {
		.index = index,
		.count = 1,
		.dt = { n->path, DFD_DT_INTERRUPTS, index },
	};
	uint32_t sense = c->kind ? dt_cell(cells, at + c->kind->sense_cell) & 0xf : 0;

	if (c->kind && c->kind->level >> sense & 1)
		irq.flags = DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE;
	dfd_desc_add_irq(b, &irq);
}

static int too_many(const char *name, struct dfd_error *err)
{
	return dfd_error_set(err, -EBADMSG, "%s has more than %u entries", name,
			     DFD_MAX_IRQ_INDEX + 1);
}

static int add_plain(const struct dt_node *n, const struct dt_cells *cells,
		     struct dfd_desc_builder *b, struct dfd_error *err)
{
	struct controller c = { .cells = 1 };
	int ret = find_parent(n, &c, err);

	if (ret)
		return ret;
	if (cells->count % c.cells)
		return dfd_error_set(err, -EBADMSG,
				     "interrupts is %" PRIu32
				     " cells long, not a multiple of the %" PRIu32
				     " of its interrupt parent",
				     cells->count, c.cells);
	if (cells->count / c.cells > DFD_MAX_IRQ_INDEX + 1)
		return too_many("interrupts", err);
	for (uint32_t i = 0; i < cells->count / c.cells; i++)
		add_irq(n, &c, cells, i * c.cells, i, b);
	return 0;
}

static int add_extended(const struct dt_node *n, const struct dt_cells *cells,
			struct dfd_desc_builder *b, struct dfd_error *err)
{
	struct controllers all = { .count = 0 };
	uint32_t at = 0;

	for (uint32_t index = 0; at < cells->count; index++) {
		uint32_t phandle = dt_cell(cells, at++);
		const struct controller *c;
		int ret;

		if (index > DFD_MAX_IRQ_INDEX)
			return too_many("interrupts-extended", err);
		if (!phandle) /* a hole: the index has no interrupt */
			continue;
		ret = look_up(n, phandle, &all, &c, err);
		if (ret)
			return ret;
		if (c->cells > cells->count - at)
			return dfd_error_set(
				err, -EBADMSG,
				"entry %" PRIu32 " of interrupts-extended is cut short", index);
		add_irq(n, c, cells, at, index, b);
		at += c->cells;
	}
	return 0;
}

int dt_irqs(const struct dt_node *n, struct dfd_desc_builder *b, struct dfd_error *err)
{
	struct dt_cells cells;
	int ret = dt_cells(n, n->chain[n->depth], "interrupts-extended", &cells, err);

	if (ret)
		return ret;
	if (cells.data)
		return add_extended(n, &cells, b, err);
	ret = dt_cells(n, n->chain[n->depth], "interrupts", &cells, err);
	return ret || !cells.count ? ret : add_plain(n, &cells, b, err);
}
