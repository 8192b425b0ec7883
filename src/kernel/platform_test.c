/* SPDX-License-Identifier: MIT */
/* A platform device through a made-up kernel, and its device-tree node through a made-up sysfs. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/file.h>
#include <devfd/ioctl.h>

#include "fake_kernel.h"
#include "kernel/ofnode.h"
#include "kernel/vfio.h"
#include "tree.h"

#define DEVICE "sys/bus/platform/devices/" FAKE_PLATFORM "/"
#define BASE   "sys/firmware/devicetree/base/"
#define NODE   "bus@8000000/serial@1000000"

static const struct kernel_env env = { tree_root, &fake_calls };

static void put_cells(const char *path, const uint32_t *cells, size_t count)
{
	uint32_t data[32];

	for (size_t i = 0; i < count; i++)
		data[i] = htobe32(cells[i]);
	tree_put(path, data, count * 4);
}

#define CELLS(path, ...)                                                                           \
	put_cells(path, (const uint32_t[]){ __VA_ARGS__ },                                         \
		  sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

/* The node of model:pl011: 0x1000000 on its bus is 0x9000000 for the CPU. */
static void build_node(void)
{
	CELLS(BASE "#address-cells", 2);
	CELLS(BASE "#size-cells", 2);
	CELLS(BASE "bus@8000000/#address-cells", 1);
	CELLS(BASE "bus@8000000/#size-cells", 1);
	CELLS(BASE "bus@8000000/ranges", 0x0, 0, 0x8000000, 0x2000000);
	CELLS(BASE NODE "/reg", 0x1000000, 0x1000);
	tree_put(BASE NODE "/compatible", "arm,pl011\0arm,primecell", 24);
	tree_link(DEVICE "of_node", "../../../../firmware/devicetree/base/" NODE);
}

static int set_up(void **state)
{
	(void)state;
	tree_start();
	tree_link(DEVICE "iommu_group", "../../../../kernel/iommu_groups/3");
	tree_link(DEVICE "driver", "../../../../bus/platform/drivers/vfio-platform");
	build_node();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_stop();
	return 0;
}

static struct dfd_device *open_ok(void)
{
	struct dfd_device *dev;
	struct dfd_error err;

	if (dfd_vfio_open(&env, "platform", FAKE_PLATFORM, &dev, &err))
		fail_msg("%s", err.text);
	return dev;
}

/* What the node tells makes the description that of the model, but for name and compatible. */
static void test_describe(void **state)
{
	const struct dfd_desc *desc;
	const struct dfd_region *r;
	const struct dfd_irq *irq;
	struct dfd_device *dev;

	(void)state;
	fake_start("model:pl011");
	dev = open_ok();
	desc = dfd_device_desc(dev);
	assert_int_equal(dfd_desc_bus(desc), DFD_BUS_DT);
	r = dfd_desc_region(desc, 0);
	assert_true(r->has_phys);
	assert_int_equal(r->phys_addr, 0x9000000);
	assert_string_equal(r->dt.path, "/" NODE);
	assert_int_equal(r->dt.prop_type, DFD_DT_REG);
	irq = dfd_desc_irq(desc, 0);
	assert_int_equal(irq->flags, DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE);
	assert_string_equal(irq->dt.path, "/" NODE);
	assert_int_equal(irq->dt.prop_type, DFD_DT_INTERRUPTS);
	assert_string_equal(dfd_desc_str(desc, DFD_FACT_NAME), "serial@1000000");
	assert_string_equal(dfd_desc_str(desc, DFD_FACT_COMPATIBLE), "arm,pl011 arm,primecell");
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* The same on the bus of AMBA, with a driver of its own. */
static void test_amba(void **state)
{
	const char *amba = "sys/bus/amba/devices/" FAKE_PLATFORM "/driver";
	struct dfd_device *dev;
	struct dfd_error err;
	char advice[128];

	(void)state;
	fake_start("model:pl011");
	tree_remove(DEVICE "driver");
	tree_remove(DEVICE "iommu_group");
	tree_remove(DEVICE "of_node");
	tree_remove("sys/bus/platform/devices/" FAKE_PLATFORM);
	tree_link("sys/bus/amba/devices/" FAKE_PLATFORM "/iommu_group",
		  "../../../../kernel/iommu_groups/3");
	tree_link("sys/bus/amba/devices/" FAKE_PLATFORM "/of_node",
		  "../../../../firmware/devicetree/base/" NODE);
	tree_link(amba, "../../../../bus/amba/drivers/uart-pl011");
	assert_int_equal(dfd_vfio_open(&env, "platform", FAKE_PLATFORM, &dev, &err), -ENODEV);
	snprintf(advice, sizeof(advice), "echo vfio-amba >/sys/bus/amba/devices/%s/driver_override",
		 FAKE_PLATFORM);
	assert_non_null(strstr(err.text, advice));
	tree_remove(amba);
	tree_link(amba, "../../../../bus/amba/drivers/vfio-amba");
	dev = open_ok();
	assert_string_equal(dfd_desc_region(dfd_device_desc(dev), 0)->dt.path, "/" NODE);
	assert_int_equal(dfd_desc_region(dfd_device_desc(dev), 0)->phys_addr, 0x9000000);
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* There is no bus mastering to switch off after it. */
static void test_reset(void **state)
{
	struct dfd_device *dev;

	(void)state;
	fake_start("model:pl011");
	fake.resettable = true;
	dev = open_ok();
	fake.failures[0] = (struct fake_failure){ .request = VFIO_DEVICE_RESET, .times = 1 };
	assert_int_equal(dfd_device_reset(dev), 0);
	dfd_device_close(dev);
	fake_stop();
}

/* One that has masked itself on delivery comes again once it was switched off and on. */
static void test_mask_is_forgotten(void **state)
{
	const struct dfd_irq_set trigger = { .flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER,
					     .count = 1 };
	struct dfd_device *dev;

	(void)state;
	fake_start("model:pl011");
	fake.automasks = true;
	dev = open_ok();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(dfd_irq_enable(dev, 0, 1), 0);
		assert_int_equal(dfd_set_irqs(dev, &trigger), 0);
		assert_int_equal(dfd_set_irqs(dev, &trigger), 0);
		assert_int_equal(dfd_wait_irq(dev, 0, 0, 0), 1);
		assert_int_equal(dfd_irq_disable(dev, 0), 0);
	}
	assert_int_equal(fake.masked, 0);
	dfd_device_close(dev);
	fake_stop();
}

/* The calls of 2011, on what stands for a real kernel's device. */
static void test_calls_of_2011(void **state)
{
	char text[64];
	struct vfio_device_dtpath path = { .type = VFIO_DEVICE_DT_IRQ,
					   .buf_len = sizeof(text),
					   .buf = (uintptr_t)text };
	struct vfio_device_dtindex index = { .type = VFIO_DEVICE_DT_IRQ };
	uint64_t flags = 0, phys = 0;
	struct dfd_device *dev;

	(void)state;
	fake_start("model:pl011");
	dev = open_ok();
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_FLAGS, &flags), 0);
	assert_int_equal(flags, DFD_DEVICE_DT);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_DTPATH, &path), 0);
	assert_string_equal(text, "/" NODE);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_DTINDEX, &index), 0);
	assert_int_equal(index.prop_type, VFIO_DEVICE_DT_PROP_INTERRUPTS);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_REGION_PHYS_ADDR, &phys), 0);
	assert_int_equal(phys, 0x9000000);
	dfd_device_close(dev);
	fake_stop();
}

/* ---- addresses ---- */

static int reg(uint32_t index, uint64_t *addr, uint64_t *size)
{
	char full[256], path[256];
	int dir, ret;

	snprintf(full, sizeof(full), "%s/" DEVICE, tree_root);
	dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ofnode_path(dir, path, sizeof(path)), 0);
	ret = ofnode_reg(dir, path, index, addr, size);
	close(dir);
	return ret;
}

static void test_reg(void **state)
{
	uint64_t addr, size;

	(void)state;
	CELLS(BASE NODE "/reg", 0x1000000, 0x1000, 0x1ffff00, 0x100, 0x1ffff00, 0x101, 0x3000000,
	      4);
	assert_int_equal(reg(0, &addr, &size), 0);
	assert_int_equal(addr, 0x9000000);
	assert_int_equal(size, 0x1000);
	assert_int_equal(reg(1, &addr, &size), 0);
	assert_int_equal(addr, 0x9ffff00);
	assert_int_equal(reg(2, &addr, &size), -EBADMSG); /* over the end of the window */
	assert_int_equal(reg(3, &addr, &size), -ENOENT);  /* outside of it */
	assert_int_equal(reg(4, &addr, &size), -ENOENT);  /* no such entry */
	assert_int_equal(reg(UINT32_MAX, &addr, &size), -ENOENT);
}

static void test_ranges(void **state)
{
	uint64_t addr, size;

	(void)state;
	/* The second window holds it, above 4 GiB. */
	CELLS(BASE "bus@8000000/ranges", 0x8000000, 0, 0x8000000, 0x1000, 0x0, 0x10, 0, 0x2000000);
	assert_int_equal(reg(0, &addr, &size), 0);
	assert_int_equal(addr, 0x1001000000);
	tree_put(BASE "bus@8000000/ranges", "", 0);
	assert_int_equal(reg(0, &addr, &size), 0);
	assert_int_equal(addr, 0x1000000);
	CELLS(BASE "bus@8000000/ranges", 0, 0, 0);
	assert_int_equal(reg(0, &addr, &size), -EBADMSG);
	CELLS(BASE "bus@8000000/ranges", 0, UINT32_MAX, UINT32_MAX, 0x2000000);
	assert_int_equal(reg(0, &addr, &size), -EBADMSG); /* wraps */
	tree_put(BASE "bus@8000000/ranges", "abc", 3);
	assert_int_equal(reg(0, &addr, &size), -EBADMSG);
	tree_remove(BASE "bus@8000000/ranges");
	assert_int_equal(reg(0, &addr, &size), -ENOENT);
}

static void test_cells(void **state)
{
	uint64_t addr, size;

	(void)state;
	CELLS(BASE "bus@8000000/#address-cells", 3); /* as PCI has it */
	assert_int_equal(reg(0, &addr, &size), -ENOENT);
	CELLS(BASE "bus@8000000/#address-cells", 0);
	assert_int_equal(reg(0, &addr, &size), -ENOENT);
	CELLS(BASE "bus@8000000/#address-cells", 1);
	CELLS(BASE "bus@8000000/#size-cells", UINT32_MAX);
	assert_int_equal(reg(0, &addr, &size), -ENOENT);
	tree_remove(BASE "bus@8000000/#size-cells"); /* 1 */
	assert_int_equal(reg(0, &addr, &size), 0);
	tree_put(BASE NODE "/reg", "12345", 5);
	assert_int_equal(reg(0, &addr, &size), -EBADMSG);
}

/* Of another size than what the kernel has: not what it is thought to be. */
static void test_other_size(void **state)
{
	struct dfd_device *dev;

	(void)state;
	fake_start("model:pl011");
	CELLS(BASE NODE "/reg", 0x1000000, 0x2000);
	tree_put(BASE NODE "/compatible", "arm,\1", 6);
	dev = open_ok();
	assert_false(dfd_desc_region(dfd_device_desc(dev), 0)->has_phys);
	assert_null(dfd_desc_str(dfd_device_desc(dev), DFD_FACT_COMPATIBLE));
	dfd_device_close(dev);
	fake_stop();
}

/* As platform devices of ACPI. */
static void test_no_node(void **state)
{
	struct dfd_device *dev;

	(void)state;
	fake_start("model:pl011");
	tree_remove(DEVICE "of_node");
	dev = open_ok();
	assert_null(dfd_desc_region(dfd_device_desc(dev), 0)->dt.path);
	assert_null(dfd_desc_str(dfd_device_desc(dev), DFD_FACT_NAME));
	dfd_device_close(dev);
	fake_stop();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_describe),	  TEST(test_mask_is_forgotten),
		TEST(test_amba),	  TEST(test_reset),
		TEST(test_calls_of_2011), TEST(test_reg),
		TEST(test_ranges),	  TEST(test_cells),
		TEST(test_other_size),	  TEST(test_no_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
