/* SPDX-License-Identifier: MIT */
/*
 * Counts what the code under test allocates. The linker sends malloc() and its family here
 * (-Wl,--wrap), so it sees the library and the test, not what libc and cmocka do inside.
 */
#ifndef TESTS_ALLOC_H
#define TESTS_ALLOC_H

#include <stddef.h>

/**
 * struct dfd_alloc - since the last dfd_alloc_reset()
 * @calls: allocations
 * @live: bytes allocated and not yet freed
 * @peak: the most that @live has been
 * @fail_in: set it to n to have the nth allocation from then on fail
 */
struct dfd_alloc {
	size_t calls;
	size_t live;
	size_t peak;
	size_t fail_in;
};
extern _Thread_local struct dfd_alloc dfd_alloc; /* what this thread allocates */

/** dfd_alloc_reset() - count from here; nothing allocated before may be freed until the next one */
void dfd_alloc_reset(void);

#endif
