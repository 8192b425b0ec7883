/* SPDX-License-Identifier: MIT */
/*
 * Which addresses are emulated registers: a sorted list, and the calls that change it.
 *
 * A range leaves the list before its pages go and enters it after they have come, under one lock.
 * So whoever gets the addresses next is not taken for registers. Calls on other memory cost two
 * loads.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/trap.h"

/* x86-64 has it. */
#ifdef MAP_32BIT
#define SHIM_MAP_LOW MAP_32BIT
#else
#define SHIM_MAP_LOW 0
#endif

#define MAX_TRAPS 1024u
#define PAGE	  UINT64_C(4096)

static struct trap traps[MAX_TRAPS];
static size_t num_traps;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* All ranges lie between these. */
static _Atomic(uintptr_t) lowest = UINTPTR_MAX;
static _Atomic(uintptr_t) highest;

/* ---- the list; locked ---- */

/* The first range that ends above @addr. */
static size_t first_above(uintptr_t addr)
{
	size_t low = 0, high = num_traps;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (traps[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void set_bounds(void)
{
	atomic_store(&lowest, num_traps ? traps[0].start : UINTPTR_MAX);
	atomic_store(&highest, num_traps ? traps[num_traps - 1].end : 0);
}

static int insert(const struct trap *t)
{
	size_t at = first_above(t->start);

	if (num_traps == MAX_TRAPS)
		return -ENOMEM;
	memmove(&traps[at + 1], &traps[at], (num_traps++ - at) * sizeof(*t));
	traps[at] = *t;
	set_bounds();
	return 0;
}

static void cut_front(struct trap *t, uintptr_t start)
{
	t->offset += start - t->start;
	t->start = start;
}

/* Have a range begin at @at if one goes across it. */
static int split(uintptr_t at)
{
	size_t i = first_above(at);
	struct trap back;

	if (i == num_traps || traps[i].start >= at)
		return 0;
	back = traps[i];
	if (num_traps == MAX_TRAPS)
		return -ENOMEM;
	traps[i].end = at;
	cut_front(&back, at);
	return insert(&back);
}

static int split_at_both(uintptr_t start, uintptr_t end)
{
	int ret = split(start);

	return ret ? ret : split(end);
}

static bool goes_on(const struct trap *a, const struct trap *b)
{
	return a->end == b->start && a->mount == b->mount && a->index == b->index &&
	       a->prot == b->prot && a->offset + (a->end - a->start) == b->offset;
}

/* As the kernel does, so that mremap() sees one range again. */
static void merge(void)
{
	size_t to = 0;

	for (size_t i = 1; i < num_traps; i++) {
		if (goes_on(&traps[to], &traps[i]))
			traps[to].end = traps[i].end;
		else
			traps[++to] = traps[i];
	}
	num_traps = num_traps ? to + 1 : 0;
}

/* Whole ranges of [start, end): see split_at_both(). */
static void drop(uintptr_t start, uintptr_t end)
{
	size_t from = first_above(start), to = from;

	while (to < num_traps && traps[to].start < end)
		to++;
	memmove(&traps[from], &traps[to], (num_traps - to) * sizeof(*traps));
	num_traps -= to - from;
	set_bounds();
}

/* ---- looking ---- */

bool trap_find(uintptr_t addr, struct trap *out)
{
	size_t i;
	bool found;

	if (addr < atomic_load(&lowest) || addr >= atomic_load(&highest))
		return false;
	shim_mutex_lock(&lock);
	i = first_above(addr);
	found = i < num_traps && traps[i].start <= addr;
	if (found)
		*out = traps[i];
	shim_mutex_unlock(&lock);
	return found;
}

static uintptr_t end_of(uintptr_t start, size_t len)
{
	uintptr_t end;

	if (__builtin_add_overflow(start, len, &end) || end > UINTPTR_MAX - PAGE)
		return UINTPTR_MAX & ~(PAGE - 1);
	return (end + PAGE - 1) & ~(PAGE - 1);
}

/* Nearly every call ends here. */
static bool far_away(uintptr_t start, size_t len)
{
	return start >= atomic_load(&highest) || end_of(start, len) <= atomic_load(&lowest);
}

/* ---- mapping ---- */

/* What is replaced at a fixed address goes in any case, as the kernel does. */
static intptr_t map_locked(struct trap *t, const struct core_place *p, void *addr, int flags)
{
	const int place = MAP_FIXED | MAP_FIXED_NOREPLACE | SHIM_MAP_LOW;
	uintptr_t start = (uintptr_t)addr;
	const size_t len = p->len;
	bool fixed = (flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE);
	int ret = num_traps > MAX_TRAPS - 3 ? -ENOMEM : 0;
	void *map;

	if (!ret && fixed && !(start % PAGE))
		ret = split_at_both(start, end_of(start, len));
	if (ret)
		return ret;
	if (fixed && !(start % PAGE))
		drop(start, end_of(start, len));
	map = NEXT(mmap)(addr, len, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE | (flags & place), p->fd,
			 (off_t)p->at);
	if (map == MAP_FAILED)
		return -errno;
	t->start = (uintptr_t)map;
	t->end = end_of(t->start, len);
	ret = insert(t);
	merge();
	return ret ? ret : (intptr_t)map;
}

static int start_emulating(const struct shim_mount *m)
{
	static bool started;
	int ret = 0;

	if (!started)
		ret = trap_emulate_start();
	if (!ret && !trap_bench_of(m))
		ret = -errno;
	if (!ret && !started)
		ret = trap_signal_start();
	started = started || !ret;
	return ret;
}

intptr_t trap_mmap(struct shim_mount *m, const struct core_place *p, void *addr, int prot,
		   int flags)
{
	struct trap t = { .mount = m, .index = p->index, .offset = p->within, .prot = prot };
	intptr_t ret;

	shim_mutex_lock(&lock);
	ret = start_emulating(m);
	if (!ret)
		ret = map_locked(&t, p, addr, flags);
	shim_mutex_unlock(&lock);
	return ret;
}

/* ---- calls on memory, that of registers or not ---- */

static void *failed(int ret)
{
	errno = -ret;
	return MAP_FAILED;
}

void *trap_mmap_other(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	uintptr_t start = (uintptr_t)addr;
	void *map;
	int ret;

	if (!(flags & MAP_FIXED) || (flags & MAP_FIXED_NOREPLACE) == MAP_FIXED_NOREPLACE ||
	    start % PAGE || far_away(start, len))
		return NEXT(mmap)(addr, len, prot, flags, fd, off);
	shim_mutex_lock(&lock);
	ret = split_at_both(start, end_of(start, len));
	if (!ret)
		drop(start, end_of(start, len));
	map = ret ? failed(ret) : NEXT(mmap)(addr, len, prot, flags, fd, off);
	shim_mutex_unlock(&lock);
	return map;
}

int trap_munmap(void *addr, size_t len)
{
	uintptr_t start = (uintptr_t)addr;
	int ret;

	if (start % PAGE || !len || far_away(start, len))
		return NEXT(munmap)(addr, len);
	shim_mutex_lock(&lock);
	ret = split_at_both(start, end_of(start, len));
	if (!ret) {
		drop(start, end_of(start, len));
		ret = NEXT(munmap)(addr, len);
	} else {
		errno = -ret;
		ret = -1;
	}
	shim_mutex_unlock(&lock);
	return ret;
}

/* Registers stay memory that nobody may touch; what lies between them is the kernel's. */
static int protect_locked(uintptr_t start, uintptr_t end, int prot)
{
	while (start < end) {
		size_t i = first_above(start);
		uintptr_t until = end;

		if (i < num_traps && traps[i].start <= start) {
			traps[i].prot = prot;
			until = traps[i].end;
		} else {
			if (i < num_traps && traps[i].start < end)
				until = traps[i].start;
			if (NEXT(mprotect)((void *)start, until - start, prot))
				return -errno;
		}
		start = until;
	}
	merge();
	return 0;
}

int trap_mprotect(void *addr, size_t len, int prot)
{
	uintptr_t start = (uintptr_t)addr;
	int ret;

	if (start % PAGE || !len || far_away(start, len))
		return NEXT(mprotect)(addr, len, prot);
	shim_mutex_lock(&lock);
	ret = split_at_both(start, end_of(start, len));
	if (!ret)
		ret = protect_locked(start, end_of(start, len), prot);
	shim_mutex_unlock(&lock);
	return (int)shim_result(ret);
}

/*
 * Of registers a mapping can be moved and made smaller, as a whole or in parts; to make one larger
 * is refused, as the kernel does for a part of a file that a device does not have.
 */
static void *remap_locked(const struct trap *old, void *addr, size_t len, size_t new_len, int flags,
			  void *new_addr)
{
	uintptr_t start = (uintptr_t)addr, to = (uintptr_t)new_addr;
	struct trap moved = *old;
	void *map;

	if (end_of(0, new_len) > end_of(0, len))
		return failed(-EFAULT);
	if (old->start > start || old->end < end_of(start, len) || num_traps > MAX_TRAPS - 5 ||
	    split_at_both(start, end_of(start, len)) ||
	    ((flags & MREMAP_FIXED) && split_at_both(to, end_of(to, new_len))))
		return failed(-EFAULT);
	cut_front(&moved, start);
	map = NEXT(mremap)(addr, len, new_len, flags, new_addr);
	if (map == MAP_FAILED)
		return map;
	drop(start, end_of(start, len));
	moved.start = (uintptr_t)map;
	moved.end = end_of(moved.start, new_len);
	drop(moved.start, moved.end);
	insert(&moved);
	return map;
}

void *trap_mremap(void *addr, size_t len, size_t new_len, int flags, void *new_addr)
{
	uintptr_t start = (uintptr_t)addr, to = (uintptr_t)new_addr;
	const bool fixed = flags & MREMAP_FIXED;
	struct trap old;
	void *map;
	size_t i;

	if (start % PAGE || !len || !new_len ||
	    (far_away(start, len) && (!fixed || far_away(to, new_len))))
		return NEXT(mremap)(addr, len, new_len, flags, new_addr);
	shim_mutex_lock(&lock);
	i = first_above(start);
	if (i < num_traps && traps[i].start < end_of(start, len)) {
		old = traps[i];
		map = remap_locked(&old, addr, len, new_len, flags, new_addr);
	} else {
		map = NEXT(mremap)(addr, len, new_len, flags, new_addr);
		if (map != MAP_FAILED && fixed && !split_at_both(to, end_of(to, new_len)))
			drop(to, end_of(to, new_len));
	}
	shim_mutex_unlock(&lock);
	return map;
}

/* ---- forking ---- */

void trap_fork_prepare(void)
{
	trap_bench_lock_all(true);
	shim_mutex_lock(&lock);
}

void trap_fork_done(void)
{
	shim_mutex_unlock(&lock);
	trap_bench_lock_all(false);
}
