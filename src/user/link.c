/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: one call at a time, under the lock of the device. While its answer is waited
 * for the server may ask for memory, and is answered, so that neither end waits for the other.
 * What goes wrong with the stream itself ends the link, because from there on nothing can be
 * trusted: a late answer would be taken for another one.
 *
 * A server may have given a second socket, by which it asks. Then the first one brings answers, but
 * a server that asks there is answered there.
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

static bool has_twin(const struct link *l)
{
	return l->twin.fd >= 0;
}

static void begin(struct conn *c, int fd)
{
	const int room = (int)USER_MAX_DATA; /* for long answers; the system may allow less */

	conn_init(c, fd);
	c->max_message = USER_MAX_MESSAGE;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

void link_start(struct link *l, int fd, int patience_ms)
{
	*l = (struct link){
		.epoll_fd = -1, .patience_ms = patience_ms, .twin = { .fd = -1 }, .ring = RING_NONE
	};
	dma_requests_init(&l->requests);
	begin(&l->conn, fd);
	let_sleep(fd, patience_ms);
}

void link_add_twin(struct link *l, int fd)
{
	begin(&l->twin, fd);
}

void link_finish(struct link *l)
{
	l->failed = -ENODEV; /* nobody is answered any more */
	link_asked_cancel(l, 0, UINT64_MAX);
	if (l->requests.kick_fd >= 0)
		close(l->requests.kick_fd);
	dma_requests_finish(&l->requests);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	ring_finish(&l->ring);
	conn_finish(&l->twin);
	conn_finish(&l->conn);
	link_drop_windows(l);
}

/* The sockets are shut down, so that whoever polls them wakes up. */
int link_fail(struct link *l, int error)
{
	if (error == -EPIPE || error == -ECONNRESET || !error)
		error = -ENODEV;
	if (error == -EMSGSIZE)
		error = -EPROTO;
	l->failed = error;
	shutdown(l->conn.fd, SHUT_RDWR);
	if (has_twin(l))
		shutdown(l->twin.fd, SHUT_RDWR);
	return error;
}

/* Return: 0 or a negative errno */
static int watch(struct link *l, struct conn *c)
{
	struct epoll_event event = { .events = link_blocked(c) ? 0 : EPOLLIN };
	int op = c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (conn_queued(c))
		event.events |= EPOLLOUT;
	if (event.events == c->events)
		return 0;
	c->events = event.events;
	return epoll_ctl(l->epoll_fd, op, c->fd, &event) ? -errno : 0;
}

void link_watch(struct link *l)
{
	if (l->epoll_fd < 0)
		return;
	watch(l, &l->conn);
	if (has_twin(l))
		watch(l, &l->twin);
}

static int watch_kick(const struct link *l)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (l->requests.kick_fd < 0)
		return 0;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->requests.kick_fd, &event) ? -errno : 0;
}

int link_poll_fd(struct link *l)
{
	int ret;

	if (l->epoll_fd >= 0)
		return l->epoll_fd;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -errno;
	ret = watch(l, &l->conn);
	if (!ret && has_twin(l))
		ret = watch(l, &l->twin);
	if (!ret)
		ret = watch_kick(l);
	if (!ret)
		return l->epoll_fd;
	close(l->epoll_fd);
	l->epoll_fd = -1;
	l->conn.events = l->twin.events = 0;
	return ret;
}

/* ---- messages of the server ---- */

static int serve(struct link *l, struct conn *c, const struct message *m)
{
	struct user_header head = { .id = m->head.id,
				    .command = m->head.command,
				    .flags = USER_TYPE_REPLY | USER_ERROR,
				    .error = m->num_fds ? EINVAL : ENOSYS };

	if (!m->num_fds && (m->head.command == USER_DMA_READ || m->head.command == USER_DMA_WRITE))
		return link_serve_dma(l, c, m);
	if (m->head.flags & USER_NO_REPLY)
		return 0;
	return conn_put(c, head, NULL, 0, NULL, 0, NULL, 0);
}

int link_receive(struct conn *c)
{
	int ret = link_blocked(c) ? conn_flush(c) : 0;

	if (ret)
		return ret;
	if (link_blocked(c))
		return -EAGAIN;
	return c->held ? 1 : conn_receive(c);
}

/* If it has hung up, the next receive tells. */
static bool can_take(struct conn *c)
{
	c->held = link_blocked(c);
	if (c->held) {
		conn_flush(c);
		c->held = link_blocked(c);
	}
	return !c->held;
}

/* As link_take(), by either socket. */
static int take(struct link *l, struct conn *c, const struct user_header *wanted,
		struct message *reply)
{
	struct message m;
	int ret = 0;

	while (can_take(c) && (ret = conn_next(c, &m)) > 0) {
		if ((m.head.flags & USER_TYPE_MASK) == USER_TYPE_REPLY) {
			if (!wanted || m.head.id != wanted->id ||
			    m.head.command != wanted->command) {
				message_done(&m);
				return -EPROTO;
			}
			*reply = m;
			return 1;
		}
		ret = serve(l, c, &m);
		message_done(&m);
		if (ret)
			return ret;
	}
	return ret;
}

int link_take(struct link *l, const struct user_header *wanted, struct message *reply)
{
	return take(l, &l->conn, wanted, reply);
}

int link_serve(struct link *l, struct conn *c)
{
	int ret = take(l, c, NULL, NULL);

	if (!c->held)	       /* or the socket is full */
		conn_flush(c); /* if it has hung up, the next receive tells */
	return ret;
}

/* Answer what is there; never blocks. Return: 0, or why the link has failed */
static int service(struct link *l, struct conn *c)
{
	int ret = link_receive(c);

	if (ret > 0)
		return link_serve(l, c);
	if (ret == -EAGAIN) /* the queue was flushed already where it is too long */
		return link_blocked(c) ? 0 : conn_flush(c);
	return ret ? ret : -ENODEV;
}

/* To some milliseconds: every call asks for it. */
int64_t link_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct pollfd wanted_of(const struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = link_blocked(c) ? 0 : POLLIN };

	if (conn_queued(c))
		p.events |= POLLOUT;
	return p;
}

/* A socket that there is not has an fd that poll() ignores. */
int link_wait(struct link *l, int64_t end)
{
	struct pollfd p[] = { wanted_of(&l->conn),
			      wanted_of(&l->twin),
			      { .fd = l->requests.kick_fd, .events = POLLIN } };
	int64_t left = end - link_now_ms();

	return poll(p, 3, left > 0 ? (int)left : 0) ? 0 : -ETIMEDOUT;
}

/* Nothing can be asked for without memory, so nobody waits for an answer by the second socket. */
static bool serves_twin(const struct link *l)
{
	return has_twin(l) && l->windows.count;
}

/* Sleep, or look for a while. Return: as conn_receive(), also -EINTR */
static int receive(struct link *l)
{
	if (conn_queued(&l->conn) || l->conn.held || serves_twin(l) || link_asked_busy(l))
		return link_receive(&l->conn);
	return l->polls ? conn_look(&l->conn, LOOKS) : conn_receive_wait(&l->conn);
}

/*
 * Who was kept from looking until it is too late looks once more, for what has come in time.
 * Return: 1 with the answer, or why the link has failed.
 */
static int await(struct link *l, const struct user_header *wanted, struct message *reply)
{
	int64_t end = link_now_ms() + l->patience_ms;

	for (bool late = false;; late = link_now_ms() >= end) {
		int sent = conn_flush(&l->conn), ret = serves_twin(l) ? service(l, &l->twin) : 0;

		if (ret)
			return ret;
		/* A server that has hung up may have said why. */
		ret = sent ? conn_receive(&l->conn) : receive(l);
		if (!ret)
			return -ENODEV;
		if (ret > 0)
			ret = link_take(l, wanted, reply);
		else if (ret == -EAGAIN || ret == -EINTR)
			ret = sent < 0 ? sent : link_wait(l, end);
		if (!ret && late)
			ret = -ETIMEDOUT;
		if (ret)
			return ret;
		if (link_asked_busy(l))
			link_asked_run(l);
	}
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

/* Fds come with nothing else that a server may send. */
static bool answer_has_fds(uint16_t command)
{
	return command == USER_VERSION || command == USER_REGION_INFO ||
	       command == USER_REGION_IO_FDS;
}

int link_call(struct link *l, const struct call *call, struct message *reply)
{
	struct user_header head = { .id = l->next_id++, .command = call->command };
	struct message m = { 0 };
	int ret;

	if (l->failed)
		return l->failed;
	l->conn.fdless = !answer_has_fds(call->command);
	ret = conn_put(&l->conn, head, call->fixed, call->fixed_len, call->data, call->len,
		       call->fds, call->num_fds);
	if (ret)
		return ret;
	ret = await(l, &head, &m);
	if (ret > 0 && conn_partial(&l->conn)) {
		/* What came together with the answer: no event will tell of it. */
		int rest = link_serve(l, &l->conn);

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
	link_asked_run(l);
	ret = service(l, &l->conn);
	if (!ret && has_twin(l))
		ret = service(l, &l->twin);
	link_watch(l);
	return ret ? link_fail(l, ret) : 0;
}
