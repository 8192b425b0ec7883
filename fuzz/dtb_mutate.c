/* SPDX-License-Identifier: MIT */
/*
 * Damaged device tree blobs, the same ones each time.
 * usage: dtb-mutate COUNT SEED BLOB...
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/table.h>

#include "alloc.h"
#include "file/dtb.h"
#include "must.h"
#include "mutate.h"
#include "random_desc.h"
#include "util/fileio.h"

#define MAX_BASES 8
#define MAX_NODES 128
#define ROOM	  32768
/* A description is bounded by what a blob can say, and that by its size. */
#define MAX_MEMORY (64 * 1024 + 64 * ROOM)

static struct base {
	uint8_t *bytes;
	size_t len;
	char paths[MAX_NODES][128];
	uint32_t num_paths;
} bases[MAX_BASES];
static uint32_t num_bases;

static void add_base(const char *file)
{
	struct base *b = &bases[num_bases++];
	struct dfd_error err;
	void *bytes;

	if (dfd_read_file(file, ROOM / 2, &bytes, &b->len, &err)) {
		fprintf(stderr, "dtb-mutate: %s\n", err.text);
		exit(2);
	}
	b->bytes = bytes;
	for (int node = 0; node >= 0 && b->num_paths < MAX_NODES;
	     node = fdt_next_node(bytes, node, NULL)) {
		if (!fdt_get_path(bytes, node, b->paths[b->num_paths], sizeof(b->paths[0])))
			b->num_paths++;
	}
}

/* Mostly a node of the good tree; now and then what no tree has, for the messages. */
static const char *choose_path(const struct base *b, uint64_t *seed)
{
	static const char *const others[] = {
		"", "serial0", "/none", "/x/serial@4500", "//", "/a@b"
	};

	if (!dfd_random_below(seed, 16))
		return others[dfd_random_below(seed, sizeof(others) / sizeof(others[0]))];
	return b->paths[dfd_random_below(seed, b->num_paths)];
}

/* The mutator thinks in little-endian words, a blob is made of big-endian ones. */
static void swap_words(uint8_t *buf, size_t len)
{
	for (size_t i = 0; i + 4 <= len; i += 4) {
		uint32_t word;

		memcpy(&word, buf + i, 4);
		word = __builtin_bswap32(word);
		memcpy(buf + i, &word, 4);
	}
}

/* Damage to the header is noticed at once, so most of the time it is put right again. */
static size_t damage(uint8_t *buf, const struct base *b, uint64_t *seed)
{
	size_t len;

	memcpy(buf, b->bytes, b->len);
	swap_words(buf, b->len);
	len = dfd_mutate(buf, b->len, ROOM, seed);
	swap_words(buf, len);
	if (dfd_random_below(seed, 8) && len > sizeof(struct fdt_header)) {
		memcpy(buf, b->bytes, sizeof(struct fdt_header));
		fdt_set_totalsize(buf, (uint32_t)len);
	}
	return len;
}

static void check_text(const char *text)
{
	MUST(*text);
	for (; *text; text++)
		MUST(isprint((unsigned char)*text));
}

/* What was described is a description like any other. */
static void check_again(const struct dfd_desc *desc)
{
	uint32_t size = dfd_table_size(desc);
	const struct dfd_desc *again;
	uint8_t *table = malloc(size);

	MUST(table);
	MUST(dfd_table_read(desc, NULL, 0, table, size) == size);
	MUST(dfd_table_parse(table, size, &again, NULL, NULL) == 0);
	MUST(dfd_desc_equal(desc, again, NULL));
	dfd_desc_unref(again);
	free(table);
}

static int check(const uint8_t *blob, size_t len, const char *path)
{
	const struct dfd_desc *desc;
	struct dfd_error err;
	int ret = dfd_dtb_describe(blob, len, path, &desc, &err);

	MUST(!ret || ret == -EBADMSG || ret == -ENOENT || ret == -EINVAL);
	if (ret) {
		check_text(err.text);
		return ret;
	}
	check_again(desc);
	dfd_desc_unref(desc);
	return 0;
}

static int damage_one(uint64_t *seed)
{
	const struct base *base = &bases[dfd_random_below(seed, num_bases)];
	uint8_t buf[ROOM], *exact;
	size_t len = damage(buf, base, seed);
	int ret;

	exact = malloc(len ? len : 1);
	MUST(exact);
	memcpy(exact, buf, len);
	dfd_alloc_reset();
	ret = check(exact, len, choose_path(base, seed));
	MUST(!dfd_alloc.live && dfd_alloc.peak <= MAX_MEMORY);
	free(exact);
	return ret;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 0, described = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	if (!count || argc < 4 || argc > 3 + MAX_BASES) {
		fprintf(stderr, "usage: dtb-mutate COUNT SEED BLOB...\n");
		return 2;
	}
	for (int i = 3; i < argc; i++)
		add_base(argv[i]);
	for (unsigned long i = 0; i < count; i++)
		described += !damage_one(&seed);
	printf("dtb: %lu mutations, %lu described, %lu refused with a sentence\n", count, described,
	       count - described);
	for (uint32_t i = 0; i < num_bases; i++)
		free(bases[i].bytes);
	return 0;
}
