/* SPDX-License-Identifier: MIT */
/*
 * Which memory was written through the IOMMU.
 *
 * Theory of operation: a container skips what is not mapped, and an iommufd stops there without a
 * word, which would lose what lies behind. So the kernel is only asked for maps without a gap
 * between them, one such stretch after the other. A container also refuses to be asked for a part
 * of a map, which an iommufd would not: nobody can, here.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel/space.h"

/** struct written - what is asked for, by whom */
struct written {
	struct space *s;
	uint64_t iova;
	uint64_t last;
	bool keep;
	uint64_t *bitmap;
};

/* The maps from the first one at or after @at on that have no gap between them. */
static bool next_stretch(const struct written *w, uint64_t at, struct dfd_iova *stretch)
{
	const struct dfd_iova *r = dfd_iovamap_next(&w->s->maps, at);

	if (!r || r->start > w->last)
		return false;
	*stretch = *r;
	while (stretch->last < w->last) {
		r = dfd_iovamap_next(&w->s->maps, stretch->last + 1);
		if (!r || r->start != stretch->last + 1)
			break;
		stretch->last = r->last;
	}
	return true;
}

/* Bits that do not start at a word. What is beyond the last page is 0, and its word not touched. */
static void merge(uint64_t *to, const uint64_t *bits, size_t words, unsigned int shift)
{
	for (size_t i = 0; i < words; i++) {
		to[i] |= bits[i] << shift;
		if (bits[i] >> (64 - shift))
			to[i + 1] |= bits[i] >> (64 - shift);
	}
}

static int ask(const struct written *w, const struct dfd_iova *stretch)
{
	uint64_t size = stretch->last - stretch->start + 1;
	uint64_t pages = size / w->s->page, first = (stretch->start - w->iova) / w->s->page;
	uint64_t *bits;
	int ret;

	if (!(first % 64))
		return w->s->ops->written(w->s, stretch->start, size, w->keep,
					  w->bitmap + first / 64);
	bits = calloc((size_t)((pages + 63) / 64), sizeof(*bits));
	if (!bits)
		return -ENOMEM;
	ret = w->s->ops->written(w->s, stretch->start, size, w->keep, bits);
	if (!ret)
		merge(w->bitmap + first / 64, bits, (size_t)((pages + 63) / 64), first % 64);
	free(bits);
	return ret;
}

static int get(const struct written *w)
{
	struct dfd_iova stretch;
	uint64_t at = w->iova;
	int ret = 0;

	if (!w->s->account || w->iova % w->s->page || (w->last + 1) % w->s->page ||
	    dfd_iovamap_cuts(&w->s->maps, w->iova, w->last))
		return -EINVAL;
	while (!ret && next_stretch(w, at, &stretch)) {
		ret = ask(w, &stretch);
		if (stretch.last >= w->last)
			break;
		at = stretch.last + 1;
	}
	return ret;
}

static int switch_account(struct space *s, bool on)
{
	int ret = s->ops->account(s, on);

	if (!ret)
		s->account = on;
	return ret;
}

int space_dirty(struct space *s, enum dfd_dirty_op op, uint64_t iova, uint64_t size,
		uint64_t *bitmap) /* NOLINT(readability-*): written to */
{
	const struct written w = { s, iova, iova + (size - 1), op == DFD_DIRTY_PEEK, bitmap };
	int ret;

	if (!s->ops->account)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&s->lock);
	if (op == DFD_DIRTY_START || op == DFD_DIRTY_STOP)
		ret = switch_account(s, op == DFD_DIRTY_START);
	else
		ret = get(&w);
	pthread_mutex_unlock(&s->lock);
	return ret;
}
