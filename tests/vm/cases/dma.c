/* SPDX-License-Identifier: MIT */
/*
 * DMA maps: what can be mapped and unmapped, and what is refused.
 *
 * Where it is about the addresses of the device, memory is handed over as a file, which is
 * understood everywhere; where it is about memory, by its address.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"

#define READ	   DFD_DMA_READ
#define WRITE	   DFD_DMA_WRITE
#define READ_WRITE (DFD_DMA_READ | DFD_DMA_WRITE)
#define MANY	   1000u

uint8_t *memory;
static int memory_fd = -1;

bool make_memory(void)
{
	void *addr;

	memory_fd = memfd_create("matrix", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory_fd < 0 || ftruncate(memory_fd, PAGES * PAGE) ||
	    fcntl(memory_fd, F_ADD_SEALS, F_SEAL_SHRINK))
		return false;
	addr = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	if (addr == MAP_FAILED)
		return false;
	memory = addr;
	return true;
}

bool has_dma(void)
{
	return dfd_check_extension(dev, VFIO_DEVICE_EXT_DMA);
}

int map_memory(uint64_t iova, uint64_t size, uint32_t prot, const void *addr)
{
	struct dfd_dma_map m = { .iova = iova, .size = size, .prot = prot, .addr = (void *)addr };

	return dfd_dma_map(dev, &m);
}

int map_file(uint64_t iova, uint64_t size)
{
	struct dfd_dma_map m = {
		.iova = iova, .size = size, .prot = READ, .kind = DFD_DMA_FD, .fd = memory_fd
	};

	return dfd_dma_map(dev, &m);
}

int64_t unmap(uint64_t iova, uint64_t size)
{
	uint64_t unmapped = 0;
	int ret = dfd_dma_unmap(dev, iova, size, &unmapped);

	return ret ? ret : (int64_t)unmapped;
}

void unmap_all(void)
{
	unmap(0, UINT64_MAX);
}

/* What mapping has given; nothing is mapped afterwards. */
static const char *mapped(int ret)
{
	unmap_all();
	return result(ret);
}

/* ---- is there any ---- */

/* Where there is none every call says so, and no other case is tried. */
static const char *dma_offered(void)
{
	struct dfd_dma_buf buf;
	struct dfd_dma_limits limits;

	if (has_dma())
		return "yes";
	if (map_memory(IOVA, PAGE, READ, memory) != -EOPNOTSUPP ||
	    map_file(IOVA, PAGE) != -EOPNOTSUPP || unmap(IOVA, PAGE) != -EOPNOTSUPP ||
	    dfd_dma_alloc(dev, PAGE, 0, &buf) != -EOPNOTSUPP ||
	    dfd_dma_limits(dev, &limits) != -EOPNOTSUPP)
		return "no, and does not say so";
	return "no";
}

/* ---- memory by its address ---- */

static const char *by_address(uint64_t iova, uint64_t size, uint32_t prot, const void *addr)
{
	return has_dma() ? mapped(map_memory(iova, size, prot, addr)) : NONE;
}

static const char *dma_any(void)
{
	return by_address(DFD_IOVA_ANY, PAGE, READ_WRITE, memory);
}

static const char *dma_fixed(void)
{
	return by_address(IOVA, 2 * PAGE, READ_WRITE, memory);
}

static const char *dma_read_only(void)
{
	return by_address(IOVA, PAGE, READ, memory);
}

static const char *dma_write_only(void)
{
	return by_address(IOVA, PAGE, WRITE, memory);
}

/* The second page of two is no memory of this process. */
static const char *dma_hole(void)
{
	uint8_t *at =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char *answer;

	if (at == MAP_FAILED)
		return "no memory";
	munmap(at + PAGE, PAGE);
	answer = by_address(IOVA, 2 * PAGE, READ_WRITE, at);
	munmap(at, PAGE);
	return answer;
}

/* Memory that this process may only read, for a device that shall write. */
static const char *dma_write_protected(void)
{
	uint8_t *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char *answer;

	if (at == MAP_FAILED)
		return "no memory";
	answer = by_address(IOVA, PAGE, READ_WRITE, at);
	munmap(at, PAGE);
	return answer;
}

/* Registers of a device are no memory for DMA. */
static const char *dma_registers(void)
{
	uint32_t count;
	const struct dfd_region *r = dfd_desc_regions(dfd_device_desc(dev), &count);

	for (uint32_t i = 0; i < count && has_dma(); i++) {
		uint64_t at = r[i].num_areas ? r[i].areas[0].offset : 0;
		const char *answer;
		void *addr;

		if (dfd_region_mmap(dev, r[i].index, at, PAGE, PROT_READ | PROT_WRITE, &addr))
			continue;
		answer = by_address(IOVA, PAGE, READ_WRITE, addr);
		munmap(addr, PAGE);
		return answer;
	}
	return NONE;
}

/* ---- memory as a file ---- */

static const char *dma_file(void)
{
	struct dfd_dma_buf buf;
	int ret;

	if (!has_dma())
		return NONE;
	ret = dfd_dma_alloc(dev, PAGE, 0, &buf);
	if (!ret)
		dfd_dma_free(dev, &buf);
	return result(ret);
}

static const char *file_like(int fd, uint64_t offset)
{
	struct dfd_dma_map m = { .iova = DFD_IOVA_ANY,
				 .size = PAGE,
				 .prot = READ,
				 .kind = DFD_DMA_FD,
				 .fd = fd,
				 .fd_offset = offset };

	return has_dma() ? mapped(dfd_dma_map(dev, &m)) : NONE;
}

static const char *dma_bad_file(void)
{
	return file_like(900, 0);
}

static const char *dma_file_offset(void)
{
	return file_like(memory_fd, PAGE);
}

/* ---- what cannot be right anywhere ---- */

static const char *dma_nothing(void)
{
	return by_address(IOVA, 0, READ, memory);
}

static const char *dma_no_prot(void)
{
	return by_address(IOVA, PAGE, 0, memory);
}

static const char *dma_bad_prot(void)
{
	return by_address(IOVA, PAGE, READ | 8, memory);
}

static const char *dma_no_address(void)
{
	return by_address(IOVA, PAGE, READ, NULL);
}

static const char *dma_wraps(void)
{
	return by_address(UINT64_MAX - PAGE + 1, 2 * PAGE, READ, memory);
}

/* ---- the addresses of the device ---- */

static const char *dma_again(void)
{
	int ret;

	if (!has_dma())
		return NONE;
	ret = map_file(IOVA, PAGE);
	if (!ret) {
		unmap_all();
		ret = map_file(IOVA, 2 * PAGE);
	}
	return mapped(ret);
}

/* A second map, behind one of two pages. */
static const char *beside(uint64_t iova, uint64_t size)
{
	int ret;

	if (!has_dma())
		return NONE;
	ret = map_file(IOVA, 2 * PAGE);
	if (!ret)
		ret = map_file(iova, size);
	return mapped(ret);
}

static const char *dma_overlap(void)
{
	return beside(IOVA + PAGE, PAGE);
}

static const char *dma_overlap_around(void)
{
	return beside(IOVA - PAGE, 4 * PAGE);
}

static const char *dma_adjacent(void)
{
	return beside(IOVA + 2 * PAGE, PAGE);
}

/* ---- unmapping ---- */

/* Of two maps of two pages, with two pages between them. */
static const char *unmap_part(uint64_t iova, uint64_t size)
{
	int64_t ret;

	if (!has_dma())
		return NONE;
	ret = map_file(IOVA, 2 * PAGE);
	if (!ret)
		ret = map_file(IOVA + 4 * PAGE, 2 * PAGE);
	if (!ret)
		ret = unmap(iova, size);
	unmap_all();
	return result(ret);
}

static const char *unmap_one(void)
{
	return unmap_part(IOVA, 2 * PAGE);
}

static const char *unmap_both(void)
{
	return unmap_part(IOVA, 6 * PAGE);
}

static const char *unmap_around(void)
{
	return unmap_part(IOVA - PAGE, 8 * PAGE);
}

static const char *unmap_head(void)
{
	return unmap_part(IOVA, PAGE);
}

static const char *unmap_tail(void)
{
	return unmap_part(IOVA + PAGE, PAGE);
}

/* Whole maps and half of one: nothing is unmapped. */
static const char *unmap_across(void)
{
	return unmap_part(IOVA, 5 * PAGE);
}

static const char *unmap_hole(void)
{
	return unmap_part(IOVA + 2 * PAGE, 2 * PAGE);
}

static const char *unmap_everything(void)
{
	return unmap_part(0, UINT64_MAX);
}

static const char *unmap_unaligned(void)
{
	return unmap_part(IOVA, 2 * PAGE - 1);
}

static const char *unmap_nothing(void)
{
	return has_dma() ? result(unmap(IOVA, PAGE)) : NONE;
}

static const char *unmap_no_size(void)
{
	return has_dma() ? result(unmap(IOVA, 0)) : NONE;
}

static const char *unmap_wraps(void)
{
	return has_dma() ? result(unmap(UINT64_MAX - PAGE + 1, 2 * PAGE)) : NONE;
}

static const char *unmap_many(void)
{
	int64_t ret = 0;

	if (!has_dma())
		return NONE;
	for (uint64_t i = 0; i < MANY && !ret; i++)
		ret = map_file(IOVA + 2 * i * PAGE, PAGE);
	if (!ret)
		ret = unmap(0, UINT64_MAX);
	unmap_all();
	return result(ret);
}

/* What a device has mapped goes with it. */
static const char *dma_after_close(void)
{
	int ret;

	if (!has_dma())
		return NONE;
	ret = map_file(IOVA, PAGE);
	if (ret)
		return result(ret);
	if (reopen())
		return "cannot be opened again";
	return mapped(map_file(IOVA, 2 * PAGE));
}

const struct test dma_tests[] = {
	{ "dma-offered", "yes", dma_offered },
	{ "dma-any", "ok", dma_any },
	{ "dma-fixed", "ok", dma_fixed },
	{ "dma-read-only", "ok", dma_read_only },
	{ "dma-write-only", "ok", dma_write_only },
	{ "dma-hole", "EFAULT", dma_hole },
	{ "dma-write-protected", "EFAULT", dma_write_protected },
	{ "dma-registers", "EFAULT", dma_registers },
	{ "dma-file", "ok", dma_file },
	{ "dma-file-offset", "ok", dma_file_offset },
	{ "dma-bad-file", "EBADF", dma_bad_file },
	{ "dma-nothing", "EINVAL", dma_nothing },
	{ "dma-no-prot", "EINVAL", dma_no_prot },
	{ "dma-bad-prot", "EINVAL", dma_bad_prot },
	{ "dma-no-address", "EINVAL", dma_no_address },
	{ "dma-wraps", "EOVERFLOW", dma_wraps },
	{ "dma-again", "ok", dma_again },
	{ "dma-overlap", "EEXIST", dma_overlap },
	{ "dma-overlap-around", "EEXIST", dma_overlap_around },
	{ "dma-adjacent", "ok", dma_adjacent },
	{ "unmap-one", "8192", unmap_one },
	{ "unmap-both", "16384", unmap_both },
	{ "unmap-around", "16384", unmap_around },
	{ "unmap-head", "EINVAL", unmap_head },
	{ "unmap-tail", "EINVAL", unmap_tail },
	{ "unmap-across", "EINVAL", unmap_across },
	{ "unmap-hole", "ok", unmap_hole },
	{ "unmap-everything", "16384", unmap_everything },
	{ "unmap-unaligned", "EINVAL", unmap_unaligned },
	{ "unmap-nothing", "ok", unmap_nothing },
	{ "unmap-no-size", "EINVAL", unmap_no_size },
	{ "unmap-wraps", "EOVERFLOW", unmap_wraps },
	{ "unmap-many", "4096000", unmap_many },
	{ "dma-after-close", "ok", dma_after_close },
	{ 0 },
};
