/* SPDX-License-Identifier: MIT */
/* Nodes of a device tree blob, for src/file/ alone. */
#ifndef FILE_DT_H
#define FILE_DT_H

#include <libfdt.h>

#include <devfd/desc.h>

/* Deeper nodes are refused; real trees end at about eight. */
#define DT_MAX_DEPTH 32

/**
 * dt_check() - whether libfdt can be let loose on some bytes
 *
 * Return: 0 or -FDT_ERR_*.
 */
int dt_check(const void *blob, size_t len);

/**
 * struct dt_node - a node and all above it
 * @fdt: a blob that dt_check() has passed
 * @path: full path of the node
 * @chain: offsets of the nodes from the root, chain[0], to the node itself, chain[depth]
 * @depth: 0 for the root
 */
struct dt_node {
	const void *fdt;
	const char *path;
	int chain[DT_MAX_DEPTH + 1];
	int depth;
};

/** struct dt_cells - a property made of cells; NULL and 0 where the node does not have it */
struct dt_cells {
	const uint8_t *data;
	uint32_t count;
};

/**
 * dt_cells() - look a property up
 * @node: offset of the node
 *
 * Return: 0, or -EBADMSG when its length is not a multiple of 4.
 */
int dt_cells(const struct dt_node *n, int node, const char *name, struct dt_cells *out,
	     struct dfd_error *err);

/** dt_cell() - Return: cell @i, which must be below @cells->count */
uint32_t dt_cell(const struct dt_cells *cells, uint32_t i);

/**
 * dt_number() - look a property of one cell up, such as "#address-cells"
 *
 * Return: 1 found, 0 absent, or -EBADMSG when it is not one cell.
 */
int dt_number(const struct dt_node *n, int node, const char *name, uint32_t *value,
	      struct dfd_error *err);

/** dt_is_text() - Return: true for a string without blanks and control characters */
bool dt_is_text(const char *s);

/** dt_name() - Return: the name of a node, for messages */
const char *dt_name(const struct dt_node *n, int node);

/** dt_is_pci() - Return: true for a PCI host or bridge, whose children have PCI addresses */
bool dt_is_pci(const struct dt_node *n, int node);

/** dt_regions() - add the regions of a node. Return: 0 or -EBADMSG */
int dt_regions(const struct dt_node *n, struct dfd_desc_builder *b, struct dfd_error *err);

/** dt_irqs() - add the interrupts of a node. Return: 0 or -EBADMSG */
int dt_irqs(const struct dt_node *n, struct dfd_desc_builder *b, struct dfd_error *err);

#endif
