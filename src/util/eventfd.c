/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a write to an eventfd blocks when it is full, unless O_NONBLOCK is set, and
 * whoever shares it can fill it and clear the flag between any look and the write. But the kernel
 * signals eventfds without ever waiting, and asynchronous I/O has it do so when a request is over,
 * be it one that is refused at once, as a read of 0 bytes from an eventfd is. Where that is not to
 * be had (a sandbox; a process that was forked since) dfd_signal() looks and writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "util/eventfd.h"

/* Results that the kernel has room for, at least. */
#define KEPT 32

bool dfd_is_eventfd(int fd)
{
	static const char name[] = "anon_inode:[eventfd]";
	char path[32], target[sizeof(name) + 1];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target));
	return len == (ssize_t)sizeof(name) - 1 && !memcmp(target, name, sizeof(name) - 1);
}

int dfd_eventfd_dup(int fd)
{
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (mine < 0)
		return -errno;
	/* Look at the duplicate: another thread may have reused the number meanwhile. */
	if (!dfd_is_eventfd(mine)) {
		close(mine);
		return -EINVAL;
	}
	return mine;
}

/* In fdinfo since Linux 5.2. */
int dfd_eventfd_id(int fd)
{
	char path[40], line[64];
	int id = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "eventfd-id: %d", &id) == 1)
			break;
	}
	if (f)
		fclose(f);
	return id;
}

static bool ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) == 1 && (p.revents & events);
}

/* ---- signalling ---- */

void dfd_eventfd_signal(int fd)
{
	const uint64_t one = 1;

	if (ready(fd, POLLOUT) && write(fd, &one, sizeof(one)) < 0)
		return;
}

void dfd_signaller_start(struct dfd_signaller *s)
{
	aio_context_t ctx = 0;

	s->ctx = syscall(SYS_io_setup, KEPT, &ctx) ? 0 : ctx;
}

void dfd_signaller_finish(struct dfd_signaller *s)
{
	if (s->ctx)
		syscall(SYS_io_destroy, s->ctx);
	s->ctx = 0;
}

/* What was submitted is over at once; the kernel keeps its result until it is taken. */
static void take_results(const struct dfd_signaller *s)
{
	struct io_event events[KEPT];
	struct timespec now = { 0 };

	while (syscall(SYS_io_getevents, s->ctx, 0, KEPT, events, &now) == KEPT)
		;
}

static int submit(const struct dfd_signaller *s, int fd)
{
	struct iocb refused = { .aio_lio_opcode = IOCB_CMD_PREAD,
				.aio_fildes = (uint32_t)fd,
				.aio_flags = IOCB_FLAG_RESFD,
				.aio_resfd = (uint32_t)fd };
	struct iocb *list = &refused;

	return syscall(SYS_io_submit, s->ctx, 1, &list) == 1 ? 0 : -errno;
}

void dfd_signal(const struct dfd_signaller *s, int fd)
{
	int ret = s && s->ctx ? submit(s, fd) : -ENOSYS;

	if (ret == -EAGAIN) {
		take_results(s);
		ret = submit(s, fd);
	}
	if (ret)
		dfd_eventfd_signal(fd);
}

uint64_t dfd_eventfd_take(int fd)
{
	uint64_t value = 0;
	struct iovec iov = { &value, sizeof(value) };

	if (!ready(fd, POLLIN) || preadv2(fd, &iov, 1, -1, RWF_NOWAIT) != (ssize_t)sizeof(value))
		return 0;
	return value;
}
