/* SPDX-License-Identifier: MIT */
/*
 * A hostile driver against model:nvme, the same one each time.
 * usage: nvme-mutate COUNT [SEED]    with an even SEED doorbells are mapped
 *
 * COUNT damaged commands go to queues that the commands themselves overwrite, create and delete,
 * among writes to registers, resets, memory that comes and goes, and answers by message that are
 * late, wrong or failures. After each session a reset must bring a controller back that works, and
 * commands must not allocate.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/devfd.h>

#include "alloc.h"
#include "mutate.h"
#include "random_desc.h"

enum { CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30, DOORBELLS = 0x1000 };

#define ENABLE	UINT32_C(0x00460001)
#define IOVA	UINT64_C(0x100000)
#define SIZE	0x40000u
#define DEPTH	16u
#define SESSION 64u /* commands */
#define PAGE	4096u

struct session {
	struct dfd_device *dev;
	uint8_t *memory;
	uint64_t seed;
	bool by_message;
	unsigned int num_late;
	struct {
		struct dfd_dma_token token;
		uint64_t offset;
		size_t len;
	} late[DFD_MAX_DMA_INFLIGHT];
	uint32_t *page; /* mapped doorbells, or NULL */
	uint32_t tails[4];
	unsigned long completions, allocated;
};

static uint32_t below(struct session *s, uint32_t n)
{
	return dfd_random_below(&s->seed, n);
}

static void die(const char *what)
{
	fprintf(stderr, "nvme-mutate: %s\n", what);
	abort();
}

/* ---- memory by message ---- */

static void answer(struct session *s, struct dfd_dma_token token, uint64_t offset, size_t len)
{
	uint32_t what = below(s, 128);

	if (what == 0)
		dfd_dma_complete(token, -5, NULL, 0);
	else if (what == 1)
		dfd_dma_complete(token, 0, s->memory + offset, len / 2);
	else
		dfd_dma_complete(token, 0, s->memory + offset, len);
}

static int take(struct session *s, struct dfd_dma_token token, uint64_t offset, size_t len)
{
	if (!below(s, 256))
		return -12;
	if (below(s, 2) || s->num_late == DFD_MAX_DMA_INFLIGHT) {
		answer(s, token, offset, len);
		return 0;
	}
	s->late[s->num_late].token = token;
	s->late[s->num_late].offset = offset;
	s->late[s->num_late++].len = len;
	return 0;
}

static int io_read(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	return take(ctx, token, offset, len);
}

static int io_write(void *ctx, uint64_t offset, const void *buf, size_t len,
		    struct dfd_dma_token token)
{
	struct session *s = ctx;

	memcpy(s->memory + offset, buf, len);
	return take(s, token, offset, len);
}

/* In any order, and some twice. */
static void answer_late(struct session *s)
{
	for (unsigned int n = below(s, 8); n && s->num_late; n--) {
		unsigned int i = below(s, s->num_late);

		answer(s, s->late[i].token, s->late[i].offset, s->late[i].len);
		if (below(s, 8))
			s->late[i] = s->late[--s->num_late];
	}
}

static void map(struct session *s)
{
	static const struct dfd_dma_io io = { .read = io_read, .write = io_write };
	struct dfd_dma_map m = {
		.iova = IOVA,
		.size = SIZE,
		.prot = DFD_DMA_READ | DFD_DMA_WRITE,
		.kind = s->by_message ? DFD_DMA_MESSAGE : DFD_DMA_ADDRESS,
		.addr = s->memory,
		.io = &io,
		.io_ctx = s,
	};

	if (dfd_dma_map(s->dev, &m))
		die("memory cannot be mapped");
}

/* A write of 16 bytes is a completion. */
static void count_completion(void *ctx, uint64_t iova, uint64_t len)
{
	struct session *s = ctx;

	(void)iova;
	s->completions += len == 16;
}

/* ---- registers ---- */

static void put(struct session *s, uint64_t reg, uint32_t value)
{
	if (dfd_region_write(s->dev, DFD_PCI_BAR0, reg, &value, 4) != 4)
		die("a register cannot be written");
}

static uint32_t get(struct session *s, uint64_t reg)
{
	uint32_t value;

	if (dfd_region_read(s->dev, DFD_PCI_BAR0, reg, &value, 4) != 4)
		die("a register cannot be read");
	return value;
}

static void enable(struct session *s)
{
	const uint16_t command = 6;

	dfd_region_write(s->dev, DFD_PCI_CONFIG, 4, &command, 2);
	put(s, AQA, (DEPTH - 1) << 16 | (DEPTH - 1));
	put(s, ASQ, IOVA);
	put(s, ASQ + 4, 0);
	put(s, ACQ, IOVA + PAGE);
	put(s, ACQ + 4, 0);
	put(s, CC, ENABLE);
	memset(s->tails, 0, sizeof(s->tails));
}

/* ---- commands ---- */

static void store(uint8_t *at, size_t width, uint64_t value)
{
	memcpy(at, &value, width);
}

static uint64_t some_address(struct session *s)
{
	return IOVA + (uint64_t)PAGE * below(s, SIZE / PAGE);
}

/* A good command, or nearly. */
static void make_command(struct session *s, uint8_t raw[64])
{
	static const uint8_t opcodes[] = { 0, 1, 2, 4, 5, 6, 8, 9, 10, 12 };
	bool queue;

	memset(raw, 0, 64);
	raw[0] = opcodes[below(s, sizeof(opcodes))];
	queue = raw[0] == 0 || raw[0] == 1 || raw[0] == 4 || raw[0] == 5;
	store(raw + 2, 2, below(s, 64));
	store(raw + 4, 4, below(s, 4) ? 1 : 0);
	store(raw + 24, 8, some_address(s));
	store(raw + 32, 8, some_address(s) + (below(s, 2) ? 0 : 8 * below(s, 512)));
	store(raw + 40, 4,
	      queue && below(s, 2) ? (DEPTH - 1) << 16 | (1 + below(s, 3)) : below(s, 2048));
	store(raw + 44, 4,
	      queue && below(s, 2) ? (1 + below(s, 3)) << 16 | 3
	      : below(s, 8)	   ? 0
				   : 4);
	store(raw + 48, 4, below(s, 256));
}

static void submit(struct session *s)
{
	uint32_t queue = below(s, 4), tail = s->tails[queue];
	uint8_t raw[64];

	make_command(s, raw);
	if (below(s, 4))
		dfd_mutate(raw, sizeof(raw), sizeof(raw), &s->seed);
	memcpy(s->memory + (size_t)2 * PAGE * queue + 64 * (size_t)tail, raw, sizeof(raw));
	s->tails[queue] = (tail + 1) % DEPTH;
	put(s, DOORBELLS + 8 * queue, s->tails[queue]);
	if (below(s, 2)) /* take completions that may not be there */
		put(s, DOORBELLS + 8 * queue + 4, below(s, DEPTH));
}

/* Two I/O queues that work, so that not all depends on luck. */
static void create_queues(struct session *s)
{
	for (uint32_t id = 1; id < 3; id++) {
		for (uint8_t opcode = 5; opcode; opcode = opcode == 5 ? 1 : 0) {
			uint8_t *raw = s->memory + 64 * (size_t)s->tails[0];

			memset(raw, 0, 64);
			raw[0] = opcode;
			store(raw + 24, 8,
			      IOVA + (uint64_t)2 * PAGE * id + (opcode == 5 ? PAGE : 0));
			store(raw + 40, 4, (DEPTH - 1) << 16 | id);
			store(raw + 44, 4, id << 16 | 3);
			put(s, DOORBELLS, ++s->tails[0]);
		}
	}
}

/* ---- everything else a driver can do ---- */

static void disturb(struct session *s)
{
	switch (below(s, 24)) {
	case 0:
		put(s, CC, 0);
		if (below(s, 2))
			put(s, CC, ENABLE);
		break;
	case 1:
		dfd_device_reset(s->dev);
		enable(s);
		break;
	case 2:
		put(s, 4 * below(s, 16), (uint32_t)dfd_random(&s->seed));
		break;
	case 3:
		put(s, DOORBELLS + 4 * below(s, 1024), below(s, 2048));
		if (s->page)
			s->page[below(s, PAGE / 4)] = below(s, 2048);
		break;
	case 4:
		if (dfd_dma_unmap(s->dev, IOVA, SIZE, NULL))
			die("memory cannot be unmapped");
		map(s);
		break;
	case 5:
		for (unsigned int i = 0; i < 64; i++)
			s->memory[below(s, SIZE)] = (uint8_t)below(s, 256);
		break;
	default:
		break;
	}
}

/* What has failed for good is of no use. */
static void revive(struct session *s)
{
	if (get(s, CSTS) == 1)
		return;
	dfd_device_reset(s->dev);
	enable(s);
	create_queues(s);
}

/* However it was treated, a reset makes it work: Identify answers with the serial number. */
static void check_alive(struct session *s)
{
	static const uint8_t identify[64] = { [0] = 6, [26] = 0x11, [40] = 1 };

	s->by_message = false;
	if (dfd_device_reset(s->dev) || dfd_dma_unmap(s->dev, IOVA, SIZE, NULL))
		die("it cannot be reset");
	map(s);
	memset(s->memory, 0, SIZE);
	enable(s);
	if (get(s, CSTS) != 1)
		die("it does not become ready after a reset");
	memcpy(s->memory, identify, sizeof(identify));
	put(s, DOORBELLS, 1);
	dfd_device_service(s->dev);
	if (s->memory[PAGE + 14] != 1 || s->memory[PAGE + 15])
		die("Identify fails after a reset");
	if (memcmp(s->memory + 0x10000 + 4, "fuzz ", 5) != 0)
		die("Identify tells another serial number");
}

static void run_session(struct session *s)
{
	s->by_message = below(s, 2);
	map(s);
	enable(s);
	create_queues(s);
	for (unsigned int i = 0; i < SESSION; i++) {
		disturb(s);
		revive(s);
		dfd_alloc_reset();
		submit(s);
		answer_late(s);
		if (dfd_device_service(s->dev))
			die("service fails");
		s->allocated += dfd_alloc.calls;
	}
	s->num_late = 0;
	check_alive(s);
	dfd_dma_unmap(s->dev, IOVA, SIZE, NULL);
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	struct session s = { .seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1 };
	int image = memfd_create("image", MFD_CLOEXEC);
	struct dfd_error err;
	char address[96];
	void *page = NULL;

	if (!count) {
		fprintf(stderr, "usage: nvme-mutate COUNT [SEED]\n");
		return 2;
	}
	snprintf(address, sizeof(address), "model:nvme,serial=fuzz,image=/proc/self/fd/%d%s", image,
		 s.seed % 2 ? "" : ",doorbells=mapped");
	s.memory = malloc(SIZE);
	if (image < 0 || ftruncate(image, 1 << 20) || !s.memory)
		die("no memory");
	if (dfd_open(address, &s.dev, &err))
		die(err.text);
	if (!(s.seed % 2) &&
	    dfd_region_mmap(s.dev, DFD_PCI_BAR0, DOORBELLS, PAGE, PROT_READ | PROT_WRITE, &page))
		die("doorbells cannot be mapped");
	s.page = page;
	dfd_dma_watch(s.dev, count_completion, &s);
	for (unsigned long i = 0; i < count; i += SESSION)
		run_session(&s);
	dfd_device_close(s.dev);
	if (page)
		munmap(page, PAGE);
	free(s.memory);
	close(image);
	if (s.allocated)
		die("commands have allocated memory");
	if (s.completions < count / 4)
		die("hardly a command comes to its end");
	printf("nvme: %lu commands, %lu completions, nothing allocated\n", count, s.completions);
	return 0;
}
