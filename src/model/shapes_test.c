/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/mman.h>

#include "model/model_test.h"

#define REG_ID	    0x0
#define REG_MESSAGE 0x4
#define REG_SCRATCH 0x8

static void test_regions(void **state)
{
	struct dfd_device *dev = open_model("shapes");
	const struct dfd_desc *desc = dfd_device_desc(dev);
	const struct dfd_region *r = dfd_desc_region(desc, 0);
	const uint32_t type[2] = { 0x80001234, 1 };
	uint32_t count;

	(void)state;
	assert_int_equal(r->flags, DFD_REGION_MAPPABLE);
	assert_int_equal(r->num_areas, 2);
	assert_null(dfd_desc_region(desc, 1));
	assert_int_equal(dfd_desc_region(desc, 2)->flags, DFD_REGION_IOPORT);
	assert_null(dfd_desc_region(desc, 3));
	assert_int_equal(dfd_desc_region(desc, 6)->flags, DFD_REGION_READ_ONLY);
	assert_null(dfd_desc_region(desc, 8));
	r = dfd_desc_region(desc, 9);
	assert_int_equal(r->size, 100);
	assert_int_equal(r->num_caps, 1);
	assert_int_equal(r->caps[0].id, 2);
	assert_int_equal(r->caps[0].size, 8);
	assert_memory_equal(r->caps[0].data, type, 8);
	dfd_desc_irqs(desc, &count);
	assert_int_equal(count, 0);
	dfd_device_close(dev);
}

/* BAR 0 is 64 bit and prefetchable, BAR 2 is I/O; sizing as firmware does it. */
static void test_bars(void **state)
{
	struct dfd_device *dev = open_model("shapes");

	(void)state;
	put(dev, DFD_PCI_CONFIG, 0x10, 8, UINT64_MAX);
	assert_int_equal(get(dev, DFD_PCI_CONFIG, 0x10, 8), 0xffffffffffff000c);
	put(dev, DFD_PCI_CONFIG, 0x18, 4, UINT32_MAX);
	assert_int_equal(get(dev, DFD_PCI_CONFIG, 0x18, 4), 0xffffffe1);
	put(dev, DFD_PCI_CONFIG, 0x1c, 4, UINT32_MAX);
	assert_int_equal(get(dev, DFD_PCI_CONFIG, 0x1c, 4), 0);
	assert_int_equal(get(dev, DFD_PCI_CONFIG, 0x3d, 1), 0);
	dfd_device_close(dev);
}

static void test_rom(void **state)
{
	struct dfd_device *dev = open_model("shapes");
	unsigned char byte = 0;

	(void)state;
	assert_int_equal(get(dev, DFD_PCI_ROM, 0, 2), 0xaa55);
	assert_int_equal(get(dev, DFD_PCI_ROM, get(dev, DFD_PCI_ROM, 0x18, 2), 4), 0x52494350);
	assert_int_equal(get(dev, DFD_PCI_ROM, 0x1c + 4, 4), 0x5a9e1234);
	assert_int_equal(dfd_region_write(dev, DFD_PCI_ROM, 0, &byte, 1), -EINVAL);
	dfd_device_close(dev);
}

static void test_ports(void **state)
{
	struct dfd_device *dev = open_model("shapes");
	uint32_t value;

	(void)state;
	put(dev, 2, 30, 2, 0xbeef);
	assert_int_equal(get(dev, 2, 31, 1), 0xbe);
	set_command(dev, 2); /* I/O decode off */
	assert_int_equal(dfd_region_read(dev, 2, 0, &value, 4), -EIO);
	assert_int_equal(get(dev, 0, REG_ID, 4), 0x53484150);
	dfd_device_close(dev);
}

static void test_extra_region(void **state)
{
	struct dfd_device *dev = open_model("shapes");
	unsigned char buf[16] = "0123456789abcde";

	(void)state;
	assert_int_equal(dfd_region_write(dev, 9, 90, buf, 16), 10);
	assert_int_equal(dfd_region_read(dev, 9, 98, buf, 16), 2);
	assert_int_equal(buf[0], '8');
	set_command(dev, 0); /* not a BAR: decode does not matter */
	assert_int_equal(get(dev, 9, 90, 1), '0');
	dfd_device_close(dev);
}

static void test_registers(void **state)
{
	struct dfd_device *dev = open_model("shapes");
	unsigned char buf[8] = { 0 };

	(void)state;
	put32(dev, REG_SCRATCH, 0x12345678);
	assert_int_equal(get32(dev, REG_SCRATCH), 0x12345678);
	assert_int_equal(get32(dev, REG_MESSAGE), 0);
	assert_int_equal(dfd_region_read(dev, 0, REG_ID, buf, 8), -EIO);
	assert_int_equal(dfd_region_read(dev, 0, REG_ID + 2, buf, 4), -EIO);
	assert_int_equal(dfd_region_write(dev, 0, REG_ID + 2, buf, 4), -EIO);
	dfd_device_close(dev);
}

static void test_reset(void **state)
{
	static const struct {
		uint32_t region;
		uint64_t offset;
	} places[] = { { 0, REG_SCRATCH }, { 0, 0x1000 }, { 0, 0x5000 }, { 2, 0 }, { 9, 96 } };

	struct dfd_device *dev = open_model("shapes");

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		put(dev, places[i].region, places[i].offset, 4, 0x12345678);
	assert_int_equal(dfd_device_reset(dev), 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		assert_int_equal(get(dev, places[i].region, places[i].offset, 4), 0);
	assert_int_equal(get(dev, DFD_PCI_ROM, 0, 2), 0xaa55);
	dfd_device_close(dev);
}

static void test_map(void **state)
{
	struct dfd_device *dev = open_model("shapes");
	uint64_t offset;
	void *low, *high, *none;
	int fd;

	(void)state;
	assert_int_equal(dfd_region_mmap(dev, 0, 0, 4096, PROT_READ, &none), -EINVAL);
	assert_int_equal(dfd_region_mmap(dev, 0, 0x3000, 0x2000, PROT_READ, &none), -EINVAL);
	assert_int_equal(dfd_region_mmap(dev, 0, 0x8000, 4096, PROT_READ, &none), -EINVAL);
	assert_int_equal(dfd_region_mmap(dev, 2, 0, 4096, PROT_READ, &none), -EINVAL);
	assert_int_equal(dfd_region_mmap(dev, 0, 0x1000, 0x3000, PROT_READ | PROT_WRITE, &low), 0);
	assert_int_equal(dfd_region_mmap(dev, 0, 0xf000, 0x1000, PROT_READ, &high), 0);

	memcpy((char *)low + 0x10, "by map", 7);
	assert_int_equal(get(dev, 0, 0x1010, 1), 'b');
	put(dev, 0, 0xfff8, 8, 0x1122334455667788);
	assert_int_equal(dfd_reg_load((char *)high + 0xff8, 8), 0x1122334455667788);

	assert_int_equal(dfd_region_backing(dev, 0, &fd, &offset), 0);
	assert_int_equal(offset, 0);
	assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK);

	/* A reset clears the memory under the maps, which stay. */
	assert_int_equal(dfd_device_reset(dev), 0);
	assert_int_equal(*((char *)low + 0x10), 0);
	assert_int_equal(*((char *)high + 0xff8), 0);
	munmap(low, 0x3000);
	munmap(high, 0x1000);
	dfd_device_close(dev);
}

static void test_messages(void **state)
{
	static const struct {
		uint32_t index, count;
	} cases[] = { { DFD_PCI_MSI, 4 }, { DFD_PCI_MSIX, 5 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct dfd_device *dev = open_model("shapes");

		set_command(dev, 6);
		assert_int_equal(dfd_irq_enable(dev, cases[i].index, cases[i].count), 0);
		for (uint32_t v = 0; v <= cases[i].count; v++)
			put32(dev, REG_MESSAGE, v); /* the last one is out of range */
		put32(dev, REG_MESSAGE, 2);
		for (uint32_t v = 0; v < cases[i].count; v++)
			assert_int_equal(dfd_wait_irq(dev, cases[i].index, v, 0), v == 2 ? 2 : 1);
		dfd_device_close(dev);
	}
}

/* A masked vector pends, and the pending-bit array says so. */
static void test_pending_bits(void **state)
{
	struct dfd_device *dev = open_model("shapes");
	const struct dfd_irq_set mask = { .flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_MASK,
					  .index = DFD_PCI_MSIX,
					  .start = 3,
					  .count = 1 };
	struct dfd_irq_set unmask = mask;

	(void)state;
	set_command(dev, 6);
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_MSIX, 5), 0);
	assert_int_equal(dfd_set_irqs(dev, &mask), 0);
	put32(dev, REG_MESSAGE, 3);
	put32(dev, REG_MESSAGE, 3);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 3, 0), 0);
	assert_int_equal(get(dev, 0, 0x8800, 8), 1 << 3);
	unmask.flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_UNMASK;
	assert_int_equal(dfd_set_irqs(dev, &unmask), 0);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 3, 0), 1);
	assert_int_equal(get(dev, 0, 0x8800, 8), 0);
	dfd_device_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regions),	     cmocka_unit_test(test_bars),
		cmocka_unit_test(test_rom),	     cmocka_unit_test(test_ports),
		cmocka_unit_test(test_extra_region), cmocka_unit_test(test_registers),
		cmocka_unit_test(test_reset),	     cmocka_unit_test(test_map),
		cmocka_unit_test(test_messages),     cmocka_unit_test(test_pending_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
