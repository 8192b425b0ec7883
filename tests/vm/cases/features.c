/* SPDX-License-Identifier: MIT */
/* VFIO_DEVICE_FEATURE: which there are, how they are asked for wrongly, and those that do no DMA.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"

#define GET   DFD_FEATURE_GET
#define SET   DFD_FEATURE_SET
#define PROBE DFD_FEATURE_PROBE

/* ---- which there are ---- */

static int add_bit(void *ctx, uint32_t number, uint32_t directions)
{
	(void)directions;
	*(uint64_t *)ctx |= UINT64_C(1) << number;
	return 0;
}

static uint64_t offered(void)
{
	uint64_t mask = 0;

	dfd_feature_probe(dev, add_bit, &mask);
	return mask;
}

/* By number: 0x2 is number 1 alone. */
static const char *features(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, offered());
	return text;
}

/* ---- asked for wrongly ---- */

static const char *feature_unknown(void)
{
	return result(dfd_device_feature(dev, 999 | GET | PROBE, NULL, 0));
}

/** struct wrong - the first feature that answers otherwise than -EINVAL */
struct wrong {
	int (*ask)(uint32_t number, uint32_t directions);
	const char *answer;
};

static int ask_one(void *ctx, uint32_t number, uint32_t directions)
{
	struct wrong *w = ctx;
	int ret = w->ask(number, directions);

	w->answer = result(ret);
	return ret != -EINVAL;
}

static const char *each_feature(int (*ask)(uint32_t number, uint32_t directions))
{
	struct wrong w = { ask, NONE };

	dfd_feature_probe(dev, ask_one, &w);
	return w.answer;
}

/* Those that go both ways have no other one. */
static int other_way(uint32_t number, uint32_t directions)
{
	uint64_t body[16] = { 0 };

	if (directions == (GET | SET))
		return -EINVAL;
	return dfd_device_feature(dev, number | (directions ^ (GET | SET)), body, sizeof(body));
}

static int both_ways(uint32_t number, uint32_t directions)
{
	uint64_t body[16] = { 0 };

	(void)directions;
	return dfd_device_feature(dev, number | GET | SET, body, sizeof(body));
}

static int no_way(uint32_t number, uint32_t directions)
{
	(void)directions;
	return dfd_device_feature(dev, number, NULL, 0);
}

/* One byte is not enough for any that has a body; those without do what they are for. */
static int too_short(uint32_t number, uint32_t directions)
{
	uint8_t byte = 0;

	if (number == DFD_FEATURE_LOW_POWER_ENTRY || number == DFD_FEATURE_LOW_POWER_EXIT ||
	    number == DFD_FEATURE_DMA_LOGGING_STOP || number == DFD_FEATURE_MIG_PRECOPY_INFO_V2)
		return -EINVAL;
	return dfd_device_feature(dev, number | (directions & GET ? GET : SET), &byte, 1);
}

static const char *feature_other_way(void)
{
	return each_feature(other_way);
}

static const char *feature_both_ways(void)
{
	return each_feature(both_ways);
}

static const char *feature_no_way(void)
{
	return each_feature(no_way);
}

static const char *feature_short(void)
{
	return each_feature(too_short);
}

/* ---- low power ---- */

static const char *not_offered(int ret, const char *answer)
{
	return ret == -ENOTTY ? "not offered" : answer;
}

/* It sleeps until it is accessed, and answers all the same. */
static const char *low_power(void)
{
	int ret = dfd_low_power(dev, -1), twice;
	uint32_t value;
	ssize_t n;

	if (ret)
		return not_offered(ret, result(ret));
	twice = dfd_low_power(dev, -1);
	n = dfd_region_read(dev, DFD_PCI_CONFIG, 0, &value, 4);
	ret = dfd_low_power_end(dev);
	if (twice != -EINVAL)
		return "twice";
	return ret ? result(ret) : n == 4 ? "ok" : result(n);
}

/*
 * An access by the driver wakes it for good. Whether that is told depends on whether it has fallen
 * asleep before, which takes the kernel a moment.
 */
static const char *low_power_wakeup(void)
{
	int fd = new_eventfd(), ret = dfd_low_power(dev, fd);
	uint32_t value;
	ssize_t n;

	if (ret) {
		close(fd);
		return not_offered(ret, result(ret));
	}
	n = dfd_region_read(dev, DFD_PCI_CONFIG, 0, &value, 4);
	ret = dfd_low_power_end(dev);
	close(fd);
	return ret ? result(ret) : n == 4 ? "ok" : result(n);
}

static const char *low_power_bad_fd(void)
{
	int ret = dfd_low_power(dev, 900);

	return not_offered(ret, result(ret));
}

static const char *low_power_end_idle(void)
{
	int ret = dfd_low_power_end(dev);

	return not_offered(ret, result(ret));
}

/* ---- registers as a dma-buf ---- */

/* The first page that can be mapped, if there is one. */
static const struct dfd_region *mappable(struct dfd_area *area)
{
	uint32_t count;
	const struct dfd_region *r = dfd_desc_regions(dfd_device_desc(dev), &count);

	for (uint32_t i = 0; i < count; i++) {
		if (!(r[i].flags & DFD_REGION_MAPPABLE) || r[i].size < PAGE)
			continue;
		*area = (struct dfd_area){ r[i].num_areas ? r[i].areas[0].offset : 0, PAGE };
		return &r[i];
	}
	return NULL;
}

static const char *dma_buf(void)
{
	struct dfd_area area;
	const struct dfd_region *r = mappable(&area);
	int fd;

	if (!r)
		return NONE;
	fd = dfd_region_dmabuf(dev, r->index, &area, 1);
	if (fd < 0)
		return fd == -EOPNOTSUPP ? "not offered" : not_offered(fd, result(fd));
	close(fd);
	return "ok";
}

/* Asked of those that have any: off pages. */
static const char *dma_buf_odd(void)
{
	struct dfd_area area;
	const struct dfd_region *r = mappable(&area);
	int fd;

	if (!r || !(offered() & (UINT64_C(1) << DFD_FEATURE_DMA_BUF)))
		return NONE;
	area.offset += 0x800;
	fd = dfd_region_dmabuf(dev, r->index, &area, 1);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? "off pages" : result(fd);
}

const struct test feature_tests[] = {
	{ "features", "0x0", features },
	{ "feature-unknown", "ENOTTY", feature_unknown },
	{ "feature-other-way", "EINVAL", feature_other_way },
	{ "feature-both-ways", "EINVAL", feature_both_ways },
	{ "feature-no-way", "EINVAL", feature_no_way },
	{ "feature-short", "EINVAL", feature_short },
	{ "low-power", "not offered", low_power },
	{ "low-power-wakeup", "not offered", low_power_wakeup },
	{ "low-power-bad-fd", "not offered", low_power_bad_fd },
	{ "low-power-end-idle", "not offered", low_power_end_idle },
	{ "dma-buf", "not offered", dma_buf },
	{ "dma-buf-odd", "EINVAL", dma_buf_odd },
	{ 0 },
};
