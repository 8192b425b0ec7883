/* SPDX-License-Identifier: MIT */
/*
 * Damaged tables, the same ones each time.
 * usage: table-mutate COUNT [SEED]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/table.h>

#include "alloc.h"
#include "mutate.h"
#include "random_desc.h"
#include "table_check.h"

#define BASES	 256
#define MAX_BASE 1024 /* small ones: damage then hits what matters more often */
#define ROOM	 4096
/* A description is at most a few times its table, however damaged that is. */
#define MAX_MEMORY (64 * 1024 + 8 * ROOM)

static struct base {
	uint8_t bytes[ROOM];
	size_t len;
} bases[BASES];

/* Good tables to damage; those of PCI devices have a saved configuration space now and then. */
static void make_bases(void)
{
	static const uint8_t config[256] = { 0x34, 0x12 };

	for (uint64_t seed = 0, n = 0; n < BASES; seed++) {
		const struct dfd_desc *d = dfd_random_desc(seed);
		struct base *b = &bases[n];

		b->len = dfd_table_size(d);
		if (b->len <= MAX_BASE) {
			dfd_table_read(d, NULL, 0, b->bytes, b->len);
			if (dfd_desc_bus(d) == DFD_BUS_PCI && n % 4 == 0)
				b->len = (size_t)dfd_table_append_config(b->bytes, b->len, ROOM,
									 config, sizeof(config));
			n++;
		}
		dfd_desc_unref(d);
	}
}

/* Most damage to lengths is noticed in the header, so that is put right again more often than not.
 */
static void mend_size(uint8_t *buf, size_t len)
{
	uint8_t size[4] = { (uint8_t)(len & 0xf8), (uint8_t)(len >> 8), 0, 0 };

	if (len >= DFD_TABLE_HEADER_SIZE)
		memcpy(buf + 12, size, sizeof(size));
}

static int damage_one(uint64_t *seed)
{
	const struct base *base = &bases[dfd_random_below(seed, BASES)];
	uint8_t buf[ROOM], *exact;
	size_t len;
	int ret;

	memcpy(buf, base->bytes, base->len);
	len = dfd_mutate(buf, base->len, sizeof(buf), seed);
	if (dfd_random_below(seed, 4))
		mend_size(buf, len);
	exact = malloc(len ? len : 1);
	if (!exact)
		abort();
	memcpy(exact, buf, len);
	dfd_alloc_reset();
	ret = dfd_check_table(exact, len);
	if (dfd_alloc.live || dfd_alloc.peak > MAX_MEMORY) {
		fprintf(stderr, "%zu bytes of table took %zu bytes of memory and left %zu\n", len,
			dfd_alloc.peak, dfd_alloc.live);
		abort();
	}
	free(exact);
	return ret;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 0, accepted = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	if (!count) {
		fprintf(stderr, "usage: table-mutate COUNT [SEED]\n");
		return 2;
	}
	make_bases();
	for (unsigned long i = 0; i < count; i++)
		accepted += !damage_one(&seed);
	printf("table: %lu mutations, %lu read, %lu refused with an offset\n", count, accepted,
	       count - accepted);
	return 0;
}
