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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ten_thousand_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
