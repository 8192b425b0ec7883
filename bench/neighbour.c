/* SPDX-License-Identifier: MIT */
/*
 * What one client of a server can do to the client of another device in the same process, and what
 * 60,000 maps cost that process.
 *
 * The good client reads a register, 10,000 times while the bad one hangs in the middle of something
 * and 10,000 times while there is none, a hundred at a time in turn.
 *
 * usage: neighbour [check]: fewer rounds, and fail if the bad client doubles the median
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"
#include "user/link.h"
#include "user/listen.h"

#define MAPS	60000u
#define PAGE	UINT64_C(4096)
#define SAMPLES 100u
#define MOST	100u /* blocks */

/* ---- the bad client ---- */

static void bad_come(struct link *l, const struct rig *rig)
{
	static const char text[] = "{\"capabilities\":{}}";
	const uint16_t version[2] = { 0 };
	const struct call call = { .command = USER_VERSION,
				   .fixed = version,
				   .fixed_len = sizeof(version),
				   .data = text,
				   .len = sizeof(text) };
	int fd = user_connect(rig->paths[1]);

	bench_must(fd >= 0, "connecting");
	link_start(l, fd, 10000);
	bench_must(!link_call(l, &call, NULL), "agreeing on a version");
}

static void ask(struct link *l, uint16_t command, const void *fixed, size_t len)
{
	const struct user_header head = { .command = command };

	bench_must(!conn_put(&l->conn, head, fixed, len, NULL, 0, NULL, 0), "asking");
	bench_must(!conn_flush(&l->conn), "sending");
}

static void stop_in_message(struct link *l)
{
	const struct user_header head = { .command = USER_REGION_READ, .size = 32 };

	bench_must(send(l->conn.fd, &head, sizeof(head), 0) == sizeof(head), "sending");
}

/* Ask until the server takes no more, because its answers are not taken. */
static void never_read(struct link *l)
{
	const struct user_access access = { .count = 32 };

	do
		ask(l, USER_REGION_READ, &access, sizeof(access));
	while (!conn_queued(&l->conn));
}

static void set_register(struct link *l, uint64_t offset, uint32_t value)
{
	const struct user_access access = { .offset = offset, .count = 4 };
	const struct call call = { .command = USER_REGION_WRITE,
				   .fixed = &access,
				   .fixed_len = sizeof(access),
				   .data = &value,
				   .len = sizeof(value) };

	bench_must(!link_call(l, &call, NULL), "writing a register");
}

static void map(struct link *l, uint64_t iova, uint64_t size, uint64_t offset, int fd)
{
	const struct user_dma_map m = { .argsz = sizeof(m),
					.flags = DFD_DMA_READ | DFD_DMA_WRITE,
					.offset = offset,
					.address = iova,
					.size = size };
	const struct call call = { .command = USER_DMA_MAP,
				   .fixed = &m,
				   .fixed_len = sizeof(m),
				   .fds = &fd,
				   .num_fds = fd >= 0 };

	bench_must(!link_call(l, &call, NULL), "mapping");
}

/* The link would answer, so it is not told. */
static void never_answer_dma(struct link *l)
{
	const struct {
		struct user_access access;
		uint32_t value;
	} go = { { .offset = RIG_READ, .count = 4 }, 1000 };

	map(l, RIG_IOVA, (uint64_t)RIG_INFLIGHT * RIG_MAX, 0, -1);
	set_register(l, RIG_LEN, RIG_MAX);
	ask(l, USER_REGION_WRITE, &go, sizeof(go.access) + sizeof(go.value));
}

static const struct {
	const char *name;
	void (*hang)(struct link *l);
} stalls[] = {
	{ "stops in a message", stop_in_message },
	{ "never reads", never_read },
	{ "never answers DMA", never_answer_dma },
};
#define NUM_STALLS (sizeof(stalls) / sizeof(*stalls))

/* ---- the good client ---- */

/** struct samples - ns of each read */
struct samples {
	size_t count;
	double ns[SAMPLES * MOST];
};

static struct samples with, without;

static void sample(struct dfd_device *dev, struct samples *s, unsigned int count)
{
	uint32_t value;

	while (count--) {
		uint64_t start = bench_ns();

		bench_must(dfd_region_read(dev, 0, RIG_SCRATCH, &value, 4) == 4, "reading");
		s->ns[s->count++] = (double)(bench_ns() - start);
	}
}

static struct bench_result compare(double part)
{
	double a = bench_percentile(with.ns, with.count, part);
	double b = bench_percentile(without.ns, without.count, part);

	return (struct bench_result){ a, b, a / b };
}

static void report(const char *what)
{
	struct bench_result median = compare(0.5), late = compare(0.99);
	char name[64];

	snprintf(name, sizeof(name), "%s, median", what);
	bench_ratio(name, &median, 1.1);
	snprintf(name, sizeof(name), "%s, 99 %%", what);
	bench_ratio(name, &late, 1.1);
}

/* What was asked before the client hung is answered meanwhile, and who has gone is cleared away. */
static void settle(struct dfd_device *dev)
{
	static struct samples ignored;

	ignored.count = 0;
	sample(dev, &ignored, 10);
}

static void beside(const struct rig *rig, struct dfd_device *dev, void (*hang)(struct link *l),
		   unsigned int blocks)
{
	with.count = without.count = 0;
	for (unsigned int i = 0; i < blocks; i++) {
		struct link bad;

		bad_come(&bad, rig);
		hang(&bad);
		settle(dev);
		sample(dev, &with, SAMPLES);
		link_finish(&bad);
		settle(dev);
		sample(dev, &without, SAMPLES);
	}
}

/* ---- 60,000 maps ---- */

static long rss_kib(pid_t pid)
{
	char path[64], line[128];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib;
}

static int count_fds(pid_t pid)
{
	char path[64];
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	bench_must(dir, "counting fds");
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int new_file(void)
{
	int fd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	bench_must(fd >= 0 && !ftruncate(fd, (off_t)(MAPS * PAGE)) &&
			   !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK),
		   "making a file");
	return fd;
}

static void map_many(struct link *l, int fd)
{
	for (uint64_t i = 0; i < MAPS; i++)
		map(l, RIG_IOVA + i * PAGE, PAGE, i * PAGE, fd);
	set_register(l, RIG_TOUCH, MAPS);
}

static void unmap_beside(const struct rig *rig, struct dfd_device *dev, int fd,
			 const struct user_dma_unmap *all)
{
	struct link bad;

	bad_come(&bad, rig);
	map_many(&bad, fd);
	sample(dev, &without, SAMPLES * MOST / 2);
	ask(&bad, USER_DMA_UNMAP, all, sizeof(*all));
	sample(dev, &with, SAMPLES * MOST / 2);
	link_finish(&bad);
}

static void measure_maps(const struct rig *rig, struct dfd_device *dev)
{
	const struct user_dma_unmap all = { .argsz = sizeof(all), .flags = USER_UNMAP_ALL };
	const struct call call = { .command = USER_DMA_UNMAP,
				   .fixed = &all,
				   .fixed_len = sizeof(all) };
	int fd = new_file(), fds = count_fds(rig->pid);
	long kib = rss_kib(rig->pid);
	struct link bad;
	uint64_t start;

	bad_come(&bad, rig);
	map_many(&bad, fd);
	bench_value("memory of the server for each",
		    (double)(rss_kib(rig->pid) - kib) * 1024 / MAPS, "bytes", 128);
	bench_value("files it keeps open, but the connection", count_fds(rig->pid) - fds - 1, "",
		    1);
	start = bench_ns();
	bench_must(!link_call(&bad, &call, NULL), "unmapping");
	bench_value("unmapping all, until the answer", (double)(bench_ns() - start) / 1e6, "ms",
		    10);
	link_finish(&bad);
	with.count = without.count = 0;
	for (int i = 0; i < 2; i++)
		unmap_beside(rig, dev, fd, &all);
	report("a neighbour during that");
	close(fd);
}

/* ---- the whole ---- */

/* Others may be busy on the machine: it counts when it goes well once. */
static int check(const struct rig *rig, struct dfd_device *dev)
{
	for (size_t i = 0; i < NUM_STALLS; i++) {
		struct bench_result r = { .ratio = 3 };

		for (int try = 0; try < 5 && r.ratio > 2; try++) {
			beside(rig, dev, stalls[i].hang, 5);
			r = compare(0.5);
		}
		if (r.ratio > 2) {
			printf("a client that %s: the median of another is %.0f ns, not %.0f\n",
			       stalls[i].name, r.ours, r.raw);
			return 1;
		}
	}
	return 0;
}

static void measure(const struct rig *rig, struct dfd_device *dev)
{
	bench_title("reading a register while the client of another device hangs, and without it");
	for (size_t i = 0; i < NUM_STALLS; i++) {
		beside(rig, dev, stalls[i].hang, MOST);
		report(stalls[i].name);
	}
	bench_title("60,000 maps of 4 KiB of one file, every page touched, in a server");
	measure_maps(rig, dev);
}

int main(int argc, char **argv)
{
	struct dfd_device *dev;
	struct rig rig;
	int rc = 0;

	(void)argv;
	bench_must(bench_pin(0), "pinning");
	rig_start(&rig, 2, 0, false);
	dev = rig_open(&rig, 0, ",ring=off,twin=off");
	if (argc > 1)
		rc = check(&rig, dev);
	else
		measure(&rig, dev);
	dfd_device_close(dev);
	rig_end(&rig);
	return rc;
}
