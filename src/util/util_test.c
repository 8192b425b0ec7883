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
#include "util/usermem.h"

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
		cmocka_unit_test(test_eventfds),
		cmocka_unit_test(test_user_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
