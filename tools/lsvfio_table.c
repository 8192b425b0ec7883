/* SPDX-License-Identifier: MIT */
/* The table as it lies in the device's file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lsvfio.h"
#include "tool.h"

/* All of it, read as any program reads a file. */
static ssize_t read_table(struct dfd_device *dev, unsigned char *buf, size_t room)
{
	struct dfd_file *file = dfd_file_new(dev);
	ssize_t got = file ? 0 : -ENOMEM;
	size_t len = 0;

	while (file && len < room) {
		got = dfd_file_pread(file, buf + len, room - len, len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	dfd_file_free(file);
	return got < 0 ? got : (ssize_t)len;
}

static void print_line(void *ctx, const char *text)
{
	(void)ctx;
	puts(text);
}

int lsvfio_table(const char *address, struct dfd_device *dev)
{
	unsigned char *table = malloc(DFD_TABLE_MAX_SIZE);
	ssize_t len = table ? read_table(dev, table, DFD_TABLE_MAX_SIZE) : -ENOMEM;
	int ret = 0;

	if (len >= 0)
		ret = dfd_table_dump(table, (size_t)len, print_line, NULL);
	free(table);
	if (len < 0)
		return tool_fail(TOOL_FAILED, "%s: its table cannot be read: %s", address,
				 strerror((int)-len));
	return ret ? TOOL_FAILED : TOOL_OK;
}
