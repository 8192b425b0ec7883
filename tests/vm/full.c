/* SPDX-License-Identifier: MIT */
/*
 * Takes all DMA maps that a container can have: how many there are is known before, the last one
 * too many is refused with the remedy, and all are there again when they have been unmapped.
 *
 * usage: vm-full ADDRESS
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "driver.h"

#define PAGE 4096u

static struct dfd_device *dev;
static char logged[512];

static void take_line(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(logged, sizeof(logged), "%s", text);
}

static uint64_t maps_left(void)
{
	struct dfd_dma_limits l;

	must(!dfd_dma_limits(dev, &l), "the limits are not told");
	return l.maps_left;
}

/* One page at ever more addresses, with gaps, so that none can be joined to another. */
static int map(uint64_t n)
{
	static uint8_t page[PAGE] __attribute__((aligned(4096)));
	struct dfd_dma_map m = {
		.iova = 0x1000000 + 2 * n * PAGE, .size = PAGE, .prot = DFD_DMA_READ, .addr = page
	};

	return dfd_dma_map(dev, &m);
}

int main(int argc, char **argv)
{
	uint64_t limit, n = 0, unmapped = 0;
	int ret;

	must(argc == 2, "usage: vm-full ADDRESS");
	dev = open_one(argv[1]);
	dfd_device_watch_log(dev, take_line, NULL);
	limit = maps_left();
	printf("%" PRIu64 " maps\n", limit);
	must(limit == 65535, "that is not what a container has");
	while (!(ret = map(n)))
		n++;
	printf("map %" PRIu64 ": %s\n", n, logged);
	must(ret == -ENOSPC && n == limit && !maps_left(), "another number, or another error");
	must(strstr(logged, "all 65535 maps") && strstr(logged, "dma_entry_limit"), "no remedy");
	must(!dfd_dma_unmap(dev, 0, UINT64_MAX, &unmapped) && unmapped == n * PAGE,
	     "they cannot be unmapped");
	must(maps_left() == limit && !map(0), "they are not there again");
	dfd_device_close(dev);
	return 0;
}
