/* SPDX-License-Identifier: MIT */
/*
 * The driver of edu.c with nothing but Linux's VFIO: what it prints is the same.
 *
 * usage: raw-vfio-edu group|cdev FUNCTION N [SEED], such as
 *        devfd run --device 0000:00:04.0=model:edu -- raw-vfio-edu group 0000:00:04.0 10
 *
 * "group" goes by /dev/vfio/N and a container, "cdev" by the device's own file and an iommufd.
 */
#include <dirent.h>
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* What headers of before Linux 6.6 lack, and those of iommufd. */
struct bind_iommufd {
	__u32 argsz, flags;
	__s32 iommufd;
	__u32 out_devid;
};
struct attach_iommufd_pt {
	__u32 argsz, flags, pt_id;
};
struct ioas_alloc {
	__u32 size, flags, out_ioas_id;
};
struct ioas_map {
	__u32 size, flags, ioas_id, reserved;
	__u64 user_va, length, iova;
};
#define BIND_IOMMUFD	  _IO(VFIO_TYPE, VFIO_BASE + 18)
#define ATTACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 19)
#define IOAS_ALLOC	  _IO(';', 0x81)
#define IOAS_MAP	  _IO(';', 0x85)
#define IOAS_MAP_FLAGS	  7u /* at this IOVA, writable, readable */

enum {
	ID = 0x00,
	LIVENESS = 0x04,
	FACTORIAL = 0x08,
	STATUS = 0x20,
	IRQ_STATUS = 0x24,
	IRQ_ACK = 0x64,
	DMA_SRC = 0x80,
	DMA_DST = 0x88,
	DMA_COUNT = 0x90,
	DMA_COMMAND = 0x98,
};

#define STATUS_BUSY 0x01u
#define STATUS_IRQ  0x80u
#define START_IRQ   5u
#define TO_MEMORY   2u
#define DMA_BUFFER  0x40000u
#define DMA_SIZE    4096u
#define DMA_PIECE   2048u
#define IOVA	    UINT64_C(0x1000000) /* the device has 28 bits of address */

static int device, event;
static uint64_t bar0, config; /* where they are in the file */

static int ask(int fd, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

static int must_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* ---- the two ways to a device and its DMA ---- */

static void open_by_group(const char *function, void *memory)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = UINT64_C(2) * DMA_SIZE,
	};
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int container = must_open("/dev/vfio/vfio"), group;
	char path[PATH_MAX], link[PATH_MAX] = "";

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", function);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		err(1, "%s", path);
	snprintf(path, sizeof(path), "/dev/vfio%.32s", strrchr(link, '/'));
	group = must_open(path);
	ask(group, VFIO_GROUP_GET_STATUS, &status, "GROUP_GET_STATUS");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		errx(1, "%s: not all of its devices are bound to VFIO", path);
	ask(group, VFIO_GROUP_SET_CONTAINER, &container, "GROUP_SET_CONTAINER");
	ask(container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU, "SET_IOMMU");
	ask(container, VFIO_IOMMU_MAP_DMA, &map, "IOMMU_MAP_DMA");
	device = ask(group, VFIO_GROUP_GET_DEVICE_FD, (void *)(uintptr_t)function, "GET_DEVICE_FD");
}

static void open_by_cdev(const char *function, void *memory)
{
	struct bind_iommufd bind = { .argsz = sizeof(bind) };
	struct ioas_alloc alloc = { .size = sizeof(alloc) };
	struct attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct ioas_map map = {
		.size = sizeof(map),
		.flags = IOAS_MAP_FLAGS,
		.user_va = (uintptr_t)memory,
		.iova = IOVA,
		.length = UINT64_C(2) * DMA_SIZE,
	};
	char path[PATH_MAX];
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", function);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) && entry->d_name[0] == '.')
		;
	if (!dir || !entry)
		err(1, "%s", path);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);
	device = must_open(path);
	bind.iommufd = must_open("/dev/iommu");
	ask(device, BIND_IOMMUFD, &bind, "BIND_IOMMUFD");
	ask(bind.iommufd, IOAS_ALLOC, &alloc, "IOAS_ALLOC");
	attach.pt_id = map.ioas_id = alloc.out_ioas_id;
	ask(device, ATTACH_IOMMUFD_PT, &attach, "ATTACH_IOMMUFD_PT");
	ask(bind.iommufd, IOAS_MAP, &map, "IOAS_MAP");
}

/* ---- registers and interrupts ---- */

static uint64_t region(uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	ask(device, VFIO_DEVICE_GET_REGION_INFO, &info, "GET_REGION_INFO");
	if (!info.size)
		errx(1, "region %" PRIu32 " is absent", index);
	return info.offset;
}

static void transfer(ssize_t moved, size_t width, uint64_t reg)
{
	if (moved != (ssize_t)width)
		err(1, "register 0x%" PRIx64, reg);
}

static uint32_t get(uint64_t reg)
{
	uint32_t value;

	transfer(pread(device, &value, 4, (off_t)(bar0 + reg)), 4, reg);
	return le32toh(value);
}

static void put(uint64_t reg, uint64_t value, size_t width)
{
	value = htole64(value);
	transfer(pwrite(device, &value, width, (off_t)(bar0 + reg)), width, reg);
}

static void enable_bus_master(void)
{
	uint16_t command;

	transfer(pread(device, &command, 2, (off_t)(config + 4)), 2, 4);
	command = htole16(le16toh(command) | 4);
	transfer(pwrite(device, &command, 2, (off_t)(config + 4)), 2, 4);
}

static const char *enable_irq(void)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = VFIO_PCI_MSIX_IRQ_INDEX };
	union {
		struct vfio_irq_set head;
		char bytes[sizeof(struct vfio_irq_set) + sizeof(int)];
	} set = { 0 };

	ask(device, VFIO_DEVICE_GET_IRQ_INFO, &info, "GET_IRQ_INFO");
	set.head.index = info.count ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX;
	set.head.argsz = sizeof(set.bytes);
	set.head.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set.head.count = 1;
	event = eventfd(0, EFD_CLOEXEC);
	memcpy(set.head.data, &event, sizeof(event));
	ask(device, VFIO_DEVICE_SET_IRQS, &set, "SET_IRQS");
	return info.count ? "MSI-X" : "MSI";
}

static void wait_for(uint32_t cause)
{
	struct pollfd wait = { .fd = event, .events = POLLIN };
	uint64_t count;

	if (poll(&wait, 1, 5000) != 1 || read(event, &count, sizeof(count)) != sizeof(count))
		errx(1, "no interrupt came");
	if (get(IRQ_STATUS) != cause)
		errx(1, "an interrupt with a wrong cause came");
	put(IRQ_ACK, cause, 4);
}

/* ---- what edu.c does ---- */

static uint32_t factorial_by_polling(uint32_t n)
{
	put(FACTORIAL, n, 4);
	while (get(STATUS) & STATUS_BUSY)
		;
	return get(FACTORIAL);
}

static uint32_t factorial_by_irq(uint32_t n)
{
	put(STATUS, STATUS_IRQ, 4);
	put(FACTORIAL, n, 4);
	wait_for(1);
	put(STATUS, 0, 4);
	return get(FACTORIAL);
}

static void dma_piece(uint64_t src, uint64_t dst, uint32_t command)
{
	put(DMA_SRC, src, 8);
	put(DMA_DST, dst, 8);
	put(DMA_COUNT, DMA_PIECE, 8);
	put(DMA_COMMAND, START_IRQ | command, 4);
	wait_for(0x100);
}

/* From the first half of the memory into the device, and back into the second half. */
static void dma_there_and_back(unsigned char *bytes, uint32_t x)
{
	uint32_t h = 0x811c9dc5; /* FNV-1a */

	for (unsigned int i = 0; i < DMA_SIZE; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (unsigned char)(x >> 24);
	}
	for (uint64_t at = IOVA; at < IOVA + DMA_SIZE; at += DMA_PIECE) {
		dma_piece(at, DMA_BUFFER, 0);
		dma_piece(DMA_BUFFER, at + DMA_SIZE, TO_MEMORY);
	}
	if (memcmp(bytes, bytes + DMA_SIZE, DMA_SIZE) != 0)
		errx(1, "DMA brought back other bytes");
	for (unsigned int i = DMA_SIZE; i < 2 * DMA_SIZE; i++)
		h = (h ^ bytes[i]) * 0x01000193;
	printf("DMA: %u bytes to the device and back, the same, hash 0x%08" PRIx32 "\n", DMA_SIZE,
	       h);
}

static void drive(void *memory, uint32_t n, uint32_t seed)
{
	uint32_t id;
	const char *irq;

	bar0 = region(VFIO_PCI_BAR0_REGION_INDEX);
	config = region(VFIO_PCI_CONFIG_REGION_INDEX);
	id = get(ID);
	if ((id & 0xff) != 0xed)
		errx(1, "this is not the educational device");
	printf("identification 0x%08" PRIx32 ", version %" PRIu32 ".%" PRIu32 "\n", id, id >> 24,
	       id >> 16 & 0xff);
	put(LIVENESS, 0x12345678, 4);
	printf("liveness 0x12345678 -> 0x%08" PRIx32 "\n", get(LIVENESS));
	printf("%" PRIu32 "! by polling: %" PRIu32 "\n", n, factorial_by_polling(n));
	enable_bus_master();
	irq = enable_irq();
	printf("%" PRIu32 "! by %s: %" PRIu32 "\n", n, irq, factorial_by_irq(n));
	dma_there_and_back(memory, seed);
}

static uint32_t number(const char *text)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || value > UINT32_MAX)
		errx(2, "%s is no number of 32 bits", text);
	return (uint32_t)value;
}

int main(int argc, char **argv)
{
	void *memory = mmap(NULL, (size_t)2 * DMA_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t n, seed;

	if (argc < 4 || argc > 5 || (strcmp(argv[1], "cdev") && strcmp(argv[1], "group")))
		errx(2, "usage: raw-vfio-edu group|cdev FUNCTION N [SEED]");
	n = number(argv[3]);
	seed = argc == 5 ? number(argv[4]) : 1;
	if (memory == MAP_FAILED)
		err(1, "memory");
	if (!strcmp(argv[1], "cdev"))
		open_by_cdev(argv[2], memory);
	else
		open_by_group(argv[2], memory);
	drive(memory, n, seed);
	if (fflush(stdout))
		err(1, "standard output");
	return 0;
}
