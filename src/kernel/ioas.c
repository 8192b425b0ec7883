/* SPDX-License-Identifier: MIT */
/*
 * DMA maps of an address space in an iommufd.
 *
 * Theory of operation: as a container of type 1, but a file is pinned without being mapped in this
 * process, where the kernel can, and the kernel refuses to unmap nothing, which space.c does not
 * ask for.
 *
 * Without an IOMMU the kernel pins memory and tells where it is. It is pinned at any address
 * first, and when its place is known once more at the IOVA that equals it. So what is mapped where
 * is one list here and in the kernel, and memory that is mapped twice is refused as elsewhere.
 */
#include <errno.h>

#include "abi/iommufd.h"
#include "kernel/ioas.h"

static int call(const struct space *s, unsigned long request, void *arg)
{
	int ret = s->env.calls->ioctl(s->fd, request, arg);

	return ret < 0 ? ret : 0;
}

int ioas_new(struct space *s)
{
	struct iommu_ioas_alloc arg = { .size = sizeof(arg) };
	int ret = call(s, IOMMU_IOAS_ALLOC, &arg);

	s->ioas = ret ? 0 : arg.out_ioas_id;
	return ret;
}

/*
 * Page tables cannot be told later, when the account is wanted: the kernel would exchange them
 * under a device at work.
 */
void ioas_count_writes(struct space *s, uint32_t device)
{
	struct iommu_hwpt_alloc arg = {
		.size = sizeof(arg),
		.flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
		.dev_id = device,
		.pt_id = s->ioas,
	};

	s->hwpt = call(s, IOMMU_HWPT_ALLOC, &arg) ? 0 : arg.out_hwpt_id;
}

static void destroy(const struct space *s, uint32_t id)
{
	struct iommu_destroy arg = { .size = sizeof(arg), .id = id };

	if (id)
		call(s, IOMMU_DESTROY, &arg);
}

/* The iommufd may be somebody's who keeps it. */
static void ioas_finish(struct space *s)
{
	destroy(s, s->hwpt);
	destroy(s, s->ioas);
}

/* ---- what the address space can do ---- */

/*
 * An iommufd tells the smallest only. Tables are pages of entries of 8 bytes, and an entry of the
 * two levels above the lowest can be a page.
 */
static uint64_t page_sizes(uint64_t page)
{
	uint64_t entries = page / 8, sizes = page;

	for (int level = 1; level <= 2; level++) {
		if (!entries || page > UINT64_MAX / entries)
			break;
		page *= entries;
		sizes |= page;
	}
	return sizes;
}

static int ioas_learn(struct space *s)
{
	struct iommu_iova_range got[SPACE_MAX_RANGES];
	struct iommu_ioas_iova_ranges arg = {
		.size = sizeof(arg),
		.ioas_id = s->ioas,
		.num_iovas = SPACE_MAX_RANGES,
		.allowed_iovas = (uintptr_t)got,
	};
	int ret = call(s, IOMMU_IOAS_IOVA_RANGES, &arg);

	/* There are more: the first of them have been filled in. */
	if (ret == -EMSGSIZE && arg.num_iovas > SPACE_MAX_RANGES) {
		arg.num_iovas = SPACE_MAX_RANGES;
		ret = 0;
	}
	if (ret)
		return ret;
	if (arg.num_iovas > SPACE_MAX_RANGES || !arg.out_iova_alignment ||
	    (arg.out_iova_alignment & (arg.out_iova_alignment - 1)))
		return -EBADMSG;
	for (uint32_t i = 0; i < arg.num_iovas; i++) {
		if (got[i].start > got[i].last)
			return -EBADMSG;
		s->ranges[i] = (struct dfd_iova_range){ got[i].start, got[i].last };
	}
	s->num_ranges = arg.num_iovas;
	s->page = arg.out_iova_alignment;
	s->page_sizes = page_sizes(s->page);
	return 0;
}

/* ---- mapping ---- */

static uint32_t map_flags(const struct dfd_dma_map *map)
{
	uint32_t flags = IOMMU_IOAS_MAP_FIXED_IOVA;

	if (map->prot & DFD_DMA_READ)
		flags |= IOMMU_IOAS_MAP_READABLE;
	if (map->prot & DFD_DMA_WRITE)
		flags |= IOMMU_IOAS_MAP_WRITEABLE;
	return flags;
}

static int ioas_map(struct space *s, const struct dfd_dma_map *map, void *addr)
{
	struct iommu_ioas_map arg = {
		.size = sizeof(arg),
		.flags = map_flags(map),
		.ioas_id = s->ioas,
		.user_va = (uintptr_t)addr,
		.length = map->size,
		.iova = map->iova,
	};

	return call(s, IOMMU_IOAS_MAP, &arg);
}

/*
 * Files that are no memfd are -EINVAL or -EBADF; kernels before 6.13 do not have it. Whatever it
 * is, mapping the file here goes, or tells what is wrong with it.
 */
static int ioas_map_file(struct space *s, const struct dfd_dma_map *map)
{
	struct iommu_ioas_map_file arg = {
		.size = sizeof(arg),
		.flags = map_flags(map),
		.ioas_id = s->ioas,
		.fd = map->fd,
		.start = map->fd_offset,
		.length = map->size,
		.iova = map->iova,
	};
	int ret = call(s, IOMMU_IOAS_MAP_FILE, &arg);

	return ret == -ENOTTY || ret == -EBADF || ret == -EINVAL ? -EOPNOTSUPP : ret;
}

static int ioas_unmap(struct space *s, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	struct iommu_ioas_unmap arg = {
		.size = sizeof(arg),
		.ioas_id = s->ioas,
		.iova = iova,
		.length = size,
	};
	int ret = call(s, IOMMU_IOAS_UNMAP, &arg);

	*unmapped = arg.length;
	return ret;
}

/* ---- what was written ---- */

static int ioas_account(struct space *s, bool on)
{
	struct iommu_hwpt_set_dirty_tracking arg = {
		.size = sizeof(arg),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = s->hwpt,
	};

	return s->hwpt ? call(s, IOMMU_HWPT_SET_DIRTY_TRACKING, &arg) : -EOPNOTSUPP;
}

/* The kernel writes to @bitmap. NOLINTNEXTLINE(readability-non-const-parameter) */
static int ioas_written(struct space *s, uint64_t iova, uint64_t size, bool keep, uint64_t *bitmap)
{
	struct iommu_hwpt_get_dirty_bitmap arg = {
		.size = sizeof(arg),
		.hwpt_id = s->hwpt,
		.flags = keep ? IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0,
		.iova = iova,
		.length = size,
		.page_size = s->page,
		.data = (uintptr_t)bitmap,
	};

	return call(s, IOMMU_HWPT_GET_DIRTY_BITMAP, &arg);
}

const struct space_ops ioas_ops = {
	.learn = ioas_learn,
	.map = ioas_map,
	.map_file = ioas_map_file,
	.unmap = ioas_unmap,
	.account = ioas_account,
	.written = ioas_written,
	.finish = ioas_finish,
};

/* ---- without an IOMMU ---- */

/* Physical addresses have 52 bits at most. Not the very end: Linux 7.3 maps but one piece there. */
#define ABOVE_MEMORY (UINT64_C(1) << 52)

/* Where the kernel has pinned memory; @iova is where it was mapped. */
static int physical(const struct space *s, uint64_t iova, uint64_t size, uint64_t *phys)
{
	struct iommu_ioas_noiommu_get_pa arg = {
		.size = sizeof(arg),
		.ioas_id = s->ioas,
		.iova = iova,
		.length = size,
	};
	int ret = call(s, IOMMU_IOAS_NOIOMMU_GET_PA, &arg);

	*phys = arg.out_phys;
	if (ret)
		return ret;
	return arg.length < size ? -EOPNOTSUPP : 0;
}

static int noiommu_place(struct space *s, struct dfd_dma_map *map, void *addr)
{
	struct dfd_dma_map trial = *map;
	uint64_t phys = 0, unmapped;
	int ret;

	if (map->iova != DFD_IOVA_ANY)
		return -EINVAL;
	trial.iova = ABOVE_MEMORY;
	ret = ioas_map(s, &trial, addr);
	if (ret)
		return ret;
	ret = physical(s, trial.iova, map->size, &phys);
	ioas_unmap(s, trial.iova, map->size, &unmapped);
	if (ret)
		return ret;
	if (map->max_iova && (phys > map->max_iova || map->size - 1 > map->max_iova - phys))
		return -ENOSPC;
	if (!space_allows(s, phys, phys + (map->size - 1)))
		return -EBADMSG;
	map->iova = phys;
	return 0;
}

/* It may have been moved between the two times it was pinned. */
static int noiommu_map(struct space *s, const struct dfd_dma_map *map, void *addr)
{
	uint64_t phys, unmapped;
	int ret = ioas_map(s, map, addr);

	if (ret)
		return ret;
	ret = physical(s, map->iova, map->size, &phys);
	if (!ret && phys != map->iova)
		ret = -EAGAIN;
	if (ret)
		ioas_unmap(s, map->iova, map->size, &unmapped);
	return ret;
}

const struct space_ops ioas_noiommu_ops = {
	.learn = ioas_learn,
	.map = noiommu_map,
	.place = noiommu_place,
	.unmap = ioas_unmap,
	.finish = ioas_finish,
};
