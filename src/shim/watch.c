/* SPDX-License-Identifier: MIT */
/* An fd that is looked at, in the process of a program: by a thread of its own. */
#include <poll.h>
#include <signal.h>

#include "shim/core.h"
#include "shim/server.h"

/* A program that closes every number ends it. */
static void *look(void *arg)
{
	struct shim_watch *w = arg;
	struct pollfd p = { .fd = w->fd, .events = POLLIN };

	for (;;) {
		int n = poll(&p, 1, -1);

		if (n > 0 && p.revents != POLLIN)
			return NULL;
		if (n > 0)
			w->ready(w);
	}
}

/* Signals belong to the program's own threads. */
int side_watch(struct shim_watch *w)
{
	sigset_t all, old = { 0 };
	pthread_t thread;
	int ret;

	sigfillset(&all);
	NEXT(pthread_sigmask)(SIG_SETMASK, &all, &old);
	ret = pthread_create(&thread, NULL, look, w);
	NEXT(pthread_sigmask)(SIG_SETMASK, &old, NULL);
	if (!ret)
		pthread_detach(thread);
	return -ret;
}
