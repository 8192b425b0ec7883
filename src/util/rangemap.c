/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/rangemap.h"

size_t dfd_rangemap_next(const struct dfd_rangemap *map, uint64_t address)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (map->ranges[mid].last < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct dfd_range *dfd_rangemap_find(const struct dfd_rangemap *map, uint64_t address)
{
	size_t i = dfd_rangemap_next(map, address);

	return i < map->count && map->ranges[i].start <= address ? &map->ranges[i] : NULL;
}

int dfd_rangemap_add(struct dfd_rangemap *map, uint64_t start, uint64_t last, void *value)
{
	size_t i = dfd_rangemap_next(map, start);

	if (i < map->count && map->ranges[i].start <= last)
		return -EEXIST;
	if (map->count == map->room) {
		size_t room = map->room ? 2 * map->room : 8;
		struct dfd_range *grown = reallocarray(map->ranges, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		map->ranges = grown;
		map->room = room;
	}
	memmove(&map->ranges[i + 1], &map->ranges[i], (map->count - i) * sizeof(*map->ranges));
	map->ranges[i] = (struct dfd_range){ start, last, value };
	map->count++;
	return 0;
}

void dfd_rangemap_remove(struct dfd_rangemap *map, size_t first, size_t count)
{
	if (!count)
		return;
	memmove(&map->ranges[first], &map->ranges[first + count],
		(map->count - first - count) * sizeof(*map->ranges));
	map->count -= count;
}

int dfd_rangemap_gap(const struct dfd_rangemap *map, uint64_t min, uint64_t max, uint64_t size,
		     uint64_t align, uint64_t *start)
{
	uint64_t at = min;

	for (size_t i = dfd_rangemap_next(map, min);; i++) {
		uint64_t end;

		if (at > UINT64_MAX - (align - 1))
			return -ENOSPC;
		at = (at + align - 1) & ~(align - 1);
		if (at > max || size - 1 > max - at)
			return -ENOSPC;
		end = at + (size - 1);
		if (i >= map->count || end < map->ranges[i].start)
			break;
		if (map->ranges[i].last == UINT64_MAX)
			return -ENOSPC;
		if (map->ranges[i].last >= at)
			at = map->ranges[i].last + 1;
	}
	*start = at;
	return 0;
}

void dfd_rangemap_finish(struct dfd_rangemap *map)
{
	free(map->ranges);
	*map = (struct dfd_rangemap){ 0 };
}
