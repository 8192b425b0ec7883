/* SPDX-License-Identifier: MIT */
/* The one thread that the library ever starts, and only when asked to. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "device/device.h"
#include "util/eventfd.h"

static void *serve(void *arg)
{
	struct dfd_device *dev = arg;
	struct pollfd fds[2] = { { .fd = dfd_device_poll_fd(dev), .events = POLLIN },
				 { .fd = dev->stop_fd, .events = POLLIN } };

	while (!fds[1].revents) {
		/* A source that has failed stays readable; its callers are told, we only wait. */
		if (poll(fds, 2, -1) > 0 && fds[0].revents && dfd_device_service(dev) < 0)
			fds[0].fd = -1;
	}
	return NULL;
}

/* Signals belong to the program's own threads. */
static int start(struct dfd_device *dev)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&dev->thread, NULL, serve, dev);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}

int dfd_service_thread(struct dfd_device *dev)
{
	int ret = dfd_device_poll_fd(dev);

	if (ret < 0)
		return ret == -EOPNOTSUPP ? 0 : ret; /* nothing to serve */
	ret = 0;
	pthread_mutex_lock(&dev->wait_lock);
	if (!dev->has_thread) {
		dev->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ret = dev->stop_fd < 0 ? -errno : start(dev);
		dev->has_thread = !ret;
		if (ret && dev->stop_fd >= 0)
			close(dev->stop_fd);
	}
	pthread_mutex_unlock(&dev->wait_lock);
	return ret;
}

void device_stop_thread(struct dfd_device *dev)
{
	if (!dev->has_thread)
		return;
	dfd_eventfd_signal(dev->stop_fd);
	pthread_join(dev->thread, NULL);
	close(dev->stop_fd);
	dev->has_thread = false;
}
