/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: one call at a time, under the lock of the device. While its answer is waited
 * for the server may ask for memory, and is answered, so that neither end waits for the other.
 * What goes wrong with the stream itself ends the link, because from there on nothing can be
 * trusted: a late answer would be taken for another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "user/link.h"

/* For an answer, before it sleeps after all: some milliseconds. */
#define LOOKS 10000

/* Sleeping in the receive itself saves the call that says that there is something to receive. */
static void let_sleep(int fd, int patience_ms)
{
	const struct timeval patience = { .tv_sec = patience_ms / 1000,
					  .tv_usec = patience_ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

void link_start(struct link *l, int fd, int patience_ms)
{
	const int room = (int)USER_MAX_DATA; /* for long answers; the system may allow less */

	*l = (struct link){ .epoll_fd = -1,
			    .patience_ms = patience_ms,
			    .ring = { .fd = -1, .bell = -1 } };
	conn_init(&l->conn, fd);
	l->conn.max_message = USER_MAX_MESSAGE;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	let_sleep(fd, patience_ms);
}

void link_finish(struct link *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	ring_finish(&l->ring);
	conn_finish(&l->conn);
	link_drop_windows(l);
}

/* The socket is shut down, so that whoever polls it wakes up. */
int link_fail(struct link *l, int error)
{
	if (error == -EPIPE || error == -ECONNRESET || !error)
		error = -ENODEV;
	if (error == -EMSGSIZE)
		error = -EPROTO;
	l->failed = error;
	shutdown(l->conn.fd, SHUT_RDWR);
	return error;
}

void link_watch(struct link *l)
{
	struct epoll_event event = { .events = link_blocked(l) ? 0 : EPOLLIN };

	if (conn_queued(&l->conn))
		event.events |= EPOLLOUT;
	if (l->epoll_fd < 0 || event.events == l->events)
		return;
	l->events = event.events;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, l->conn.fd, &event);
}

int link_poll_fd(struct link *l)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (l->epoll_fd >= 0)
		return l->epoll_fd;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -errno;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->conn.fd, &event)) {
		int ret = -errno;

		close(l->epoll_fd);
		l->epoll_fd = -1;
		return ret;
	}
	l->events = EPOLLIN;
	link_watch(l);
	return l->epoll_fd;
}

/* ---- messages of the server ---- */

static int serve(struct link *l, const struct message *m)
{
	struct user_header head = { .id = m->head.id,
				    .command = m->head.command,
				    .flags = USER_TYPE_REPLY | USER_ERROR,
				    .error = m->num_fds ? EINVAL : ENOSYS };

	if (!m->num_fds && (m->head.command == USER_DMA_READ || m->head.command == USER_DMA_WRITE))
		return link_serve_dma(l, m);
	if (m->head.flags & USER_NO_REPLY)
		return 0;
	return conn_put(&l->conn, head, NULL, 0, NULL, 0, NULL, 0);
}

bool link_blocked(const struct link *l)
{
	return conn_queued(&l->conn) >= CONN_BACKLOG || l->conn.tail_len;
}

int link_receive(struct link *l)
{
	int ret = link_blocked(l) ? conn_flush(&l->conn) : 0;

	if (ret)
		return ret;
	if (link_blocked(l))
		return -EAGAIN;
	return l->held ? 1 : conn_receive(&l->conn);
}

/* If it has hung up, the next receive tells. */
static bool can_take(struct link *l)
{
	if (link_blocked(l))
		conn_flush(&l->conn);
	l->held = link_blocked(l);
	return !l->held;
}

int link_take(struct link *l, const struct user_header *wanted, struct message *reply)
{
	struct message m;
	int ret = 0;

	while (can_take(l) && (ret = conn_next(&l->conn, &m)) > 0) {
		if ((m.head.flags & USER_TYPE_MASK) == USER_TYPE_REPLY) {
			if (!wanted || m.head.id != wanted->id ||
			    m.head.command != wanted->command) {
				message_done(&m);
				return -EPROTO;
			}
			*reply = m;
			return 1;
		}
		ret = serve(l, &m);
		message_done(&m);
		if (ret)
			return ret;
	}
	return ret;
}

int64_t link_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int link_wait(struct link *l, int64_t end)
{
	struct pollfd p = { .fd = l->conn.fd, .events = link_blocked(l) ? 0 : POLLIN };
	int64_t left = end - link_now_ms();

	if (conn_queued(&l->conn))
		p.events |= POLLOUT;
	if (left <= 0 || !poll(&p, 1, (int)left))
		return -ETIMEDOUT;
	return 0;
}

/* Sleep, or look for a while. Return: as conn_receive(), also -EINTR */
static int receive(struct link *l)
{
	int ret = -EAGAIN;

	if (conn_queued(&l->conn) || l->held)
		return link_receive(l);
	if (!l->polls)
		return conn_receive_wait(&l->conn);
	for (int i = 0; i < LOOKS && ret == -EAGAIN; i++)
		ret = conn_receive(&l->conn);
	return ret;
}

/* Return: 1 with the answer, or why the link has failed. */
static int await(struct link *l, const struct user_header *wanted, struct message *reply)
{
	int64_t end = link_now_ms() + l->patience_ms;

	for (;;) {
		int sent = conn_flush(&l->conn), ret;

		/* A server that has hung up may have said why. */
		ret = sent ? conn_receive(&l->conn) : receive(l);
		if (!ret)
			return -ENODEV;
		if (ret > 0)
			ret = link_take(l, wanted, reply);
		else if (ret == -EAGAIN || ret == -EINTR)
			ret = sent < 0 ? sent : link_wait(l, end);
		if (!ret && link_now_ms() >= end)
			ret = -ETIMEDOUT;
		if (ret)
			return ret;
	}
}

/* Answer what has arrived, as far as answers are taken. Return: 0, or why the link has failed */
static int serve_all(struct link *l)
{
	int ret;

	do {
		ret = link_take(l, NULL, NULL);
		conn_flush(&l->conn); /* if it has hung up, the next receive tells */
	} while (!ret && l->held && !link_blocked(l));
	return ret;
}

static int answered(struct message *reply, struct message *out)
{
	int ret = 0;

	if (reply->head.flags & USER_ERROR) {
		uint32_t error = reply->head.error;

		ret = error && error < 4096 ? -(int)error : -EIO;
	}
	if (!ret && out)
		*out = *reply;
	else
		message_done(reply);
	return ret;
}

int link_call(struct link *l, const struct call *call, struct message *reply)
{
	struct user_header head = { .id = l->next_id++, .command = call->command };
	struct message m = { 0 };
	int ret;

	if (l->failed)
		return l->failed;
	ret = conn_put(&l->conn, head, call->fixed, call->fixed_len, call->data, call->len,
		       call->fds, call->num_fds);
	if (ret)
		return ret;
	ret = await(l, &head, &m);
	if (ret > 0 && conn_partial(&l->conn)) {
		/* What came together with the answer: no event will tell of it. */
		int rest = serve_all(l);

		if (rest) {
			message_done(&m);
			ret = rest;
		}
	}
	link_watch(l);
	return ret > 0 ? answered(&m, reply) : link_fail(l, ret);
}

int link_service(struct link *l)
{
	int ret;

	if (l->failed)
		return l->failed;
	ret = link_receive(l);
	if (!ret)
		return link_fail(l, 0);
	if (ret > 0)
		ret = serve_all(l);
	else if (ret == -EAGAIN) /* the queue was flushed already where it is too long */
		ret = link_blocked(l) ? 0 : conn_flush(&l->conn);
	link_watch(l);
	return ret ? link_fail(l, ret) : 0;
}
