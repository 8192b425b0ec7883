/* SPDX-License-Identifier: MIT */
/*
 * What was written, as a container of type 1 tells it: with a device that has an IOMMU every page
 * that is mapped counts as written, always. That is what the kernel says, too.
 */
#include <string.h>

#include "abi/vfio.h"
#include "shim/vfio.h"
#include "util/usermem.h"

#define WORD_BITS 64u

/* Ones from bit @first on; what is before them in their word stays, what is behind becomes 0. */
static int put_ones(uint64_t user, uint64_t first, uint64_t count)
{
	uint64_t words[64], keep = 0;
	uint64_t at = user + first / WORD_BITS * sizeof(*words);
	unsigned int shift = first % WORD_BITS;
	uint64_t bits = shift + count;

	if (shift && dfd_copy_in(&keep, (const void *)(uintptr_t)at, sizeof(keep)))
		return -EFAULT;
	while (bits) {
		uint64_t n = 0;

		for (; bits && n < sizeof(words) / sizeof(*words); n++) {
			words[n] = bits < WORD_BITS ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
			bits -= bits < WORD_BITS ? bits : WORD_BITS;
		}
		if (shift)
			words[0] &= UINT64_MAX << shift;
		words[0] |= shift ? keep & ~(UINT64_MAX << shift) : 0;
		shift = 0;
		if (dfd_copy_out((void *)(uintptr_t)at, words, n * sizeof(*words)))
			return -EFAULT;
		at += n * sizeof(*words);
	}
	return 0;
}

int type1_put_dirty(const struct shim_space *s, uint64_t first, uint64_t last, uint64_t bitmap)
{
	const struct dfd_iova *map = dfd_iovamap_next(&s->maps, first);
	int ret = 0;

	while (map && map->start <= last && !ret) {
		ret = put_ones(bitmap, (map->start - first) / SPACE_PAGE,
			       (map->last - map->start + 1) / SPACE_PAGE);
		map = map->last < last ? dfd_iovamap_next(&s->maps, map->last + 1) : NULL;
	}
	return ret;
}

int type1_check_bitmap(const struct vfio_bitmap *bitmap, uint64_t size)
{
	uint64_t pages, room = bitmap->size;

	/* Any size of a page is good for counting, but only the smallest one for asking. */
	if (!bitmap->pgsize)
		return -EINVAL;
	pages = size >> __builtin_ctzll(bitmap->pgsize);
	if (!pages || !room || room > TYPE1_MAX_BITMAP)
		return -EINVAL;
	return room / sizeof(uint64_t) < (pages + WORD_BITS - 1) / WORD_BITS ? -EINVAL : 0;
}

static int get_bitmap(const struct shim_space *s, const void *arg, uint32_t argsz)
{
	const size_t start = sizeof(struct vfio_iommu_type1_dirty_bitmap);
	struct vfio_iommu_type1_dirty_bitmap_get range;
	uint64_t last;
	int ret;

	if (argsz - start < sizeof(range))
		return -EINVAL;
	if (dfd_copy_in(&range, (const char *)arg + start, sizeof(range)))
		return -EFAULT;
	if (range.size && range.size - 1 > UINT64_MAX - range.iova)
		return -EOVERFLOW;
	ret = type1_check_bitmap(&range.bitmap, range.size);
	if (ret)
		return ret;
	if (range.bitmap.pgsize != SPACE_PAGE || ((range.iova | range.size) & (SPACE_PAGE - 1)))
		return -EINVAL;
	last = range.iova + (range.size - 1);
	if (!s->dirty_tracking || dfd_iovamap_cuts(&s->maps, range.iova, last))
		return -EINVAL;
	return type1_put_dirty(s, range.iova, last, range.bitmap.data);
}

int type1_dirty_pages(struct shim_space *s, bool v2, void *arg)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = { 0 };
	int ret;

	if (!v2)
		return -EACCES;
	ret = vfio_get(&dirty, arg, sizeof(dirty));
	if (ret)
		return ret;
	switch (dirty.flags) {
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
		s->dirty_tracking = dirty.flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
		return 0;
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
		return get_bitmap(s, arg, dirty.argsz);
	default:
		return -EINVAL;
	}
}
