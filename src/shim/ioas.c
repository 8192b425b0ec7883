/* SPDX-License-Identifier: MIT */
/* Address spaces of an iommufd: maps, and where there may be some. */
#include <stdlib.h>
#include <string.h>

#include "abi/iommufd.h"
#include "shim/iommufd.h"
#include "util/usermem.h"

_Static_assert(IOMMU_IOAS_MAP_READABLE == DFD_DMA_READ << 2 &&
		       IOMMU_IOAS_MAP_WRITEABLE == DFD_DMA_WRITE,
	       "see map_prot()");
_Static_assert(sizeof(struct dfd_iova) == sizeof(struct iommu_iova_range), "copied as they are");

static struct shim_space *find(const struct vfio_object *o, uint32_t id)
{
	struct iommufd_object *ioas = iommufd_find(o->iommufd, id, IOMMUFD_IOAS);

	return ioas ? ioas->space : NULL;
}

int ioas_alloc(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_alloc *a = arg;
	struct iommufd_object *ioas;
	struct shim_space *s;

	if (a->flags)
		return -EOPNOTSUPP;
	s = calloc(1, sizeof(*s));
	ioas = s ? iommufd_add(o->iommufd, IOMMUFD_IOAS) : NULL;
	if (!ioas) {
		free(s);
		return -ENOMEM;
	}
	s->iommufd = true;
	ioas->space = s;
	a->out_ioas_id = ioas->id;
	return 0;
}

/* Before it has pages any address goes. */
static uint64_t alignment(const struct shim_space *s)
{
	return s->tables || s->small_pages ? SPACE_PAGE : 1;
}

int ioas_iova_ranges(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_iova_ranges *a = arg;
	const struct shim_space *s = find(o, a->ioas_id);
	const struct dfd_iova *ranges;
	uint32_t count, room = a->num_iovas;

	if (a->reserved)
		return -EOPNOTSUPP;
	if (!s)
		return -ENOENT;
	count = shim_space_usable(s, &ranges);
	if (dfd_copy_out((void *)(uintptr_t)a->allowed_iovas, ranges,
			 (room < count ? room : count) * sizeof(*ranges)))
		return -EFAULT;
	a->num_iovas = count;
	a->out_iova_alignment = alignment(s);
	return count > room ? -EMSGSIZE : 0;
}

/* ---- where the kernel may choose a place ---- */

/* Keeps a list in order, and ranges that touch as one. Return: 0, -EINVAL on overlap */
static int allow(struct dfd_iova *list, uint32_t *count, const struct dfd_iova *range)
{
	uint32_t i = *count;

	if (range->start >= range->last)
		return -EINVAL;
	for (; i && list[i - 1].start > range->start; i--)
		list[i] = list[i - 1];
	list[i] = *range;
	++*count;
	if ((i && list[i - 1].last >= range->start) ||
	    (i + 1 < *count && list[i + 1].start <= range->last))
		return -EINVAL;
	return 0;
}

/* Read one by one, so that what is wrong early is said before there is memory for all. */
static int load_allowed(const struct iommu_ioas_allow_iovas *a, struct shim_space *to)
{
	for (uint32_t i = 0; i < a->num_iovas; i++) {
		const uint64_t at = a->allowed_iovas + i * sizeof(struct dfd_iova);
		struct dfd_iova range, *grown;
		int ret;

		if (i == SPACE_MAX_MAPS)
			return -ENOMEM;
		if (dfd_copy_in(&range, (const void *)(uintptr_t)at, sizeof(range)))
			return -EFAULT;
		grown = reallocarray(to->allowed, i + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		to->allowed = grown;
		ret = allow(grown, &to->num_allowed, &range);
		if (ret)
			return ret;
	}
	return 0;
}

int ioas_allow_iovas(struct vfio_object *o, void *arg)
{
	const struct iommu_ioas_allow_iovas *a = arg;
	struct shim_space *s = find(o, a->ioas_id), loaded = { 0 };
	int ret;

	if (a->reserved)
		return -EOPNOTSUPP;
	if (!s)
		return -ENOENT;
	ret = load_allowed(a, &loaded);
	for (uint32_t i = 0; i < loaded.num_allowed && !ret; i++)
		ret = shim_space_has(s, loaded.allowed[i].start, loaded.allowed[i].last)
			      ? 0
			      : -EADDRINUSE;
	if (ret) {
		free(loaded.allowed);
		return ret;
	}
	free(s->allowed);
	s->allowed = loaded.allowed;
	s->num_allowed = loaded.num_allowed;
	return 0;
}

/* The least address that is aligned as memory at @vaddr wants it, up to a large page. */
static uint64_t wanted_alignment(uint64_t vaddr, uint64_t size)
{
	uint64_t align = 1;

	while (align < size && align < UINT64_C(1) << 21 && !(vaddr & align))
		align <<= 1;
	return align;
}

/* The lowest place in a range, at the same offset in a page as the memory. */
static int choose_in(struct shim_space *s, const struct dfd_iova *in, uint64_t vaddr, uint64_t size,
		     uint64_t *iova)
{
	uint64_t within = vaddr % SPACE_PAGE, align = wanted_alignment(vaddr, size);
	uint64_t min = in->start < SPACE_PAGE ? SPACE_PAGE : in->start;
	uint64_t max = in->last > UINT64_MAX - SPACE_PAGE ? UINT64_MAX - SPACE_PAGE : in->last;
	int ret;

	if (!within)
		return dfd_iovamap_gap(&s->maps, min, max, size, align, iova);
	/* Room for whole pages, of which the memory is a part. */
	ret = dfd_iovamap_gap(&s->maps, min, max, within + size, SPACE_PAGE, iova);
	*iova += within;
	return ret;
}

static int choose(struct shim_space *s, uint64_t vaddr, uint64_t size, uint64_t *iova)
{
	const struct dfd_iova *in, *usable;
	uint32_t count = shim_space_usable(s, &usable), i = 0;
	int ret = -ENOSPC;

	if (size >= UINT64_MAX / 2)
		return -EOVERFLOW;
	in = s->num_allowed ? s->allowed : usable;
	count = s->num_allowed ? s->num_allowed : count;
	while (i < count && ret) {
		struct dfd_iova one = in[i++];

		/* Ranges that touch are one. */
		while (i < count && in[i].start == one.last + 1)
			one.last = in[i++].last;
		ret = choose_in(s, &one, vaddr, size, iova);
	}
	return ret;
}

/* ---- maps ---- */

static uint32_t map_prot(uint32_t flags)
{
	return (flags & IOMMU_IOAS_MAP_WRITEABLE) | (flags & IOMMU_IOAS_MAP_READABLE) >> 2;
}

static int check_place(const struct shim_space *s, uint64_t iova, uint64_t size)
{
	const struct dfd_iova *there;

	if (iova & (alignment(s) - 1))
		return -EINVAL;
	if (size - 1 > UINT64_MAX - iova)
		return -EOVERFLOW;
	if (!shim_space_has(s, iova, iova + (size - 1)))
		return -EINVAL;
	there = dfd_iovamap_next(&s->maps, iova);
	return there && there->start <= iova + (size - 1) ? -EEXIST : 0;
}

/* @iova: the place if it is fixed, else receives it */
static int find_place(struct shim_space *s, bool fixed, uint64_t vaddr, uint64_t size,
		      uint64_t *iova)
{
	int ret;

	if (!size)
		return -EINVAL;
	if (size > UINT64_MAX - vaddr)
		return -EOVERFLOW;
	if (size & (alignment(s) - 1))
		return -EINVAL;
	ret = fixed ? check_place(s, *iova, size) : choose(s, vaddr, size, iova);
	if (!ret && (vaddr & (alignment(s) - 1)))
		ret = -EINVAL;
	return ret;
}

int ioas_map_fixed(struct shim_space *s, uint64_t iova, uint64_t vaddr, uint64_t size,
		   uint32_t prot)
{
	int ret = find_place(s, true, vaddr, size, &iova);

	return ret ? ret : shim_space_map(s, iova, vaddr, size, prot);
}

static int check_flags(uint32_t flags, uint64_t iova, uint64_t length)
{
	const uint32_t known =
		IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE;

	if (flags & ~known)
		return -EOPNOTSUPP;
	if (iova == UINT64_MAX || length == UINT64_MAX)
		return -EOVERFLOW;
	return flags & ~IOMMU_IOAS_MAP_FIXED_IOVA ? 0 : -EINVAL;
}

int ioas_map(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_map *a = arg;
	struct shim_space *s = find(o, a->ioas_id);
	int ret = a->reserved ? -EOPNOTSUPP : check_flags(a->flags, a->iova, a->length);

	if (!ret && !s)
		ret = -ENOENT;
	if (!ret)
		ret = find_place(s, a->flags & IOMMU_IOAS_MAP_FIXED_IOVA, a->user_va, a->length,
				 &a->iova);
	return ret ? ret : shim_space_map(s, a->iova, a->user_va, a->length, map_prot(a->flags));
}

int ioas_map_file(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_map_file *a = arg;
	struct shim_space *s = find(o, a->ioas_id);
	int fd, ret = check_flags(a->flags, a->iova, a->length);

	if (!ret && !s)
		ret = -ENOENT;
	if (ret)
		return ret;
	fd = dfd_user_fd(a->fd);
	if (fd < 0)
		return fd;
	ret = find_place(s, a->flags & IOMMU_IOAS_MAP_FIXED_IOVA, a->start, a->length, &a->iova);
	if (!ret)
		ret = shim_space_map_file(s, a->iova, fd, a->start, a->length, map_prot(a->flags));
	dfd_user_fd_done(fd);
	return ret;
}

/* Memory of files is nobody's, so only where all of it is that somebody else may have it. */
int ioas_change_process(struct vfio_object *o, void *arg)
{
	const struct iommu_ioas_change_process *a = arg;

	if (a->reserved)
		return -EOPNOTSUPP;
	for (const struct iommufd_object *obj = o->iommufd->objects; obj; obj = obj->next) {
		if (obj->type == IOMMUFD_IOAS && !shim_space_is_files(obj->space))
			return -EINVAL;
	}
	return 0;
}

/* ---- copies ---- */

static const struct space_map *map_of(const struct shim_space *s, uint64_t iova)
{
	return (const struct space_map *)dfd_iovamap_find(&s->maps, iova);
}

/* All of the range has to be mapped, and writable if the copy is. */
static int check_source(const struct shim_space *s, const struct iommu_ioas_copy *a)
{
	uint64_t at = a->src_iova, last = a->src_iova + (a->length - 1);

	if (!a->length)
		return -EINVAL;
	if (a->length - 1 > UINT64_MAX - a->src_iova)
		return -EOVERFLOW;
	for (;;) {
		const struct space_map *map = map_of(s, at);

		if (!map)
			return -ENOENT;
		if (map->range.last >= last)
			return 0;
		at = map->range.last + 1;
	}
}

static int check_writable(const struct shim_space *s, const struct iommu_ioas_copy *a)
{
	uint64_t at = a->src_iova, last = a->src_iova + (a->length - 1);
	const struct space_map *map;

	do {
		map = map_of(s, at);
		if ((map_prot(a->flags) & ~map->prot) & DFD_DMA_WRITE)
			return -EPERM;
		at = map->range.last + 1;
	} while (map->range.last < last);
	return 0;
}

/* As many maps as the source has. */
static int copy_maps(const struct shim_space *from, struct shim_space *to,
		     const struct iommu_ioas_copy *a)
{
	uint64_t done = 0;
	int ret = 0;

	while (done < a->length && !ret) {
		const struct space_map *map = map_of(from, a->src_iova + done);
		uint64_t within = a->src_iova + done - map->range.start;
		uint64_t size = map->range.last - map->range.start + 1 - within;

		if (size > a->length - done)
			size = a->length - done;
		ret = shim_space_copy(to, a->dst_iova + done, map, within, size,
				      map_prot(a->flags));
		if (!ret)
			done += size;
	}
	if (ret && done)
		shim_space_unmap(to, a->dst_iova, a->dst_iova + (done - 1));
	return ret;
}

int ioas_copy(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_copy *a = arg;
	const struct shim_space *from = find(o, a->src_ioas_id);
	struct shim_space *to = find(o, a->dst_ioas_id);
	const struct space_map *first;
	int ret = check_flags(a->flags, a->dst_iova, a->length);

	if (!ret && a->src_iova == UINT64_MAX)
		ret = -EOVERFLOW;
	if (!ret)
		ret = from ? check_source(from, a) : -ENOENT;
	if (!ret && !to)
		ret = -ENOENT;
	if (ret)
		return ret;
	first = map_of(from, a->src_iova);
	ret = find_place(to, a->flags & IOMMU_IOAS_MAP_FIXED_IOVA,
			 first->vaddr + (a->src_iova - first->range.start), a->length,
			 &a->dst_iova);
	if (!ret)
		ret = check_writable(from, a);
	return ret ? ret : copy_maps(from, to, a);
}

/* ---- unmapping ---- */

int ioas_unmap_range(struct shim_space *s, uint64_t iova, uint64_t *size)
{
	uint64_t last;

	if (!*size)
		return -EINVAL;
	if (*size - 1 > UINT64_MAX - iova)
		return -EOVERFLOW;
	last = iova + (*size - 1);
	if (dfd_iovamap_cuts(&s->maps, iova, last))
		return -ENOENT;
	*size = shim_space_unmap(s, iova, last);
	return 0;
}

int ioas_unmap(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_unmap *a = arg;
	struct shim_space *s = find(o, a->ioas_id);
	int ret;

	if (!s)
		return -ENOENT;
	if (!a->iova && a->length == UINT64_MAX) {
		a->length = shim_space_unmap(s, 0, UINT64_MAX);
		return 0;
	}
	if (a->iova == UINT64_MAX || a->length == UINT64_MAX)
		return -EOVERFLOW;
	ret = ioas_unmap_range(s, a->iova, &a->length);
	return ret || a->length ? ret : -ENOENT;
}

/* ---- sizes of pages ---- */

int ioas_small_pages(struct shim_space *s)
{
	if (s->small_pages)
		return 0;
	if (s->tables && s->maps.count)
		return -EINVAL;
	if (!shim_space_aligned(s))
		return -EADDRINUSE;
	s->small_pages = true;
	return 0;
}

int ioas_option(struct vfio_object *o, void *arg)
{
	struct iommu_option *a = arg;
	struct shim_space *s = find(o, a->object_id);

	if (!s)
		return -ENOENT;
	if (a->op == IOMMU_OPTION_OP_GET) {
		a->val64 = !s->small_pages;
		return 0;
	}
	if (a->op != IOMMU_OPTION_OP_SET)
		return -EOPNOTSUPP;
	if (a->val64 > 1)
		return -EINVAL;
	if (!a->val64)
		return ioas_small_pages(s);
	s->small_pages = false;
	return 0;
}
