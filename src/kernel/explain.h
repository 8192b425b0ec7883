/* SPDX-License-Identifier: MIT */
/*
 * Why the kernel refuses, for people: the object, what was found, what to do.
 *
 * Every function returns the errno that it stores.
 */
#ifndef KERNEL_EXPLAIN_H
#define KERNEL_EXPLAIN_H

#include "kernel/group.h"
#include "kernel/type1.h"

/** explain_no_iommu() - the device has no IOMMU group. Return: -EOPNOTSUPP */
int explain_no_iommu(const struct kernel_target *t, struct dfd_error *err);

/** explain_driver() - Return: 0 when a driver of VFIO has the device, else -ENODEV */
int explain_driver(const struct kernel_target *t, struct dfd_error *err);

/** explain_container() - /dev/vfio/vfio cannot be opened. Return: @ret */
int explain_container(const struct kernel_target *t, int ret, struct dfd_error *err);

/** explain_no_type1() - the container has no IOMMU driver to offer. Return: -ENODEV */
int explain_no_type1(const struct kernel_target *t, struct dfd_error *err);

/** explain_group() - the group cannot be opened or used. Return: @ret */
int explain_group(const struct kernel_target *t, int ret, struct dfd_error *err);

/** explain_not_viable() - another driver has a device of the group. Return: -EPERM */
int explain_not_viable(const struct kernel_target *t, struct dfd_error *err);

/** explain_set_iommu() - the container does not get its IOMMU. Return: @ret */
int explain_set_iommu(const struct kernel_target *t, int ret, struct dfd_error *err);

/** explain_device() - the group does not hand out the device. Return: @ret */
int explain_device(const struct kernel_target *t, int ret, struct dfd_error *err);

/**
 * explain_map() - a DMA map has failed
 * @map: what was asked for
 * @ret: what type1_map() returned
 */
void explain_map(const char *root, struct type1 *t, const struct dfd_dma_map *map, int ret,
		 struct dfd_error *err);

#endif
