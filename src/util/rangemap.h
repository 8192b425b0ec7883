/* SPDX-License-Identifier: MIT */
/* Ranges of 64-bit addresses that do not overlap, each with a value. */
#ifndef UTIL_RANGEMAP_H
#define UTIL_RANGEMAP_H

#include <stddef.h>
#include <stdint.h>

/** struct dfd_range - @start to @last, inclusive, so that the last address can be in a range */
struct dfd_range {
	uint64_t start;
	uint64_t last;
	void *value;
};

/** struct dfd_rangemap - zero it before the first use */
struct dfd_rangemap {
	struct dfd_range *ranges; /* ascending */
	size_t count;
	size_t room;
};

/** dfd_rangemap_add() - Return: 0, -EEXIST on overlap, -ENOMEM */
int dfd_rangemap_add(struct dfd_rangemap *map, uint64_t start, uint64_t last, void *value);

/** dfd_rangemap_find() - Return: the range that holds @address, or NULL */
const struct dfd_range *dfd_rangemap_find(const struct dfd_rangemap *map, uint64_t address);

/** dfd_rangemap_next() - Return: position of the first range that ends at or after @address */
size_t dfd_rangemap_next(const struct dfd_rangemap *map, uint64_t address);

/** dfd_rangemap_remove() - take out @count ranges from position @first on; values stay the caller's
 */
void dfd_rangemap_remove(struct dfd_rangemap *map, size_t first, size_t count);

/**
 * dfd_rangemap_gap() - the lowest free place
 * @min: lowest address wanted
 * @max: highest address wanted, inclusive
 * @size: bytes
 * @align: a power of two
 * @start: receives the place
 *
 * Return: 0 or -ENOSPC.
 */
int dfd_rangemap_gap(const struct dfd_rangemap *map, uint64_t min, uint64_t max, uint64_t size,
		     uint64_t align, uint64_t *start);

/** dfd_rangemap_finish() - free the map; values stay the caller's */
void dfd_rangemap_finish(struct dfd_rangemap *map);

#endif
