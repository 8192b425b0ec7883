/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "mutate.h"
#include "random_desc.h"

/* Numbers that readers get wrong. */
static const uint32_t edges[] = {
	0,	1,	 2,	     7,		 8,	     15,	 16,	     17,
	0x7f,	0x100,	 0x110,	     0x180,	 0x181,	     0x182,	 0x3ff,	     0x400,
	0xffff, 0x10000, 0x7ffffff8, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffff8, 0xffffffff,
};

static size_t below(uint64_t *seed, size_t n)
{
	return dfd_random_below(seed, (uint32_t)n);
}

/* A whole u32 becomes an edge, or moves by a few. */
static void change_word(uint8_t *buf, size_t len, uint64_t *seed)
{
	uint32_t value;
	uint8_t *at;

	if (len < 4)
		return;
	at = buf + below(seed, len / 4) * 4;
	memcpy(&value, at, 4);
	if (below(seed, 2))
		value = edges[below(seed, sizeof(edges) / sizeof(*edges))];
	else
		value += (uint32_t)(8 * below(seed, 5) - 16);
	memcpy(at, &value, 4);
}

static void copy_piece(uint8_t *buf, size_t len, uint64_t *seed)
{
	size_t n = 1 + below(seed, len < 64 ? len : 64);

	if (n <= len)
		memmove(buf + below(seed, len - n + 1), buf + below(seed, len - n + 1), n);
}

static size_t remove_piece(uint8_t *buf, size_t len, uint64_t *seed)
{
	size_t n = 8 * (1 + below(seed, 6)), at;

	if (n >= len)
		return len;
	at = below(seed, (len - n) / 8 + 1) * 8;
	memmove(buf + at, buf + at + n, len - at - n);
	return len - n;
}

static size_t repeat_piece(uint8_t *buf, size_t len, size_t room, uint64_t *seed)
{
	size_t n = 8 * (1 + below(seed, 6)), at;

	if (n > len || len + n > room)
		return len;
	at = below(seed, (len - n) / 8 + 1) * 8;
	memmove(buf + at + n, buf + at, len - at);
	return len + n;
}

static size_t mutate_once(uint8_t *buf, size_t len, size_t room, uint64_t *seed)
{
	switch (below(seed, 8)) {
	case 0:
		buf[below(seed, len)] ^= (uint8_t)(1u << below(seed, 8));
		return len;
	case 1:
		buf[below(seed, len)] = (uint8_t)below(seed, 256);
		return len;
	case 2:
		copy_piece(buf, len, seed);
		return len;
	case 3:
		return remove_piece(buf, len, seed);
	case 4:
		return repeat_piece(buf, len, room, seed);
	case 5:
		return below(seed, 8) ? len : below(seed, len);
	default:
		change_word(buf, len, seed);
		return len;
	}
}

size_t dfd_mutate(uint8_t *buf, size_t len, size_t room, uint64_t *seed)
{
	for (size_t n = 1 + below(seed, 4); n && len; n--)
		len = mutate_once(buf, len, room, seed);
	return len;
}
