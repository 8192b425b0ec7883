/* SPDX-License-Identifier: MIT */
/*
 * Page tables of an iommufd that tell what an educational device has written.
 *
 * usage: dirty FILE [all], such as dirty /dev/vfio/devices/vfio0; all: every page that is mapped
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/iommufd.h"
#include "abi/vfio.h"
#include "expect.h"

#define PAGE   0x1000u
#define PAGES  16u
#define IOVA   UINT64_C(0x10000)
#define BUFFER 0x40000u
#define ALL    0xffffu
#define LARGE  UINT64_C(0x2000000)

static int device, iommu;
static uint32_t ioas, devid;
static off_t bar;
static char *memory;

static int request(int fd, unsigned long number, void *arg)
{
	int ret = ioctl(fd, number, arg);

	return ret < 0 ? -errno : ret;
}

/* ---- the IOMMU ---- */

static int map(uint64_t iova, uint32_t pages)
{
	struct iommu_ioas_map arg = {
		.size = sizeof(arg),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)memory + (iova - IOVA),
		.length = pages * PAGE,
		.iova = iova,
	};

	return request(iommu, IOMMU_IOAS_MAP, &arg);
}

static int unmap(uint64_t iova, uint32_t pages)
{
	struct iommu_ioas_unmap arg = { sizeof(arg), ioas, iova, pages * PAGE };

	return request(iommu, IOMMU_IOAS_UNMAP, &arg);
}

static int page_tables(uint32_t flags, uint32_t *id)
{
	struct iommu_hwpt_alloc arg = {
		.size = sizeof(arg), .flags = flags, .dev_id = devid, .pt_id = ioas
	};
	int ret = request(iommu, IOMMU_HWPT_ALLOC, &arg);

	*id = arg.out_hwpt_id;
	return ret;
}

static int attach(uint32_t id)
{
	struct vfio_device_attach_iommufd_pt arg = { .argsz = 12, .pt_id = id };

	return request(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &arg);
}

static int track(uint32_t id, uint32_t flags)
{
	struct iommu_hwpt_set_dirty_tracking arg = { sizeof(arg), flags, id, 0 };

	return request(iommu, IOMMU_HWPT_SET_DIRTY_TRACKING, &arg);
}

static int get(uint32_t id, uint32_t flags, uint64_t iova, uint64_t length, uint64_t page,
	       void *bits)
{
	struct iommu_hwpt_get_dirty_bitmap arg = { .size = sizeof(arg),
						   .hwpt_id = id,
						   .flags = flags,
						   .iova = iova,
						   .length = length,
						   .page_size = page,
						   .data = (uintptr_t)bits };

	return request(iommu, IOMMU_HWPT_GET_DIRTY_BITMAP, &arg);
}

/* The bits of all that is mapped, or an errno. */
static long bits_of(uint32_t id, uint32_t flags)
{
	uint64_t bits = 0;
	int ret = get(id, flags, IOVA, PAGES * PAGE, PAGE, &bits);

	return ret ? ret : (long)bits;
}

/* ---- the device ---- */

static void set(uint32_t offset, uint64_t value, size_t width)
{
	WANT(width, pwrite(device, &value, width, bar + offset));
}

/* It writes memory, or only reads it. */
static void dma(uint64_t iova, uint32_t count, int writes)
{
	uint64_t command = 1;

	set(0x80, writes ? BUFFER : iova, 8);
	set(0x88, writes ? iova : BUFFER, 8);
	set(0x90, count, 8);
	set(0x98, writes ? 3 : 1, 8);
	while (command & 1)
		WANT(8, pread(device, &command, 8, bar + 0x98));
}

static void open_device(const char *file)
{
	struct vfio_device_bind_iommufd bind = { .argsz = 16 };
	struct vfio_region_info info = { .argsz = sizeof(info), .index = 7 };
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	const uint16_t command = 6;

	device = open(file, O_RDWR);
	iommu = open("/dev/iommu", O_RDWR);
	bind.iommufd = iommu;
	WANT(0, request(device, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	devid = bind.out_devid;
	WANT(0, request(iommu, IOMMU_IOAS_ALLOC, &alloc));
	ioas = alloc.out_ioas_id;
	WANT(0, request(device, VFIO_DEVICE_GET_REGION_INFO, &info));
	WANT(2, pwrite(device, &command, 2, (off_t)info.offset + 4));
	info.index = 0;
	WANT(0, request(device, VFIO_DEVICE_GET_REGION_INFO, &info));
	bar = (off_t)info.offset;
}

/* ---- what is told ---- */

static void errors(uint32_t id, uint32_t without)
{
	uint64_t bits = 0;

	WANT(-EOPNOTSUPP, track(without, 1));
	WANT(-EOPNOTSUPP, get(without, 0, IOVA, PAGE, PAGE, &bits));
	WANT(-EINVAL, get(without, 0, IOVA, 0, PAGE, &bits));
	WANT(-EOPNOTSUPP, track(id, 2));
	WANT(-ENOENT, track(ioas, 1));
	WANT(-EINVAL, get(id, 0, IOVA, PAGE, PAGE, &bits)); /* no account is kept */
	WANT(0, track(id, 1));
	WANT(0, track(id, 1));
	WANT(-EOPNOTSUPP, get(id, 2, IOVA, PAGE, PAGE, &bits));
	WANT(-EINVAL, get(id, 0, IOVA, 0, PAGE, &bits));
	WANT(-EOVERFLOW, get(id, 0, ~UINT64_C(0) - PAGE + 1, 2 * PAGE, PAGE, &bits));
	WANT(-EINVAL, get(id, 0, IOVA + 1, PAGE, PAGE, &bits));
	WANT(-EINVAL, get(id, 0, IOVA, PAGE + 1, PAGE, &bits));
	WANT(-EINVAL, get(id, 0, IOVA, PAGE, 0, &bits));
	WANT(-EINVAL, get(id, 0, IOVA, PAGE, 2 * PAGE, &bits));
	WANT(-EINVAL, get(id, 0, IOVA, (PAGES + 1) * PAGE, PAGE, &bits)); /* not all is mapped */
	WANT(0, bits_of(id, 0));
}

/* A bit for each byte: more than is told in one piece. */
static void by_bytes(uint32_t id, uint64_t wanted)
{
	static uint8_t bits[PAGES * PAGE / 8];
	uint64_t seen = 0;

	memset(bits, 0, sizeof(bits));
	WANT(0, get(id, 1, IOVA, PAGES * PAGE, 1, bits));
	for (uint32_t i = 0; i < sizeof(bits); i++) {
		seen |= bits[i] ? UINT64_C(1) << i / (PAGE / 8) : 0;
		CHECK(!bits[i] || bits[i] == 0xff);
		CHECK(!bits[i] == !(wanted >> i / (PAGE / 8) & 1));
	}
	WANT(wanted, seen);
}

/* So many bits that they are told in slices; the device writes the first and the last page. */
static void slices(uint32_t id, bool all)
{
	static uint8_t bits[LARGE / 8];
	struct iommu_ioas_map arg = {
		.size = sizeof(arg),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.length = LARGE,
		.iova = LARGE,
	};
	size_t count = 0;

	arg.user_va = (uintptr_t)mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	WANT(0, request(iommu, IOMMU_IOAS_MAP, &arg));
	if (!all) {
		dma(LARGE, 1, 1);
		dma(2 * LARGE - 1, 1, 1);
	}
	WANT(-EINVAL, get(id, 0, LARGE, LARGE - 1, 1, bits));
	WANT(0, get(id, 0, LARGE, LARGE, 1, bits));
	for (size_t i = 0; i < sizeof(bits); i++)
		count += bits[i] == 0xff;
	WANT(all ? LARGE / 8 : 2 * PAGE / 8, count);
	CHECK(bits[0] == 0xff && bits[LARGE / 8 - 1] == 0xff);
	WANT(0, unmap(LARGE, LARGE / PAGE));
}

static void pages(uint32_t id)
{
	uint64_t bits = 0;
	uint8_t small[2 * PAGE / 256] = { 0 };

	dma(IOVA + 3 * PAGE, 64, 1);
	dma(IOVA + 5 * PAGE, 64, 0);
	WANT(0x8, bits_of(id, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR));
	WANT(0x8, bits_of(id, 0));
	WANT(0, bits_of(id, 0));
	dma(IOVA + 7 * PAGE - 32, 64, 1);
	dma(IOVA, 1, 1);
	dma(IOVA + (PAGES - 1) * PAGE, PAGE, 1);
	WANT(0, get(id, 1, IOVA, PAGES * PAGE, 2 * PAGE, &bits));
	WANT(0x89, bits);
	by_bytes(id, 0x80c1);
	bits = 0;
	WANT(0, get(id, 1, IOVA + 7 * PAGE, 2 * PAGE, 256, small));
	WANT(0xff, small[0] & small[1]);
	WANT(0, small[2] | small[3]);
	/* Bits that are there stay; only what was asked for is cleared. */
	bits = 0x100;
	WANT(0, get(id, 0, IOVA, 8 * PAGE, PAGE, &bits));
	WANT(0x1c1, bits);
	WANT(0x8000, bits_of(id, 1));
	/* Memory that comes after what was there. */
	WANT(0, unmap(IOVA + 8 * PAGE, 8));
	WANT(0, map(IOVA + 8 * PAGE, 8));
	WANT(0, bits_of(id, 0));
	WANT(-EFAULT, (dma(IOVA, 1, 1), get(id, 0, IOVA, PAGE, PAGE, (void *)PAGE)));
	WANT(1, bits_of(id, 0));
}

static void on_and_off(uint32_t id, uint32_t without)
{
	uint32_t second;

	WANT(0, page_tables(IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &second));
	WANT(0, track(second, 1));
	dma(IOVA, 64, 1);
	WANT(0, bits_of(second, 0)); /* those of the other */
	WANT(0, attach(second));
	dma(IOVA + PAGE, 64, 1);
	WANT(1, bits_of(id, 0));
	WANT(2, bits_of(second, 0));
	WANT(0, attach(without));
	dma(IOVA + PAGE, 64, 1);
	WANT(0, bits_of(second, 0));
	WANT(0, attach(id));
	WANT(0, track(id, 0));
	dma(IOVA, 64, 1);
	WANT(-EINVAL, bits_of(id, 0));
	WANT(0, track(id, 1));
	WANT(0, bits_of(id, 0));
}

int main(int argc, char **argv)
{
	struct iommu_hw_info info = { .size = sizeof(info) };
	uint32_t id, without;

	if (argc < 2)
		return 2;
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	open_device(argv[1]);
	info.dev_id = devid;
	WANT(0, request(iommu, IOMMU_GET_HW_INFO, &info));
	WANT(1, info.capabilities & 1);
	WANT(0, map(IOVA, PAGES / 2));
	WANT(0, page_tables(0, &without));
	WANT(0, page_tables(IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &id));
	WANT(0, map(IOVA + PAGES / 2 * PAGE, PAGES / 2));
	WANT(0, attach(id));
	if (argc == 3) {
		WANT(0, track(id, 1));
		WANT(ALL, bits_of(id, 0));
		WANT(ALL, bits_of(id, 0));
		by_bytes(id, ALL);
		slices(id, true);
	} else {
		errors(id, without);
		pages(id);
		slices(id, false);
		on_and_off(id, without);
	}
	printf("%d failures\n", failures);
	return failures > 0;
}
