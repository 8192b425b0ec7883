/* SPDX-License-Identifier: MIT */
/* /dev/iommu: address spaces under numbers, each independent of devices until one is attached. */
#include <stdlib.h>
#include <string.h>

#include "abi/iommufd.h"
#include "abi/vfio.h"
#include "shim/vfio.h"
#include "util/usermem.h"

_Static_assert(IOMMU_IOAS_MAP_READABLE == DFD_DMA_READ << 2 &&
		       IOMMU_IOAS_MAP_WRITEABLE == DFD_DMA_WRITE,
	       "see map_prot()");

/** struct iommufd - @compat: what requests of a container mean */
struct iommufd {
	struct shim_space *spaces;
	struct shim_space *compat;
	uint32_t last_id;
};

struct iommufd *iommufd_new(void)
{
	return calloc(1, sizeof(struct iommufd));
}

void iommufd_release(struct vfio_object *o)
{
	struct shim_space *next;

	for (struct shim_space *s = o->iommufd->spaces; s; s = next) {
		next = s->next;
		shim_space_free(s);
	}
	free(o->iommufd);
}

uint32_t iommufd_next_id(const struct vfio_object *o)
{
	return ++o->iommufd->last_id;
}

static struct shim_space *find(const struct iommufd *f, uint32_t id)
{
	struct shim_space *s = f->spaces;

	while (s && s->id != id)
		s = s->next;
	return s;
}

static struct shim_space *add(struct vfio_object *o)
{
	struct shim_space *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->id = iommufd_next_id(o);
	s->next = o->iommufd->spaces;
	o->iommufd->spaces = s;
	return s;
}

struct shim_space *iommufd_compat(const struct vfio_object *o)
{
	return o->iommufd->compat;
}

int iommufd_make_compat(struct vfio_object *o)
{
	if (!o->iommufd->compat)
		o->iommufd->compat = add(o);
	return o->iommufd->compat ? 0 : -ENOMEM;
}

/* A device attaches to an address space, or to what an earlier attach has said. */
struct shim_space *iommufd_space(const struct vfio_object *o, uint32_t id, int *why)
{
	struct shim_space *s = o->iommufd->spaces;

	while (s && s->id != id && (s->attach_id != id || !s->num_devices))
		s = s->next;
	*why = s ? 0 : -ENOENT;
	return s;
}

uint32_t iommufd_attached(const struct vfio_object *o, const struct shim_space *space)
{
	struct shim_space *s = find(o->iommufd, space->id);

	if (!s->attach_id || s->num_devices == 1)
		s->attach_id = iommufd_next_id(o);
	return s->attach_id;
}

/* ---- address spaces ---- */

static int ioas_alloc(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_alloc *a = arg;
	const struct shim_space *s;

	if (a->flags)
		return -EOPNOTSUPP;
	s = add(o);
	a->out_ioas_id = s ? s->id : 0;
	return s ? 0 : -ENOMEM;
}

static int destroy(struct vfio_object *o, void *arg)
{
	const struct iommu_destroy *a = arg;
	struct shim_space **at = &o->iommufd->spaces, *s;

	for (; (s = *at); at = &s->next) {
		if (s->num_devices && s->attach_id == a->id)
			return -EBUSY;
		if (s->id == a->id)
			break;
	}
	if (!s)
		return -ENOENT;
	if (s->num_devices)
		return -EBUSY;
	*at = s->next;
	if (o->iommufd->compat == s)
		o->iommufd->compat = NULL;
	shim_space_free(s);
	return 0;
}

/* Without devices every address goes. */
static int iova_ranges(struct vfio_object *o, void *arg)
{
	static const struct dfd_iova all = { 0, UINT64_MAX };
	struct iommu_ioas_iova_ranges *a = arg;
	const struct shim_space *s = find(o->iommufd, a->ioas_id);
	const struct dfd_iova *ranges = s && s->num_devices ? shim_space_ranges : &all;
	uint32_t count = s && s->num_devices ? SPACE_NUM_RANGES : 1, room = a->num_iovas;

	if (a->reserved)
		return -EOPNOTSUPP;
	if (!s)
		return -ENOENT;
	if (dfd_copy_out((void *)(uintptr_t)a->allowed_iovas, ranges,
			 (room < count ? room : count) * sizeof(*ranges)))
		return -EFAULT;
	a->num_iovas = count;
	a->out_iova_alignment = SPACE_PAGE;
	return count > room ? -EMSGSIZE : 0;
}

_Static_assert(sizeof(struct dfd_iova) == sizeof(struct iommu_iova_range), "copied as they are");

static int check_allowed(const struct shim_space *s, const struct dfd_iova *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (list[i].start >= list[i].last)
			return -EINVAL;
		for (uint32_t j = 0; j < i; j++) {
			if (list[i].start <= list[j].last && list[j].start <= list[i].last)
				return -EINVAL;
		}
		if (s->num_devices && !shim_space_in_ranges(list[i].start, list[i].last))
			return -EADDRINUSE;
	}
	return 0;
}

static int allow_iovas(struct vfio_object *o, void *arg)
{
	const struct iommu_ioas_allow_iovas *a = arg;
	struct shim_space *s = find(o->iommufd, a->ioas_id);
	struct dfd_iova *list;
	int ret = 0;

	if (a->reserved)
		return -EOPNOTSUPP;
	if (!s)
		return -ENOENT;
	if (a->num_iovas > SPACE_MAX_MAPS)
		return -ENOMEM;
	list = calloc(a->num_iovas + (size_t)1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	if (a->num_iovas)
		ret = dfd_copy_in(list, (const void *)(uintptr_t)a->allowed_iovas,
				  a->num_iovas * sizeof(*list));
	if (!ret)
		ret = check_allowed(s, list, a->num_iovas);
	if (ret) {
		free(list);
		return ret;
	}
	free(s->allowed);
	s->allowed = list;
	s->num_allowed = a->num_iovas;
	return 0;
}

/* ---- maps ---- */

static uint32_t map_prot(uint32_t flags)
{
	return (flags & IOMMU_IOAS_MAP_WRITEABLE) | (flags & IOMMU_IOAS_MAP_READABLE) >> 2;
}

/* Of a size, up to the size of a large page, the alignment that lets the IOMMU use large ones. */
static uint64_t alignment(uint64_t size)
{
	uint64_t align = SPACE_PAGE;

	while (align < size && align < UINT64_C(1) << 21)
		align <<= 1;
	return align;
}

static int choose(struct shim_space *s, uint64_t size, uint64_t *iova)
{
	static const struct dfd_iova all = { SPACE_PAGE, UINT64_MAX };
	const struct dfd_iova *in = s->num_allowed ? s->allowed : shim_space_ranges;
	uint32_t count = s->num_allowed ? s->num_allowed : SPACE_NUM_RANGES;
	int ret = -ENOSPC;

	if (!s->num_allowed && !s->num_devices) {
		in = &all;
		count = 1;
	}
	for (uint32_t i = 0; i < count && ret; i++)
		ret = dfd_iovamap_gap(&s->maps, in[i].start ? in[i].start : SPACE_PAGE, in[i].last,
				      size, alignment(size), iova);
	return ret;
}

static int check_place(const struct shim_space *s, uint64_t iova, uint64_t size)
{
	const struct dfd_iova *there;

	if (iova & (SPACE_PAGE - 1))
		return -EINVAL;
	if (size - 1 > UINT64_MAX - iova)
		return -EOVERFLOW;
	if (s->num_devices && !shim_space_in_ranges(iova, iova + (size - 1)))
		return -EINVAL;
	there = dfd_iovamap_next(&s->maps, iova);
	return there && there->start <= iova + (size - 1) ? -EEXIST : 0;
}

static int map_at(struct shim_space *s, uint32_t flags, uint64_t vaddr, uint64_t size,
		  uint64_t *iova)
{
	int ret;

	if (!size || (size & (SPACE_PAGE - 1)) || (vaddr & (SPACE_PAGE - 1)))
		return -EINVAL;
	if (size - 1 > UINT64_MAX - vaddr)
		return -EOVERFLOW;
	ret = flags & IOMMU_IOAS_MAP_FIXED_IOVA ? check_place(s, *iova, size)
						: choose(s, size, iova);
	return ret ? ret : shim_space_map(s, *iova, vaddr, size, map_prot(flags));
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

static int ioas_map(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_map *a = arg;
	struct shim_space *s = find(o->iommufd, a->ioas_id);
	int ret = a->reserved ? -EOPNOTSUPP : check_flags(a->flags, a->iova, a->length);

	if (!ret && !s)
		ret = -ENOENT;
	return ret ? ret : map_at(s, a->flags, a->user_va, a->length, &a->iova);
}

static int ioas_copy(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_copy *a = arg;
	const struct shim_space *from = find(o->iommufd, a->src_ioas_id);
	struct shim_space *to = find(o->iommufd, a->dst_ioas_id);
	const struct space_map *map;
	int ret = check_flags(a->flags, a->dst_iova, a->length);

	if (!ret && a->src_iova == UINT64_MAX)
		ret = -EOVERFLOW;
	if (!ret && (!from || !to))
		ret = -ENOENT;
	if (ret)
		return ret;
	if (!a->length)
		return -EINVAL;
	map = (const struct space_map *)dfd_iovamap_find(&from->maps, a->src_iova);
	if (!map || a->length - 1 > map->range.last - a->src_iova)
		return -ENOENT;
	if ((map_prot(a->flags) & DFD_DMA_WRITE) && !(map->prot & DFD_DMA_WRITE))
		return -EPERM;
	return map_at(to, a->flags, map->vaddr + (a->src_iova - map->range.start), a->length,
		      &a->dst_iova);
}

static int ioas_unmap(struct vfio_object *o, void *arg)
{
	struct iommu_ioas_unmap *a = arg;
	struct shim_space *s = find(o->iommufd, a->ioas_id);
	uint64_t last;

	if (!s)
		return -ENOENT;
	if (!a->iova && a->length == UINT64_MAX) {
		a->length = shim_space_unmap(s, 0, UINT64_MAX);
		return 0;
	}
	if (a->iova == UINT64_MAX || a->length == UINT64_MAX)
		return -EOVERFLOW;
	if (!a->length)
		return -EINVAL;
	if (a->length - 1 > UINT64_MAX - a->iova)
		return -EOVERFLOW;
	last = a->iova + (a->length - 1);
	if (dfd_iovamap_cuts(&s->maps, a->iova, last))
		return -ENOENT;
	a->length = shim_space_unmap(s, a->iova, last);
	return a->length ? 0 : -ENOENT;
}

/* ---- in a container's place ---- */

static int vfio_ioas(struct vfio_object *o, void *arg)
{
	struct iommu_vfio_ioas *a = arg;
	struct shim_space *s;

	if (a->reserved)
		return -EOPNOTSUPP;
	switch (a->op) {
	case IOMMU_VFIO_IOAS_GET:
		if (!o->iommufd->compat)
			return -ENODEV;
		a->ioas_id = o->iommufd->compat->id;
		return 0;
	case IOMMU_VFIO_IOAS_SET:
		s = find(o->iommufd, a->ioas_id);
		if (s)
			o->iommufd->compat = s;
		return s ? 0 : -ENOENT;
	case IOMMU_VFIO_IOAS_CLEAR:
		o->iommufd->compat = NULL;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int compat_extension(const struct iommufd *f, uintptr_t extension)
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

static int compat_ioctl(const struct iommufd *f, uint32_t request, void *arg)
{
	uintptr_t type = (uintptr_t)arg;

	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return compat_extension(f, type);
	case VFIO_SET_IOMMU:
	case VFIO_IOMMU_GET_INFO:
	case VFIO_IOMMU_MAP_DMA:
	case VFIO_IOMMU_UNMAP_DMA:
		break;
	default:
		return -ENOTTY;
	}
	if (!f->compat)
		return -ENODEV;
	if (request == VFIO_SET_IOMMU)
		return type == VFIO_TYPE1_IOMMU || type == VFIO_TYPE1v2_IOMMU ? 0 : -EINVAL;
	if (request == VFIO_IOMMU_GET_INFO)
		return type1_get_info(f->compat, arg);
	return request == VFIO_IOMMU_MAP_DMA ? type1_map(f->compat, arg)
					     : type1_unmap(f->compat, true, arg);
}

/* ---- dispatch ---- */

static const struct call {
	uint32_t request;
	uint32_t size;
	uint32_t minsz;
	int (*handle)(struct vfio_object *o, void *arg);
} calls[] = {
	{ IOMMU_DESTROY, sizeof(struct iommu_destroy), 8, destroy },
	{ IOMMU_IOAS_ALLOC, sizeof(struct iommu_ioas_alloc), 12, ioas_alloc },
	{ IOMMU_IOAS_ALLOW_IOVAS, sizeof(struct iommu_ioas_allow_iovas), 24, allow_iovas },
	{ IOMMU_IOAS_COPY, sizeof(struct iommu_ioas_copy), 40, ioas_copy },
	{ IOMMU_IOAS_IOVA_RANGES, sizeof(struct iommu_ioas_iova_ranges), 32, iova_ranges },
	{ IOMMU_IOAS_MAP, sizeof(struct iommu_ioas_map), 40, ioas_map },
	{ IOMMU_IOAS_UNMAP, sizeof(struct iommu_ioas_unmap), 24, ioas_unmap },
	{ IOMMU_VFIO_IOAS, sizeof(struct iommu_vfio_ioas), 12, vfio_ioas },
};

/* The largest of all arguments. */
#define MAX_ARGUMENT 40

static int handle(struct vfio_object *o, const struct call *c, void *user)
{
	union {
		uint32_t size;
		uint64_t aligned;
		uint8_t bytes[MAX_ARGUMENT];
	} arg = { 0 };
	uint32_t size;
	int ret;

	if (dfd_copy_in(&size, user, sizeof(size)))
		return -EFAULT;
	if (size < c->minsz)
		return -EINVAL;
	if (dfd_copy_in(&arg, user, c->size))
		return -EFAULT;
	ret = vfio_check_tail(user, c->size, size);
	if (!ret)
		ret = c->handle(o, &arg);
	/* How many there are is said with this error, too. */
	if (ret && ret != -EMSGSIZE)
		return ret;
	return dfd_copy_out(user, &arg, c->size) ? -EFAULT : ret;
}

int iommufd_ioctl(struct vfio_object *o, uint32_t request, void *arg)
{
	vfio_sweep();
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (calls[i].request == request)
			return handle(o, &calls[i], arg);
	}
	return compat_ioctl(o->iommufd, request, arg);
}
