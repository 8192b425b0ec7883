/* SPDX-License-Identifier: MIT */
/* DMA maps of a container of type 1. */
#ifndef KERNEL_TYPE1_H
#define KERNEL_TYPE1_H

#include <pthread.h>

#include <devfd/device.h>

#include "kernel/calls.h"
#include "util/iovamap.h"

/* Allowed ranges that are looked at; the rest of a longer list is not used. */
#define TYPE1_MAX_RANGES 64u

/** struct type1_range - addresses that the IOMMU takes, @last inclusive */
struct type1_range {
	uint64_t start;
	uint64_t last;
};

/**
 * struct type1 - the address space of a container
 * @page: smallest page of the IOMMU, in bytes
 * @lock: guards @maps; held during a map and an unmap, which the kernel does one by one, too
 * @low: below it nothing is free, so that the search for a place need not start from the beginning
 * @maps: what is mapped
 */
struct type1 {
	const struct kernel_calls *calls;
	int container;
	uint64_t page;
	struct type1_range ranges[TYPE1_MAX_RANGES];
	uint32_t num_ranges;
	pthread_mutex_t lock;
	uint64_t low;
	struct dfd_iovamap maps;
};

/**
 * type1_init() - learn what the container can map
 * @container: with its IOMMU set; stays the caller's
 *
 * Return: 0 or what the kernel says; then there is nothing to finish.
 */
int type1_init(struct type1 *t, const struct kernel_calls *calls, int container,
	       struct dfd_error *err);

/** type1_finish() - forget the maps; call it after the container was closed */
void type1_finish(struct type1 *t);

/**
 * type1_map() - map memory
 *
 * Return: as dfd_dma_map(); -ENOMEM also beyond RLIMIT_MEMLOCK, -ENOSPC also when the container
 * can take no further map, -EINVAL also outside of the allowed ranges and off page boundaries.
 */
int type1_map(struct type1 *t, struct dfd_dma_map *map);

/** type1_unmap() - as dfd_dma_unmap() */
int type1_unmap(struct type1 *t, uint64_t iova, uint64_t size, uint64_t *unmapped);

/** type1_allows() - Return: true where the IOMMU takes all of [@iova, @last] */
bool type1_allows(const struct type1 *t, uint64_t iova, uint64_t last);

/** type1_has_room() - Return: true where an address can be chosen for a map */
bool type1_has_room(struct type1 *t, const struct dfd_dma_map *map);

#endif
