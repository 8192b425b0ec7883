/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <devfd/desc.h>

static const struct dfd_desc *build_ok(struct dfd_desc_builder *b)
{
	const struct dfd_desc *desc = NULL;
	struct dfd_error err;

	if (dfd_desc_build(b, &desc, &err))
		fail_msg("%s", err.text);
	return desc;
}

/* A PCI function with one part of everything. */
static struct dfd_desc_builder *rich(uint64_t bar0_size)
{
	static const struct dfd_area areas[] = { { 0, 0x1000 }, { 0x2000, 0x1000 } };
	static const struct dfd_cap cap = { .id = 3, .version = 1 };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);

	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	dfd_desc_set_num(b, DFD_FACT_VENDOR_ID, 0x1234);
	dfd_desc_set_num(b, DFD_FACT_MSI_VECTORS, 1);
	dfd_desc_set_str(b, DFD_FACT_NAME, "first");
	dfd_desc_set_str(b, DFD_FACT_NAME, "a test device");
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 7, .size = 256 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 0,
						     .size = bar0_size,
						     .flags = DFD_REGION_MAPPABLE,
						     .areas = areas,
						     .num_areas = 2,
						     .caps = &cap,
						     .num_caps = 1 });
	dfd_desc_add_irq(
		b, &(struct dfd_irq){ .count = 1, .flags = DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE });
	return b;
}

static void test_lookups(void **state)
{
	const struct dfd_desc *d = build_ok(rich(0x10000));
	const struct dfd_region *regions;
	uint64_t value;
	uint32_t count;

	(void)state;
	assert_int_equal(dfd_desc_bus(d), DFD_BUS_PCI);
	assert_int_equal(dfd_desc_flags(d), DFD_DEVICE_PCI | DFD_DEVICE_RESET);
	regions = dfd_desc_regions(d, &count);
	assert_int_equal(count, 2);
	assert_int_equal(regions[0].index, 0);
	assert_int_equal(regions[0].offset, UINT64_C(1) << 40);
	assert_int_equal(dfd_desc_region(d, 7)->offset, UINT64_C(8) << 40);
	assert_null(dfd_desc_region(d, 1));
	assert_true(dfd_desc_num(d, DFD_FACT_VENDOR_ID, &value));
	assert_int_equal(value, 0x1234);
	assert_false(dfd_desc_num(d, DFD_FACT_DEVICE_ID, &value));
	assert_false(dfd_desc_num(d, DFD_FACT_NAME, &value));
	assert_string_equal(dfd_desc_str(d, DFD_FACT_NAME), "a test device");
	assert_null(dfd_desc_str(d, DFD_FACT_VENDOR_ID));
	assert_int_equal(dfd_desc_region_limit(d), 9);
	assert_int_equal(dfd_desc_irq_limit(d), 5);
	assert_int_equal(dfd_desc_vectors(d, DFD_PCI_INTX), 1);
	assert_int_equal(dfd_desc_vectors(d, DFD_PCI_MSI), 1);
	assert_int_equal(dfd_desc_vectors(d, DFD_PCI_MSIX), 0);
	assert_int_equal(dfd_desc_vectors(d, 17), 0);
	dfd_desc_unref(dfd_desc_ref(d));
	dfd_desc_unref(d);
}

static void test_device_tree_limits(void **state)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_DT);
	const struct dfd_desc *d;

	(void)state;
	dfd_desc_add_irq(b, &(struct dfd_irq){ .index = 3, .count = 1 });
	d = build_ok(b);
	assert_int_equal(dfd_desc_flags(d), DFD_DEVICE_DT);
	assert_int_equal(dfd_desc_region_limit(d), 0);
	assert_int_equal(dfd_desc_irq_limit(d), 4);
	assert_int_equal(dfd_desc_vectors(d, 3), 1);
	assert_int_equal(dfd_desc_vectors(d, 1), 0);
	dfd_desc_unref(d);
}

static int needs_of(void *ctx, const struct dfd_statement *s)
{
	uint32_t *needs = ctx;

	assert_true(s->needs >> s->topic & 1);
	if (!strncmp(s->key, "region 9 space", 14))
		needs[0] = s->needs;
	if (!strncmp(s->key, "region 0 space", 14))
		needs[1] = s->needs;
	return 0;
}

static void test_statements_need_topics(void **state)
{
	struct dfd_desc_builder *b = rich(0x10000);
	const struct dfd_desc *d;
	uint32_t needs[2] = { 0 };

	(void)state;
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 9, .size = 1 });
	d = build_ok(b);
	assert_int_equal(dfd_desc_walk(d, needs_of, needs), 0);
	assert_int_equal(needs[0], 1 << DFD_TOPIC_IOPORT | 1 << DFD_TOPIC_EXTRA_REGION);
	assert_int_equal(needs[1], 1 << DFD_TOPIC_IOPORT);
	dfd_desc_unref(d);
}

static void test_capabilities_are_padded(void **state)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	const struct dfd_cap *caps;
	const struct dfd_desc *d;
	uint32_t count;

	(void)state;
	dfd_desc_add_cap(b, &(struct dfd_cap){ .id = 5, .version = 1, .size = 4, .data = "abcd" });
	d = build_ok(b);
	caps = dfd_desc_caps(d, &count);
	assert_int_equal(count, 1);
	assert_int_equal(caps[0].size, 8);
	assert_memory_equal(caps[0].data, "abcd\0\0\0", 8);
	dfd_desc_unref(d);
}

static void test_equal(void **state)
{
	const struct dfd_desc *a = build_ok(rich(0x10000)), *b = build_ok(rich(0x10000));
	const struct dfd_desc *c = build_ok(rich(0x20000)), *d;
	struct dfd_desc_builder *more = rich(0x10000);
	struct dfd_error why;

	(void)state;
	assert_true(dfd_desc_equal(a, b, NULL));
	assert_false(dfd_desc_equal(a, c, &why));
	assert_string_equal(why.text, "region 0 size: 0x10000 on one side, 0x20000 on the other");
	dfd_desc_add_region(more, &(struct dfd_region){ .index = 9, .size = 1 });
	d = build_ok(more);
	assert_false(dfd_desc_equal(a, d, &why));
	assert_int_equal(why.code, -EBADMSG);
	assert_false(dfd_desc_equal(d, a, NULL));
	dfd_desc_unref(a);
	dfd_desc_unref(b);
	dfd_desc_unref(c);
	dfd_desc_unref(d);
}

static const struct dfd_area outside[] = { { 0x1000, 0x1000 } };
static const struct dfd_area backwards[] = { { 0x800, 0x10 }, { 0, 0x10 } };
static const struct dfd_cap sparse = { .id = 1, .version = 1 };
static const struct dfd_cap huge = {
	.id = 2, .version = 1, .size = DFD_MAX_CAP_SIZE + 1, .data = ""
};

/* What no device can have, and the words that say so. */
static const struct wrong {
	enum dfd_bus bus;
	struct dfd_region region;
	struct dfd_irq irq;
	enum dfd_fact fact;
	uint64_t value;
	const char *says;
} wrongs[] = {
	{ .region = { .index = 1 }, .says = "region 1: size 0x0 is not" },
	{ .region = { .index = 1, .size = UINT64_MAX }, .says = "region 1: size" },
	{ .region = { .index = 1024, .size = 1 }, .says = "region 1024: the highest index" },
	{ .region = { .size = 1, .offset = UINT64_MAX }, .says = "past the end of any file" },
	{ .region = { .size = 1, .flags = 8 }, .says = "unknown flags 0x8" },
	{ .region = { .size = 4096, .areas = outside, .num_areas = 1 },
	  .says = "but is not mappable" },
	{ .region = { .size = 4096, .flags = 1, .areas = outside, .num_areas = 1 },
	  .says = "is not inside" },
	{ .region = { .size = 4096, .flags = 1, .areas = backwards, .num_areas = 2 },
	  .says = "starts before" },
	{ .region = { .size = 1, .caps = &sparse, .num_caps = 1 },
	  .says = "must not come as a capability" },
	{ .region = { .size = 1, .caps = &huge, .num_caps = 1 }, .says = "at most 4096" },
	{ .region = { .size = 1, .dt = { "soc", 1, 0 } }, .says = "does not start with /" },
	{ .region = { .size = 1, .dt = { "/soc", 5, 0 } }, .says = "property type 5" },
	{ .bus = DFD_BUS_PCI,
	  .region = { .index = 7, .size = 1, .flags = 1 },
	  .says = "cannot be mapped" },
	{ .bus = DFD_BUS_PCI,
	  .region = { .index = 6, .size = 1, .flags = 4 },
	  .says = "only BARs 0 to 5" },
	{ .irq = { .index = 1024, .count = 1 }, .says = "interrupt 1024: the highest index" },
	{ .irq = { .index = 1, .flags = 1 }, .says = "count 0 is not" },
	{ .irq = { .count = 1, .flags = 4 }, .says = "unknown flags" },
	{ .bus = DFD_BUS_PCI,
	  .irq = { .index = 1, .count = 1 },
	  .says = "PCI has one wired interrupt" },
	{ .bus = DFD_BUS_PCI,
	  .fact = DFD_FACT_MSI_VECTORS,
	  .value = 33,
	  .says = "MSI vectors: 33" },
	{ .bus = DFD_BUS_PCI,
	  .fact = DFD_FACT_MSIX_VECTORS,
	  .value = 2049,
	  .says = "MSI-X vectors: 2049" },
	{ .bus = DFD_BUS_PCI,
	  .fact = DFD_FACT_VENDOR_ID,
	  .value = 0x10000,
	  .says = "vendor id: 65536" },
	{ .fact = DFD_FACT_VENDOR_ID, .value = 1, .says = "only a PCI function" },
	{ .fact = DFD_FACT_NAME, .value = 1, .says = "is not a number" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		struct dfd_desc_builder *b = dfd_desc_builder_new(w->bus);
		const struct dfd_desc *d = NULL;
		struct dfd_error err = { 0 };

		if (w->irq.count || w->irq.flags)
			dfd_desc_add_irq(b, &w->irq);
		else if (w->value)
			dfd_desc_set_num(b, w->fact, w->value);
		else
			dfd_desc_add_region(b, &w->region);
		assert_int_equal(dfd_desc_build(b, &d, &err), -EINVAL);
		if (!strstr(err.text, w->says))
			fail_msg("\"%s\" does not say \"%s\"", err.text, w->says);
		assert_null(d);
	}
}

static void test_duplicates_and_overlap(void **state)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	const struct dfd_desc *d;
	struct dfd_error err;

	(void)state;
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 2, .size = 1 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 2, .size = 2 });
	assert_int_equal(dfd_desc_build(b, &d, &err), -EINVAL);
	assert_string_equal(err.text, "region 2: described twice");

	b = dfd_desc_builder_new(DFD_BUS_OTHER);
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 2, .size = 16, .offset = 0x1008 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 1, .size = 16, .offset = 0x1000 });
	assert_int_equal(dfd_desc_build(b, &d, &err), -EINVAL);
	assert_string_equal(err.text, "regions 1 and 2 overlap in the file");

	b = dfd_desc_builder_new(DFD_BUS_OTHER);
	dfd_desc_add_irq(b, &(struct dfd_irq){ .index = 1, .count = 1 });
	dfd_desc_add_irq(b, &(struct dfd_irq){ .index = 1, .count = 1 });
	assert_int_equal(dfd_desc_build(b, &d, &err), -EINVAL);
	assert_string_equal(err.text, "interrupt 1: described twice");
}

static void test_strings_are_bounded(void **state)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	char name[DFD_MAX_STRING + 2];
	const struct dfd_desc *d;
	struct dfd_error err;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	dfd_desc_set_str(b, DFD_FACT_NAME, name);
	dfd_desc_set_str(b, DFD_FACT_NAME, "later calls do not hide the failure");
	assert_int_equal(dfd_desc_build(b, &d, &err), -EINVAL);
	assert_string_equal(err.text, "name is longer than 1023 bytes");
	assert_int_equal(dfd_desc_build(NULL, &d, &err), -ENOMEM);
	dfd_desc_builder_free(NULL);
	dfd_desc_builder_free(dfd_desc_builder_new(DFD_BUS_OTHER));
}

/* Numbers from a newer header. */
static void test_unknown_enumerators(void **state)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new((enum dfd_bus)3);
	const enum dfd_fact fact = (enum dfd_fact)(32 + 8);
	const struct dfd_desc *d = NULL;
	struct dfd_error err;
	uint64_t value;

	(void)state;
	assert_int_equal(dfd_desc_build(b, &d, &err), -EINVAL);
	assert_string_equal(err.text, "bus 3 is not known");
	b = dfd_desc_builder_new(DFD_BUS_PCI);
	dfd_desc_set_num(b, (enum dfd_fact)8, 1); /* 8 and 40 are one bit to a shift by 32 */
	assert_int_equal(dfd_desc_build(b, &d, &err), 0);
	assert_false(dfd_desc_num(d, fact, &value));
	assert_null(dfd_desc_str(d, fact));
	dfd_desc_unref(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookups),
		cmocka_unit_test(test_device_tree_limits),
		cmocka_unit_test(test_statements_need_topics),
		cmocka_unit_test(test_capabilities_are_padded),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_duplicates_and_overlap),
		cmocka_unit_test(test_strings_are_bounded),
		cmocka_unit_test(test_unknown_enumerators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
