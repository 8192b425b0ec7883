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

#define DFD_IOVAMAP_HINTS     16u
#define DFD_IOVAMAP_MAX_ORDER 3u

/**
 * struct dfd_iovamap_top - slots in a row; no range is outside
 * @base: the first address of the first one
 * @shift: each stands for 2^shift addresses
 * @num_slots: 0, 1, or 512 times a power of two
 * @counts: how many ranges touch each 512 of them
 */
struct dfd_iovamap_top {
	uint64_t base;
	unsigned int shift;
	size_t num_slots;
	uintptr_t *slots;
	size_t counts[1u << DFD_IOVAMAP_MAX_ORDER];
};

/**
 * struct dfd_iovamap - zero it before the first use
 * @nodes: how many nodes there are, with each 512 slots of the top
 * @count: how many ranges
 * @hints: for sizes from 4 KiB up, by powers of two
 */
struct dfd_iovamap {
	struct dfd_iovamap_top top;
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
#define DFD_IOVAMAP_PART ((uintptr_t)4)

/** struct dfd_iovamap_node - @count: ranges that touch its span */
struct dfd_iovamap_node {
	size_t count;
	uintptr_t slots[1u << DFD_IOVAMAP_BITS];
};

/** dfd_iovamap_in_slot() - Return: the range in @slot, a list or a part, that holds @address */
struct dfd_iova *dfd_iovamap_in_slot(uintptr_t slot, uint64_t address);

/**
 * dfd_iovamap_find() - Return: the range that holds @address, or NULL
 *
 * Where a range covers the whole slot, as it does when all is made of pages, the slot is the answer
 * and the range is not looked at. All checks are branches, so the processor goes on before it has
 * what it looks for.
 */
static inline struct dfd_iova *dfd_iovamap_find(const struct dfd_iovamap *map, uint64_t address)
{
	const struct dfd_iovamap_top *top = &map->top;
	unsigned int shift = top->shift;
	uint64_t i = (address - top->base) >> shift;
	uintptr_t slot;

	if (i >= top->num_slots)
		return NULL;
	slot = top->slots[i];
	while (slot & (DFD_IOVAMAP_NODE | DFD_IOVAMAP_LIST | DFD_IOVAMAP_PART)) {
		if (!(slot & DFD_IOVAMAP_NODE))
			return dfd_iovamap_in_slot(slot, address);
		shift -= DFD_IOVAMAP_BITS;
		i = (address >> shift) & ((1u << DFD_IOVAMAP_BITS) - 1);
		slot = ((const struct dfd_iovamap_node *)(slot - DFD_IOVAMAP_NODE))->slots[i];
	}
	return (struct dfd_iova *)slot;
}

#endif
