/* SPDX-License-Identifier: MIT */
/* What has to hold whatever the input is: a fuzzer sees that as a crash. */
#ifndef FUZZ_MUST_H
#define FUZZ_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "does not hold: %s\n", #what);                             \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
