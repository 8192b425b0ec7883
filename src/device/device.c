/* SPDX-License-Identifier: MIT */
/*
 * The waist: every operation on a device passes here, whatever the device is.
 *
 * What can be decided from the description is decided here once, so that no source and no model
 * has to: does the region exist, does the range lie inside, may it be written, may it be mapped.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/device.h"
#include "device/host.h"
#include "device/process.h"

/* All members that there have ever been: nobody has been built against fewer. */
bool device_ops_valid(const struct dfd_device_ops *ops)
{
	return ops->size >= offsetof(struct dfd_device_ops, close) + sizeof(ops->close);
}

int dfd_device_new(const struct dfd_desc *desc, const struct dfd_device_ops *ops, void *priv,
		   bool locked, struct dfd_device **out)
{
	struct dfd_device *dev;

	if (!device_ops_valid(ops))
		return -EINVAL;
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	dev->desc = dfd_desc_ref(desc);
	dev->own = dfd_desc_ref(desc);
	dev->ops = ops;
	dev->priv = priv;
	dev->locked = locked;
	dev->stop_fd = -1;
	pthread_mutex_init(&dev->lock, NULL);
	pthread_mutex_init(&dev->wait_lock, NULL);
	*out = dev;
	return 0;
}

void dfd_device_close(struct dfd_device *dev)
{
	if (!dev)
		return;
	device_stop_thread(dev);
	if (dev->model)
		model_host_shutdown(dev->model);
	if (dev->ops->close)
		dev->ops->close(dev);
	if (dev->model)
		model_host_free(dev->model);
	device_drop_waits(dev);
	pthread_mutex_destroy(&dev->wait_lock);
	pthread_mutex_destroy(&dev->lock);
	dfd_desc_unref(dev->desc);
	dfd_desc_unref(dev->own);
	free(dev);
}

void device_tell(struct dfd_device *dev, const struct dfd_desc *desc)
{
	dfd_desc_ref(desc);
	dfd_desc_unref(dev->desc);
	dev->desc = desc;
}

const struct dfd_desc *dfd_device_desc(const struct dfd_device *dev)
{
	return dev->desc;
}

void *dfd_device_priv(const struct dfd_device *dev)
{
	return dev->priv;
}

struct dfd_host *dfd_device_host(const struct dfd_device *dev)
{
	return dev->model ? &dev->model->base : NULL;
}

unsigned int dfd_device_resets(struct dfd_device *dev)
{
	unsigned int resets;

	device_enter(dev);
	resets = dev->resets;
	device_leave(dev);
	return resets;
}

void device_enter(struct dfd_device *dev)
{
	if (dev->locked)
		pthread_mutex_lock(&dev->lock);
	if (dev->model)
		model_host_run_due(dev->model);
}

void device_leave(struct dfd_device *dev)
{
	if (dev->model)
		model_host_run_deferred(dev->model);
	if (dev->locked)
		pthread_mutex_unlock(&dev->lock);
}

/* Cut *len at the region's end. Return: 0, or -EINVAL where there is nothing to access. */
static int check_range(const struct dfd_region *r, uint64_t offset, size_t *len)
{
	if (!r || offset >= r->size)
		return -EINVAL;
	if (*len > r->size - offset)
		*len = (size_t)(r->size - offset);
	return 0;
}

ssize_t dfd_region_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			size_t len)
{
	ssize_t ret = check_range(dfd_desc_region(dev->desc, index), offset, &len);

	if (ret || !len)
		return ret;
	if (!dev->ops->region_read && !dev->model)
		return -EOPNOTSUPP;
	device_enter(dev);
	if (dev->model)
		ret = model_host_read(dev->model, index, offset, buf, len);
	else
		ret = dev->ops->region_read(dev, index, offset, buf, len);
	device_leave(dev);
	return ret;
}

ssize_t dfd_region_write(struct dfd_device *dev, uint32_t index, uint64_t offset, const void *buf,
			 size_t len)
{
	const struct dfd_region *r = dfd_desc_region(dev->desc, index);
	ssize_t ret = check_range(r, offset, &len);

	if (ret || !len)
		return ret;
	if (r->flags & DFD_REGION_READ_ONLY)
		return -EINVAL;
	if (!dev->ops->region_write && !dev->model)
		return -EOPNOTSUPP;
	device_enter(dev);
	if (dev->model)
		ret = model_host_write(dev->model, index, offset, buf, len);
	else
		ret = dev->ops->region_write(dev, index, offset, buf, len);
	device_leave(dev);
	return ret;
}

int dfd_region_backing(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset)
{
	const struct dfd_region *r = dfd_desc_region(dev->own, index);
	int ret;

	if (!r || !(r->flags & DFD_REGION_MAPPABLE))
		return -EINVAL;
	if (!dev->ops->region_map)
		return -EOPNOTSUPP;
	device_enter(dev);
	ret = dev->ops->region_map(dev, index, fd, offset);
	device_leave(dev);
	return ret;
}

/* @page is a power of two; what would wrap stays too large for any area. */
static uint64_t whole_pages(uint64_t len, uint64_t page)
{
	return len > UINT64_MAX - page ? len : (len + page - 1) & ~(page - 1);
}

/*
 * Do the pages of [offset, offset + len) lie in one mappable area? The last page of a region may
 * go on past its end: what is there belongs to nobody.
 */
static bool mappable(const struct dfd_region *r, uint64_t offset, uint64_t len, uint64_t page)
{
	const struct dfd_area whole = { 0, r->size };
	const struct dfd_area *areas = r->num_areas ? r->areas : &whole;
	uint32_t count = r->num_areas ? r->num_areas : 1;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t start = areas[i].offset, end = start + areas[i].size;

		if (end == r->size)
			end = whole_pages(end, page);
		if (offset >= start && offset < end && whole_pages(len, page) <= end - offset)
			return true;
	}
	return false;
}

int device_map_source(struct dfd_device *dev, uint32_t index, uint64_t offset, size_t len,
		      bool writes, int *fd, uint64_t *at)
{
	const struct dfd_region *r = dfd_desc_region(dev->own, index);
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), base = 0;
	int ret = dfd_region_backing(dev, index, fd, &base);

	if (ret)
		return ret;
	if (!len || offset % page || !mappable(r, offset, len, page) ||
	    (writes && (r->flags & DFD_REGION_READ_ONLY)))
		return -EINVAL;
	*at = base + offset;
	return 0;
}

bool device_has_contents(const struct dfd_device *dev)
{
	return dev->ops->region_write || dev->model;
}

bool device_is_served(const struct dfd_device *dev)
{
	return dev->ops->dma_map && dev->ops->service && !dev->model;
}

int dfd_region_mmap(struct dfd_device *dev, uint32_t index, uint64_t offset, size_t len, int prot,
		    void **addr)
{
	int fd, ret;
	uint64_t at;
	void *map;

	ret = device_map_source(dev, index, offset, len, prot & PROT_WRITE, &fd, &at);
	if (ret)
		return ret;
	map = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)at);
	if (map == MAP_FAILED)
		return -errno;
	*addr = map;
	return 0;
}

int dfd_device_reset(struct dfd_device *dev)
{
	int ret;

	if (!(dfd_desc_flags(dev->desc) & DFD_DEVICE_RESET))
		return -EINVAL;
	if (!dev->ops->reset)
		return -EOPNOTSUPP;
	device_enter(dev);
	if (dev->model)
		model_host_before_reset(dev->model);
	ret = dev->ops->reset(dev);
	if (!ret)
		dev->resets++;
	device_leave(dev);
	return ret;
}

int dfd_hot_reset_info(struct dfd_device *dev, struct dfd_hot_reset **out, struct dfd_error *err)
{
	int ret;

	if (!DEVICE_HAS(dev, hot_reset_info))
		return dfd_error_set(err, -EOPNOTSUPP,
				     "only a device of the kernel's VFIO has a "
				     "hot reset");
	device_enter(dev);
	ret = dev->ops->hot_reset_info(dev, out, err);
	device_leave(dev);
	return ret;
}

int dfd_hot_reset(struct dfd_device *dev, struct dfd_error *err)
{
	int ret;

	if (!DEVICE_HAS(dev, hot_reset))
		return dfd_error_set(err, -EOPNOTSUPP,
				     "only a device of the kernel's VFIO has a "
				     "hot reset");
	device_enter(dev);
	ret = dev->ops->hot_reset(dev, err);
	if (!ret)
		dev->resets++;
	device_leave(dev);
	return ret;
}

int dfd_dma_limits(struct dfd_device *dev, struct dfd_dma_limits *out)
{
	int ret;

	if (!DEVICE_HAS(dev, dma_limits))
		return -EOPNOTSUPP;
	device_enter(dev);
	ret = dev->ops->dma_limits(dev, out);
	device_leave(dev);
	return ret;
}

static int dirty(struct dfd_device *dev, enum dfd_dirty_op op, uint64_t iova, uint64_t size,
		 uint64_t *bitmap)
{
	int ret;

	if (!DEVICE_HAS(dev, dirty))
		return -EOPNOTSUPP;
	device_enter(dev);
	ret = dev->ops->dirty(dev, op, iova, size, bitmap);
	device_leave(dev);
	return ret;
}

int dfd_dirty_start(struct dfd_device *dev)
{
	return dirty(dev, DFD_DIRTY_START, 0, 0, NULL);
}

int dfd_dirty_stop(struct dfd_device *dev)
{
	return dirty(dev, DFD_DIRTY_STOP, 0, 0, NULL);
}

static int written(struct dfd_device *dev, enum dfd_dirty_op op, uint64_t iova, uint64_t size,
		   uint64_t *bitmap)
{
	if (!size || !bitmap)
		return -EINVAL;
	return size - 1 > UINT64_MAX - iova ? -EOVERFLOW : dirty(dev, op, iova, size, bitmap);
}

int dfd_dirty_get(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *bitmap)
{
	return written(dev, DFD_DIRTY_GET, iova, size, bitmap);
}

int dfd_dirty_peek(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *bitmap)
{
	return written(dev, DFD_DIRTY_PEEK, iova, size, bitmap);
}

int dfd_device_feature(struct dfd_device *dev, uint32_t flags, void *data, size_t len)
{
	int ret;

	if (!dev->ops->feature)
		return -ENOTTY;
	device_enter(dev);
	ret = dev->ops->feature(dev, flags, data, len);
	device_leave(dev);
	return ret;
}

int dfd_device_poll_fd(struct dfd_device *dev)
{
	int ret = -EOPNOTSUPP;

	device_enter(dev);
	if (dev->model)
		ret = model_host_poll_fd(dev->model);
	else if (dev->ops->poll_fd)
		ret = dev->ops->poll_fd(dev);
	device_leave(dev);
	return ret;
}

int dfd_device_service(struct dfd_device *dev)
{
	int ret = 0;

	device_enter(dev);
	if (dev->model)
		model_host_drain(dev->model);
	else if (dev->ops->service)
		ret = dev->ops->service(dev);
	device_leave(dev);
	return ret;
}

const struct dfd_doorbell *device_doorbells(const struct dfd_device *dev, uint32_t *count)
{
	const struct dfd_device_ops *ops = dev->ops;

	*count = ops->size >= sizeof(*ops) ? ops->num_doorbells : 0;
	return *count ? ops->doorbells : NULL;
}

void device_signal_by(struct dfd_device *dev, const struct dfd_signaller *s)
{
	pthread_mutex_lock(&dev->lock);
	if (dev->model)
		dev->model->signaller = s;
	pthread_mutex_unlock(&dev->lock);
}

bool dfd_device_quiet(struct dfd_device *dev)
{
	bool quiet;

	if (!dev->model)
		return !dev->ops->poll_fd;
	pthread_mutex_lock(&dev->lock);
	quiet = model_host_quiet(dev->model);
	pthread_mutex_unlock(&dev->lock);
	return quiet;
}

void dfd_device_watch_log(struct dfd_device *dev, void (*line)(void *ctx, const char *text),
			  void *ctx)
{
	device_enter(dev);
	dev->log = line;
	dev->log_ctx = ctx;
	device_leave(dev);
}

void dfd_device_log(struct dfd_device *dev, const char *fmt, ...)
{
	char text[512];
	va_list args;

	if (!dev->log)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	dev->log(dev->log_ctx, text);
}
