/* SPDX-License-Identifier: MIT */
/*
 * Memory of every kind under the DMA of an educational device in another process.
 *
 * usage: memory NAME FILE, of a device in group 0, and a name for a file
 *
 * Says which ranges the device should reach as a file, and checks that all of them are reached.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "abi/vfio.h"

#define PAGE  0x1000u
#define SIZE  (2 * PAGE)
#define START 1u
#define TO_US 2u
/* In both pages, so that two mappings are met in one transfer. */
#define AT    (PAGE - 32)
#define COUNT 64u

#define RW (PROT_READ | PROT_WRITE)

static int container, device;
static uint64_t bar0, config, iova;
static const char *on_disk;

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			printf("line %d: %s\n", __LINE__, #what);                                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* ---- the device ---- */

static uint64_t where(uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	return ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) ? 0 : info.offset;
}

static void put(uint64_t reg, uint64_t value)
{
	MUST(pwrite(device, &value, 8, (off_t)(bar0 + reg)) == 8);
}

/* Between the device's buffer and ours. */
static void transfer(uint32_t command)
{
	uint64_t to_us = command & TO_US, busy = START;

	put(0x80, to_us ? 0x40000 : iova + AT);
	put(0x88, to_us ? iova + AT : 0x40000);
	put(0x90, COUNT);
	put(0x98, START | command);
	for (int i = 0; i < 60000 && (busy & START); i++) {
		usleep(1000);
		MUST(pread(device, &busy, 8, (off_t)(bar0 + 0x98)) == 8);
	}
	MUST(!(busy & START));
}

static void open_device(const char *name)
{
	int group = open("/dev/vfio/0", O_RDWR);
	uint16_t command = 6;

	container = open("/dev/vfio/vfio", O_RDWR);
	MUST(!ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	MUST(!ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	MUST(device >= 0);
	bar0 = where(VFIO_PCI_BAR0_REGION_INDEX);
	config = where(VFIO_PCI_CONFIG_REGION_INDEX);
	MUST(pwrite(device, &command, 2, (off_t)config + 4) == 2);
}

/* At a new address. @as_file: how the device should reach it */
static void map(const char *memory, uint32_t prot, bool as_file)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = prot,
		.vaddr = (uintptr_t)memory,
		.iova = iova += 0x100000,
		.size = SIZE,
	};

	MUST(memory != MAP_FAILED && !ioctl(container, VFIO_IOMMU_MAP_DMA, &arg));
	printf("0x%llx to 0x%llx: %s\n", (unsigned long long)iova,
	       (unsigned long long)iova + SIZE - 1, as_file ? "shared as a file" : "by message");
}

static bool holds(const char *memory, int byte)
{
	char wanted[COUNT];

	memset(wanted, byte, COUNT);
	return !memcmp(memory + AT, wanted, COUNT);
}

/* Mapped, and then there and back again. */
static void use(char *memory, bool as_file)
{
	static char byte = 'a';

	map(memory, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE, as_file);
	memset(memory + AT, ++byte, COUNT);
	transfer(0);
	memset(memory + AT, 0, COUNT);
	transfer(TO_US);
	MUST(holds(memory, byte) && !memory[AT - 1] && !memory[AT + COUNT]);
}

/* ---- kinds of memory ---- */

static int file_of(off_t size)
{
	int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	MUST(fd >= 0 && !ftruncate(fd, size));
	return fd;
}

static char *shared(int fd, off_t offset)
{
	return mmap(NULL, SIZE, RW, MAP_SHARED, fd, offset);
}

/* In place of @fd, which is closed. */
static int opened_again(int fd, int flags)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	MUST(again >= 0);
	close(fd);
	return again;
}

/* May this process open what it has mapped? The kernel lets root, where it is not confined. */
static bool may_open_mapped(void)
{
	int fd = file_of(PAGE), again;
	char *at = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	char path[80];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)at,
		 (unsigned long)at + PAGE);
	again = open(path, O_RDWR | O_CLOEXEC);
	munmap(at, PAGE);
	close(fd);
	return again >= 0 && !close(again);
}

static void other_memory(void)
{
	struct statfs fs;
	int fd;

	use(mmap(NULL, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), false);
	use(mmap(NULL, SIZE, RW, MAP_PRIVATE, file_of(SIZE), 0), false);
	/* The end of it is no memory of the file's. */
	use(shared(file_of(SIZE - 64), 0), false);
	fd = open(on_disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(!ftruncate(fd, SIZE) && !fstatfs(fd, &fs));
	use(shared(fd, 0), fs.f_type == 0x01021994 /* tmpfs */);
}

static void one_file(void)
{
	int fd = file_of(4 * PAGE);
	char *memory, byte;

	use(shared(file_of(SIZE), 0), true);
	MUST(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	memory = shared(fd, 2 * PAGE);
	use(memory, true);
	MUST(pread(fd, &byte, 1, 2 * PAGE + AT) == 1 && byte == memory[AT]);
	memory = shared(file_of(SIZE), 0);
	MUST(!mprotect(memory + PAGE, PAGE, RW | PROT_EXEC));
	use(memory, true);
	MUST(!mprotect(memory + PAGE, PAGE, RW));
}

static void not_one_file(void)
{
	char *memory = shared(file_of(SIZE), 0);
	int fd = file_of(4 * PAGE);

	MUST(mmap(memory + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	     MAP_FAILED);
	use(memory, false);
	memory = shared(fd, 0);
	MUST(mmap(memory + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 2 * PAGE) != MAP_FAILED);
	use(memory, false);
	memory = shared(fd, 0);
	MUST(mmap(memory + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, file_of(SIZE), PAGE) !=
	     MAP_FAILED);
	use(memory, false);
}

/* What the fd does not allow, or does elsewhere. */
static void other_fds(void)
{
	bool may = may_open_mapped();
	int fd = file_of(SIZE);
	char *memory = shared(fd, 0);

	close(fd);
	use(memory, may);
	fd = file_of(SIZE);
	memory = shared(fd, 0);
	fd = opened_again(fd, O_RDONLY);
	use(memory, may);
	map(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0), VFIO_DMA_MAP_FLAG_READ, true);
	transfer(0);
	fd = file_of(SIZE);
	memory = shared(fd, 0);
	opened_again(fd, O_RDWR | O_APPEND);
	use(memory, may);
	fd = file_of(SIZE);
	memory = shared(fd, 0);
	MUST(!fcntl(fd, F_ADD_SEALS, 0x10 /* F_SEAL_FUTURE_WRITE */));
	use(memory, false);
}

/* The device keeps the file, as it would keep pages that are pinned. */
static void something_else_later(void)
{
	int fd = file_of(SIZE);
	char *memory = shared(fd, 0), *same = shared(fd, 0);

	use(memory, true);
	MUST(mmap(memory, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory);
	memset(memory, 'X', SIZE);
	memset(same, 'Y', SIZE);
	transfer(0);
	memset(same, 0, SIZE);
	transfer(TO_US);
	MUST(holds(memory, 'X') && holds(same, 'Y'));
	/* It may also become shorter, and longer again. */
	MUST(!ftruncate(fd, 0));
	transfer(TO_US);
	transfer(0);
	MUST(!ftruncate(fd, SIZE) && holds(same, 0));
	transfer(TO_US);
	MUST(holds(memory, 'X') && holds(same, 'Y'));
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	on_disk = argv[2];
	open_device(argv[1]);
	other_memory();
	one_file();
	not_one_file();
	other_fds();
	something_else_later();
	return 0;
}
