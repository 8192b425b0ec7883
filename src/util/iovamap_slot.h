/* SPDX-License-Identifier: MIT */
/* What a slot of the tree holds, lists and nodes; iovamap.c tells what the tree is. */
#ifndef UTIL_IOVAMAP_SLOT_H
#define UTIL_IOVAMAP_SLOT_H

#include "util/iovamap.h"

#define BITS  DFD_IOVAMAP_BITS
#define SLOTS ((size_t)1 << BITS)

/* All that is pointed to starts with 64 bits, so the lowest bits of its address are free. */
#define TAG_NODE DFD_IOVAMAP_NODE
#define TAG_LIST DFD_IOVAMAP_LIST
#define TAG_PART DFD_IOVAMAP_PART

struct list;

struct list;

/** struct part - the part of a range that a slot, or a row of them, is concerned with */
struct part {
	struct dfd_iova *range;
	uint64_t first, last;
};

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

static inline bool is_node(uintptr_t slot)
{
	return slot & TAG_NODE;
}

static inline bool is_list(uintptr_t slot)
{
	return slot & TAG_LIST;
}

static inline struct dfd_iovamap_node *to_node(uintptr_t slot)
{
	return (struct dfd_iovamap_node *)(slot - TAG_NODE);
}

static inline struct dfd_iova *to_range(uintptr_t slot)
{
	return (struct dfd_iova *)(slot & ~TAG_PART);
}

/*
 * In all of these @shift is that of the slots of the node that stands in the slot, or would stand
 * there: the slot itself spans as many addresses as that node.
 */

/** slot_walk() - @edge: @w->from lies in the span; Return: false when a visit has stopped it */
bool slot_walk(struct walk *w, uintptr_t slot, unsigned int shift, bool edge);

/** slots_add() - put @part into slots in a row, @slots[0] being where it starts; 0 or -ENOMEM */
int slots_add(struct dfd_iovamap *map, uintptr_t *slots, unsigned int shift,
	      const struct part *part);

/** slots_remove() - the other way; cannot fail */
void slots_remove(struct dfd_iovamap *map, uintptr_t *slots, unsigned int shift,
		  const struct part *part);

/** slot_to_node() - make a node of whatever a slot holds; @low: its first address; 0 or -ENOMEM */
int slot_to_node(struct dfd_iovamap *map, uintptr_t *slot, unsigned int shift, uint64_t low);

/** list_new() - Return: a list with room for @count ranges, or NULL */
struct list *list_new(size_t count);

/** list_append() - a visit; @list: has room */
bool list_append(void *list, struct dfd_iova *range);

/** list_to_slot() - Return: a slot with all that is in the list, which is that slot's from now on
 */
uintptr_t list_to_slot(struct list *list);

/** slot_free() - free all but the ranges */
void slot_free(struct dfd_iovamap *map, uintptr_t slot);

struct dfd_iovamap_node *node_new(struct dfd_iovamap *map);

/** iovamap_limit() - Return: how many ranges a list may have */
size_t iovamap_limit(const struct dfd_iovamap *map);

#endif
