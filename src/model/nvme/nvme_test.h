/* SPDX-License-Identifier: MIT */
/* A driver for the tests: 1 MiB of memory with one admin queue and one I/O queue in it. */
#ifndef NVME_NVME_TEST_H
#define NVME_NVME_TEST_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/model_test.h"
#include "model/nvme/spec.h"

#define MEMORY_IOVA UINT64_C(0x100000)
#define MEMORY_SIZE 0x100000u
#define ASQ	    0x0000u
#define ACQ	    0x1000u
#define IOSQ	    0x2000u
#define IOCQ	    0x3000u
#define LIST	    0x4000u
#define DATA	    0x10000u
#define DEPTH	    16u
#define DISK_BLOCKS 2048u

#define ENABLE 0x00460001u /* entries of 64 and 16 bytes */

struct command {
	uint8_t opcode, flags;
	uint32_t nsid;
	uint64_t prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13;
};

struct queue {
	uint32_t id, sq, cq, tail, head;
	unsigned int phase;
};

/* Requests by message that wait for an answer. */
struct waiting {
	struct dfd_dma_token token;
	uint64_t offset;
	size_t len;
	bool is_read;
};

struct rig {
	struct dfd_device *dev;
	char path[64];
	uint8_t *memory;
	struct queue admin, io;
	uint16_t next_cid;
	uint32_t result;
	bool hold; /* answers are held back */
	unsigned int num_messages;
	unsigned int num_waiting;
	struct waiting waiting[DFD_MAX_DMA_INFLIGHT];
};

/* ---- memory ---- */

static inline uint64_t iova_of(uint32_t offset)
{
	return MEMORY_IOVA + offset;
}

static inline int message(struct rig *g, uint64_t offset, size_t len, const void *from,
			  struct dfd_dma_token token)
{
	g->num_messages++;
	if (from)
		memcpy(g->memory + offset, from, len);
	if (g->hold)
		g->waiting[g->num_waiting++] = (struct waiting){ token, offset, len, !from };
	else
		dfd_dma_complete(token, 0, g->memory + offset, len);
	return 0;
}

static inline int message_read(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	return message(ctx, offset, len, NULL, token);
}

static inline int message_write(void *ctx, uint64_t offset, const void *buf, size_t len,
				struct dfd_dma_token token)
{
	return message(ctx, offset, len, buf, token);
}

static const struct dfd_dma_io message_io = { .read = message_read, .write = message_write };

static inline void answer_all(struct rig *g)
{
	unsigned int n = g->num_waiting;
	struct waiting w[DFD_MAX_DMA_INFLIGHT];

	memcpy(w, g->waiting, sizeof(w));
	g->num_waiting = 0;
	for (unsigned int i = 0; i < n; i++)
		dfd_dma_complete(w[i].token, 0, g->memory + w[i].offset, w[i].len);
}

static inline void rig_map(struct rig *g, bool by_message)
{
	struct dfd_dma_map map = { .iova = MEMORY_IOVA,
				   .size = MEMORY_SIZE,
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = by_message ? DFD_DMA_MESSAGE : DFD_DMA_ADDRESS,
				   .addr = g->memory,
				   .io = &message_io,
				   .io_ctx = g };

	assert_int_equal(dfd_dma_map(g->dev, &map), 0);
}

/* ---- queues ---- */

static inline void submit_raw(struct rig *g, struct queue *q, const uint8_t raw[64])
{
	memcpy(g->memory + q->sq + 64 * q->tail, raw, 64);
	q->tail = (q->tail + 1) % DEPTH;
	put32(g->dev, NVME_DOORBELLS + 8 * q->id, q->tail);
}

static inline uint16_t submit(struct rig *g, struct queue *q, const struct command *c)
{
	uint8_t raw[64] = { c->opcode, c->flags };
	uint16_t cid = g->next_cid++;

	dfd_reg_store(raw + 2, 2, cid);
	dfd_reg_store(raw + 4, 4, c->nsid);
	dfd_reg_store(raw + 24, 8, c->prp1);
	dfd_reg_store(raw + 32, 8, c->prp2);
	dfd_reg_store(raw + 40, 4, c->cdw10);
	dfd_reg_store(raw + 44, 4, c->cdw11);
	dfd_reg_store(raw + 48, 4, c->cdw12);
	dfd_reg_store(raw + 52, 4, c->cdw13);
	submit_raw(g, q, raw);
	return cid;
}

/* Take a completion. Return: false when there is none. */
static inline bool reap(struct rig *g, struct queue *q, uint16_t *cid, uint16_t *status)
{
	const uint8_t *entry = g->memory + q->cq + 16 * q->head;
	uint32_t last = (uint32_t)dfd_reg_load(entry + 12, 4);

	if ((last >> 16 & 1) != q->phase)
		return false;
	assert_int_equal(dfd_reg_load(entry + 10, 2), q->id);
	g->result = (uint32_t)dfd_reg_load(entry, 4);
	*cid = (uint16_t)last;
	*status = (uint16_t)(last >> 17);
	q->head = (q->head + 1) % DEPTH;
	q->phase ^= !q->head;
	put32(g->dev, NVME_DOORBELLS + 8 * q->id + 4, q->head);
	return true;
}

/* Return: the status of the one command. */
static inline uint16_t run(struct rig *g, struct queue *q, const struct command *c)
{
	uint16_t wanted = submit(g, q, c), cid, status;

	for (int i = 0; i < 1000; i++) {
		if (reap(g, q, &cid, &status)) {
			assert_int_equal(cid, wanted);
			return status;
		}
		assert_int_equal(dfd_device_service(g->dev), 0);
	}
	fail_msg("no completion of opcode 0x%x", c->opcode);
	return 0;
}

static inline uint16_t admin(struct rig *g, struct command c)
{
	return run(g, &g->admin, &c);
}

static inline uint16_t io(struct rig *g, struct command c)
{
	return run(g, &g->io, &c);
}

/* ---- life ---- */

static inline void enable(struct rig *g)
{
	memset(g->memory, 0, LIST);
	g->admin = (struct queue){ 0, ASQ, ACQ, 0, 0, 1 };
	g->io = (struct queue){ 1, IOSQ, IOCQ, 0, 0, 1 };
	set_command(g->dev, 6);
	put32(g->dev, NVME_AQA, (DEPTH - 1) << 16 | (DEPTH - 1));
	put(g->dev, 0, NVME_ASQ, 8, iova_of(ASQ));
	put(g->dev, 0, NVME_ACQ, 8, iova_of(ACQ));
	put32(g->dev, NVME_CC, ENABLE);
	assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY);
}

static inline void create_io_queue(struct rig *g)
{
	uint32_t id = (DEPTH - 1) << 16 | 1;

	assert_int_equal(admin(g, (struct command){ .opcode = NVME_CREATE_CQ,
						    .prp1 = iova_of(IOCQ),
						    .cdw10 = id,
						    .cdw11 = 1 << 16 | 3 }),
			 NVME_OK);
	assert_int_equal(admin(g, (struct command){ .opcode = NVME_CREATE_SQ,
						    .prp1 = iova_of(IOSQ),
						    .cdw10 = id,
						    .cdw11 = 1 << 16 | 1 }),
			 NVME_OK);
}

static inline struct rig *rig_new(const char *options)
{
	struct rig *g = calloc(1, sizeof(*g));
	char spec[160];
	int fd;

	assert_non_null(g);
	snprintf(g->path, sizeof(g->path), "nvme-test-XXXXXX");
	fd = mkstemp(g->path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)DISK_BLOCKS * 512), 0);
	close(fd);
	g->memory = aligned_alloc(4096, MEMORY_SIZE);
	assert_non_null(g->memory);
	memset(g->memory, 0, MEMORY_SIZE);
	snprintf(spec, sizeof(spec), "nvme,image=%s%s", g->path, options);
	g->dev = open_model(spec);
	return g;
}

/* Ready for I/O. */
static inline struct rig *rig_ready(const char *options, bool by_message)
{
	struct rig *g = rig_new(options);

	rig_map(g, by_message);
	enable(g);
	create_io_queue(g);
	return g;
}

static inline void rig_free(struct rig *g)
{
	dfd_device_close(g->dev);
	unlink(g->path);
	free(g->memory);
	free(g);
}

#endif
