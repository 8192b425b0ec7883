/* SPDX-License-Identifier: MIT */
/*
 * One edu writes a register of another one by DMA: the registers are exported as a dma-buf, and
 * that is mapped for the first.
 *
 * usage: vm-peer WRITER TARGET
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"

#define PAGE	    4096u
#define HIGHEST	    0xfffffff /* that an edu can address */
#define LIVENESS    4	      /* keeps what is written to it, and gives the opposite */
#define DMA_SOURCE  0x80
#define DMA_TARGET  0x88
#define DMA_COUNT   0x90
#define DMA_COMMAND 0x98
#define START	    1u
#define OUTWARD	    2u
#define BUFFER	    0x40000 /* inside the device */
#define TRIES	    2000

static void say(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "peer: %s\n", text);
}

static struct dfd_device *open_logged(const char *address)
{
	struct dfd_device *dev = open_one(address);

	dfd_device_watch_log(dev, say, NULL);
	return dev;
}

static uint32_t get(struct dfd_device *dev, uint64_t reg)
{
	uint32_t value = 0;

	must(dfd_region_read(dev, 0, reg, &value, 4) == 4, "a register cannot be read");
	return value;
}

static void put(struct dfd_device *dev, uint64_t reg, uint64_t value)
{
	must(dfd_region_write(dev, 0, reg, &value, 4) == 4, "a register cannot be written");
}

static void transfer(struct dfd_device *dev, uint64_t source, uint64_t target, uint32_t command)
{
	const struct timespec wait = { .tv_nsec = 5000000 };
	int tries = 0;

	put(dev, DMA_SOURCE, source);
	put(dev, DMA_TARGET, target);
	put(dev, DMA_COUNT, 4);
	put(dev, DMA_COMMAND, command);
	while (get(dev, DMA_COMMAND) & START) {
		must(tries++ < TRIES, "the DMA does not end");
		nanosleep(&wait, NULL);
	}
}

static void write_by_dma(struct dfd_device *dev, uint64_t iova, uint32_t value)
{
	const uint16_t master = 6;
	struct dfd_dma_buf buf;

	must(dfd_region_write(dev, DFD_PCI_CONFIG, 4, &master, 2) == 2, "no bus master");
	must(!dfd_dma_alloc(dev, PAGE, HIGHEST, &buf), "no memory");
	memcpy(buf.addr, &value, sizeof(value));
	transfer(dev, buf.iova, BUFFER, START);
	transfer(dev, BUFFER, iova, START | OUTWARD);
	dfd_dma_free(dev, &buf);
}

int main(int argc, char **argv)
{
	const struct dfd_area registers = { 0, PAGE };
	struct dfd_dma_map map = { .iova = DFD_IOVA_ANY,
				   .max_iova = HIGHEST,
				   .size = PAGE,
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_FD };
	struct dfd_device *writer, *target;
	uint64_t unmapped;
	int ret;

	must(argc == 3, "usage: vm-peer WRITER TARGET");
	writer = open_logged(argv[1]);
	target = open_logged(argv[2]);
	map.fd = dfd_region_dmabuf(target, 0, &registers, 1);
	must(map.fd >= 0, strerror(-map.fd));
	ret = dfd_dma_map(writer, &map);
	close(map.fd);
	must(!ret, strerror(-ret));
	put(target, LIVENESS, 0);
	write_by_dma(writer, map.iova + LIVENESS, 0x12345678);
	printf("0x%08x\n", get(target, LIVENESS));
	must(get(target, LIVENESS) == ~UINT32_C(0x12345678), "the register was not written");
	must(!dfd_dma_unmap(writer, map.iova, PAGE, &unmapped) && unmapped == PAGE,
	     "it cannot be unmapped");
	dfd_device_close(writer);
	dfd_device_close(target);
	return 0;
}
