/* SPDX-License-Identifier: MIT */
/*
 * Memory for a driver and its device.
 *
 * Theory of operation: it is a file that keeps its size, so that the device's side may use it by
 * pointer. One on huge pages gets all of them before it is used: where there are too few, that is
 * an error here and no signal later.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/device.h"
#include "device/huge.h"

#define NAME	   "devfd-dma"
#define FILE_FLAGS (MFD_CLOEXEC | MFD_ALLOW_SEALING)
#define SEALS	   (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* By file where the source can, else by address. */
static int map_buf(struct dfd_device *dev, const struct dfd_dma_buf *buf, uint64_t max_iova,
		   uint64_t *iova)
{
	struct dfd_dma_map map = {
		.iova = DFD_IOVA_ANY,
		.max_iova = max_iova,
		.size = buf->size,
		.prot = DFD_DMA_READ | DFD_DMA_WRITE,
		.kind = DFD_DMA_FD,
		.fd = buf->fd,
		.addr = buf->addr,
	};
	int ret = dfd_dma_map(dev, &map);

	if (ret == -EOPNOTSUPP) {
		map.kind = DFD_DMA_ADDRESS;
		ret = dfd_dma_map(dev, &map);
	}
	*iova = map.iova;
	return ret;
}

/* Seal @buf->fd, which has its size, and have it at an address and an IOVA. It is closed on
 * failure. */
static int finish(struct dfd_device *dev, struct dfd_dma_buf *buf, uint64_t max_iova)
{
	int ret;

	buf->addr = MAP_FAILED;
	if (!fcntl(buf->fd, F_ADD_SEALS, SEALS))
		buf->addr = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED, buf->fd, 0);
	ret = buf->addr == MAP_FAILED ? -errno : map_buf(dev, buf, max_iova, &buf->iova);
	if (!ret)
		return 0;
	if (buf->addr != MAP_FAILED)
		munmap(buf->addr, buf->size);
	close(buf->fd);
	return ret;
}

int dfd_dma_alloc(struct dfd_device *dev, uint64_t size, uint64_t max_iova, struct dfd_dma_buf *out)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct dfd_dma_buf buf = { 0 };
	int ret;

	if (!size || size > INT64_MAX - page)
		return -EINVAL;
	buf.size = (size + page - 1) & ~(page - 1);
	buf.fd = memfd_create(NAME, FILE_FLAGS);
	if (buf.fd < 0)
		return -errno;
	if (ftruncate(buf.fd, (off_t)buf.size)) {
		ret = -errno;
		close(buf.fd);
		return ret;
	}
	ret = finish(dev, &buf, max_iova);
	if (!ret)
		*out = buf;
	return ret;
}

/* ---- on huge pages ---- */

/* Return: the size of the pages of a file on huge pages */
static uint64_t page_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : (uint64_t)st.st_blksize;
}

static int fill(int fd, uint64_t size)
{
	while (fallocate(fd, 0, 0, (off_t)size)) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int huge_file(uint64_t size, uint64_t page, struct dfd_dma_buf *buf, struct dfd_error *err)
{
	const unsigned int shift = page ? (unsigned int)__builtin_ctzll(page) : 0;
	uint64_t got;
	int ret;

	buf->fd = memfd_create(NAME, FILE_FLAGS | MFD_HUGETLB | shift << MFD_HUGE_SHIFT);
	if (buf->fd < 0)
		return huge_explain_size("", page, -errno, err);
	got = page_of(buf->fd);
	if (!got || (page && page != got)) {
		close(buf->fd);
		return huge_explain_size("", page, -EINVAL, err);
	}
	buf->size = (size + got - 1) & ~(got - 1);
	ret = fill(buf->fd, buf->size);
	if (!ret)
		return 0;
	close(buf->fd);
	return huge_explain_lack("", got, buf->size / got, ret, err);
}

int dfd_dma_alloc_huge(struct dfd_device *dev, uint64_t size, uint64_t max_iova, uint64_t page,
		       struct dfd_dma_buf *out, struct dfd_error *err)
{
	struct dfd_dma_buf buf = { 0 };
	int ret;

	if (!size || size > INT64_MAX / 2 || (page & (page - 1)) || page > INT64_MAX / 2)
		return dfd_error_set(err, -EINVAL,
				     "memory on huge pages: its size must be more than 0, and that "
				     "of a page a power of two");
	ret = huge_file(size, page, &buf, err);
	if (ret)
		return ret;
	ret = finish(dev, &buf, max_iova);
	if (ret)
		return dfd_error_set(err, ret,
				     "memory on huge pages cannot be mapped for the device: %s",
				     strerror(-ret));
	*out = buf;
	return 0;
}

void dfd_dma_free(struct dfd_device *dev, struct dfd_dma_buf *buf)
{
	if (!buf || !buf->addr)
		return;
	dfd_dma_unmap(dev, buf->iova, buf->size, NULL);
	munmap(buf->addr, buf->size);
	close(buf->fd);
	*buf = (struct dfd_dma_buf){ .fd = -1 };
}
