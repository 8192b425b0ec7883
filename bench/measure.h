/* SPDX-License-Identifier: MIT */
/* How long a call takes, for programs that are not of the library. ROUNDS and RUNS are theirs. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdio.h>
#include <time.h>

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The best of many short runs: what others do on the machine only makes it worse. */
#define MEASURE(what, call)                                                                        \
	do {                                                                                       \
		double best = 1e12;                                                                \
		for (int run = 0; run < RUNS; run++) {                                             \
			double start = now_ns(), took;                                             \
			for (int i = 0; i < ROUNDS; i++)                                           \
				call;                                                              \
			took = (now_ns() - start) / ROUNDS;                                        \
			best = took < best ? took : best;                                          \
		}                                                                                  \
		printf("  %-46s %8.1f ns\n", what, best);                                          \
	} while (0)

#endif
