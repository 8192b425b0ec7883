/* SPDX-License-Identifier: MIT */
/*
 * DMA to memory that has gone is an error of the device's, not a signal for the program.
 *
 * usage: gone NAME, of an educational device in group 0
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/vfio.h"

#define SIZE  0x1000u
#define IOVA  0x100000u
#define START 1u
#define TO_US 2u

static int device;
static uint64_t bar0, config;

static uint64_t where(uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	return ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) ? 0 : info.offset;
}

static int put(uint64_t reg, uint64_t value, size_t width)
{
	return pwrite(device, &value, width, (off_t)(bar0 + reg)) != (ssize_t)width;
}

/* Between the device's buffer and ours. Return: 0 when the device has finished */
static int transfer(uint32_t command)
{
	uint64_t to_us = command & TO_US, busy = START;

	if (put(0x80, to_us ? 0x40000 : IOVA, 8) || put(0x88, to_us ? IOVA : 0x40000, 8) ||
	    put(0x90, 64, 8) || put(0x98, START | command, 8))
		return 1;
	for (int i = 0; i < 60000 && (busy & START); i++) {
		usleep(1000);
		if (pread(device, &busy, 8, (off_t)(bar0 + 0x98)) != 8)
			return 1;
	}
	return busy & START ? 1 : 0;
}

static int open_device(const char *name, void *memory)
{
	int container = open("/dev/vfio/vfio", O_RDWR), group = open("/dev/vfio/0", O_RDWR);
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = SIZE,
	};
	uint16_t command = 6;

	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) ||
	    ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		return 1;
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	bar0 = where(VFIO_PCI_BAR0_REGION_INDEX);
	config = where(VFIO_PCI_CONFIG_REGION_INDEX);
	return device < 0 || pwrite(device, &command, 2, (off_t)config + 4) != 2;
}

/* A file under the map becomes shorter, and longer again. */
static int file_shrinks(char *memory)
{
	int fd = memfd_create("gone", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, SIZE) ||
	    mmap(memory, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != memory)
		return 1;
	if (transfer(TO_US) || memory[0] != 0x5a || ftruncate(fd, 0) || transfer(0) ||
	    transfer(TO_US) || ftruncate(fd, SIZE) || memory[0])
		return 1;
	memory[0] = 0x11;
	if (transfer(0) || memset(memory, 0, 64) != memory || transfer(TO_US))
		return 1;
	return memory[0] != 0x11 || close(fd);
}

int main(int argc, char **argv)
{
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(memory, 0x5a, 64);
	if (argc != 2 || open_device(argv[1], memory) || transfer(0))
		return 1;
	memset(memory, 0, 64);
	if (transfer(TO_US) || memory[0] != 0x5a || memory[63] != 0x5a || memory[64])
		return 2;
	/* What may only be read is not written, and what is not there neither. */
	memory[0] = 0x33;
	if (mprotect(memory, SIZE, PROT_READ) || transfer(TO_US) || memory[0] != 0x33)
		return 3;
	if (mprotect(memory, SIZE, PROT_NONE) || transfer(0) || transfer(TO_US) ||
	    mprotect(memory, SIZE, PROT_READ | PROT_WRITE) || memory[0] != 0x33)
		return 4;
	if (transfer(TO_US) || memory[0] != 0x5a || file_shrinks(memory))
		return 5;
	if (munmap(memory, SIZE) || transfer(0) || transfer(TO_US))
		return 6;
	puts("still here");
	return 0;
}
