/* SPDX-License-Identifier: MIT */
/* What can be mapped at most: sizes, addresses, the number of maps, the memory that is locked. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cases.h"

#define LARGE	  (UINT64_C(64) << 20)
#define LOCKABLE  (UINT64_C(64) << 10)
#define TOO_LARGE (UINT64_C(1) << 20)
#define GAPS_FROM UINT64_C(0x1000000)

/* Where the IOMMU has nothing to say there are no limits to be tried. */
bool limits(struct dfd_dma_limits *l)
{
	return has_dma() && !dfd_dma_limits(dev, l);
}

static const char *mapped(int ret)
{
	unmap_all();
	return result(ret);
}

/* ---- addresses and sizes ---- */

static const char *limits_told(void)
{
	struct dfd_dma_limits l;

	if (!limits(&l))
		return NONE;
	if (l.page != PAGE || !l.maps_left || !l.lockable || !l.num_ranges)
		return "not told";
	for (uint32_t i = 0; i < l.num_ranges; i++) {
		if (l.ranges[i].start > l.ranges[i].last ||
		    (i && l.ranges[i].start <= l.ranges[i - 1].last))
			return "ranges";
	}
	return "ok";
}

/* The very last byte is in no range that can be given as a whole: it is unmapped by itself. */
static const char *limit_last_page(void)
{
	struct dfd_dma_limits l;
	uint64_t last;
	int64_t ret;

	if (!limits(&l))
		return NONE;
	last = l.ranges[l.num_ranges - 1].last & ~(uint64_t)(PAGE - 1);
	ret = map_file(last, PAGE);
	return result(ret ? ret : unmap(last, PAGE));
}

static const char *limit_past_last(void)
{
	struct dfd_dma_limits l;
	uint64_t last;

	if (!limits(&l))
		return NONE;
	last = l.ranges[l.num_ranges - 1].last;
	return last > UINT64_MAX - PAGE ? NONE : mapped(map_file(last + 1, PAGE));
}

/* Between two ranges, such as where interrupt messages go, no memory can be. */
static const char *limit_reserved(void)
{
	struct dfd_dma_limits l;

	if (!limits(&l) || l.num_ranges < 2)
		return NONE;
	return mapped(map_file(l.ranges[0].last + 1, PAGE));
}

/* Below its first page nothing is left for one that the library may choose. */
static const char *limit_max_iova(void)
{
	struct dfd_dma_map m = { .iova = DFD_IOVA_ANY,
				 .max_iova = PAGE - 1,
				 .size = PAGE,
				 .prot = DFD_DMA_READ,
				 .addr = memory };

	return has_dma() ? mapped(dfd_dma_map(dev, &m)) : NONE;
}

static const char *limit_large(void)
{
	const char *answer;
	void *at;

	if (!has_dma())
		return NONE;
	at = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return "no memory";
	answer = mapped(map_memory(IOVA, LARGE, DFD_DMA_READ | DFD_DMA_WRITE, at));
	munmap(at, LARGE);
	return answer;
}

/* More than any process has. */
static const char *limit_too_large(void)
{
	return has_dma() ? mapped(map_memory(IOVA, UINT64_C(1) << 62, DFD_DMA_READ, memory)) : NONE;
}

static const char *limit_odd_size(void)
{
	return has_dma() ? mapped(map_file(IOVA, 100)) : NONE;
}

static const char *limit_odd_iova(void)
{
	return has_dma() ? mapped(map_file(IOVA + 0x800, PAGE)) : NONE;
}

static const char *limit_odd_memory(void)
{
	return has_dma() ? mapped(map_memory(IOVA, PAGE, DFD_DMA_READ, memory + 0x800)) : NONE;
}

/* ---- the number of maps ---- */

static uint64_t maps_left(void)
{
	struct dfd_dma_limits l;

	return limits(&l) ? l.maps_left : 0;
}

/* As many as are left, with gaps, so that none can be joined to another, and one more. */
static const char *fill(uint64_t left)
{
	static char answer[32];
	uint64_t n = 0;
	int ret = 0;

	while (n <= left &&
	       !(ret = map_memory(GAPS_FROM + 2 * n * PAGE, PAGE, DFD_DMA_READ, memory)))
		n++;
	if (ret != -ENOSPC || n != left || maps_left())
		snprintf(answer, sizeof(answer), "%s", result(ret));
	else if (unmap(0, UINT64_MAX) != (int64_t)(n * PAGE) || maps_left() != left)
		snprintf(answer, sizeof(answer), "not again");
	else
		snprintf(answer, sizeof(answer), "%llu", (unsigned long long)left);
	unmap_all();
	return answer;
}

static const char *limit_maps(void)
{
	struct dfd_dma_limits l;

	if (!limits(&l))
		return NONE;
	return l.maps_left == UINT64_MAX ? "no limit" : fill(l.maps_left);
}

/* ---- memory that is locked ---- */

/* Root may lock as much as there is, unless it lets go of that. */
static bool may_lock_all(bool on)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, data))
		return false;
	if (on)
		data[0].effective |= data[0].permitted & (1u << CAP_IPC_LOCK);
	else
		data[0].effective &= ~(1u << CAP_IPC_LOCK);
	return !syscall(SYS_capset, &head, data);
}

static void take_line(void *ctx, const char *text)
{
	if (strstr(text, "ulimit -l"))
		*(bool *)ctx = true;
}

/*
 * The limit is told, more than it is refused, and what to do about it is said. The memory has been
 * written to: pages that are shared by all that is zero were not counted by older kernels.
 */
static const char *limited(void)
{
	uint8_t *at =
		mmap(NULL, TOO_LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct dfd_dma_limits l;
	bool said = false;
	int ret;

	if (at == MAP_FAILED)
		return "no memory";
	memset(at, 1, TOO_LARGE);
	dfd_device_watch_log(dev, take_line, &said);
	ret = map_memory(IOVA, TOO_LARGE, DFD_DMA_READ, at);
	dfd_device_watch_log(dev, NULL, NULL);
	unmap_all();
	munmap(at, TOO_LARGE);
	if (ret == -ENOMEM && !said)
		return "no remedy";
	if (limits(&l) && l.lockable != LOCKABLE)
		return "not told";
	return result(ret);
}

const char *with_little_memlock(const char *(*run)(void))
{
	struct rlimit old, low;
	const char *answer;

	if (getrlimit(RLIMIT_MEMLOCK, &old) || !may_lock_all(false))
		return "cannot be limited";
	low = (struct rlimit){ .rlim_cur = LOCKABLE, .rlim_max = old.rlim_max };
	setrlimit(RLIMIT_MEMLOCK, &low);
	answer = run();
	setrlimit(RLIMIT_MEMLOCK, &old);
	may_lock_all(true);
	return answer;
}

static const char *limit_locked(void)
{
	return has_dma() ? with_little_memlock(limited) : NONE;
}

const struct test limit_tests[] = {
	{ "limits-told", "ok", limits_told },
	{ "limit-last-page", "4096", limit_last_page },
	{ "limit-past-last", "EINVAL", limit_past_last },
	{ "limit-reserved", "EINVAL", limit_reserved },
	{ "limit-max-iova", "ENOSPC", limit_max_iova },
	{ "limit-large", "ok", limit_large },
	{ "limit-too-large", "EINVAL", limit_too_large },
	{ "limit-odd-size", "EINVAL", limit_odd_size },
	{ "limit-odd-iova", "EINVAL", limit_odd_iova },
	{ "limit-odd-memory", "EINVAL", limit_odd_memory },
	{ "limit-maps", "no limit", limit_maps },
	{ "limit-locked", "ENOMEM", limit_locked },
	{ 0 },
};
