/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a tree as page tables are, 9 bits of the address for each level. A slot of
 * a node stands for a span of addresses and holds one of four things, told apart by the lowest bits
 * of the pointer: nothing; the only range that touches the span, however little of it, with a tag
 * of its own if it covers all of it, so that nobody need look at it to know; a node one level down;
 * or a list, the few ranges that touch the span, sorted. So a range is found as soon as it is
 * alone, a range of 1 TiB is a few slots, and neither pages nor alignment are special: in the last
 * level a slot stands for 8 bytes.
 *
 * The root is only as high as is needed for all ranges: what their addresses have in common is
 * checked once and costs no level.
 *
 * A list becomes a node when it outgrows limit(), and a node becomes a list again when half of that
 * is left. The limit rises when there are many nodes for few ranges, so that no layout of ranges
 * costs much more memory than another. If there is no memory for a node, the list just grows.
 *
 * The lowest free place is looked for from where the last search of that size has ended, because
 * nothing below can have become free but what was taken out since.
 *
 * Every function on a slot leaves it as it was if it fails.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/iovamap.h"

#define BITS	  DFD_IOVAMAP_BITS
#define SLOTS	  (1u << BITS)
#define LOW_SHIFT 3u
#define TOP_SHIFT DFD_IOVAMAP_TOP

/* All that is pointed to starts with 64 bits, so the lowest bits of its address are free. */
#define TAG_NODE DFD_IOVAMAP_NODE
#define TAG_LIST DFD_IOVAMAP_LIST
#define TAG_FULL DFD_IOVAMAP_FULL

/** struct list - two ranges or more, ascending; has room for the next power of two */
struct list {
	size_t count;
	struct item {
		uint64_t last; /* of @range, so that a search does not fetch ranges */
		struct dfd_iova *range;
	} items[];
};

/* The part of a range that a slot is concerned with. */
struct part {
	struct dfd_iova *range;
	uint64_t first, last;
};

static bool is_node(uintptr_t slot)
{
	return slot & TAG_NODE;
}

static bool is_list(uintptr_t slot)
{
	return slot & TAG_LIST;
}

static struct dfd_iovamap_node *to_node(uintptr_t slot)
{
	return (struct dfd_iovamap_node *)(slot - TAG_NODE);
}

static struct list *to_list(uintptr_t slot)
{
	return (struct list *)(slot - TAG_LIST);
}

static struct dfd_iova *to_range(uintptr_t slot)
{
	return (struct dfd_iova *)(slot & ~TAG_FULL);
}

static unsigned int slot_of(uint64_t address, unsigned int shift)
{
	return (unsigned int)(address >> shift) & (SLOTS - 1);
}

/* Addresses of a node of @shift, less one. */
static uint64_t span(unsigned int shift)
{
	return shift >= TOP_SHIFT ? UINT64_MAX : (UINT64_C(1) << (shift + BITS)) - 1;
}

static size_t limit(const struct dfd_iovamap *map)
{
	return map->nodes > 64 + map->count / 32 ? 64 : 8;
}

/* ---- looking up ---- */

static struct dfd_iova *holds(struct dfd_iova *range, uint64_t address)
{
	return address >= range->start && address <= range->last ? range : NULL;
}

struct dfd_iova *dfd_iovamap_in_slot(uintptr_t slot, uint64_t address)
{
	const struct item *item;

	if (!slot)
		return NULL;
	if (!is_list(slot))
		return holds(to_range(slot), address);
	item = to_list(slot)->items;
	for (size_t n = to_list(slot)->count; n > 1;) {
		size_t half = n / 2;

		item += item[half - 1].last < address ? half : 0;
		n -= half;
	}
	/* The first that ends at or after the address, else the last one. */
	return holds(item->range, address);
}

/**
 * struct walk - ranges in ascending order
 * @from: those that end before are left out
 * @met: the last one met: a range is in many slots in a row
 * @visit: return false to stop; may free the range, but not change the map
 */
struct walk {
	uint64_t from;
	uintptr_t met;
	bool (*visit)(void *ctx, struct dfd_iova *range);
	void *ctx;
};

static bool meet(struct walk *w, struct dfd_iova *range)
{
	if ((uintptr_t)range == w->met)
		return true;
	w->met = (uintptr_t)range;
	return range->last < w->from || w->visit(w->ctx, range);
}

/* @edge: @w->from lies in the span of this slot. Return: false when a visit has stopped it. */
static bool walk_slot(struct walk *w, uintptr_t slot, unsigned int shift, bool edge)
{
	if (!slot)
		return true;
	if (is_node(slot)) {
		unsigned int first = edge ? slot_of(w->from, shift) : 0;

		for (unsigned int i = first; i < SLOTS; i++) {
			if (!walk_slot(w, to_node(slot)->slots[i], shift - BITS,
				       edge && i == first))
				return false;
		}
		return true;
	}
	if (!is_list(slot))
		return meet(w, to_range(slot));
	for (size_t i = 0; i < to_list(slot)->count; i++) {
		if (!meet(w, to_list(slot)->items[i].range))
			return false;
	}
	return true;
}

static void walk_from(const struct dfd_iovamap *map, uint64_t from,
		      bool (*visit)(void *ctx, struct dfd_iova *range), void *ctx)
{
	struct walk w = { .from = from, .visit = visit, .ctx = ctx };

	if (from <= map->base || from - map->base <= map->span)
		walk_slot(&w, map->root, map->shift, from > map->base);
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

/* ---- lists ---- */

static struct list *list_new(size_t room)
{
	struct list *list = malloc(sizeof(*list) + room * sizeof(list->items[0]));

	if (list)
		list->count = 0;
	return list;
}

static void list_append(struct list *list, struct dfd_iova *range)
{
	list->items[list->count++] = (struct item){ range->last, range };
}

static void list_insert(struct list *list, struct dfd_iova *range)
{
	size_t i = list->count;

	for (; i && list->items[i - 1].last > range->last; i--)
		list->items[i] = list->items[i - 1];
	list->items[i] = (struct item){ range->last, range };
	list->count++;
}

/* Put @range beside what is in the slot, a range or a list. */
static int list_add(uintptr_t *slot, struct dfd_iova *range)
{
	struct list *list = is_list(*slot) ? to_list(*slot) : NULL;
	size_t count = list ? list->count : 1;

	if (!list) {
		list = list_new(2);
		if (!list)
			return -ENOMEM;
		list_append(list, to_range(*slot));
	} else if (!(count & (count - 1))) {
		struct list *grown =
			realloc(list, sizeof(*list) + 2 * count * sizeof(list->items[0]));

		if (!grown)
			return -ENOMEM; /* the slot still has the old one */
		list = grown;
	}
	list_insert(list, range);
	*slot = (uintptr_t)list | TAG_LIST;
	return 0;
}

static void list_remove(uintptr_t *slot, const struct dfd_iova *range)
{
	struct list *list = to_list(*slot);
	size_t i = 0;

	while (list->items[i].range != range)
		i++;
	list->count--;
	memmove(&list->items[i], &list->items[i + 1], (list->count - i) * sizeof(list->items[0]));
	if (list->count == 1) {
		*slot = (uintptr_t)list->items[0].range;
		free(list);
	}
}

/* ---- nodes ---- */

static int slot_add(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift,
		    const struct part *part);
static void slot_remove(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift,
			const struct part *part);

static struct dfd_iovamap_node *node_new(struct dfd_iovamap *map)
{
	struct dfd_iovamap_node *node = calloc(1, sizeof(*node));

	map->nodes += node != NULL;
	return node;
}

static void slot_free(struct dfd_iovamap *map, uintptr_t slot)
{
	if (is_list(slot))
		free(to_list(slot));
	if (!is_node(slot))
		return;
	for (unsigned int i = 0; i < SLOTS; i++)
		slot_free(map, to_node(slot)->slots[i]);
	free(to_node(slot));
	map->nodes--;
}

/* What of @part is in slot @i of a node. */
static struct part cut(const struct part *part, unsigned int shift, unsigned int i)
{
	uint64_t ahead = i - slot_of(part->first, shift);
	uint64_t first = ((part->first >> shift) + ahead) << shift;
	uint64_t last = first + ((UINT64_C(1) << shift) - 1);

	return (struct part){ part->range, first < part->first ? part->first : first,
			      last > part->last ? part->last : last };
}

static int node_add(struct dfd_iovamap *map, struct dfd_iovamap_node *node, unsigned int shift,
		    const struct part *part)
{
	unsigned int first = slot_of(part->first, shift), last = slot_of(part->last, shift);

	for (unsigned int i = first; i <= last; i++) {
		struct part piece = cut(part, shift, i);

		if (!slot_add(map, &node->slots[i], shift - BITS, &piece))
			continue;
		while (i-- > first) {
			piece = cut(part, shift, i);
			slot_remove(map, &node->slots[i], shift - BITS, &piece);
		}
		return -ENOMEM;
	}
	node->count++;
	return 0;
}

/* Replace a list of ranges by a node. */
static int split(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift, uint64_t address)
{
	const struct list *list = to_list(*slot);
	const uint64_t low = address & ~span(shift), high = low | span(shift);
	struct dfd_iovamap_node *node = node_new(map);
	int ret = node ? 0 : -ENOMEM;

	for (size_t i = 0; i < list->count && !ret; i++) {
		struct dfd_iova *range = list->items[i].range;

		ret = node_add(map, node, shift,
			       &(struct part){ range, range->start < low ? low : range->start,
					       range->last > high ? high : range->last });
	}
	if (ret) {
		if (node)
			slot_free(map, (uintptr_t)node | TAG_NODE);
		return ret;
	}
	slot_free(map, *slot);
	*slot = (uintptr_t)node | TAG_NODE;
	return 0;
}

static bool append(void *ctx, struct dfd_iova *range)
{
	list_append(ctx, range);
	return true;
}

/* Replace a node by a list of the ranges in it. */
static void merge(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift)
{
	size_t room = 2, count = to_node(*slot)->count;
	struct walk w = { .visit = append };
	struct list *list;

	while (room < count)
		room *= 2;
	list = list_new(room);
	if (!list)
		return; /* the node does as well */
	w.ctx = list;
	walk_slot(&w, *slot, shift, false);
	slot_free(map, *slot);
	*slot = (uintptr_t)list | TAG_LIST;
	if (count == 1) {
		*slot = (uintptr_t)list->items[0].range;
		free(list);
	}
}

static int slot_add(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift,
		    const struct part *part)
{
	if (!*slot) {
		bool full = part->last - part->first == span(shift);

		*slot = (uintptr_t)part->range | (full ? TAG_FULL : 0);
		return 0;
	}
	/* No more than 8 ranges touch 8 bytes, so there is no level below the last one. */
	if (is_list(*slot) && to_list(*slot)->count >= limit(map))
		split(map, slot, shift, part->first);
	return is_node(*slot) ? node_add(map, to_node(*slot), shift, part)
			      : list_add(slot, part->range);
}

static void node_remove(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift,
			const struct part *part)
{
	struct dfd_iovamap_node *node = to_node(*slot);
	unsigned int first = slot_of(part->first, shift), last = slot_of(part->last, shift);

	for (unsigned int i = first; i <= last; i++) {
		struct part piece = cut(part, shift, i);

		slot_remove(map, &node->slots[i], shift - BITS, &piece);
	}
	if (!--node->count) {
		slot_free(map, *slot);
		*slot = 0;
	} else if (node->count <= limit(map) / 2) {
		merge(map, slot, shift);
	}
}

static void slot_remove(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift,
			const struct part *part)
{
	if (is_node(*slot))
		node_remove(map, slot, shift, part);
	else if (is_list(*slot))
		list_remove(slot, part->range);
	else
		*slot = 0;
}

/* ---- the whole ---- */

static void set_root(struct dfd_iovamap *map, uint64_t address, unsigned int shift)
{
	map->shift = shift;
	map->span = span(shift);
	map->base = address & ~map->span;
}

/* Make the root high enough for a range. */
static int grow(struct dfd_iovamap *map, const struct dfd_iova *range)
{
	while (range->start < map->base || range->last - map->base > map->span) {
		if (is_node(map->root)) {
			struct dfd_iovamap_node *node = node_new(map);

			if (!node)
				return -ENOMEM;
			node->count = to_node(map->root)->count;
			node->slots[slot_of(map->base, map->shift + BITS)] = map->root;
			map->root = (uintptr_t)node | TAG_NODE;
		}
		map->root &= ~TAG_FULL;
		set_root(map, map->base, map->shift + BITS);
	}
	return 0;
}

/* The other way: while all that the root has is in one node. */
static void shrink(struct dfd_iovamap *map)
{
	while (is_node(map->root)) {
		struct dfd_iovamap_node *node = to_node(map->root);
		unsigned int i = 0;

		while (!node->slots[i])
			i++;
		if (!is_node(node->slots[i]) || to_node(node->slots[i])->count != node->count ||
		    (i < SLOTS - 1 && node->slots[i + 1]))
			return;
		map->root = node->slots[i];
		set_root(map, map->base + ((uint64_t)i << map->shift), map->shift - BITS);
		map->nodes--;
		free(node);
	}
}

int dfd_iovamap_add(struct dfd_iovamap *map, struct dfd_iova *range)
{
	const struct part all = { range, range->start, range->last };
	const struct dfd_iova *next = dfd_iovamap_next(map, range->start);
	int ret;

	if (next && next->start <= range->last)
		return -EEXIST;
	if (!map->root)
		set_root(map, range->start, LOW_SHIFT);
	ret = grow(map, range);
	if (!ret)
		ret = slot_add(map, &map->root, map->shift, &all);
	if (ret)
		shrink(map);
	else
		map->count++;
	return ret;
}

void dfd_iovamap_remove(struct dfd_iovamap *map, const struct dfd_iova *range)
{
	const struct part all = { (struct dfd_iova *)(uintptr_t)range, range->start, range->last };

	map->count--;
	hints_freed(map, range->start);
	slot_remove(map, &map->root, map->shift, &all);
	shrink(map);
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
	slot_free(map, map->root);
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

	if (is_all(map, first, last))
		dfd_iovamap_clear(map, gone, ctx);
	while ((range = dfd_iovamap_next(map, first)) && range->start <= last) {
		dfd_iovamap_remove(map, range);
		gone(ctx, range);
	}
}
