/* SPDX-License-Identifier: MIT */
/*
 * A small driver for NVMe controllers, wherever they are.
 *
 * usage: nvme ADDRESS [--poll] identify
 *        nvme ADDRESS [--poll] [--fua] read|write|verify FIRST COUNT [SEED]
 *
 * write fills COUNT blocks from FIRST on with bytes that SEED and the block's number decide, and
 * flushes, or with --fua has each command make its blocks durable; verify reads them back and
 * compares; read prints a hash of what is there.
 * --poll asks no interrupt to come. Doorbells that can be mapped are written in memory. Nothing
 * here depends on the kind of address.
 */
#include <errno.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <devfd/devfd.h>
#include <devfd/mmio.h>

enum { CAP = 0x00, VS = 0x08, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30 };
enum { CREATE_SQ = 0x01, CREATE_CQ = 0x05, IDENTIFY = 0x06 };
enum { FLUSH = 0x00, WRITE = 0x01, READ = 0x02 };

#define DOORBELLS 0x1000u
#define ENABLE	  0x00460001u /* queue entries of 64 and 16 bytes, pages of 4 KiB */
#define FUA	  0x40000000u
#define READY	  0x1u
#define FATAL	  0x2u
#define GONE	  UINT32_MAX
#define PAGE	  4096u
#define DEPTH	  32u
#define DATA_SIZE (2 * PAGE) /* two PRP entries need no list */

struct queue {
	unsigned int id, tail, head, phase;
	uint8_t *sq, *cq;
	uint64_t sq_iova, cq_iova;
};

struct nvme {
	struct dfd_device *dev;
	struct dfd_dma_buf memory; /* queues: 4 pages; data: 2 pages */
	struct queue admin, io;
	uint8_t *data;
	uint64_t data_iova;
	unsigned int stride;
	uint8_t *doorbells; /* a page, NULL where it cannot be mapped */
	bool poll, fua;
	uint32_t irq, vectors;
	uint64_t blocks;
	uint32_t block_size;
};

struct command {
	uint8_t opcode;
	uint32_t nsid, cdw10, cdw11, cdw12;
	uint64_t prp1;
};

static void fail(const char *what)
{
	fprintf(stderr, "nvme: %s\n", what);
	exit(1);
}

static void log_line(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "nvme: %s\n", text);
}

static uint32_t get(struct nvme *n, uint64_t reg)
{
	uint32_t value;

	if (dfd_region_read(n->dev, DFD_PCI_BAR0, reg, &value, 4) != 4)
		fail("a register cannot be read");
	return le32toh(value);
}

static void put(struct nvme *n, uint64_t reg, uint32_t value)
{
	value = htole32(value);
	if (dfd_region_write(n->dev, DFD_PCI_BAR0, reg, &value, 4) != 4)
		fail("a register cannot be written");
}

static void put64(struct nvme *n, uint64_t reg, uint64_t value)
{
	put(n, reg, (uint32_t)value);
	put(n, reg + 4, (uint32_t)(value >> 32));
}

static uint64_t load(const uint8_t *at, size_t width)
{
	uint64_t value = 0;

	memcpy(&value, at, width);
	return le64toh(value);
}

static void store(uint8_t *at, size_t width, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, width);
}

/* ---- commands ---- */

static void ring(struct nvme *n, unsigned int number, uint32_t value)
{
	uint64_t at = (uint64_t)number * n->stride;

	dfd_mmio_wmb();
	if (n->doorbells)
		dfd_mmio_write32(n->doorbells + at, value);
	else
		put(n, DOORBELLS + at, value);
}

static void submit(struct nvme *n, struct queue *q, const struct command *c)
{
	uint8_t *entry = q->sq + (size_t)64 * q->tail;

	memset(entry, 0, 64);
	store(entry, 1, c->opcode);
	store(entry + 2, 2, q->tail);
	store(entry + 4, 4, c->nsid);
	store(entry + 24, 8, c->prp1);
	store(entry + 32, 8, c->prp1 + PAGE);
	store(entry + 40, 4, c->cdw10);
	store(entry + 44, 4, c->cdw11);
	store(entry + 48, 4, c->cdw12);
	q->tail = (q->tail + 1) % DEPTH;
	ring(n, 2 * q->id, q->tail);
}

/*
 * Reading a register lets a device of this process work, and shows whether there still is one. Who
 * looks at doorbells in memory needs that less often.
 */
static void wait_polling(struct nvme *n, const volatile uint8_t *flags, unsigned int phase)
{
	for (unsigned int i = 1; (*flags & 1) != phase; i++) {
		uint32_t status = n->doorbells && i % 1024 ? 0 : get(n, CSTS);

		if (status == GONE || status & FATAL)
			fail("the controller has failed");
	}
}

static void wait_interrupt(struct nvme *n, struct queue *q, const volatile uint8_t *flags)
{
	uint32_t vector = q->id < n->vectors ? q->id : 0;

	while ((*flags & 1) != q->phase) {
		if (dfd_wait_irq(n->dev, n->irq, vector, 5000) <= 0)
			fail("no interrupt came");
	}
}

/* Return: the status, 0 for success. */
static unsigned int run(struct nvme *n, struct queue *q, const struct command *c)
{
	const uint8_t *entry = q->cq + (size_t)16 * q->head;
	unsigned int status;

	submit(n, q, c);
	if (n->poll)
		wait_polling(n, entry + 14, q->phase);
	else
		wait_interrupt(n, q, entry + 14);
	dfd_mmio_rmb();
	status = (unsigned int)load(entry + 14, 2) >> 1;
	q->head = (q->head + 1) % DEPTH;
	q->phase ^= !q->head;
	ring(n, 2 * q->id + 1, q->head);
	if (!n->poll && n->irq == DFD_PCI_INTX)
		dfd_irq_unmask(n->dev, n->irq);
	return status;
}

static void must(struct nvme *n, struct queue *q, struct command c)
{
	unsigned int status = run(n, q, &c);

	if (status) {
		fprintf(stderr, "nvme: opcode 0x%02x of queue %u failed: status 0x%x\n", c.opcode,
			q->id, status);
		exit(1);
	}
}

/* ---- start ---- */

/* Memory decode is on when a device is opened, bus mastering is not. */
static void enable_bus_master(struct nvme *n)
{
	uint16_t command;

	if (dfd_region_read(n->dev, DFD_PCI_CONFIG, 4, &command, 2) != 2)
		fail("configuration space cannot be read");
	command = htole16(le16toh(command) | 4);
	if (dfd_region_write(n->dev, DFD_PCI_CONFIG, 4, &command, 2) != 2)
		fail("configuration space cannot be written");
}

/* One vector for each queue if there are as many. */
static void enable_irq(struct nvme *n)
{
	static const uint32_t kinds[] = { DFD_PCI_MSIX, DFD_PCI_MSI, DFD_PCI_INTX };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		n->irq = kinds[i];
		n->vectors = dfd_desc_vectors(dfd_device_desc(n->dev), n->irq);
		if (n->vectors > 2)
			n->vectors = 2;
		if (n->vectors && !dfd_irq_enable(n->dev, n->irq, n->vectors))
			return;
	}
	fail("no interrupt can be enabled; try --poll");
}

/* Those of queues 0 and 1. */
static void map_doorbells(struct nvme *n)
{
	void *addr;

	if (n->stride <= PAGE / 4 &&
	    !dfd_region_mmap(n->dev, DFD_PCI_BAR0, DOORBELLS, PAGE, PROT_READ | PROT_WRITE, &addr))
		n->doorbells = addr;
}

static void wait_ready(struct nvme *n, uint32_t wanted)
{
	uint32_t status;

	do {
		status = get(n, CSTS);
		if (status == GONE || status & FATAL)
			fail("the controller has failed");
	} while ((status & READY) != wanted);
}

static struct queue make_queue(struct nvme *n, unsigned int id)
{
	uint64_t at = (uint64_t)2 * PAGE * id;
	uint8_t *memory = n->memory.addr;

	return (struct queue){
		.id = id,
		.phase = 1,
		.sq = memory + at,
		.cq = memory + at + PAGE,
		.sq_iova = n->memory.iova + at,
		.cq_iova = n->memory.iova + at + PAGE,
	};
}

static void check_class(const struct nvme *n)
{
	uint32_t class;

	if (dfd_region_read(n->dev, DFD_PCI_CONFIG, 8, &class, 4) != 4)
		fail("configuration space cannot be read");
	if (le32toh(class) >> 8 != 0x010802)
		fail("the device is no NVMe controller");
}

static void start(struct nvme *n)
{
	uint32_t cap_high;

	check_class(n);
	cap_high = get(n, CAP + 4);
	n->stride = 4u << (cap_high & 0xf);
	map_doorbells(n);
	if (cap_high >> 16 & 0xf || (get(n, CAP) & 0xffff) < DEPTH - 1)
		fail("the controller does not take pages of 4 KiB or queues of 32 entries");
	if (dfd_dma_alloc(n->dev, 4 * PAGE + DATA_SIZE, 0, &n->memory))
		fail("there is no memory that the controller can reach");
	n->admin = make_queue(n, 0);
	n->io = make_queue(n, 1);
	n->data = (uint8_t *)n->memory.addr + (size_t)4 * PAGE;
	n->data_iova = n->memory.iova + UINT64_C(4) * PAGE;
	enable_bus_master(n);
	if (!n->poll)
		enable_irq(n);
	put(n, CC, 0);
	wait_ready(n, 0);
	put(n, AQA, (DEPTH - 1) << 16 | (DEPTH - 1));
	put64(n, ASQ, n->admin.sq_iova);
	put64(n, ACQ, n->admin.cq_iova);
	put(n, CC, ENABLE);
	wait_ready(n, READY);
}

static void identify(struct nvme *n, uint32_t what, uint32_t nsid)
{
	must(n, &n->admin,
	     (struct command){
		     .opcode = IDENTIFY, .nsid = nsid, .cdw10 = what, .prp1 = n->data_iova });
}

static void create_io_queue(struct nvme *n)
{
	uint32_t id = (DEPTH - 1) << 16 | 1, vector = !n->poll && n->vectors > 1 ? 1 : 0;

	must(n, &n->admin,
	     (struct command){ .opcode = CREATE_CQ,
			       .prp1 = n->io.cq_iova,
			       .cdw10 = id,
			       .cdw11 = vector << 16 | 1 | (n->poll ? 0 : 2) });
	must(n, &n->admin,
	     (struct command){ .opcode = CREATE_SQ,
			       .prp1 = n->io.sq_iova,
			       .cdw10 = id,
			       .cdw11 = 1 << 16 | 1 });
}

static void find_namespace(struct nvme *n)
{
	uint32_t format;

	identify(n, 0, 1);
	format = (uint32_t)load(n->data + 128 + (size_t)4 * (n->data[26] & 0xf), 4);
	n->blocks = load(n->data, 8);
	n->block_size = (format >> 16 & 0xff) < 32 ? 1u << (format >> 16 & 0xff) : 0;
	if (n->block_size < 512 || n->block_size > DATA_SIZE || format & 0xffff)
		fail("namespace 1 has blocks that this driver does not know");
}

/* ---- what is asked for ---- */

enum action { ACTION_IDENTIFY, ACTION_READ, ACTION_WRITE, ACTION_VERIFY, NUM_ACTIONS };

static const char *const action_names[NUM_ACTIONS] = { "identify", "read", "write", "verify" };

static void print_text(const char *what, const uint8_t *text, int len)
{
	while (len && text[len - 1] == ' ')
		len--;
	printf("%s: %.*s\n", what, len, (const char *)text);
}

static void show(struct nvme *n)
{
	uint32_t version = get(n, VS);

	identify(n, 1, 0);
	printf("NVMe %" PRIu32 ".%" PRIu32 ", doorbells in %s\n", version >> 16,
	       version >> 8 & 0xff, n->doorbells ? "memory" : "registers");
	print_text("model", n->data + 24, 40);
	print_text("serial", n->data + 4, 20);
	print_text("firmware", n->data + 64, 8);
	printf("namespaces: %" PRIu32 "\n", (uint32_t)load(n->data + 516, 4));
	find_namespace(n);
	printf("namespace 1: %" PRIu64 " blocks of %" PRIu32 " bytes\n", n->blocks, n->block_size);
}

static void transfer(struct nvme *n, uint8_t opcode, uint64_t block, uint32_t count)
{
	must(n, &n->io,
	     (struct command){ .opcode = opcode,
			       .nsid = 1,
			       .prp1 = n->data_iova,
			       .cdw10 = (uint32_t)block,
			       .cdw11 = (uint32_t)(block >> 32),
			       .cdw12 = (count - 1) | (n->fua ? FUA : 0) });
}

static void pattern(uint8_t *bytes, uint32_t len, uint64_t block, uint64_t seed)
{
	uint64_t x = (block + 1) * UINT64_C(0x9e3779b97f4a7c15) + seed;

	for (uint32_t i = 0; i < len; i++) {
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		bytes[i] = (uint8_t)(x >> 56);
	}
}

static void check(struct nvme *n, uint64_t block, uint32_t count, uint64_t seed)
{
	uint8_t expected[DATA_SIZE];

	for (uint32_t i = 0; i < count; i++) {
		pattern(expected, n->block_size, block + i, seed);
		if (memcmp(expected, n->data + (size_t)i * n->block_size, n->block_size) == 0)
			continue;
		fprintf(stderr, "nvme: block %" PRIu64 " holds other bytes\n", block + i);
		exit(1);
	}
}

/* FNV-1a. */
static uint64_t hash(uint64_t h, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* One command: @count blocks at @block. */
static void do_piece(struct nvme *n, enum action action, uint64_t block, uint32_t count,
		     uint64_t seed)
{
	if (action == ACTION_WRITE) {
		for (uint32_t i = 0; i < count; i++)
			pattern(n->data + (size_t)i * n->block_size, n->block_size, block + i,
				seed);
		transfer(n, WRITE, block, count);
		return;
	}
	memset(n->data, 0, DATA_SIZE);
	transfer(n, READ, block, count);
	if (action == ACTION_VERIFY)
		check(n, block, count, seed);
}

static void do_blocks(struct nvme *n, enum action action, uint64_t first, uint64_t blocks,
		      uint64_t seed)
{
	const uint32_t most = DATA_SIZE / n->block_size;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (uint64_t done = 0; done < blocks;) {
		uint32_t count = blocks - done < most ? (uint32_t)(blocks - done) : most;

		do_piece(n, action, first + done, count, seed);
		h = hash(h, n->data, count * n->block_size);
		done += count;
	}
	if (action == ACTION_WRITE && !n->fua)
		must(n, &n->io, (struct command){ .opcode = FLUSH, .nsid = 1 });
	printf("%s: %" PRIu64 " blocks from %" PRIu64, action_names[action], blocks, first);
	if (action == ACTION_READ)
		printf(", hash 0x%016" PRIx64, h);
	printf("\n");
}

static void usage(void)
{
	fprintf(stderr,
		"usage: nvme ADDRESS [--poll] identify\n"
		"       nvme ADDRESS [--poll] [--fua] read|write|verify FIRST COUNT [SEED]\n");
	exit(2);
}

/* A mistake must not write to block 0. */
static uint64_t number(const char *text)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno) {
		fprintf(stderr, "nvme: %s is no number\n", text);
		exit(2);
	}
	return value;
}

static enum action find_action(const char *name, int num_args)
{
	for (unsigned int i = 0; i < NUM_ACTIONS; i++) {
		bool fits = i == ACTION_IDENTIFY ? !num_args : num_args == 2 || num_args == 3;

		if (fits && !strcmp(name, action_names[i]))
			return i;
	}
	usage();
	return NUM_ACTIONS;
}

static void drive(struct nvme *n, enum action action, const uint64_t args[3])
{
	start(n);
	if (action == ACTION_IDENTIFY) {
		show(n);
	} else {
		find_namespace(n);
		create_io_queue(n);
		do_blocks(n, action, args[0], args[1], args[2]);
	}
	put(n, CC, 0);
	wait_ready(n, 0);
	dfd_dma_free(n->dev, &n->memory);
	if (n->doorbells)
		munmap(n->doorbells, PAGE);
}

int main(int argc, char **argv)
{
	struct nvme n = { 0 };
	uint64_t args[3] = { 0, 0, 1 };
	int at = 2;
	enum action action;
	struct dfd_error err;

	for (; at < argc && argv[at][0] == '-'; at++) {
		bool *option = !strcmp(argv[at], "--poll")  ? &n.poll
			       : !strcmp(argv[at], "--fua") ? &n.fua
							    : NULL;

		if (!option)
			usage();
		*option = true;
	}
	if (argc <= at)
		usage();
	action = find_action(argv[at], argc - at - 1);
	for (int i = 0; i < argc - at - 1; i++)
		args[i] = number(argv[at + 1 + i]);
	if (dfd_open(argv[1], &n.dev, &err))
		fail(err.text);
	dfd_device_watch_log(n.dev, log_line, NULL);
	drive(&n, action, args);
	dfd_device_close(n.dev);
	if (fflush(stdout))
		fail("standard output cannot be written");
	return 0;
}
