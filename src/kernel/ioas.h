/* SPDX-License-Identifier: MIT */
/* DMA maps of an address space in an iommufd. */
#ifndef KERNEL_IOAS_H
#define KERNEL_IOAS_H

#include "kernel/space.h"

/** ioas_new() - make the address space of @s, whose fd is an iommufd. Return: 0 or -errno */
int ioas_new(struct space *s);

/**
 * ioas_count_writes() - page tables that keep account of what is written, where the IOMMU has such
 * @device: number of the device in the iommufd
 *
 * Where it has none s->hwpt stays 0, and the kernel makes page tables by itself.
 */
void ioas_count_writes(struct space *s, uint32_t device);

/** ioas_ops - for a space that ioas_new() was called for */
extern const struct space_ops ioas_ops;

/**
 * ioas_noiommu_ops - the same for devices without an IOMMU
 *
 * Such a device reaches memory at its physical address, so that is the IOVA of a map, and only
 * memory that lies there in one piece can be mapped.
 */
extern const struct space_ops ioas_noiommu_ops;

#endif
