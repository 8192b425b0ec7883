/* SPDX-License-Identifier: MIT */
/* A device through its IOMMU group: container, group and device fd. */
#ifndef KERNEL_GROUP_H
#define KERNEL_GROUP_H

#include "kernel/calls.h"
#include "kernel/function.h"

/* Room for the name of a PCI function or a UUID. */
#define TARGET_NAME_SIZE 40

/**
 * struct kernel_target - the device that is to be opened
 * @address: as messages name it
 * @name: as sysfs and VFIO name it
 * @dir: its directory in sysfs
 * @mediated: it is a mediated device, which a driver of VFIO has made
 * @group: number of its IOMMU group
 */
struct kernel_target {
	const struct kernel_env *env;
	char address[TARGET_NAME_SIZE + 8];
	char name[TARGET_NAME_SIZE];
	int dir;
	bool mediated;
	unsigned int group;
};

/** struct kernel_group - the fds of an open device; -1 where there is none */
struct kernel_group {
	const struct kernel_calls *calls;
	int container;
	int group;
	int device;
};

/**
 * group_open() - open the group of a device, and the device in it
 * @g: receives the fds; give them back with group_close()
 * @err: optional; names what stands in the way and how to remove it
 *
 * Nothing is opened while sysfs already tells that it would fail. The kernel resets the device and
 * clears bus mastering.
 *
 * Return: 0; -EOPNOTSUPP without an IOMMU; -ENODEV for a device that no driver of VFIO has, or
 * that is gone; -EPERM for a group that is not viable and without interrupt remapping; -EBUSY;
 * -EACCES; or what the kernel says.
 */
int group_open(struct kernel_target *t, struct kernel_group *g, struct dfd_error *err);

/** group_close() - close what is open */
void group_close(struct kernel_group *g);

#endif
