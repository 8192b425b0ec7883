/* SPDX-License-Identifier: MIT */
/*
 * DMA maps of a container of type 1.
 *
 * Theory of operation: the kernel maps memory of this process by address and pins it. It knows no
 * files, so a file is mapped here first and stays mapped as long as the device may use it. It does
 * not choose addresses either: the lowest free place inside the ranges that it reports is taken.
 * What it reserves, such as the window of message interrupts on x86, is outside these ranges.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/vfio.h"
#include "ioctl/info.h"
#include "kernel/type1.h"

/* ---- what the container can do ---- */

/** struct asked - a container, for the functions of ioctl/info.h */
struct asked {
	const struct kernel_calls *calls;
	int fd;
};

static int asked_ioctl(void *ctx, unsigned long request, void *arg)
{
	const struct asked *a = ctx;

	return a->calls->ioctl(a->fd, request, arg);
}

static const struct dfd_fd_ops asked_ops = { .ioctl = asked_ioctl };

static int take_ranges(struct type1 *t, const struct dfd_info_cap *cap)
{
	const uint32_t head = sizeof(struct vfio_iommu_type1_info_cap_iova_range) -
			      sizeof(struct vfio_info_cap_header);
	uint32_t count = cap->len < head ? UINT32_MAX : dfd_info_get32(cap->body);

	if (count > (cap->len - head) / sizeof(struct vfio_iova_range))
		return -EBADMSG;
	if (count > TYPE1_MAX_RANGES)
		count = TYPE1_MAX_RANGES;
	for (t->num_ranges = 0; t->num_ranges < count; t->num_ranges++) {
		struct vfio_iova_range r;

		memcpy(&r, cap->body + head + t->num_ranges * sizeof(r), sizeof(r));
		if (r.start > r.end)
			return -EBADMSG;
		t->ranges[t->num_ranges] = (struct type1_range){ r.start, r.end };
	}
	return 0;
}

static int take_info(struct type1 *t, const struct dfd_info *answer)
{
	struct dfd_info_cap cap = { .end = sizeof(struct vfio_iommu_type1_info) };
	struct vfio_iommu_type1_info info;
	int ret;

	memcpy(&info, answer->buf, sizeof(info));
	if ((info.flags & VFIO_IOMMU_INFO_PGSIZES) && info.iova_pgsizes)
		t->page = info.iova_pgsizes & -info.iova_pgsizes;
	if (info.flags & VFIO_IOMMU_INFO_CAPS)
		cap.next = info.cap_offset;
	while ((ret = dfd_info_next_cap(answer, &cap)) > 0) {
		if (cap.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			ret = take_ranges(t, &cap);
		if (ret < 0)
			break;
	}
	return ret;
}

int type1_init(struct type1 *t, const struct kernel_calls *calls, int container,
	       struct dfd_error *err)
{
	const struct vfio_iommu_type1_info head = { .argsz = sizeof(head) };
	struct asked asked = { calls, container };
	struct dfd_asker asker = { .ops = &asked_ops, .ctx = &asked };
	struct dfd_info answer = { 0 };
	int ret;

	/* Without a list, as from mediated devices, every address goes. */
	*t = (struct type1){ .calls = calls,
			     .container = container,
			     .page = 4096,
			     .ranges = { { 0, UINT64_MAX } },
			     .num_ranges = 1 };
	ret = dfd_ask_info(&asker, VFIO_IOMMU_GET_INFO, &head, sizeof(head), VFIO_IOMMU_INFO_CAPS,
			   &answer);
	if (!ret)
		ret = take_info(t, &answer);
	free(answer.buf);
	t->low = t->page;
	if (ret)
		return dfd_error_set(err, ret, "asking the IOMMU what it can map: %s",
				     strerror(-ret));
	pthread_mutex_init(&t->lock, NULL);
	return 0;
}

/** struct mapping - @range: first, so that a pointer to it is one to the mapping; @file: or NULL */
struct mapping {
	struct dfd_iova range;
	void *file;
};

static void forget(void *ctx, struct dfd_iova *range)
{
	struct mapping *m = (struct mapping *)range;

	(void)ctx;
	if (m->file)
		munmap(m->file, (size_t)(range->last - range->start + 1));
	free(m);
}

void type1_finish(struct type1 *t)
{
	dfd_iovamap_clear(&t->maps, forget, NULL);
	pthread_mutex_destroy(&t->lock);
}

/* ---- choosing addresses ---- */

bool type1_allows(const struct type1 *t, uint64_t iova, uint64_t last)
{
	for (uint32_t i = 0; i < t->num_ranges; i++) {
		if (iova >= t->ranges[i].start && last <= t->ranges[i].last)
			return true;
	}
	return false;
}

/* Address 0 is below @low: too many drivers take it for no address. */
static int choose(const struct type1 *t, struct dfd_dma_map *map)
{
	uint64_t max = map->max_iova ? map->max_iova : UINT64_MAX - 1;

	for (uint32_t i = 0; i < t->num_ranges; i++) {
		uint64_t min = t->ranges[i].start, last = t->ranges[i].last;

		if (min < t->low)
			min = t->low;
		if (!dfd_iovamap_gap(&t->maps, min, last < max ? last : max, map->size, t->page,
				     &map->iova))
			return 0;
	}
	return -ENOSPC;
}

bool type1_has_room(struct type1 *t, const struct dfd_dma_map *map)
{
	struct dfd_dma_map copy = *map;
	int ret;

	pthread_mutex_lock(&t->lock);
	ret = choose(t, &copy);
	pthread_mutex_unlock(&t->lock);
	return !ret;
}

/* ---- mapping ---- */

/* The file in memory. It must be writable there where the device shall write. */
static int map_file(const struct type1 *t, const struct dfd_dma_map *map, void **addr)
{
	int prot = PROT_READ | (map->prot & DFD_DMA_WRITE ? PROT_WRITE : 0);

	if (map->fd_offset % t->page || map->fd_offset > INT64_MAX)
		return -EINVAL;
	*addr = mmap(NULL, (size_t)map->size, prot, MAP_SHARED, map->fd, (off_t)map->fd_offset);
	return *addr == MAP_FAILED ? -errno : 0;
}

static int map_address(const struct type1 *t, const struct dfd_dma_map *map, void *addr)
{
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
	return t->calls->ioctl(t->container, VFIO_IOMMU_MAP_DMA, &arg);
}

static int mapping_new(const struct type1 *t, const struct dfd_dma_map *map, struct mapping **out)
{
	struct mapping *m = malloc(sizeof(*m));
	int ret = 0;

	if (!m)
		return -ENOMEM;
	*m = (struct mapping){ .range = { map->iova, map->iova + (map->size - 1) } };
	if (map->kind == DFD_DMA_FD)
		ret = map_file(t, map, &m->file);
	if (ret)
		free(m);
	else
		*out = m;
	return ret;
}

static int map_locked(struct type1 *t, struct dfd_dma_map *map)
{
	struct mapping *m;
	int ret = map->iova == DFD_IOVA_ANY ? choose(t, map) : 0;

	if (!ret)
		ret = mapping_new(t, map, &m);
	if (ret)
		return ret;
	ret = dfd_iovamap_add(&t->maps, &m->range);
	if (!ret) {
		ret = map_address(t, map, m->file ? m->file : map->addr);
		if (ret)
			dfd_iovamap_remove(&t->maps, &m->range);
		else if (map->iova == t->low && map->size < UINT64_MAX - t->low)
			t->low += map->size;
	}
	if (ret)
		forget(NULL, &m->range);
	return ret;
}

int type1_map(struct type1 *t, struct dfd_dma_map *map)
{
	bool any = map->iova == DFD_IOVA_ANY;
	int ret;

	if (map->kind == DFD_DMA_MESSAGE)
		return -EOPNOTSUPP;
	if (map->size % t->page || (!any && map->iova % t->page) ||
	    (map->kind == DFD_DMA_ADDRESS && (uintptr_t)map->addr % t->page))
		return -EINVAL;
	if (!any && !type1_allows(t, map->iova, map->iova + (map->size - 1)))
		return -EINVAL;
	pthread_mutex_lock(&t->lock);
	ret = map_locked(t, map);
	pthread_mutex_unlock(&t->lock);
	if (ret && any)
		map->iova = DFD_IOVA_ANY;
	return ret;
}

/* ---- unmapping ---- */

/* One call for all maps of the range, from the first to the last of them. */
static int unmap_locked(struct type1 *t, uint64_t iova, uint64_t last, uint64_t *unmapped)
{
	struct vfio_iommu_type1_dma_unmap arg = { .argsz = sizeof(arg) };
	uint64_t start, end;
	int ret;

	if (dfd_iovamap_cuts(&t->maps, iova, last))
		return -EINVAL;
	*unmapped = 0;
	if (!dfd_iovamap_extent(&t->maps, iova, last, &start, &end))
		return 0;
	arg.iova = start;
	arg.size = end - arg.iova + 1;
	ret = t->calls->ioctl(t->container, VFIO_IOMMU_UNMAP_DMA, &arg);
	if (ret < 0)
		return ret;
	*unmapped = arg.size;
	dfd_iovamap_take_out(&t->maps, arg.iova, end, forget, NULL);
	if (arg.iova < t->low)
		t->low = arg.iova > t->page ? arg.iova : t->page;
	return 0;
}

int type1_unmap(struct type1 *t, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	int ret;

	pthread_mutex_lock(&t->lock);
	ret = unmap_locked(t, iova, iova + (size - 1), unmapped);
	pthread_mutex_unlock(&t->lock);
	return ret;
}
