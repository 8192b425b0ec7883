/* SPDX-License-Identifier: MIT */
/* The inside of a device, for src/device/ alone. */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include <devfd/provider.h>

#include "util/eventfd.h"

struct dma_requests;
struct model_host;

/** struct irq_wait - eventfds that the library holds for dfd_wait_irq() */
struct irq_wait {
	struct irq_wait *next;
	uint32_t index;
	uint32_t count;
	int32_t fds[];
};

/**
 * struct dfd_device - an open device
 * @own: as the provider has described it, which tells what is mappable: see device_tell()
 * @lock: held during every operation if @locked
 * @model: the host of a model, else NULL
 * @requests: DMA by message, where there may be some
 * @resets: how often the device was reset
 * @log: where dfd_device_log() goes, or NULL
 * @wait_lock: guards @waits and the thread; taken before @lock
 */
struct dfd_device {
	const struct dfd_desc *desc;
	const struct dfd_desc *own;
	const struct dfd_device_ops *ops;
	void *priv;
	bool locked;
	pthread_mutex_t lock;
	struct model_host *model;
	struct dma_requests *requests;
	atomic_uint resets;
	void (*log)(void *ctx, const char *text);
	void *log_ctx;

	pthread_mutex_t wait_lock;
	struct irq_wait *waits;
	pthread_t thread;
	bool has_thread;
	int stop_fd;
};

/** device_ops_valid() - Return: whether @ops has at least the size of the first version */
bool device_ops_valid(const struct dfd_device_ops *ops);

/** device_enter() - take the lock and run what is due; every operation starts with it */
void device_enter(struct dfd_device *dev);

/** device_leave() - run what the operation deferred and release the lock */
void device_leave(struct dfd_device *dev);

/** device_doorbells() - what the device names, if it knows of doorbells at all */
const struct dfd_doorbell *device_doorbells(const struct dfd_device *dev, uint32_t *count);

/**
 * dfd_device_quiet() - is the device sure to need no service before the next operation on it?
 *
 * What other threads do on it is not foreseen. Return: true for that.
 */
bool dfd_device_quiet(struct dfd_device *dev);

/** device_signal_by() - drivers are strangers from now on; @s must outlive that. NULL ends it */
void device_signal_by(struct dfd_device *dev, const struct dfd_signaller *s);

/** device_drop_waits() - close the eventfds of dfd_irq_enable() */
void device_drop_waits(struct dfd_device *dev);

/** device_stop_thread() - end the service thread, if there is one */
void device_stop_thread(struct dfd_device *dev);

/** device_feature_is_plain() - Return: may a stranger hand in its body? It holds numbers only */
bool device_feature_is_plain(uint32_t flags);

/** dfd_device_resets() - Return: how often the device was reset; for tests */
unsigned int dfd_device_resets(struct dfd_device *dev);

/* Members that came later: a provider may have been built against a table without them. */
#define DEVICE_HAS(dev, member)                                                                    \
	((dev)->ops->size >=                                                                       \
		 offsetof(struct dfd_device_ops, member) + sizeof((dev)->ops->member) &&           \
	 (dev)->ops->member)

#endif
