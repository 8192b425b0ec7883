/* SPDX-License-Identifier: MIT */
/* DMA, the driver's side: checks that hold for every source, and memory for both sides. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/device.h"
#include "device/host.h"

static int check_backing(const struct dfd_dma_map *map)
{
	switch (map->kind) {
	case DFD_DMA_ADDRESS:
		if (!map->addr)
			return -EINVAL;
		return map->size - 1 > UINTPTR_MAX - (uintptr_t)map->addr ? -EOVERFLOW : 0;
	case DFD_DMA_FD:
		return 0;
	case DFD_DMA_MESSAGE:
		return map->io && map->io->read && map->io->write ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int dfd_dma_map(struct dfd_device *dev, struct dfd_dma_map *map)
{
	int ret;

	if (!map->size || !map->prot || (map->prot & ~(DFD_DMA_READ | DFD_DMA_WRITE)))
		return -EINVAL;
	if (map->iova != DFD_IOVA_ANY && map->size - 1 > UINT64_MAX - map->iova)
		return -EOVERFLOW;
	ret = check_backing(map);
	if (ret)
		return ret;
	if (!dev->model && !dev->ops->dma_map)
		return -EOPNOTSUPP;
	device_enter(dev);
	ret = dev->ops->dma_map ? dev->ops->dma_map(dev, map) : host_dma_map(dev->model, map);
	device_leave(dev);
	return ret;
}

int dfd_dma_unmap(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	uint64_t bytes = 0;
	int ret;

	if (!size)
		return -EINVAL;
	if (size - 1 > UINT64_MAX - iova)
		return -EOVERFLOW;
	if (!dev->model && !dev->ops->dma_unmap)
		return -EOPNOTSUPP;
	device_enter(dev);
	ret = dev->ops->dma_unmap ? dev->ops->dma_unmap(dev, iova, size, &bytes)
				  : host_dma_unmap(dev->model, iova, size, &bytes);
	device_leave(dev);
	if (unmapped)
		*unmapped = bytes;
	return ret;
}

int dfd_dma_watch(struct dfd_device *dev, void (*dirty)(void *ctx, uint64_t iova, uint64_t len),
		  void *ctx)
{
	if (!dev->model)
		return -EOPNOTSUPP;
	device_enter(dev);
	dev->model->dirty = dirty;
	dev->model->dirty_ctx = ctx;
	device_leave(dev);
	return 0;
}

/* A file that keeps its size, so that the device's side may use it by pointer. */
static int sealed_memfd(uint64_t size)
{
	int fd = memfd_create("devfd-dma", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

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

int dfd_dma_alloc(struct dfd_device *dev, uint64_t size, uint64_t max_iova, struct dfd_dma_buf *out)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct dfd_dma_buf buf = { 0 };
	int ret;

	if (!size || size > INT64_MAX - page)
		return -EINVAL;
	buf.size = (size + page - 1) & ~(page - 1);
	buf.fd = sealed_memfd(buf.size);
	if (buf.fd < 0)
		return buf.fd;
	buf.addr = mmap(NULL, buf.size, PROT_READ | PROT_WRITE, MAP_SHARED, buf.fd, 0);
	if (buf.addr == MAP_FAILED) {
		ret = -errno;
		close(buf.fd);
		return ret;
	}
	ret = map_buf(dev, &buf, max_iova, &buf.iova);
	if (ret) {
		munmap(buf.addr, buf.size);
		close(buf.fd);
		return ret;
	}
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
