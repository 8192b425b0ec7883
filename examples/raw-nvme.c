/* SPDX-License-Identifier: MIT */
/*
 * A driver for NVMe controllers with nothing but Linux's VFIO, by a group; what it prints is what
 * nvme.c prints. Doorbells that can be mapped are written in memory.
 *
 * usage: raw-nvme FUNCTION identify
 *        raw-nvme FUNCTION read|write|verify FIRST COUNT [SEED], such as
 *        devfd run --device 0000:00:04.0=model:nvme,image=disk.img -- raw-nvme 0000:00:04.0 read 0
 * 8
 */
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CAP = 0x00, VS = 0x08, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30 };
enum { CREATE_SQ = 0x01, CREATE_CQ = 0x05, IDENTIFY = 0x06 };
enum { FLUSH = 0x00, WRITE = 0x01, READ = 0x02 };

#define DOORBELLS 0x1000u
#define ENABLE	  0x00460001u /* queue entries of 64 and 16 bytes, pages of 4 KiB */
#define READY	  0x1u
#define PAGE	  4096u
#define DEPTH	  32u
#define IOVA	  UINT64_C(0x1000000)

/* Two queues of two pages each, then a page of data. */
#define DATA_AT (UINT64_C(4) * PAGE)
#define MEMORY	(DATA_AT + PAGE)

struct queue {
	unsigned int id, tail, head, phase;
};

static int device, event;
static uint64_t bar0, config; /* where they are in the file */
static unsigned int stride;
static uint8_t *memory, *data;
static uint8_t *doorbells; /* a page, NULL where it cannot be mapped */
static struct queue admin = { .id = 0, .phase = 1 }, io = { .id = 1, .phase = 1 };
static uint64_t blocks;
static uint32_t block_size;

static int ask(int fd, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

/* ---- the device and its DMA ---- */

static int must_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void open_device(const char *function)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = MEMORY,
	};
	int container = must_open("/dev/vfio/vfio"), group;
	char path[PATH_MAX], link[PATH_MAX] = "";

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", function);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		err(1, "%s", path);
	snprintf(path, sizeof(path), "/dev/vfio%.32s", strrchr(link, '/'));
	group = must_open(path);
	ask(group, VFIO_GROUP_SET_CONTAINER, &container, "GROUP_SET_CONTAINER");
	ask(container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU, "SET_IOMMU");
	ask(container, VFIO_IOMMU_MAP_DMA, &map, "IOMMU_MAP_DMA");
	device = ask(group, VFIO_GROUP_GET_DEVICE_FD, (void *)(uintptr_t)function, "GET_DEVICE_FD");
}

static uint64_t region(uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	ask(device, VFIO_DEVICE_GET_REGION_INFO, &info, "GET_REGION_INFO");
	return info.offset;
}

static void enable_irq(void)
{
	union {
		struct vfio_irq_set head;
		char bytes[sizeof(struct vfio_irq_set) + sizeof(int)];
	} set = { .head = { .argsz = sizeof(set),
			    .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			    .index = VFIO_PCI_MSIX_IRQ_INDEX,
			    .count = 1 } };
	uint16_t command;

	if (pread(device, &command, 2, (off_t)(config + 4)) != 2)
		err(1, "command register");
	command = htole16(le16toh(command) | 4); /* bus master: messages are DMA, too */
	if (pwrite(device, &command, 2, (off_t)(config + 4)) != 2)
		err(1, "command register");
	event = eventfd(0, EFD_CLOEXEC);
	memcpy(set.head.data, &event, sizeof(event));
	ask(device, VFIO_DEVICE_SET_IRQS, &set, "SET_IRQS");
}

static uint32_t get(uint64_t reg)
{
	uint32_t value;

	if (pread(device, &value, 4, (off_t)(bar0 + reg)) != 4)
		err(1, "register 0x%" PRIx64, reg);
	return le32toh(value);
}

static void put(uint64_t reg, uint32_t value)
{
	value = htole32(value);
	if (pwrite(device, &value, 4, (off_t)(bar0 + reg)) != 4)
		err(1, "register 0x%" PRIx64, reg);
}

static void map_doorbells(void)
{
	void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, device,
			 (off_t)(bar0 + DOORBELLS));

	/* No further than the page. */
	if (map != MAP_FAILED && stride <= PAGE / 4)
		doorbells = map;
}

static void ring(unsigned int number, uint32_t value)
{
	const size_t at = (size_t)number * stride;

	if (!doorbells) {
		put(DOORBELLS + at, value);
		return;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* behind what is in memory */
	*(volatile uint32_t *)(void *)(doorbells + at) = htole32(value);
}

static uint64_t load(const uint8_t *at, size_t width)
{
	uint64_t value = 0;

	memcpy(&value, at, width);
	return le64toh(value);
}

/* ---- commands ---- */

struct command {
	uint8_t opcode;
	uint32_t nsid, cdw10, cdw11, cdw12;
	uint64_t prp1;
};

static void submit(struct queue *q, const struct command *c)
{
	uint64_t words[8] = {
		htole64(c->opcode | (uint64_t)q->tail << 16 | (uint64_t)c->nsid << 32),
		0,
		0,
		htole64(c->prp1),
		0,
		htole64(c->cdw10 | (uint64_t)c->cdw11 << 32),
		htole64(c->cdw12),
	};

	memcpy(memory + (size_t)2 * PAGE * q->id + (size_t)64 * q->tail, words, 64);
	q->tail = (q->tail + 1) % DEPTH;
	ring(2 * q->id, q->tail);
}

static void must(struct queue *q, const struct command *c)
{
	const volatile uint8_t *entry =
		memory + (size_t)2 * PAGE * q->id + PAGE + (size_t)16 * q->head;
	struct pollfd wait = { .fd = event, .events = POLLIN };
	unsigned int status;
	uint64_t count;

	submit(q, c);
	while ((entry[14] & 1) != q->phase) {
		if (poll(&wait, 1, 5000) != 1 || read(event, &count, 8) != 8)
			errx(1, "no interrupt came");
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	status = (entry[14] | (unsigned int)entry[15] << 8) >> 1;
	q->head = (q->head + 1) % DEPTH;
	q->phase ^= !q->head;
	ring(2 * q->id + 1, q->head);
	if (status)
		errx(1, "opcode 0x%02x of queue %u failed: status 0x%x", c->opcode, q->id, status);
}

/* ---- start ---- */

static void wait_ready(uint32_t wanted)
{
	while ((get(CSTS) & READY) != wanted)
		;
}

static void put_address(uint64_t reg, uint64_t iova)
{
	put(reg, (uint32_t)iova);
	put(reg + 4, (uint32_t)(iova >> 32));
}

static void identify(uint32_t what, uint32_t nsid)
{
	must(&admin,
	     &(struct command){
		     .opcode = IDENTIFY, .nsid = nsid, .cdw10 = what, .prp1 = IOVA + DATA_AT });
}

static void find_namespace(void)
{
	identify(0, 1);
	blocks = load(data, 8);
	block_size = 1u << (load(data + 128 + (size_t)4 * (data[26] & 0xf), 4) >> 16 & 0xf);
	if (block_size < 512 || block_size > PAGE)
		errx(1, "namespace 1 has blocks that this driver does not know");
}

static void start(void)
{
	const uint32_t queue = (DEPTH - 1) << 16 | 1;

	stride = 4u << (get(CAP + 4) & 0xf);
	map_doorbells();
	put(CC, 0);
	wait_ready(0);
	put(AQA, (DEPTH - 1) << 16 | (DEPTH - 1));
	put_address(ASQ, IOVA);
	put_address(ACQ, IOVA + PAGE);
	put(CC, ENABLE);
	wait_ready(READY);
	must(&admin, &(struct command){ .opcode = CREATE_CQ,
					.cdw10 = queue,
					.cdw11 = 3, /* with interrupts */
					.prp1 = IOVA + UINT64_C(3) * PAGE });
	must(&admin, &(struct command){ .opcode = CREATE_SQ,
					.cdw10 = queue,
					.cdw11 = 1 << 16 | 1,
					.prp1 = IOVA + UINT64_C(2) * PAGE });
}

/* ---- what nvme.c does ---- */

static void print_text(const char *what, const uint8_t *text, int len)
{
	while (len && text[len - 1] == ' ')
		len--;
	printf("%s: %.*s\n", what, len, (const char *)text);
}

static void show(void)
{
	uint32_t version = get(VS);

	identify(1, 0);
	printf("NVMe %" PRIu32 ".%" PRIu32 ", doorbells in %s\n", version >> 16,
	       version >> 8 & 0xff, doorbells ? "memory" : "registers");
	print_text("model", data + 24, 40);
	print_text("serial", data + 4, 20);
	print_text("firmware", data + 64, 8);
	printf("namespaces: %" PRIu64 "\n", load(data + 516, 4));
	find_namespace();
	printf("namespace 1: %" PRIu64 " blocks of %" PRIu32 " bytes\n", blocks, block_size);
}

static void pattern(uint8_t *bytes, uint64_t block, uint64_t seed)
{
	uint64_t x = (block + 1) * UINT64_C(0x9e3779b97f4a7c15) + seed;

	for (uint32_t i = 0; i < block_size; i++) {
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		bytes[i] = (uint8_t)(x >> 56);
	}
}

static void do_block(char action, uint64_t block, uint64_t seed)
{
	uint8_t expected[PAGE];

	pattern(expected, block, seed);
	memcpy(data, expected, action == 'w' ? block_size : 0);
	must(&io, &(struct command){ .opcode = action == 'w' ? WRITE : READ,
				     .nsid = 1,
				     .prp1 = IOVA + DATA_AT,
				     .cdw10 = (uint32_t)block,
				     .cdw11 = (uint32_t)(block >> 32) });
	if (action == 'v' && memcmp(expected, data, block_size) != 0)
		errx(1, "block %" PRIu64 " holds other bytes", block);
}

static void do_blocks(const char *action, uint64_t first, uint64_t count, uint64_t seed)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (uint64_t block = first; block < first + count; block++) {
		do_block(*action, block, seed);
		for (uint32_t i = 0; i < block_size; i++)
			h = (h ^ data[i]) * UINT64_C(0x100000001b3);
	}
	if (*action == 'w')
		must(&io, &(struct command){ .opcode = FLUSH, .nsid = 1 });
	printf("%s: %" PRIu64 " blocks from %" PRIu64, action, count, first);
	if (*action == 'r')
		printf(", hash 0x%016" PRIx64, h);
	printf("\n");
}

/* A mistake must not write to block 0. */
static uint64_t number(const char *text)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno)
		errx(2, "%s is no number", text);
	return value;
}

static bool moves_blocks(const char *action)
{
	return !strcmp(action, "read") || !strcmp(action, "write") || !strcmp(action, "verify");
}

int main(int argc, char **argv)
{
	uint64_t args[3] = { 0, 0, 1 };

	if (argc == 3 ? strcmp(argv[2], "identify") != 0
		      : (argc != 5 && argc != 6) || !moves_blocks(argv[2]))
		errx(2, "usage: raw-nvme FUNCTION identify|read|write|verify [FIRST COUNT [SEED]]");
	for (int i = 3; i < argc; i++)
		args[i - 3] = number(argv[i]);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	data = memory + DATA_AT;
	if (memory == MAP_FAILED)
		err(1, "memory");
	open_device(argv[1]);
	bar0 = region(VFIO_PCI_BAR0_REGION_INDEX);
	config = region(VFIO_PCI_CONFIG_REGION_INDEX);
	enable_irq();
	start();
	if (argc == 3) {
		show();
	} else {
		find_namespace();
		do_blocks(argv[2], args[0], args[1], args[2]);
	}
	put(CC, 0);
	wait_ready(0);
	if (fflush(stdout))
		err(1, "standard output");
	return 0;
}
