/* SPDX-License-Identifier: MIT */
/* Devices through the kernel's VFIO. */
#ifndef KERNEL_VFIO_H
#define KERNEL_VFIO_H

#include <devfd/device.h>

#include "kernel/calls.h"

/**
 * dfd_pci_open() - what dfd_open() does for "pci:@bdf"
 * @env: where; NULL is this machine. Its root must outlive the device
 * @bdf: "0000:01:00.0" or "01:00.0"
 *
 * The kernel resets the function and clears bus mastering.
 *
 * Return: 0, -EINVAL, -ENOENT, -ENOMEM, -EBADMSG for answers that make no device, or as
 * group_open().
 */
int dfd_pci_open(const struct kernel_env *env, const char *bdf, struct dfd_device **out,
		 struct dfd_error *err);

/** dfd_mdev_open() - the same for "mdev:@uuid", a mediated device */
int dfd_mdev_open(const struct kernel_env *env, const char *uuid, struct dfd_device **out,
		  struct dfd_error *err);

#endif
