/* SPDX-License-Identifier: MIT */
/* DMA, the driver's side: checks that hold for every source. */
#include <errno.h>

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
