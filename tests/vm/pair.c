/* SPDX-License-Identifier: MIT */
/*
 * Two devices of one IOMMU group in one process: they share an address space and the account of
 * what is written there, and a hot reset resets both.
 *
 * usage: vm-pair ADDRESS ADDRESS
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

/* The register keeps what is not written to it. */
static uint32_t liveness(struct dfd_device *dev, uint32_t value)
{
	uint32_t got = 0;

	must(dfd_region_write(dev, 0, 4, &value, 4) == 4, "a register cannot be written");
	must(dfd_region_read(dev, 0, 4, &got, 4) == 4, "a register cannot be read");
	return ~got;
}

static void maps(struct dfd_device *a, struct dfd_device *b)
{
	struct dfd_dma_buf buf, other;
	struct dfd_dma_map map = { .size = 4096, .prot = DFD_DMA_READ };
	uint64_t unmapped = 1;

	must(!dfd_dma_alloc(a, 4096, 0, &buf) && !dfd_dma_alloc(b, 4096, 0, &other), "no memory");
	must(buf.iova != other.iova, "one address for two maps");
	map.iova = buf.iova;
	map.addr = other.addr;
	must(dfd_dma_map(b, &map) == -EEXIST, "an address that the other has mapped is free");
	must(!dfd_dma_unmap(b, buf.iova, 4096, &unmapped) && !unmapped, "the other's was unmapped");
	dfd_dma_free(a, &buf);
	must(!dfd_dma_map(b, &map), "an address that was unmapped is not free");
	dfd_dma_free(b, &other);
}

static void say(void *ctx, const char *text)
{
	*(bool *)ctx = strstr(text, "account of written memory: the IOMMU does not tell");
	puts(text);
}

/*
 * A type 1 container says of what it has pinned that all was written. QEMU's IOMMU keeps no
 * account, so an iommufd has no say, and the reason is told.
 */
static void written(struct dfd_device *dev)
{
	struct dfd_dma_buf buf;
	uint64_t bits = 0;
	bool said = false;
	int ret;

	dfd_device_watch_log(dev, say, &said);
	ret = dfd_dirty_start(dev);
	if (ret == -EOPNOTSUPP) {
		must(said, "no reason was told");
		return;
	}
	must(!ret && !dfd_dma_alloc(dev, 8192, 0, &buf), "no account of what is written");
	must(!dfd_dirty_get(dev, buf.iova, buf.size, &bits) && bits == 3,
	     "two pages are not dirty");
	must(dfd_dirty_get(dev, buf.iova, 4096, &bits) == -EINVAL, "half a map is one");
	must(!dfd_dirty_stop(dev), "the account cannot be stopped");
	dfd_dma_free(dev, &buf);
}

int main(int argc, char **argv)
{
	struct dfd_device *a, *b;
	struct dfd_hot_reset *r;
	struct dfd_error err;

	must(argc == 3, "usage: vm-pair ADDRESS ADDRESS");
	a = open_one(argv[1]);
	b = open_one(argv[2]);
	must(liveness(a, 0x11) == 0x11 && liveness(b, 0x22) == 0x22, "a device does not live");
	maps(a, b);
	written(a);
	if (dfd_hot_reset_info(a, &r, &err))
		must(false, err.text);
	must(r->possible && r->count == 2, r->why);
	free(r);
	if (dfd_hot_reset(a, &err))
		must(false, err.text);
	must(liveness(a, 0x33) == 0x33 && liveness(b, 0x44) == 0x44, "a device does not live");
	dfd_device_close(a);
	must(liveness(b, 0x55) == 0x55, "a device does not live after the other was closed");
	dfd_device_close(b);
	puts("ok");
	return 0;
}
