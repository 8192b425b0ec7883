/* SPDX-License-Identifier: MIT */
/* Planes of a device behind VFIO. */

#include "abi/vfio.h"
#include "kernel/display.h"

_Static_assert(DFD_PLANE_DMABUF == VFIO_GFX_PLANE_TYPE_DMABUF &&
		       DFD_PLANE_REGION == VFIO_GFX_PLANE_TYPE_REGION,
	       "the values of linux/vfio.h");

int display_plane(const struct kernel_calls *calls, int fd, enum dfd_plane_way way,
		  const enum dfd_plane_kind *kind, struct dfd_plane *out)
{
	struct vfio_device_gfx_plane_info info = { .argsz = sizeof(info), .flags = way };
	int ret;

	if (kind)
		info.drm_plane_type = *kind;
	else
		info.flags |= VFIO_GFX_PLANE_TYPE_PROBE;
	ret = calls->ioctl(fd, VFIO_DEVICE_QUERY_GFX_PLANE, &info);
	if (ret < 0 || !kind)
		return ret < 0 ? ret : 0;
	*out = (struct dfd_plane){
		.format = info.drm_format,
		.modifier = info.drm_format_mod,
		.width = info.width,
		.height = info.height,
		.stride = info.stride,
		.size = info.size,
		.x = info.x_pos,
		.y = info.y_pos,
		.hot_x = info.x_hot,
		.hot_y = info.y_hot,
		.where = info.where,
	};
	return 0;
}

int display_dmabuf(const struct kernel_calls *calls, int fd, uint32_t where)
{
	return calls->ioctl(fd, VFIO_DEVICE_GET_GFX_DMABUF, &where);
}
