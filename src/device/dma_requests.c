/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a request has a slot and an id. The answer (from any thread) looks for its
 * id: if the slot was cancelled meanwhile the id is gone and the answer is dropped, so nothing late
 * can reach the buffer. Done functions run from service, or with -ECANCELED from whatever cancels;
 * for an answer inside the request there is none to run: that DMA has ended as one by pointer does.
 */
#include <errno.h>
#include <string.h>

#include "device/device.h"
#include "device/dma_answer.h"
#include "device/dma_requests.h"
#include "util/eventfd.h"

void dma_requests_init(struct dma_requests *rs)
{
	pthread_mutex_init(&rs->lock, NULL);
	rs->kick_fd = -1;
}

void dma_requests_attach(struct dma_requests *rs, struct dfd_device *dev)
{
	rs->dev = dev;
	dev->requests = rs;
}

void dma_requests_finish(struct dma_requests *rs)
{
	pthread_mutex_destroy(&rs->lock);
}

/* ---- asking ---- */

static struct dma_request *take_slot(struct dma_requests *rs, const struct dma_request *what)
{
	struct dma_request *r = NULL;

	pthread_mutex_lock(&rs->lock);
	for (unsigned int i = 0; i < DFD_MAX_DMA_INFLIGHT && !r; i++) {
		if (rs->slots[i].state == REQUEST_FREE)
			r = &rs->slots[i];
	}
	if (r) {
		*r = *what;
		r->state = REQUEST_SENT;
		r->sending = true;
		r->id = ++rs->next_id;
		atomic_fetch_add(&rs->under_way, 1);
	}
	pthread_mutex_unlock(&rs->lock);
	return r;
}

static void free_request(struct dma_requests *rs, struct dma_request *r)
{
	if (r->state == REQUEST_ANSWERED)
		atomic_fetch_sub(&rs->answers, 1);
	r->state = REQUEST_FREE;
	atomic_fetch_sub(&rs->under_way, 1);
}

/* The request has left, or could not. Return: as dma_requests_send() */
static int request_sent(struct dma_requests *rs, struct dma_request *r, int ret)
{
	pthread_mutex_lock(&rs->lock);
	r->sending = false;
	if (!ret && r->state == REQUEST_ANSWERED)
		ret = r->status ? r->status : 1;
	else if (ret > 0)
		ret = -EPROTO;
	if (ret)
		free_request(rs, r);
	pthread_mutex_unlock(&rs->lock);
	return ret;
}

int dma_requests_send(struct dma_requests *rs, const struct dma_place *place,
		      const struct dma_request *what, const void *out)
{
	struct dfd_dma_token token = { .dev = rs->dev };
	struct dma_request *r;
	int ret;

	if (rs->cancelling)
		return -ECANCELED;
	r = take_slot(rs, what);
	if (!r)
		return -EAGAIN;
	token.id = r->id;
	ret = what->buf ? place->io->read(place->ctx, place->offset, what->len, token)
			: place->io->write(place->ctx, place->offset, out, what->len, token);
	return request_sent(rs, r, ret);
}

/* ---- answers ---- */

/* The request that waits for this answer, or NULL. The lock is held. */
static struct dma_request *waiting(struct dma_requests *rs, struct dfd_dma_token token)
{
	for (unsigned int i = 0; i < DFD_MAX_DMA_INFLIGHT; i++) {
		struct dma_request *r = &rs->slots[i];

		if (r->state == REQUEST_SENT && r->id == token.id)
			return r;
	}
	return NULL;
}

static void set_answered(struct dma_requests *rs, struct dma_request *r, int status)
{
	r->status = status;
	r->state = REQUEST_ANSWERED;
	atomic_fetch_add(&rs->answers, 1);
}

void dfd_dma_complete(struct dfd_dma_token token, int status, const void *data, size_t len)
{
	struct dma_requests *rs = token.dev->requests;
	struct dma_request *r;

	pthread_mutex_lock(&rs->lock);
	r = waiting(rs, token);
	if (r && r->buf && !status) {
		if (data && len == r->len)
			memcpy(r->buf, data, len);
		else
			status = -EPROTO;
	}
	if (r) {
		set_answered(rs, r, status);
		if (rs->kick_fd >= 0 && !r->sending)
			dfd_eventfd_signal(rs->kick_fd);
	}
	pthread_mutex_unlock(&rs->lock);
}

/* The buffer is the request's until that is over, which takes the lock of the device. */
ssize_t dma_answer_into(struct dfd_dma_token token, size_t offset,
			ssize_t (*fill)(void *ctx, void *at), void *ctx)
{
	struct dma_requests *rs = token.dev->requests;
	const struct dma_request *r;
	ssize_t ret = -ECANCELED;

	pthread_mutex_lock(&token.dev->lock);
	pthread_mutex_lock(&rs->lock);
	r = waiting(rs, token);
	pthread_mutex_unlock(&rs->lock);
	if (r)
		ret = fill(ctx, (uint8_t *)r->buf + offset);
	pthread_mutex_unlock(&token.dev->lock);
	return ret;
}

void dma_answer_done(struct dfd_dma_token token, int status)
{
	struct dma_requests *rs = token.dev->requests;
	struct dma_request *r;

	pthread_mutex_lock(&rs->lock);
	r = waiting(rs, token);
	if (r)
		set_answered(rs, r, status);
	pthread_mutex_unlock(&rs->lock);
	device_enter(token.dev);
	dma_requests_run(rs); /* a model's have run */
	device_leave(token.dev);
}

/* ---- the end ---- */

/* Take a request out of its slot: the oldest of those that @wanted accepts. */
static bool take_request(struct dma_requests *rs, struct dma_request *out,
			 bool (*wanted)(const struct dma_request *r, uint64_t iova, uint64_t last),
			 uint64_t iova, uint64_t last)
{
	struct dma_request *oldest = NULL;

	pthread_mutex_lock(&rs->lock);
	for (unsigned int i = 0; i < DFD_MAX_DMA_INFLIGHT; i++) {
		struct dma_request *r = &rs->slots[i];

		if (wanted(r, iova, last) && (!oldest || r->id < oldest->id))
			oldest = r;
	}
	if (oldest) {
		*out = *oldest;
		free_request(rs, oldest);
	}
	pthread_mutex_unlock(&rs->lock);
	return oldest != NULL;
}

static bool is_answered(const struct dma_request *r, uint64_t iova, uint64_t last)
{
	(void)iova;
	(void)last;
	return r->state == REQUEST_ANSWERED;
}

static bool is_inside(const struct dma_request *r, uint64_t iova, uint64_t last)
{
	return r->state != REQUEST_FREE && r->iova <= last && r->iova + (r->len - 1) >= iova;
}

void dma_requests_run(struct dma_requests *rs)
{
	struct dma_request r;

	/* Bounded: a done function may ask for more, and the answer may come at once. */
	for (unsigned int i = 0; i < DFD_MAX_DMA_INFLIGHT && atomic_load(&rs->answers); i++) {
		if (!take_request(rs, &r, is_answered, 0, 0))
			return;
		if (!r.buf && !r.status && rs->written)
			rs->written(rs->dev, r.iova, r.len);
		r.done(r.ctx, r.status);
	}
}

void dma_requests_cancel(struct dma_requests *rs, uint64_t iova, uint64_t last)
{
	const bool nested = rs->cancelling;
	struct dma_request r;

	/* A done function that tries again is refused, so none is left and this ends. */
	rs->cancelling = true;
	while (atomic_load(&rs->under_way) && take_request(rs, &r, is_inside, iova, last))
		r.done(r.ctx, -ECANCELED);
	rs->cancelling = nested;
}
