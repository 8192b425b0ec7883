/* SPDX-License-Identifier: MIT */
/*
 * DMA of an edu page by page, as it has to be without an IOMMU: each page lies where it lies.
 *
 * usage: vm-page ADDRESS [huge]
 *
 * Moves a page into the device and back into another one, in halves. With "huge" they are the first
 * and the last of a huge page, which is in one piece, with an IOMMU or without.
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

static void copy(uint8_t *from, uint64_t from_iova, const uint8_t *to, uint64_t to_iova)
{
	for (uint32_t i = 0; i < PAGE; i++)
		from[i] = (uint8_t)(i * 7 + (i >> 8));
	printf("pages at 0x%" PRIx64 " and 0x%" PRIx64 "\n", from_iova, to_iova);
	for (uint32_t at = 0; at < PAGE; at += HALF) {
		move(from_iova + at, BUFFER, 0);
		move(BUFFER, to_iova + at, TO_MEMORY);
	}
	must(!memcmp(from, to, PAGE), "what came back is something else");
}

static void copy_pages(void)
{
	struct dfd_dma_buf from = reachable(), to = reachable();

	copy(from.addr, from.iova, to.addr, to.iova);
	dfd_dma_free(dev, &from);
	dfd_dma_free(dev, &to);
}

static void copy_in_huge_page(void)
{
	struct dfd_dma_buf buf;
	struct dfd_error err;
	uint64_t last;

	if (dfd_dma_alloc_huge(dev, 1, MASK, 0, &buf, &err))
		end_with(err.text);
	last = buf.size - PAGE;
	copy(buf.addr, buf.iova, (uint8_t *)buf.addr + last, buf.iova + last);
	dfd_dma_free(dev, &buf);
}

int main(int argc, char **argv)
{
	must(argc >= 2, "usage: vm-page ADDRESS [huge]");
	dev = open_one(argv[1]);
	put(DFD_PCI_CONFIG, 4, 6, 2);
	if (argc > 2)
		copy_in_huge_page();
	else
		copy_pages();
	dfd_device_close(dev);
	puts("ok");
	return 0;
}
