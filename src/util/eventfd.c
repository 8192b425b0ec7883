/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/eventfd.h"

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
		return errno == EBADF ? -EINVAL : -errno;
	/* Look at the duplicate: another thread may have reused the number meanwhile. */
	if (!dfd_is_eventfd(mine)) {
		close(mine);
		return -EINVAL;
	}
	return mine;
}

static bool ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) == 1 && (p.revents & events);
}

void dfd_eventfd_signal(int fd)
{
	const uint64_t one = 1;

	/* Its owner may have left it blocking, and full. */
	if (ready(fd, POLLOUT) && write(fd, &one, sizeof(one)) < 0)
		return;
}

uint64_t dfd_eventfd_take(int fd)
{
	uint64_t value = 0;
	struct iovec iov = { &value, sizeof(value) };

	if (!ready(fd, POLLIN) || preadv2(fd, &iov, 1, -1, RWF_NOWAIT) != (ssize_t)sizeof(value))
		return 0;
	return value;
}
