/* SPDX-License-Identifier: MIT */
/*
 * What it costs to describe a device, by each way of asking.
 *
 *   describe ADDRESS|PATH          one line per view: calls; microseconds (medians) and heap bytes
 *                                  that the provider and the user of the fd need
 *   describe --facts ADDRESS|PATH  what each view has learned, one fact per line
 *
 * An ADDRESS is opened with the library and asked through struct dfd_file. A PATH (it has a '/' in
 * front) is opened with open() and asked through the real fd: `devfd run` puts a device there.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <devfd/file.h>
#include <devfd/open.h>
#include <devfd/view.h>

#include "alloc.h"

#define RUNS 1001

/* A device fd; the time and the memory that the provider needs to answer are counted apart. */
struct subject {
	const struct dfd_fd_ops *ops;
	void *ctx;
	double us;
	size_t peak;
};

/* The user's side, while the provider works. */
struct pause {
	struct dfd_alloc alloc;
	double start;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct pause enter_provider(void)
{
	struct pause user = { .alloc = dfd_alloc };

	dfd_alloc_reset();
	user.start = now_us();
	return user;
}

static void leave_provider(struct subject *s, const struct pause *user)
{
	s->us += now_us() - user->start;
	if (dfd_alloc.peak > s->peak)
		s->peak = dfd_alloc.peak;
	dfd_alloc = user->alloc;
}

static ssize_t subject_pread(void *ctx, void *buf, size_t len, uint64_t offset)
{
	struct subject *s = ctx;
	struct pause user = enter_provider();
	ssize_t n = s->ops->pread(s->ctx, buf, len, offset);

	leave_provider(s, &user);
	return n;
}

static int subject_ioctl(void *ctx, unsigned long request, void *arg)
{
	struct subject *s = ctx;
	struct pause user = enter_provider();
	int rc = s->ops->ioctl(s->ctx, request, arg);

	leave_provider(s, &user);
	return rc;
}

static const struct dfd_fd_ops subject_ops = {
	.pread = subject_pread,
	.ioctl = subject_ioctl,
};

/* ---- what is measured ---- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int fail(const struct dfd_error *err)
{
	fprintf(stderr, "describe: %s\n", err->text);
	return 1;
}

static double median(double *us)
{
	qsort(us, RUNS, sizeof(us[0]), by_value);
	return us[RUNS / 2];
}

static int measure(enum dfd_view_kind kind, struct subject *s)
{
	static double provider_us[RUNS], user_us[RUNS];
	struct dfd_error err;
	struct dfd_view view;

	s->peak = 0;
	for (int i = 0; i < RUNS; i++) {
		double start;

		dfd_alloc_reset();
		s->us = 0;
		start = now_us();
		if (dfd_view_get(kind, &subject_ops, s, &view, &err) < 0)
			return fail(&err);
		user_us[i] = now_us() - start - s->us;
		provider_us[i] = s->us;
		dfd_desc_unref(view.desc);
	}
	printf("%-5s calls %u provider_us %.2f user_us %.2f provider_heap %zu user_heap %zu\n",
	       dfd_view_name(kind), view.calls, median(provider_us), median(user_us), s->peak,
	       dfd_alloc.peak);
	return 0;
}

static int print_fact(void *ctx, const struct dfd_statement *statement)
{
	printf("%s: %s: %s\n", (const char *)ctx, statement->key, statement->value);
	return 0;
}

static int print_facts(enum dfd_view_kind kind, struct subject *s)
{
	struct dfd_error err;
	struct dfd_view view;

	if (dfd_view_get(kind, &subject_ops, s, &view, &err) < 0)
		return fail(&err);
	dfd_desc_walk(view.desc, print_fact, (void *)dfd_view_name(kind));
	dfd_desc_unref(view.desc);
	return 0;
}

static int each_view(int (*fn)(enum dfd_view_kind, struct subject *), struct subject *s)
{
	int rc = 0;

	for (int kind = 0; kind < DFD_NUM_VIEWS && rc == 0; kind++)
		rc = fn((enum dfd_view_kind)kind, s);
	return rc;
}

static int ask_path(const char *path, int (*fn)(enum dfd_view_kind, struct subject *))
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct subject s = { .ops = &dfd_fd_real, .ctx = &fd };
	int rc;

	if (fd < 0) {
		perror(path);
		return 1;
	}
	rc = each_view(fn, &s);
	close(fd);
	return rc;
}

static int ask_address(const char *address, int (*fn)(enum dfd_view_kind, struct subject *))
{
	struct subject s = { .ops = &dfd_fd_file };
	struct dfd_device *dev;
	struct dfd_error err;
	int rc;

	if (dfd_open(address, &dev, &err) < 0)
		return fail(&err);
	s.ctx = dfd_file_new(dev);
	rc = s.ctx ? each_view(fn, &s) : 1;
	dfd_file_free(s.ctx);
	dfd_device_close(dev);
	return rc;
}

int main(int argc, char **argv)
{
	bool facts = argc == 3 && strcmp(argv[1], "--facts") == 0;
	int (*fn)(enum dfd_view_kind, struct subject *) = facts ? print_facts : measure;

	if (argc != 2 && !facts) {
		fprintf(stderr, "usage: describe [--facts] ADDRESS|PATH\n");
		return 2;
	}
	return argv[argc - 1][0] == '/' ? ask_path(argv[argc - 1], fn)
					: ask_address(argv[argc - 1], fn);
}
