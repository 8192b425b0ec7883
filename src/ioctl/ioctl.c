/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/ioctl.h>

#include <devfd/file.h>

#include "ioctl/ioctl.h"
#include "util/eventfd.h"
#include "util/usermem.h"

static int take_eventfd(int32_t *fd)
{
	int mine = *fd < 0 ? -1 : dfd_user_fd(*fd);

	if (*fd >= 0 && mine < 0)
		return mine;
	*fd = mine;
	if (mine < 0 || dfd_is_eventfd(mine))
		return 0;
	dfd_user_fd_done(mine);
	return -EINVAL;
}

int ioctl_take_eventfds(int32_t *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.*): all @count have been copied in */
		int ret = take_eventfd(&fds[i]);

		if (ret) {
			ioctl_drop_eventfds(fds, i);
			return ret;
		}
	}
	return 0;
}

void ioctl_drop_eventfds(const int32_t *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		dfd_user_fd_done(fds[i]);
}

int dfd_ioctl(struct dfd_device *dev, unsigned long request, void *arg)
{
	/* As in the kernel a request is 32 bits; a caller may have extended its sign. */
	uint32_t number = (uint32_t)request;

	/* The requests of 2011 carry the size of their argument, today's do not. */
	if (_IOC_SIZE(number))
		return dfd_ioctl_2011(dev, number, arg);
	return dfd_ioctl_vfio(dev, number, arg);
}
