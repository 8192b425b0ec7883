/* SPDX-License-Identifier: MIT */
/* What the kernel's device fd tells, as a description. */
#ifndef KERNEL_DESCRIBE_H
#define KERNEL_DESCRIBE_H

#include "kernel/calls.h"
#include "kernel/function.h"

/* What is wrong with a device that answers nothing, and what to do. */
#define DESCRIBE_DEAD                                                                              \
	"answers all ones, so it has no power or no link; unplug it, or remove it and rescan the " \
	"bus"

/**
 * describe_device() - ask a device fd of VFIO
 * @fd: the device
 * @dir: its directory in sysfs, for what the fd does not tell
 * @offsets: DFD_MAX_REGION_INDEX + 1 entries; receives where the kernel has each region in @fd. In
 *           the description every region has its place of the file layout
 * @out: receives the description
 *
 * Return: as dfd_view_get(); -EIO for a device that answers all ones.
 */
int describe_device(const struct kernel_calls *calls, int fd, int dir, uint64_t *offsets,
		    const struct dfd_desc **out, struct dfd_error *err);

#endif
