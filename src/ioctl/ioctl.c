/* SPDX-License-Identifier: MIT */
#include <sys/ioctl.h>

#include <devfd/file.h>

#include "ioctl/ioctl.h"

int dfd_ioctl(struct dfd_device *dev, unsigned long request, void *arg)
{
	/* As in the kernel a request is 32 bits; a caller may have extended its sign. */
	uint32_t number = (uint32_t)request;

	/* The requests of 2011 carry the size of their argument, today's do not. */
	if (_IOC_SIZE(number))
		return dfd_ioctl_2011(dev, number, arg);
	return dfd_ioctl_vfio(dev, number, arg);
}
