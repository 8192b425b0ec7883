/* SPDX-License-Identifier: MIT */
/*
 * Which pages a device has written, asked of an iommufd by the library: the page that it was told
 * to write, once, and no other. No IOMMU that is emulated here keeps account, so this is held
 * against the page tables of "devfd run --device", which are made after linux/iommufd.h and not
 * after this library.
 *
 * usage: shim-account ADDRESS, of an edu
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <devfd/devfd.h>

#define PAGE	 4096u
#define PAGES	 70u /* more than one word of bits */
#define WRITTEN	 66u
#define BUFFER	 0x40000u
#define TO_START 3u /* start, and towards memory */

static struct dfd_device *dev;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "shim-account: %s\n", what);
	exit(1);
}

static void put(uint32_t region, uint64_t reg, uint64_t value, size_t len)
{
	must(dfd_region_write(dev, region, reg, &value, len) == (ssize_t)len, "a register");
}

static void write_page(uint64_t iova)
{
	uint32_t left = TO_START;

	put(0, 0x80, BUFFER, 8);
	put(0, 0x88, iova, 8);
	put(0, 0x90, 100, 8);
	put(0, 0x98, TO_START, 4);
	while (left & 1)
		must(dfd_region_read(dev, 0, 0x98, &left, 4) == 4, "a register");
}

static void expect(int (*ask)(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *bits),
		   const struct dfd_dma_buf *buf, bool dirty, const char *what)
{
	uint64_t bits[2] = { 0 };

	must(!ask(dev, buf->iova, buf->size, bits), what);
	must(!bits[0] && bits[1] == (dirty ? UINT64_C(1) << (WRITTEN - 64) : 0), what);
}

int main(int argc, char **argv)
{
	struct dfd_dma_buf buf;
	struct dfd_error err;
	uint64_t bits[2] = { 0 };

	must(argc == 2, "usage: shim-account ADDRESS");
	if (dfd_open(argv[1], &dev, &err))
		must(false, err.text);
	put(DFD_PCI_CONFIG, 4, 6, 2);
	must(!dfd_dma_alloc(dev, PAGES * PAGE, 0xfffffff, &buf), "no memory");
	must(dfd_dirty_get(dev, buf.iova, buf.size, bits) == -EINVAL,
	     "an account before its start");
	must(!dfd_dirty_start(dev), "no account");
	expect(dfd_dirty_get, &buf, false, "nothing was written");
	write_page(buf.iova + WRITTEN * PAGE + 8);
	expect(dfd_dirty_peek, &buf, true, "one page was written");
	expect(dfd_dirty_get, &buf, true, "it was still to be told");
	expect(dfd_dirty_get, &buf, false, "it was told");
	must(!dfd_dirty_stop(dev), "the account does not end");
	must(dfd_dirty_get(dev, buf.iova, buf.size, bits) == -EINVAL, "an account after its end");
	dfd_dma_free(dev, &buf);
	dfd_device_close(dev);
	return 0;
}
