/* SPDX-License-Identifier: MIT */
/* A name or path in a table may hold anything: escape sequences for a terminal, broken UTF-8. */
#include <stdio.h>
#include <string.h>

#include "print/plain.h"

/* Bytes of the UTF-8 character at @s; 0 if it is broken, overlong, a surrogate or a control. */
static size_t printable(const unsigned char *s)
{
	static const uint32_t lowest[] = { 0x20, 0, 0xa0, 0x800, 0x10000 };
	size_t len = *s < 0x80 ? 0 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 1;
	uint32_t c = len ? *s & (0x7fu >> len) : *s;

	if (len == 1 || c == 0x7f)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < lowest[len] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	return len ? len : 1;
}

const char *dfd_plain(char *buf, size_t len, const char *s)
{
	const unsigned char *from = (const unsigned char *)s;
	size_t at = 0;

	while (*from) {
		size_t bytes = printable(from);

		if (at + (bytes ? bytes : 4) >= len)
			break;
		if (bytes) {
			memcpy(buf + at, from, bytes);
			at += bytes;
			from += bytes;
		} else {
			snprintf(buf + at, 5, "\\x%02x", *from++);
			at += 4;
		}
	}
	buf[at] = '\0';
	return buf;
}
