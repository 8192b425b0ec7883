/* SPDX-License-Identifier: MIT */
/* The reader on tables that no writer of this version makes: corrupt ones, and newer ones. */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <devfd/table.h>

struct table {
	uint8_t bytes[4096];
	uint32_t size;
};

static void finish(struct table *t, struct dfd_desc_builder *b)
{
	const struct dfd_desc *d = NULL;
	struct dfd_error err;

	if (dfd_desc_build(b, &d, &err))
		fail_msg("%s", err.text);
	t->size = (uint32_t)dfd_table_read(d, NULL, 0, t->bytes, sizeof(t->bytes));
	dfd_desc_unref(d);
}

/*
 * 0x10 REGION 0 { 0x30 PCI_BAR_INDEX, 0x40 AREAS, 0x70 CAP }, 0x90 REGION 7 { 0xb0
 * PCI_CONFIG_SPACE }, 0xc0 INTERRUPT 0, 0xd8 MSI_VECTORS, 0xf0 VENDOR_ID, 0x108 NAME, 0x120 CAP,
 * 0x140 CONFIG_IMAGE, 0x190 the end
 */
static struct table pci_table(void)
{
	static const struct dfd_area areas[] = { { 0, 0x1000 }, { 0x2000, 0x1000 } };
	static const struct dfd_cap cap = { .id = 3, .version = 1, .size = 8, .data = "12345678" };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
	const uint8_t config[64] = { 0x34, 0x12 };
	struct table t;

	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	dfd_desc_set_num(b, DFD_FACT_MSI_VECTORS, 1);
	dfd_desc_set_num(b, DFD_FACT_VENDOR_ID, 0x1234);
	dfd_desc_set_str(b, DFD_FACT_NAME, "nic");
	dfd_desc_add_cap(b, &cap);
	dfd_desc_add_region(b, &(struct dfd_region){ .size = 0x10000,
						     .flags = DFD_REGION_MAPPABLE,
						     .areas = areas,
						     .num_areas = 2,
						     .caps = &cap,
						     .num_caps = 1 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_CONFIG, .size = 256 });
	dfd_desc_add_irq(
		b, &(struct dfd_irq){ .count = 1, .flags = DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE });
	finish(&t, b);
	t.size = (uint32_t)dfd_table_append_config(t.bytes, t.size, sizeof(t.bytes), config,
						   sizeof(config));
	assert_int_equal(t.size, 0x190);
	return t;
}

/*
 * 0x10 REGION 0 { 0x30 PHYS_ADDR, 0x48 DTPATH, 0x70 DTINDEX }, 0x88 INTERRUPT 0 { 0xa0 DTPATH, 0xc8
 * DTINDEX }, 0xe0 the end
 */
static struct table dt_table(void)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_DT);
	struct dfd_dt_ref dt = { .path = "/soc/serial@9000000", .prop_type = DFD_DT_REG };
	struct table t;

	dfd_desc_add_region(
		b, &(struct dfd_region){
			   .size = 0x1000, .has_phys = true, .phys_addr = 0x9000000, .dt = dt });
	dt.prop_type = DFD_DT_INTERRUPTS;
	dfd_desc_add_irq(b, &(struct dfd_irq){ .count = 1, .flags = DFD_IRQ_LEVEL, .dt = dt });
	finish(&t, b);
	assert_int_equal(t.size, 0xe0);
	return t;
}

static void poke(struct table *t, uint32_t at, uint32_t value)
{
	value = htole32(value);
	memcpy(t->bytes + at, &value, sizeof(value));
}

static uint32_t peek(const struct table *t, uint32_t at)
{
	uint32_t value;

	memcpy(&value, t->bytes + at, sizeof(value));
	return le32toh(value);
}

/* Put @len bytes at @at, into the record at @parent (0: the table itself). */
static void insert(struct table *t, uint32_t parent, uint32_t at, const void *bytes, uint32_t len)
{
	assert_true(t->size + len <= sizeof(t->bytes));
	memmove(t->bytes + at + len, t->bytes + at, t->size - at);
	memcpy(t->bytes + at, bytes, len);
	t->size += len;
	poke(t, 12, t->size);
	if (parent)
		poke(t, parent + 4, peek(t, parent + 4) + len);
}

/* One or two u32 of a good table changed, and what is said. */
static const struct wrong {
	char table; /* 'p': pci_table, 'd': dt_table */
	uint32_t at, value;
	const char *says;
	uint32_t at2, value2;
} wrongs[] = {
	{ 'p', 0x00, 0x464c457f, "0x0: magic 7f 45 4c 46 is not \"pci\", \"dt\" or \"dev\"" },
	{ 'p', 0x04, 0, "0x4: version 0 does not exist" },
	{ 'p', 0x08, 6, "0x8: flags 0x6 do not go with the magic \"pci\"" },
	{ 'p', 0x08, 3, "0x8: flags 0x3 do not go with the magic \"pci\"" },
	{ 'd', 0x08, 0, "0x8: flags 0x0 do not go with the magic \"dt\"" },
	{ 'p', 0x0c, 8, "0xc: a size of 8 is not a multiple of 8 from 16 up" },
	{ 'p', 0x0c, 0x18c, "0xc: a size of 396 is not a multiple of 8 from 16 up" },
	{ 'p', 0x0c, 0x198, "0xc: the table has 408 bytes, but only 400 are there" },
	{ 'p', 0x0c, 0x80000000, "0xc: a size of 2147483648 is more than 1048576 bytes" },
	{ 'p', 0x0c, 0x18, "0x10: 8 bytes are too few for a record" },
	{ 'p', 0x14, 0, "0x14: a record length of 0 is below 16" },
	{ 'p', 0x14, 8, "0x14: a record length of 8 is below 16" },
	{ 'p', 0x14, 0x7c, "0x14: a record length of 124 is not a multiple of 8" },
	{ 'p', 0x14, 0x400, "0x14: a record length of 1024 goes past the end of the table" },
	{ 'p', 0x14, 0xfffffff8, "0x14: a record length of 4294967288 goes past the end of" },
	{ 'p', 0x14, 0x18, "0x14: REGION needs 32 bytes and has 24" },
	{ 'p', 0x14, 0x28, "0x30: 8 bytes are too few for a record" },
	{ 'p', 0x1c, 0x400, "0x3c: PCI_BAR_INDEX: BAR 0 in region 1024" },
	{ 'p', 0x1c, 7, "0x3c: PCI_BAR_INDEX: BAR 0 in region 7" },
	{ 'p', 0x24, 0, "0x20: region 0 starts inside the table, at 0x0" },
	{ 'p', 0x24, 0, "0x20: region 0 starts inside the table, at 0x188", 0x20, 0x188 },
	{ 'p', 0x24, 0x80000000, "0x10: region 0: offset 0x8000000000000000 is past the end of" },
	{ 'p', 0x24, 0x800, "0x90: regions 0 and 7 overlap in the file" },
	{ 'p', 0x28, 0, "0x10: region 0: size 0x0 is not 1 to 0x10000000000" },
	{ 'p', 0x28, 0x2800, "0x10: region 0: mappable area 1 (0x2000, 0x1000 bytes) is not" },
	{ 'p', 0x34, 0x68, "0x34: a record length of 104 goes past the end of its parent at 0x90" },
	{ 'p', 0x30, 5, "0x30: PCI_CONFIG_SPACE in region 0, not 7" },
	{ 'p', 0x3c, 6, "0x3c: PCI_BAR_INDEX: BAR 6 in region 0" },
	{ 'p', 0x4c, 0, "0x4c: AREAS: 0 areas in a record of 48 bytes, at most 64" },
	{ 'p', 0x4c, 3, "0x4c: AREAS: 3 areas in a record of 48 bytes, at most 64" },
	{ 'p', 0x4c, 0x10000000, "0x4c: AREAS: 268435456 areas in a record of 48 bytes" },
	{ 'p', 0x60, 0x800, "0x10: region 0: mappable area 1 starts before the end of" },
	{ 'p', 0x7c, 1, "0x10: region 0: mappable areas must not come as a capability" },
	{ 'p', 0x80, 9, "0x80: CAP: 9 bytes of data in a record of 32, at most 4096" },
	{ 'p', 0x98, 1, "0x90: region 7: configuration space cannot be mapped" },
	{ 'p', 0x9c, 0, "0xb0: PCI_CONFIG_SPACE in region 0, not 7" },
	{ 'p', 0xb0, 6, "0xbc: PCI_BAR_INDEX: BAR 0 in region 7" },
	{ 'p', 0xcc, 1, "0xc0: interrupt 1: PCI has one wired interrupt, 0 (INTx)" },
	{ 'p', 0xd0, 2, "0xc0: interrupt 0: PCI has one wired interrupt" },
	{ 'p', 0xdc, 16, "0xdc: MSI_VECTORS needs 24 bytes and has 16" },
	{ 'p', 0xe8, 33, "0xd8: MSI vectors: 33 is not 1 to 32" },
	{ 'p', 0xec, 1, "0xd8: MSI vectors: 4294967297 is not 1 to 32" },
	{ 'p', 0xf0, 0x100, "0xf0: a second MSI_VECTORS" },
	{ 'p', 0x100, 0x10000, "0xf0: vendor id: 65536 is not 0 to 65535" },
	{ 'p', 0x114, 0, "0x114: NAME: a string of 0 bytes in a record of 24" },
	{ 'p', 0x114, 9, "0x114: NAME: a string of 9 bytes in a record of 24" },
	{ 'p', 0x114, 3, "0x118: NAME: the NUL of the string is not at its end, byte 2" },
	{ 'p', 0x118, 0x0063696e + 0x61000000, "0x118: NAME: the NUL of the string is not at" },
	{ 'p', 0x118, 0x0000696e, "0x118: NAME: the NUL of the string is not at its end, byte 3" },
	{ 'p', 0x130, 0xffffffff, "0x130: CAP: 4294967295 bytes of data in a record of 32" },
	{ 'p', 0x14c, 0, "0x14c: CONFIG_IMAGE: 0 bytes in a record of 80, at most 4096" },
	{ 'p', 0x14c, 65, "0x14c: CONFIG_IMAGE: 65 bytes in a record of 80, at most 4096" },
	{ 'd', 0x30, 5, "0x30: PCI_CONFIG_SPACE in a table that is not of a PCI device" },
	{ 'd', 0x30, 2, "0x3c: DTPATH: a string of 0 bytes in a record of 24" },
	{ 'd', 0x54, 0x400, "0x54: DTPATH: a string of 1024 bytes in a record of 40" },
	{ 'd', 0x58, 0x636f732e, "0x10: region 0: device-tree path \"" },
	{ 'd', 0x48, 0x7f, "0x10: REGION has a DTINDEX without a DTPATH" },
	{ 'd', 0x70, 0x7f, "0x10: REGION has a DTPATH without a DTINDEX" },
	{ 'd', 0x70, 7, "0x70: a second PHYS_ADDR" },
	{ 'd', 0x7c, 0, "0x7c: DTINDEX: property type 0 is not 1 to 4" },
	{ 'd', 0x7c, 5, "0x7c: DTINDEX: property type 5 is not 1 to 4" },
	{ 'd', 0x98, 0, "0x88: interrupt 0: count 0 is not 1 to 2048" },
	{ 'd', 0xa0, 3, "0xac: DTINDEX: property type 20 is not 1 to 4" },
	{ 'd', 0xc8, 0x7f, "0x88: INTERRUPT has a DTPATH without a DTINDEX" },
	{ 'd', 0xcc, 0x20, "0xcc: a record length of 32 goes past the end of its parent at 0xe0" },
};

static void ignore_line(void *ctx, const char *text)
{
	snprintf(ctx, 512, "%s", text);
}

static void test_refusals_name_the_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		struct table t = w->table == 'p' ? pci_table() : dt_table();
		const struct dfd_desc *d;
		char want[256], last[512];
		struct dfd_error err = { 0 };

		poke(&t, w->at, w->value);
		if (w->at2)
			poke(&t, w->at2, w->value2);
		snprintf(want, sizeof(want), "table offset %s", w->says);
		assert_int_equal(dfd_table_parse(t.bytes, t.size, &d, NULL, &err), -EBADMSG);
		if (strncmp(err.text, want, strlen(want)) != 0)
			fail_msg("wanted: %s\nfound:  %s", want, err.text);
		/* The hexdump ends with a refusal of its own. */
		assert_int_equal(dfd_table_dump(t.bytes, t.size, ignore_line, last), -EBADMSG);
		assert_memory_equal(last, "table offset 0x", 15);
	}
}

static void test_newer_version(void **state)
{
	struct table t = pci_table();
	const struct dfd_desc *d;
	struct dfd_error err;

	(void)state;
	poke(&t, 4, 2);
	assert_int_equal(dfd_table_parse(t.bytes, t.size, &d, NULL, &err), -EPROTONOSUPPORT);
	assert_string_equal(err.text,
			    "table offset 0x4: version 2 is newer than 1, the one known here");
}

static void test_every_cut(void **state)
{
	struct table t = pci_table();
	const struct dfd_desc *d;
	struct dfd_error err;

	(void)state;
	for (uint32_t len = 0; len < t.size; len++) {
		/* Memory of exactly this length, so that a sanitizer sees a byte too many. */
		uint8_t *cut = malloc(len ? len : 1);
		char last[512];

		assert_non_null(cut);
		memcpy(cut, t.bytes, len);
		assert_int_equal(dfd_table_parse(cut, len, &d, NULL, &err), -EBADMSG);
		assert_memory_equal(err.text, "table offset 0x", 15);
		assert_int_equal(dfd_table_dump(cut, len, ignore_line, last), -EBADMSG);
		free(cut);
	}
}

/* Read @t, expect @skipped records passed over, and everything else as in @like. */
static void reads_like(const struct table *t, const struct table *like, uint32_t skipped)
{
	const struct dfd_desc *a = NULL, *b = NULL;
	struct dfd_table_extra extra;
	struct dfd_error err;

	if (dfd_table_parse(t->bytes, t->size, &a, &extra, &err) ||
	    dfd_table_parse(like->bytes, like->size, &b, NULL, &err))
		fail_msg("%s", err.text);
	assert_int_equal(extra.skipped, skipped);
	if (!dfd_desc_equal(a, b, &err))
		fail_msg("%s", err.text);
	dfd_desc_unref(a);
	dfd_desc_unref(b);
}

/* A record that nobody knows, with another inside that this reader must not look at. */
static const uint32_t unknown[] = { 0x7777, 40, 1, 0, 0x8888, 3, 0, 0, 0, 0 };

static void test_unknown_records_are_skipped(void **state)
{
	struct table like = pci_table(), t = like;

	(void)state;
	insert(&t, 0, 0xc0, unknown, sizeof(unknown));
	reads_like(&t, &like, 1);
	insert(&t, 0x10, 0x30, unknown, sizeof(unknown));
	insert(&t, 0x10, 0x30, unknown, sizeof(unknown));
	reads_like(&t, &like, 3);
	insert(&t, 0, t.size, unknown, sizeof(unknown));
	reads_like(&t, &like, 4);
	like = t = dt_table();
	insert(&t, 0x88, 0xa0, unknown, sizeof(unknown));
	insert(&t, 0, 0x10, unknown, sizeof(unknown));
	reads_like(&t, &like, 2);
}

static void test_known_types_in_new_places_are_skipped(void **state)
{
	struct table like = dt_table(), t = like;
	uint8_t path[40], region[0x78];

	(void)state;
	memcpy(path, like.bytes + 0x48, sizeof(path));
	memcpy(region, like.bytes + 0x10, sizeof(region));
	insert(&t, 0, 0x10, path, sizeof(path));
	insert(&t, 0, t.size, path, sizeof(path));
	reads_like(&t, &like, 2);
	insert(&t, 0x10 + 40, 0x30 + 40, region, sizeof(region));
	reads_like(&t, &like, 3);
}

static void test_longer_bodies_are_read_as_far_as_known(void **state)
{
	static const uint32_t more[] = { 0xffffffff, 0xffffffff, 1, 2 };
	/* Records without sub-records: where they start, what they are part of, where they end. */
	static const struct {
		char table;
		uint32_t parent, at, end;
	} leaves[] = {
		{ 'p', 0x10, 0x30, 0x40 }, { 'p', 0x10, 0x40, 0x70 }, { 'p', 0x10, 0x70, 0x90 },
		{ 'p', 0x90, 0xb0, 0xc0 }, { 'p', 0, 0xd8, 0xf0 },    { 'p', 0, 0xf0, 0x108 },
		{ 'p', 0, 0x108, 0x120 },  { 'p', 0, 0x120, 0x140 },  { 'p', 0, 0x140, 0x190 },
		{ 'd', 0x10, 0x30, 0x48 }, { 'd', 0x10, 0x48, 0x70 }, { 'd', 0x10, 0x70, 0x88 },
		{ 'd', 0x88, 0xa0, 0xc8 }, { 'd', 0x88, 0xc8, 0xe0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(leaves) / sizeof(*leaves); i++) {
		struct table like = leaves[i].table == 'p' ? pci_table() : dt_table(), t = like;

		insert(&t, leaves[i].parent, leaves[i].end, more, sizeof(more));
		poke(&t, leaves[i].at + 4, peek(&t, leaves[i].at + 4) + (uint32_t)sizeof(more));
		reads_like(&t, &like, 0);
	}
}

static void test_new_flag_bits_are_ignored(void **state)
{
	struct table like = pci_table(), t = like;

	(void)state;
	poke(&t, 0x08, peek(&t, 0x08) | 0x80000000);
	poke(&t, 0x18, peek(&t, 0x18) | 0xfffffff8);
	poke(&t, 0xc8, peek(&t, 0xc8) | 0xfffffffc);
	poke(&t, 0x38, 0xffffffff);
	poke(&t, 0xe0, 0xffffffff);
	reads_like(&t, &like, 0);
}

static void test_saved_config(void **state)
{
	struct table t = pci_table();
	struct dfd_table_extra extra;
	const struct dfd_desc *d;
	struct dfd_error err;
	uint8_t config[64] = { 0 };

	(void)state;
	assert_int_equal(dfd_table_parse(t.bytes, t.size, &d, &extra, &err), 0);
	assert_int_equal(extra.config, 0x150);
	assert_int_equal(extra.config_len, 64);
	assert_memory_equal(t.bytes + extra.config, "\x34\x12\0", 3);
	dfd_desc_unref(d);
	/* What lies behind the table is not looked at. */
	assert_int_equal(dfd_table_parse(t.bytes, sizeof(t.bytes), &d, &extra, &err), 0);
	dfd_desc_unref(d);
	assert_int_equal(dfd_table_append_config(t.bytes, 0x140, 0x18f, config, 64), -ENOSPC);
	assert_int_equal(dfd_table_append_config(t.bytes, 0x140, 0x190, config, 64), 0x190);
	assert_int_equal(dfd_table_append_config(t.bytes, 0x140, 1024, config, 1), 0x158);
	assert_int_equal(dfd_table_append_config(t.bytes, 0x140, 1024, config, 0), -EINVAL);
	assert_int_equal(dfd_table_append_config(t.bytes, 0x140, 1024, config, 4097), -EINVAL);
	t = pci_table();
	insert(&t, 0, t.size, t.bytes + 0x140, 0x50);
	assert_int_equal(dfd_table_parse(t.bytes, t.size, &d, NULL, &err), -EBADMSG);
	assert_string_equal(err.text, "table offset 0x190: a second CONFIG_IMAGE");
}

static void test_capabilities_of_a_region(void **state)
{
	struct table t = pci_table();
	const struct dfd_desc *d;
	struct dfd_error err;
	uint8_t cap[0x20];

	(void)state;
	memcpy(cap, t.bytes + 0x70, sizeof(cap));
	for (uint32_t n = 1; n < DFD_MAX_CAPS; n++)
		insert(&t, 0x10, 0x70, cap, sizeof(cap));
	assert_int_equal(dfd_table_parse(t.bytes, t.size, &d, NULL, &err), 0);
	assert_int_equal(dfd_desc_region(d, 0)->num_caps, DFD_MAX_CAPS);
	dfd_desc_unref(d);
	insert(&t, 0x10, 0x70, cap, sizeof(cap));
	assert_int_equal(dfd_table_parse(t.bytes, t.size, &d, NULL, &err), -EBADMSG);
	assert_string_equal(err.text, "table offset 0x870: more than 64 CAP in a region");
}

static void find_name(void *ctx, const char *text)
{
	const char *name = strstr(text, "  NAME \"");

	if (name)
		snprintf(ctx, 64, "%s", name + 2);
}

/* The hexdump shows corrupt records too, but nothing from behind them. */
static void test_dump_stays_inside(void **state)
{
	struct table t = pci_table();
	char name[64] = "";

	(void)state;
	poke(&t, 0x114, 0x40);
	poke(&t, 0x118, 0x61616161);
	poke(&t, 0x11c, 0x61616161);
	poke(&t, 0x120, 0x62626262);
	assert_int_equal(dfd_table_dump(t.bytes, t.size, find_name, name), -EBADMSG);
	assert_string_equal(name, "NAME \"aaaaaaaa\"");
}

/* As many records as fit: refused before any of it costs a square. */
static void test_too_many(void **state)
{
	const uint32_t size = DFD_TABLE_MAX_SIZE;
	const struct dfd_desc *d;
	struct table like = dt_table(), irq = like;
	struct dfd_error err;
	uint8_t *big = malloc(size);

	(void)state;
	assert_non_null(big);
	poke(&like, 0x0c, size);
	memcpy(big, like.bytes, 16);
	poke(&like, 0x14, 32);
	for (uint32_t at = 16; at + 32 <= size; at += 32)
		memcpy(big + at, like.bytes + 16, 32);
	memset(big + size - 16, 0, 16);
	big[size - 12] = 16;
	assert_int_equal(dfd_table_parse(big, size, &d, NULL, &err), -EBADMSG);
	assert_string_equal(err.text, "table offset 0x8010: more than 1024 regions");
	poke(&irq, 0x8c, 24);
	for (uint32_t at = 16; at + 24 <= size; at += 24)
		memcpy(big + at, irq.bytes + 0x88, 24);
	assert_int_equal(dfd_table_parse(big, size, &d, NULL, &err), -EBADMSG);
	assert_string_equal(err.text, "table offset 0x6010: more than 1024 interrupts");
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals_name_the_offset),
		cmocka_unit_test(test_newer_version),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_unknown_records_are_skipped),
		cmocka_unit_test(test_known_types_in_new_places_are_skipped),
		cmocka_unit_test(test_longer_bodies_are_read_as_far_as_known),
		cmocka_unit_test(test_new_flag_bits_are_ignored),
		cmocka_unit_test(test_saved_config),
		cmocka_unit_test(test_capabilities_of_a_region),
		cmocka_unit_test(test_dump_stays_inside),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
