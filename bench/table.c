/* SPDX-License-Identifier: MIT */
/*
 * What the table costs: a device described by one read, and the table read in small pieces.
 * usage: table [ADDRESS-OF-A-MODEL]    such as shapes; without: edu
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <devfd/table.h>

#include "alloc.h"
#include "model/model.h"

#define ROUNDS 20000

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The table cut in pieces of @piece bytes. */
static void read_pieces(const struct dfd_desc *d, struct dfd_table_cursor *cursor, uint8_t *buf,
			size_t piece)
{
	uint64_t at = 0;
	size_t n;

	do {
		n = dfd_table_read(d, cursor, at, buf + at, piece);
		at += n;
	} while (n == piece);
}

static double measure(const struct dfd_desc *d, bool with_cursor, uint8_t *buf, size_t piece,
		      int rounds)
{
	double start = now_us();

	for (int i = 0; i < rounds; i++) {
		struct dfd_table_cursor cursor = { 0 };

		read_pieces(d, with_cursor ? &cursor : NULL, buf, piece);
	}
	return (now_us() - start) / rounds;
}

static double measure_parse(const uint8_t *buf, size_t len, int rounds)
{
	const struct dfd_desc *d;
	double start = now_us();

	for (int i = 0; i < rounds; i++) {
		if (dfd_table_parse(buf, len, &d, NULL, NULL))
			abort();
		dfd_desc_unref(d);
	}
	return (now_us() - start) / rounds;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "edu";
	const struct dfd_desc *d;
	struct dfd_device *dev;
	struct dfd_error err;
	uint32_t size;
	uint8_t *buf;
	size_t allocations;
	double whole;

	if (dfd_model_open(name, &dev, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	d = dfd_device_desc(dev);
	size = dfd_table_size(d);
	buf = malloc(size + 64);
	if (!buf)
		return 1;
	dfd_alloc_reset();
	whole = measure(d, false, buf, size + 1, ROUNDS);
	printf("table of %s: %" PRIu32 " bytes\n", name, size);
	printf("whole, one read:               %8.2f us\n", whole);
	printf("64 bytes at a time, cursor:    %8.2f us\n", measure(d, true, buf, 64, ROUNDS));
	printf("byte by byte, cursor:          %8.2f us\n", measure(d, true, buf, 1, ROUNDS / 10));
	printf("byte by byte, without cursor:  %8.2f us\n", measure(d, false, buf, 1, ROUNDS / 10));
	allocations = dfd_alloc.calls;
	printf("read back into a description:  %8.2f us\n", measure_parse(buf, size, ROUNDS));
	printf("held for an open file:         %8zu bytes, %zu allocations while reading\n",
	       sizeof(struct dfd_table_cursor), allocations);
	free(buf);
	dfd_device_close(dev);
	return 0;
}
