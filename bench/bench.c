/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define RUNS	   3
#define MAX_BLOCKS 1000
#define BLOCK_NS   2e6

void bench_must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

uint64_t bench_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* ---- processes ---- */

/* Asked once, because pinning changes the answer. */
static const cpu_set_t *cores(void)
{
	static cpu_set_t set;
	static bool known;

	if (!known)
		bench_must(!sched_getaffinity(0, sizeof(set), &set), "asking for the cores");
	known = true;
	return &set;
}

bool bench_pin(unsigned int n)
{
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t one;

		if (!CPU_ISSET(cpu, cores()) || n--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		bench_must(!sched_setaffinity(0, sizeof(one), &one), "pinning");
		return true;
	}
	return false;
}

pid_t bench_child(unsigned int core, void (*fn)(void *ctx), void *ctx)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	bench_must(pid >= 0, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench_pin(core);
	fn(ctx);
	_exit(0);
}

void bench_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void halt(pid_t pid, bool stop)
{
	if (!pid)
		return;
	kill(pid, stop ? SIGSTOP : SIGCONT);
	bench_must(waitpid(pid, NULL, stop ? WUNTRACED : WCONTINUED) == pid, "stopping a process");
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_percentile(double *values, size_t count, double part)
{
	size_t at = (size_t)((double)count * part);

	qsort(values, count, sizeof(*values), by_value);
	return values[at < count ? at : count - 1];
}

double bench_median(double *values, size_t count)
{
	return bench_percentile(values, count, 0.5);
}

/* The first rounds wake the other process up. */
static double block(const struct bench_side *side, unsigned int rounds)
{
	uint64_t start;

	halt(side->pid, false);
	side->run(side->ctx, 1 + rounds / 16);
	start = bench_ns();
	side->run(side->ctx, rounds);
	start = bench_ns() - start;
	halt(side->pid, true);
	return (double)start / rounds;
}

static struct bench_result compare_once(const struct bench_side *ours, const struct bench_side *raw,
					unsigned int rounds, unsigned int blocks)
{
	static double mine[MAX_BLOCKS], theirs[MAX_BLOCKS], ratio[MAX_BLOCKS];

	for (unsigned int i = 0; i < blocks; i++) {
		mine[i] = block(ours, rounds);
		theirs[i] = block(raw, rounds);
		ratio[i] = mine[i] / theirs[i];
	}
	return (struct bench_result){ bench_median(mine, blocks), bench_median(theirs, blocks),
				      bench_median(ratio, blocks) };
}

static int by_ratio(const void *a, const void *b)
{
	const struct bench_result *x = a, *y = b;

	return (x->ratio > y->ratio) - (x->ratio < y->ratio);
}

struct bench_result bench_compare(const struct bench_side *ours, const struct bench_side *raw,
				  unsigned int blocks)
{
	struct bench_result runs[RUNS];
	unsigned int rounds;

	bench_must(blocks <= MAX_BLOCKS, "counting blocks");
	halt(ours->pid, true);
	halt(raw->pid, true);
	rounds = 1 + (unsigned int)(BLOCK_NS / block(raw, 16));
	for (int i = 0; i < RUNS; i++)
		runs[i] = compare_once(ours, raw, rounds, blocks);
	halt(ours->pid, false);
	halt(raw->pid, false);
	qsort(runs, RUNS, sizeof(runs[0]), by_ratio);
	return runs[RUNS / 2];
}

/* ---- rows ---- */

static void put_goal(double value, double goal)
{
	if (goal > 0)
		printf("  %7.2f  %s", goal, value <= goal ? "yes" : "NO");
	printf("\n");
}

static void put_ns(double ns)
{
	if (ns < 1e4)
		printf(" %8.1f ns", ns);
	else if (ns < 1e7)
		printf(" %8.1f us", ns / 1e3);
	else
		printf(" %8.1f ms", ns / 1e6);
}

void bench_title(const char *title)
{
	printf("%s\n", title);
}

void bench_ratio(const char *name, const struct bench_result *result, double goal)
{
	printf("  %-46s", name);
	put_ns(result->ours);
	put_ns(result->raw);
	printf("  %7.2f", result->ratio);
	put_goal(result->ratio, goal);
	fflush(stdout);
}

void bench_value(const char *name, double value, const char *unit, double goal)
{
	printf("  %-46s %8.1f %-5s %17s", name, value, unit, "");
	put_goal(value, goal);
	fflush(stdout);
}
