/* SPDX-License-Identifier: MIT */
/* What the programs of these tests expect, who look at nothing but system calls. */
#ifndef TESTS_SHIM_EXPECT_H
#define TESTS_SHIM_EXPECT_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

static int failures;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __func__, __LINE__, #condition,  \
				errno);                                                            \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

/* A call fails with that errno. */
#define FAILS(call, code) CHECK(((errno = 0), (intptr_t)(call)) == -1 && errno == (code))

/* A call returns that, or fails with that negative errno. */
#define WANT(want, call)                                                                           \
	do {                                                                                       \
		long got = said((long)(call));                                                     \
		if (got != (long)(want)) {                                                         \
			fprintf(stderr, "%s:%d: %s: wanted %ld, got %ld\n", __func__, __LINE__,    \
				#call, (long)(want), got);                                         \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

static inline long said(long ret)
{
	return ret < 0 ? -errno : ret;
}

#endif
