/* SPDX-License-Identifier: MIT */
/*
 * Why the kernel refuses, for people: the object, what was found, what to do.
 *
 * Every function returns the errno that it stores.
 */
#ifndef KERNEL_EXPLAIN_H
#define KERNEL_EXPLAIN_H

#include "kernel/space.h"
#include "kernel/target.h"

/** explain_no_iommu() - the device has no IOMMU group. Return: -EOPNOTSUPP */
int explain_no_iommu(const struct kernel_target *t, struct dfd_error *err);

/** explain_driver() - Return: 0 when a driver of VFIO has the device, else -ENODEV */
int explain_driver(const struct kernel_target *t, struct dfd_error *err);

/** explain_firmware() - the firmware needs @range for the device. Return: -EINVAL */
int explain_firmware(const struct kernel_target *t, const char *range, struct dfd_error *err);

/** explain_twice() - the device is open in this process. Return: -EBUSY */
int explain_twice(const struct kernel_target *t, struct dfd_error *err);

/** explain_has_iommu() - use without an IOMMU of a device that has one. Return: -EINVAL */
int explain_has_iommu(const struct kernel_target *t, struct dfd_error *err);

/** explain_only_noiommu() - the device has no IOMMU, but that was not asked for. -EOPNOTSUPP */
int explain_only_noiommu(const struct kernel_target *t, struct dfd_error *err);

/** explain_noiommu_off() - the kernel does not allow use without an IOMMU. Return: -EOPNOTSUPP */
int explain_noiommu_off(const struct kernel_target *t, struct dfd_error *err);

/** machine_why_no_cdev() - Return: why there are no files in /dev/vfio/devices, in machine.c */
const char *machine_why_no_cdev(const char *root);

/** explain_no_cdev() - the device has no file of its own. Return: -EOPNOTSUPP */
int explain_no_cdev(const struct kernel_target *t, struct dfd_error *err);

/** explain_cdev() - the device's own file cannot be opened. Return: @ret */
int explain_cdev(const struct kernel_target *t, const char *file, int ret, struct dfd_error *err);

/** explain_iommufd() - /dev/iommu cannot be opened. Return: @ret */
int explain_iommufd(const struct kernel_target *t, int ret, struct dfd_error *err);

/** explain_ioas() - there is no address space to be had in the iommufd. Return: @ret */
int explain_ioas(const struct kernel_target *t, int ret, struct dfd_error *err);

/** explain_bind() - the device cannot be bound to the iommufd. Return: @ret */
int explain_bind(const struct kernel_target *t, int ret, struct dfd_error *err);

/** explain_attach() - the device does not go into the address space. Return: @ret */
int explain_attach(const struct kernel_target *t, int ret, struct dfd_error *err);

/** explain_container() - /dev/vfio/vfio cannot be opened. Return: @ret */
int explain_container(const struct kernel_target *t, int ret, struct dfd_error *err);

/** explain_no_type1() - the container has no driver to offer for the IOMMU, or for none. Return:
 * -ENODEV */
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
 * @ret: what space_map() returned
 */
void explain_map(const char *root, struct space *s, const struct dfd_dma_map *map, int ret,
		 struct dfd_error *err);

/**
 * explain_account() - nobody keeps account of what is written, or tells it as was asked.
 * -EOPNOTSUPP
 */
int explain_account(const struct space *s, struct dfd_error *err);

#endif
