/* SPDX-License-Identifier: MIT */
/* Devices through the kernel's VFIO. */
#ifndef KERNEL_VFIO_H
#define KERNEL_VFIO_H

#include <devfd/device.h>

#include "kernel/calls.h"

/**
 * dfd_vfio_open() - what dfd_open() does for "@scheme:@rest"
 * @env: where; NULL is this machine. Its root must outlive the device
 * @scheme: "pci", "platform", "mdev", "cdev" or "fd"
 * @rest: name and options, such as "0000:01:00.0?via=group"
 *
 * The kernel resets a PCI function and clears bus mastering.
 *
 * Return: 0, -EINVAL, -ENOENT, -ENOMEM, -EBADMSG for answers that make no device, or as
 * link_open().
 */
int dfd_vfio_open(const struct kernel_env *env, const char *scheme, const char *rest,
		  struct dfd_device **out, struct dfd_error *err);

#endif
