/* SPDX-License-Identifier: MIT */
/* An open device: its fd and its address space, by whichever interface of VFIO. */
#ifndef KERNEL_LINK_H
#define KERNEL_LINK_H

#include "kernel/space.h"
#include "kernel/target.h"

/**
 * struct kernel_link - an open device
 * @next: in the list of those of this process
 * @device: the device fd
 * @space: what it can reach; NULL for a device that somebody else has opened with a container
 * @name: as sysfs names it
 */
struct kernel_link {
	struct kernel_link *next;
	const struct kernel_calls *calls;
	int device;
	struct space *space;
	char name[TARGET_NAME_SIZE];
};

/**
 * link_open() - open a device
 * @link: receives the fds; give them back with link_close(). It also stands for the device where
 *        the space asks for an owner
 * @err: optional; names what stands in the way and how to remove it
 *
 * Nothing is opened while sysfs already tells that it would fail. The kernel resets the device and
 * clears bus mastering.
 *
 * Return: 0; -EOPNOTSUPP without an IOMMU, or without the interface asked for; -ENODEV for a device
 * that no driver of VFIO has, or that is gone; -EPERM for a group that is not viable and without
 * interrupt remapping; -EBUSY; -EACCES; or what the kernel says.
 */
int link_open(struct kernel_target *t, struct kernel_link *link, struct dfd_error *err);

/** link_without_iommu() - Return: does VFIO have the device without an IOMMU? */
bool link_without_iommu(const struct kernel_target *t);

/** link_by_file() - Return: would it be opened by its own file, not by its group? */
bool link_by_file(const struct kernel_target *t);

/** link_check_iommu() - is there an IOMMU, or none where that was asked for? Return: 0 or a reason
 */
int link_check_iommu(const struct kernel_target *t, struct dfd_error *err);

/** link_close() - close a device; its DMA maps go with it */
void link_close(struct kernel_link *link);

/* ---- the interfaces, for link.c; spaces are locked, and on failure the caller closes ---- */

/** group_open() - by the group @t->group; without an IOMMU if that is what @via says */
int group_open(const struct kernel_target *t, enum kernel_via via, struct kernel_link *link,
	       struct dfd_error *err);

/**
 * cdev_file() - the device's own file
 * @path: receives it, without the root
 *
 * Return: is there one?
 */
bool cdev_file(const struct kernel_target *t, char *path, size_t room);

/**
 * cdev_open() - by the device's own file
 * @link: its device fd, where that is open already, is used
 * @bound: that fd is bound to t->options.iommufd
 */
int cdev_open(const struct kernel_target *t, enum kernel_via via, bool bound,
	      struct kernel_link *link, struct dfd_error *err);

#endif
