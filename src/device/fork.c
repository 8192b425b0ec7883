/* SPDX-License-Identifier: MIT */
/*
 * A device in a process that forks.
 *
 * The fds that drive a model (its timer above all) belong to parent and child alike after fork(),
 * so that one would wake or silence the other. The child gives its own up and makes new ones when
 * it is asked for a poll fd.
 */
#include <unistd.h>

#include "device/host.h"
#include "device/process.h"

/* The order in which they nest everywhere else. */
void device_fork_prepare(struct dfd_device *dev)
{
	pthread_mutex_lock(&dev->wait_lock);
	pthread_mutex_lock(&dev->lock);
	if (dev->requests)
		pthread_mutex_lock(&dev->requests->lock);
}

void device_fork_parent(struct dfd_device *dev)
{
	if (dev->requests)
		pthread_mutex_unlock(&dev->requests->lock);
	pthread_mutex_unlock(&dev->lock);
	pthread_mutex_unlock(&dev->wait_lock);
}

void device_fork_child(struct dfd_device *dev)
{
	if (dev->has_thread)
		close(dev->stop_fd);
	dev->has_thread = false;
	if (dev->model)
		model_host_close_poll_fds(dev->model);
	device_fork_parent(dev);
}
