/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <time.h>

#include "kernel/retry.h"

#define TRIES	50
#define WAIT_NS 10000000

int kernel_retry(const struct kernel_calls *calls, int fd, unsigned long request, void *arg)
{
	const struct timespec wait = { .tv_nsec = WAIT_NS };
	int ret = -EAGAIN;

	for (int i = 0; i < TRIES && ret == -EAGAIN; i++) {
		if (i)
			nanosleep(&wait, NULL);
		ret = calls->ioctl(fd, request, arg);
	}
	return ret;
}
