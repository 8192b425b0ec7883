/* SPDX-License-Identifier: MIT */
/* A PCI function through a made-up kernel, which has a model behind it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/file.h>
#include <devfd/view.h>

#include "abi/vfio.h"
#include "fake_kernel.h"
#include "kernel/pci_vfio.h"
#include "tree.h"

#define FUNCTION "sys/bus/pci/devices/0000:01:00.0/"

static const struct kernel_env env = { tree_root, &fake_calls };

static int set_up(void **state)
{
	(void)state;
	tree_start();
	tree_text(FUNCTION "numa_node", "1\n");
	tree_text(FUNCTION "resource",
		  "0x00000000fea00000 0x00000000feafffff 0x0000000000040200\n");
	tree_link(FUNCTION "iommu_group", "../../../../kernel/iommu_groups/7");
	tree_link(FUNCTION "driver", "../../../../bus/pci/drivers/vfio-pci");
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

	if (dfd_pci_open(&env, "01:00.0", &dev, &err))
		fail_msg("%s", err.text);
	return dev;
}

static void finish(struct dfd_device *dev)
{
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* ---- the description ---- */

static void test_describe(void **state)
{
	const struct dfd_region *r;
	struct dfd_device *dev;
	uint64_t node = 0;

	(void)state;
	fake_start("model:edu");
	fake.mmap = 1;
	dev = open_ok();
	r = dfd_desc_region(dfd_device_desc(dev), 0);
	assert_int_equal(r->size, 1 << 20);
	assert_int_equal(r->flags, DFD_REGION_MAPPABLE);
	assert_int_equal(r->offset, UINT64_C(1) << 40);
	assert_int_equal(r->phys_addr, 0xfea00000);
	assert_int_equal(r->num_areas, 0);
	assert_int_equal(dfd_desc_region(dfd_device_desc(dev), 7)->offset, UINT64_C(8) << 40);
	assert_true(dfd_desc_num(dfd_device_desc(dev), DFD_FACT_NUMA_NODE, &node));
	assert_int_equal(node, 1);
	assert_true(dfd_desc_num(dfd_device_desc(dev), DFD_FACT_DEVICE_ID, &node));
	assert_int_equal(node, 0x11e8);
	assert_int_equal(dfd_desc_vectors(dfd_device_desc(dev), DFD_PCI_MSI), 1);
	assert_int_equal(dfd_desc_flags(dfd_device_desc(dev)), DFD_DEVICE_PCI | DFD_DEVICE_RESET);
	finish(dev);
}

/* The three views of its file say the same, as for any device. */
static void test_views(void **state)
{
	static const char *const models[] = { "model:edu", "model:edu,msix", "model:shapes" };

	(void)state;
	for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++) {
		struct dfd_view views[DFD_NUM_VIEWS];
		struct dfd_view_report report;
		struct dfd_device *dev;
		struct dfd_file *file;

		fake_start(models[i]);
		fake.mmap = 5;
		dev = open_ok();
		file = dfd_file_new(dev);
		for (int v = 0; v < DFD_NUM_VIEWS; v++)
			assert_int_equal(dfd_view_get((enum dfd_view_kind)v, &dfd_fd_file, file,
						      &views[v], NULL),
					 0);
		assert_int_equal(dfd_view_compare(views, NULL, NULL, NULL, &report), 0);
		assert_true(report.facts > 20);
		assert_int_equal(report.differences, 0);
		for (int v = 0; v < DFD_NUM_VIEWS; v++)
			dfd_desc_unref(views[v].desc);
		dfd_file_free(file);
		finish(dev);
	}
}

/* The MSI-X table of the model is at the start of BAR 2, which has one page. */
static void test_msix_hole(void **state)
{
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu,msix");
	fake.mmap = 5;
	dev = open_ok();
	assert_int_equal(dfd_desc_region(dfd_device_desc(dev), 0)->flags, DFD_REGION_MAPPABLE);
	assert_int_equal(dfd_desc_region(dfd_device_desc(dev), 2)->flags, 0);
	finish(dev);
	fake_start("model:edu,msix");
	fake.mmap = 5;
	fake.msix_mappable = true;
	dev = open_ok();
	assert_int_equal(dfd_desc_region(dfd_device_desc(dev), 2)->flags, DFD_REGION_MAPPABLE);
	assert_int_equal(dfd_desc_region(dfd_device_desc(dev), 2)->num_areas, 0);
	assert_int_equal(dfd_desc_region(dfd_device_desc(dev), 2)->num_caps, 1);
	finish(dev);
}

static void test_map_region(void **state)
{
	struct dfd_device *dev;
	uint64_t offset;
	void *addr;
	int fd;

	(void)state;
	fake_start("model:edu");
	fake.mmap = 1;
	dev = open_ok();
	assert_int_equal(dfd_region_backing(dev, 0, &fd, &offset), 0);
	assert_int_equal(offset, 0); /* the kernel's, not ours */
	assert_int_equal(pwrite(fd, "devfd", 5, 0x1000), 5);
	assert_int_equal(dfd_region_mmap(dev, 0, 0x1000, 0x1000, PROT_READ, &addr), 0);
	assert_memory_equal(addr, "devfd", 5);
	munmap(addr, 0x1000);
	assert_int_equal(dfd_region_mmap(dev, 7, 0, 256, PROT_READ, &addr), -EINVAL);
	finish(dev);
}

/* ---- a driver ---- */

static uint32_t get(struct dfd_device *dev, uint64_t reg)
{
	uint32_t value;

	assert_int_equal(dfd_region_read(dev, 0, reg, &value, 4), 4);
	return value;
}

static void put(struct dfd_device *dev, uint32_t region, uint64_t reg, uint64_t value, size_t len)
{
	assert_int_equal(dfd_region_write(dev, region, reg, &value, len), len);
}

static void run_dma(struct dfd_device *dev, uint64_t src, uint64_t dst, uint32_t command)
{
	put(dev, 0, 0x80, src, 8);
	put(dev, 0, 0x88, dst, 8);
	put(dev, 0, 0x90, 4096, 8);
	put(dev, 0, 0x98, command | 5, 4);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSI, 0, 5000), 1);
	assert_int_equal(get(dev, 0x24), 0x100);
	put(dev, 0, 0x64, 0x100, 4);
}

static void test_drive(void **state)
{
	struct dfd_dma_buf buf;
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	assert_int_equal(dfd_service_thread(fake.model), 0);
	dev = open_ok();
	assert_int_equal(get(dev, 0), 0x010000ed);
	put(dev, 7, 4, 6, 2);
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_MSI, 1), 0);
	assert_int_equal(fake.irq_argsz, 24);
	assert_int_equal(fake.irq_flags, DFD_IRQ_ACTION_TRIGGER | DFD_IRQ_DATA_EVENTFD);
	put(dev, 0, 0x20, 0x80, 4);
	put(dev, 0, 0x08, 10, 4);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSI, 0, 5000), 1);
	assert_int_equal(get(dev, 0x08), 3628800);
	put(dev, 0, 0x64, 1, 4);
	assert_int_equal(dfd_dma_alloc(dev, 8192, 0xfffffff, &buf), 0);
	assert_true(buf.iova && buf.iova + buf.size - 1 <= 0xfffffff);
	memset(buf.addr, 0x3c, 4096);
	run_dma(dev, buf.iova, 0x40000, 0);
	run_dma(dev, 0x40000, buf.iova + 4096, 2);
	assert_memory_equal(buf.addr, (char *)buf.addr + 4096, 4096);
	dfd_dma_free(dev, &buf);
	assert_int_equal(fake.maps, 0);
	assert_int_equal(dfd_irq_disable(dev, DFD_PCI_MSI), 0);
	assert_int_equal(fake.irq_argsz, 20);
	finish(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describe),  cmocka_unit_test(test_views),
		cmocka_unit_test(test_msix_hole), cmocka_unit_test(test_map_region),
		cmocka_unit_test(test_drive),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
