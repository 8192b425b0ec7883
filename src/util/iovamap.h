/* SPDX-License-Identifier: MIT */
/*
 * Many ranges of 64-bit addresses that do not overlap; finding one does not depend on how many
 * there are.
 */
#ifndef UTIL_IOVAMAP_H
#define UTIL_IOVAMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct dfd_iova - @start to @last, inclusive; embedded in what the caller keeps for a range */
struct dfd_iova {
	uint64_t start;
	uint64_t last;
};

/** struct dfd_iovamap_hint - there is no place from @min to @at for @size or more, so aligned */
struct dfd_iovamap_hint {
	uint64_t min, size, align, at;
};

#define DFD_IOVAMAP_HINTS 16u

/**
 * struct dfd_iovamap - zero it before the first use
 * @root: node, list, range or nothing, as everywhere in the tree
 * @shift: of the node that @root is or would be
 * @base: its first address; no range is outside
 * @span: how many addresses it has, less one
 * @nodes: how many nodes there are
 * @count: how many ranges
 * @hints: for sizes from 4 KiB up, by powers of two
 */
struct dfd_iovamap {
	uintptr_t root;
	unsigned int shift;
	uint64_t base, span;
	size_t nodes;
	size_t count;
	struct dfd_iovamap_hint hints[DFD_IOVAMAP_HINTS];
};

/** dfd_iovamap_add() - Return: 0, -EEXIST on overlap, -ENOMEM */
int dfd_iovamap_add(struct dfd_iovamap *map, struct dfd_iova *range);

/** dfd_iovamap_remove() - take out a range that is in the map */
void dfd_iovamap_remove(struct dfd_iovamap *map, const struct dfd_iova *range);

/** dfd_iovamap_next() - Return: the first range that ends at or after @address, or NULL */
struct dfd_iova *dfd_iovamap_next(const struct dfd_iovamap *map, uint64_t address);

/**
 * dfd_iovamap_gap() - the lowest free place
 * @min: lowest address wanted
 * @max: highest address wanted, inclusive
 * @size: bytes
 * @align: a power of two
 * @start: receives the place
 *
 * Return: 0 or -ENOSPC.
 */
int dfd_iovamap_gap(struct dfd_iovamap *map, uint64_t min, uint64_t max, uint64_t size,
		    uint64_t align, uint64_t *start);

/** dfd_iovamap_cuts() - Return: true when a range is in part inside of [@first, @last] */
bool dfd_iovamap_cuts(const struct dfd_iovamap *map, uint64_t first, uint64_t last);

/**
 * dfd_iovamap_extent() - where something is mapped
 * @start, @end: receive the first and the last address of the ranges that touch [@first, @last]
 *
 * Return: false when there are none.
 */
bool dfd_iovamap_extent(const struct dfd_iovamap *map, uint64_t first, uint64_t last,
			uint64_t *start, uint64_t *end);

/**
 * dfd_iovamap_take_out() - take out the ranges that touch [@first, @last]
 * @gone: called once for each, ascending; may free it
 */
void dfd_iovamap_take_out(struct dfd_iovamap *map, uint64_t first, uint64_t last,
			  void (*gone)(void *ctx, struct dfd_iova *range), void *ctx);

/**
 * dfd_iovamap_clear() - take out everything, and free what the map itself has allocated
 * @gone: optional; called once for each range, ascending; may free it
 */
void dfd_iovamap_clear(struct dfd_iovamap *map, void (*gone)(void *ctx, struct dfd_iova *range),
		       void *ctx);

/* ---- looking up, which is worth being inlined; iovamap.c tells what this is ---- */

#define DFD_IOVAMAP_BITS 9u
#define DFD_IOVAMAP_TOP	 57u /* shift of the highest level */
#define DFD_IOVAMAP_NODE ((uintptr_t)1)
#define DFD_IOVAMAP_LIST ((uintptr_t)2)
#define DFD_IOVAMAP_FULL ((uintptr_t)4)

/** struct dfd_iovamap_node - @count: ranges that touch its span */
struct dfd_iovamap_node {
	size_t count;
	uintptr_t slots[1u << DFD_IOVAMAP_BITS];
};

/** dfd_iovamap_in_slot() - Return: the range in @slot, no node, that holds @address, or NULL */
struct dfd_iova *dfd_iovamap_in_slot(uintptr_t slot, uint64_t address);

/**
 * dfd_iovamap_find() - Return: the range that holds @address, or NULL
 *
 * The number of the next slot is kept in the top bits; the two lowest bits, which choose no slot,
 * make room. Where a range covers the whole slot, as it does when all is made of pages, it is not
 * looked at: all checks are branches, so the processor goes on before it has the range.
 */
static inline struct dfd_iova *dfd_iovamap_find(const struct dfd_iovamap *map, uint64_t address)
{
	uint64_t path = address >> 2 << (DFD_IOVAMAP_TOP - map->shift);
	uintptr_t slot = map->root;

	if (address - map->base > map->span)
		return NULL;
	for (; slot & DFD_IOVAMAP_NODE; path <<= DFD_IOVAMAP_BITS) {
		slot -= DFD_IOVAMAP_NODE;
		slot = ((struct dfd_iovamap_node *)slot)->slots[path >> (64 - DFD_IOVAMAP_BITS)];
	}
	if (slot & DFD_IOVAMAP_FULL)
		return (struct dfd_iova *)(slot - DFD_IOVAMAP_FULL);
	return dfd_iovamap_in_slot(slot, address);
}

#endif
