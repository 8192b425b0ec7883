/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "device/dma_pages.h"

/* There may be an IOMMU behind a server, such as has these. */
#define PAGE	    UINT64_C(4096)
#define LARGE_PAGES (UINT64_C(1) << 21 | UINT64_C(1) << 30)

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

/* Address 0 is never chosen: too many drivers take it for no address. */
int dma_place(struct dfd_iovamap *maps, const struct dfd_dma_map *map, uint64_t *iova)
{
	uint64_t max = map->max_iova ? map->max_iova : UINT64_MAX - 1;
	uint64_t page, pages = PAGE | dma_pages(map, LARGE_PAGES);
	int ret = -ENOSPC;

	*iova = map->iova;
	if (map->iova != DFD_IOVA_ANY)
		return 0;
	while (ret && (page = dma_pages_largest(pages))) {
		ret = dfd_iovamap_gap(maps, PAGE, max, map->size, page, iova);
		pages &= ~page;
	}
	return ret;
}
