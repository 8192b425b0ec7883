/* SPDX-License-Identifier: MIT */
/*
 * Memory on huge pages, of which the guest has set some aside: it is mapped as any other, and
 * DFD_IOVA_ANY gives it an address at which an IOMMU can have large pages, too.
 *
 * Each case uses one page. So it is in one piece, which is what counts without an IOMMU.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"

#define HUGE	   (UINT64_C(2) << 20)
#define HUGE_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define HALF	   (HUGE / 2)
#define ANONYMOUS  (MAP_PRIVATE | MAP_ANONYMOUS)
#define READ_WRITE (DFD_DMA_READ | DFD_DMA_WRITE)

/* Guests have some; another machine need not. */
static bool has_huge_pages(void)
{
	FILE *f = has_dma() ? fopen(HUGE_PAGES, "re") : NULL;
	unsigned int count = 0;

	if (!f)
		return false;
	if (fscanf(f, "%u", &count) != 1)
		count = 0;
	fclose(f);
	return count >= 2;
}

static uint8_t *new_memory(uint64_t size, int flags)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, ANONYMOUS | flags, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* A huge page that nobody has, and what @run makes of it; nothing is mapped afterwards. */
static const char *with_page(const char *(*run)(uint8_t *at))
{
	const char *answer;
	uint8_t *at;

	if (!has_huge_pages())
		return NONE;
	at = new_memory(HUGE, MAP_HUGETLB);
	if (!at)
		return "no huge page";
	answer = run(at);
	unmap_all();
	munmap(at, HUGE);
	return answer;
}

static const char *is_multiple(uint64_t iova)
{
	return iova % HUGE ? "not a multiple" : "ok";
}

static int map_any(const uint8_t *at, uint64_t size, uint64_t *iova)
{
	struct dfd_dma_map m = {
		.iova = DFD_IOVA_ANY, .size = size, .prot = READ_WRITE, .addr = (void *)at
	};
	int ret = dfd_dma_map(dev, &m);

	*iova = m.iova;
	return ret;
}

/* ---- where it comes from ---- */

static const char *huge_alloc(void)
{
	struct dfd_dma_buf buf;
	const char *answer;
	int ret;

	if (!has_huge_pages())
		return NONE;
	ret = dfd_dma_alloc_huge(dev, PAGE, 0, HUGE, &buf, NULL);
	if (ret)
		return result(ret);
	answer = is_multiple(buf.iova | (uintptr_t)buf.addr | buf.size);
	memset(buf.addr, 1, buf.size);
	dfd_dma_free(dev, &buf);
	return answer;
}

static const char *any(uint8_t *at)
{
	uint64_t iova;
	int ret = map_any(at, HUGE, &iova);

	return ret ? result(ret) : is_multiple(iova);
}

static const char *huge_anonymous(void)
{
	return with_page(any);
}

/* The second page of a file. */
static const char *huge_file(void)
{
	struct dfd_dma_map m = { .iova = DFD_IOVA_ANY,
				 .size = HUGE,
				 .prot = READ_WRITE,
				 .kind = DFD_DMA_FD,
				 .fd_offset = HUGE };
	int ret;

	if (!has_huge_pages())
		return NONE;
	m.fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	if (m.fd < 0 || ftruncate(m.fd, 2 * HUGE))
		return "no file";
	ret = dfd_dma_map(dev, &m);
	unmap_all();
	close(m.fd);
	return ret ? result(ret) : is_multiple(m.iova);
}

/* Pages that the kernel makes huge by itself, where it can. */
static const char *huge_transparent(void)
{
	uint8_t *all, *at;
	const char *answer;

	if (!has_huge_pages())
		return NONE;
	all = new_memory(2 * HUGE, 0);
	if (!all)
		return "no memory";
	at = all + (HUGE - (uintptr_t)all % HUGE);
	madvise(at, HUGE, MADV_HUGEPAGE);
	memset(at, 1, HUGE);
	answer = any(at);
	unmap_all();
	munmap(all, 2 * HUGE);
	return answer;
}

/* ---- parts of it ---- */

static const char *middle(uint8_t *at)
{
	uint64_t iova;

	return result(map_any(at + HALF, PAGE, &iova));
}

static const char *huge_middle(void)
{
	return with_page(middle);
}

static const char *odd_iova(uint8_t *at)
{
	return result(map_memory(IOVA + PAGE, HUGE, READ_WRITE, at));
}

static const char *huge_odd_iova(void)
{
	return with_page(odd_iova);
}

/* ---- unmapping ---- */

static const char *unmap_of(uint8_t *at, uint64_t from, uint64_t size)
{
	uint64_t iova;
	int ret = map_any(at, HUGE, &iova);

	return result(ret ? ret : unmap(iova + from, size));
}

static const char *whole(uint8_t *at)
{
	return unmap_of(at, 0, HUGE);
}

static const char *head(uint8_t *at)
{
	return unmap_of(at, 0, PAGE);
}

static const char *tail(uint8_t *at)
{
	return unmap_of(at, HALF, HALF);
}

/* Two maps of a huge page, and unmapping one of them. */
static const char *half(uint8_t *at)
{
	uint64_t first, second;
	int64_t bytes = map_any(at, HALF, &first);

	if (!bytes)
		bytes = map_any(at + HALF, HALF, &second);
	if (bytes)
		return result(bytes);
	bytes = unmap(first, HALF);
	return unmap(second, HALF) == (int64_t)HALF ? result(bytes) : "not the other";
}

static const char *huge_unmap(void)
{
	return with_page(whole);
}

static const char *huge_unmap_head(void)
{
	return with_page(head);
}

static const char *huge_unmap_tail(void)
{
	return with_page(tail);
}

static const char *huge_unmap_half(void)
{
	return with_page(half);
}

/* ---- how it counts ---- */

/* Huge pages count as locked as others do: the whole of them, while they are mapped. */
static const char *counted(uint8_t *at)
{
	struct dfd_dma_limits before, during, after;
	uint64_t iova;

	if (!limits(&before))
		return NONE;
	if (map_any(at, HUGE, &iova) || !limits(&during) || unmap(iova, HUGE) != (int64_t)HUGE ||
	    !limits(&after))
		return "not mapped";
	if (after.locked != before.locked)
		return "not given back";
	return result((int64_t)(during.locked - before.locked));
}

static const char *huge_counted(void)
{
	return with_page(counted);
}

static const char *little(void)
{
	return with_page(any);
}

static const char *huge_locked(void)
{
	struct dfd_dma_limits l;

	return has_huge_pages() && limits(&l) ? with_little_memlock(little) : NONE;
}

const struct test huge_tests[] = {
	{ "huge-alloc", "ok", huge_alloc },
	{ "huge-anonymous", "ok", huge_anonymous },
	{ "huge-file", "ok", huge_file },
	{ "huge-transparent", "ok", huge_transparent },
	{ "huge-middle", "ok", huge_middle },
	{ "huge-odd-iova", "ok", huge_odd_iova },
	{ "huge-unmap", "2097152", huge_unmap },
	{ "huge-unmap-head", "EINVAL", huge_unmap_head },
	{ "huge-unmap-tail", "EINVAL", huge_unmap_tail },
	{ "huge-unmap-half", "1048576", huge_unmap_half },
	{ "huge-counted", "2097152", huge_counted },
	{ "huge-locked", "ENOMEM", huge_locked },
	{ 0 },
};
