/* SPDX-License-Identifier: MIT */
/* /dev/vfio/vfio: an address space that groups share. It has an IOMMU once a group is in it. */
#include <stdlib.h>

#include "abi/vfio.h"
#include "shim/vfio.h"

static int check_extension(const struct vfio_object *o, uintptr_t extension)
{
	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_UPDATE_VADDR:
	case VFIO_DMA_CC_IOMMU:
		return o->space ? 1 : 0;
	default:
		return 0;
	}
}

static int set_iommu(struct vfio_object *o, uintptr_t type)
{
	if (!o->holders || o->space)
		return -EINVAL;
	if (check_extension(o, type) <= 0)
		return -ENODEV;
	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
		return -EINVAL;
	o->space = calloc(1, sizeof(*o->space));
	o->v2 = type == VFIO_TYPE1v2_IOMMU;
	if (!o->space)
		return -ENOMEM;
	o->space->tables = 1;
	return 0;
}

int container_ioctl(struct vfio_object *o, uint32_t request, void *arg)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return check_extension(o, (uintptr_t)arg);
	case VFIO_SET_IOMMU:
		vfio_sweep();
		return set_iommu(o, (uintptr_t)arg);
	}
	if (!o->space)
		return -EINVAL;
	switch (request) {
	case VFIO_IOMMU_GET_INFO:
		return type1_get_info(o->space, arg);
	case VFIO_IOMMU_MAP_DMA:
		return type1_map(o->space, arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return type1_unmap(o->space, o->v2, arg);
	case VFIO_IOMMU_DIRTY_PAGES:
		return type1_dirty_pages(o->space, o->v2, arg);
	default:
		return -ENOTTY;
	}
}

void container_left(struct vfio_object *o)
{
	if (o->holders > 1)
		return;
	shim_space_free(o->space);
	o->space = NULL;
}

void container_release(struct vfio_object *o)
{
	shim_space_free(o->space);
}
