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

#include <devfd/feature.h>
#include <devfd/file.h>
#include <devfd/view.h>

#include "abi/vfio.h"
#include "fake_kernel.h"
#include "kernel/vfio.h"
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

	if (dfd_vfio_open(&env, "pci", "01:00.0", &dev, &err))
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

static void test_msix_areas(void **state)
{
	static const struct {
		uint32_t table;
		struct dfd_area areas[2];
	} cases[] = {
		{ 0x8, { { 0x1000, 0xff000 } } },
		{ 0x2ff8, { { 0, 0x2000 }, { 0x4000, 0xfc000 } } }, /* across a page */
		{ 0xff010, { { 0, 0xff000 } } },
		{ 0x100000, { { 0 } } }, /* beyond the BAR: there is nothing to hide */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct dfd_area *want = cases[i].areas;
		const struct dfd_region *r;
		struct dfd_device *dev;

		fake_start("model:edu,msix");
		fake.mmap = 5;
		fake.msix_table = cases[i].table;
		dev = open_ok();
		r = dfd_desc_region(dfd_device_desc(dev), 0);
		assert_int_equal(r->flags, DFD_REGION_MAPPABLE);
		assert_int_equal(r->num_areas, !!want[0].size + !!want[1].size);
		for (uint32_t n = 0; n < r->num_areas; n++) {
			assert_int_equal(r->areas[n].offset, want[n].offset);
			assert_int_equal(r->areas[n].size, want[n].size);
		}
		finish(dev);
	}
}

/* Older kernels cut the table out themselves and list the areas. */
static void test_areas_of_kernel(void **state)
{
	const struct dfd_region *r;
	struct dfd_device *dev;

	(void)state;
	fake_start("model:shapes");
	fake.msix_table = 0x2000; /* in BAR 0 */
	dev = open_ok();
	r = dfd_desc_region(dfd_device_desc(dev), 0);
	assert_int_equal(r->num_areas, 2);
	assert_int_equal(r->areas[0].offset, 0x1000);
	assert_int_equal(r->areas[0].size, 0x3000);
	finish(dev);
}

/* It is in no list of drivers and knows no physical addresses. */
static void test_mediated(void **state)
{
	struct dfd_device *dev;
	struct dfd_error err;

	(void)state;
	tree_link("sys/bus/mdev/devices/" FAKE_UUID "/iommu_group",
		  "../../../../kernel/iommu_groups/9");
	fake_start("model:edu");
	fake.no_ranges = true;
	assert_int_equal(dfd_vfio_open(&env, "mdev", FAKE_UUID, &dev, &err), 0);
	assert_false(dfd_desc_region(dfd_device_desc(dev), 0)->has_phys);
	finish(dev);
	assert_int_equal(dfd_vfio_open(&env, "mdev", FAKE_UUID "0", &dev, &err), -EINVAL);
	assert_int_equal(dfd_vfio_open(&env, "mdev", "83b8f4f2", &dev, &err), -EINVAL);
	assert_int_equal(
		dfd_vfio_open(&env, "mdev", "../../../../bus/pci/devices/0000:01:00.0", &dev, &err),
		-EINVAL);
	assert_int_equal(
		dfd_vfio_open(&env, "mdev", "00000000-0000-0000-0000-000000000000", &dev, &err),
		-ENOENT);
}

/* Without power a function answers all ones, whatever it is asked. */
static void test_dead(void **state)
{
	struct dfd_device *dev;
	struct dfd_error err;

	(void)state;
	fake_start("model:edu");
	fake.dead = true;
	assert_int_equal(dfd_vfio_open(&env, "pci", "01:00.0", &dev, &err), -EIO);
	assert_non_null(strstr(err.text, "all ones"));
	assert_int_equal(fake.open, 0);
	fake_stop();
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
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSI, 0, 60000), 1);
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
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSI, 0, 60000), 1);
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

/* ---- the rest of the operations ---- */

static void test_reset(void **state)
{
	struct dfd_device *dev;
	uint16_t command = 0;

	(void)state;
	fake_start("model:edu");
	dev = open_ok();
	put(dev, 7, 4, 6, 2);
	/* As the kernel, which puts the command register back as it was. */
	fake.failures[0] = (struct fake_failure){ .request = VFIO_DEVICE_RESET, .times = 1 };
	assert_int_equal(dfd_device_reset(dev), 0);
	assert_int_equal(dfd_region_read(dev, 7, 4, &command, 2), 2);
	assert_int_equal(command & 6, 2);
	fake.failures[0] = (struct fake_failure){ VFIO_DEVICE_RESET, NULL, -EAGAIN, 3 };
	assert_int_equal(dfd_device_reset(dev), 0);
	assert_int_equal(fake.failures[0].times, 0);
	fake.failures[0].times = -1;
	assert_int_equal(dfd_device_reset(dev), -EAGAIN);
	fake.failures[0].ret = -EIO;
	assert_int_equal(dfd_device_reset(dev), -EIO);
	finish(dev);
}

static void test_irqs(void **state)
{
	static const uint8_t one = 1;
	const struct dfd_irq_set loopback = {
		DFD_IRQ_DATA_BOOL | DFD_IRQ_ACTION_TRIGGER, DFD_PCI_INTX, 0, 1, NULL, &one
	};
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_ok();
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_INTX, 1), 0);
	assert_int_equal(dfd_set_irqs(dev, &loopback), 0);
	assert_int_equal(fake.irq_argsz, 21);
	assert_int_equal(fake.irq_flags, loopback.flags);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0), 1);
	assert_int_equal(dfd_irq_unmask(dev, DFD_PCI_INTX), 0);
	/* Only one of INTx and MSI at a time; and fewer vectors than asked for. */
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_MSI, 1), -EINVAL);
	assert_int_equal(dfd_irq_disable(dev, DFD_PCI_INTX), 0);
	fake.failures[0] = (struct fake_failure){ VFIO_DEVICE_SET_IRQS, NULL, 7, 1 };
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_MSI, 1), 7);
	finish(dev);
}

static void test_feature(void **state)
{
	const uint32_t get_state = 2 | VFIO_DEVICE_FEATURE_GET;
	uint8_t body[8] = { 0 }, large[5000];
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_ok();
	assert_int_equal(dfd_device_feature(dev, get_state, body, sizeof(body)), 0);
	assert_int_equal(fake.feature_flags, get_state);
	assert_int_equal(body[7], 0x5a);
	assert_int_equal(dfd_device_feature(dev, 2 | VFIO_DEVICE_FEATURE_PROBE, NULL, 0), 0);
	assert_int_equal(dfd_device_feature(dev, get_state, large, sizeof(large)), -EINVAL);
	fake.failures[0] = (struct fake_failure){ VFIO_DEVICE_FEATURE, NULL, -ENOTTY, 1 };
	assert_int_equal(dfd_device_feature(dev, get_state, body, sizeof(body)), -ENOTTY);
	finish(dev);
}

struct matrix {
	uint32_t count;
	uint32_t numbers[8];
	uint32_t directions[8];
};

static int note_feature(void *ctx, uint32_t number, uint32_t directions)
{
	struct matrix *m = ctx;

	m->numbers[m->count] = number;
	m->directions[m->count++] = directions;
	return m->count == 4 ? 7 : 0;
}

static void test_probe_features(void **state)
{
	const uint32_t both = DFD_FEATURE_GET | DFD_FEATURE_SET;
	struct dfd_device *dev;
	struct matrix m = { 0 };

	(void)state;
	fake_start("model:edu");
	dev = open_ok();
	fake.feature_gets = 1u << 1 | 1u << 2 | UINT64_C(1) << 40;
	fake.feature_sets = 1u << 2;
	assert_int_equal(dfd_feature_probe(dev, note_feature, &m), 0);
	assert_int_equal(m.count, 3);
	assert_int_equal(m.numbers[0], DFD_FEATURE_MIGRATION);
	assert_int_equal(m.directions[0], DFD_FEATURE_GET);
	assert_int_equal(m.directions[1], both);
	assert_int_equal(m.numbers[2], 40);
	assert_string_equal(dfd_feature_name(m.numbers[1]), "MIG_DEVICE_STATE");
	assert_null(dfd_feature_name(40));
	fake.feature_gets |= 1;
	m.count = 0;
	assert_int_equal(dfd_feature_probe(dev, note_feature, &m), 7);
	finish(dev);
}

/* Each call has the number and the body of linux/vfio.h. */
static void test_typed_features(void **state)
{
	static const uint8_t uuid[16] = "0123456789abcde";
	const struct dfd_area areas[] = { { 0, 0x1000 }, { 0x2000, 0x1000 } };
	const struct dfd_dma_range range = { 0x10000, 0x40000 };
	uint64_t number, bits = 0;
	struct dfd_device *dev;
	uint32_t mig;
	int fd;

	(void)state;
	fake_start("model:edu");
	dev = open_ok();
	assert_int_equal(dfd_set_vf_token(dev, uuid), 0);
	assert_int_equal(fake.feature_flags, 0 | DFD_FEATURE_SET);
	assert_memory_equal(fake.feature_body, uuid, 16);
	assert_int_equal(dfd_migration_flags(dev, &number), 0);
	assert_int_equal(number, 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(dfd_migration_get(dev, &mig), 0);
	assert_string_equal(dfd_migration_state_name(mig), "?");
	assert_int_equal(dfd_migration_set(dev, DFD_MIGRATION_STATE_STOP_COPY, &fd), 0);
	assert_int_equal(fake.feature_body[0], 3);
	assert_int_equal(fd, -1);
	assert_int_equal(dfd_low_power(dev, 17), 0);
	assert_int_equal(fake.feature_body[0], 17);
	assert_int_equal(dfd_low_power(dev, -1), 0);
	assert_int_equal(fake.feature_flags, 3 | DFD_FEATURE_SET);
	assert_int_equal(dfd_low_power_end(dev), 0);
	assert_int_equal(dfd_dma_logging_start(dev, 4096, &range, 0), -EINVAL);
	assert_int_equal(dfd_dma_logging_start(dev, 512, &range, 1), -EINVAL);
	assert_int_equal(dfd_dma_logging_report(dev, &range, 4097, &bits), -EINVAL);
	assert_int_equal(dfd_dma_logging_start(dev, 4096, &range, 1), 0);
	memcpy(&number, fake.feature_body + 16, 8);
	assert_ptr_equal((void *)(uintptr_t)number, &range);
	assert_int_equal(dfd_dma_logging_report(dev, &range, 4096, &bits), 0);
	assert_int_equal(fake.feature_flags, 8 | DFD_FEATURE_GET);
	assert_int_equal(dfd_dma_logging_stop(dev), 0);
	assert_int_equal(dfd_migration_size(dev, &number), 0);
	assert_int_equal(dfd_set_bus_master(dev, true), 0);
	assert_int_equal(fake.feature_body[0], 1);
	fake.feature_ret = 55;
	assert_int_equal(dfd_region_dmabuf(dev, 2, areas, 2), 55);
	assert_int_equal(fake.feature_body[0], 2);
	assert_int_equal(fake.feature_body[12], 2);
	assert_int_equal(fake.feature_body[33], 0x20);
	assert_int_equal(dfd_region_dmabuf(dev, 2, areas, 65), -EINVAL);
	fake.feature_gets = fake.feature_sets = 0;
	assert_int_equal(dfd_low_power_end(dev), -ENOTTY);
	assert_int_equal(dfd_dma_logging_start(dev, 512, &range, 1), -ENOTTY);
	assert_int_equal(dfd_dma_logging_report(dev, &range, 512, &bits), -ENOTTY);
	assert_int_equal(dfd_region_dmabuf(dev, 2, areas, 0), -ENOTTY);
	finish(dev);
}

/* ---- DMA ---- */

static char page[4 * 4096] __attribute__((aligned(4096)));

static int map_at(struct dfd_device *dev, uint64_t *iova, uint64_t max, uint64_t size)
{
	struct dfd_dma_map map = {
		.iova = *iova, .max_iova = max, .size = size, .prot = DFD_DMA_READ, .addr = page
	};
	int ret = dfd_dma_map(dev, &map);

	*iova = map.iova;
	return ret;
}

static void test_choose(void **state)
{
	uint64_t iova = DFD_IOVA_ANY, unmapped;
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_ok();
	assert_int_equal(map_at(dev, &iova, 0, 4096), 0);
	assert_int_equal(iova, 4096);
	iova = 0xfedfe000;
	assert_int_equal(map_at(dev, &iova, 0, 8192), 0);
	iova = 0xfedff000;
	assert_int_equal(map_at(dev, &iova, 0, 4096), -EEXIST);
	iova = 0xfee00000;
	assert_int_equal(map_at(dev, &iova, 0, 4096), -EINVAL);
	iova = DFD_IOVA_ANY;
	assert_int_equal(map_at(dev, &iova, 0x2fff, 8192), -ENOSPC);
	assert_int_equal(iova, DFD_IOVA_ANY);
	assert_int_equal(map_at(dev, &iova, 0x3fff, 8192), 0);
	assert_int_equal(iova, 0x2000);
	/* A piece of a map cannot go; all of them can, the gaps between them included. */
	assert_int_equal(dfd_dma_unmap(dev, 0x2000, 4096, &unmapped), -EINVAL);
	assert_int_equal(dfd_dma_unmap(dev, 0x5000, 4096, &unmapped), 0);
	assert_int_equal(unmapped, 0);
	assert_int_equal(dfd_dma_unmap(dev, 0, UINT64_MAX, &unmapped), 0);
	assert_int_equal(unmapped, 4096 + 8192 + 8192);
	finish(dev);
}

/* The window of message interrupts is no address, however much is mapped below it. */
static void test_window(void **state)
{
	const uint64_t window = 0xfee00000, below = window - 0x1000;
	struct dfd_dma_map map = {
		.iova = 0x1000, .size = below, .prot = DFD_DMA_READ, .addr = page
	};
	uint64_t iova = DFD_IOVA_ANY;
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_ok();
	assert_int_equal(dfd_dma_map(dev, &map), 0);
	assert_int_equal(map_at(dev, &iova, 0, 4096), 0);
	assert_int_equal(iova, 0xfef00000);
	finish(dev);
	fake_start("model:edu");
	fake.no_ranges = true; /* as of mediated devices */
	dev = open_ok();
	iova = window;
	assert_int_equal(map_at(dev, &iova, 0, 4096), 0);
	finish(dev);
}

static void chain_in_a_circle(struct fake_chain *c)
{
	c->ranges.next = 24;
}

static void chain_leaves(struct fake_chain *c)
{
	c->avail.next = 1000;
}

static void too_many_ranges(struct fake_chain *c)
{
	c->count = 3;
}

static void huge_number_of_ranges(struct fake_chain *c)
{
	c->count = UINT32_MAX;
}

static void range_backwards(struct fake_chain *c)
{
	c->list[1].end = 1;
}

static void test_container_lies(void **state)
{
	void (*const lies[])(struct fake_chain *) = { chain_in_a_circle, chain_leaves,
						      too_many_ranges, huge_number_of_ranges,
						      range_backwards };

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct dfd_device *dev;

		fake_start("model:edu");
		fake.spoil = lies[i];
		assert_int_equal(dfd_vfio_open(&env, "pci", "01:00.0", &dev, NULL), -EBADMSG);
		assert_int_equal(fake.open, 0);
		fake_stop();
	}
}

/* As many as a container takes; what becomes free in between is taken again. */
static void test_many_maps(void **state)
{
	const unsigned int count = 65535;
	struct dfd_device *dev;
	uint64_t iova, unmapped;

	(void)state;
	fake_start("model:edu");
	dev = open_ok();
	for (uint64_t i = 1; i <= count; i++) {
		iova = DFD_IOVA_ANY;
		assert_int_equal(map_at(dev, &iova, 0, 4096), 0);
		assert_int_equal(iova, i * 4096);
	}
	iova = DFD_IOVA_ANY;
	assert_int_equal(map_at(dev, &iova, 0, 4096), -ENOSPC);
	fake.entries = UINT32_MAX;
	assert_int_equal(dfd_dma_unmap(dev, 0x5000, 8192, NULL), 0);
	iova = DFD_IOVA_ANY;
	assert_int_equal(map_at(dev, &iova, 0, 12288), 0);
	assert_int_equal(iova, (count + UINT64_C(1)) * 4096);
	iova = DFD_IOVA_ANY;
	assert_int_equal(map_at(dev, &iova, 0, 4096), 0);
	assert_int_equal(iova, 0x5000);
	assert_int_equal(dfd_dma_unmap(dev, 0, UINT64_MAX, &unmapped), 0);
	assert_int_equal(unmapped, (count + UINT64_C(2)) * 4096); /* 65535 - 2 + 3 + 1 pages */
	iova = 0;
	assert_int_equal(map_at(dev, &iova, 0, 4096), 0);
	assert_int_equal(dfd_dma_unmap(dev, 0, 4096, NULL), 0);
	iova = DFD_IOVA_ANY;
	assert_int_equal(map_at(dev, &iova, 0, 4096), 0);
	assert_int_equal(iova, 4096);
	finish(dev);
}

static void test_large_pages(void **state)
{
	struct dfd_device *dev;
	uint64_t iova = DFD_IOVA_ANY;

	(void)state;
	fake_start("model:edu");
	fake.page_sizes = 0x10000;
	dev = open_ok();
	assert_int_equal(map_at(dev, &iova, 0, 4096), -EINVAL);
	finish(dev);
}

static void test_file(void **state)
{
	struct dfd_dma_map map = { .iova = DFD_IOVA_ANY,
				   .size = 8192,
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_FD,
				   .fd_offset = 4096 };
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_ok();
	map.fd = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(ftruncate(map.fd, 12288), 0);
	assert_int_equal(dfd_dma_map(dev, &map), 0);
	assert_int_equal(dfd_dma_unmap(dev, map.iova, map.size, NULL), 0);
	map.fd_offset = 100;
	assert_int_equal(dfd_dma_map(dev, &map), -EINVAL);
	map.fd_offset = 0;
	map.iova = DFD_IOVA_ANY;
	assert_int_equal(dfd_dma_map(dev, &map), 0); /* left to closing */
	close(map.fd);
	map.iova = DFD_IOVA_ANY;
	assert_int_equal(dfd_dma_map(dev, &map), -EBADF);
	map.kind = DFD_DMA_MESSAGE;
	map.io = &(struct dfd_dma_io){ (void *)test_file, (void *)test_file };
	assert_int_equal(dfd_dma_map(dev, &map), -EOPNOTSUPP);
	finish(dev);
}

/* ---- every call fails once ---- */

static void test_sweep(void **state)
{
	unsigned int calls;

	(void)state;
	fake_start("model:edu,msix");
	for (unsigned int n = 1;; n++) {
		struct dfd_device *dev = NULL;
		struct dfd_error err = { 0 };
		int ret;

		fake.calls = 0;
		fake.fail_at = n;
		ret = dfd_vfio_open(&env, "pci", "01:00.0", &dev, &err);
		calls = fake.calls;
		if (!ret)
			dfd_device_close(dev);
		else if (!err.text[0] || ret != err.code || dev)
			fail_msg("call %u: %d %s", n, ret, err.text);
		assert_int_equal(fake.open, 0);
		if (calls < n)
			break;
	}
	assert_true(calls > 25);
	fake_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describe),       cmocka_unit_test(test_views),
		cmocka_unit_test(test_msix_hole),      cmocka_unit_test(test_map_region),
		cmocka_unit_test(test_drive),	       cmocka_unit_test(test_reset),
		cmocka_unit_test(test_irqs),	       cmocka_unit_test(test_feature),
		cmocka_unit_test(test_choose),	       cmocka_unit_test(test_window),
		cmocka_unit_test(test_file),	       cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_msix_areas),     cmocka_unit_test(test_dead),
		cmocka_unit_test(test_many_maps),      cmocka_unit_test(test_areas_of_kernel),
		cmocka_unit_test(test_large_pages),    cmocka_unit_test(test_mediated),
		cmocka_unit_test(test_container_lies), cmocka_unit_test(test_probe_features),
		cmocka_unit_test(test_typed_features),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
