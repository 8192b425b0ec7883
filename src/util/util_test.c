/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/eventfd.h"
#include "util/rangemap.h"
#include "util/usermem.h"

static void test_ranges(void **state)
{
	struct dfd_rangemap map = { 0 };
	int a, b, c;

	(void)state;
	assert_int_equal(dfd_rangemap_add(&map, 0x3000, 0x3fff, &b), 0);
	assert_int_equal(dfd_rangemap_add(&map, 0x1000, 0x1fff, &a), 0);
	assert_int_equal(dfd_rangemap_add(&map, UINT64_MAX - 1, UINT64_MAX, &c), 0);
	assert_int_equal(dfd_rangemap_add(&map, 0x1fff, 0x2000, &c), -EEXIST);
	assert_int_equal(dfd_rangemap_add(&map, 0, UINT64_MAX, &c), -EEXIST);
	assert_null(dfd_rangemap_find(&map, 0xfff));
	assert_ptr_equal(dfd_rangemap_find(&map, 0x1000)->value, &a);
	assert_ptr_equal(dfd_rangemap_find(&map, 0x1fff)->value, &a);
	assert_null(dfd_rangemap_find(&map, 0x2000));
	assert_ptr_equal(dfd_rangemap_find(&map, UINT64_MAX)->value, &c);
	dfd_rangemap_remove(&map, 0, 1);
	assert_null(dfd_rangemap_find(&map, 0x1000));
	assert_ptr_equal(dfd_rangemap_find(&map, 0x3000)->value, &b);
	dfd_rangemap_finish(&map);
}

static void test_gaps(void **state)
{
	struct dfd_rangemap map = { 0 };
	uint64_t at;

	(void)state;
	assert_int_equal(dfd_rangemap_add(&map, 0x1000, 0x1fff, NULL), 0);
	assert_int_equal(dfd_rangemap_add(&map, 0x3000, 0x3fff, NULL), 0);
	assert_int_equal(dfd_rangemap_gap(&map, 0x1000, UINT64_MAX, 0x1000, 0x1000, &at), 0);
	assert_int_equal(at, 0x2000);
	assert_int_equal(dfd_rangemap_gap(&map, 0x1000, UINT64_MAX, 0x1001, 0x1000, &at), 0);
	assert_int_equal(at, 0x4000);
	assert_int_equal(dfd_rangemap_gap(&map, 0x1000, 0x4fff, 0x1001, 0x1000, &at), -ENOSPC);
	assert_int_equal(dfd_rangemap_add(&map, 0x4000, UINT64_MAX, NULL), 0);
	assert_int_equal(dfd_rangemap_gap(&map, 0x3000, UINT64_MAX, 1, 1, &at), -ENOSPC);
	dfd_rangemap_finish(&map);
}

/* Against a plain array of bytes, with ranges at random places. */
static void test_ranges_against_bytes(void **state)
{
	enum { SPACE = 4096 };
	static unsigned char owner[SPACE];
	struct dfd_rangemap map = { 0 };

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		uint64_t start = (uint64_t)(rand() % SPACE), last = start + (uint64_t)(rand() % 64);
		const struct dfd_range *found = dfd_rangemap_find(&map, start);
		int clash = 0;

		assert_int_equal(found != NULL, owner[start] != 0);
		if (last >= SPACE)
			continue;
		for (uint64_t i = start; i <= last; i++)
			clash |= owner[i];
		if (found && rand() % 2) {
			for (uint64_t i = found->start; i <= found->last; i++)
				owner[i] = 0;
			dfd_rangemap_remove(&map, dfd_rangemap_next(&map, start), 1);
			continue;
		}
		assert_int_equal(dfd_rangemap_add(&map, start, last, NULL), clash ? -EEXIST : 0);
		for (uint64_t i = start; !clash && i <= last; i++)
			owner[i] = 1;
	}
	dfd_rangemap_finish(&map);
}

static void test_eventfds(void **state)
{
	int good = eventfd(0, 0), file = open("/dev/null", O_RDWR), mine;
	uint64_t full = UINT64_MAX - 1;

	(void)state;
	assert_true(dfd_is_eventfd(good));
	assert_false(dfd_is_eventfd(file));
	assert_false(dfd_is_eventfd(-1));
	assert_int_equal(dfd_eventfd_dup(file), -EINVAL);
	assert_int_equal(dfd_eventfd_dup(-1), -EINVAL);
	assert_int_equal(dfd_eventfd_dup(1 << 30), -EINVAL);
	mine = dfd_eventfd_dup(good);
	assert_true(mine >= 0);
	assert_int_equal(dfd_eventfd_take(good), 0);
	dfd_eventfd_signal(mine);
	dfd_eventfd_signal(mine);
	assert_int_equal(dfd_eventfd_take(good), 2);
	assert_int_equal(write(good, &full, sizeof(full)), sizeof(full));
	dfd_eventfd_signal(mine); /* would block for ever */
	assert_int_equal(dfd_eventfd_take(good), full);
	close(mine);
	close(file);
	close(good);
}

static void test_user_memory(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char mine[8] = "devfd..";

	(void)state;
	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + page, page, PROT_READ), 0);
	assert_int_equal(dfd_copy_out(map + page - 8, mine, 8), 0);
	memset(mine, 0, sizeof(mine));
	assert_int_equal(dfd_copy_in(mine, map + page - 8, 8), 0);
	assert_string_equal(mine, "devfd..");
	assert_int_equal(dfd_copy_in(mine, map + page - 4, 8), 0);
	assert_int_equal(dfd_copy_out(map + page, mine, 1), -EFAULT);
	assert_int_equal(dfd_copy_out(map + page - 4, mine, 8), -EFAULT);
	assert_int_equal(munmap(map + page, page), 0);
	assert_int_equal(dfd_copy_in(mine, map + page - 4, 8), -EFAULT);
	assert_int_equal(dfd_copy_in(mine, NULL, 1), -EFAULT);
	assert_int_equal(dfd_copy_out(NULL, mine, 1), -EFAULT);
	assert_int_equal(dfd_copy_in(mine, NULL, 0), 0);
	munmap(map, page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_ranges_against_bytes),
		cmocka_unit_test(test_eventfds),
		cmocka_unit_test(test_user_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
