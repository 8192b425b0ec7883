/* SPDX-License-Identifier: MIT */
/* The three views of one device agree; of a device that lies they say so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/file.h>
#include <devfd/ioctl.h>
#include <devfd/provider.h>
#include <devfd/table.h>
#include <devfd/view.h>

#include "abi/vfio.h"
#include "desc/fact.h"
#include "random_desc.h"

#define TOPIC(t) (UINT32_C(1) << DFD_TOPIC_##t)

/* ---- a device that has nothing but the start of its configuration space ---- */

static ssize_t config_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			   size_t len)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	uint8_t config[64] = { 0 };
	uint64_t value;

	if (dfd_desc_bus(desc) != DFD_BUS_PCI || index != DFD_PCI_CONFIG ||
	    offset >= sizeof(config))
		return -EIO;
	for (int f = 0; f < DFD_NUM_FACTS; f++) {
		const struct dfd_fact_info *info = &dfd_fact_infos[f];

		if (info->config_width && dfd_desc_num(desc, (enum dfd_fact)f, &value))
			memcpy(config + info->config_offset, &value, info->config_width);
	}
	for (uint32_t bar = 0; bar < 6; bar++) {
		const struct dfd_region *r = dfd_desc_region(desc, bar);

		config[0x10 + 4 * bar] = r && (r->flags & DFD_REGION_IOPORT);
	}
	if (len > sizeof(config) - offset)
		len = sizeof(config) - (size_t)offset;
	memcpy(buf, config + offset, len);
	return (ssize_t)len;
}

static const struct dfd_device_ops described = { .size = sizeof(described), .name = "described" };
static const struct dfd_device_ops with_config = { .size = sizeof(with_config),
						   .name = "with configuration space",
						   .region_read = config_read };

/* ---- agreement ---- */

static void complain(void *ctx, const char *text)
{
	(void)ctx;
	print_error("%s\n", text);
}

/* All views of @file, which the caller gives back with drop(). */
static void get_all(struct dfd_file *file, struct dfd_view views[DFD_NUM_VIEWS])
{
	struct dfd_error err;

	for (int v = 0; v < DFD_NUM_VIEWS; v++) {
		if (dfd_view_get((enum dfd_view_kind)v, &dfd_fd_file, file, &views[v], &err))
			fail_msg("%s: %s", dfd_view_name((enum dfd_view_kind)v), err.text);
	}
}

static void drop(struct dfd_view views[DFD_NUM_VIEWS])
{
	for (int v = 0; v < DFD_NUM_VIEWS; v++)
		dfd_desc_unref(views[v].desc);
}

/* The three ways to learn about reset, without resetting. */
static void check_reset(struct dfd_file *file, const struct dfd_desc *desc)
{
	bool can = dfd_desc_flags(desc) & DFD_DEVICE_RESET;
	bool pci = dfd_desc_bus(desc) == DFD_BUS_PCI;
	uint32_t ids[] = { VFIO_DEVICE_EXT_RESET, VFIO_DEVICE_EXT_PCI_RESET };
	uint64_t flags = 0;
	int probe = 1;

	assert_int_equal(dfd_file_ioctl(file, VFIO_DEVICE_GET_FLAGS, &flags), 0);
	assert_int_equal(!!(flags & VFIO_DEVICE_FLAG_RESET), can);
	assert_int_equal(dfd_file_ioctl(file, VFIO_DEVICE_CHECK_EXTENSION, &ids[0]), can);
	assert_int_equal(dfd_file_ioctl(file, VFIO_DEVICE_CHECK_EXTENSION, &ids[1]), can && pci);
	assert_int_equal(dfd_file_ioctl(file, VFIO_DEVICE_PCI_RESET, &probe),
			 can && pci ? 0 : -EINVAL);
}

static void check_one(const struct dfd_desc *desc, const struct dfd_device_ops *ops)
{
	struct dfd_view views[DFD_NUM_VIEWS];
	struct dfd_view_report report;
	struct dfd_device *dev;
	struct dfd_file *file;
	struct dfd_error err;

	assert_int_equal(dfd_device_new(desc, ops, NULL, false, &dev), 0);
	file = dfd_file_new(dev);
	get_all(file, views);
	if (!dfd_desc_equal(desc, views[DFD_VIEW_TABLE].desc, &err))
		fail_msg("the table is not the description: %s", err.text);
	assert_int_equal(dfd_view_compare(views, complain, NULL, NULL, &report), 0);
	assert_int_equal(report.differences, 0);
	assert_true(report.facts > 0);
	check_reset(file, desc);
	drop(views);
	dfd_file_free(file);
	dfd_device_close(dev);
}

static void test_ten_thousand_agree(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 10000; seed++) {
		const struct dfd_desc *desc = dfd_random_desc(seed);

		check_one(desc, seed % 2 ? &with_config : &described);
		dfd_desc_unref(desc);
	}
}

/* ---- what only some views can tell ---- */

static const struct dfd_desc *small(enum dfd_bus bus)
{
	static const uint8_t body[8] = { 1 };
	static const struct dfd_area area = { 0, 0x1000 };
	static const struct dfd_cap cap = { .id = 2, .version = 1, .size = 8, .data = body };
	struct dfd_desc_builder *b = dfd_desc_builder_new(bus);
	const struct dfd_desc *desc = NULL;
	bool pci = bus == DFD_BUS_PCI;

	dfd_desc_add_cap(b, &cap);
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 0,
						     .flags = DFD_REGION_MAPPABLE,
						     .size = 0x4000,
						     .has_phys = !pci,
						     .dt = { pci ? NULL : "/soc/a", DFD_DT_REG, 0 },
						     .areas = &area,
						     .num_areas = 1,
						     .caps = &cap,
						     .num_caps = 1 });
	dfd_desc_add_irq(b, &(struct dfd_irq){ .count = 1 });
	dfd_desc_set_num(b, DFD_FACT_NUMA_NODE, 0);
	if (pci) {
		dfd_desc_set_num(b, DFD_FACT_VENDOR_ID, 0x1234);
		dfd_desc_set_num(b, DFD_FACT_MSI_VECTORS, 2);
		dfd_desc_add_region(b, &(struct dfd_region){ .index = 7, .size = 256 });
		dfd_desc_add_region(b, &(struct dfd_region){ .index = 9, .size = 1 });
	}
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	return desc;
}

static struct dfd_file *open_small(enum dfd_bus bus, const struct dfd_device_ops *ops,
				   struct dfd_device **dev)
{
	const struct dfd_desc *desc = small(bus);
	struct dfd_file *file;

	assert_int_equal(dfd_device_new(desc, ops, NULL, false, dev), 0);
	dfd_desc_unref(desc);
	file = dfd_file_new(*dev);
	assert_non_null(file);
	return file;
}

struct told {
	const char *key;
	uint32_t views;
	char value[32];
};

static void remember(void *ctx, const struct dfd_statement *s, uint32_t views)
{
	struct told *told = ctx;

	for (; told->key; told++) {
		if (!strcmp(told->key, s->key)) {
			told->views = views;
			snprintf(told->value, sizeof(told->value), "%s", s->value);
		}
	}
}

/* All three tell a fact, or these do. */
static void check_told(enum dfd_bus bus, const struct dfd_device_ops *ops, const char *key,
		       uint32_t expected)
{
	struct dfd_view views[DFD_NUM_VIEWS];
	struct told told[] = { { .key = key, .views = 7 }, { .key = NULL } };
	struct dfd_view_report report;
	struct dfd_device *dev;
	struct dfd_file *file = open_small(bus, ops, &dev);

	get_all(file, views);
	assert_int_equal(dfd_view_compare(views, complain, remember, told, &report), 0);
	assert_int_equal(report.differences, 0);
	if (told[0].views != expected)
		fail_msg("%s is told by 0x%x, not 0x%x", key, told[0].views, expected);
	drop(views);
	dfd_file_free(file);
	dfd_device_close(dev);
}

static void test_who_can_tell(void **state)
{
	const uint32_t table = 1 << DFD_VIEW_TABLE, ioctl = 1 << DFD_VIEW_IOCTL,
		       vfio = 1 << DFD_VIEW_VFIO;

	(void)state;
	check_told(DFD_BUS_PCI, &described, "region 0 size", 7);
	check_told(DFD_BUS_PCI, &described, "region 9 size", table | vfio);
	check_told(DFD_BUS_PCI, &described, "region 9 space", table);
	check_told(DFD_BUS_PCI, &described, "region 0 space", table | ioctl);
	check_told(DFD_BUS_PCI, &with_config, "region 0 space", 7);
	check_told(DFD_BUS_PCI, &with_config, "region 9 space", table | vfio);
	check_told(DFD_BUS_PCI, &described, "vendor id", table);
	check_told(DFD_BUS_PCI, &with_config, "vendor id", 7);
	check_told(DFD_BUS_PCI, &described, "MSI vectors", 7);
	check_told(DFD_BUS_PCI, &described, "NUMA node", table | ioctl);
	check_told(DFD_BUS_PCI, &described, "interrupt 0 trigger", table | vfio);
	check_told(DFD_BUS_PCI, &described, "region 0 mappable area 0", table | vfio);
	check_told(DFD_BUS_PCI, &described, "region 0 capability 0", table | vfio);
	check_told(DFD_BUS_PCI, &described, "device 0 capability 0", table | vfio);
	check_told(DFD_BUS_DT, &described, "region 0 physical address", table | ioctl);
	check_told(DFD_BUS_DT, &described, "region 0 device-tree path", table | ioctl);
	check_told(DFD_BUS_DT, &described, "interrupt 0", 7);
}

/* ---- a difference is found ---- */

static const struct dfd_desc *one_region(uint64_t size, bool extra, uint64_t vendor)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
	const struct dfd_desc *desc = NULL;

	dfd_desc_add_region(b, &(struct dfd_region){ .index = 0, .size = size });
	if (extra)
		dfd_desc_add_region(b, &(struct dfd_region){ .index = 1, .size = 4 });
	if (vendor)
		dfd_desc_set_num(b, DFD_FACT_VENDOR_ID, vendor);
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	return desc;
}

static void keep_last(void *ctx, const char *text)
{
	snprintf(ctx, 256, "%s", text);
}

static uint32_t differences(const struct dfd_desc *a, const struct dfd_desc *b, uint32_t topics,
			    char text[256])
{
	const struct dfd_view views[DFD_NUM_VIEWS] = { { a, topics, 0 }, { b, topics, 0 } };
	struct dfd_view_report report;

	text[0] = 0;
	assert_int_equal(dfd_view_compare(views, keep_last, NULL, text, &report), 0);
	dfd_desc_unref(a);
	dfd_desc_unref(b);
	return report.differences;
}

static void test_differences(void **state)
{
	const uint32_t all = TOPIC(LAYOUT) | TOPIC(IOPORT) | TOPIC(IDENTITY);
	char text[256];

	(void)state;
	assert_int_equal(differences(one_region(4, 0, 0), one_region(4, 0, 0), all, text), 0);
	assert_int_equal(differences(one_region(4, 0, 0), one_region(8, 0, 0), all, text), 1);
	assert_string_equal(text, "region 0 size: 0x4 by table, 0x8 by ioctl");
	/* A whole region that one side does not know: every fact about it is a difference. */
	assert_int_equal(differences(one_region(4, 1, 0), one_region(4, 0, 0), all, text), 5);
	assert_int_equal(differences(one_region(4, 0, 0), one_region(4, 1, 0), all, text), 5);
	assert_string_equal(text, "region 1 space: nothing by table, memory by ioctl");
	/* Identity that one side does not know is none, identity that differs is. */
	assert_int_equal(differences(one_region(4, 0, 0), one_region(4, 0, 9), all, text), 0);
	assert_int_equal(differences(one_region(4, 0, 8), one_region(4, 0, 9), all, text), 1);
	/* What they cannot tell is no difference. */
	assert_int_equal(differences(one_region(4, 0, 8), one_region(4, 0, 9), TOPIC(LAYOUT), text),
			 0);
}

/* ---- a device that lies ---- */

struct liar {
	struct dfd_file *file;
	unsigned long request; /* the request that it lies to, 0: reads */
	void (*lie)(void *answer);
	unsigned int lies_from; /* the first answers are true */
	unsigned int asked;
	uint64_t noise; /* seed of random lies to everything */
};

static void put32(void *answer, size_t offset, uint32_t value)
{
	memcpy((uint8_t *)answer + offset, &value, sizeof(value));
}

static size_t answer_size(unsigned long request, const void *arg)
{
	uint32_t argsz;

	if (_IOC_SIZE(request))
		return _IOC_DIR(request) & _IOC_READ ? _IOC_SIZE(request) : 0;
	memcpy(&argsz, arg, sizeof(argsz));
	return argsz;
}

/* Now and then a bit, a byte or a word is not what the device said. */
static void add_noise(struct liar *l, uint8_t *buf, size_t len)
{
	size_t at;

	if (!len || dfd_random_below(&l->noise, 8))
		return;
	at = dfd_random_below(&l->noise, (uint32_t)len);
	switch (dfd_random_below(&l->noise, 3)) {
	case 0:
		buf[at] ^= (uint8_t)(1u << dfd_random_below(&l->noise, 8));
		break;
	case 1:
		buf[at] = (uint8_t)dfd_random(&l->noise);
		break;
	default:
		if (len - at >= 4)
			put32(buf, at, (uint32_t)dfd_random(&l->noise));
	}
}

static int liar_ioctl(void *ctx, unsigned long request, void *arg)
{
	struct liar *l = ctx;
	/* How much room there is, before the answer says how much is needed. */
	size_t len = answer_size(request, arg);
	int ret = dfd_file_ioctl(l->file, request, arg);

	l->asked++;
	if (l->noise) {
		add_noise(l, arg, len);
		return dfd_random_below(&l->noise, 64) ? ret : -EIO;
	}
	if (request == l->request && ret >= 0 && l->lies_from-- == 0) {
		l->lie(arg);
		l->lies_from = 0;
	}
	return ret;
}

static ssize_t liar_pread(void *ctx, void *buf, size_t len, uint64_t offset)
{
	struct liar *l = ctx;
	ssize_t ret = dfd_file_pread(l->file, buf, len, offset);

	l->asked++;
	if (l->noise && ret > 0)
		add_noise(l, buf, (size_t)ret);
	return ret;
}

static const struct dfd_fd_ops liar_ops = { liar_pread, liar_ioctl };

static void many(void *answer)
{
	put32(answer, 0, 1025);
}

static void negative(void *answer)
{
	put32(answer, 0, UINT32_MAX);
}

static void no_end(void *answer)
{
	memset((void *)(uintptr_t)((struct vfio_device_dtpath *)answer)->buf, 'x',
	       DFD_MAX_STRING + 1);
}

static void longer_path(void *answer)
{
	((struct vfio_device_dtpath *)answer)->buf_len++;
}

static void odd_property(void *answer)
{
	((struct vfio_device_dtindex *)answer)->prop_type = 5;
}

static void many_regions(void *answer)
{
	put32(answer, offsetof(struct vfio_device_info, num_regions), 1025);
}

static void many_irqs(void *answer)
{
	put32(answer, offsetof(struct vfio_device_info, num_irqs), UINT32_MAX);
}

static void other_region(void *answer)
{
	put32(answer, offsetof(struct vfio_region_info, index), 77);
}

static void other_irq(void *answer)
{
	put32(answer, offsetof(struct vfio_irq_info, index), 77);
}

static void huge_chain(void *answer)
{
	put32(answer, 0, UINT32_MAX);
	put32(answer, 4, VFIO_REGION_INFO_FLAG_CAPS | VFIO_DEVICE_FLAGS_CAPS);
}

static void chain_to_itself(void *answer)
{
	put32(answer, sizeof(struct vfio_region_info) + 4, sizeof(struct vfio_region_info));
}

static void chain_backwards(void *answer)
{
	put32(answer, sizeof(struct vfio_region_info) + 4, 8);
}

static void chain_past_end(void *answer)
{
	put32(answer, sizeof(struct vfio_region_info) + 4, 4096);
}

static void chain_starts_inside(void *answer)
{
	put32(answer, offsetof(struct vfio_region_info, cap_offset), 4);
}

static void chain_starts_at_end(void *answer)
{
	uint32_t argsz;

	memcpy(&argsz, answer, sizeof(argsz));
	put32(answer, offsetof(struct vfio_region_info, cap_offset), argsz - 4);
}

static void many_areas(void *answer)
{
	put32(answer, sizeof(struct vfio_region_info) + 8, 0x10000001);
}

static void long_region(void *answer)
{
	uint64_t size = UINT64_MAX;

	memcpy((uint8_t *)answer + offsetof(struct vfio_region_info, size), &size, sizeof(size));
}

static void long_len(void *answer)
{
	memset(answer, 0xff, 8);
}

static const struct lie {
	enum dfd_view_kind kind;
	unsigned long request;
	void (*lie)(void *answer);
	unsigned int lies_from;
} lies[] = {
	{ DFD_VIEW_IOCTL, VFIO_DEVICE_GET_NUM_REGIONS, many, 0 },
	{ DFD_VIEW_IOCTL, VFIO_DEVICE_GET_NUM_REGIONS, negative, 0 },
	{ DFD_VIEW_IOCTL, VFIO_DEVICE_GET_NUM_IRQS, many, 0 },
	{ DFD_VIEW_IOCTL, VFIO_DEVICE_GET_REGION_LEN, long_len, 0 },
	{ DFD_VIEW_IOCTL, VFIO_DEVICE_GET_REGION_FLAGS, long_len, 0 },
	{ DFD_VIEW_IOCTL, VFIO_DEVICE_GET_REGION_OFFSET, long_len, 0 },
	{ DFD_VIEW_IOCTL, VFIO_DEVICE_GET_DTPATH, no_end, 0 },
	{ DFD_VIEW_IOCTL, VFIO_DEVICE_GET_DTPATH, longer_path, 0 },
	{ DFD_VIEW_IOCTL, VFIO_DEVICE_GET_DTINDEX, odd_property, 0 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_INFO, many_regions, 0 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_INFO, many_irqs, 0 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_INFO, huge_chain, 0 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, other_region, 1 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, huge_chain, 0 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, huge_chain, 1 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, chain_to_itself, 1 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, chain_backwards, 1 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, chain_past_end, 1 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, chain_starts_inside, 1 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, chain_starts_at_end, 1 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, many_areas, 1 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_REGION_INFO, long_region, 1 },
	{ DFD_VIEW_VFIO, VFIO_DEVICE_GET_IRQ_INFO, other_irq, 0 },
};

static void test_lies(void **state)
{
	struct dfd_device *dev;
	struct dfd_file *file = open_small(DFD_BUS_DT, &described, &dev);

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct liar liar = { .file = file,
				     .request = lies[i].request,
				     .lie = lies[i].lie,
				     .lies_from = lies[i].lies_from };
		struct dfd_error err = { 0 };
		struct dfd_view view;
		int ret = dfd_view_get(lies[i].kind, &liar_ops, &liar, &view, &err);

		if (ret != -EBADMSG || err.code != ret || !err.text[0])
			fail_msg("lie %zu: %d, \"%s\"", i, ret, err.text);
		assert_null(view.desc);
	}
	dfd_file_free(file);
	dfd_device_close(dev);
}

/* Whatever it says: no crash, and no more questions than a device can have parts. */
static void test_noise(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5000; seed++) {
		struct dfd_device *dev;
		struct dfd_file *file =
			open_small(seed % 2 ? DFD_BUS_PCI : DFD_BUS_DT, &with_config, &dev);

		for (int v = 0; v < DFD_NUM_VIEWS; v++) {
			struct liar liar = { .file = file, .noise = seed };
			struct dfd_view view;

			if (!dfd_view_get((enum dfd_view_kind)v, &liar_ops, &liar, &view, NULL))
				dfd_desc_unref(view.desc);
			assert_true(liar.asked == view.calls && liar.asked < 8 * 1024);
		}
		dfd_file_free(file);
		dfd_device_close(dev);
	}
}

/* ---- real fds ---- */

static void test_real_fd(void **state)
{
	const struct dfd_desc *desc = small(DFD_BUS_PCI);
	uint8_t table[4096];
	size_t len = dfd_table_read(desc, NULL, 0, table, sizeof(table));
	int fd = memfd_create("table", MFD_CLOEXEC);
	struct dfd_view view;
	struct dfd_error err;

	(void)state;
	assert_int_equal(write(fd, table, len), (ssize_t)len);
	assert_int_equal(dfd_view_get(DFD_VIEW_TABLE, &dfd_fd_real, &fd, &view, &err), 0);
	assert_true(dfd_desc_equal(desc, view.desc, NULL));
	assert_int_equal(view.calls, 1);
	dfd_desc_unref(view.desc);
	/* It has a table, but it is no device. */
	assert_int_equal(dfd_view_get(DFD_VIEW_IOCTL, &dfd_fd_real, &fd, &view, &err), -ENOTTY);
	assert_string_equal(err.text, "asking for the flags: Inappropriate ioctl for device");
	assert_int_equal(dfd_view_get(DFD_VIEW_VFIO, &dfd_fd_real, &fd, &view, &err), -ENOTTY);
	/* A table that ends before its end. */
	assert_int_equal(ftruncate(fd, (off_t)len - 8), 0);
	assert_int_equal(dfd_view_get(DFD_VIEW_TABLE, &dfd_fd_real, &fd, &view, &err), -EBADMSG);
	close(fd);
	assert_int_equal(dfd_view_get(DFD_VIEW_TABLE, &dfd_fd_real, &fd, &view, &err), -EBADF);
	assert_int_equal(dfd_view_get(DFD_NUM_VIEWS, &dfd_fd_real, &fd, &view, &err), -EINVAL);
	dfd_desc_unref(desc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ten_thousand_agree),
		cmocka_unit_test(test_who_can_tell),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_real_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
