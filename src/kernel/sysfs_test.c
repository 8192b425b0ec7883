/* SPDX-License-Identifier: MIT */
/* PCI functions and device-tree devices of a made-up machine, and the functions of this one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <devfd/enumerate.h>

#include "tree.h"

#define PCI(bdf, attribute) "sys/bus/pci/devices/" bdf "/" attribute
#define PLATFORM	    "sys/bus/platform/devices/"

/* ---- building the tree ---- */

/* INTA, MSI with 4 vectors at 0x40, MSI-X with 9 at 0x50. */
static void fill_config(uint8_t config[256])
{
	static const uint8_t ids[] = { 0xf4, 0x1a, 0x41, 0x10 }, msi[] = { 0x05, 0x50, 0x84, 0x00 },
			     msix[] = { 0x11, 0x00, 0x08, 0x80 };

	memset(config, 0, 256);
	memcpy(config, ids, sizeof(ids));
	config[0x06] = 0x10;
	config[0x34] = 0x40;
	config[0x3d] = 1;
	memcpy(config + 0x40, msi, sizeof(msi));
	memcpy(config + 0x50, msix, sizeof(msix));
}

#define UNUSED "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
static const char resources[] =
	"0x00000000febc0000 0x00000000febdffff 0x0000000000040200\n" /* BAR 0, 128 KiB */
	"0x000000000000c000 0x000000000000c03f 0x0000000000040101\n" /* BAR 1, 64 I/O ports */
	"0x0000004000000000 0x00000040003fffff 0x000000000014220c\n" /* BAR 2, 4 MiB, 64 bit */
	UNUSED
	"0x0000000000000000 0x0000000000000fff 0x0000000020040200\n" /* BAR 4 has no address */
	UNUSED "0x00000000feb80000 0x00000000febbffff 0x0000000000046200\n" /* ROM, 256 KiB */
	"0x0000000000000000 0x0000000000ffffff 0x0000000000040200\n"; /* a virtual function's */

static void put_nic(void)
{
	uint8_t config[256];

	fill_config(config);
	tree_put(PCI("0000:01:00.0", "config"), config, sizeof(config));
	tree_text(PCI("0000:01:00.0", "resource"), resources);
	tree_text(PCI("0000:01:00.0", "vendor"), "0x1af4\n");
	tree_text(PCI("0000:01:00.0", "device"), "0x1041\n");
	tree_text(PCI("0000:01:00.0", "subsystem_vendor"), "0x1af4\n");
	tree_text(PCI("0000:01:00.0", "class"), "0x020000\n");
	tree_text(PCI("0000:01:00.0", "numa_node"), "1\n");
	tree_text(PCI("0000:01:00.0", "reset"), "");
	tree_link(PCI("0000:01:00.0", "driver"), "../../../bus/pci/drivers/vfio-pci");
	tree_link(PCI("0000:01:00.0", "iommu_group"), "../../../kernel/iommu_groups/17");
	/* What a user without privilege sees of it. */
	tree_put(PCI("0000:02:00.0", "config"), config, 64);
	tree_text(PCI("0000:02:00.0", "resource"), resources);
	tree_text(PCI("0000:02:00.0", "numa_node"), "-1\n");
}

static void put_others(void)
{
	uint8_t config[256];

	fill_config(config);
	memset(config, 0xff, 4);
	config[0x3d] = 0;
	tree_put(PCI("0000:01:00.1", "config"), config, sizeof(config));
	tree_text(PCI("0000:01:00.1", "resource"), "");
	tree_text(PCI("0000:01:00.1", "vendor"), "0x8086\n");
	tree_text(PCI("0000:01:00.1", "device"), "0x10ed\n");
	tree_link(PCI("0000:01:00.1", "physfn"), "../0000:01:00.0");
	config[0x0e] = 1;
	tree_put(PCI("10000:e0:1f.7", "config"), config, sizeof(config));
	tree_text(PCI("10000:e0:1f.7", "resource"), resources);
	tree_text(PCI("10000:e0:1f.7", "subsystem_vendor"), "0x8086\n");
	/* Nothing but resources and a wired interrupt; one broken line; no resources at all. */
	tree_text(PCI("0000:03:00.0", "resource"), resources);
	tree_text(PCI("0000:03:00.0", "irq"), "11\n");
	tree_text(PCI("0000:04:00.0", "resource"), UNUSED "0x0 none\n");
	tree_text(PCI("0000:05:00.0", "irq"), "0\n");
}

static void put_platform(void)
{
	tree_text(PLATFORM "pcspkr/modalias", "platform:pcspkr\n");
	tree_put(PLATFORM "node/compatible", "arm,pl011\0arm,primecell", 24);
	tree_link(PLATFORM "9000000.pl011/of_node",
		  "../../../firmware/devicetree/base/pl011@9000000");
	tree_text("sys/firmware/fdt", "");
}

static int set_up(void **state)
{
	(void)state;
	tree_start();
	put_nic();
	put_others();
	put_platform();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_stop();
	return 0;
}

/* ---- one function ---- */

static struct dfd_device *open_ok(const char *bdf)
{
	struct dfd_device *dev = NULL;
	struct dfd_error err;

	if (dfd_sysfs_open(tree_root, bdf, &dev, &err))
		fail_msg("%s", err.text);
	return dev;
}

static uint64_t fact(const struct dfd_device *dev, enum dfd_fact fact)
{
	uint64_t value = UINT64_MAX;

	dfd_desc_num(dfd_device_desc(dev), fact, &value);
	return value;
}

static void check_region(const struct dfd_device *dev, uint32_t index, uint64_t size,
			 uint32_t flags, uint64_t phys)
{
	const struct dfd_region *r = dfd_desc_region(dfd_device_desc(dev), index);

	assert_non_null(r);
	assert_int_equal(r->size, size);
	assert_int_equal(r->flags, flags);
	assert_int_equal(r->has_phys, phys != 0);
	assert_int_equal(r->phys_addr, phys);
}

static void test_function(void **state)
{
	struct dfd_device *dev = open_ok("01:00.0");
	const struct dfd_desc *desc = dfd_device_desc(dev);
	uint32_t count;

	(void)state;
	assert_int_equal(dfd_desc_bus(desc), DFD_BUS_PCI);
	assert_int_equal(dfd_desc_flags(desc), DFD_DEVICE_PCI | DFD_DEVICE_RESET);
	dfd_desc_regions(desc, &count);
	assert_int_equal(count, 6);
	check_region(dev, 0, 0x20000, 0, 0xfebc0000);
	check_region(dev, 1, 0x40, DFD_REGION_IOPORT, 0);
	check_region(dev, 2, 0x400000, 0, UINT64_C(0x4000000000));
	check_region(dev, 4, 0x1000, 0, 0);
	check_region(dev, 6, 0x40000, DFD_REGION_READ_ONLY, 0xfeb80000);
	check_region(dev, 7, 256, 0, 0);
	assert_int_equal(dfd_desc_irq(desc, 0)->flags, DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE);
	assert_int_equal(fact(dev, DFD_FACT_MSI_VECTORS), 4);
	assert_int_equal(fact(dev, DFD_FACT_MSIX_VECTORS), 9);
	assert_int_equal(fact(dev, DFD_FACT_VENDOR_ID), 0x1af4);
	assert_int_equal(fact(dev, DFD_FACT_SUBSYSTEM_VENDOR_ID), 0x1af4);
	assert_int_equal(fact(dev, DFD_FACT_SUBSYSTEM_ID), UINT64_MAX);
	assert_int_equal(fact(dev, DFD_FACT_CLASS_CODE), 0x20000);
	assert_int_equal(fact(dev, DFD_FACT_NUMA_NODE), 1);
	dfd_device_close(dev);
}

static void test_contents(void **state)
{
	struct dfd_device *dev = open_ok("0000:01:00.0");
	uint8_t config[256], want[256];

	(void)state;
	fill_config(want);
	assert_int_equal(dfd_region_read(dev, 7, 0, config, 256), 256);
	assert_memory_equal(config, want, 256);
	assert_int_equal(dfd_region_read(dev, 0, 0, config, 4), -EOPNOTSUPP);
	assert_int_equal(dfd_region_write(dev, 7, 4, config, 2), -EOPNOTSUPP);
	/* Live: what changes below shows. */
	want[0x3c] = 11;
	tree_put(PCI("0000:01:00.0", "config"), want, sizeof(want));
	assert_int_equal(dfd_region_read(dev, 7, 0x3c, config, 1), 1);
	assert_int_equal(config[0], 11);
	dfd_device_close(dev);
}

static void test_unprivileged(void **state)
{
	struct dfd_device *dev = open_ok("0000:02:00.0");
	uint8_t config[256];

	(void)state;
	check_region(dev, 7, 256, 0, 0);
	assert_int_equal(fact(dev, DFD_FACT_MSI_VECTORS), UINT64_MAX);
	assert_int_equal(fact(dev, DFD_FACT_MSIX_VECTORS), UINT64_MAX);
	assert_int_equal(fact(dev, DFD_FACT_NUMA_NODE), UINT64_MAX);
	assert_non_null(dfd_desc_irq(dfd_device_desc(dev), 0));
	assert_int_equal(dfd_desc_flags(dfd_device_desc(dev)), DFD_DEVICE_PCI);
	assert_int_equal(dfd_region_read(dev, 7, 0, config, 256), 64);
	assert_int_equal(dfd_region_read(dev, 7, 64, config, 4), -EACCES);
	dfd_device_close(dev);
}

static void test_virtual_function(void **state)
{
	struct dfd_device *dev = open_ok("01:00.1");
	uint8_t config[8];

	(void)state;
	assert_int_equal(dfd_region_read(dev, 7, 0, config, 8), 8);
	assert_memory_equal(config, "\x86\x80\xed\x10\x00\x00\x10\x00", 8);
	assert_int_equal(dfd_region_read(dev, 7, 3, config, 2), 2);
	assert_memory_equal(config, "\x10\x00", 2);
	assert_null(dfd_desc_irq(dfd_device_desc(dev), 0));
	dfd_device_close(dev);
}

static void test_bridge(void **state)
{
	struct dfd_device *dev = open_ok("10000:E0:1f.7");

	(void)state;
	assert_int_equal(fact(dev, DFD_FACT_SUBSYSTEM_VENDOR_ID), UINT64_MAX);
	dfd_device_close(dev);
}

static void test_no_config(void **state)
{
	struct dfd_device *dev = open_ok("03:00.0");

	(void)state;
	assert_null(dfd_desc_region(dfd_device_desc(dev), 7));
	assert_non_null(dfd_desc_irq(dfd_device_desc(dev), 0));
	dfd_device_close(dev);
}

static void test_failures(void **state)
{
	static const struct {
		const char *bdf;
		int code;
		const char *text;
	} cases[] = {
		{ "", -EINVAL, "is not a PCI function" },
		{ "01:00", -EINVAL, "is not a PCI function" },
		{ "01:00.8", -EINVAL, "is not a PCI function" },
		{ "01:20.0", -EINVAL, "is not a PCI function" },
		{ "01:00.00", -EINVAL, "is not a PCI function" },
		{ "01:00.0x", -EINVAL, "is not a PCI function" },
		{ " 01:00.0", -EINVAL, "is not a PCI function" },
		{ "../01:00.0", -EINVAL, "is not a PCI function" },
		{ "01:00.7", -ENOENT, "there is no such PCI function" },
		{ "04:00.0", -EBADMSG, "line 1 of `resource` is not three numbers" },
		{ "05:00.0", -ENOENT, "`resource` cannot be read" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dfd_device *dev;
		struct dfd_error err;

		assert_int_equal(dfd_sysfs_open(tree_root, cases[i].bdf, &dev, &err),
				 cases[i].code);
		assert_int_equal(err.code, cases[i].code);
		if (!strstr(err.text, cases[i].text) || strncmp(err.text, "sysfs:", 6) != 0)
			fail_msg("%s", err.text);
	}
}

/* ---- all of them ---- */

/* One line for each device. */
static int list(void *ctx, const struct dfd_found *f)
{
	char *text = ctx;
	const char *shown = f->address && !strncmp(f->address, "dtb:", 4) ? strchr(f->address, '#')
									  : f->address;

	sprintf(text + strlen(text), "%s %s %s %s %04x:%04x %x %d %d %s\n", f->name, shown,
		f->dt_path ? f->dt_path : "-", f->driver ? f->driver : "-", (uint16_t)f->vendor,
		(uint16_t)f->device, f->class_code, f->iommu_group, f->numa_node,
		f->problem ? f->problem : "-");
	return 0;
}

static void test_enumerate(void **state)
{
	const char *const gone = "vendor cannot be read: No such file or directory";
	char text[4096] = "", want[4096];

	(void)state;
	snprintf(want, sizeof(want),
		 "0000:01:00.0 sysfs:0000:01:00.0 - vfio-pci 1af4:1041 20000 17 1 -\n"
		 "0000:01:00.1 sysfs:0000:01:00.1 - - 8086:10ed ffffffff -1 -1 "
		 "class cannot be read: No such file or directory\n"
		 "0000:02:00.0 sysfs:0000:02:00.0 - - ffff:ffff ffffffff -1 -1 %s\n"
		 "0000:03:00.0 sysfs:0000:03:00.0 - - ffff:ffff ffffffff -1 -1 %s\n"
		 "0000:04:00.0 sysfs:0000:04:00.0 - - ffff:ffff ffffffff -1 -1 %s\n"
		 "0000:05:00.0 sysfs:0000:05:00.0 - - ffff:ffff ffffffff -1 -1 %s\n"
		 "10000:e0:1f.7 sysfs:10000:e0:1f.7 - - ffff:ffff ffffffff -1 -1 %s\n"
		 "9000000.pl011 #/pl011@9000000 /pl011@9000000 - ffff:ffff ffffffff -1 -1 -\n",
		 gone, gone, gone, gone, gone);
	assert_int_equal(dfd_enumerate(tree_root, list, text), 0);
	assert_string_equal(text, want);
	assert_int_equal(dfd_enumerate("/nowhere", list, text), 0);
	assert_int_equal(dfd_enumerate("/dev/null", list, text), -ENOTDIR);
}

static int stop(void *ctx, const struct dfd_found *found)
{
	(void)found;
	++*(int *)ctx;
	return 42;
}

static void test_stop(void **state)
{
	int calls = 0;

	(void)state;
	assert_int_equal(dfd_enumerate(tree_root, stop, &calls), 42);
	assert_int_equal(calls, 1);
}

/* Whatever machine this runs on: each of its functions can be described. */
static int describe(void *ctx, const struct dfd_found *found)
{
	struct dfd_device *dev;
	struct dfd_error err;
	uint32_t id = 0;

	(void)ctx;
	if (found->bus != DFD_BUS_PCI)
		return 0;
	if (dfd_sysfs_open(NULL, found->name, &dev, &err))
		fail_msg("%s", err.text);
	assert_int_equal(fact(dev, DFD_FACT_VENDOR_ID), found->vendor);
	assert_int_equal(dfd_region_read(dev, 7, 0, &id, 2), 2);
	assert_int_equal(id, found->vendor);
	dfd_device_close(dev);
	return 0;
}

static void test_this_machine(void **state)
{
	(void)state;
	assert_int_equal(dfd_enumerate(NULL, describe, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function),     cmocka_unit_test(test_contents),
		cmocka_unit_test(test_unprivileged), cmocka_unit_test(test_virtual_function),
		cmocka_unit_test(test_bridge),	     cmocka_unit_test(test_no_config),
		cmocka_unit_test(test_failures),     cmocka_unit_test(test_enumerate),
		cmocka_unit_test(test_stop),	     cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
