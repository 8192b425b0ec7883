/* SPDX-License-Identifier: MIT */
/* An iommufd in a container's place: requests of type 1, done to one of its address spaces. */
#include <string.h>

#include "abi/iommufd.h"
#include "abi/vfio.h"
#include "shim/iommufd.h"
#include "util/usermem.h"

struct shim_space *iommufd_compat(const struct vfio_object *o)
{
	return o->iommufd->compat ? o->iommufd->compat->space : NULL;
}

int iommufd_make_compat(struct vfio_object *o)
{
	struct iommu_ioas_alloc alloc = { 0 };
	int ret = o->iommufd->compat ? 0 : ioas_alloc(o, &alloc);

	if (!ret && !o->iommufd->compat)
		o->iommufd->compat = iommufd_any(o->iommufd, alloc.out_ioas_id);
	return ret;
}

uint32_t iommufd_compat_id(const struct vfio_object *o)
{
	return o->iommufd->compat->id;
}

int compat_vfio_ioas(struct vfio_object *o, void *arg)
{
	struct iommu_vfio_ioas *a = arg;
	struct iommufd_object *ioas;

	if (a->reserved)
		return -EOPNOTSUPP;
	switch (a->op) {
	case IOMMU_VFIO_IOAS_GET:
		if (!o->iommufd->compat)
			return -ENODEV;
		a->ioas_id = o->iommufd->compat->id;
		return 0;
	case IOMMU_VFIO_IOAS_SET:
		ioas = iommufd_find(o->iommufd, a->ioas_id, IOMMUFD_IOAS);
		if (ioas)
			o->iommufd->compat = ioas;
		return ioas ? 0 : -ENOENT;
	case IOMMU_VFIO_IOAS_CLEAR:
		o->iommufd->compat = NULL;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int check_extension(const struct iommufd *f, uintptr_t extension)
{
	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		return f->compat ? 1 : -ENODEV;
	default:
		return 0;
	}
}

static int set_iommu(const struct iommufd *f, uintptr_t type)
{
	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
		return -EINVAL;
	if (!f->compat)
		return -ENODEV;
	return type == VFIO_TYPE1_IOMMU ? ioas_small_pages(f->compat->space) : 0;
}

/* ---- what there is ---- */

/** struct chain - what follows struct vfio_iommu_type1_info; not all of @list may be there */
struct chain {
	struct vfio_iommu_type1_info_dma_avail avail;
	uint32_t pad;
	struct vfio_info_cap_header ranges;
	uint32_t nr_iovas, reserved;
	struct dfd_iova list[SPACE_NUM_RANGES];
};

static uint32_t fill_chain(const struct shim_space *s, struct chain *c)
{
	const uint32_t start = sizeof(struct vfio_iommu_type1_info);
	const struct dfd_iova *list;
	uint32_t count = shim_space_usable(s, &list);

	*c = (struct chain){
		.avail = { { VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1,
			     start + (uint32_t)offsetof(struct chain, ranges) },
			   UINT32_MAX },
		.ranges = { VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, 0 },
		.nr_iovas = count,
	};
	memcpy(c->list, list, count * sizeof(*list));
	return (uint32_t)(offsetof(struct chain, list) + count * sizeof(*list));
}

/* Always tells how large it is. */
static int get_info(const struct iommufd *f, void *arg)
{
	const size_t minsz = offsetof(struct vfio_iommu_type1_info, cap_offset);
	struct vfio_iommu_type1_info info = { 0 };
	struct chain chain;
	uint32_t argsz, size;
	int ret = vfio_get(&info, arg, minsz);

	if (!ret && !f->compat)
		ret = -ENODEV;
	if (ret)
		return ret;
	argsz = info.argsz;
	size = fill_chain(f->compat->space, &chain);
	info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = f->compat->space->tables ? SPACE_PAGE_SIZES : ~(SPACE_PAGE - 1);
	info.argsz = (uint32_t)sizeof(info) + size;
	if (argsz >= info.argsz) {
		info.cap_offset = sizeof(info);
		if (dfd_copy_out((char *)arg + sizeof(info), &chain, size))
			return -EFAULT;
	}
	return dfd_copy_out(arg, &info, argsz < sizeof(info) ? argsz : sizeof(info));
}

/* ---- maps ---- */

static int map(const struct iommufd *f, void *arg)
{
	const uint32_t rw = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	struct vfio_iommu_type1_dma_map map = { 0 };
	int ret = vfio_get(&map, arg, sizeof(map));

	if (ret)
		return ret;
	if (map.flags & ~rw)
		return -EINVAL;
	if (!f->compat)
		return -ENODEV;
	return ioas_map_fixed(f->compat->space, map.iova, map.vaddr, map.size, map.flags);
}

/* Version 1 may cut a map in two, which is done first. */
static int unmap_range(struct shim_space *s, struct vfio_iommu_type1_dma_unmap *unmap)
{
	uint64_t last = unmap->iova + (unmap->size - 1);
	int ret = 0;

	if (s->small_pages && unmap->size && last >= unmap->iova) {
		ret = shim_space_cut(s, unmap->iova);
		if (!ret && last != UINT64_MAX)
			ret = shim_space_cut(s, last + 1);
	}
	if (!ret)
		ret = ioas_unmap_range(s, unmap->iova, &unmap->size);
	return ret;
}

static int unmap(const struct iommufd *f, void *arg)
{
	struct vfio_iommu_type1_dma_unmap unmap = { 0 };
	int ret = vfio_get(&unmap, arg, sizeof(unmap));

	if (ret)
		return ret;
	if (unmap.flags & ~VFIO_DMA_UNMAP_FLAG_ALL)
		return -EINVAL;
	if (!f->compat)
		return -ENODEV;
	if (!unmap.flags)
		ret = unmap_range(f->compat->space, &unmap);
	else if (unmap.iova || unmap.size)
		ret = -EINVAL;
	else
		unmap.size = shim_space_unmap(f->compat->space, 0, UINT64_MAX);
	return ret ? ret : dfd_copy_out(arg, &unmap, sizeof(unmap));
}

int compat_ioctl(struct iommufd *f, uint32_t request, void *arg)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return check_extension(f, (uintptr_t)arg);
	case VFIO_SET_IOMMU:
		return set_iommu(f, (uintptr_t)arg);
	case VFIO_IOMMU_GET_INFO:
		return get_info(f, arg);
	case VFIO_IOMMU_MAP_DMA:
		return map(f, arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmap(f, arg);
	default:
		return -ENOTTY;
	}
}
