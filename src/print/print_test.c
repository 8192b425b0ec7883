/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include <devfd/print.h>

#include "desc/fact.h"
#include "print/caps.h"
#include "print/names.h"
#include "print/plain.h"
#include "random_desc.h"

static const struct dfd_desc *build(struct dfd_desc_builder *b)
{
	const struct dfd_desc *desc = NULL;
	struct dfd_error err;

	if (dfd_desc_build(b, &desc, &err))
		fail_msg("%s", err.text);
	return desc;
}

static void use_ids(const char *text)
{
	char path[] = "/tmp/devfd-print-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	setenv("DEVFD_PCI_IDS", path, 1);
}

static void drop_ids(void)
{
	unlink(getenv("DEVFD_PCI_IDS"));
	setenv("DEVFD_PCI_IDS", "/nonexistent", 1);
}

#define IDS "1234  Some Vendor\n\t11e8  Some Device\nC 01  Mass\n\t08  NVM\n\t\t02  NVMe\n"

/* What was printed; the caller frees it. */
static char *text_of(const struct dfd_desc *desc, bool verbose)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(dfd_print_text(out, "a:b", desc, verbose), 0);
	fclose(out);
	return text;
}

static json_object *json_of(const struct dfd_desc *desc)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_object *json;

	assert_int_equal(dfd_print_json(out, "a:b", desc), 0);
	fclose(out);
	json = json_tokener_parse(text);
	assert_non_null(json);
	free(text);
	return json;
}

static const struct dfd_desc *pci(void)
{
	static const struct dfd_area areas[] = { { 0, 0x1000 }, { 0x2000, 0x1000 } };
	static const uint32_t type[] = { 0x80008086, 1 };
	static const struct dfd_cap caps[] = {
		{ .id = 2, .version = 1, .size = 8, .data = type },
		{ .id = 3, .version = 1 },
		{ .id = 77, .version = 2, .size = 8, .data = "abc\0\0\0\0" },
	};
	static const uint32_t atomics = 3;
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);

	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	dfd_desc_set_num(b, DFD_FACT_VENDOR_ID, 0x1234);
	dfd_desc_set_num(b, DFD_FACT_DEVICE_ID, 0x11e8);
	dfd_desc_set_num(b, DFD_FACT_REVISION_ID, 0x10);
	dfd_desc_set_num(b, DFD_FACT_CLASS_CODE, 0x010802);
	dfd_desc_set_num(b, DFD_FACT_NUMA_NODE, 1);
	dfd_desc_set_num(b, DFD_FACT_MSI_VECTORS, 4);
	dfd_desc_add_cap(b, &(struct dfd_cap){ 5, 1, 4, &atomics });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 7, .size = 256 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 0,
						     .size = 1 << 20,
						     .flags = DFD_REGION_MAPPABLE,
						     .areas = areas,
						     .num_areas = 2,
						     .caps = caps,
						     .num_caps = 3 });
	dfd_desc_add_region(
		b, &(struct dfd_region){ .index = 2, .size = 32, .flags = DFD_REGION_IOPORT });
	dfd_desc_add_irq(
		b, &(struct dfd_irq){ .count = 1, .flags = DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE });
	return build(b);
}

static const struct dfd_desc *dt(void)
{
	const struct dfd_dt_ref reg = { "/soc/serial@9000000", DFD_DT_REG, 0 };
	const struct dfd_dt_ref irq = { "/soc/serial@9000000", DFD_DT_INTERRUPTS, 0 };
	const struct dfd_dt_ref map = { "/soc", DFD_DT_INTERRUPT_MAP, 3 };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_DT);

	dfd_desc_set_str(b, DFD_FACT_NAME, "console");
	dfd_desc_set_str(b, DFD_FACT_COMPATIBLE, "arm,pl011");
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 0,
						     .size = 0x1000,
						     .flags = DFD_REGION_MAPPABLE,
						     .has_phys = true,
						     .phys_addr = 0x9000000,
						     .dt = reg });
	dfd_desc_add_irq(b, &(struct dfd_irq){ .index = 0, .count = 1, .dt = irq });
	dfd_desc_add_irq(
		b, &(struct dfd_irq){ .index = 1, .count = 2, .flags = DFD_IRQ_LEVEL, .dt = map });
	return build(b);
}

static void test_size(void **state)
{
	char buf[16];

	(void)state;
	assert_string_equal(dfd_print_size(buf, sizeof(buf), 0), "0 B");
	assert_string_equal(dfd_print_size(buf, sizeof(buf), 256), "256 B");
	assert_string_equal(dfd_print_size(buf, sizeof(buf), 4097), "4097 B");
	assert_string_equal(dfd_print_size(buf, sizeof(buf), 1 << 20), "1 MiB");
	assert_string_equal(dfd_print_size(buf, sizeof(buf), 0x180000), "1536 KiB");
	assert_string_equal(dfd_print_size(buf, sizeof(buf), UINT64_C(1) << 40), "1 TiB");
	assert_string_equal(dfd_print_size(buf, sizeof(buf), UINT64_MAX), "16.0 EiB");
}

static void test_plain(void **state)
{
	char buf[DFD_PLAIN_SIZE];

	(void)state;
	assert_string_equal(dfd_plain(buf, sizeof(buf), "gr\xc3\xbc\xc3\x9f"),
			    "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(dfd_plain(buf, sizeof(buf), "a\x1b[2J\n\x7f"), "a\\x1b[2J\\x0a\\x7f");
	assert_string_equal(dfd_plain(buf, sizeof(buf), "\xff\xc0\xaf"), "\\xff\\xc0\\xaf");
	assert_string_equal(dfd_plain(buf, sizeof(buf), "\xc2\x9b"), "\\xc2\\x9b");
	assert_string_equal(dfd_plain(buf, sizeof(buf), "\xed\xa0\x80"), "\\xed\\xa0\\x80");
	assert_string_equal(dfd_plain(buf, sizeof(buf), "\xe2\x82"), "\\xe2\\x82");
	assert_string_equal(dfd_plain(buf, sizeof(buf), "\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
	assert_string_equal(dfd_plain(buf, 6, "\x01\x02"), "\\x01");
	assert_string_equal(dfd_plain(buf, 4, "abcdef"), "abc");
}

static void test_caps(void **state)
{
	const uint32_t words[] = { 1, 1 };
	struct dfd_cap cap = { .id = 2, .version = 1, .size = 8, .data = words };
	char buf[64];

	(void)state;
	assert_string_equal(dfd_cap_name(DFD_CAP_OF_REGION, 3), "MSIX_MAPPABLE");
	assert_string_equal(dfd_cap_name(DFD_CAP_OF_DEVICE, 3), "ZPCI_UTIL");
	assert_null(dfd_cap_name(DFD_CAP_OF_DEVICE, 77));
	assert_string_equal(dfd_cap_meaning(buf, sizeof(buf), DFD_CAP_OF_REGION, &cap),
			    "graphics EDID");
	cap.data = (const uint32_t[]){ 1, 9 };
	assert_string_equal(dfd_cap_meaning(buf, sizeof(buf), DFD_CAP_OF_REGION, &cap),
			    "graphics subtype 9");
	cap.size = 7;
	assert_null(dfd_cap_meaning(buf, sizeof(buf), DFD_CAP_OF_REGION, &cap));
}

static void expect_meaning(enum dfd_cap_of of, const struct dfd_cap *cap, const char *meaning)
{
	char buf[DFD_CAP_MEANING_SIZE];

	assert_string_equal(dfd_cap_meaning(buf, sizeof(buf), of, cap), meaning);
}

/* Bodies as linux/vfio_zdev.h lays them out: its first version, and its last. */
static void test_zpci_base(void **state)
{
	const struct {
		uint64_t start, end;
		uint16_t channel, function, measured;
		uint8_t type, group;
		uint32_t handle, report;
	} body = { 1ull << 32, 0xffffffffff, 0x0118, 3, 48, 5, 7, 0x1234, 4096 };
	struct dfd_cap cap = { .id = 1, .version = 1, .size = 24, .data = &body };
	char buf[DFD_CAP_MEANING_SIZE];

	(void)state;
	expect_meaning(DFD_CAP_OF_DEVICE, &cap,
		       "DMA 0x100000000-0xffffffffff, group 7, channel 0x0118, virtual function 3, "
		       "function type 5, measurement block of 48 bytes");
	cap.size = 32;
	expect_meaning(DFD_CAP_OF_DEVICE, &cap,
		       "DMA 0x100000000-0xffffffffff, group 7, channel 0x0118, virtual function 3, "
		       "function type 5, measurement block of 48 bytes, handle 0x00001234, error "
		       "reports of 4096 bytes");
	cap.size = 23;
	assert_null(dfd_cap_meaning(buf, sizeof(buf), DFD_CAP_OF_DEVICE, &cap));
}

static void test_zpci_group(void **state)
{
	const struct {
		uint64_t mask, msi, flags;
		uint16_t interval, msis, store;
		uint8_t version, reserved;
		uint16_t interpreted, pad[3];
	} body = { 0xfffffffffff, 0xfe00, 1, 4000, 64, 128, 2, 0, 256, { 0 } };
	struct dfd_cap cap = { .id = 2, .version = 1, .size = 31, .data = &body };

	(void)state;
	expect_meaning(DFD_CAP_OF_DEVICE, &cap,
		       "at most 64 MSIs to 0xfe00, PCI version 2, DMA mask 0xfffffffffff, "
		       "flags 0x1, measured every 4000 ms, stores of 128 bytes "
		       "(refreshes translations)");
	cap.size = 40;
	expect_meaning(DFD_CAP_OF_DEVICE, &cap,
		       "at most 64 MSIs to 0xfe00, PCI version 2, DMA mask 0xfffffffffff, "
		       "flags 0x1, measured every 4000 ms, stores of 128 bytes, interpreted ones "
		       "of 256 (refreshes translations)");
}

/* The size within the body is a claim. */
static void test_zpci_strings(void **state)
{
	uint8_t body[DFD_MAX_CAP_SIZE] = { 0 };
	struct dfd_cap cap = { .id = 4, .version = 1, .size = 8, .data = body };
	char buf[DFD_CAP_MEANING_SIZE];

	(void)state;
	memcpy(body, &(uint32_t){ 4 }, 4);
	memcpy(body + 4, "\x12\x34\x56\x78", 4);
	expect_meaning(DFD_CAP_OF_DEVICE, &cap, "4 bytes: 12345678");
	memcpy(body, &(uint32_t){ 64 }, 4);
	expect_meaning(DFD_CAP_OF_DEVICE, &cap, "64 bytes: 12345678, 4 of them here");
	memcpy(body, &(uint32_t){ UINT32_MAX }, 4);
	cap.size = sizeof(body);
	assert_non_null(dfd_cap_meaning(buf, sizeof(buf), DFD_CAP_OF_DEVICE, &cap));
	assert_in_range(strlen(buf), 1, sizeof(buf) - 1);
}

static void test_other_caps(void **state)
{
	const uint32_t words[] = { 5, 0 };
	struct dfd_cap cap = { .id = 5, .version = 1, .size = 8, .data = words };

	(void)state;
	expect_meaning(DFD_CAP_OF_DEVICE, &cap, "completes atomic operations of 32 128 bits");
	expect_meaning(DFD_CAP_OF_REGION, &cap, "speed 5");
	cap.id = 4;
	expect_meaning(DFD_CAP_OF_REGION, &cap, "target 0x5");
	cap.id = 5;
	cap.data = (const uint32_t[]){ 0, 0 };
	expect_meaning(DFD_CAP_OF_DEVICE, &cap, "completes no atomic operations");
}

static void test_names(void **state)
{
	const uint32_t device[] = { 0x1234, 0x11e8 }, unknown[] = { 0x1234, 1 };
	const uint32_t class[] = { 0x0108, 2 }, base[] = { 0x0155, 0 };
	struct dfd_names *names;
	char buf[64];

	(void)state;
	use_ids(IDS);
	names = dfd_names_new();
	assert_string_equal(dfd_names_find(names, buf, sizeof(buf), DFD_NAMES_VENDOR, device),
			    "Some Vendor");
	assert_string_equal(dfd_names_find(names, buf, sizeof(buf), DFD_NAMES_DEVICE, device),
			    "Some Device");
	assert_null(dfd_names_find(names, buf, sizeof(buf), DFD_NAMES_DEVICE, unknown));
	assert_string_equal(dfd_names_find(names, buf, sizeof(buf), DFD_NAMES_INTERFACE, class),
			    "NVMe");
	assert_string_equal(dfd_names_find(names, buf, sizeof(buf), DFD_NAMES_CLASS, base), "Mass");
	dfd_names_free(names);
	drop_ids();
}

static void test_names_of_a_broken_file(void **state)
{
	const uint32_t device[] = { 0x1234, 0x11e8 };
	struct dfd_names *names;
	char buf[64];

	(void)state;
	use_ids("1234  Some Vendor\n\t11e8  Some Device\nnonsense\n");
	names = dfd_names_new();
	assert_null(dfd_names_find(names, buf, sizeof(buf), DFD_NAMES_VENDOR, device));
	assert_string_equal(dfd_names_find(names, buf, sizeof(buf), DFD_NAMES_VENDOR, device),
			    "Some Vendor");
	dfd_names_free(names);
	drop_ids();
	names = dfd_names_new();
	assert_null(dfd_names_find(names, buf, sizeof(buf), DFD_NAMES_VENDOR, device));
	dfd_names_free(names);
	assert_null(dfd_names_find(NULL, buf, sizeof(buf), DFD_NAMES_VENDOR, device));
}

static void test_text_pci(void **state)
{
	const struct dfd_desc *desc = pci();
	char *text;

	(void)state;
	use_ids(IDS);
	text = text_of(desc, false);
	assert_string_equal(
		text, "a:b  1234:11e8 (rev 10)  Some Device\n"
		      "  bus         PCI, can be reset\n"
		      "  class       010802  NVM, NVMe\n"
		      "  NUMA node   1\n"
		      "  capability  PCI_ATOMIC_COMP: completes atomic operations of 32 64 bits\n"
		      "  region 0    BAR0    1 MiB  rw  memory     mmap part  file 0x10000000000\n"
		      "              mappable 0x0-0xfff, 0x2000-0x2fff\n"
		      "              capability TYPE: Intel graphics OpRegion\n"
		      "              capability MSIX_MAPPABLE\n"
		      "              capability id 77 version 2: 61626300 00000000\n"
		      "  region 2    BAR2     32 B  rw  I/O ports             file 0x30000000000\n"
		      "  region 7    config  256 B  rw                        file 0x80000000000\n"
		      "  irq 0       INTx    1 x level, maskable\n"
		      "  irq 1       MSI     4 vectors\n");
	free(text);
	drop_ids();
	text = text_of(desc, true);
	assert_non_null(strstr(text, "a:b  1234:11e8 (rev 10)\n"));
	assert_non_null(strstr(text, "\n  vendor      1234\n"));
	assert_non_null(strstr(text, "1 MiB  0x100000  rw"));
	free(text);
	dfd_desc_unref(desc);
}

static void test_text_device_tree(void **state)
{
	const struct dfd_desc *desc = dt();
	char *text = text_of(desc, false);

	(void)state;
	assert_string_equal(text,
			    "a:b  console\n"
			    "  bus         device tree, cannot be reset\n"
			    "  node        /soc/serial@9000000\n"
			    "  compatible  arm,pl011\n"
			    "  region 0    reg 0            4 KiB  rw  memory  mmap  phys 0x9000000"
			    "  file 0x10000000000\n"
			    "  irq 0       interrupts 0     1 x edge\n"
			    "  irq 1       interrupt-map 3  2 x level\n"
			    "              from /soc interrupt-map 3\n");
	free(text);
	text = text_of(desc, true);
	assert_non_null(strstr(text, "\n              from /soc/serial@9000000 reg 0\n"));
	free(text);
	dfd_desc_unref(desc);
}

/* A fact that nobody thought of here must appear in text and JSON alike. */
static void test_every_fact_appears(void **state)
{
	(void)state;
	setenv("DEVFD_PCI_IDS", "/nonexistent", 1);
	for (int i = 0; i < DFD_NUM_FACTS; i++) {
		const struct dfd_fact_info *info = &dfd_fact_infos[i];
		struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
		const struct dfd_desc *desc;
		json_object *json, *facts, *fact;
		char *text;

		if (info->kind == DFD_FACT_STR)
			dfd_desc_set_str(b, (enum dfd_fact)i, "1");
		else
			dfd_desc_set_num(b, (enum dfd_fact)i, 1);
		desc = build(b);
		text = text_of(desc, false);
		if (!strchr(text, '1'))
			fail_msg("%s is missing in \"%s\"", info->meaning, text);
		free(text);
		json = json_of(desc);
		assert_true(json_object_object_get_ex(json, "facts", &facts));
		assert_true(json_object_object_get_ex(facts, info->key, &fact));
		assert_string_equal(json_object_get_string(fact), "1");
		json_object_put(json);
		dfd_desc_unref(desc);
	}
}

static json_object *at(json_object *json, const char *key, size_t index)
{
	json_object *array;

	assert_true(json_object_object_get_ex(json, key, &array));
	return json_object_array_get_idx(array, index);
}

static int64_t number(json_object *json, const char *key)
{
	json_object *value;

	assert_true(json_object_object_get_ex(json, key, &value));
	return json_object_get_int64(value);
}

static void test_json(void **state)
{
	const struct dfd_desc *desc = pci();
	json_object *json = json_of(desc), *bar0 = at(json, "regions", 0);

	(void)state;
	assert_int_equal(number(bar0, "size"), 1 << 20);
	assert_int_equal(number(at(bar0, "mappable_areas", 1), "offset"), 0x2000);
	assert_int_equal(number(at(bar0, "capabilities", 2), "version"), 2);
	assert_int_equal(number(at(json, "irqs", 1), "count"), 4);
	assert_int_equal(number(at(json, "regions", 1), "io_ports"), 1);
	json_object_put(json);
	dfd_desc_unref(desc);
	desc = dt();
	json = json_of(desc);
	assert_int_equal(number(at(json, "regions", 0), "physical_address"), 0x9000000);
	json_object_put(json);
	dfd_desc_unref(desc);
}

/* What a view cannot tell must not be printed as if it had been told. */
static void test_view(void **state)
{
	struct dfd_view view = { .desc = pci() };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	view.topics = ~(UINT32_C(1) << DFD_TOPIC_IOPORT | UINT32_C(1) << DFD_TOPIC_IRQ_TRIGGER);
	assert_int_equal(dfd_print_view_text(out, "a:b", &view, false), 0);
	assert_int_equal(dfd_print_view_json(out, "a:b", &view), 0);
	fclose(out);
	assert_non_null(strstr(text, "BAR2"));
	assert_null(strstr(text, "I/O ports"));
	assert_null(strstr(text, "memory"));
	assert_null(strstr(text, "level"));
	assert_null(strstr(text, "io_ports"));
	assert_null(strstr(text, "trigger"));
	free(text);
	dfd_desc_unref(view.desc);
}

/* No description is too strange: one line each, plain text, JSON that can be read back. */
static void test_random(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 500; seed++) {
		const struct dfd_desc *desc = dfd_random_desc(seed);
		char *text = text_of(desc, seed & 1);
		json_object *json = json_of(desc), *regions;
		uint32_t count;

		dfd_desc_regions(desc, &count);
		assert_true(json_object_object_get_ex(json, "regions", &regions));
		assert_int_equal(json_object_array_length(regions), count);
		for (const char *c = text; *c; c++) {
			if ((unsigned char)*c < 0x20)
				assert_int_equal(*c, '\n');
			if (*c == '\n')
				assert_int_not_equal(c[-1], ' ');
		}
		json_object_put(json);
		free(text);
		dfd_desc_unref(desc);
	}
}

static void test_full_disk(void **state)
{
	const struct dfd_desc *desc = dt();
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(out);
	setvbuf(out, NULL, _IONBF, 0);
	assert_int_equal(dfd_print_text(out, "a:b", desc, false), -EIO);
	assert_int_equal(dfd_print_json(out, "a:b", desc), -EIO);
	fclose(out);
	dfd_desc_unref(desc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_zpci_base),
		cmocka_unit_test(test_zpci_group),
		cmocka_unit_test(test_zpci_strings),
		cmocka_unit_test(test_other_caps),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_of_a_broken_file),
		cmocka_unit_test(test_text_pci),
		cmocka_unit_test(test_text_device_tree),
		cmocka_unit_test(test_every_fact_appears),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
