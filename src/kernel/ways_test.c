/* SPDX-License-Identifier: MIT */
/* The interfaces of VFIO, and that it makes no difference which of them is used. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/ioctl.h>
#include <devfd/iommu.h>
#include <devfd/reset.h>

#include "abi/iommufd.h"
#include "abi/vfio.h"
#include "fake_kernel.h"
#include "kernel/space.h"
#include "kernel/vfio.h"
#include "tree.h"

#define FUNCTION(n) "sys/bus/pci/devices/0000:01:00." n "/"
#define TYPE1_ONLY  (1u << VFIO_TYPE1_IOMMU)

static const struct kernel_env env = { tree_root, &fake_calls };
static char page[8 * 4096] __attribute__((aligned(4096)));

/* Two functions in group 7, each with a file of its own. */
static int set_up(void **state)
{
	(void)state;
	tree_start();
	tree_link(FUNCTION("0") "iommu_group", "../../../../kernel/iommu_groups/7");
	tree_link(FUNCTION("1") "iommu_group", "../../../../kernel/iommu_groups/7");
	tree_link(FUNCTION("0") "driver", "../../../../bus/pci/drivers/vfio-pci");
	tree_link(FUNCTION("1") "driver", "../../../../bus/pci/drivers/vfio-pci");
	tree_link(FUNCTION("0") "subsystem", "../../../../bus/pci");
	tree_text(FUNCTION("0") "vfio-dev/vfio0/dev", "511:0\n");
	tree_text(FUNCTION("1") "vfio-dev/vfio1/dev", "511:1\n");
	tree_link("sys/class/vfio-dev/vfio0/device", "../../../bus/pci/devices/0000:01:00.0");
	tree_text("dev/vfio/devices/vfio0", "");
	tree_text("dev/vfio/devices/vfio1", "");
	tree_text("dev/vfio/7", "");
	tree_text("dev/iommu", "");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_stop();
	return 0;
}

static struct dfd_device *open_by(const char *scheme, const char *rest)
{
	struct dfd_device *dev;
	struct dfd_error err;

	if (dfd_vfio_open(&env, scheme, rest, &dev, &err))
		fail_msg("%s:%s: %s", scheme, rest, err.text);
	return dev;
}

static int open_fails(const char *scheme, const char *rest)
{
	struct dfd_device *dev = NULL;
	int ret = dfd_vfio_open(&env, scheme, rest, &dev, NULL);

	assert_null(dev);
	return ret;
}

static int map_at(struct dfd_device *dev, uint64_t *iova, uint64_t size)
{
	struct dfd_dma_map map = {
		.iova = *iova, .size = size, .prot = DFD_DMA_READ | DFD_DMA_WRITE, .addr = page
	};
	int ret = dfd_dma_map(dev, &map);

	*iova = map.iova;
	return ret;
}

static void must_map(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t wanted)
{
	assert_int_equal(map_at(dev, &iova, size), 0);
	assert_int_equal(iova, wanted);
}

/* ---- which interface ---- */

static void test_choice(void **state)
{
	static const struct {
		const char *rest;
		const char *lacks; /* a file that cannot be opened */
		int group;	   /* is it the group? */
	} cases[] = {
		{ "01:00.0", NULL, 0 },		  { "01:00.0?via=cdev", NULL, 0 },
		{ "01:00.0?via=group", NULL, 1 }, { "01:00.0", "/devices/vfio0", 1 },
		{ "01:00.0", "/dev/iommu", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fake_start("model:edu");
		fake.failures[0] = (struct fake_failure){ .path = cases[i].lacks,
							  .ret = -EACCES,
							  .times = cases[i].lacks ? -1 : 0 };
		dfd_device_close(open_by("pci", cases[i].rest));
		assert_int_equal(!!fake.name[0], cases[i].group);
		assert_int_equal(fake.open, 0);
		fake_stop();
	}
}

/* What the kernel has not, the group still has. */
static void test_older_kernels(void **state)
{
	(void)state;
	fake_start("model:edu");
	tree_remove("dev/iommu");
	dfd_device_close(open_by("pci", "01:00.0"));
	assert_string_equal(fake.name, "0000:01:00.0");
	tree_text("dev/iommu", "");
	fake.iommu_types = TYPE1_ONLY;
	dfd_device_close(open_by("pci", "01:00.0?via=group"));
	assert_int_equal(fake.open, 0);
	fake_stop();
}

static void test_options(void **state)
{
	static const char *const wrong[] = {
		"?",	     "?via",	   "?via=",	  "?via=cdev,", "?token=83b8f4f2",
		"?iommufd=", "?iommufd=x", "?iommufd=-1", "?vias=cdev", "?via=cdev,via=vfio",
	};
	char rest[64], longer[400] = "01:00.0?token=";

	(void)state;
	fake_start("model:edu");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		snprintf(rest, sizeof(rest), "01:00.0%s", wrong[i]);
		assert_int_equal(open_fails("pci", rest), -EINVAL);
	}
	memset(longer + 14, 'a', sizeof(longer) - 15);
	assert_int_equal(open_fails("pci", longer), -EINVAL);
	memset(longer, 'a', sizeof(longer) - 1);
	assert_int_equal(open_fails("platform", longer), -EINVAL);
	fake_stop();
}

static void test_token(void **state)
{
	static const uint8_t bytes[16] = { 0x83, 0xb8, 0xf4, 0xf2, 0x50, 0x9f, 0x38, 0x2f,
					   0x3c, 0x1e, 0xe6, 0xbf, 0xe0, 0xfa, 0x10, 0x01 };

	(void)state;
	fake_start("model:edu");
	dfd_device_close(open_by("pci", "01:00.0?via=cdev,token=" FAKE_UUID));
	assert_memory_equal(fake.token, bytes, sizeof(bytes));
	dfd_device_close(open_by("pci", "01:00.0?token=" FAKE_UUID ",via=group"));
	assert_string_equal(fake.name, "0000:01:00.0 vf_token=" FAKE_UUID);
	/* A kernel that takes the token by the group only. */
	fake.name[0] = '\0';
	fake.failures[0] =
		(struct fake_failure){ VFIO_DEVICE_BIND_IOMMUFD, NULL, -EINVAL, .times = -1 };
	dfd_device_close(open_by("pci", "01:00.0?token=" FAKE_UUID));
	assert_string_equal(fake.name, "0000:01:00.0 vf_token=" FAKE_UUID);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* ---- one behaviour ---- */

static void same_maps(struct dfd_device *dev)
{
	uint64_t iova = 0xfee00000, unmapped = 1;

	must_map(dev, DFD_IOVA_ANY, 4096, 0x1000);
	must_map(dev, 0x10000, 8192, 0x10000);
	must_map(dev, 0x14000, 4096, 0x14000);
	assert_int_equal(map_at(dev, &iova, 4096), -EINVAL);
	iova = 0x11000;
	assert_int_equal(map_at(dev, &iova, 4096), -EEXIST);
	assert_int_equal(dfd_dma_unmap(dev, 0x40000, 4096, &unmapped), 0);
	assert_int_equal(unmapped, 0);
	assert_int_equal(dfd_dma_unmap(dev, 0x11000, 4096, &unmapped), -EINVAL);
	assert_int_equal(dfd_dma_unmap(dev, 0xf000, 8192, &unmapped), -EINVAL);
	assert_int_equal(dfd_dma_unmap(dev, 0, 0x100000, &unmapped), 0);
	assert_int_equal(unmapped, 4096 + 8192 + 4096);
	assert_int_equal(dfd_dma_unmap(dev, 0, UINT64_MAX, &unmapped), 0);
	assert_int_equal(unmapped, 0);
}

static void test_same(void **state)
{
	static const struct {
		const char *rest;
		uint32_t types;
	} ways[] = {
		{ "01:00.0?via=cdev", 0 },
		{ "01:00.0?via=group", 1u << VFIO_TYPE1v2_IOMMU },
		{ "01:00.0?via=group", TYPE1_ONLY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct dfd_device *dev;

		fake_start("model:edu");
		fake.iommu_types = ways[i].types;
		dev = open_by("pci", ways[i].rest);
		assert_int_equal(dfd_check_extension(dev, VFIO_DEVICE_EXT_DMA), 1);
		same_maps(dev);
		/* A device leaves its maps behind, but not for long. */
		must_map(dev, DFD_IOVA_ANY, 4096, 0x1000);
		dfd_device_close(dev);
		assert_int_equal(fake.maps, 0);
		assert_int_equal(fake.open, 0);
		fake_stop();
	}
}

/* A kernel that leaves something mapped: the device may still reach it, so it stays ours. */
static void test_unmaps_less(void **state)
{
	uint64_t iova = 0x1000, unmapped;
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_by("pci", "01:00.0?via=group");
	must_map(dev, 0x1000, 8192, 0x1000);
	fake.short_unmap = true;
	assert_int_equal(dfd_dma_unmap(dev, 0x1000, 8192, &unmapped), -EBADMSG);
	assert_int_equal(map_at(dev, &iova, 8192), -EEXIST);
	dfd_device_close(dev);
	fake_stop();
}

/* Nothing to fill in with memory, as for the registers of a device. */
static void test_no_memory(void **state)
{
	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct dfd_dma_map map = {
		.iova = 0x1000, .size = 4096, .prot = DFD_DMA_WRITE, .addr = hole
	};
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_by("pci", "01:00.0?via=group");
	assert_int_equal(dfd_dma_map(dev, &map), -EFAULT);
	assert_int_equal(fake.maps, 0);
	dfd_device_close(dev);
	fake_stop();
	munmap(hole, 4096);
}

/* A file is given to the kernel as it is, where that can be. */
static void test_files(void **state)
{
	struct dfd_dma_map map = { .iova = DFD_IOVA_ANY,
				   .size = 8192,
				   .prot = DFD_DMA_READ,
				   .kind = DFD_DMA_FD,
				   .fd = memfd_create("file", MFD_CLOEXEC) };
	struct dfd_device *dev;

	(void)state;
	assert_int_equal(ftruncate(map.fd, 8192), 0);
	for (int i = 0; i < 2; i++) {
		fake_start("model:edu");
		fake.map_file = i;
		dev = open_by("pci", "01:00.0?via=cdev");
		map.iova = DFD_IOVA_ANY;
		assert_int_equal(dfd_dma_map(dev, &map), 0);
		assert_int_equal(map.iova, 0x1000);
		assert_int_equal(fake.mapped_files, i);
		assert_int_equal(dfd_dma_unmap(dev, map.iova, map.size, NULL), 0);
		dfd_device_close(dev);
		fake_stop();
	}
	close(map.fd);
}

#define LARGE (UINT64_C(2) << 20)

static uint64_t place_of(struct dfd_device *dev, struct dfd_dma_map map)
{
	map.iova = DFD_IOVA_ANY;
	map.prot = DFD_DMA_READ;
	assert_int_equal(dfd_dma_map(dev, &map), 0);
	return map.iova;
}

/* Memory that can fill large pages of the IOMMU is at a multiple of them, where there is room. */
static void test_large_pages(void **state)
{
	static const char *const ways[] = { "01:00.0?via=group", "01:00.0?via=cdev" };
	uint8_t *memory = mmap(NULL, 4 * LARGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *at = memory + (LARGE - (uintptr_t)memory % LARGE);
	int fd = memfd_create("large", MFD_CLOEXEC);
	struct dfd_dma_limits l;

	(void)state;
	assert_int_equal(ftruncate(fd, 2 * LARGE), 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct dfd_dma_map by_address = { .size = LARGE, .addr = at };
		struct dfd_dma_map by_file = { .size = LARGE, .kind = DFD_DMA_FD, .fd = fd };
		struct dfd_device *dev;

		fake_start("model:edu");
		dev = open_by("pci", ways[i]);
		assert_int_equal(place_of(dev, by_address), LARGE);
		assert_int_equal(place_of(dev, by_file), 2 * LARGE);
		by_file.fd_offset = 4096;
		by_file.size = LARGE - 4096;
		assert_int_equal(place_of(dev, by_file), 0x1000);
		by_file.size = LARGE + 4096;
		assert_int_equal(place_of(dev, by_file), 3 * LARGE);
		by_address.max_iova = 6 * LARGE - 2; /* no room for another multiple */
		assert_int_equal(place_of(dev, by_address), 4 * LARGE + 4096);
		assert_int_equal(dfd_dma_limits(dev, &l), 0);
		assert_int_equal(l.page_sizes, i ? 0x1000 : 0x40201000);
		dfd_device_close(dev);
		fake_stop();
	}
	close(fd);
	munmap(memory, 4 * LARGE);
}

static void test_many_ranges(void **state)
{
	struct dfd_device *dev;
	uint64_t iova = (SPACE_MAX_RANGES + UINT64_C(1)) << 48;

	(void)state;
	fake_start("model:edu");
	fake.num_ranges = 100;
	dev = open_by("pci", "01:00.0?via=cdev");
	must_map(dev, DFD_IOVA_ANY, 4096, 0x1000);
	must_map(dev, SPACE_MAX_RANGES * (UINT64_C(1) << 48), 4096,
		 SPACE_MAX_RANGES * (UINT64_C(1) << 48));
	assert_int_equal(map_at(dev, &iova, 4096), -EINVAL);
	dfd_device_close(dev);
	fake_stop();
}

/* A process that has chosen its name to look like a line behind it. */
static void put_process(const char *pid, unsigned int uid, unsigned int locked, unsigned int pinned)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "proc/%s/status", pid);
	snprintf(text, sizeof(text),
		 "Name:\tVmPin:\t9 kB\nUid:\t%u\t%u\t%u\t%u\nVmLck:\t  %u kB\nVmPin:\t  %u kB\n",
		 uid, uid, uid, uid, locked, pinned);
	tree_text(path, text);
}

static void test_limits(void **state)
{
	struct dfd_dma_limits l;
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	tree_text("proc/self/limits", "Max locked memory  8388608  8388608  bytes\n");
	assert_int_equal(dfd_dma_limits(fake.model, &l), -EOPNOTSUPP);
	dev = open_by("pci", "01:00.0?via=group");
	assert_int_equal(dfd_dma_limits(dev, &l), 0);
	assert_true(l.locked == UINT64_MAX); /* the kernel does not tell */
	put_process("self", getuid(), 12, 40);
	put_process("100", getuid(), 12, 40);
	put_process("200", getuid(), 0, 2);
	put_process("300", getuid() + 1, 5, 5);
	tree_text("proc/400/status", "Name:\tkworker\nUid:\t0\t0\t0\t0\n");
	assert_int_equal(dfd_dma_limits(dev, &l), 0);
	assert_int_equal(l.locked, 12 * 1024);
	assert_int_equal(l.page, 4096);
	assert_int_equal(l.maps_left, 65535);
	assert_int_equal(l.lockable, 8388608);
	assert_false(l.lockable_by_user);
	assert_int_equal(l.num_ranges, 2);
	assert_int_equal(l.ranges[1].start, 0xfef00000);
	dfd_device_close(dev);
	dev = open_by("pci", "01:00.0?via=cdev");
	assert_int_equal(dfd_dma_limits(dev, &l), 0);
	assert_true(l.maps_left == UINT64_MAX && l.lockable_by_user);
	assert_int_equal(l.locked, 42 * 1024);
	dfd_device_close(dev);
	fake_stop();
}

static char told[512];

static void take_line(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(told, sizeof(told), "%s", text);
}

static void must_not_count(const char *rest, const char *why)
{
	struct dfd_device *dev = open_by("pci", rest);

	dfd_device_watch_log(dev, take_line, NULL);
	told[0] = '\0';
	assert_int_equal(dfd_dirty_start(dev), -EOPNOTSUPP);
	assert_non_null(strstr(told, why));
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
}

/* A container says of every page that it was written. */
static void test_dirty_group(void **state)
{
	uint64_t bits[2] = { 0 };
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_by("pci", "01:00.0?via=group");
	assert_int_equal(dfd_dirty_get(dev, 0x1000, 4096, bits), -EINVAL); /* not started */
	assert_int_equal(dfd_dirty_start(dev), 0);
	assert_int_equal(fake.dirty_flags, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
	must_map(dev, 0x1000, 4096, 0x1000);
	must_map(dev, 0x2000, 4096, 0x2000);
	must_map(dev, 0x40000, 8 * 4096, 0x40000);
	assert_int_equal(dfd_dirty_get(dev, 0x1000, 72 * 4096, bits), 0);
	assert_true(bits[0] == (UINT64_C(1) << 63 | 3) && bits[1] == 0x7f);
	assert_int_equal(fake.dirty_gets, 2); /* maps side by side are asked for at once */
	assert_int_equal(dfd_dirty_get(dev, 0x1000, 100, bits), -EINVAL);
	assert_int_equal(dfd_dirty_get(dev, 0x1000, 0, bits), -EINVAL);
	assert_int_equal(dfd_dirty_get(dev, 0x1000, UINT64_MAX, bits), -EOVERFLOW);
	assert_int_equal(dfd_dirty_get(dev, 0x40000, 4096, bits), -EINVAL); /* a part of a map */
	assert_int_equal(dfd_dirty_peek(dev, 0x1000, 4096, bits), -EOPNOTSUPP);
	assert_int_equal(dfd_dirty_stop(dev), 0);
	assert_int_equal(fake.dirty_flags, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
	dfd_device_close(dev);
	fake_stop();
}

/* A container that an iommufd plays is one, but for what only the other can do. */
static void test_compat(void **state)
{
	struct dfd_dma_limits l;
	struct dfd_device *dev;
	uint64_t unmapped;

	(void)state;
	fake_start("model:edu");
	fake.compat = true;
	must_not_count("01:00.0?via=group", "this container does not");
	dev = open_by("pci", "01:00.0?via=group");
	assert_int_equal(dfd_dma_limits(dev, &l), 0);
	assert_true(l.maps_left == UINT64_MAX && l.lockable_by_user && l.num_ranges == 2);
	fake.locks_by_process = true;
	assert_int_equal(dfd_dma_limits(dev, &l), 0);
	assert_false(l.lockable_by_user);
	assert_int_equal(dfd_dma_unmap(dev, 0x1000, 4096, &unmapped), 0);
	assert_int_equal(unmapped, 0);
	must_map(dev, DFD_IOVA_ANY, 4096, 0x1000);
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* An iommufd knows the pages, where the IOMMU does. */
static void test_dirty_file(void **state)
{
	uint64_t bits[2] = { 0 };
	struct dfd_device *a, *b;

	(void)state;
	fake_start("model:edu");
	must_not_count("01:00.0?via=cdev", "?via=group");
	fake.counts_writes = true;
	a = open_by("pci", "01:00.0?via=cdev");
	b = open_by("pci", "01:00.1?via=cdev");
	must_map(a, 0x3000, 2 * 4096, 0x3000);
	must_map(b, 0x6000, 2 * 4096, 0x6000);
	assert_int_equal(dfd_dirty_get(a, 0x3000, 2 * 4096, bits), -EINVAL); /* not started */
	assert_int_equal(dfd_dirty_start(a), 0);
	fake.written = 1 << 4 | 1 << 6;
	assert_int_equal(dfd_dirty_peek(a, 0x1000, 70 * 4096, bits), 0);
	assert_true(bits[0] == (1 << 3 | 1 << 5) && !bits[1]);
	bits[0] = 0;
	assert_int_equal(dfd_dirty_get(b, 0x1000, 70 * 4096, bits), 0);
	assert_int_equal(bits[0], 1 << 3 | 1 << 5);
	bits[0] = 0;
	assert_int_equal(dfd_dirty_get(a, 0x3000, 5 * 4096, bits), 0);
	assert_int_equal(bits[0], 0);
	assert_int_equal(dfd_dirty_get(a, 0x4000, 4096, bits), -EINVAL); /* a part of a map */
	assert_int_equal(dfd_dirty_stop(b), 0);
	assert_false(fake.counting);
	dfd_device_close(a);
	dfd_device_close(b);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* ---- devices of one group ---- */

static void share(const char *first, const char *second)
{
	struct dfd_device *a = open_by("pci", first), *b = open_by("pci", second);
	uint64_t iova = 0x1000, unmapped;

	assert_int_equal(open_fails("pci", first), -EBUSY);
	must_map(a, DFD_IOVA_ANY, 4096, 0x1000);
	must_map(b, DFD_IOVA_ANY, 8192, 0x2000);
	must_map(a, DFD_IOVA_ANY, 4096, 0x4000);
	assert_int_equal(map_at(b, &iova, 4096), -EEXIST);
	/* One does not unmap what is the other's, whatever range it names. */
	assert_int_equal(dfd_dma_unmap(b, 0x1000, 4096, &unmapped), 0);
	assert_int_equal(unmapped, 0);
	assert_int_equal(dfd_dma_unmap(a, 0, 0x3000, &unmapped), 0);
	assert_int_equal(unmapped, 4096);
	must_map(a, 0x1000, 4096, 0x1000);
	assert_int_equal(dfd_dma_unmap(a, 0, UINT64_MAX, &unmapped), 0);
	assert_int_equal(unmapped, 8192);
	must_map(a, 0x8000, 4096, 0x8000);
	assert_int_equal(fake.maps, 2);
	dfd_device_close(a);
	assert_int_equal(fake.maps, 1);
	must_map(b, 0x8000, 4096, 0x8000);
	a = open_by("pci", first);
	iova = 0x2000;
	assert_int_equal(map_at(a, &iova, 4096), -EEXIST);
	dfd_device_close(b);
	dfd_device_close(a);
	assert_int_equal(fake.maps, 0);
	assert_int_equal(fake.open, 0);
}

static void test_share(void **state)
{
	(void)state;
	fake_start("model:edu");
	share("01:00.0?via=group", "01:00.1?via=group");
	share("01:00.0?via=group", "01:00.1");
	share("01:00.0?via=cdev", "01:00.1?via=cdev");
	share("01:00.0", "01:00.1");
	fake_stop();
}

static void test_mix(void **state)
{
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_by("pci", "01:00.0?via=cdev");
	assert_int_equal(open_fails("pci", "01:00.1?via=group"), -EBUSY);
	dfd_device_close(dev);
	dev = open_by("pci", "01:00.0?via=group");
	assert_int_equal(open_fails("pci", "01:00.1?via=cdev"), -EBUSY);
	must_map(dev, DFD_IOVA_ANY, 4096, 0x1000);
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* ---- files of somebody else ---- */

static void test_given_iommufd(void **state)
{
	char rest[64], path[] = "/dev/iommu";
	struct dfd_device *dev;
	int fd;

	(void)state;
	fake_start("model:edu");
	fd = fake_file(path);
	snprintf(rest, sizeof(rest), "01:00.0?iommufd=%d", fd);
	dev = open_by("pci", rest);
	must_map(dev, DFD_IOVA_ANY, 4096, 0x1000);
	dfd_device_close(dev);
	/* The iommufd stays, what was in it has gone. */
	assert_int_equal(fake.maps, 0);
	assert_int_equal(fake.open, 1);
	fake_calls.close(fd);
	fake_stop();
}

static void test_cdev_address(void **state)
{
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	dev = open_by("cdev", "/dev/vfio/devices/vfio0");
	must_map(dev, DFD_IOVA_ANY, 4096, 0x1000);
	assert_int_equal(open_fails("cdev", "vfio0"), -EBUSY);
	assert_int_equal(open_fails("pci", "01:00.0"), -EBUSY);
	dfd_device_close(dev);
	assert_int_equal(open_fails("cdev", "../vfio0"), -EINVAL);
	assert_int_equal(open_fails("cdev", "vfio9"), -ENOENT);
	assert_int_equal(open_fails("cdev", "vfio0?via=noiommu"), -EINVAL);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

static void name_fd(int fd, const char *path)
{
	char file[64], text[128];

	snprintf(file, sizeof(file), "proc/self/fdinfo/%d", fd);
	snprintf(text, sizeof(text), "pos:\t0\nflags:\t02\n%s%s\n",
		 path ? "vfio-device-syspath: " : "mnt_id:\t", path ? path : "15");
	tree_text(file, text);
}

static struct dfd_device *open_fd(int fd, const char *options)
{
	char rest[64];

	snprintf(rest, sizeof(rest), "%d%s", fd, options);
	return open_by("fd", rest);
}

/* Not bound yet: an iommufd of its own. */
static void test_fd_unbound(void **state)
{
	struct dfd_device *dev;
	int fd;

	(void)state;
	fake_start("model:edu");
	fd = fake_file("/dev/vfio/devices/vfio0");
	name_fd(fd, "/sys/bus/pci/devices/0000:01:00.0");
	dev = open_fd(fd, "");
	must_map(dev, DFD_IOVA_ANY, 4096, 0x1000);
	dfd_device_close(dev);
	assert_int_equal(fake.open, 1);
	fake_calls.close(fd);
	fake_stop();
}

/* Bound by somebody: without his iommufd nothing can be mapped, with it something can. */
static void test_fd_bound(void **state)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct dfd_device *dev;
	uint32_t id = 0;
	char text[32];
	int fd;

	(void)state;
	fake_start("model:edu");
	fd = fake_file("/dev/vfio/devices/vfio0");
	bind.iommufd = fake_file("/dev/iommu");
	assert_int_equal(fake_calls.ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind), 0);
	name_fd(fd, "/sys/bus/pci/devices/0000:01:00.0");
	dev = open_fd(fd, "");
	assert_int_equal(dfd_region_read(dev, 0, 0, &id, 4), 4);
	assert_int_equal(id, 0x010000ed);
	assert_int_equal(dfd_check_extension(dev, VFIO_DEVICE_EXT_DMA), 0);
	assert_int_equal(map_at(dev, &(uint64_t){ 0x1000 }, 4096), -EOPNOTSUPP);
	dfd_device_close(dev);
	snprintf(text, sizeof(text), "?iommufd=%d", bind.iommufd);
	dev = open_fd(fd, text);
	must_map(dev, DFD_IOVA_ANY, 4096, 0x1000);
	dfd_device_close(dev);
	assert_int_equal(fake.open, 2);
	fake_calls.close(fd);
	fake_calls.close(bind.iommufd);
	fake_stop();
}

/* A kernel that does not say which device it is. */
static void test_fd_unknown(void **state)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct dfd_device *dev;
	char rest[16];
	int fd;

	(void)state;
	fake_start("model:edu");
	fd = fake_file("/dev/vfio/devices/vfio0");
	name_fd(fd, NULL);
	snprintf(rest, sizeof(rest), "%d", fd);
	assert_int_equal(open_fails("fd", rest), -ENOTTY);
	name_fd(fd, "/sys/devices/../../../etc");
	assert_int_equal(open_fails("fd", rest), -ENOTTY);
	bind.iommufd = fake_file("/dev/iommu");
	assert_int_equal(fake_calls.ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind), 0);
	dev = open_fd(fd, "");
	assert_false(dfd_desc_region(dfd_device_desc(dev), 0)->has_phys);
	dfd_device_close(dev);
	fake_calls.close(fd);
	fake_calls.close(bind.iommufd);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* ---- hot reset ---- */

static void affect(uint32_t count, uint32_t first, uint32_t second)
{
	fake.reset_count = count;
	fake.reset_devices[0] = (struct vfio_pci_dependent_device){ first, 0, 1, 0 };
	fake.reset_devices[1] = (struct vfio_pci_dependent_device){ second, 0, 1, 1 };
}

/* One group: what is not open may be reset, too, as long as VFIO has it. */
static void test_hot_reset_group(void **state)
{
	struct dfd_hot_reset *r;
	struct dfd_device *dev;
	struct dfd_error err;

	(void)state;
	fake_start("model:edu");
	dev = open_by("pci", "01:00.0?via=group");
	assert_int_equal(dfd_hot_reset_info(dev, &r, &err), -ENODEV);
	affect(2, 7, 7);
	assert_int_equal(dfd_hot_reset_info(dev, &r, &err), 0);
	assert_true(r->possible);
	assert_int_equal(r->count, 2);
	assert_string_equal(r->devices[1].name, "0000:01:00.1");
	assert_string_equal(r->devices[1].driver, "vfio-pci");
	assert_int_equal(r->devices[1].group, 7);
	free(r);
	fake.failures[0] = (struct fake_failure){ VFIO_DEVICE_PCI_HOT_RESET, NULL, -EAGAIN, 3 };
	assert_int_equal(dfd_hot_reset(dev, &err), 0);
	assert_int_equal(fake.hot_resets, 1);
	assert_int_equal(fake.reset_groups, 1);
	tree_link(FUNCTION("1") "driver", "../../../../bus/pci/drivers/e1000");
	tree_remove(FUNCTION("1") "vfio-dev/vfio1/dev");
	tree_remove(FUNCTION("1") "vfio-dev/vfio1");
	tree_remove(FUNCTION("1") "vfio-dev");
	assert_int_equal(dfd_hot_reset(dev, &err), -EPERM);
	assert_string_equal(err.text, "0000:01:00.1 would be reset, too, and e1000 has it; bind it "
				      "to vfio-pci");
	tree_remove(FUNCTION("1") "driver");
	assert_int_equal(dfd_hot_reset(dev, &err), -EPERM);
	dfd_device_close(dev);
	fake_stop();
}

/* Two groups: both have to be open here. */
static void test_hot_reset_groups(void **state)
{
	struct dfd_device *dev, *other;
	struct dfd_error err;

	(void)state;
	fake_start("model:edu");
	tree_link(FUNCTION("1") "iommu_group", "../../../../kernel/iommu_groups/8");
	affect(2, 7, 8);
	dev = open_by("pci", "01:00.0?via=group");
	assert_int_equal(dfd_hot_reset(dev, &err), -EPERM);
	assert_non_null(strstr(err.text, "0000:01:00.1 would be reset, too, and this process"));
	other = open_by("pci", "01:00.1?via=group");
	assert_int_equal(dfd_hot_reset(dev, &err), 0);
	assert_int_equal(fake.reset_groups, 2);
	dfd_device_close(other);
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

static void test_hot_reset_file(void **state)
{
	struct dfd_hot_reset *r;
	struct dfd_device *dev;
	struct dfd_error err;

	(void)state;
	fake_start("model:edu");
	dev = open_by("pci", "01:00.0?via=cdev");
	affect(2, 1, VFIO_PCI_DEVID_NOT_OWNED);
	assert_int_equal(dfd_hot_reset_info(dev, &r, &err), 0);
	assert_false(r->possible);
	assert_true(r->devices[0].ours);
	assert_false(r->devices[1].ours);
	free(r);
	affect(2, 1, VFIO_PCI_DEVID_OWNED);
	assert_int_equal(dfd_hot_reset(dev, &err), -EPERM);
	fake.reset_flags = VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
	assert_int_equal(dfd_hot_reset(dev, &err), 0);
	assert_int_equal(fake.reset_groups, 0);
	affect(300, 1, 1);
	assert_int_equal(dfd_hot_reset_info(dev, &r, &err), -ENOSPC);
	dfd_device_close(dev);
	fake_stop();
}

/* ---- without an IOMMU ---- */

static void take_iommu_away(void)
{
	tree_link(FUNCTION("0") "iommu_group", "../../../../kernel/iommu_groups/9");
	tree_text("sys/class/vfio/noiommu-9/dev", "10:1\n");
	fake.iommu_types = 1u << VFIO_NOIOMMU_IOMMU;
}

static void test_noiommu_group(void **state)
{
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	assert_int_equal(open_fails("pci", "01:00.0?via=noiommu"), -EINVAL);
	take_iommu_away();
	assert_int_equal(open_fails("pci", "01:00.0"), -EOPNOTSUPP);
	assert_int_equal(open_fails("pci", "01:00.0?via=group"), -EOPNOTSUPP);
	assert_int_equal(open_fails("pci", "01:00.0?via=cdev"), -EOPNOTSUPP);
	dev = open_by("pci", "01:00.0?via=noiommu");
	assert_int_equal(fake_iommu(), VFIO_NOIOMMU_IOMMU);
	assert_int_equal(dfd_check_extension(dev, VFIO_DEVICE_EXT_DMA), 0);
	assert_int_equal(map_at(dev, &(uint64_t){ DFD_IOVA_ANY }, 4096), -EOPNOTSUPP);
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* The IOVA is where the kernel says that the memory is. */
static void test_noiommu_file(void **state)
{
	struct dfd_dma_map map = { .iova = DFD_IOVA_ANY,
				   .max_iova = 0xfffffff,
				   .size = 4096,
				   .prot = DFD_DMA_READ,
				   .addr = page };
	uint64_t iova = DFD_IOVA_ANY, unmapped;
	struct dfd_device *dev;

	(void)state;
	fake_start("model:edu");
	take_iommu_away();
	tree_text(FUNCTION("0") "vfio-dev/noiommu-vfio0/dev", "511:0\n");
	tree_remove(FUNCTION("0") "vfio-dev/vfio0/dev");
	tree_remove(FUNCTION("0") "vfio-dev/vfio0");
	tree_text("dev/vfio/devices/noiommu-vfio0", "");
	fake.phys = 0x12345000;
	fake.contiguous = 8192;
	dev = open_by("pci", "01:00.0?via=noiommu");
	must_map(dev, DFD_IOVA_ANY, 8192, 0x12345000);
	assert_int_equal(fake.maps, 1);
	assert_int_equal(map_at(dev, &iova, 4096), -EEXIST);
	assert_int_equal(dfd_dma_unmap(dev, 0x12345000, 8192, &unmapped), 0);
	assert_int_equal(unmapped, 8192);
	assert_int_equal(map_at(dev, &iova, 12288), -EOPNOTSUPP); /* not in one piece */
	assert_int_equal(dfd_dma_map(dev, &map), -ENOSPC);	  /* beyond max_iova */
	iova = 0x1000;
	assert_int_equal(map_at(dev, &iova, 4096), -EINVAL);
	assert_int_equal(fake.maps, 0);
	dfd_device_close(dev);
	assert_int_equal(fake.open, 0);
	fake_stop();
}

/* ---- every call fails once ---- */

static void test_sweep(void **state)
{
	static const char *const ways[] = { "01:00.0?via=cdev", "01:00.0?via=group", "01:00.0" };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct dfd_device *dev = NULL;
		int ret = -1;

		fake_start("model:edu");
		fake.counts_writes = i >= 3;
		for (unsigned int n = 1; ret; n++) {
			fake.calls = 0;
			fake.fail_at = n;
			ret = dfd_vfio_open(&env, "pci", ways[i % 3], &dev, NULL);
			assert_true(ret <= 0 && n < 1000);
			if (!ret && fake.calls >= n) /* a failure that does not matter */
				ret = -1;
			dfd_device_close(dev);
			dev = NULL;
			assert_int_equal(fake.open, 0);
		}
		fake_stop();
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_choice),
		TEST(test_older_kernels),
		TEST(test_options),
		TEST(test_token),
		TEST(test_same),
		TEST(test_unmaps_less),
		TEST(test_no_memory),
		TEST(test_files),
		TEST(test_large_pages),
		TEST(test_many_ranges),
		TEST(test_share),
		TEST(test_mix),
		TEST(test_given_iommufd),
		TEST(test_cdev_address),
		TEST(test_fd_unbound),
		TEST(test_fd_bound),
		TEST(test_fd_unknown),
		TEST(test_noiommu_group),
		TEST(test_noiommu_file),
		TEST(test_sweep),
		TEST(test_limits),
		TEST(test_dirty_group),
		TEST(test_dirty_file),
		TEST(test_compat),
		TEST(test_hot_reset_group),
		TEST(test_hot_reset_groups),
		TEST(test_hot_reset_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
