/* SPDX-License-Identifier: MIT */
#include "device/dma_pages.h"

uint64_t dma_pages_largest(uint64_t sizes)
{
	return sizes ? UINT64_C(1) << (63 - __builtin_clzll(sizes)) : 0;
}

uint64_t dma_pages(const struct dfd_dma_map *map, uint64_t sizes)
{
	uint64_t at = map->kind == DFD_DMA_ADDRESS ? (uintptr_t)map->addr : map->fd_offset;

	for (uint64_t page; (page = dma_pages_largest(sizes)); sizes &= ~page) {
		if (page <= map->size && !(at % page))
			break;
	}
	return sizes;
}
