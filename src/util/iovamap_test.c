/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "alloc.h"
#include "util/iovamap.h"

/* A map is right when it answers as a sorted array of the same ranges does. */
enum { MOST = 4096 };

/* Under the sanitizers all takes longer. */
#ifdef __SANITIZE_ADDRESS__
#define SLOW 10
#else
#define SLOW 1
#endif

struct model {
	struct dfd_iovamap map;
	struct dfd_iova *ranges[MOST];
	size_t count;
};

static size_t model_next(const struct model *m, uint64_t address)
{
	size_t i = 0;

	while (i < m->count && m->ranges[i]->last < address)
		i++;
	return i;
}

static void check_at(const struct model *m, uint64_t address)
{
	size_t i = model_next(m, address);
	struct dfd_iova *next = i < m->count ? m->ranges[i] : NULL;

	assert_ptr_equal(dfd_iovamap_next(&m->map, address), next);
	assert_ptr_equal(dfd_iovamap_find(&m->map, address),
			 next && next->start <= address ? next : NULL);
}

static void check_around(const struct model *m, uint64_t start, uint64_t last)
{
	check_at(m, start);
	check_at(m, start - 1);
	check_at(m, last);
	check_at(m, last + 1);
	check_at(m, start + (last - start) / 2);
}

/* Return: whether it was free. */
static bool model_add(struct model *m, uint64_t start, uint64_t last)
{
	struct dfd_iova *range = malloc(sizeof(*range));
	size_t i = model_next(m, start);
	bool clash = i < m->count && m->ranges[i]->start <= last;

	*range = (struct dfd_iova){ start, last };
	assert_int_equal(dfd_iovamap_add(&m->map, range), clash ? -EEXIST : 0);
	if (clash) {
		free(range);
	} else {
		memmove(&m->ranges[i + 1], &m->ranges[i], (m->count - i) * sizeof(m->ranges[0]));
		m->ranges[i] = range;
		m->count++;
	}
	check_around(m, start, last);
	return !clash;
}

static void model_remove(struct model *m, size_t i)
{
	struct dfd_iova *range = m->ranges[i];
	uint64_t start = range->start, last = range->last;

	dfd_iovamap_remove(&m->map, range);
	free(range);
	m->count--;
	memmove(&m->ranges[i], &m->ranges[i + 1], (m->count - i) * sizeof(m->ranges[0]));
	check_around(m, start, last);
}

static void free_range(void *ctx, struct dfd_iova *range)
{
	struct model *m = ctx;

	assert_ptr_equal(range, m->ranges[0]); /* in order, and each once */
	m->count--;
	memmove(&m->ranges[0], &m->ranges[1], m->count * sizeof(m->ranges[0]));
	free(range);
}

static void model_finish(struct model *m)
{
	dfd_iovamap_clear(&m->map, free_range, m);
	assert_int_equal(m->count, 0);
	assert_int_equal(m->map.nodes, 0);
	assert_null(dfd_iovamap_next(&m->map, 0));
}

static uint64_t random64(void)
{
	uint64_t value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 16 | (uint64_t)(rand() & 0xffff);
	return value;
}

/* Addresses of all magnitudes, near places of which there are few, and at both ends. */
static uint64_t random_address(void)
{
	uint64_t near = (random64() & 7) << (rand() % 62);

	switch (rand() % 4) {
	case 0:
		return random64() >> (rand() % 64);
	case 1:
		return near + (random64() & 0xfff);
	case 2:
		return near + (random64() & 0x1ff) * 4096;
	default:
		return UINT64_MAX - (random64() >> (rand() % 64));
	}
}

static uint64_t random_size(void)
{
	switch (rand() % 4) {
	case 0:
		return 4096;
	case 1:
		return 1 + random64() % 16;
	case 2:
		return 4096 * (1 + random64() % 1024);
	default:
		return 1 + (random64() >> (1 + rand() % 63));
	}
}

static void test_random(void **state)
{
	static struct model m;

	(void)state;
	srand(1);
	for (int round = 0; round < 30000; round++) {
		size_t most = round / 3000 % 2 ? 20 : 1500; /* it grows and shrinks */
		uint64_t start = random_address(), size = random_size();

		if (m.count && (m.count > most || rand() % 3 == 0))
			model_remove(&m, (size_t)rand() % m.count);
		if (size - 1 <= UINT64_MAX - start)
			model_add(&m, start, start + (size - 1));
	}
	model_finish(&m);
}

/* Many ranges in few pages: bytes, and ranges that cross pages. */
static void test_below_a_page(void **state)
{
	static struct model m;

	(void)state;
	srand(2);
	for (int round = 0; round < 20000; round++) {
		uint64_t start = 0xfffff000 + random64() % 0x2000;

		if (m.count && rand() % 5 == 0)
			model_remove(&m, (size_t)rand() % m.count);
		else if (m.count < MOST - 1)
			model_add(&m, start, start + random64() % (rand() % 8 ? 2 : 16));
	}
	while (m.count)
		model_remove(&m, m.count / 2);
	assert_int_equal(m.map.nodes, 0);
}

/* Ranges near and far, so that the root goes up and down, and its place changes. */
static void test_near_and_far(void **state)
{
	static const uint64_t places[] = { 0,
					   0x1000,
					   0xffff0000,
					   0x100000000,
					   0x7fffffff0000,
					   UINT64_C(1) << 63,
					   UINT64_MAX - 0xfffff };
	static struct model m;

	(void)state;
	srand(5);
	for (int round = 0; round < 30000; round++) {
		size_t some = 1 + (size_t)round / 5000; /* of the places */
		uint64_t at = places[6 - (size_t)rand() % some] + random64() % 0x40000;
		uint64_t size = rand() % 2 ? 0x1000 : 1 + random64() % 0x3000;

		if (size == 0x1000)
			at &= ~UINT64_C(0xfff);
		if (at + (size - 1) >= at)
			model_add(&m, at, at + (size - 1));
		check_at(&m, places[(size_t)rand() % 7]);
		while (m.count > 40 || (m.count && rand() % 4 == 0))
			model_remove(&m, (size_t)rand() % m.count);
		while (m.count && rand() % 100 == 0)
			model_remove(&m, 0);
	}
	model_finish(&m);
}

static void test_edges(void **state)
{
	static struct model m;

	(void)state;
	check_around(&m, 0, UINT64_MAX);
	assert_true(model_add(&m, 0, UINT64_MAX));
	assert_false(model_add(&m, 5, 6));
	model_remove(&m, 0);
	assert_true(model_add(&m, UINT64_MAX, UINT64_MAX));
	assert_true(model_add(&m, 0, 0));
	assert_true(model_add(&m, 1, UINT64_MAX - 1));
	check_around(&m, 0, UINT64_MAX);
	model_remove(&m, 1);
	assert_false(model_add(&m, 1, UINT64_MAX));
	model_finish(&m);
}

/* What is taken out at once is what the same ranges one by one are. */
static void test_take_out(void **state)
{
	static struct model m;
	uint64_t start, end;

	(void)state;
	assert_false(dfd_iovamap_extent(&m.map, 0, UINT64_MAX, &start, &end));
	for (uint64_t i = 0; i < 1000; i++)
		model_add(&m, 0x10000 + i * 0x1000, 0x10fff + i * 0x1000);
	model_add(&m, UINT64_MAX - 4, UINT64_MAX);
	assert_true(dfd_iovamap_cuts(&m.map, 0x10001, 0x20fff));
	assert_true(dfd_iovamap_cuts(&m.map, 0, 0x10000));
	assert_false(dfd_iovamap_cuts(&m.map, 0, 0x20fff));
	assert_false(dfd_iovamap_extent(&m.map, 0, 0xffff, &start, &end));
	assert_true(dfd_iovamap_extent(&m.map, 0, 0x20fff, &start, &end));
	assert_true(start == 0x10000 && end == 0x20fff);
	dfd_iovamap_take_out(&m.map, 0, 0x20fff, free_range, &m);
	assert_int_equal(m.count, 1001 - 17);
	check_around(&m, 0x10000, 0x20fff);
	assert_true(dfd_iovamap_extent(&m.map, 0, UINT64_MAX, &start, &end));
	assert_true(start == 0x21000 && end == UINT64_MAX);
	dfd_iovamap_take_out(&m.map, 0x21000, UINT64_MAX - 5, free_range, &m);
	assert_int_equal(m.count, 1);
	dfd_iovamap_take_out(&m.map, 0, UINT64_MAX, free_range, &m);
	model_finish(&m);
}

static void test_gaps(void **state)
{
	static struct model m;
	uint64_t at;

	(void)state;
	model_add(&m, 0x1000, 0x1fff);
	model_add(&m, 0x3000, 0x3fff);
	assert_int_equal(dfd_iovamap_gap(&m.map, 0x1000, UINT64_MAX, 0x1000, 0x1000, &at), 0);
	assert_int_equal(at, 0x2000);
	assert_int_equal(dfd_iovamap_gap(&m.map, 0x1000, UINT64_MAX, 0x1001, 0x1000, &at), 0);
	assert_int_equal(at, 0x4000);
	assert_int_equal(dfd_iovamap_gap(&m.map, 0x1800, 0x4fff, 0x1001, 0x1000, &at), -ENOSPC);
	assert_int_equal(dfd_iovamap_gap(&m.map, 0x100000, 0x100fff, 0x1000, 0x1000, &at), 0);
	assert_int_equal(at, 0x100000);
	assert_int_equal(dfd_iovamap_gap(&m.map, UINT64_MAX, UINT64_MAX, 1, 2, &at), -ENOSPC);
	model_add(&m, 0x4000, UINT64_MAX);
	assert_int_equal(dfd_iovamap_gap(&m.map, 0x3000, UINT64_MAX, 1, 1, &at), -ENOSPC);
	model_finish(&m);
}

/* The lowest place, found the slow way. */
static bool model_gap(const struct model *m, uint64_t max, uint64_t size, uint64_t align,
		      uint64_t *start)
{
	uint64_t at = 0x1000;

	for (size_t i = 0; i <= m->count; i++) {
		at = (at + align - 1) & ~(align - 1);
		if (i == m->count || at + (size - 1) < m->ranges[i]->start)
			break;
		if (at <= m->ranges[i]->last)
			at = m->ranges[i]->last + 1;
	}
	*start = at;
	return at + (size - 1) <= max;
}

/* A search goes on where an earlier one has ended, and yet finds the lowest place. */
static void test_gaps_again(void **state)
{
	static struct model m;
	uint64_t at, wanted;

	(void)state;
	srand(4);
	for (int round = 0; round < 20000; round++) {
		uint64_t size = 1 + random64() % (rand() % 4 ? 0x3000 : 0x40000);
		uint64_t align = rand() % 8 ? 0x1000 : 0x4000;
		uint64_t max = rand() % 16 ? UINT64_MAX - 1 : 0x100000;
		int found = model_gap(&m, max, size, align, &wanted) ? 0 : -ENOSPC;

		assert_int_equal(dfd_iovamap_gap(&m.map, 0x1000, max, size, align, &at), found);
		if (!found)
			assert_int_equal(at, wanted);
		if (!found && m.count < 300 && rand() % 3)
			model_add(&m, at, at + size - 1);
		while (m.count && (m.count == 300 || rand() % 3 == 0))
			model_remove(&m, (size_t)rand() % m.count);
	}
	model_finish(&m);
}

static uint64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* To look through all that is mapped for each of them would take minutes. */
static void test_many_gaps(void **state)
{
	enum { MANY = 60000 };
	static struct dfd_iova ranges[MANY];
	static const uint64_t sizes[] = { 0x1000, 0x3000, 0x2000, 0x1000, 0x10000 };
	struct dfd_iovamap map = { 0 };
	uint64_t start = cpu_ms(), at;

	(void)state;
	for (int i = 0; i < 2 * MANY; i++) {
		struct dfd_iova *range = &ranges[i % MANY];
		uint64_t size = sizes[i % 5];

		if (i >= MANY) /* and now they come and go */
			dfd_iovamap_remove(&map, range);
		assert_int_equal(dfd_iovamap_gap(&map, 4096, UINT64_MAX - 1, size, 4096, &at), 0);
		*range = (struct dfd_iova){ at, at + size - 1 };
		assert_int_equal(dfd_iovamap_add(&map, range), 0);
	}
	print_message("%d places in %d ms\n", 2 * MANY, (int)(cpu_ms() - start));
	assert_true(cpu_ms() - start < 20000 * SLOW);
	dfd_iovamap_clear(&map, NULL, NULL);
}

/* One range of 1 TiB is a pointer; between neighbours it costs the levels at its two ends. */
static void test_huge(void **state)
{
	static struct model m;

	(void)state;
	model_add(&m, 0x123456789, 0x123456789 + (UINT64_C(1) << 40));
	assert_int_equal(m.map.nodes, 0);
	for (uint64_t i = 0; i < 100; i++)
		model_add(&m, 0x123456789 - 8 * (i + 1), 0x123456789 - 8 * (i + 1) + 3);
	assert_in_range(m.map.nodes, 1, 7);
	while (m.count > 1)
		model_remove(&m, 0);
	assert_int_equal(m.map.nodes, 0);
	model_finish(&m);
}

/* Pages from 4 GiB down, as Linux's allocator of IOVAs lays them out. */
static void add_down(struct dfd_iovamap *map, struct dfd_iova *ranges, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		uint64_t start = (UINT64_C(1) << 32) - 0x5000 * (i + 1);

		ranges[i] = (struct dfd_iova){ start, start + 0x3fff };
		assert_int_equal(dfd_iovamap_add(map, &ranges[i]), 0);
	}
}

/* Slots in the top stand for 4 KiB or 2 MiB: one table to look into, or two. */
static void test_dense_is_low(void **state)
{
	enum { MANY = 60000 };
	static struct dfd_iova ranges[MANY];
	struct dfd_iovamap map = { 0 };

	(void)state;
	add_down(&map, ranges, 0, 600);
	assert_int_equal(map.top.shift, 12);
	add_down(&map, ranges, 600, MANY);
	assert_int_equal(map.top.shift, 21);
	for (size_t i = 600; i < MANY; i++)
		dfd_iovamap_remove(&map, &ranges[i]);
	assert_int_equal(map.top.shift, 12);
	for (size_t i = 4; i < 600; i++)
		dfd_iovamap_remove(&map, &ranges[i]);
	assert_int_equal(map.nodes, 0);
	for (size_t i = 0; i < 4; i++)
		assert_ptr_equal(dfd_iovamap_find(&map, ranges[i].start), &ranges[i]);
	dfd_iovamap_clear(&map, NULL, NULL);
}

/* One far away comes and goes: what that costs must not grow with what is there. */
static void test_far_is_cheap(void **state)
{
	enum { MANY = 60000, TIMES = 2000 };
	static struct dfd_iova ranges[MANY];
	struct dfd_iovamap map = { 0 };
	uint64_t start;

	(void)state;
	add_down(&map, ranges, 0, MANY);
	start = cpu_ms();
	for (unsigned int i = 0; i < TIMES; i++) {
		uint64_t at = UINT64_C(1) << (34 + i % 29);
		struct dfd_iova far = { at, at + 7 };

		assert_int_equal(dfd_iovamap_add(&map, &far), 0);
		assert_ptr_equal(dfd_iovamap_find(&map, at), &far);
		assert_ptr_equal(dfd_iovamap_find(&map, ranges[i].last), &ranges[i]);
		dfd_iovamap_remove(&map, &far);
	}
	print_message("%d times in %d ms\n", TIMES, (int)(cpu_ms() - start));
	assert_true(cpu_ms() - start < 8000 * SLOW);
	assert_int_equal(map.top.shift, 21);
	dfd_iovamap_clear(&map, NULL, NULL);
}

/* Without memory a range is refused, and all else is as it was. */
static void test_no_memory(void **state)
{
	static struct model m;
	size_t refused = 0;

	(void)state;
	srand(6);
	dfd_alloc_reset();
	for (int round = 0; round < 20000; round++) {
		uint64_t at = (random64() & 0x3ff) * 0x1000 << (rand() % 4 * 12);
		struct dfd_iova *range = malloc(sizeof(*range));
		size_t i = model_next(&m, at);
		int ret;

		*range = (struct dfd_iova){ at, at + 0xfff };
		dfd_alloc.fail_in = 1 + (size_t)rand() % 4;
		ret = dfd_iovamap_add(&m.map, range);
		dfd_alloc.fail_in = 0;
		refused += ret == -ENOMEM;
		if (ret) {
			free(range);
		} else {
			memmove(&m.ranges[i + 1], &m.ranges[i],
				(m.count - i) * sizeof(m.ranges[0]));
			m.ranges[i] = range;
			m.count++;
		}
		check_around(&m, at, at + 0xfff);
		while (m.count > 600 || (m.count && rand() % 3 == 0)) {
			dfd_alloc.fail_in = (size_t)rand() % 4;
			model_remove(&m, (size_t)rand() % m.count);
		}
		dfd_alloc.fail_in = 0;
		while (m.count > 5 && rand() % 500 == 0)
			model_remove(&m, 0);
	}
	assert_true(refused > 20);
	model_finish(&m);
	assert_int_equal(dfd_alloc.live, 0);
}

/* Little clusters far apart are what such a tree likes least. */
static void test_memory_is_bounded(void **state)
{
	enum { CLUSTERS = 2000, EACH = 40 };
	static struct dfd_iova ranges[CLUSTERS][EACH];
	struct dfd_iovamap map = { 0 };

	(void)state;
	srand(3);
	dfd_alloc_reset();
	for (int i = 0; i < CLUSTERS; i++) {
		uint64_t base = random64() & ~UINT64_C(0xffffff);

		for (uint64_t k = 0; k < EACH; k++) {
			ranges[i][k].start = base + (k << (k % 12));
			ranges[i][k].last = ranges[i][k].start;
			if (dfd_iovamap_add(&map, &ranges[i][k]))
				ranges[i][k].last = 0;
		}
	}
	assert_in_range(dfd_alloc.live / map.count, 8, 400);
	for (int i = 0; i < CLUSTERS; i++) {
		for (int k = 5; k < EACH; k++) {
			if (ranges[i][k].last)
				dfd_iovamap_remove(&map, &ranges[i][k]);
		}
	}
	assert_in_range(dfd_alloc.live / map.count, 8, 1000);
	dfd_iovamap_clear(&map, NULL, NULL);
	assert_int_equal(dfd_alloc.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	     cmocka_unit_test(test_below_a_page),
		cmocka_unit_test(test_edges),	     cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_huge),	     cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_take_out),     cmocka_unit_test(test_near_and_far),
		cmocka_unit_test(test_gaps_again),   cmocka_unit_test(test_many_gaps),
		cmocka_unit_test(test_dense_is_low), cmocka_unit_test(test_far_is_cheap),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
