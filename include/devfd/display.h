/* SPDX-License-Identifier: MIT */
/*
 * What a device shows: planes of a graphics device that the kernel shares out (a mediated device).
 *
 * A plane is a picture in memory. Its pixels are in a dma-buf, or in a region of the device.
 */
#ifndef DEVFD_DISPLAY_H
#define DEVFD_DISPLAY_H

#include <devfd/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/** enum dfd_plane_way - where pixels are; the values of linux/vfio.h */
enum dfd_plane_way {
	DFD_PLANE_DMABUF = 2,
	DFD_PLANE_REGION = 4,
};

/** enum dfd_plane_kind - which plane; the values of drm_mode.h */
enum dfd_plane_kind {
	DFD_PLANE_OVERLAY,
	DFD_PLANE_PRIMARY,
	DFD_PLANE_CURSOR,
};

/**
 * struct dfd_plane - a plane as it is now
 * @format: a fourcc of drm_fourcc.h, such as 0x34325258 (XR24); 0 for a plane that is off
 * @modifier: how pixels are laid out, 0: in lines
 * @width, @height: in pixels
 * @stride: bytes from one line to the next
 * @size: bytes
 * @x, @y: where it is
 * @hot_x, @hot_y: of a cursor: the pixel that points
 * @where: number of the dma-buf, for dfd_plane_dmabuf(), or of the region
 */
struct dfd_plane {
	uint32_t format;
	uint64_t modifier;
	uint32_t width, height, stride, size;
	uint32_t x, y;
	uint32_t hot_x, hot_y;
	uint32_t where;
};

/**
 * dfd_plane_probe() - has the device planes whose pixels are there?
 *
 * Return: 0; -EINVAL for one that has them elsewhere; -ENOTTY or -EOPNOTSUPP for one without
 * planes.
 */
int dfd_plane_probe(struct dfd_device *dev, enum dfd_plane_way way);

/**
 * dfd_plane_get() - what a plane is now
 *
 * One that is off is no failure: its format and its size are 0.
 *
 * Return: 0 or as dfd_plane_probe().
 */
int dfd_plane_get(struct dfd_device *dev, enum dfd_plane_way way, enum dfd_plane_kind kind,
		  struct dfd_plane *out);

/**
 * dfd_plane_dmabuf() - the pixels of a plane
 * @where: as dfd_plane_get() has told with DFD_PLANE_DMABUF
 *
 * Return: an fd, the caller's; what the kernel says of a number that it has not given, or that is
 * no longer in use; -ENOTTY or -EOPNOTSUPP for a device without planes.
 */
int dfd_plane_dmabuf(struct dfd_device *dev, uint32_t where);

#ifdef __cplusplus
}
#endif
#endif
