/* SPDX-License-Identifier: MIT */
/*
 * What a register of a device in another process costs by the ring, against a bare ping-pong of the
 * same bytes over a socket, and against a bare ping-pong of a cache line. All in turn in one run,
 * by the same two processors. Figures are medians of blocks.
 *
 * On two processors both sides of the bare ping-pongs look without sleeping, which is the best that
 * a socket can do. On one they sleep.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <devfd/devfd.h>

#include "bench.h"

#define BLOCKS	51
#define TRIPS	1000
#define MESSAGE 36 /* a header, 16 bytes of where, 4 of data */
/* In model:edu: takes and gives 4 bytes. */
#define REGISTER 4

enum turn { NOBODY, SOCKET, LINES };

/**
 * struct bare - what the bare ping-pongs share
 * @turn: who may look without sleeping, so that nobody else is disturbed
 * @alone: there is one processor, so that all sleep
 */
struct bare {
	_Alignas(128) uint32_t ping;
	_Alignas(128) uint32_t pong;
	_Alignas(128) uint32_t turn, alone;
};

/** struct bench - both sides; @server and @echo: processes that run where @there says */
struct bench {
	char dir[32], path[64];
	pid_t server, echo, lines;
	int sock;
	struct bare *bare;
	struct dfd_device *dev;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "ring: %s failed: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	must(!sched_setaffinity(pid, sizeof(set), &set), "choosing a processor");
}

/* ---- the other side ---- */

static uint32_t peek(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool spins(const struct bare *bare, enum turn turn)
{
	return !peek(&bare->alone) && peek(&bare->turn) == turn;
}

static void echo_messages(int fd, const struct bare *bare)
{
	char bytes[MESSAGE];
	ssize_t n;

	for (;;) {
		n = recv(fd, bytes, sizeof(bytes), spins(bare, SOCKET) ? MSG_DONTWAIT : 0);
		if (!n)
			_exit(0);
		if (n > 0 && send(fd, bytes, (size_t)n, 0) < 0)
			_exit(1);
	}
}

static void echo_lines(struct bare *bare)
{
	for (uint32_t last = 0;; last++) {
		while (peek(&bare->ping) == last) {
			if (!spins(bare, LINES))
				usleep(200);
		}
		__atomic_store_n(&bare->pong, last + 1, __ATOMIC_RELEASE);
	}
}

static void serve(const char *path)
{
	struct dfd_device *dev;
	struct dfd_server *srv;

	must(!dfd_open("model:edu", &dev, NULL), "opening the model");
	must(!dfd_server_new(&srv) && !dfd_server_add(srv, dev, path, 0600, NULL), "serving");
	while (!dfd_server_wait(srv, -1))
		;
	_exit(0);
}

/* ---- this side ---- */

static void socket_trip(struct bench *b)
{
	char bytes[MESSAGE] = "";
	int flags = spins(b->bare, SOCKET) ? MSG_DONTWAIT : 0;

	must(send(b->sock, bytes, sizeof(bytes), 0) == sizeof(bytes), "sending");
	while (recv(b->sock, bytes, sizeof(bytes), flags) < 0)
		;
}

static void line_trip(struct bench *b)
{
	uint32_t next = b->bare->ping + 1;

	__atomic_store_n(&b->bare->ping, next, __ATOMIC_RELEASE);
	while (peek(&b->bare->pong) != next)
		;
}

static void ring_read(struct bench *b)
{
	uint32_t value;

	must(dfd_region_read(b->dev, 0, REGISTER, &value, 4) == 4, "reading");
}

static void ring_write(struct bench *b)
{
	const uint32_t value = 0x12345678;

	must(dfd_region_write(b->dev, 0, REGISTER, &value, 4) == 4, "writing");
}

static const struct way {
	const char *name;
	void (*trip)(struct bench *b);
	enum turn turn;
} ways[] = {
	{ "socket, bare", socket_trip, SOCKET },
	{ "cache line, bare", line_trip, LINES },
	{ "read by the ring", ring_read, NOBODY },
	{ "write by the ring", ring_write, NOBODY },
};
#define NUM_WAYS (sizeof(ways) / sizeof(*ways))

/* The first trips wake the other side and are not counted. */
static double block(struct bench *b, const struct way *way, int trips)
{
	uint64_t start;

	__atomic_store_n(&b->bare->turn, way->turn, __ATOMIC_RELEASE);
	for (int i = 0; i < 8; i++)
		way->trip(b);
	start = now_ns();
	for (int i = 0; i < trips; i++)
		way->trip(b);
	start = now_ns() - start;
	__atomic_store_n(&b->bare->turn, NOBODY, __ATOMIC_RELEASE);
	if (way->turn == SOCKET)
		socket_trip(b); /* the other side sees that it has to sleep */
	return (double)start / trips;
}

static void measure(struct bench *b, const char *title)
{
	static double ns[NUM_WAYS][BLOCKS], ratio[NUM_WAYS][BLOCKS];

	for (int i = 0; i < BLOCKS; i++) {
		for (size_t w = 0; w < NUM_WAYS; w++) {
			if (ways[w].trip == line_trip && b->bare->alone)
				continue;
			ns[w][i] = block(b, &ways[w], TRIPS);
			ratio[w][i] = ns[w][i] / ns[0][i];
		}
	}
	bench_title(title);
	for (size_t w = 1; w < NUM_WAYS; w++) {
		struct bench_result r = { bench_median(ns[w], BLOCKS), bench_median(ns[0], BLOCKS),
					  bench_median(ratio[w], BLOCKS) };

		if (ways[w].trip == line_trip && b->bare->alone)
			continue;
		bench_ratio(ways[w].name, &r,
			    ways[w].trip == line_trip || b->bare->alone ? 0 : 0.1);
	}
}

/* ---- setting up ---- */

static void start(struct bench *b)
{
	int pair[2];

	b->bare = mmap(NULL, sizeof(*b->bare), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	must(b->bare != MAP_FAILED && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "setting up");
	strcpy(b->dir, "/tmp/devfd-bench-XXXXXX");
	must(mkdtemp(b->dir), "making a folder");
	snprintf(b->path, sizeof(b->path), "%s/sock", b->dir);
	b->sock = pair[0];
	if (!(b->echo = fork())) {
		close(pair[0]);
		echo_messages(pair[1], b->bare);
	}
	close(pair[1]);
	if (!(b->lines = fork()))
		echo_lines(b->bare);
	if (!(b->server = fork()))
		serve(b->path);
}

static void connect_device(struct bench *b)
{
	char address[96];

	snprintf(address, sizeof(address), "user:%s", b->path);
	for (int i = 0; dfd_open(address, &b->dev, NULL); i++) {
		must(i < 1000, "connecting");
		usleep(1000);
	}
}

static void place(struct bench *b, int there)
{
	pin(0, 0);
	pin(b->echo, there);
	pin(b->lines, there);
	pin(b->server, there);
}

static void end(struct bench *b)
{
	const pid_t pids[] = { b->echo, b->lines, b->server };

	dfd_device_close(b->dev);
	for (size_t i = 0; i < sizeof(pids) / sizeof(*pids); i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	unlink(b->path);
	rmdir(b->dir);
}

int main(void)
{
	struct bench b = { 0 };

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("ring: skipped: two processors are needed\n");
		return 77;
	}
	start(&b);
	connect_device(&b);
	place(&b, 1);
	measure(&b, "4-byte registers, two processors");
	b.bare->alone = 1;
	place(&b, 0);
	measure(&b, "4-byte registers, one processor");
	end(&b);
	return 0;
}
