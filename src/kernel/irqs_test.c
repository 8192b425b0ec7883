/* SPDX-License-Identifier: MIT */
/* Vectors: more of them than before, fewer than asked for, features by their number, planes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/display.h>
#include <devfd/feature.h>
#include <devfd/open.h>

#include "device/device.h"
#include "fake_kernel.h"
#include "kernel/vfio.h"
#include "tree.h"

#define FUNCTION "sys/bus/pci/devices/0000:01:00.0/"
#define ROUTE	 (DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER)
#define VECTORS	 4u

static const struct kernel_env env = { tree_root, &fake_calls };
static struct dfd_device *dev;
static int32_t fds[VECTORS];
static char told[512];

static void take_line(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(told, sizeof(told), "%s", text);
}

static int set_up(void **state)
{
	struct dfd_error err;

	(void)state;
	tree_start();
	tree_link(FUNCTION "iommu_group", "../../../../kernel/iommu_groups/7");
	tree_link(FUNCTION "driver", "../../../../bus/pci/drivers/vfio-pci");
	fake_start("model:shapes");
	if (dfd_vfio_open(&env, "pci", "01:00.0", &dev, &err))
		fail_msg("%s", err.text);
	dfd_device_watch_log(dev, take_line, NULL);
	for (uint32_t i = 0; i < VECTORS; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	told[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < VECTORS; i++)
		close(fds[i]);
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
	fake_stop();
	tree_stop();
	return 0;
}

static int route(uint32_t start, uint32_t count)
{
	return dfd_set_irqs(dev, &(struct dfd_irq_set){ .flags = ROUTE,
							.index = DFD_PCI_MSIX,
							.start = start,
							.count = count,
							.fds = fds + start });
}

/* Does vector @v come at its eventfd? */
static bool comes(uint32_t v)
{
	const struct dfd_irq_set one = { .flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER,
					 .index = DFD_PCI_MSIX,
					 .start = v,
					 .count = 1 };
	uint64_t count;

	assert_int_equal(dfd_set_irqs(dev, &one), 0);
	return read(fds[v], &count, sizeof(count)) == sizeof(count);
}

static void test_one_by_one(void **state)
{
	(void)state;
	assert_int_equal(route(0, 1), 0);
	assert_int_equal(route(1, 1), 0);
	assert_int_equal(route(2, 2), 0);
	assert_true(comes(0) && comes(1) && comes(3));
	assert_string_equal(told, "");
}

/* A kernel that keeps their number: all of them anew, or a reason. */
static void test_noresize(void **state)
{
	const int32_t eventfd0 = fds[0];
	uint32_t flags;

	(void)state;
	fake.noresize = 1u << DFD_PCI_MSIX;
	assert_int_equal(dfd_irq_flags(dev, DFD_PCI_MSIX, &flags), 0);
	assert_int_equal(flags, DFD_IRQ_HAS_EVENTFD | DFD_IRQ_NORESIZE);
	assert_int_equal(dfd_irq_flags(fake.model, DFD_PCI_MSIX, &flags), -EOPNOTSUPP);
	assert_int_equal(route(0, 2), 0);
	assert_int_equal(route(2, 1), -EINVAL);
	assert_non_null(strstr(told, "route all of them, from 0 on, at once"));
	assert_true(comes(1));
	assert_int_equal(route(0, 4), 0);
	assert_true(comes(0) && comes(3));
	/* What no kernel takes leaves things as they are. */
	assert_int_equal(dfd_irq_disable(dev, DFD_PCI_MSIX), 0);
	assert_int_equal(route(0, 1), 0);
	fds[1] = STDIN_FILENO;
	assert_int_equal(route(0, 2), -EINVAL);
	assert_true(comes(0));
	fds[0] = eventfd0;
	fds[1] = eventfd(0, EFD_CLOEXEC);
}

static void test_noresize_by_library(void **state)
{
	(void)state;
	fake.noresize = 1u << DFD_PCI_MSIX;
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_MSIX, 1), 0);
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_MSIX, 3), 0);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 2, 0), 0);
}

/* Not an error of the kernel's, but nothing that came of it either. */
static void test_fewer(void **state)
{
	(void)state;
	fake.failures[0] = (struct fake_failure){ VFIO_DEVICE_SET_IRQS, NULL, 2, 1 };
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_MSIX, 4), 2);
	assert_non_null(strstr(told, "of 4 vectors the kernel can give 2; enable that many"));
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 0, 0), -EINVAL);
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_MSIX, 2), 0);
}

/* ---- features ---- */

/* The data of a client hold no address and no fd of the process that serves it. */
static void test_plain_features(void **state)
{
	static const enum dfd_feature with_address[] = {
		DFD_FEATURE_MIG_DEVICE_STATE,  DFD_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
		DFD_FEATURE_DMA_LOGGING_START, DFD_FEATURE_DMA_LOGGING_REPORT,
		DFD_FEATURE_DMA_BUF,	       DFD_FEATURE_ZPCI_ERROR,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(with_address) / sizeof(*with_address); i++)
		assert_false(device_feature_is_plain(with_address[i] | DFD_FEATURE_GET));
	assert_true(device_feature_is_plain(DFD_FEATURE_MIGRATION | DFD_FEATURE_GET));
}

static void test_more_features(void **state)
{
	struct dfd_precopy precopy;
	uint8_t report[64];

	(void)state;
	assert_int_equal(dfd_migration_precopy_again(dev), 0);
	assert_int_equal(fake.feature_flags, 12 | DFD_FEATURE_SET);
	assert_int_equal(dfd_migration_precopy(fds[0], &precopy), -ENOTTY);
	/* This function is none of s390's, so it does not say how long a report is. */
	assert_int_equal(dfd_zpci_error(dev, report, sizeof(report)), -EINVAL);
}

/* ---- planes ---- */

static void test_planes(void **state)
{
	struct dfd_plane p = { 0 };
	int fd;

	(void)state;
	assert_int_equal(dfd_plane_probe(dev, DFD_PLANE_DMABUF), -ENOTTY);
	assert_int_equal(dfd_plane_dmabuf(dev, 7), -ENOTTY);
	fake.planes = VFIO_GFX_PLANE_TYPE_DMABUF;
	assert_int_equal(dfd_plane_probe(dev, DFD_PLANE_DMABUF), 0);
	assert_int_equal(dfd_plane_probe(dev, DFD_PLANE_REGION), -EINVAL);
	assert_int_equal(dfd_plane_probe(dev, (enum dfd_plane_way)1), -EINVAL);
	assert_int_equal(dfd_plane_get(dev, DFD_PLANE_DMABUF, DFD_PLANE_PRIMARY, &p), 0);
	assert_int_equal(p.format, 0x34325258);
	assert_true(p.modifier == UINT64_C(1) << 56);
	assert_int_equal(p.width, 640);
	assert_int_equal(p.height, 480);
	assert_int_equal(p.stride, 2560);
	assert_int_equal(p.size, 2560 * 480);
	assert_int_equal(p.x << 12 | p.y << 8 | p.hot_x << 4 | p.hot_y, 0x1234);
	fd = dfd_plane_dmabuf(dev, p.where);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(dfd_plane_dmabuf(dev, p.where + 1), -EINVAL);
	/* One that is off, and a failure, which leaves what was there. */
	assert_int_equal(dfd_plane_get(dev, DFD_PLANE_DMABUF, DFD_PLANE_CURSOR, &p), 0);
	assert_int_equal(p.format, 0);
	p.width = 99;
	assert_int_equal(dfd_plane_get(dev, DFD_PLANE_REGION, DFD_PLANE_PRIMARY, &p), -EINVAL);
	assert_int_equal(p.width, 99);
}

static void test_no_planes(void **state)
{
	struct dfd_device *model;
	struct dfd_plane p;

	(void)state;
	assert_int_equal(dfd_open("model:edu", &model, NULL), 0);
	assert_int_equal(dfd_plane_get(model, DFD_PLANE_DMABUF, DFD_PLANE_PRIMARY, &p),
			 -EOPNOTSUPP);
	assert_int_equal(dfd_plane_dmabuf(model, 0), -EOPNOTSUPP);
	dfd_device_close(model);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_by_one), TEST(test_noresize),	  TEST(test_noresize_by_library),
		TEST(test_fewer),      TEST(test_plain_features), TEST(test_more_features),
		TEST(test_planes),     TEST(test_no_planes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
