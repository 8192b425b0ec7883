/* SPDX-License-Identifier: MIT */
/*
 * What the IOMMU of a device of the kernel's VFIO can map, and which memory was written through it.
 */
#ifndef DEVFD_IOMMU_H
#define DEVFD_IOMMU_H

#include <devfd/device.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DFD_MAX_IOVA_RANGES 64u

/** struct dfd_iova_range - addresses that can be mapped, @last inclusive */
struct dfd_iova_range {
	uint64_t start;
	uint64_t last;
};

/**
 * struct dfd_dma_limits - what can be mapped
 * @page: smallest page, in bytes; sizes and addresses are multiples of it
 * @page_sizes: pages of the IOMMU, a bit for each size; of an iommufd, which does not tell the
 *              others, the smallest only
 * @maps_left: how many more maps the kernel takes, UINT64_MAX without a limit
 * @locked: bytes of memory that count as locked, and what is mapped does; UINT64_MAX where that is
 * not known. Of a user it is what processes have pinned that this one may see
 * @lockable: how many may be; UINT64_MAX without a limit. A process with CAP_IPC_LOCK has none,
 * which this does not tell
 * @lockable_by_user: both are of all processes of this user together, not of this one alone
 * @ranges, @num_ranges: addresses; the first DFD_MAX_IOVA_RANGES of them
 */
struct dfd_dma_limits {
	uint64_t page;
	uint64_t page_sizes;
	uint64_t maps_left;
	uint64_t locked;
	uint64_t lockable;
	bool lockable_by_user;
	uint32_t num_ranges;
	struct dfd_iova_range ranges[DFD_MAX_IOVA_RANGES];
};

/**
 * dfd_dma_limits() - what can be mapped now
 *
 * Return: 0; -EOPNOTSUPP for a device that is not the kernel's, or whose memory cannot be mapped;
 * what the kernel says.
 */
int dfd_dma_limits(struct dfd_device *dev, struct dfd_dma_limits *out);

/**
 * dfd_dirty_start() - have the IOMMU, or who pins the memory, keep account of what is written
 *
 * For all devices that share the address space. A container says of memory that is pinned that all
 * of it was written; an iommufd knows the pages where the IOMMU does, and otherwise there is no
 * account to be had. A device that keeps account itself: dfd_dma_logging_start().
 *
 * Return: 0; -EOPNOTSUPP where nobody keeps it, with the reason for dfd_device_watch_log(); what
 * the kernel says.
 */
int dfd_dirty_start(struct dfd_device *dev);

/** dfd_dirty_stop() - Return: as dfd_dirty_start() */
int dfd_dirty_stop(struct dfd_device *dev);

/**
 * dfd_dirty_get() - what was written since the last call, or since the start
 * @iova, @size: whole maps
 * @bitmap: zeroed; receives a bit for each page of struct dfd_dma_limits that was written. Room for
 *          @size / page bits, in words of 64
 *
 * Return: 0; -EINVAL where it was not started, and for a range that cuts a map in two; as
 * dfd_dirty_start().
 */
int dfd_dirty_get(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *bitmap);

/**
 * dfd_dirty_peek() - the same, and the next call tells it once more
 *
 * Costs less where the memory is unmapped next.
 *
 * Return: as dfd_dirty_get(); -EOPNOTSUPP also from a container.
 */
int dfd_dirty_peek(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *bitmap);

#ifdef __cplusplus
}
#endif
#endif
