/* SPDX-License-Identifier: MIT */
/* DMA maps of an address space in an iommufd. */
#ifndef KERNEL_IOAS_H
#define KERNEL_IOAS_H

#include "kernel/space.h"

/** ioas_new() - make the address space of @s, whose fd is an iommufd. Return: 0 or -errno */
int ioas_new(struct space *s);

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
