/* SPDX-License-Identifier: MIT */
/*
 * Interrupts, the driver's side: checks that hold for every source, and waiting.
 *
 * The checks are those that the kernel makes before it looks at what the index is: EINVAL whatever
 * the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"
#include "device/host.h"
#include "util/eventfd.h"

#define DATA_FLAGS   (DFD_IRQ_DATA_NONE | DFD_IRQ_DATA_BOOL | DFD_IRQ_DATA_EVENTFD)
#define ACTION_FLAGS (DFD_IRQ_ACTION_MASK | DFD_IRQ_ACTION_UNMASK | DFD_IRQ_ACTION_TRIGGER)

static bool one_bit(uint32_t bits)
{
	return bits && !(bits & (bits - 1));
}

static int check_set(const struct dfd_device *dev, const struct dfd_irq_set *set)
{
	uint32_t vectors = dfd_desc_vectors(dev->desc, set->index);

	if ((set->flags & ~(DATA_FLAGS | ACTION_FLAGS)) || !one_bit(set->flags & DATA_FLAGS) ||
	    !one_bit(set->flags & ACTION_FLAGS))
		return -EINVAL;
	if (set->start >= vectors || set->count > vectors - set->start)
		return -EINVAL;
	if (!set->count &&
	    (set->flags != (DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER) || set->start))
		return -EINVAL;
	return 0;
}

int dfd_set_irqs(struct dfd_device *dev, const struct dfd_irq_set *set)
{
	int ret = check_set(dev, set);

	if (ret)
		return ret;
	if (!dev->model && !dev->ops->set_irqs)
		return -EOPNOTSUPP;
	device_enter(dev);
	ret = dev->ops->set_irqs ? dev->ops->set_irqs(dev, set) : host_set_irqs(dev->model, set);
	device_leave(dev);
	return ret;
}

/* ---- waiting on eventfds of the library ---- */

static void free_wait(struct irq_wait *w)
{
	for (uint32_t i = 0; w && i < w->count; i++) {
		if (w->fds[i] >= 0)
			close(w->fds[i]);
	}
	free(w);
}

void device_drop_waits(struct dfd_device *dev)
{
	while (dev->waits) {
		struct irq_wait *w = dev->waits;

		dev->waits = w->next;
		free_wait(w);
	}
}

/* Take the entry of @index out of the list; wait_lock is held. */
static struct irq_wait *unlink_wait(struct dfd_device *dev, uint32_t index)
{
	for (struct irq_wait **at = &dev->waits; *at; at = &(*at)->next) {
		struct irq_wait *w = *at;

		if (w->index == index) {
			*at = w->next;
			return w;
		}
	}
	return NULL;
}

static int new_wait(uint32_t index, uint32_t count, struct irq_wait **out)
{
	struct irq_wait *w = calloc(1, sizeof(*w) + count * sizeof(*w->fds));

	if (!w)
		return -ENOMEM;
	w->index = index;
	for (; w->count < count; w->count++) {
		w->fds[w->count] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (w->fds[w->count] < 0) {
			int ret = -errno;

			free_wait(w);
			return ret;
		}
	}
	*out = w;
	return 0;
}

int dfd_irq_flags(struct dfd_device *dev, uint32_t index, uint32_t *flags)
{
	int ret;

	if (!DEVICE_HAS(dev, irq_flags))
		return -EOPNOTSUPP;
	device_enter(dev);
	ret = dev->ops->irq_flags(dev, index, flags);
	device_leave(dev);
	return ret;
}

int dfd_irq_enable(struct dfd_device *dev, uint32_t index, uint32_t count)
{
	struct dfd_irq_set set = {
		DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER, index, 0, count, NULL, NULL
	};
	struct irq_wait *w = NULL;
	int ret;

	if (!count || count > dfd_desc_vectors(dev->desc, index))
		return -EINVAL;
	ret = new_wait(index, count, &w);
	if (!w)
		return ret;
	set.fds = w->fds;
	/* Locked throughout: what is waited for is what was routed last. */
	pthread_mutex_lock(&dev->wait_lock);
	ret = dfd_set_irqs(dev, &set);
	if (!ret) {
		free_wait(unlink_wait(dev, index));
		w->next = dev->waits;
		dev->waits = w;
	}
	pthread_mutex_unlock(&dev->wait_lock);
	if (ret)
		free_wait(w);
	return ret;
}

int dfd_irq_disable(struct dfd_device *dev, uint32_t index)
{
	struct dfd_irq_set set = {
		DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER, index, 0, 0, NULL, NULL
	};
	int ret;

	pthread_mutex_lock(&dev->wait_lock);
	ret = dfd_set_irqs(dev, &set);
	free_wait(unlink_wait(dev, index));
	pthread_mutex_unlock(&dev->wait_lock);
	return ret;
}

int dfd_irq_unmask(struct dfd_device *dev, uint32_t index)
{
	struct dfd_irq_set set = {
		DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_UNMASK, index, 0, 1, NULL, NULL
	};

	return dfd_set_irqs(dev, &set);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A duplicate, so that dfd_irq_disable() in another thread cannot pull it away. */
static int wait_fd(struct dfd_device *dev, uint32_t index, uint32_t vector)
{
	int fd = -EINVAL;

	pthread_mutex_lock(&dev->wait_lock);
	for (struct irq_wait *w = dev->waits; w; w = w->next) {
		if (w->index == index && vector < w->count) {
			fd = fcntl(w->fds[vector], F_DUPFD_CLOEXEC, 0);
			if (fd < 0)
				fd = -errno;
		}
	}
	pthread_mutex_unlock(&dev->wait_lock);
	return fd;
}

/* Return: how often it was signalled. */
static int take(int fd)
{
	uint64_t events = dfd_eventfd_take(fd);

	return events > INT32_MAX ? INT32_MAX : (int)events;
}

/* What is left of a time-out, in ms; -1 for ever. */
static int left_until(int64_t end)
{
	int64_t left = end - now_ms();

	if (end < 0)
		return -1;
	return left > 0 ? (int)left : 0;
}

/* The device is served as long as there is no interrupt. */
static int wait_on(struct dfd_device *dev, int fd, int timeout_ms)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLIN },
				 { .fd = dfd_device_poll_fd(dev), .events = POLLIN } };
	int64_t end = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	int ret = take(fd);

	if (fds[1].fd < 0 && fds[1].fd != -EOPNOTSUPP)
		return fds[1].fd;
	if (!ret)
		ret = dfd_device_service(dev);
	while (!ret) {
		int left = left_until(end);

		if (poll(fds, 2, left) < 0)
			return -errno;
		if (fds[0].revents)
			ret = take(fd);
		else if (fds[1].revents)
			ret = dfd_device_service(dev);
		if (!ret && !left)
			return take(fd);
	}
	return ret;
}

int dfd_wait_irq(struct dfd_device *dev, uint32_t index, uint32_t vector, int timeout_ms)
{
	int fd = wait_fd(dev, index, vector), ret;

	if (fd < 0)
		return fd;
	ret = wait_on(dev, fd, timeout_ms);
	close(fd);
	return ret;
}
