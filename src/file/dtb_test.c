/* SPDX-License-Identifier: MIT */
/*
 * What no source of a device tree compiles to. What compiles is described in tests/data/dtb and
 * held against tests/sources/NAME.golden.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <libfdt.h>

#include "file/dtb.h"

#define ROOM DTB_MAX_SIZE

static uint8_t blob[ROOM];

static void begin(void)
{
	assert_int_equal(fdt_create(blob, ROOM), 0);
	assert_int_equal(fdt_finish_reservemap(blob), 0);
	assert_int_equal(fdt_begin_node(blob, ""), 0);
}

static void end(void)
{
	assert_int_equal(fdt_end_node(blob), 0);
	assert_int_equal(fdt_finish(blob), 0);
}

static void begin_node(const char *name)
{
	assert_int_equal(fdt_begin_node(blob, name), 0);
}

/* A property of @count cells, each of them @value. */
static void cells(const char *name, uint32_t value, size_t count)
{
	uint8_t *data;
	void *p;

	assert_int_equal(fdt_property_placeholder(blob, name, (int)count * 4, &p), 0);
	data = p;
	for (size_t i = 0; i < count * 4; i++)
		data[i] = (uint8_t)(value >> (24 - 8 * (i % 4)));
}

static void expect(const char *path, int code, const char *text)
{
	const struct dfd_desc *desc = NULL;
	struct dfd_error err = { 0, "" };
	int ret = dfd_dtb_describe(blob, fdt_totalsize(blob), path, &desc, &err);

	if (ret != code || !strstr(err.text, text))
		fail_msg("%d instead of %d: %s", ret, code, err.text);
	dfd_desc_unref(desc);
}

/* A uart on a bus; enough of everything for the tests below to break. */
static void make_uart(size_t reg_entries, size_t irq_entries, size_t ranges_entries)
{
	begin();
	begin_node("soc");
	cells("#address-cells", 1, 1);
	cells("#size-cells", 1, 1);
	cells("#interrupt-cells", 1, 1);
	cells("ranges", 0x10, ranges_entries * 4);
	begin_node("uart@10");
	cells("reg", 0x10, reg_entries * 2);
	cells("interrupts", 1, irq_entries);
	assert_int_equal(fdt_end_node(blob), 0);
	assert_int_equal(fdt_end_node(blob), 0);
	end();
}

static void test_bounds(void **state)
{
	(void)state;
	make_uart(1024, 1024, 1024);
	expect("/soc/uart@10", 0, "");
	make_uart(1025, 1, 1);
	expect("/soc/uart@10", -EBADMSG, "reg has more than 1024 entries");
	make_uart(1, 1025, 1);
	expect("/soc/uart@10", -EBADMSG, "interrupts has more than 1024 entries");
	make_uart(1, 1, 1025);
	expect("/soc/uart@10", -EBADMSG, "ranges of node soc has more than 1024 entries");
}

/* An interrupt of each of the controllers with the phandles 1 to @count. */
static void counting(const char *name, uint8_t count)
{
	uint8_t *data;
	void *p;

	assert_int_equal(fdt_property_placeholder(blob, name, count * 8, &p), 0);
	data = p;
	memset(data, 0, (size_t)count * 8);
	for (uint8_t i = 0; i < count; i++)
		data[i * 8 + 3] = (uint8_t)(i + 1);
}

static void test_many_controllers(void **state)
{
	(void)state;
	begin();
	for (uint32_t i = 1; i <= 17; i++) {
		char name[8];

		snprintf(name, sizeof(name), "pic%u", i);
		begin_node(name);
		cells("phandle", i, 1);
		cells("#interrupt-cells", 1, 1);
		assert_int_equal(fdt_end_node(blob), 0);
	}
	begin_node("few");
	counting("interrupts-extended", 16);
	assert_int_equal(fdt_end_node(blob), 0);
	begin_node("many");
	counting("interrupts-extended", 17);
	assert_int_equal(fdt_end_node(blob), 0);
	end();
	expect("/few", 0, "");
	expect("/many", -EBADMSG, "names more than 16 controllers");
}

static void test_depth(void **state)
{
	(void)state;
	for (int depth = 32; depth <= 33; depth++) {
		char path[128] = "";

		begin();
		for (int i = 0; i < depth; i++) {
			begin_node("n");
			strcat(path, "/n");
		}
		for (int i = 0; i < depth; i++)
			assert_int_equal(fdt_end_node(blob), 0);
		end();
		expect(path, depth > 32 ? -EBADMSG : 0, depth > 32 ? "deeper than 32 levels" : "");
	}
}

static void test_long_path(void **state)
{
	static char name[1100], path[1101];

	(void)state;
	for (size_t len = 1022; len <= 1023; len++) {
		memset(name, 'n', len);
		name[len] = '\0';
		snprintf(path, sizeof(path), "/%s", name);
		begin();
		begin_node(name);
		assert_int_equal(fdt_end_node(blob), 0);
		end();
		expect(path, len > 1022 ? -EBADMSG : 0, len > 1022 ? "at most 1023 bytes" : "");
	}
}

static void test_text(void **state)
{
	static const char escape[] = "red\33[31m";

	(void)state;
	begin();
	begin_node("red\33[31m");
	assert_int_equal(fdt_end_node(blob), 0);
	begin_node("dev");
	fdt_property(blob, "compatible", escape, sizeof(escape));
	assert_int_equal(fdt_end_node(blob), 0);
	end();
	expect("/red\33[31m", -EBADMSG, "is not text");
	expect("/dev", -EBADMSG, "compatible is not a list of names");
}

static void test_not_one_cell(void **state)
{
	(void)state;
	begin();
	begin_node("dev");
	cells("interrupt-parent", 1, 2);
	cells("interrupts", 1, 1);
	assert_int_equal(fdt_end_node(blob), 0);
	end();
	expect("/dev", -EBADMSG, "interrupt-parent of node dev is 2 cells long, not 1");
}

/* A blob that is cut anywhere is refused, in memory of exactly that size. */
static void test_cut(void **state)
{
	(void)state;
	make_uart(2, 1, 1);
	for (size_t len = 0; len < fdt_totalsize(blob); len++) {
		const struct dfd_desc *desc;
		uint8_t *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, blob, len);
		assert_int_equal(dfd_dtb_describe(cut, len, "/soc/uart@10", &desc, NULL), -EBADMSG);
		free(cut);
	}
}

/* libfdt up to 1.6 never comes back from this. */
static void test_length_wraps(void **state)
{
	(void)state;
	for (int len = -32; len < 0; len++) {
		const uint8_t bytes[] = { 0xff, 0xff, 0xff, (uint8_t)len };
		const uint8_t *value;

		make_uart(1, 1, 1);
		value = fdt_getprop(blob, fdt_path_offset(blob, "/soc"), "ranges", NULL);
		assert_non_null(value);
		memcpy(blob + (value - blob) - 8, bytes, sizeof(bytes));
		expect("/soc", -EBADMSG, "is not a device tree blob");
	}
}

/* The dearest trees that fit: thousands of nodes to suggest, thousands of long names to compare. */
static void test_cost(void **state)
{
	char name[600];

	(void)state;
	alarm(10);
	begin();
	for (int i = 0; i < 50000; i++) {
		begin_node("looks-like-it@0");
		cells("reg", 0, 1);
		assert_int_equal(fdt_end_node(blob), 0);
	}
	end();
	expect("/looks-like-it@1", -ENOENT, "there is");
	begin();
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	begin_node("dev");
	for (int i = 0; i < 20000; i++)
		fdt_property_u32(blob, name, 0);
	fdt_property_u32(blob, name + 400, 0);
	assert_int_equal(fdt_end_node(blob), 0);
	end();
	expect("/dev", -EBADMSG, "FDT_ERR_BADSTRUCTURE");
	alarm(0);
}

static void test_old_version(void **state)
{
	(void)state;
	make_uart(1, 1, 1);
	fdt_set_version(blob, 16);
	expect("/soc", -EBADMSG, "FDT_ERR_BADVERSION");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_many_controllers),
		cmocka_unit_test(test_depth),  cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_text),   cmocka_unit_test(test_not_one_cell),
		cmocka_unit_test(test_cut),    cmocka_unit_test(test_length_wraps),
		cmocka_unit_test(test_cost),   cmocka_unit_test(test_old_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
