/* SPDX-License-Identifier: MIT */
/*
 * Requests of the server for memory that the driver's callbacks reach.
 *
 * Theory of operation: the callback is asked, and whenever its answer comes the server gets its
 * own; nobody waits, neither here nor in a call. What cannot be asked for now, because too much is
 * under way, is kept and asked for again when an answer makes room. All of that is bounded: what is
 * beyond gets an error.
 *
 * A driver answers from any thread, into the requests of the device; service and calls look there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "user/link.h"
#include "util/eventfd.h"

/* As much as a model of this process may have under way. */
#define MAX_BYTES ((size_t)DFD_MAX_DMA_INFLIGHT * DFD_MAX_DMA_LEN)
/* Bytes that a request counts for beside its data. */
#define OWN_BYTES ((size_t)4096)

/**
 * struct asked - a request of the server
 * @next: a later one
 * @c: it has come by that, and there the answer goes
 * @sent: the callback has been asked
 * @data: for a read, to be filled in; of a write that is not yet @sent
 */
struct asked {
	struct asked *next;
	struct link *l;
	struct conn *c;
	struct user_header head;
	struct user_dma dma;
	struct dma_place place;
	bool sent;
	uint8_t data[];
};

static bool is_write(const struct asked *a)
{
	return a->head.command == USER_DMA_WRITE;
}

int link_ask_begin(struct link *l)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd;

	if (l->requests.kick_fd >= 0)
		return 0;
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (l->epoll_fd >= 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	l->requests.kick_fd = fd;
	return 0;
}

static size_t bytes_of(const struct asked *a)
{
	return OWN_BYTES + (size_t)a->dma.count;
}

static void forget(struct asked *a)
{
	struct asked **at = &a->l->asked;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	a->l->asked_bytes -= bytes_of(a);
	free(a);
}

/* Without memory for an answer the server would wait for good. */
static void answer(struct asked *a, int status)
{
	struct link *l = a->l;
	struct conn *c = a->c;
	int ret = l->failed ? 0
			    : link_answer_dma(c, &a->head, &a->dma, status,
					      is_write(a) ? NULL : a->data);

	forget(a);
	if (ret)
		link_fail(l, ret);
	if (l->failed)
		return;
	conn_flush(c); /* if it has hung up, the next receive tells */
	link_watch(l);
}

static void done(void *ctx, int status)
{
	answer(ctx, status);
}

/* Return: as dma_requests_send() */
static int send_on(struct asked *a, const uint8_t *out)
{
	const struct dma_request r = { .iova = a->dma.address,
				       .len = (size_t)a->dma.count,
				       .buf = is_write(a) ? NULL : a->data,
				       .done = done,
				       .ctx = a };
	int ret;

	a->sent = true; /* from when on it is the requests' */
	ret = dma_requests_send(&a->l->requests, &a->place, &r, out);
	if (ret)
		a->sent = false;
	return ret;
}

int link_ask(struct link *l, struct conn *c, const struct message *m, const struct user_dma *dma,
	     const struct dma_place *place)
{
	const uint8_t *out = m->body + sizeof(*dma);
	struct asked **at = &l->asked;
	struct asked *a = NULL;
	bool crowded = l->asked_bytes + OWN_BYTES + dma->count > MAX_BYTES;
	int ret;

	if (!crowded)
		a = malloc(sizeof(*a) + (size_t)dma->count);
	if (!a)
		return link_answer_dma(c, &m->head, dma, crowded ? -EAGAIN : -ENOMEM, NULL);
	*a = (struct asked){ NULL, l, c, m->head, *dma, *place, false };
	while (*at)
		at = &(*at)->next;
	*at = a;
	l->asked_bytes += bytes_of(a);
	ret = send_on(a, out);
	if (ret == -EAGAIN && atomic_load(&l->requests.under_way)) {
		if (is_write(a))
			memcpy(a->data, out, (size_t)dma->count);
	} else if (ret) {
		answer(a, ret > 0 ? 0 : ret);
	}
	return l->failed;
}

/* Those that had to wait, in order. With nothing under way nothing would make room any more. */
static void ask_again(struct link *l)
{
	struct asked *next;

	for (struct asked *a = l->asked; a && !l->failed; a = next) {
		int ret;

		next = a->next;
		if (a->sent)
			continue;
		ret = send_on(a, a->data);
		if (ret == -EAGAIN && atomic_load(&l->requests.under_way))
			return;
		if (ret)
			answer(a, ret > 0 ? 0 : ret);
	}
}

void link_asked_run(struct link *l)
{
	if (l->requests.kick_fd < 0)
		return;
	dfd_eventfd_take(l->requests.kick_fd);
	dma_requests_run(&l->requests);
	ask_again(l);
}

void link_asked_cancel(struct link *l, uint64_t first, uint64_t last)
{
	struct asked *next;

	dma_requests_cancel(&l->requests, first, last);
	for (struct asked *a = l->asked; a; a = next) {
		next = a->next;
		if (!a->sent && a->dma.address <= last &&
		    a->dma.address + (a->dma.count - 1) >= first)
			answer(a, -ECANCELED);
	}
}
