/* SPDX-License-Identifier: MIT */
/* The two generations of ioctls, for src/ioctl/ alone. */
#ifndef IOCTL_IOCTL_H
#define IOCTL_IOCTL_H

#include <devfd/device.h>

/** dfd_ioctl_2011() - a request of <devfd/ioctl.h>. Return: as dfd_ioctl() */
int dfd_ioctl_2011(struct dfd_device *dev, uint32_t request, void *user);

/** dfd_ioctl_vfio() - a request of today's VFIO. Return: as dfd_ioctl() */
int dfd_ioctl_vfio(struct dfd_device *dev, uint32_t request, void *user);

/**
 * ioctl_take_eventfds() - turn the caller's eventfds into ours, any negative number into -1
 *
 * Return: 0, -EBADF or -EINVAL as eventfd_ctx_fdget(), with nothing taken; -EMFILE.
 */
int ioctl_take_eventfds(int32_t *fds, uint32_t count);

/** ioctl_drop_eventfds() - once the device has duplicated them */
void ioctl_drop_eventfds(const int32_t *fds, uint32_t count);

#endif
