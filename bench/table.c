/* SPDX-License-Identifier: MIT */
/*
 * What the table costs: a device described by one read, and the table read in small pieces. The
 * many-region device shows that small pieces cost the same per byte however long the table is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <devfd/table.h>

#include "alloc.h"
#include "bench.h"
#include "model/model.h"

#define MANY 1000

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Microseconds to read the table in pieces of @piece bytes. */
static double read_pieces(const struct dfd_desc *d, bool with_cursor, uint8_t *buf, size_t piece,
			  unsigned int rounds)
{
	double start = now_us();

	for (unsigned int i = 0; i < rounds; i++) {
		struct dfd_table_cursor cursor = { 0 };
		uint64_t at = 0;
		size_t n;

		do {
			n = dfd_table_read(d, with_cursor ? &cursor : NULL, at, buf + at, piece);
			at += n;
		} while (n == piece);
	}
	return (now_us() - start) / rounds;
}

static double read_back(const uint8_t *buf, size_t len, unsigned int rounds)
{
	const struct dfd_desc *d;
	double start = now_us();

	for (unsigned int i = 0; i < rounds; i++) {
		if (dfd_table_parse(buf, len, &d, NULL, NULL))
			abort();
		dfd_desc_unref(d);
	}
	return (now_us() - start) / rounds;
}

static void measure(const char *name, const struct dfd_desc *d)
{
	uint32_t size = dfd_table_size(d);
	uint8_t *buf = malloc(size + 64);
	unsigned int rounds = 4000000 / size;
	size_t allocations;
	char title[128];
	double us[5];

	if (!buf)
		abort();
	dfd_alloc_reset();
	us[0] = read_pieces(d, false, buf, size + 1, rounds);
	us[1] = read_pieces(d, true, buf, 64, rounds);
	us[2] = read_pieces(d, true, buf, 1, rounds / 16 + 1);
	us[3] = read_pieces(d, false, buf, 1, size > 4096 ? 1 : rounds / 64);
	allocations = dfd_alloc.calls;
	us[4] = read_back(buf, size, rounds);
	snprintf(title, sizeof(title), "the table of %s, %" PRIu32 " bytes", name, size);
	bench_title(title);
	bench_value("one read", us[0], "us", 0);
	bench_value("64 bytes at a time", us[1], "us", 0);
	bench_value("byte by byte", us[2] * 1e3 / size, "ns", 0);
	bench_value("byte by byte, without cursor", us[3] * 1e3 / size, "ns", 0);
	bench_value("read back to a description", us[4], "us", 0);
	bench_value("held by an open file", (double)sizeof(struct dfd_table_cursor), "bytes", 0);
	bench_value("allocations while reading", (double)allocations, "", 0);
	free(buf);
}

static void measure_model(const char *name)
{
	struct dfd_device *dev;
	struct dfd_error err;

	if (dfd_model_open(name, &dev, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	measure(name, dfd_device_desc(dev));
	dfd_device_close(dev);
}

static void measure_many(void)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	const struct dfd_desc *d;

	for (uint32_t i = 0; i < MANY; i++)
		dfd_desc_add_region(b, &(struct dfd_region){ .index = i, .size = 4096 });
	if (dfd_desc_build(b, &d, NULL))
		abort();
	measure("a device with 1000 regions", d);
	dfd_desc_unref(d);
}

int main(void)
{
	measure_model("edu");
	measure_many();
	return 0;
}
