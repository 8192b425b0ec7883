/* SPDX-License-Identifier: MIT */
/* DMA maps as a container of type 1 takes them; also what an iommufd does in a container's place.
 */
#include <string.h>

#include "abi/vfio.h"
#include "shim/vfio.h"
#include "util/usermem.h"

_Static_assert(VFIO_DMA_MAP_FLAG_READ == DFD_DMA_READ && VFIO_DMA_MAP_FLAG_WRITE == DFD_DMA_WRITE,
	       "flags are passed on");

/** struct type1_chain - what follows struct vfio_iommu_type1_info */
struct type1_chain {
	struct vfio_iommu_type1_info_dma_avail avail;
	uint32_t pad;
	struct vfio_info_cap_header ranges;
	uint32_t nr_iovas, reserved;
	struct vfio_iova_range list[SPACE_NUM_RANGES];
};

static uint32_t left(const struct shim_space *s)
{
	return s->maps.count < SPACE_MAX_MAPS ? SPACE_MAX_MAPS - (uint32_t)s->maps.count : 0;
}

static void fill_chain(const struct shim_space *s, struct type1_chain *c)
{
	const uint32_t start = sizeof(struct vfio_iommu_type1_info);

	*c = (struct type1_chain){
		.avail = { { VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1,
			     start + (uint32_t)offsetof(struct type1_chain, ranges) },
			   left(s) },
		.ranges = { VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, 0 },
		.nr_iovas = SPACE_NUM_RANGES,
	};
	for (int i = 0; i < SPACE_NUM_RANGES; i++)
		c->list[i] = (struct vfio_iova_range){ shim_space_ranges[i].start,
						       shim_space_ranges[i].last };
}

int type1_get_info(struct shim_space *s, void *arg)
{
	const size_t minsz = offsetof(struct vfio_iommu_type1_info, cap_offset);
	struct vfio_iommu_type1_info info = { 0 };
	struct type1_chain chain;
	size_t size = sizeof(info);
	int ret = vfio_get(&info, arg, minsz);

	if (ret)
		return ret;
	if (info.argsz < size)
		size = info.argsz;
	info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = SPACE_PAGE_SIZES;
	fill_chain(s, &chain);
	if (info.argsz < sizeof(info) + sizeof(chain)) {
		info.argsz = sizeof(info) + sizeof(chain);
	} else {
		info.cap_offset = sizeof(info);
		if (dfd_copy_out((char *)arg + sizeof(info), &chain, sizeof(chain)))
			return -EFAULT;
	}
	return dfd_copy_out(arg, &info, size);
}

int type1_map(struct shim_space *s, void *arg)
{
	const uint32_t known = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	struct vfio_iommu_type1_dma_map map = { 0 };
	const struct dfd_iova *there;
	int ret = vfio_get(&map, arg, sizeof(map));

	if (ret)
		return ret;
	if ((map.flags & ~known) || !map.flags)
		return -EINVAL;
	if (!map.size || ((map.size | map.iova | map.vaddr) & (SPACE_PAGE - 1)))
		return -EINVAL;
	if (map.size - 1 > UINT64_MAX - map.iova || map.size - 1 > UINT64_MAX - map.vaddr)
		return -EOVERFLOW;
	there = dfd_iovamap_next(&s->maps, map.iova);
	if (there && there->start <= map.iova + (map.size - 1))
		return -EEXIST;
	if (!left(s))
		return -ENOSPC;
	if (!shim_space_in_ranges(map.iova, map.iova + (map.size - 1)))
		return -EINVAL;
	return shim_space_map(s, map.iova, map.vaddr, map.size, map.flags);
}

/*
 * Version 2 refuses to cut a map in two. Version 1 unmaps maps as a whole, but nothing at all when
 * the first one starts before the range.
 */
static int unmap_range(struct shim_space *s, bool v2, uint64_t first, uint64_t last, uint64_t *size)
{
	const struct dfd_iova *there = dfd_iovamap_next(&s->maps, first);

	*size = 0;
	if (v2 && dfd_iovamap_cuts(&s->maps, first, last))
		return -EINVAL;
	if (there && there->start >= first)
		*size = shim_space_unmap(s, first, last);
	return 0;
}

int type1_unmap(struct shim_space *s, bool v2, void *arg)
{
	struct vfio_iommu_type1_dma_unmap unmap = { 0 };
	uint64_t last;
	int ret = vfio_get(&unmap, arg, sizeof(unmap));

	if (ret)
		return ret;
	if (unmap.flags & ~VFIO_DMA_UNMAP_FLAG_ALL)
		return -EINVAL;
	if (unmap.flags) {
		if (unmap.iova || unmap.size)
			return -EINVAL;
		last = UINT64_MAX;
	} else {
		if (!unmap.size || ((unmap.iova | unmap.size) & (SPACE_PAGE - 1)))
			return -EINVAL;
		if (unmap.size - 1 > UINT64_MAX - unmap.iova)
			return -EOVERFLOW;
		last = unmap.iova + (unmap.size - 1);
	}
	ret = unmap_range(s, v2, unmap.iova, last, &unmap.size);
	return ret ? ret : dfd_copy_out(arg, &unmap, sizeof(unmap));
}
