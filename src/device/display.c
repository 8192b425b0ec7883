/* SPDX-License-Identifier: MIT */
/* Planes: handed to the source, where it has them. */
#include <errno.h>
#include <string.h>

#include <devfd/display.h>

#include "device/device.h"

static int ask(struct dfd_device *dev, enum dfd_plane_way way, const enum dfd_plane_kind *kind,
	       struct dfd_plane *out)
{
	int ret;

	if (!DEVICE_HAS(dev, plane))
		return -EOPNOTSUPP;
	if (way != DFD_PLANE_DMABUF && way != DFD_PLANE_REGION)
		return -EINVAL;
	device_enter(dev);
	ret = dev->ops->plane(dev, way, kind, out);
	device_leave(dev);
	return ret;
}

int dfd_plane_probe(struct dfd_device *dev, enum dfd_plane_way way)
{
	return ask(dev, way, NULL, NULL);
}

int dfd_plane_get(struct dfd_device *dev, enum dfd_plane_way way, enum dfd_plane_kind kind,
		  struct dfd_plane *out)
{
	struct dfd_plane plane = { 0 };
	int ret = ask(dev, way, &kind, &plane);

	if (!ret)
		*out = plane;
	return ret;
}

int dfd_plane_dmabuf(struct dfd_device *dev, uint32_t where)
{
	int ret;

	if (!DEVICE_HAS(dev, plane_dmabuf))
		return -EOPNOTSUPP;
	device_enter(dev);
	ret = dev->ops->plane_dmabuf(dev, where);
	device_leave(dev);
	return ret;
}
