/* SPDX-License-Identifier: MIT */
/* What a library inside other people's programs (src/shim/) needs of a device and drivers do not.
 */
#ifndef DEVICE_PROCESS_H
#define DEVICE_PROCESS_H

#include <devfd/device.h>

/**
 * device_map_source() - what to map to see a part of a region
 * @index, @offset, @len: the part, as for dfd_region_mmap()
 * @writes: whether stores through the map shall reach the device
 * @fd: receives an fd that stays the device's
 * @at: receives where the part starts in that file
 *
 * Return: as dfd_region_mmap().
 */
int device_map_source(struct dfd_device *dev, uint32_t index, uint64_t offset, size_t len,
		      bool writes, int *fd, uint64_t *at);

/**
 * device_tell() - have another description told of a device that nobody uses yet
 *
 * It may differ in what can be mapped: what of a region is plain memory is still what the provider
 * has said. A reference is taken.
 */
void device_tell(struct dfd_device *dev, const struct dfd_desc *desc);

/** device_has_contents() - Return: false for a device that is only described: nothing writes to it
 */
bool device_has_contents(const struct dfd_device *dev);

/** device_is_served() - Return: true for a device in another process that is no kernel: it reaches
 * files directly, and the memory of this process only by asking
 */
bool device_is_served(const struct dfd_device *dev);

/**
 * device_fork_prepare() - before fork(): wait until no other thread is inside the device
 *
 * To be followed by device_fork_parent() in the parent and by device_fork_child() in the child,
 * which has a copy of the device in the state of that moment. Mapped memory and eventfds are still
 * those of the parent; a service thread has to be started again.
 */
void device_fork_prepare(struct dfd_device *dev);
void device_fork_parent(struct dfd_device *dev);
void device_fork_child(struct dfd_device *dev);

#endif
