/* SPDX-License-Identifier: MIT */
/* What measuring programs share: clocks, cores, two sides held against each other, rows. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** bench_must() - end the program with what failed unless @ok */
void bench_must(bool ok, const char *what);

/** bench_ns() - Return: CLOCK_MONOTONIC in ns */
uint64_t bench_ns(void);

/** bench_pin() - run on the @n-th core that this program may use. Return: whether there is one */
bool bench_pin(unsigned int n);

/** bench_child() - fork, pin the child to core @core, run @fn and exit. Return: its pid */
pid_t bench_child(unsigned int core, void (*fn)(void *ctx), void *ctx);

/** bench_end() - kill a child */
void bench_end(pid_t pid);

/** bench_median(), bench_percentile() - sort @values. @part: 0 to 1 */
double bench_median(double *values, size_t count);
double bench_percentile(double *values, size_t count, double part);

/**
 * struct bench_side - one of two that are compared
 * @run: do it @rounds times
 * @pid: the process at the other end if it is to be stopped while the other side runs, or 0
 */
struct bench_side {
	void (*run)(void *ctx, unsigned int rounds);
	void *ctx;
	pid_t pid;
};

/** struct bench_result - ns for one round, and the ratio of ours to raw */
struct bench_result {
	double ours, raw, ratio;
};

/**
 * bench_compare() - block by block in turn
 * @blocks: of each side, in a run; each takes some milliseconds
 *
 * Return: of three runs the one with the median ratio; the figures of a run are medians.
 */
struct bench_result bench_compare(const struct bench_side *ours, const struct bench_side *raw,
				  unsigned int blocks);

/* ---- rows of the table that `make bench` prints; a goal of 0 is none ---- */

void bench_title(const char *title);

/** bench_ratio() - @goal: of the ratio */
void bench_ratio(const char *name, const struct bench_result *result, double goal);

/** bench_value() - a figure that is not compared with another; @goal: it is met at or below */
void bench_value(const char *name, double value, const char *unit, double goal);

#endif
