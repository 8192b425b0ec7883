/* SPDX-License-Identifier: MIT */
/*
 * A driver of the educational device with memory that is no file: a server has to ask for it.
 *
 * usage: by_message ADDRESS [ROUNDS]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/devfd.h>

#define IOVA   UINT64_C(0x100000)
#define INSIDE UINT64_C(0x40000)
#define SIZE   4096u

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "by_message: %s\n", what);
	exit(1);
}

static void put(struct dfd_device *dev, uint64_t reg, uint64_t value)
{
	if (dfd_region_write(dev, DFD_PCI_BAR0, reg, &value, 8) != 8)
		fail("a register cannot be written");
}

/* By polling, or by interrupt. */
static void transfer(struct dfd_device *dev, uint64_t src, uint64_t dst, uint64_t command, bool irq)
{
	uint64_t busy = 1;
	uint32_t cause = 0x100;

	put(dev, 0x80, src);
	put(dev, 0x88, dst);
	put(dev, 0x90, SIZE);
	put(dev, 0x98, command | (irq ? 5 : 1));
	if (irq && dfd_wait_irq(dev, DFD_PCI_MSI, 0, 60000) != 1)
		fail("no interrupt came");
	if (irq && dfd_region_write(dev, DFD_PCI_BAR0, 0x64, &cause, 4) != 4)
		fail("a register cannot be written");
	while (busy & 1) {
		if (dfd_region_read(dev, DFD_PCI_BAR0, 0x98, &busy, 8) != 8)
			fail("a register cannot be read");
	}
}

static void drive(struct dfd_device *dev, unsigned int rounds)
{
	static uint8_t memory[2 * SIZE];
	struct dfd_dma_map map = { .iova = IOVA,
				   .size = sizeof(memory),
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_ADDRESS,
				   .addr = memory };
	const uint16_t command = 6;

	if (dfd_region_write(dev, DFD_PCI_CONFIG, 4, &command, 2) != 2)
		fail("bus mastering cannot be enabled");
	if (dfd_irq_enable(dev, DFD_PCI_MSI, 1))
		fail("the interrupt cannot be enabled");
	if (dfd_dma_map(dev, &map))
		fail("the memory cannot be mapped");
	for (unsigned int i = 0; i < rounds; i++) {
		for (size_t k = 0; k < SIZE; k++)
			memory[k] = (uint8_t)(k * 7 + k / 256 + i);
		memset(memory + SIZE, 0, SIZE);
		transfer(dev, IOVA, INSIDE, 0, i & 1);
		transfer(dev, INSIDE, IOVA + SIZE, 2, i & 2);
		if (memcmp(memory, memory + SIZE, SIZE) != 0)
			fail("DMA brought back other bytes");
	}
	if (dfd_dma_unmap(dev, IOVA, sizeof(memory), NULL))
		fail("the memory cannot be unmapped");
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : 4;
	struct dfd_device *dev;
	struct dfd_error err;

	if (argc < 2 || dfd_open(argv[1], &dev, &err))
		fail(argc < 2 ? "usage: by_message ADDRESS [ROUNDS]" : err.text);
	drive(dev, rounds);
	dfd_device_close(dev);
	printf("%u bytes there and back, %u times\n", SIZE, rounds);
	return 0;
}
