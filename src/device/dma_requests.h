/* SPDX-License-Identifier: MIT */
/*
 * DMA by message on its way: asked of the driver's callbacks, and to be answered from any thread.
 * Models have such requests, and so has a device of another process that reaches this one's memory
 * by message.
 */
#ifndef DEVICE_DMA_REQUESTS_H
#define DEVICE_DMA_REQUESTS_H

#include <pthread.h>
#include <stdatomic.h>

#include <devfd/provider.h>

/** enum request_state - what a slot for DMA by message is doing */
enum request_state { REQUEST_FREE, REQUEST_SENT, REQUEST_ANSWERED };

/**
 * struct dma_request - one DMA by message under way
 * @sending: inside the call that sends it, which looks for the answer itself
 */
struct dma_request {
	enum request_state state;
	uint64_t id;
	uint64_t iova;
	size_t len;
	void *buf; /* NULL for a write */
	dfd_dma_done done;
	void *ctx;
	int status;
	bool sending;
};

/**
 * struct dma_requests - those of one device
 * @written: optional; a write has succeeded
 * @lock: guards @slots, @next_id and @kick_fd; taken last, never held while foreign code runs
 * @cancelling: done functions run with -ECANCELED; no new request
 * @kick_fd: an eventfd that tells of answers, or -1; its owner closes it
 * @under_way: requests that are not REQUEST_FREE
 * @answers: requests in state REQUEST_ANSWERED, so that nobody need take the lock to find none
 */
struct dma_requests {
	struct dfd_device *dev;
	void (*written)(struct dfd_device *dev, uint64_t iova, uint64_t len);
	pthread_mutex_t lock;
	struct dma_request slots[DFD_MAX_DMA_INFLIGHT];
	uint64_t next_id;
	bool cancelling;
	int kick_fd;
	atomic_uint under_way, answers;
};

void dma_requests_init(struct dma_requests *rs);

/** dma_requests_attach() - answers to @dev go there from now on */
void dma_requests_attach(struct dma_requests *rs, struct dfd_device *dev);
void dma_requests_finish(struct dma_requests *rs);

/** struct dma_place - where a request goes: @offset bytes into the memory that @io reaches */
struct dma_place {
	const struct dfd_dma_io *io;
	void *ctx;
	uint64_t offset;
};

/* The rest with the device locked. */

/**
 * dma_requests_send() - ask for a DMA
 * @r: what is asked, with what to do at the end
 * @out: for a write
 *
 * Return: 0 when @r->done will follow; 1 when it is over already, which is an error if it has
 * failed; -EAGAIN, -ECANCELED, or what the callback says.
 */
int dma_requests_send(struct dma_requests *rs, const struct dma_place *place,
		      const struct dma_request *r, const void *out);

/** dma_requests_run() - run the done functions of answered requests */
void dma_requests_run(struct dma_requests *rs);

/** dma_requests_cancel() - end requests that touch [@iova, @last] with -ECANCELED */
void dma_requests_cancel(struct dma_requests *rs, uint64_t iova, uint64_t last);

#endif
