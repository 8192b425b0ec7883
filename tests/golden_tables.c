/* SPDX-License-Identifier: MIT */
/*
 * The tables of the models, byte by byte: a saved table must stay readable, so its bytes may not
 * change by accident.
 *
 * usage: golden-tables [--write] DIR
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/table.h>

#include "model/model.h"

#define ROOM 8192

/* One golden file: made, then either written or compared. */
struct golden {
	const char *dir;
	bool write;
	int failed;
	char text[65536];
	size_t text_len;
};

static void add_line(void *ctx, const char *text)
{
	struct golden *g = ctx;
	int n = snprintf(g->text + g->text_len, sizeof(g->text) - g->text_len, "%s\n", text);

	if (n < 0 || (size_t)n >= sizeof(g->text) - g->text_len) {
		fprintf(stderr, "the hexdump is too long\n");
		exit(1);
	}
	g->text_len += (size_t)n;
}

static void keep(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(data, 1, len, f) != len || fclose(f)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
}

static bool same(const char *path, const void *data, size_t len)
{
	char *old = malloc(len + 1);
	FILE *f = fopen(path, "rb");
	bool ok = f && old && fread(old, 1, len + 1, f) == len && !memcmp(old, data, len);

	if (f)
		fclose(f);
	free(old);
	return ok;
}

static void settle(struct golden *g, const char *name, const char *end, const void *data,
		   size_t len)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.%s", g->dir, name, end);
	if (g->write) {
		keep(path, data, len);
	} else if (!same(path, data, len)) {
		fprintf(stderr, "%s: differs from what is written today\n", path);
		g->failed = 1;
	}
}

static void check_model(struct golden *g, const char *name)
{
	struct dfd_device *dev;
	struct dfd_error err;
	uint8_t table[ROOM];
	size_t len;

	if (dfd_model_open(name, &dev, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	len = dfd_table_read(dfd_device_desc(dev), NULL, 0, table, sizeof(table));
	settle(g, name, "dfd", table, len);
	g->text_len = 0;
	if (dfd_table_dump(table, len, add_line, g))
		g->failed = 1;
	settle(g, name, "dump", g->text, g->text_len);
	dfd_device_close(dev);
}

int main(int argc, char **argv)
{
	static struct golden g;

	g.write = argc == 3 && !strcmp(argv[1], "--write");
	if (argc != 2 + g.write) {
		fprintf(stderr, "usage: golden-tables [--write] DIR\n");
		return 2;
	}
	g.dir = argv[1 + g.write];
	check_model(&g, "edu");
	check_model(&g, "pl011");
	check_model(&g, "shapes");
	return g.failed;
}
