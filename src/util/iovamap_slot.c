/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a list becomes a node when it outgrows iovamap_limit(), and a node becomes a
 * list again when half of that is left. The limit rises when there are many nodes for few ranges,
 * so that no layout of ranges costs much more memory than another. If there is no memory for a
 * node, the list just grows.
 *
 * Every function on a slot leaves it as it was if it fails.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/iovamap_slot.h"

/** struct list - two ranges or more, ascending; has room for the next power of two */
struct list {
	size_t count;
	struct item {
		uint64_t last; /* of @range, so that a search does not fetch ranges */
		struct dfd_iova *range;
	} items[];
};

static struct list *to_list(uintptr_t slot)
{
	return (struct list *)(slot - TAG_LIST);
}

/* Addresses in a slot less one; below the last level there is none, so nothing covers it. */
static uint64_t span(unsigned int shift)
{
	return shift >= DFD_IOVAMAP_TOP ? UINT64_MAX : (UINT64_C(1) << (shift + BITS)) - 1;
}

size_t iovamap_limit(const struct dfd_iovamap *map)
{
	return map->nodes > 64 + map->count / 32 ? 64 : 8;
}

/* ---- looking ---- */

struct dfd_iova *dfd_iovamap_in_slot(uintptr_t slot, uint64_t address)
{
	const struct item *item;
	struct dfd_iova *range = to_range(slot);

	if (is_list(slot)) {
		item = to_list(slot)->items;
		for (size_t n = to_list(slot)->count; n > 1;) {
			size_t half = n / 2;

			item += item[half - 1].last < address ? half : 0;
			n -= half;
		}
		range = item->range; /* the first that ends at or after the address, or the last */
	}
	return address >= range->start && address <= range->last ? range : NULL;
}

static bool meet(struct walk *w, struct dfd_iova *range)
{
	if ((uintptr_t)range == w->met)
		return true;
	w->met = (uintptr_t)range;
	return range->last < w->from || w->visit(w->ctx, range);
}

bool slot_walk(struct walk *w, uintptr_t slot, unsigned int shift, bool edge)
{
	if (!slot)
		return true;
	if (is_node(slot)) {
		size_t first = edge ? w->from >> shift & (SLOTS - 1) : 0;

		for (size_t i = first; i < SLOTS; i++) {
			if (!slot_walk(w, to_node(slot)->slots[i], shift - BITS,
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

/* ---- lists ---- */

struct list *list_new(size_t count)
{
	struct list *list;
	size_t room = 2;

	while (room < count)
		room *= 2;
	list = malloc(sizeof(*list) + room * sizeof(list->items[0]));
	if (list)
		list->count = 0;
	return list;
}

bool list_append(void *to, struct dfd_iova *range)
{
	struct list *list = to;

	list->items[list->count++] = (struct item){ range->last, range };
	return true;
}

uintptr_t list_to_slot(struct list *list)
{
	uintptr_t slot = (uintptr_t)list | TAG_LIST;

	if (list->count == 1) {
		slot = (uintptr_t)list->items[0].range | TAG_PART;
		free(list);
	}
	return slot;
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
	*slot = list_to_slot(list);
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
	*slot = list_to_slot(list);
}

/* ---- nodes ---- */

static int slot_add(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift,
		    const struct part *part);
static void slot_remove(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift,
			const struct part *part);

struct dfd_iovamap_node *node_new(struct dfd_iovamap *map)
{
	struct dfd_iovamap_node *node = calloc(1, sizeof(*node));

	map->nodes += node != NULL;
	return node;
}

void slot_free(struct dfd_iovamap *map, uintptr_t slot)
{
	if (is_list(slot))
		free(to_list(slot));
	if (!is_node(slot))
		return;
	for (size_t i = 0; i < SLOTS; i++)
		slot_free(map, to_node(slot)->slots[i]);
	free(to_node(slot));
	map->nodes--;
}

/* What of @part is in the slot that comes @ahead after its first one. */
static struct part cut(const struct part *part, unsigned int shift, size_t ahead)
{
	uint64_t first = ((part->first >> shift) + ahead) << shift;
	uint64_t last = first + ((UINT64_C(1) << shift) - 1);

	return (struct part){ part->range, first < part->first ? part->first : first,
			      last > part->last ? part->last : last };
}

/* How many slots a part goes on after its first one. */
static size_t reach(const struct part *part, unsigned int shift)
{
	return (part->last >> shift) - (part->first >> shift);
}

int slots_add(struct dfd_iovamap *map, uintptr_t *slots, unsigned int shift,
	      const struct part *part)
{
	for (size_t i = 0; i <= reach(part, shift); i++) {
		struct part piece = cut(part, shift, i);

		if (!slot_add(map, &slots[i], shift - BITS, &piece))
			continue;
		while (i--) {
			piece = cut(part, shift, i);
			slot_remove(map, &slots[i], shift - BITS, &piece);
		}
		return -ENOMEM;
	}
	return 0;
}

void slots_remove(struct dfd_iovamap *map, uintptr_t *slots, unsigned int shift,
		  const struct part *part)
{
	for (size_t i = 0; i <= reach(part, shift); i++) {
		struct part piece = cut(part, shift, i);

		slot_remove(map, &slots[i], shift - BITS, &piece);
	}
}

static uintptr_t *slots_at(struct dfd_iovamap_node *node, unsigned int shift, uint64_t address)
{
	return &node->slots[address >> shift & (SLOTS - 1)];
}

static int node_add(struct dfd_iovamap *map, struct dfd_iovamap_node *node, unsigned int shift,
		    const struct part *part)
{
	int ret = slots_add(map, slots_at(node, shift, part->first), shift, part);

	node->count += !ret;
	return ret;
}

/** struct filling - a node that ranges are put into, as far as they are in [@low, @high] */
struct filling {
	struct dfd_iovamap *map;
	struct dfd_iovamap_node *node;
	unsigned int shift;
	uint64_t low, high;
	int ret;
};

static bool fill(void *ctx, struct dfd_iova *range)
{
	struct filling *f = ctx;
	const struct part part = { range, range->start < f->low ? f->low : range->start,
				   range->last > f->high ? f->high : range->last };

	f->ret = node_add(f->map, f->node, f->shift, &part);
	return !f->ret;
}

int slot_to_node(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift, uint64_t low)
{
	struct dfd_iovamap_node *node = is_node(*slot) ? NULL : node_new(map);
	struct filling f = { map, node, shift, low, low + span(shift), 0 };
	struct walk w = { .visit = fill, .ctx = &f };

	if (!node)
		return is_node(*slot) ? 0 : -ENOMEM;
	slot_walk(&w, *slot, shift, false);
	if (f.ret) {
		slot_free(map, (uintptr_t)node | TAG_NODE);
		return f.ret;
	}
	slot_free(map, *slot);
	*slot = (uintptr_t)node | TAG_NODE;
	return 0;
}

/* Replace a node by a list of the ranges in it. */
static void merge(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift)
{
	struct list *list = list_new(to_node(*slot)->count);
	struct walk w = { .visit = list_append, .ctx = list };

	if (!list)
		return; /* the node does as well */
	slot_walk(&w, *slot, shift, false);
	slot_free(map, *slot);
	*slot = list_to_slot(list);
}

static int slot_add(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift,
		    const struct part *part)
{
	if (!*slot) {
		bool all = part->last - part->first == span(shift);

		*slot = (uintptr_t)part->range | (all ? 0 : TAG_PART);
		return 0;
	}
	/* No more than 8 ranges touch 8 bytes, so there is no level below the last one. */
	if (is_list(*slot) && to_list(*slot)->count >= iovamap_limit(map))
		slot_to_node(map, slot, shift, part->first & ~span(shift));
	return is_node(*slot) ? node_add(map, to_node(*slot), shift, part)
			      : list_add(slot, part->range);
}

static void node_remove(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift,
			const struct part *part)
{
	struct dfd_iovamap_node *node = to_node(*slot);

	slots_remove(map, slots_at(node, shift, part->first), shift, part);
	if (!--node->count) {
		slot_free(map, *slot);
		*slot = 0;
	} else if (node->count <= iovamap_limit(map) / 2) {
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
