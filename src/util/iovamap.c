/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a tree as page tables are, 9 bits of the address for each level. A slot
 * stands for a span of addresses and holds one of four things, told apart by the lowest bits of the
 * pointer: nothing; the only range that touches the span, however little of it, with a tag if it
 * does not cover all of it, because then somebody must look; a node one level down; or a list, the
 * few ranges that touch the span, sorted. So a range is found as soon as it is alone, a range of
 * 1 TiB is a few slots, and neither pages nor alignment are special: in the last level a slot
 * stands for 8 bytes.
 *
 * The top is a row of slots: as high as is needed for all ranges, since what their addresses have
 * in common costs no level, and as wide as 8 nodes beside each other if that saves a level and
 * there are ranges enough to make the memory worth it. Few ranges are one slot with a list.
 *
 *   grow()    a range is outside: more nodes beside the top's, or levels above it
 *   settle()  the other way, as long as the ranges leave room
 *
 * Each block of 512 slots in the top counts its ranges, as nodes do: it is one with its count kept
 * elsewhere, and becomes one or comes from one by being copied.
 *
 * The lowest free place is looked for from where the last search of that size has ended, because
 * nothing below can have become free but what was taken out since.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/iovamap_slot.h"

#define LOW_SHIFT 3u
#define TOP_SHIFT DFD_IOVAMAP_TOP

/* ---- looking up ---- */

static void walk_from(const struct dfd_iovamap *map, uint64_t from,
		      bool (*visit)(void *ctx, struct dfd_iova *range), void *ctx)
{
	const struct dfd_iovamap_top *top = &map->top;
	struct walk w = { .from = from, .visit = visit, .ctx = ctx };
	uint64_t first = from > top->base ? (from - top->base) >> top->shift : 0;

	for (uint64_t i = first; i < top->num_slots; i++) {
		if (!slot_walk(&w, top->slots[i], top->shift - BITS,
			       i == first && from > top->base))
			return;
	}
}

static bool take_first(void *ctx, struct dfd_iova *range)
{
	*(struct dfd_iova **)ctx = range;
	return false;
}

struct dfd_iova *dfd_iovamap_next(const struct dfd_iovamap *map, uint64_t address)
{
	struct dfd_iova *range = dfd_iovamap_find(map, address);

	if (!range)
		walk_from(map, address, take_first, &range);
	return range;
}

bool dfd_iovamap_cuts(const struct dfd_iovamap *map, uint64_t first, uint64_t last)
{
	const struct dfd_iova *low = dfd_iovamap_find(map, first);
	const struct dfd_iova *high = dfd_iovamap_find(map, last);

	return (low && low->start < first) || (high && high->last > last);
}

/** struct extent - the search for the last range that starts at or before @limit */
struct extent {
	uint64_t limit;
	const struct dfd_iova *range;
};

static bool extend(void *ctx, struct dfd_iova *range)
{
	struct extent *e = ctx;

	if (range->start > e->limit)
		return false;
	e->range = range;
	return true;
}

bool dfd_iovamap_extent(const struct dfd_iovamap *map, uint64_t first, uint64_t last,
			uint64_t *start, uint64_t *end)
{
	const struct dfd_iova *range = dfd_iovamap_next(map, first);
	struct extent e = { .limit = last };

	if (!range || range->start > last)
		return false;
	walk_from(map, first, extend, &e);
	*start = range->start;
	/* NOLINTNEXTLINE(clang-analyzer-core.*): the walk meets @range, at least */
	*end = e.range->last;
	return true;
}

/** struct gap - a search for a place; @at: no lower one will do */
struct gap {
	uint64_t at, max, size, align;
	bool full;
};

/* Move on to the next aligned address. Return: whether the size fits in there below the maximum. */
static bool gap_fits(struct gap *g)
{
	g->full |= g->at > UINT64_MAX - (g->align - 1);
	if (!g->full)
		g->at = (g->at + g->align - 1) & ~(g->align - 1);
	g->full |= g->at > g->max || g->size - 1 > g->max - g->at;
	return !g->full;
}

static bool gap_after(void *ctx, struct dfd_iova *range)
{
	struct gap *g = ctx;

	if (!gap_fits(g) || g->at + (g->size - 1) < range->start)
		return false;
	if (range->last == UINT64_MAX)
		g->full = true;
	else if (range->last >= g->at)
		g->at = range->last + 1;
	return !g->full;
}

static struct dfd_iovamap_hint *hint_for(struct dfd_iovamap *map, uint64_t size)
{
	unsigned int n = 0;

	for (uint64_t pages = size >> 12; pages > 1 && n < DFD_IOVAMAP_HINTS - 1; pages >>= 1)
		n++;
	return &map->hints[n];
}

/* A place that has become free since has at least its last byte at or behind the hint. */
static uint64_t gap_from(const struct dfd_iovamap_hint *hint, const struct gap *g)
{
	if (!hint->size || g->size < hint->size || g->align < hint->align || g->at < hint->min ||
	    g->size - 1 > hint->at)
		return g->at;
	return hint->at - (g->size - 1) > g->at ? hint->at - (g->size - 1) : g->at;
}

int dfd_iovamap_gap(struct dfd_iovamap *map, uint64_t min, uint64_t max, uint64_t size,
		    uint64_t align, uint64_t *start)
{
	struct dfd_iovamap_hint *hint = hint_for(map, size);
	struct gap g = { min, max, size, align, false };

	g.at = gap_from(hint, &g);
	walk_from(map, g.at, gap_after, &g);
	if (!gap_fits(&g))
		return -ENOSPC;
	if (!hint->size || size <= hint->size)
		*hint = (struct dfd_iovamap_hint){ min, size, align, g.at };
	*start = g.at;
	return 0;
}

static void hints_freed(struct dfd_iovamap *map, uint64_t start)
{
	for (unsigned int i = 0; i < DFD_IOVAMAP_HINTS; i++) {
		if (start < map->hints[i].at)
			map->hints[i].at = start;
	}
}

/* ---- the top ---- */

static size_t blocks(const struct dfd_iovamap_top *top)
{
	return top->num_slots / SLOTS;
}

static uint64_t top_last(const struct dfd_iovamap_top *top)
{
	return top->base + (((uint64_t)top->num_slots << top->shift) - 1);
}

static uint64_t top_index(const struct dfd_iovamap_top *top, uint64_t address)
{
	return (address - top->base) >> top->shift;
}

/* @address: in it; @num_slots: a power of two */
static int top_new(struct dfd_iovamap_top *top, uint64_t address, unsigned int shift,
		   size_t num_slots)
{
	*top = (struct dfd_iovamap_top){ .base = address & ~(((uint64_t)num_slots << shift) - 1),
					 .shift = shift,
					 .num_slots = num_slots,
					 .slots = calloc(num_slots, sizeof(*top->slots)) };
	return top->slots ? 0 : -ENOMEM;
}

static void top_replace(struct dfd_iovamap *map, const struct dfd_iovamap_top *top)
{
	map->nodes = map->nodes - blocks(&map->top) + blocks(top);
	free(map->top.slots);
	map->top = *top;
}

static void free_slots(struct dfd_iovamap *map)
{
	for (size_t i = 0; i < map->top.num_slots; i++)
		slot_free(map, map->top.slots[i]);
}

static unsigned int bits_of(uint64_t x)
{
	unsigned int bits = 0;

	for (; x; x >>= 1)
		bits++;
	return bits;
}

/* May there be so many blocks, as a power of two? Each is 4 KiB. */
static bool worth(const struct dfd_iovamap *map, unsigned int order)
{
	return !order || (order <= DFD_IOVAMAP_MAX_ORDER && map->count >= (size_t)64 << order);
}

/* Blocks on both sides; or away with those at the sides, which are empty. */
static int resize(struct dfd_iovamap *map, uint64_t address, unsigned int order)
{
	const struct dfd_iovamap_top *old = &map->top;
	const struct dfd_iovamap_top *less, *more;
	struct dfd_iovamap_top top;
	int ret = top_new(&top, address, old->shift, SLOTS << order);
	size_t at;

	if (ret)
		return ret;
	less = blocks(&top) < blocks(old) ? &top : old;
	more = less == old ? &top : old;
	at = top_index(more, less->base);
	memcpy(top.slots + (more == &top ? at : 0), old->slots + (more == old ? at : 0),
	       less->num_slots * sizeof(*top.slots));
	at /= SLOTS;
	memcpy(top.counts + (more == &top ? at : 0), old->counts + (more == old ? at : 0),
	       blocks(less) * sizeof(*top.counts));
	if (old->num_slots == 1)
		top.counts[0] = map->count;
	top_replace(map, &top);
	return 0;
}

/* One slot stands for more addresses from now on. */
static void stretch(struct dfd_iovamap_top *top)
{
	if (top->slots[0] && !is_list(top->slots[0]))
		top->slots[0] |= TAG_PART;
	top->shift += BITS;
	top->base &= ~((UINT64_C(1) << top->shift) - 1);
}

/* A level above: each block becomes a node. */
static int raise(struct dfd_iovamap *map)
{
	const struct dfd_iovamap_top *old = &map->top;
	uintptr_t nodes[1u << DFD_IOVAMAP_MAX_ORDER] = { 0 };
	struct dfd_iovamap_top top;
	int ret = top_new(&top, old->base, old->shift + BITS, SLOTS);

	for (size_t i = 0; i < blocks(old) && !ret; i++) {
		struct dfd_iovamap_node *node = old->counts[i] ? node_new(map) : NULL;

		if (node) {
			node->count = old->counts[i];
			memcpy(node->slots, old->slots + i * SLOTS, sizeof(node->slots));
			nodes[i] = (uintptr_t)node | TAG_NODE;
		} else if (old->counts[i]) {
			ret = -ENOMEM;
		}
	}
	if (!ret) {
		top.counts[0] = map->count;
		memcpy(&top.slots[top_index(&top, old->base)], nodes,
		       blocks(old) * sizeof(nodes[0]));
		top_replace(map, &top);
		return 0;
	}
	for (size_t i = 0; i < blocks(old); i++) { /* what is below them is still the old top's */
		map->nodes -= nodes[i] != 0;
		free(nodes[i] ? to_node(nodes[i]) : NULL);
	}
	free(top.slots);
	return ret;
}

/* The level below becomes the top, which has @num slots from @first on that are not empty. */
static int lower(struct dfd_iovamap *map, size_t first, size_t num)
{
	const struct dfd_iovamap_top *old = &map->top;
	const uint64_t base = old->base + ((uint64_t)first << old->shift);
	const unsigned int shift = old->shift - BITS;
	struct dfd_iovamap_top top;
	int ret = 0;

	for (size_t i = 0; i < num && !ret; i++) {
		if (old->slots[first + i])
			ret = slot_to_node(map, &old->slots[first + i], shift,
					   base + ((uint64_t)i << old->shift));
	}
	if (!ret)
		ret = top_new(&top, base, shift, num * SLOTS);
	if (ret)
		return ret;
	for (size_t i = 0; i < num; i++) {
		struct dfd_iovamap_node *node = to_node(old->slots[first + i]);

		if (!old->slots[first + i])
			continue;
		top.counts[i] = node->count;
		memcpy(top.slots + i * SLOTS, node->slots, sizeof(node->slots));
		map->nodes--;
		free(node);
	}
	top_replace(map, &top);
	return 0;
}

/* All in one slot, which stands for as many addresses as the top did. */
static void collapse(struct dfd_iovamap *map)
{
	const uint64_t span = top_last(&map->top) - map->top.base;
	struct dfd_iovamap_top top;
	unsigned int shift = map->top.shift;
	struct list *list;

	while (shift < TOP_SHIFT && span >> shift)
		shift += BITS;
	if (span >> shift || top_new(&top, map->top.base, shift, 1))
		return; /* the old one does as well */
	list = list_new(map->count);
	if (!list) {
		free(top.slots);
		return;
	}
	walk_from(map, 0, list_append, list);
	free_slots(map);
	top.slots[0] = list_to_slot(list);
	top_replace(map, &top);
}

/* Make the top reach as far as a range does. */
static int grow(struct dfd_iovamap *map, const struct dfd_iova *range)
{
	struct dfd_iovamap_top *top = &map->top;
	int ret = top->num_slots ? 0 : top_new(top, range->start, LOW_SHIFT, 1);

	while (!ret && (range->start < top->base || range->last > top_last(top))) {
		uint64_t low = range->start < top->base ? range->start : top->base;
		uint64_t high = range->last > top_last(top) ? range->last : top_last(top);
		unsigned int bits = bits_of((low ^ high) >> top->shift);

		if (top->num_slots == 1 && top->shift < TOP_SHIFT && !is_node(top->slots[0]))
			stretch(top);
		else if (top->num_slots == 1)
			ret = resize(map, top->base, 0);
		else if (worth(map, bits - BITS))
			ret = resize(map, top->base, bits - BITS);
		else
			ret = raise(map);
	}
	return ret;
}

static bool has_node(const struct dfd_iovamap_top *top, size_t first, size_t last)
{
	while (first < last && !is_node(top->slots[first]))
		first++;
	return is_node(top->slots[first]);
}

/* Do one thing to make the top smaller or the tree less high. Return: whether it was done */
static bool settle_once(struct dfd_iovamap *map)
{
	const struct dfd_iovamap_top *top = &map->top;
	size_t first = 0, last = top->num_slots - 1, num;
	unsigned int bits, order;

	while (!top->slots[first])
		first++;
	while (!top->slots[last])
		last--;
	bits = bits_of(first ^ last);
	num = (size_t)1 << bits;
	if (bits <= DFD_IOVAMAP_MAX_ORDER && worth(map, bits) && has_node(top, first, last))
		return !lower(map, first & ~(num - 1), num);
	order = bits > BITS ? bits - BITS : 0;
	return SLOTS << order < top->num_slots &&
	       !resize(map, top->base + ((uint64_t)first << top->shift), order);
}

static void settle(struct dfd_iovamap *map)
{
	if (map->count && map->count <= iovamap_limit(map) / 2 && map->top.num_slots > 1)
		collapse(map);
	while (map->count && settle_once(map))
		;
	if (!map->count)
		dfd_iovamap_clear(map, NULL, NULL);
}

/* One range more or less in each block that it touches. */
static void count_range(struct dfd_iovamap *map, const struct part *part, int one)
{
	const uint64_t first = top_index(&map->top, part->first) / SLOTS;

	for (uint64_t i = first; i <= top_index(&map->top, part->last) / SLOTS; i++)
		map->top.counts[i] += (size_t)one;
	map->count += (size_t)one;
}

static uintptr_t *top_slot(struct dfd_iovamap *map, uint64_t address)
{
	return &map->top.slots[top_index(&map->top, address)];
}

int dfd_iovamap_add(struct dfd_iovamap *map, struct dfd_iova *range)
{
	const struct part all = { range, range->start, range->last };
	const struct dfd_iova *next = dfd_iovamap_next(map, range->start);
	int ret;

	if (next && next->start <= range->last)
		return -EEXIST;
	ret = grow(map, range);
	if (!ret)
		ret = slots_add(map, top_slot(map, range->start), map->top.shift, &all);
	if (!ret)
		count_range(map, &all, 1);
	/* There may be enough for a wider top, or the only slot has got a node. */
	if (ret || !(map->count & (map->count - 1)) ||
	    (map->top.num_slots == 1 && is_node(map->top.slots[0])))
		settle(map);
	return ret;
}

void dfd_iovamap_remove(struct dfd_iovamap *map, const struct dfd_iova *range)
{
	const struct part all = { (struct dfd_iova *)(uintptr_t)range, range->start, range->last };

	hints_freed(map, range->start);
	slots_remove(map, top_slot(map, range->start), map->top.shift, &all);
	count_range(map, &all, -1);
	if (!*top_slot(map, range->start) || !*top_slot(map, range->last) ||
	    map->count <= iovamap_limit(map) / 2)
		settle(map);
}

/** struct clear - what dfd_iovamap_clear() was given */
struct clear {
	void (*gone)(void *ctx, struct dfd_iova *range);
	void *ctx;
};

static bool clear_one(void *ctx, struct dfd_iova *range)
{
	const struct clear *c = ctx;

	c->gone(c->ctx, range);
	return true;
}

void dfd_iovamap_clear(struct dfd_iovamap *map, void (*gone)(void *ctx, struct dfd_iova *range),
		       void *ctx)
{
	struct clear c = { gone, ctx };

	if (gone)
		walk_from(map, 0, clear_one, &c);
	free_slots(map);
	free(map->top.slots);
	*map = (struct dfd_iovamap){ 0 };
}

static bool is_all(const struct dfd_iovamap *map, uint64_t first, uint64_t last)
{
	const struct dfd_iova *range = dfd_iovamap_next(map, 0);

	return range && range->start >= first &&
	       (last == UINT64_MAX || !dfd_iovamap_next(map, last + 1));
}

/* To take out all at once is much cheaper than one by one. */
void dfd_iovamap_take_out(struct dfd_iovamap *map, uint64_t first, uint64_t last,
			  void (*gone)(void *ctx, struct dfd_iova *range), void *ctx)
{
	struct dfd_iova *range;

	if (is_all(map, first, last)) {
		dfd_iovamap_clear(map, gone, ctx);
		return;
	}
	while ((range = dfd_iovamap_next(map, first)) && range->start <= last) {
		dfd_iovamap_remove(map, range);
		gone(ctx, range);
	}
}
