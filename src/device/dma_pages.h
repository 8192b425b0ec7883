/* SPDX-License-Identifier: MIT */
#ifndef DEVICE_DMA_PAGES_H
#define DEVICE_DMA_PAGES_H

#include <devfd/device.h>

#include "util/iovamap.h"

/**
 * dma_pages() - pages of an IOMMU that memory can fill
 * @sizes: those that it has, a bit for each size
 *
 * At an IOVA that is a multiple of one of them, memory that lies in pieces so large takes one entry
 * of the IOMMU's tables for each, instead of hundreds.
 *
 * Return: the sizes that are not more than the map, and of which the memory's own address, or its
 * place in the file, is a multiple.
 */
uint64_t dma_pages(const struct dfd_dma_map *map, uint64_t sizes);

/** dma_pages_largest() - Return: the largest of @sizes, in bytes, or 0 */
uint64_t dma_pages_largest(uint64_t sizes);

/**
 * dma_place() - where a map is to be, which is for the device's side to choose with DFD_IOVA_ANY
 * @maps: those there are
 * @iova: receives it
 *
 * Return: 0 or -ENOSPC.
 */
int dma_place(struct dfd_iovamap *maps, const struct dfd_dma_map *map, uint64_t *iova);

#endif
