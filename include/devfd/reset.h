/* SPDX-License-Identifier: MIT */
/*
 * Hot reset: a PCI function that cannot be reset by itself is reset together with its slot or bus.
 *
 * Everything on there is reset with it, so all of it has to be the caller's.
 */
#ifndef DEVFD_RESET_H
#define DEVFD_RESET_H

#include <devfd/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dfd_reset_device - a function that is reset together with the device
 * @name: "0000:01:00.1"
 * @driver: the driver it is bound to, "" without one
 * @group: number of its IOMMU group, or -1
 * @ours: this process may reset it
 */
struct dfd_reset_device {
	char name[16];
	char driver[64];
	int32_t group;
	bool ours;
};

/**
 * struct dfd_hot_reset - what a hot reset would take along
 * @possible: it can be done now
 * @why: one sentence on what stands in the way, "" if it is possible
 * @count: entries of @devices, the device itself included
 * @devices: in the same piece of memory
 */
struct dfd_hot_reset {
	bool possible;
	char why[256];
	uint32_t count;
	const struct dfd_reset_device *devices;
};

/**
 * dfd_hot_reset_info() - what a hot reset would take along; nothing is done
 * @out: receives it; give it back with free()
 * @err: optional
 *
 * Return: 0; -EOPNOTSUPP or -ENODEV for a device that has no hot reset; -EBADMSG; -ENOMEM; what the
 * kernel says.
 */
int dfd_hot_reset_info(struct dfd_device *dev, struct dfd_hot_reset **out, struct dfd_error *err);

/**
 * dfd_hot_reset() - do it
 * @err: optional; says what stands in the way
 *
 * Bus mastering of @dev is off afterwards; its DMA maps and eventfds stay.
 *
 * Return: 0; -EPERM when not all that is affected is this process's; -EAGAIN or -EBUSY when
 * somebody uses it at this moment; or as dfd_hot_reset_info().
 */
int dfd_hot_reset(struct dfd_device *dev, struct dfd_error *err);

#ifdef __cplusplus
}
#endif
#endif
