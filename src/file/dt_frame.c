/* SPDX-License-Identifier: MIT */
/*
 * The frame of a blob: what has to be right before libfdt can walk it.
 *
 * Theory of operation: fdt_check_full() is meant for this, but up to libfdt 1.6 it runs in circles
 * for ever on a property whose length wraps around. So the structure block is walked here first,
 * tag by tag; every step goes forward, and what passes makes libfdt go forward too. What would make
 * libfdt slow is refused here as well.
 */
#include <errno.h>
#include <string.h>

#include "file/dt.h"

/* Property names of real trees have at most 31 characters; libfdt looks for the end of each often.
 */
#define MAX_NAME 255u

/* The structure block, how far it has been read, and the names of its properties. */
struct block {
	const uint8_t *bytes;
	uint32_t size;
	uint32_t at;
	const uint8_t *names;
	uint32_t names_size;
};

static uint32_t left(const struct block *s)
{
	return s->size - s->at;
}

static uint32_t next_cell(struct block *s)
{
	uint32_t value = fdt32_ld((const fdt32_t *)(const void *)(s->bytes + s->at));

	s->at += 4;
	return value;
}

/* Step over @len bytes and the padding that follows them. */
static bool skip(struct block *s, uint32_t len)
{
	uint32_t padded;

	if (len > left(s))
		return false;
	padded = (len + 3) & ~UINT32_C(3);
	s->at += padded < left(s) ? padded : left(s);
	return true;
}

static bool skip_name(struct block *s)
{
	const uint8_t *end = memchr(s->bytes + s->at, '\0', left(s));

	return end && skip(s, (uint32_t)(end - (s->bytes + s->at)) + 1);
}

static bool is_name(const struct block *s, uint32_t offset)
{
	uint32_t room;

	if (offset >= s->names_size)
		return false;
	room = s->names_size - offset;
	return memchr(s->names + offset, '\0', room > MAX_NAME ? MAX_NAME + 1 : room);
}

static bool skip_property(struct block *s)
{
	uint32_t len;

	if (left(s) < 8)
		return false;
	len = next_cell(s);
	return is_name(s, next_cell(s)) && skip(s, len);
}

static bool is_framed(struct block *s)
{
	while (left(s) >= 4) {
		switch (next_cell(s)) {
		case FDT_BEGIN_NODE:
			if (!skip_name(s))
				return false;
			break;
		case FDT_PROP:
			if (!skip_property(s))
				return false;
			break;
		case FDT_END_NODE:
		case FDT_NOP:
			break;
		default: /* FDT_END, and what libfdt refuses as soon as it meets it */
			return true;
		}
	}
	return false;
}

int dt_check(const void *blob, size_t len)
{
	struct block s = { .at = 0 };
	int ret;

	if (len < sizeof(struct fdt_header))
		return -FDT_ERR_TRUNCATED;
	ret = fdt_check_header(blob);
	if (ret)
		return ret;
	if (fdt_totalsize(blob) > len)
		return -FDT_ERR_TRUNCATED;
	/* Older ones do not say how long their structure block is; nobody has made one since 2006.
	 */
	if (fdt_version(blob) < 17)
		return -FDT_ERR_BADVERSION;
	s.bytes = (const uint8_t *)blob + fdt_off_dt_struct(blob);
	s.size = fdt_size_dt_struct(blob);
	s.names = (const uint8_t *)blob + fdt_off_dt_strings(blob);
	s.names_size = fdt_size_dt_strings(blob);
	return is_framed(&s) ? fdt_check_full(blob, len) : -FDT_ERR_BADSTRUCTURE;
}
