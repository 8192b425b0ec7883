/* SPDX-License-Identifier: MIT */
/*
 * DMA maps of a container of type 1, version 1 or 2.
 *
 * Theory of operation: the kernel maps memory of this process by address and pins it. It knows no
 * files, so space.c maps a file first. Version 1 unmaps in a way of its own where a range does not
 * fit the maps; nobody here asks for such a range.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/vfio.h"
#include "ioctl/info.h"
#include "kernel/type1.h"

#ifndef MADV_POPULATE_READ /* Linux 5.14 */
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

/* ---- what the container can do ---- */

static int asked_ioctl(void *ctx, unsigned long request, void *arg)
{
	const struct space *s = ctx;

	return s->env.calls->ioctl(s->fd, request, arg);
}

static const struct dfd_fd_ops asked_ops = { .ioctl = asked_ioctl };

static int take_ranges(struct space *s, const struct dfd_info_cap *cap)
{
	const uint32_t head = sizeof(struct vfio_iommu_type1_info_cap_iova_range) -
			      sizeof(struct vfio_info_cap_header);
	uint32_t count = cap->len < head ? UINT32_MAX : dfd_info_get32(cap->body);

	if (count > (cap->len - head) / sizeof(struct vfio_iova_range))
		return -EBADMSG;
	if (count > SPACE_MAX_RANGES)
		count = SPACE_MAX_RANGES;
	for (s->num_ranges = 0; s->num_ranges < count; s->num_ranges++) {
		struct vfio_iova_range r;

		memcpy(&r, cap->body + head + s->num_ranges * sizeof(r), sizeof(r));
		if (r.start > r.end)
			return -EBADMSG;
		s->ranges[s->num_ranges] = (struct dfd_iova_range){ r.start, r.end };
	}
	return 0;
}

static int take_info(struct space *s, const struct dfd_info *answer)
{
	struct dfd_info_cap cap = { .end = sizeof(struct vfio_iommu_type1_info) };
	struct vfio_iommu_type1_info info;
	int ret;

	memcpy(&info, answer->buf, sizeof(info));
	if ((info.flags & VFIO_IOMMU_INFO_PGSIZES) && info.iova_pgsizes) {
		s->page_sizes = info.iova_pgsizes;
		s->page = s->page_sizes & -s->page_sizes;
	}
	if (info.flags & VFIO_IOMMU_INFO_CAPS)
		cap.next = info.cap_offset;
	while ((ret = dfd_info_next_cap(answer, &cap)) > 0) {
		if (cap.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			ret = take_ranges(s, &cap);
		if (ret < 0)
			break;
	}
	return ret;
}

/* Without a list, as from mediated devices, every address goes. */
static int type1_learn(struct space *s)
{
	const struct vfio_iommu_type1_info head = { .argsz = sizeof(head) };
	struct dfd_asker asker = { .ops = &asked_ops, .ctx = s };
	struct dfd_info answer = { 0 };
	int ret = dfd_ask_info(&asker, VFIO_IOMMU_GET_INFO, &head, sizeof(head),
			       VFIO_IOMMU_INFO_CAPS, &answer);

	if (!ret)
		ret = take_info(s, &answer);
	free(answer.buf);
	return ret;
}

/* ---- mapping ---- */

/*
 * The kernel would map the registers of another device, if they are mapped here; an iommufd would
 * not. Filling in the page tells: there is nothing to fill in for registers. Kernels that are too
 * old for that refuse it for all memory, this function's own included.
 */
static bool is_memory(void *addr, int advice, uint64_t page)
{
	char own = 0;
	void *here = (void *)((uintptr_t)&own & ~(uintptr_t)(page - 1));

	return !madvise(addr, (size_t)page, advice) || (errno != EINVAL && errno != EFAULT) ||
	       madvise(here, (size_t)page, advice);
}

static int type1_map(struct space *s, const struct dfd_dma_map *map, void *addr)
{
	int advice = map->prot & DFD_DMA_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.vaddr = (uintptr_t)addr,
		.iova = map->iova,
		.size = map->size,
	};

	if (map->prot & DFD_DMA_READ)
		arg.flags |= VFIO_DMA_MAP_FLAG_READ;
	if (map->prot & DFD_DMA_WRITE)
		arg.flags |= VFIO_DMA_MAP_FLAG_WRITE;
	if (!is_memory(addr, advice, s->page))
		return -EFAULT;
	return s->env.calls->ioctl(s->fd, VFIO_IOMMU_MAP_DMA, &arg);
}

static int type1_unmap(struct space *s, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	struct vfio_iommu_type1_dma_unmap arg = { .argsz = sizeof(arg),
						  .iova = iova,
						  .size = size };
	int ret = s->env.calls->ioctl(s->fd, VFIO_IOMMU_UNMAP_DMA, &arg);

	*unmapped = arg.size;
	return ret < 0 ? ret : 0;
}

/* ---- what is left, and what was written ---- */

/* Kernels before 5.10 do not say, and an iommufd that plays a container has no limit. */
static int type1_maps_left(struct space *s, uint64_t *left)
{
	const struct vfio_iommu_type1_info head = { .argsz = sizeof(head) };
	struct dfd_info_cap cap = { .end = sizeof(struct vfio_iommu_type1_info) };
	struct dfd_asker asker = { .ops = &asked_ops, .ctx = s };
	struct vfio_iommu_type1_info info;
	struct dfd_info answer = { 0 };
	int ret = dfd_ask_info(&asker, VFIO_IOMMU_GET_INFO, &head, sizeof(head),
			       VFIO_IOMMU_INFO_CAPS, &answer);

	if (!ret) {
		memcpy(&info, answer.buf, sizeof(info));
		cap.next = info.flags & VFIO_IOMMU_INFO_CAPS ? info.cap_offset : 0;
	}
	while (!ret && (ret = dfd_info_next_cap(&answer, &cap)) > 0) {
		ret = 0;
		if (cap.id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL && cap.len >= sizeof(uint32_t))
			*left = dfd_info_get32(cap.body);
	}
	if (*left == UINT32_MAX)
		*left = UINT64_MAX;
	free(answer.buf);
	return ret;
}

static int dirty_pages(const struct space *s, struct vfio_iommu_type1_dirty_bitmap *arg)
{
	return s->env.calls->ioctl(s->fd, VFIO_IOMMU_DIRTY_PAGES, arg);
}

/* Version 1 keeps none, and neither does a container that an iommufd plays. */
static int type1_account(struct space *s, bool on)
{
	struct vfio_iommu_type1_dirty_bitmap arg = {
		.argsz = sizeof(arg),
		.flags = on ? VFIO_IOMMU_DIRTY_PAGES_FLAG_START : VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP,
	};
	int ret = dirty_pages(s, &arg);

	return ret == -ENOTTY || ret == -EACCES ? -EOPNOTSUPP : ret;
}

/* The kernel writes to @bitmap. NOLINTNEXTLINE(readability-non-const-parameter) */
static int type1_written(struct space *s, uint64_t iova, uint64_t size, bool keep, uint64_t *bitmap)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} arg = {
		{ .argsz = sizeof(arg), .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP },
		{ iova, size, { s->page, (size / s->page + 63) / 64 * 8, (uintptr_t)bitmap } },
	};

	return keep ? -EOPNOTSUPP : dirty_pages(s, &arg.head);
}

const struct space_ops type1_ops = {
	.learn = type1_learn,
	.map = type1_map,
	.unmap = type1_unmap,
	.maps_left = type1_maps_left,
	.account = type1_account,
	.written = type1_written,
};
