/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/table.h>

#include "must.h"
#include "table_check.h"

static void check_line(void *ctx, const char *text)
{
	size_t *lines = ctx;

	++*lines;
	MUST(strlen(text) <= 100 || !strncmp(text, "table offset 0x", 15));
}

static void check_refusal(const struct dfd_error *err, size_t len)
{
	unsigned long offset;
	int end = 0;

	MUST(sscanf(err->text, "table offset 0x%lx: %n", &offset, &end) == 1);
	MUST(end && err->text[end]);
	MUST(offset <= len);
}

static void check_again(const struct dfd_desc *desc)
{
	uint32_t size = dfd_table_size(desc);
	const struct dfd_desc *again;
	struct dfd_table_extra extra;
	uint8_t *table = malloc(size);

	MUST(table);
	MUST(dfd_table_read(desc, NULL, 0, table, size) == size);
	MUST(dfd_table_parse(table, size, &again, &extra, NULL) == 0);
	MUST(extra.skipped == 0);
	MUST(dfd_desc_equal(desc, again, NULL));
	dfd_desc_unref(again);
	free(table);
}

int dfd_check_table(const uint8_t *buf, size_t len)
{
	struct dfd_table_extra extra;
	const struct dfd_desc *desc;
	struct dfd_error err;
	size_t lines = 0;
	int ret = dfd_table_parse(buf, len, &desc, &extra, &err);

	MUST(!ret || ret == -EBADMSG || ret == -EPROTONOSUPPORT);
	MUST(dfd_table_dump(buf, len, check_line, &lines) == ret);
	MUST(lines <= len / 8 + 2);
	if (ret) {
		check_refusal(&err, len);
		return ret;
	}
	MUST(extra.config_len <= len && extra.config <= len - extra.config_len);
	check_again(desc);
	dfd_desc_unref(desc);
	return 0;
}
