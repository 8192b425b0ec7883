/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a device in this process says which bytes it writes (dfd_dma_watch()), and
 * page tables have a bit for each page, in chunks that are made when something in them is written.
 * Of other devices nobody knows, so with one of them all that is mapped counts as written.
 *
 * A device writes at any time, in whatever thread serves it; the lock here is taken last.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/core.h"
#include "shim/dirty.h"
#include "util/usermem.h"

#define CHUNK	    (UINT64_C(1) << 21)
#define CHUNK_PAGES (CHUNK / SPACE_PAGE)

/** struct chunk - @bits: of its pages; @range comes first */
struct chunk {
	struct dfd_iova range;
	uint64_t bits[CHUNK_PAGES / 64];
};

/**
 * struct shim_dirty - an account
 * @next: of the same address space
 * @on: it is kept
 * @blind: how many devices do not say what they write
 * @lost: there was no memory for a chunk, so everything counts as written
 */
struct shim_dirty {
	struct shim_dirty *next;
	struct shim_space *space;
	struct dfd_iovamap chunks;
	bool on;
	unsigned int blind;
	bool lost;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- chunks; locked ---- */

static struct chunk *next_chunk(const struct shim_dirty *d, uint64_t from)
{
	return (struct chunk *)dfd_iovamap_next(&d->chunks, from);
}

static struct chunk *chunk_of(struct shim_dirty *d, uint64_t iova)
{
	struct chunk *c = next_chunk(d, iova);

	if (c && c->range.start <= iova)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->range.start = iova & ~(CHUNK - 1);
	c->range.last = c->range.start + (CHUNK - 1);
	if (!dfd_iovamap_add(&d->chunks, &c->range))
		return c;
	free(c);
	return NULL;
}

static uint64_t *word_of(struct chunk *c, uint64_t page, uint64_t *bit)
{
	uint64_t number = (page - c->range.start) / SPACE_PAGE;

	*bit = UINT64_C(1) << number % 64;
	return &c->bits[number / 64];
}

/* The pages from @first to @last that are in a chunk. */
static void clear_in(struct chunk *c, uint64_t first, uint64_t last)
{
	uint64_t page = first > c->range.start ? first : c->range.start, bit;
	uint64_t end = last < c->range.last ? last : c->range.last;

	for (; page <= end; page += SPACE_PAGE)
		*word_of(c, page, &bit) &= ~bit;
}

static void clear(struct shim_dirty *d, uint64_t first, uint64_t last)
{
	struct chunk *c;

	while ((c = next_chunk(d, first)) && c->range.start <= last) {
		if (first > c->range.start || last < c->range.last) {
			clear_in(c, first, last);
			first = c->range.last + 1;
		} else {
			dfd_iovamap_remove(&d->chunks, &c->range);
			free(c);
		}
		if (!first)
			break;
	}
}

/* ---- who writes ---- */

static void written(void *ctx, uint64_t iova, uint64_t len)
{
	const struct shim_mount *m = ctx;
	const uint64_t last = iova + (len - 1);
	uint64_t page = iova & ~(SPACE_PAGE - 1), bit;
	struct shim_dirty *d;

	shim_mutex_lock(&lock);
	d = m->account;
	for (; d && d->on && page <= last; page += SPACE_PAGE) {
		struct chunk *c = chunk_of(d, page);

		if (c)
			*word_of(c, page, &bit) |= bit;
		else
			d->lost = true;
	}
	shim_mutex_unlock(&lock);
}

void dirty_follow(struct shim_mount *m, struct shim_dirty *d)
{
	bool blind;

	if (m->account == d || core_lock(m))
		return;
	blind = dfd_dma_watch(m->dev, d ? written : NULL, m) < 0;
	shim_mutex_lock(&lock);
	if (m->account)
		m->account->blind -= blind;
	m->account = d;
	if (d)
		d->blind += blind;
	shim_mutex_unlock(&lock);
	core_unlock(m);
}

/* ---- accounts ---- */

struct shim_dirty *dirty_new(struct shim_space *s)
{
	struct shim_dirty *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->space = s;
	d->next = s->accounts;
	s->accounts = d;
	return d;
}

void dirty_free(struct shim_dirty *d)
{
	struct shim_dirty **at;

	if (!d)
		return;
	for (at = &d->space->accounts; *at != d; at = &(*at)->next)
		;
	*at = d->next;
	clear(d, 0, UINT64_MAX);
	dfd_iovamap_clear(&d->chunks, NULL, NULL);
	free(d);
}

void dirty_set(struct shim_dirty *d, bool on)
{
	shim_mutex_lock(&lock);
	if (on)
		clear(d, 0, UINT64_MAX);
	d->lost = false;
	d->on = on;
	shim_mutex_unlock(&lock);
}

bool dirty_is_on(const struct shim_dirty *d)
{
	return d->on;
}

void dirty_unmapped(struct shim_space *s, uint64_t first, uint64_t last)
{
	shim_mutex_lock(&lock);
	for (struct shim_dirty *d = s->accounts; d; d = d->next)
		clear(d, first, last);
	shim_mutex_unlock(&lock);
}

/* ---- being asked ---- */

/* Bits that are told at once: at least those of a page when there is one for each byte. */
#define PIECE_BITS (UINT64_C(1) << 15)
_Static_assert(PIECE_BITS >= SPACE_PAGE, "so it is");

/** struct question - @first: bit 0 of @bitmap; @shift: IOVAs of a bit */
struct question {
	uint64_t first;
	unsigned int shift;
	uint64_t bitmap;
};

static void set_bits(uint8_t *bytes, uint64_t from, uint64_t to)
{
	const uint8_t head = (uint8_t)(0xffu << from % 8), tail = (uint8_t)(0xffu >> (7 - to % 8));
	uint8_t *first = bytes + from / 8, *last = bytes + to / 8;

	if (first == last) {
		*first |= head & tail;
		return;
	}
	*first |= head;
	memset(first + 1, 0xff, (size_t)(last - first - 1));
	*last |= tail;
}

/* Of the pages from @from to @to, which are in the chunk. Return: was any of them written? */
static bool set_pages(const struct question *q, struct chunk *c, uint64_t from, uint64_t to,
		      uint8_t *bytes, uint64_t start)
{
	bool any = false;
	uint64_t bit;

	for (uint64_t page = from; page <= to; page += SPACE_PAGE) {
		if (!(*word_of(c, page, &bit) & bit))
			continue;
		any = true;
		set_bits(bytes, ((page - q->first) >> q->shift) - start,
			 ((page - q->first + (SPACE_PAGE - 1)) >> q->shift) - start);
	}
	return any;
}

/* @from to @to lie in one chunk; @c NULL: all of it was written */
static int tell(const struct question *q, struct chunk *c, uint64_t from, uint64_t to)
{
	const uint64_t start = (from - q->first) >> q->shift & ~UINT64_C(7);
	const size_t len = (size_t)((((to - q->first) >> q->shift) - start) / 8 + 1);
	void *user = (void *)(uintptr_t)(q->bitmap + start / 8);
	uint8_t bytes[PIECE_BITS / 8 + 1];

	if (dfd_copy_in(bytes, user, len))
		return -EFAULT;
	if (!c)
		set_bits(bytes, ((from - q->first) >> q->shift) - start,
			 ((to - q->first) >> q->shift) - start);
	else if (!set_pages(q, c, from, to, bytes, start))
		return 0;
	return dfd_copy_out(user, bytes, len);
}

/* Piece by piece, so that the bits of one fit into a buffer. */
static int tell_range(const struct question *q, struct chunk *c, uint64_t from, uint64_t to)
{
	const uint64_t piece = q->shift < 48 ? PIECE_BITS << q->shift : UINT64_C(1) << 63;
	int ret = 0;

	while (!ret && from <= to) {
		uint64_t last = from | (piece - 1);

		last = last < to ? last : to;
		ret = tell(q, c, from, last);
		from = last + 1;
		if (!from)
			break;
	}
	return ret;
}

static int tell_chunks(const struct shim_dirty *d, const struct question *q, uint64_t last)
{
	const struct dfd_iova *range = dfd_iovamap_next(&d->chunks, q->first);
	int ret = 0;

	while (!ret && range && range->start <= last) {
		uint64_t from = range->start > q->first ? range->start : q->first;
		uint64_t to = range->last < last ? range->last : last;

		ret = tell_range(q, (struct chunk *)(uintptr_t)range, from, to);
		range = range->last < last ? dfd_iovamap_next(&d->chunks, range->last + 1) : NULL;
	}
	return ret;
}

int dirty_read(struct shim_dirty *d, uint64_t first, uint64_t last, uint64_t page_size,
	       uint64_t bitmap, bool clears)
{
	const struct question q = { first, (unsigned int)__builtin_ctzll(page_size), bitmap };
	int ret;

	shim_mutex_lock(&lock);
	if (d->blind || d->lost)
		ret = tell_range(&q, NULL, first, last);
	else
		ret = tell_chunks(d, &q, last);
	if (!ret && clears)
		clear(d, first, last);
	shim_mutex_unlock(&lock);
	return ret;
}
