/* SPDX-License-Identifier: MIT */
/*
 * DMA of an edu page by page, as it has to be without an IOMMU: each page lies where it lies.
 *
 * usage: vm-page ADDRESS
 *
 * Moves a page into the device and back into another one, in halves.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define PAGE	   4096u
#define HALF	   2048u
#define MASK	   0xfffffffu /* of the device's DMA engine */
#define BUFFER	   0x40000u
#define SRC	   0x80
#define DST	   0x88
#define COUNT	   0x90
#define COMMAND	   0x98
#define START	   1u
#define TO_MEMORY  2u
#define TRIES	   200 /* pages that may lie too high */
#define LONG_TRIES 100000

static struct dfd_device *dev;

static void put(uint32_t region, uint64_t reg, uint64_t value, size_t len)
{
	must(dfd_region_write(dev, region, reg, &value, len) == (ssize_t)len,
	     "a register cannot be written");
}

static void move(uint64_t src, uint64_t dst, uint32_t command)
{
	uint32_t left = START;

	put(0, SRC, src, 8);
	put(0, DST, dst, 8);
	put(0, COUNT, HALF, 8);
	put(0, COMMAND, command | START, 4);
	for (int i = 0; left & START; i++) {
		must(i < LONG_TRIES && dfd_region_read(dev, 0, COMMAND, &left, 4) == 4,
		     "a transfer does not end");
	}
}

/* A page that the device can reach. Those that it cannot are kept, or they would come again. */
static struct dfd_dma_buf reachable(void)
{
	struct dfd_dma_buf buf;

	for (int i = 0; i < TRIES; i++) {
		void *other;

		if (!dfd_dma_alloc(dev, PAGE, MASK, &buf))
			return buf;
		other = malloc(PAGE);
		if (other)
			memset(other, i, PAGE);
	}
	end_with("there is no memory that the device can reach");
}

int main(int argc, char **argv)
{
	struct dfd_dma_buf from, to;

	must(argc == 2, "usage: vm-page ADDRESS");
	dev = open_one(argv[1]);
	put(DFD_PCI_CONFIG, 4, 6, 2);
	from = reachable();
	to = reachable();
	for (uint32_t i = 0; i < PAGE; i++)
		((uint8_t *)from.addr)[i] = (uint8_t)(i * 7 + (i >> 8));
	printf("pages at 0x%" PRIx64 " and 0x%" PRIx64 "\n", from.iova, to.iova);
	for (uint32_t at = 0; at < PAGE; at += HALF) {
		move(from.iova + at, BUFFER, 0);
		move(BUFFER, to.iova + at, TO_MEMORY);
	}
	must(!memcmp(from.addr, to.addr, PAGE), "what came back is something else");
	dfd_dma_free(dev, &from);
	dfd_dma_free(dev, &to);
	dfd_device_close(dev);
	puts("ok");
	return 0;
}
