/* SPDX-License-Identifier: MIT */
/*
 * What vfio-user costs, held against what the kernel asks for moving the same bytes: a process that
 * receives as many bytes as the request has and sends as many as the answer has, over a socket of
 * the same kind, on the same cores, waiting in the same way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

/* Sizes of messages. */
#define HEADER	   16u
#define ACCESS	   16u
#define MAX_HEADER 64u

/* ---- raw: ping-pong ---- */

/** struct raw - @bell: eventfd that the other end writes for each request, or -1 */
struct raw {
	int fd, bell;
	size_t request, reply;
	bool busy;
	pid_t pid;
};

static void receive_exactly(int fd, void *buf, size_t len, bool busy)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = recv(fd, (char *)buf + got, len - got, busy ? MSG_DONTWAIT : 0);

		if (n > 0)
			got += (size_t)n;
		else if (!n)
			_exit(0);
	}
}

static void send_exactly(int fd, const void *buf, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(fd, (const char *)buf + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0)
			_exit(0);
		sent += (size_t)n;
	}
}

static void raw_serve(void *ctx)
{
	const struct raw *r = ctx;
	const uint64_t one = 1;
	char buf[MAX_HEADER] = { 0 };

	for (;;) {
		receive_exactly(r->fd, buf, r->request, r->busy);
		if (r->bell >= 0)
			bench_must(write(r->bell, &one, sizeof(one)) == sizeof(one), "a bell");
		send_exactly(r->fd, buf, r->reply);
	}
}

static void raw_run(void *ctx, unsigned int rounds)
{
	const struct raw *r = ctx;
	char buf[MAX_HEADER] = { 0 };
	uint64_t rung;

	while (rounds--) {
		send_exactly(r->fd, buf, r->request);
		receive_exactly(r->fd, buf, r->reply, r->busy);
		if (r->bell >= 0)
			bench_must(read(r->bell, &rung, sizeof(rung)) > 0, "a bell");
	}
}

static struct bench_side raw_start(struct raw *r, unsigned int core, void (*fn)(void *ctx))
{
	const int room = RIG_MAX;
	int pair[2];

	bench_must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
	for (int i = 0; i < 2; i++) /* as the library does */
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	r->fd = pair[1];
	r->pid = bench_child(core, fn, r);
	close(pair[1]);
	r->fd = pair[0];
	return (struct bench_side){ raw_run, r, r->busy ? r->pid : 0 };
}

static void raw_end(struct raw *r)
{
	bench_end(r->pid);
	close(r->fd);
}

/* ---- registers and interrupts ---- */

static void read_register(void *ctx, unsigned int rounds)
{
	uint32_t value;

	while (rounds--)
		bench_must(dfd_region_read(ctx, 0, RIG_SCRATCH, &value, 4) == 4, "reading");
}

static void write_register(void *ctx, unsigned int rounds)
{
	while (rounds--)
		bench_must(dfd_region_write(ctx, 0, RIG_SCRATCH, &rounds, 4) == 4, "writing");
}

/* A register is written, the device answers with an interrupt, the driver takes it. */
static void interrupt(void *ctx, unsigned int rounds)
{
	while (rounds--) {
		bench_must(dfd_region_write(ctx, 0, RIG_RAISE, &rounds, 4) == 4, "writing");
		bench_must(dfd_wait_irq(ctx, 0, 0, 1000) == 1, "an interrupt");
	}
}

/* Memory is made known and taken back. */
static void map_and_unmap(void *ctx, unsigned int rounds)
{
	static uint8_t page[4096];

	while (rounds--) {
		struct dfd_dma_map map = { .iova = RIG_IOVA,
					   .size = sizeof(page),
					   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
					   .kind = DFD_DMA_ADDRESS,
					   .addr = page };

		bench_must(!dfd_dma_map(ctx, &map), "mapping");
		bench_must(!dfd_dma_unmap(ctx, RIG_IOVA, sizeof(page), NULL), "unmapping");
	}
}

/* Two exchanges; the bytes of both are shared out evenly. */
static void raw_run_twice(void *ctx, unsigned int rounds)
{
	raw_run(ctx, 2 * rounds);
}

/** struct place - who runs where, how it waits, and how many devices the server has */
struct place {
	const char *name;
	unsigned int devices;
	unsigned int core;
	bool busy;
	double goal;
};

static const struct place places[] = {
	{ "one core", 1, 0, false, 1.08 },
	{ "one core, two devices", 2, 0, false, 0 },
	{ "two cores", 1, 1, false, 0 },
	{ "two cores, busy-poll", 1, 1, true, 1.08 },
};

static void compare(const char *what, const struct place *p, struct dfd_device *dev,
		    const struct rig *rig, void (*run)(void *ctx, unsigned int rounds),
		    struct raw *raw)
{
	struct bench_side ours = { run, dev, p->busy ? rig->pid : 0 };
	struct bench_side theirs;
	struct bench_result result;
	char name[64];

	raw->busy = p->busy;
	theirs = raw_start(raw, p->core, raw_serve);
	if (run == map_and_unmap)
		theirs.run = raw_run_twice;
	result = bench_compare(&ours, &theirs, 51);
	raw_end(raw);
	snprintf(name, sizeof(name), "%s, %s", what, p->name);
	bench_ratio(name, &result, run == read_register || run == write_register ? p->goal : 0);
}

static void measure_place(const struct place *p)
{
	struct raw read = { .request = HEADER + ACCESS, .reply = HEADER + ACCESS + 4, .bell = -1 };
	struct raw write = { .request = HEADER + ACCESS + 4, .reply = HEADER + ACCESS, .bell = -1 };
	struct raw map = { .request = HEADER + (32 + 24) / 2,
			   .reply = HEADER + 24 / 2,
			   .bell = -1 };
	struct raw ring = write;
	struct dfd_device *dev;
	struct rig rig;

	rig_start(&rig, p->devices, p->core, p->busy);
	dev = rig_open(&rig, 0, p->busy ? ",ring=off,poll" : ",ring=off,twin=off");
	compare("read a register", p, dev, &rig, read_register, &read);
	compare("write a register", p, dev, &rig, write_register, &write);
	compare("map and unmap memory", p, dev, &rig, map_and_unmap, &map);
	bench_must(!dfd_irq_enable(dev, 0, 1), "enabling an interrupt");
	ring.bell = eventfd(0, 0);
	compare("write a register, take its interrupt", p, dev, &rig, interrupt, &ring);
	close(ring.bell);
	dfd_device_close(dev);
	rig_end(&rig);
}

/* ---- memory by message ---- */

static uint32_t transfer_len;

/* As many as are in flight; written, as pages that are only read are all the same page of zeros. */
static char (*raw_buffers(void))[RIG_MAX + HEADER + ACCESS]
{
	const size_t size = (size_t)RIG_INFLIGHT * (RIG_MAX + HEADER + ACCESS);
	void *buffers = malloc(size);

	bench_must(buffers, "memory");
	return memset(buffers, 1, size);
}

static void raw_serve_dma(void *ctx)
{
	const struct raw *r = ctx;
	char(*bufs)[RIG_MAX + HEADER + ACCESS] = raw_buffers();
	char request[HEADER + ACCESS] = { 0 };
	uint32_t count;

	for (;;) {
		receive_exactly(r->fd, &count, sizeof(count), false);
		for (uint32_t i = 0; i < count + RIG_INFLIGHT; i++) {
			if (i >= RIG_INFLIGHT)
				receive_exactly(r->fd, bufs[i % RIG_INFLIGHT],
						HEADER + ACCESS + transfer_len, false);
			if (i < count ||
			    i == count + RIG_INFLIGHT - 1) /* one more says it is over */
				send_exactly(r->fd, request, sizeof(request));
		}
	}
}

static void raw_read_dma(void *ctx, unsigned int rounds)
{
	static char(*answers)[RIG_MAX + HEADER + ACCESS];
	const struct raw *r = ctx;
	const uint32_t count = rounds < RIG_INFLIGHT ? RIG_INFLIGHT : rounds;
	char requests[RIG_INFLIGHT * (HEADER + ACCESS)];
	size_t got = 0, begun = 0;

	if (!answers)
		answers = raw_buffers();
	send_exactly(r->fd, &count, sizeof(count));
	for (uint32_t sent = 0; got < (count + 1) * (HEADER + ACCESS);) {
		ssize_t n = recv(r->fd, requests, sizeof(requests), 0);

		bench_must(n > 0, "receiving");
		got += (size_t)n;
		for (begun = got / (HEADER + ACCESS); sent < count && sent < begun; sent++)
			send_exactly(r->fd, answers[sent % RIG_INFLIGHT],
				     HEADER + ACCESS + transfer_len);
	}
}

/* As many as the raw side does, also in its shortest blocks. */
static void read_dma(void *ctx, unsigned int rounds)
{
	const uint32_t count = rounds < RIG_INFLIGHT ? RIG_INFLIGHT : rounds;

	bench_must(dfd_region_write(ctx, 0, RIG_LEN, &transfer_len, 4) == 4, "writing");
	bench_must(dfd_region_write(ctx, 0, RIG_READ, &count, 4) == 4, "writing");
	bench_must(dfd_wait_irq(ctx, 0, 0, 10000) == 1, "DMA");
}

static void compare_dma(const char *name, struct dfd_device *dev, uint32_t len, double goal)
{
	struct raw raw = { .bell = -1 };
	struct bench_side ours = { read_dma, dev, 0 }, theirs;
	struct bench_result result;

	transfer_len = len;
	theirs = raw_start(&raw, 1, raw_serve_dma);
	theirs.run = raw_read_dma;
	result = bench_compare(&ours, &theirs, 21);
	raw_end(&raw);
	bench_ratio(name, &result, goal);
}

static void measure_dma(void)
{
	struct dfd_dma_map map = { .iova = RIG_IOVA,
				   .size = (uint64_t)RIG_INFLIGHT * RIG_MAX,
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_ADDRESS };
	struct dfd_device *dev;
	struct rig rig;

	map.addr = mmap(NULL, map.size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	bench_must(map.addr != MAP_FAILED, "mmap");
	bench_title("the device reads memory by message, 8 in flight, two cores");
	rig_start(&rig, 1, 1, false);
	dev = rig_open(&rig, 0, ",ring=off,twin=off");
	bench_must(!dfd_dma_map(dev, &map), "mapping");
	bench_must(!dfd_irq_enable(dev, 0, 1), "enabling an interrupt");
	compare_dma("4 KiB", dev, 4096, 0);
	compare_dma("1 MiB", dev, 1 << 20, 1.1);
	dfd_device_close(dev);
	rig_end(&rig);
	munmap(map.addr, map.size);
}

static void measure_places(void)
{
	bench_title("vfio-user, against the same bytes over the same kind of socket");
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		measure_place(&places[i]);
}

/* usage: user [access|dma] */
int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;

	bench_must(bench_pin(0), "pinning");
	if (!only || !strcmp(only, "access"))
		measure_places();
	if (!only || !strcmp(only, "dma"))
		measure_dma();
	return 0;
}
