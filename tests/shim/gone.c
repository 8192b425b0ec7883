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
	for (int i = 0; i < 2000 && (busy & START); i++) {
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

int main(int argc, char **argv)
{
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(memory, 0x5a, 64);
	if (argc != 2 || open_device(argv[1], memory) || transfer(0))
		return 1;
	memset(memory, 0, 64);
	if (transfer(TO_US) || memory[0] != 0x5a || memory[63] != 0x5a || memory[64])
		return 2;
	if (mprotect(memory, SIZE, PROT_READ) || transfer(TO_US))
		return 3;
	if (munmap(memory, SIZE) || transfer(0) || transfer(TO_US))
		return 4;
	puts("still here");
	return 0;
}
