/* SPDX-License-Identifier: MIT */
/*
 * The functions of libc by which another process gives us an fd: it may be a device's. What is sent
 * is an opening of a memfd like any other, so only who receives has something to do.
 */
#include <string.h>
#include <sys/socket.h>

#include "shim/shim.h"

static void adopt_all(const struct cmsghdr *c)
{
	size_t bytes = c->cmsg_len - CMSG_LEN(0);

	for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
		shim_fd_adopt(fd);
	}
}

/* The kernel has just written it. */
static void look_through(struct msghdr *msg)
{
	int saved = errno;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			adopt_all(c);
	}
	errno = saved;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t n = NEXT(recvmsg)(fd, msg, flags);

	if (n >= 0 && shim_any())
		look_through(msg);
	return n;
}

int recvmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags, struct timespec *timeout)
{
	int n = NEXT(recvmmsg)(fd, msgs, count, flags, timeout);

	for (int i = 0; i < n && shim_any(); i++)
		look_through(&msgs[i].msg_hdr);
	return n;
}
