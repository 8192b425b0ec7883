/* SPDX-License-Identifier: MIT */
/* The writer and the reader held against each other. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <devfd/table.h>

#include "alloc.h"
#include "random_desc.h"

#define DESCS 200

static uint8_t *whole_table(const struct dfd_desc *d, uint32_t *size)
{
	uint8_t *table;

	*size = dfd_table_size(d);
	table = malloc(*size);
	assert_non_null(table);
	assert_int_equal(dfd_table_read(d, NULL, 0, table, *size), *size);
	return table;
}

static void check_piece(const struct dfd_desc *d, struct dfd_table_cursor *cursor,
			const uint8_t *table, uint32_t size, uint64_t *seed)
{
	uint32_t offset = dfd_random_below(seed, size + 16), len = dfd_random_below(seed, 200);
	uint32_t want = offset >= size ? 0 : size - offset < len ? size - offset : len;
	uint8_t piece[256];

	memset(piece, 0xa5, sizeof(piece));
	assert_int_equal(dfd_table_read(d, cursor, offset, piece, len), want);
	if (want)
		assert_memory_equal(piece, table + offset, want);
	for (uint32_t i = want; i < sizeof(piece); i++)
		assert_int_equal(piece[i], 0xa5);
}

static void test_any_piece_equals_the_whole(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (uint64_t i = 0; i < DESCS; i++) {
		const struct dfd_desc *d = dfd_random_desc(i);
		struct dfd_table_cursor cursor = { 0 };
		uint32_t size;
		uint8_t *table = whole_table(d, &size);

		dfd_alloc_reset();
		for (int n = 0; n < 10000 / DESCS; n++) {
			check_piece(d, NULL, table, size, &seed);
			check_piece(d, &cursor, table, size, &seed);
		}
		assert_int_equal(dfd_alloc.calls, 0);
		free(table);
		dfd_desc_unref(d);
	}
}

static void test_no_length_is_too_long(void **state)
{
	const struct dfd_desc *d = dfd_random_desc(3);
	uint32_t size;
	uint8_t *table = whole_table(d, &size), *again = calloc(1, size);

	(void)state;
	assert_non_null(again);
	assert_int_equal(dfd_table_read(d, NULL, 0, again, SIZE_MAX), size);
	assert_memory_equal(again, table, size);
	assert_int_equal(dfd_table_read(d, NULL, 16, again, SIZE_MAX), size - 16);
	assert_memory_equal(again, table + 16, size - 16);
	assert_int_equal(dfd_table_read(d, NULL, UINT64_MAX, again, SIZE_MAX), 0);
	free(again);
	free(table);
	dfd_desc_unref(d);
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < DESCS; i++) {
		const struct dfd_desc *d = dfd_random_desc(i);
		struct dfd_table_cursor cursor = { 0 };
		uint32_t size;
		uint8_t *table = whole_table(d, &size), byte;

		for (uint32_t at = 0; at < size; at++) {
			assert_int_equal(dfd_table_read(d, &cursor, at, &byte, 1), 1);
			assert_int_equal(byte, table[at]);
			assert_true(cursor.pos <= at + 1);
		}
		/* It moves on as soon as a record is over. */
		assert_int_equal(cursor.pos, size);
		assert_int_equal(dfd_table_read(d, &cursor, size, &byte, 1), 0);
		assert_int_equal(dfd_table_read(d, &cursor, UINT64_MAX, &byte, 1), 0);
		assert_int_equal(dfd_table_read(d, &cursor, 0, &byte, 1), 1);
		assert_int_equal(byte, table[0]);
		free(table);
		dfd_desc_unref(d);
	}
}

static void test_round_trip(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		const struct dfd_desc *d = dfd_random_desc(i), *back = NULL;
		struct dfd_table_extra extra;
		struct dfd_error err;
		uint32_t size;
		uint8_t *table = whole_table(d, &size);

		if (dfd_table_parse(table, size, &back, &extra, &err))
			fail_msg("description %d: %s", (int)i, err.text);
		if (!dfd_desc_equal(d, back, &err))
			fail_msg("description %d: %s", (int)i, err.text);
		assert_int_equal(extra.skipped, 0);
		assert_int_equal(extra.config_len, 0);
		free(table);
		dfd_desc_unref(d);
		dfd_desc_unref(back);
	}
}

/* All regions and interrupts, with paths of @len bytes. */
static int build_largest(size_t len, const struct dfd_desc **out, struct dfd_error *err)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_DT);
	char path[DFD_MAX_STRING + 1];

	memset(path, '/', len);
	path[len] = '\0';
	for (uint32_t i = 0; i <= DFD_MAX_REGION_INDEX; i++) {
		const struct dfd_dt_ref dt = { path, DFD_DT_REG, i };

		dfd_desc_add_region(b, &(struct dfd_region){ .index = i, .size = 1, .dt = dt });
		dfd_desc_add_irq(b, &(struct dfd_irq){ .index = i, .count = 1, .dt = dt });
	}
	return dfd_desc_build(b, out, err);
}

/* Whatever can be described can be read back: the limits of both sides fit. */
static void test_largest(void **state)
{
	const struct dfd_desc *d, *back;
	struct dfd_error err;
	uint32_t size;
	uint8_t *table;

	(void)state;
	assert_int_equal(build_largest(361, &d, &err), -EINVAL);
	assert_non_null(strstr(err.text, "of paths, areas and capabilities are more than 786432"));
	assert_int_equal(build_largest(360, &d, &err), 0);
	table = whole_table(d, &size);
	assert_true(size <= DFD_TABLE_MAX_SIZE);
	assert_int_equal(dfd_table_parse(table, size, &back, NULL, NULL), 0);
	assert_true(dfd_desc_equal(d, back, NULL));
	free(table);
	dfd_desc_unref(d);
	dfd_desc_unref(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_piece_equals_the_whole),
		cmocka_unit_test(test_no_length_is_too_long),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
