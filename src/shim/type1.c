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
	struct vfio_iommu_type1_info_cap_migration migration;
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

/* Where in the whole a part of the chain is. */
#define AT(part)                                                                                   \
	((uint32_t)(sizeof(struct vfio_iommu_type1_info) + offsetof(struct type1_chain, part)))

static void fill_chain(const struct shim_space *s, struct type1_chain *c)
{
	*c = (struct type1_chain){
		.migration = { { VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 1, AT(avail) },
			       0,
			       SPACE_PAGE,
			       TYPE1_MAX_BITMAP },
		.avail = { { VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, AT(ranges) }, left(s) },
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

/* Memory that was mapped has another address now, such as after an exec. */
static int change_vaddr(struct shim_space *s, const struct vfio_iommu_type1_dma_map *map)
{
	struct space_map *there = (struct space_map *)dfd_iovamap_next(&s->maps, map->iova);

	if (!there || there->range.start > map->iova + (map->size - 1))
		return -ENOENT;
	if (!there->lost_vaddr || there->range.start != map->iova ||
	    there->range.last != map->iova + (map->size - 1))
		return -EINVAL;
	shim_space_move(there, map->vaddr);
	there->lost_vaddr = false;
	return 0;
}

static int check_map(const struct vfio_iommu_type1_dma_map *map)
{
	const uint32_t rw = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;

	if (map->flags & ~(rw | VFIO_DMA_MAP_FLAG_VADDR))
		return -EINVAL;
	if (!(map->flags & rw) == !(map->flags & VFIO_DMA_MAP_FLAG_VADDR))
		return -EINVAL;
	if (!map->size || ((map->size | map->iova | map->vaddr) & (SPACE_PAGE - 1)))
		return -EINVAL;
	if (map->size - 1 > UINT64_MAX - map->iova || map->size - 1 > UINT64_MAX - map->vaddr)
		return -EOVERFLOW;
	return 0;
}

int type1_map(struct shim_space *s, void *arg)
{
	struct vfio_iommu_type1_dma_map map = { 0 };
	const struct dfd_iova *there;
	int ret = vfio_get(&map, arg, sizeof(map));

	if (!ret)
		ret = check_map(&map);
	if (ret)
		return ret;
	if (map.flags & VFIO_DMA_MAP_FLAG_VADDR)
		return change_vaddr(s, &map);
	there = dfd_iovamap_next(&s->maps, map.iova);
	if (there && there->start <= map.iova + (map.size - 1))
		return -EEXIST;
	if (!left(s))
		return -ENOSPC;
	if (!shim_space_in_ranges(map.iova, map.iova + (map.size - 1)))
		return -EINVAL;
	return shim_space_map(s, map.iova, map.vaddr, map.size, map.flags);
}

/* ---- unmapping ---- */

/** struct unmap - the request, and what follows it where that is asked for */
struct unmap {
	struct vfio_iommu_type1_dma_unmap arg;
	struct vfio_bitmap bitmap;
	uint64_t last;
};

/* Return: bytes of maps that are lost from now on; none when one of them is so already */
static int lose_vaddrs(struct shim_space *s, struct unmap *u)
{
	struct space_map *map;
	uint64_t at = u->arg.iova;

	u->arg.size = 0;
	while ((map = (struct space_map *)dfd_iovamap_next(&s->maps, at)) &&
	       map->range.start <= u->last) {
		if (map->lost_vaddr)
			return -EINVAL;
		if (map->range.last >= u->last)
			break;
		at = map->range.last + 1;
	}
	at = u->arg.iova;
	while ((map = (struct space_map *)dfd_iovamap_next(&s->maps, at)) &&
	       map->range.start <= u->last) {
		map->lost_vaddr = true;
		u->arg.size += map->range.last - map->range.start + 1;
		if (map->range.last >= u->last)
			break;
		at = map->range.last + 1;
	}
	return 0;
}

/*
 * Version 2 refuses to cut a map in two. Version 1 unmaps maps as a whole, but nothing at all when
 * the first one starts before the range.
 */
static int unmap_range(struct shim_space *s, bool v2, struct unmap *u)
{
	const struct dfd_iova *there = dfd_iovamap_next(&s->maps, u->arg.iova);
	int ret = 0;

	if (v2 && dfd_iovamap_cuts(&s->maps, u->arg.iova, u->last)) {
		u->arg.size = 0;
		return -EINVAL;
	}
	if (u->arg.flags & VFIO_DMA_UNMAP_FLAG_VADDR)
		return lose_vaddrs(s, u);
	u->arg.size = 0;
	if (!there || there->start < u->arg.iova)
		return 0;
	if (u->arg.flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP)
		ret = type1_put_dirty(s, u->arg.iova, u->last, u->bitmap.data);
	if (!ret)
		u->arg.size = shim_space_unmap(s, u->arg.iova, u->last);
	return ret;
}

static int get_bitmap(struct unmap *u, const void *arg)
{
	const uint32_t others = VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_VADDR;

	if (!(u->arg.flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP))
		return 0;
	if ((u->arg.flags & others) || u->arg.argsz < sizeof(u->arg) + sizeof(u->bitmap))
		return -EINVAL;
	if (dfd_copy_in(&u->bitmap, (const char *)arg + sizeof(u->arg), sizeof(u->bitmap)))
		return -EFAULT;
	return type1_check_bitmap(&u->bitmap, u->arg.size);
}

static int check_unmap(const struct shim_space *s, struct unmap *u)
{
	const struct vfio_iommu_type1_dma_unmap *a = &u->arg;

	u->last = UINT64_MAX;
	if ((a->iova | a->size) & (SPACE_PAGE - 1))
		return -EINVAL;
	if (a->flags & VFIO_DMA_UNMAP_FLAG_ALL)
		return a->iova || a->size ? -EINVAL : 0;
	if (!a->size)
		return -EINVAL;
	if (a->size - 1 > UINT64_MAX - a->iova)
		return -EOVERFLOW;
	u->last = a->iova + (a->size - 1);
	if (!(a->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP))
		return 0;
	return s->dirty_tracking && u->bitmap.pgsize == SPACE_PAGE ? 0 : -EINVAL;
}

int type1_unmap(struct shim_space *s, bool v2, void *arg)
{
	const uint32_t known = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_ALL |
			       VFIO_DMA_UNMAP_FLAG_VADDR;
	struct unmap u = { 0 };
	int ret = vfio_get(&u.arg, arg, sizeof(u.arg));

	if (!ret && (u.arg.flags & ~known))
		ret = -EINVAL;
	if (!ret)
		ret = get_bitmap(&u, arg);
	if (!ret)
		ret = check_unmap(s, &u);
	if (!ret)
		ret = unmap_range(s, v2, &u);
	return ret ? ret : dfd_copy_out(arg, &u.arg, sizeof(u.arg));
}
