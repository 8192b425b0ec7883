/* SPDX-License-Identifier: MIT */
/*
 * What the device's side of DMA costs: finding the map of an address, memory for each map, and
 * unmapping everything.
 *
 * Each look-up is held against others in the same run, block by block in turn: a plain walk of page
 * tables, three levels of 4 KiB pages (39 bits), whose entries point to what is kept for a map; and
 * a binary search in a sorted array. All end at the same object and take the driver's pointer from
 * it. The walk is also measured without the object: an IOMMU ends at the entry, because it need not
 * know where a map ends. Figures are medians.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <devfd/provider.h>

#include "alloc.h"
#include "bench.h"
#include "util/iovamap.h"

#define PAGE	UINT64_C(4096)
#define MANY	60000u
#define LOOKUPS 32768u
#define BLOCKS	61

/** struct object - what is kept for a map, as large as in the library */
struct object {
	struct dfd_iova range;
	uintptr_t addr;
	uint64_t rest[3];
};

/** struct entry - of the sorted array */
struct entry {
	uint64_t start, last;
	const struct object *object;
};

/** struct layout - the same maps three times, and addresses in them */
struct layout {
	size_t count;
	struct object **objects;
	struct dfd_iovamap map;
	struct entry *sorted;
	void *pages[512];
	uint64_t addresses[LOOKUPS];
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static uint64_t random64(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void *zeroed(size_t size)
{
	void *memory = calloc(1, size);

	bench_must(memory, "allocation");
	return memory;
}

/* ---- three ways to find a map ---- */

typedef const struct object *find_fn(const struct layout *l, uint64_t address);

__attribute__((noinline)) static const struct object *by_tree(const struct layout *l,
							      uint64_t address)
{
	return (const struct object *)dfd_iovamap_find(&l->map, address);
}

__attribute__((noinline)) static const struct object *by_walk(const struct layout *l,
							      uint64_t address)
{
	void *const *table = l->pages[address >> 30 & 511];

	if (table)
		table = table[address >> 21 & 511];
	return table ? table[address >> 12 & 511] : NULL;
}

__attribute__((noinline)) static const struct object *by_search(const struct layout *l,
								uint64_t address)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->sorted[mid].last < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->count && l->sorted[low].start <= address ? l->sorted[low].object : NULL;
}

static void enter_page(struct layout *l, uint64_t address, struct object *object)
{
	void **table = l->pages;

	for (int shift = 30; shift > 12; shift -= 9) {
		void **slot = &table[address >> shift & 511];

		if (!*slot)
			*slot = zeroed(512 * sizeof(void *));
		table = *slot;
	}
	table[address >> 12 & 511] = object;
}

static void free_pages(void **table, int levels)
{
	for (int i = 0; i < 512 && levels; i++) {
		void **below = table[i];

		if (!below)
			continue;
		free_pages(below, levels - 1);
		free(below);
	}
}

/** struct way - @entry_only: do not go on from the entry to the object */
struct way {
	const char *name;
	find_fn *find;
	bool entry_only;
};

static const struct way ways[] = {
	{ "tree", by_tree, false },
	{ "walk", by_walk, false },
	{ "entry", by_walk, true },
	{ "search", by_search, false },
};
#define NUM_WAYS (sizeof(ways) / sizeof(*ways))

/* ---- layouts ---- */

/* Return: whether it was free. */
static bool add(struct layout *l, uint64_t start, uint64_t size, bool with_pages)
{
	struct object *o = zeroed(sizeof(*o));

	o->range = (struct dfd_iova){ start, start + size - 1 };
	o->addr = (uintptr_t)random64();
	if (dfd_iovamap_add(&l->map, &o->range)) {
		free(o);
		return false;
	}
	for (uint64_t at = start; with_pages && at < start + size; at += PAGE)
		enter_page(l, at, o);
	l->objects[l->count++] = o;
	return true;
}

static struct layout *layout_new(size_t count)
{
	struct layout *l = zeroed(sizeof(*l));

	l->objects = zeroed(count * sizeof(*l->objects));
	return l;
}

static int by_address(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void sort(struct layout *l)
{
	l->sorted = zeroed(l->count * sizeof(*l->sorted));
	for (size_t i = 0; i < l->count; i++)
		l->sorted[i] = (struct entry){ l->objects[i]->range.start,
					       l->objects[i]->range.last, l->objects[i] };
	qsort(l->sorted, l->count, sizeof(*l->sorted), by_address);
}

static void pick_addresses(struct layout *l)
{
	sort(l);
	for (size_t i = 0; i < LOOKUPS; i++) {
		const struct object *o = l->objects[random64() % l->count];
		uint64_t size = o->range.last - o->range.start + 1;

		l->addresses[i] = o->range.start + random64() % size;
	}
}

/* As Linux's IOVA allocator does it: top down from 4 GiB, aligned to the size rounded up. */
static struct layout *dense(size_t count)
{
	static const uint64_t pages[] = { 1, 1, 1, 1, 2, 3, 8, 16 };
	struct layout *l = layout_new(count);
	uint64_t top = UINT64_C(1) << 32;

	while (l->count < count) {
		uint64_t size = pages[random64() % 8] * PAGE, align = PAGE;

		while (align < size)
			align *= 2;
		top = (top - size) & ~(align - 1);
		add(l, top, size, true);
	}
	pick_addresses(l);
	return l;
}

static struct layout *scattered(size_t count)
{
	struct layout *l = layout_new(count);

	while (l->count < count)
		add(l, random64() >> (64 - 39) & ~(PAGE - 1), PAGE, false);
	pick_addresses(l);
	return l;
}

static void layout_free(struct layout *l)
{
	dfd_iovamap_clear(&l->map, NULL, NULL);
	free(l->sorted);
	free_pages(l->pages, 2);
	for (size_t i = 0; i < l->count; i++)
		free(l->objects[i]);
	free(l->objects);
	free(l);
}

/* ---- measuring look-ups ---- */

/* @mask: 0, but the compiler does not know; so an address depends on the last result, or not. */
static inline __attribute__((always_inline)) uint64_t look_up_all(const struct layout *l,
								  const struct way *way,
								  bool dependent, uint64_t mask)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < LOOKUPS; i++) {
		uint64_t address = l->addresses[i] + (dependent ? sum & mask : 0);
		const struct object *o = way->find(l, address);

		sum += way->entry_only ? (uintptr_t)o : o->addr + (address - o->range.start);
	}
	return sum;
}

/* Nanoseconds for each look-up. */
static double block(const struct layout *l, const struct way *way, bool dependent)
{
	static volatile uint64_t zero, sum;
	uint64_t start = bench_ns();

	sum = dependent ? look_up_all(l, way, true, zero) : look_up_all(l, way, false, sum);
	return (double)(bench_ns() - start) / LOOKUPS;
}

/* Where there are no pages to walk, the search is to be beaten. */
static double goal_of(const struct way *way, bool has_pages)
{
	if (way->entry_only)
		return 0;
	if (way->find == by_walk)
		return 1.3;
	return has_pages ? 0 : 1;
}

/* Each runs twice and the second time counts, so that none finds the cache that another has left.
 */
static void compare(const char *name, const struct layout *l, bool dependent)
{
	static double ns[NUM_WAYS][BLOCKS], ratio[NUM_WAYS][BLOCKS];
	bool has_pages = by_walk(l, l->addresses[0]);

	for (int i = 0; i < BLOCKS; i++) {
		for (unsigned int w = 0; w < NUM_WAYS; w++) {
			ns[w][i] = 0;
			if (!has_pages && ways[w].find == by_walk)
				continue;
			block(l, &ways[w], dependent);
			ns[w][i] = block(l, &ways[w], dependent);
		}
		for (unsigned int w = 1; w < NUM_WAYS; w++)
			ratio[w][i] = ns[w][i] > 0 ? ns[0][i] / ns[w][i] : 0;
	}
	for (unsigned int w = 1; w < NUM_WAYS; w++) {
		struct bench_result r = { bench_median(ns[0], BLOCKS), bench_median(ns[w], BLOCKS),
					  bench_median(ratio[w], BLOCKS) };
		char row[64];

		snprintf(row, sizeof(row), "%s, %s, %s", name,
			 dependent ? "dependent" : "independent", ways[w].name);
		if (ns[w][0] > 0)
			bench_ratio(row, &r, goal_of(&ways[w], has_pages));
	}
}

static void compare_both(const char *name, struct layout *l)
{
	compare(name, l, false);
	compare(name, l, true);
	layout_free(l);
}

static size_t tree_bytes_of_huge(void)
{
	struct dfd_iova huge = { UINT64_C(1) << 32, (UINT64_C(1) << 32) + (UINT64_C(1) << 40) - 1 };
	struct layout *l = dense(1000);
	size_t bytes;

	dfd_alloc_reset();
	bench_must(!dfd_iovamap_add(&l->map, &huge), "adding");
	bytes = dfd_alloc.live;
	dfd_iovamap_remove(&l->map, &huge);
	layout_free(l);
	return bytes;
}

/* ---- a device with many maps of one file ---- */

static struct dfd_device *new_device(void)
{
	static const struct dfd_device_ops ops = { .size = sizeof(ops), .name = "memory" };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	const struct dfd_desc *desc;
	struct dfd_device *dev;

	bench_must(!dfd_desc_build(b, &desc, NULL), "description");
	bench_must(!dfd_model_new(desc, &ops, NULL, NULL, &dev, NULL), "model");
	dfd_desc_unref(desc);
	return dev;
}

static int new_file(uint64_t size)
{
	int fd = memfd_create("iova", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	bench_must(fd >= 0 && !ftruncate(fd, (off_t)size) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK),
		   "making a file");
	return fd;
}

/* Every page is touched, so that there are page tables to take down. */
static void map_many(struct dfd_device *dev, int fd)
{
	for (uint64_t i = 0; i < MANY; i++) {
		struct dfd_dma_map map = { .iova = (UINT64_C(1) << 32) - (i + 1) * PAGE,
					   .size = PAGE,
					   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
					   .kind = DFD_DMA_FD,
					   .fd = fd,
					   .fd_offset = i * PAGE };

		bench_must(!dfd_dma_map(dev, &map), "mapping");
	}
}

static void touch_all(struct dfd_device *dev)
{
	for (uint64_t i = 0; i < MANY; i++)
		bench_must(dfd_dma_write(dfd_device_host(dev), (UINT64_C(1) << 32) - (i + 1) * PAGE,
					 "x", 1, NULL, NULL) == 1,
			   "writing");
}

/** struct unmapping - one run; milliseconds unless it says otherwise; @slice, @busy: the longest */
struct unmapping {
	double map_ns, reply, slice, busy;
	unsigned int slices;
	size_t bytes;
};

static void keep_longest(double *ms, uint64_t ns)
{
	if ((double)ns / 1e6 > *ms)
		*ms = (double)ns / 1e6;
}

static struct unmapping unmap_many(struct dfd_device *dev, int fd)
{
	struct unmapping u = { 0 };
	uint64_t start = bench_ns();

	dfd_alloc_reset();
	map_many(dev, fd);
	u.map_ns = (double)(bench_ns() - start) / MANY;
	u.bytes = dfd_alloc.live / MANY;
	touch_all(dev);
	start = bench_ns();
	bench_must(!dfd_dma_unmap(dev, 0, UINT64_MAX, NULL), "unmapping");
	u.reply = (double)(bench_ns() - start) / 1e6;
	for (; dfd_alloc.live; u.slices++) { /* until the file itself is forgotten */
		uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		start = bench_ns();
		dfd_device_service(dev);
		keep_longest(&u.slice, bench_ns() - start);
		keep_longest(&u.busy, clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
	}
	return u;
}

static void measure_unmap(void)
{
	enum { RUNS = 5 };
	struct dfd_device *dev = new_device();
	int fd = new_file(MANY * PAGE);
	double map_ns[RUNS], reply[RUNS], slice[RUNS], busy[RUNS];
	struct unmapping u;

	for (int i = 0; i < RUNS; i++) {
		u = unmap_many(dev, fd);
		map_ns[i] = u.map_ns;
		reply[i] = u.reply;
		slice[i] = u.slice;
		busy[i] = u.busy;
	}
	bench_title("60,000 maps of 4 KiB of one file, every page touched, in a model");
	bench_value("memory for each", (double)u.bytes, "bytes", 128);
	bench_value("mapping one", bench_median(map_ns, RUNS), "ns", 0);
	bench_value("unmapping all, in the call", bench_median(reply, RUNS), "ms", 10);
	bench_value("afterwards, the longest slice", bench_median(slice, RUNS), "ms", 1);
	bench_value("  of that on the processor", bench_median(busy, RUNS), "ms", 0);
	close(fd);
	dfd_device_close(dev);
}

int main(void)
{
	bench_title("finding the map of an address, against a walk of page tables (all, or up to "
		    "the entry) and a binary search");
	compare_both("16 dense", dense(16));
	compare_both("1000 dense", dense(1000));
	compare_both("60000 dense", dense(MANY));
	compare_both("60000 over 39 bits", scattered(MANY));
	bench_value("a map of 1 TiB beside 1000 others", (double)tree_bytes_of_huge(), "bytes", 0);
	measure_unmap();
	return 0;
}
