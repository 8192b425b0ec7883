/* SPDX-License-Identifier: MIT */
/* What a user learns through design one: read the table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/table.h>

#include "ioctl/view.h"

/* Most tables are read in one call of this size. */
#define FIRST_READ 4096u
/* Where the header says how long the table is. */
#define SIZE_OFFSET 12u

static int parse(struct dfd_asker *a, const void *buf, size_t len, struct dfd_view *out)
{
	int ret = dfd_table_parse(buf, len, &out->desc, NULL, a->err);

	if (!ret)
		out->topics = (UINT32_C(1) << DFD_NUM_TOPICS) - 1;
	return ret;
}

static int read_rest(struct dfd_asker *a, const uint8_t *start, size_t have, size_t size,
		     struct dfd_view *out)
{
	uint8_t *buf = malloc(size);
	int ret = 0;

	if (!buf)
		return dfd_error_set(a->err, -ENOMEM, "out of memory for a table");
	memcpy(buf, start, have);
	while (have < size && !ret) {
		ssize_t n = dfd_ask_read(a, buf + have, size - have, have);

		if (n < 0)
			ret = dfd_error_set(a->err, (int)n, "reading the table: %s",
					    strerror((int)-n));
		else if (!n)
			break; /* the parser will say what is missing */
		else
			have += (size_t)n;
	}
	if (!ret)
		ret = parse(a, buf, have, out);
	free(buf);
	return ret;
}

int dfd_view_table(struct dfd_asker *a, struct dfd_view *out)
{
	uint8_t buf[FIRST_READ];
	ssize_t n = dfd_ask_read(a, buf, sizeof(buf), 0);
	uint32_t size = 0;

	if (n < 0)
		return dfd_error_set(a->err, (int)n, "reading the table: %s", strerror((int)-n));
	if (n >= (ssize_t)DFD_TABLE_HEADER_SIZE)
		for (uint32_t i = 4; i-- > 0;)
			size = size << 8 | buf[SIZE_OFFSET + i];
	if (size <= (size_t)n || size > DFD_TABLE_MAX_SIZE)
		return parse(a, buf, (size_t)n, out);
	return read_rest(a, buf, (size_t)n, size, out);
}
