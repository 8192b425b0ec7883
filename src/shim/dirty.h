/* SPDX-License-Identifier: MIT */
/* What devices have written, for page tables that keep account of it (dirty tracking). */
#ifndef SHIM_DIRTY_H
#define SHIM_DIRTY_H

#include "shim/space.h"

struct shim_dirty;

/** dirty_new() - an account for page tables of an address space. Return: NULL without memory */
struct shim_dirty *dirty_new(struct shim_space *s);
void dirty_free(struct shim_dirty *d);

/** dirty_follow() - what a device writes is put into an account, or into none (NULL) */
void dirty_follow(struct shim_mount *m, struct shim_dirty *d);

/** dirty_set() - begin with an empty account, or end */
void dirty_set(struct shim_dirty *d, bool on);
bool dirty_is_on(const struct shim_dirty *d);

/** dirty_unmapped() - what will be at @first to @last of an address space is not written yet */
void dirty_unmapped(struct shim_space *s, uint64_t first, uint64_t last);

/**
 * dirty_read() - set the bits of pages that were written
 * @first, @last: whole pages
 * @page_size: for each bit
 * @bitmap: the caller's; bits that are set there stay
 * @clear: the next call does not tell them again
 *
 * Return: 0 or -EFAULT.
 */
int dirty_read(struct shim_dirty *d, uint64_t first, uint64_t last, uint64_t page_size,
	       uint64_t bitmap, bool clear);

#endif
