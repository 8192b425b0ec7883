/* SPDX-License-Identifier: MIT */
/*
 * Queues: commands in, completions out, and the interrupts that tell of them.
 *
 * What a queue holds is fetched in batches, and one command after the other is taken out of them:
 * the head that a completion reports gives the room of those before it back to the driver.
 */
#include <errno.h>
#include <stdatomic.h>

#include "model/nvme/nvme.h"

#define MAX_COMMANDS 64u /* of one nvme_work() */

void nvme_kick(struct nvme *n)
{
	dfd_timer(nvme_host(n), NVME_TIMER_WORK, 0);
}

/* ---- requests ---- */

static struct nvme_request *take_request(struct nvme *n)
{
	for (unsigned int i = 0; i < NVME_REQUESTS; i++) {
		struct nvme_request *r = &n->requests[i];

		if (r->state != REQUEST_FREE)
			continue;
		r->dropped = false;
		r->pending = 0;
		r->result = 0;
		return r;
	}
	return NULL;
}

static void free_request(struct nvme_request *r)
{
	r->state = REQUEST_FREE;
}

static bool is_of(const struct nvme *n, const struct nvme_request *r, const struct nvme_sq *sq)
{
	return r->state != REQUEST_FREE && (!sq || &n->sq[r->sqid] == sq);
}

bool nvme_busy(const struct nvme *n, const struct nvme_sq *sq)
{
	for (unsigned int i = 0; i < NVME_REQUESTS; i++) {
		if (is_of(n, &n->requests[i], sq))
			return true;
	}
	return false;
}

void nvme_drop(struct nvme *n, const struct nvme_sq *sq)
{
	for (unsigned int i = 0; i < NVME_REQUESTS; i++) {
		struct nvme_request *r = &n->requests[i];

		if (!is_of(n, r, sq))
			continue;
		r->dropped = true;
		if (!r->pending)
			free_request(r);
	}
}

bool nvme_request_gone(struct nvme_request *r)
{
	if (!r->dropped)
		return false;
	if (!r->pending)
		free_request(r);
	return true;
}

void nvme_complete(struct nvme_request *r, uint16_t status)
{
	r->status = status;
	r->state = REQUEST_DONE;
	if (status)
		nvme_log_error(r->n, r, status);
}

/* ---- completions ---- */

static bool is_full(const struct nvme_cq *cq)
{
	return (cq->tail + 1) % cq->size == cq->head;
}

static void posted(struct nvme_request *r, int status)
{
	struct nvme *n = r->n;

	r->pending = 0;
	if (nvme_request_gone(r))
		return;
	if (status < 0)
		nvme_fatal(n, "a completion queue cannot be written");
	else
		n->cq[n->sq[r->sqid].cqid].notify = true;
	free_request(r);
}

static void post_done(void *ctx, int status)
{
	struct nvme_request *r = ctx;

	nvme_kick(r->n);
	posted(r, status);
}

/* The dword with the phase comes last: a driver may be polling it. */
static int write_entry(struct nvme_request *r, uint64_t iova, const uint8_t entry[NVME_CQE])
{
	struct dfd_host *host = nvme_host(r->n);
	uint8_t *to = dfd_dma_get(host, iova, NVME_CQE, DFD_DMA_WRITE);

	if (!to)
		return dfd_dma_write(host, iova, entry, NVME_CQE, post_done, r);
	memcpy(to, entry, NVME_CQE - 4);
	atomic_thread_fence(memory_order_release);
	memcpy(to + NVME_CQE - 4, entry + NVME_CQE - 4, 4);
	dfd_dma_put(host, to, NVME_CQE);
	return 1;
}

static void post(struct nvme_request *r)
{
	struct nvme *n = r->n;
	const struct nvme_sq *sq = &n->sq[r->sqid];
	struct nvme_cq *cq = &n->cq[sq->cqid];
	uint8_t entry[NVME_CQE] = { 0 };
	int ret;

	if (is_full(cq)) {
		n->stuck = true;
		return;
	}
	dfd_reg_store(entry, 4, r->result);
	dfd_reg_store(entry + 8, 2, sq->head);
	dfd_reg_store(entry + 10, 2, r->sqid);
	dfd_reg_store(entry + 12, 2, r->cmd.cid);
	dfd_reg_store(entry + 14, 2, (uint64_t)r->status << 1 | cq->phase);
	ret = write_entry(r, cq->iova + (uint64_t)cq->tail * NVME_CQE, entry);
	if (ret == -EAGAIN)
		return;
	cq->tail = (cq->tail + 1) % cq->size;
	cq->phase ^= !cq->tail;
	if (ret) {
		posted(r, ret);
	} else {
		r->state = REQUEST_POSTING;
		r->pending = 1;
	}
}

/* ---- commands ---- */

static void decode(struct nvme_command *c, const uint8_t raw[NVME_SQE])
{
	c->opcode = raw[0];
	c->flags = raw[1];
	c->cid = (uint16_t)dfd_reg_load(raw + 2, 2);
	c->nsid = (uint32_t)dfd_reg_load(raw + 4, 4);
	c->prp[0] = dfd_reg_load(raw + 24, 8);
	c->prp[1] = dfd_reg_load(raw + 32, 8);
	for (unsigned int i = 10; i < 16; i++)
		c->cdw[i] = (uint32_t)dfd_reg_load(raw + 4 * i, 4);
}

static bool is_conflict(const struct nvme_request *r)
{
	for (unsigned int i = 0; i < NVME_REQUESTS; i++) {
		const struct nvme_request *other = &r->n->requests[i];

		if (other != r && other->state > REQUEST_FETCHING && other->sqid == r->sqid &&
		    other->cmd.cid == r->cmd.cid)
			return true;
	}
	return false;
}

/* The next command of the batch. */
static void start(struct nvme_request *r)
{
	struct nvme_sq *sq = &r->n->sq[r->sqid];

	decode(&r->cmd, sq->batch[sq->batch_size - sq->fetched]);
	sq->fetched--;
	sq->head = (sq->head + 1) % sq->size;
	if (is_conflict(r))
		nvme_complete(r, NVME_ID_CONFLICT);
	else if (r->cmd.flags) /* fused operations, scatter-gather lists */
		nvme_complete(r, NVME_INVALID_FIELD);
	else if (r->sqid)
		nvme_io(r);
	else
		nvme_admin(r);
	if (r->state == REQUEST_DONE)
		post(r);
}

static void fetched(struct nvme_request *r, int status)
{
	struct nvme *n = r->n;
	struct nvme_sq *sq = &n->sq[r->sqid];

	r->pending = 0;
	if (nvme_request_gone(r))
		return;
	sq->fetching = false;
	if (status < 0) {
		free_request(r);
		if (status != -EAGAIN)
			nvme_fatal(n, "a submission queue cannot be read");
		return;
	}
	sq->fetched = sq->batch_size;
	start(r);
}

static void fetch_done(void *ctx, int status)
{
	struct nvme_request *r = ctx;

	nvme_kick(r->n);
	fetched(r, status);
}

/* Those up to the tail or the end of the queue's memory. */
static uint32_t next_batch(const struct nvme_sq *sq)
{
	uint32_t end = sq->tail > sq->head ? sq->tail : sq->size;

	return end - sq->head < NVME_BATCH ? end - sq->head : NVME_BATCH;
}

/* Return: false when there is no room for another DMA; the end of one will bring us back. */
static bool fetch(struct nvme_request *r, uint16_t sqid)
{
	struct nvme *n = r->n;
	struct nvme_sq *sq = &n->sq[sqid];
	int ret;

	r->sqid = sqid;
	r->state = REQUEST_FETCHING;
	if (sq->fetched) {
		start(r);
		return true;
	}
	sq->fetching = true;
	sq->batch_size = next_batch(sq);
	ret = dfd_dma_read(nvme_host(n), sq->iova + (uint64_t)sq->head * NVME_SQE, sq->batch,
			   (size_t)sq->batch_size * NVME_SQE, fetch_done, r);
	if (ret)
		fetched(r, ret);
	else
		r->pending = 1;
	return ret != -EAGAIN;
}

static bool has_command(const struct nvme_sq *sq)
{
	return sq->size && sq->head != sq->tail && !sq->fetching && !sq->deleting;
}

/* The next queue in turn. Return: its number, or NVME_QUEUES. */
static unsigned int next_queue(struct nvme *n)
{
	for (unsigned int i = 0; i < NVME_QUEUES; i++) {
		unsigned int sqid = (n->next_sq + i) % NVME_QUEUES;

		if (!has_command(&n->sq[sqid]))
			continue;
		n->next_sq = sqid + 1;
		return sqid;
	}
	return NVME_QUEUES;
}

static void fetch_some(struct nvme *n)
{
	for (unsigned int i = 0; i < MAX_COMMANDS; i++) {
		struct nvme_request *r = nvme_running(n) ? take_request(n) : NULL;
		unsigned int sqid = r ? next_queue(n) : NVME_QUEUES;

		if (sqid == NVME_QUEUES || !fetch(r, (uint16_t)sqid))
			return;
	}
	nvme_kick(n); /* there may be more */
}

/* ---- work ---- */

static void resume(struct nvme_request *r)
{
	if (r->state == REQUEST_MOVING && !r->pending)
		nvme_transfer_resume(r);
	if (r->state == REQUEST_DELETING)
		nvme_delete_sq_resume(r);
	if (r->state == REQUEST_DONE && !(r->n->csts & NVME_CSTS_CFS))
		post(r);
}

void nvme_update_line(struct nvme *n)
{
	bool up = false;

	for (unsigned int i = 0; i < NVME_QUEUES; i++) {
		const struct nvme_cq *cq = &n->cq[i];

		up |= cq->size && cq->interrupts && cq->head != cq->tail &&
		      !(n->intms >> cq->vector % 32 & 1);
	}
	dfd_irq_level(nvme_host(n), DFD_PCI_INTX,
		      up && !dfd_irq_enabled(nvme_host(n), DFD_PCI_MSIX));
}

static void notify(struct nvme *n)
{
	for (unsigned int i = 0; i < NVME_QUEUES; i++) {
		struct nvme_cq *cq = &n->cq[i];

		if (cq->notify && cq->interrupts)
			dfd_irq_message(nvme_host(n), DFD_PCI_MSIX, cq->vector);
		cq->notify = false;
	}
	nvme_update_line(n);
}

void nvme_work(struct nvme *n)
{
	n->stuck = false;
	for (unsigned int i = 0; i < NVME_REQUESTS; i++)
		resume(&n->requests[i]);
	fetch_some(n);
	notify(n);
	nvme_settle(n);
}

/* ---- doorbells ---- */

static void refuse_doorbell(struct nvme *n, uint32_t number, uint32_t value, bool exists)
{
	dfd_device_log(n->dev, "nvme: 0x%x is not an entry of %s queue %u", value,
		       number & 1 ? "completion" : "submission", number / 2);
	nvme_log_other_error(n);
	nvme_event(n, NVME_EVENT_ERROR,
		   exists ? NVME_EVENT_INVALID_DOORBELL_VALUE : NVME_EVENT_INVALID_DOORBELL);
}

/* The driver takes entries that are there. */
static bool is_taken(const struct nvme_cq *cq, uint32_t head)
{
	uint32_t there = (cq->tail + cq->size - cq->head) % cq->size;

	return (head + cq->size - cq->head) % cq->size <= there;
}

void nvme_doorbell(struct nvme *n, uint32_t number, uint32_t value)
{
	unsigned int id = number / 2;
	bool is_cq = number & 1;
	uint32_t size = id >= NVME_QUEUES ? 0 : is_cq ? n->cq[id].size : n->sq[id].size;

	if (value >= size || (is_cq && !is_taken(&n->cq[id], value))) {
		refuse_doorbell(n, number, value, size);
		return;
	}
	if (is_cq) {
		n->cq[id].head = value;
		nvme_update_line(n);
	} else {
		n->sq[id].tail = value;
	}
	if (!is_cq || n->stuck)
		nvme_kick(n);
}
