/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: one receive takes as much as there is, messages are then cut off the front
 * of the buffer. Before it grows beyond its first size the header has to name a size that is
 * allowed, so memory is bounded by the largest message.
 *
 * File descriptors come with a byte of the stream, but a receive only tells that they belong to one
 * of its bytes. The kernel ends a receive behind the piece that carried them, so they belong to the
 * last piece; peers send a message in one piece, with its fds at the first byte. So they go to the
 * last message that begins in the received bytes and may have any, judged by its command; where
 * there is none they are closed. A message that has begun earlier gets none. There is room for the
 * fds of one message, so it is taken before more is received.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/conn.h"

#define FIRST_ROOM ((size_t)16 << 10)

/* ---- buffers ---- */

uint8_t *buf_make_room(struct conn_buf *b, size_t len)
{
	size_t used = b->end - b->start, room = b->room ? b->room : FIRST_ROOM;
	uint8_t *data;

	if (b->start) {
		memmove(b->data, b->data + b->start, used);
		b->start = 0;
		b->end = used;
		if (b->room - used >= len)
			return b->data + used;
	}
	while (room - used < len)
		room *= 2;
	data = realloc(b->data, room);
	if (!data)
		return NULL;
	b->data = data;
	b->room = room;
	return data + b->end;
}

void buf_finish(struct conn_buf *b)
{
	free(b->data);
	*b = (struct conn_buf){ 0 };
}

static void buf_consume(struct conn_buf *b, size_t len)
{
	b->start += len;
	if (b->start == b->end)
		b->start = b->end = 0;
}

/* ---- life ---- */

static void close_fds(int *fds, unsigned int *count)
{
	for (unsigned int i = 0; i < *count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	*count = 0;
}

void conn_init(struct conn *c, int fd)
{
	*c = (struct conn){ .fd = fd, .max_message = USER_MAX_FIRST_MESSAGE };
}

void conn_finish(struct conn *c)
{
	close_fds(c->fds, &c->num_fds);
	close_fds(c->attach.fds, &c->attach.num_fds);
	buf_finish(&c->in);
	buf_finish(&c->out);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void conn_trim(struct conn *c)
{
	if (c->in.start == c->in.end && c->in.room > FIRST_ROOM)
		buf_finish(&c->in);
	if (c->out.start == c->out.end && c->out.room > FIRST_ROOM)
		buf_finish(&c->out);
}

/* ---- receiving ---- */

/* The header of the message at @at, if it is complete. */
static bool header_at(const struct conn_buf *b, size_t at, struct user_header *head)
{
	if (b->end - at < sizeof(*head))
		return false;
	memcpy(head, b->data + at, sizeof(*head));
	return true;
}

static bool may_have_fds(const struct user_header *head)
{
	switch (head->command) {
	case USER_VERSION:
	case USER_DMA_MAP:
	case USER_DMA_UNMAP:
	case USER_REGION_INFO:
	case USER_REGION_IO_FDS:
	case USER_SET_IRQS:
		return true;
	default:
		return false;
	}
}

/* Find the owner of the fds that came with the bytes from @from on. */
static bool find_owner(const struct conn *c, size_t from, uint64_t *position)
{
	struct user_header head;
	bool found = false;

	for (size_t at = c->in.start; at < c->in.end; at += head.size) {
		bool complete = header_at(&c->in, at, &head);

		if (at >= from && (!complete || may_have_fds(&head))) {
			*position = c->in_position + (at - c->in.start);
			found = true;
		}
		if (!complete || head.size < sizeof(head) || head.size > c->in.end - at)
			break;
	}
	return found;
}

/* Everything that came is taken out of the control data, whatever happens to it then. */
static unsigned int gather_fds(struct msghdr *msg, int fds[CONN_MAX_FDS])
{
	unsigned int count = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
			if (count < CONN_MAX_FDS)
				fds[count++] = fd;
			else
				close(fd);
		}
	}
	return count;
}

static int keep_fds(struct conn *c, struct msghdr *msg, size_t from)
{
	int fds[CONN_MAX_FDS];
	unsigned int count;
	uint64_t position = 0;

	if (!msg->msg_controllen && !(msg->msg_flags & MSG_CTRUNC))
		return 0;
	count = gather_fds(msg, fds);
	if (!count && !(msg->msg_flags & MSG_CTRUNC))
		return 0;
	if ((msg->msg_flags & MSG_CTRUNC) || c->num_fds || !find_owner(c, from, &position)) {
		close_fds(fds, &count);
		return msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
	}
	memcpy(c->fds, fds, count * sizeof(*fds));
	c->num_fds = count;
	c->fds_position = position;
	return 0;
}

/* How much more the message at the front needs, at least; bounded by the largest message. */
static size_t wanted(const struct conn *c)
{
	size_t have = c->in.end - c->in.start;
	struct user_header head;

	if (header_at(&c->in, c->in.start, &head) && head.size > have &&
	    head.size <= c->max_message)
		return head.size - have;
	return 1;
}

static int receive_bulk(struct conn *c)
{
	ssize_t n = c->bulk.receive(c->bulk.ctx, c->fd, c->bulk.left);

	if (n > 0) {
		c->in_position += (size_t)n;
		c->bulk.left -= (size_t)n;
	}
	return n > 0 ? 1 : (int)n;
}

bool conn_peek(const struct conn *c, void *at, size_t len)
{
	if (c->in.end - c->in.start < len)
		return false;
	memcpy(at, c->in.data + c->in.start, len);
	return true;
}

size_t conn_begin_bulk(struct conn *c, size_t fixed, const uint8_t **rest)
{
	size_t have = c->in.end - c->in.start, front = sizeof(struct user_header) + fixed;

	if (c->num_fds && c->fds_position == c->in_position)
		close_fds(c->fds, &c->num_fds);
	*rest = c->in.data + c->in.start + front;
	c->in_position += have;
	buf_consume(&c->in, have);
	return have - front;
}

/* One call when something is there. */
static int receive_bytes(struct conn *c, int flags, unsigned int looks)
{
	ssize_t n;

	do
		n = recv(c->fd, c->in.data + c->in.end, c->in.room - c->in.end, flags);
	while (n < 0 && errno == EAGAIN && --looks);
	if (n < 0)
		return -errno;
	c->in.end += (size_t)n;
	return n != 0;
}

static int receive_with_fds(struct conn *c, int flags, unsigned int looks)
{
	union {
		char bytes[CMSG_SPACE(CONN_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { c->in.data + c->in.end, c->in.room - c->in.end };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	size_t from = c->in.end;
	ssize_t n;
	int ret;

	do
		n = recvmsg(c->fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EAGAIN && --looks);
	if (n < 0)
		return -errno;
	c->in.end += (size_t)n;
	ret = keep_fds(c, &msg, from);
	return ret ? ret : n != 0;
}

/* Is a message with fds there that nobody has taken yet? */
static bool fds_wait(const struct conn *c)
{
	size_t at = c->in.start + (size_t)(c->fds_position - c->in_position);
	struct user_header head;

	return c->num_fds && header_at(&c->in, at, &head) && head.size <= c->in.end - at;
}

static int receive(struct conn *c, int flags, unsigned int looks)
{
	if (c->bulk.left)
		return receive_bulk(c);
	if (fds_wait(c))
		return 1;
	if (!buf_reserve(&c->in, wanted(c)))
		return -ENOMEM;
	return c->fdless ? receive_bytes(c, flags, looks) : receive_with_fds(c, flags, looks);
}

int conn_look(struct conn *c, unsigned int looks)
{
	int ret;

	do
		ret = receive(c, MSG_DONTWAIT, looks);
	while (ret == -EINTR);
	return ret;
}

int conn_receive(struct conn *c)
{
	return conn_look(c, 1);
}

int conn_receive_wait(struct conn *c)
{
	return receive(c, 0, 1);
}

int conn_next(struct conn *c, struct message *m)
{
	size_t have = c->in.end - c->in.start;

	if (!header_at(&c->in, c->in.start, &m->head))
		return 0;
	if (m->head.size < sizeof(m->head) || (m->head.flags & USER_TYPE_MASK) > USER_TYPE_REPLY)
		return -EPROTO;
	if (m->head.size > c->max_message)
		return -EMSGSIZE;
	if (m->head.size > have)
		return 0;
	m->body = c->in.data + c->in.start + sizeof(m->head);
	m->len = m->head.size - (uint32_t)sizeof(m->head);
	m->fds = c->fds;
	m->num_fds = c->num_fds && c->fds_position == c->in_position ? c->num_fds : 0;
	if (m->num_fds)
		c->num_fds = 0;
	c->in_position += m->head.size;
	buf_consume(&c->in, m->head.size);
	return 1;
}

void message_done(struct message *m)
{
	close_fds(m->fds, &m->num_fds);
}

/* ---- sending ---- */

uint8_t *conn_reserve(struct conn *c, size_t len)
{
	if (c->tail_len) {
		uint8_t *at = buf_reserve(&c->out, c->tail_len + len);

		if (!at)
			return NULL;
		memcpy(at, c->tail, c->tail_len);
		c->out.end += c->tail_len;
		c->tail_len = 0;
	}
	return buf_reserve(&c->out, len);
}

void conn_tail(struct conn *c, const void *data, size_t len)
{
	c->tail = data;
	c->tail_len = len;
}

int conn_attach(struct conn *c, const int *fds, unsigned int num_fds)
{
	struct conn_attachment *a = &c->attach;

	if (a->num_fds)
		return -EBUSY;
	if (num_fds > USER_MAX_FDS)
		return -EINVAL;
	for (unsigned int i = 0; i < num_fds; i++) {
		a->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (a->fds[i] < 0) {
			int ret = -errno;

			close_fds(a->fds, &i);
			return ret;
		}
	}
	a->num_fds = num_fds;
	a->position = c->sent + conn_queued(c);
	return 0;
}

int conn_put(struct conn *c, struct user_header head, const void *fixed, size_t fixed_len,
	     const void *data, size_t len, const int *fds, unsigned int num_fds)
{
	size_t total = sizeof(head) + fixed_len + len;
	uint8_t *at = conn_reserve(c, total);
	int ret = 0;

	if (!at)
		return -ENOMEM;
	if (num_fds)
		ret = conn_attach(c, fds, num_fds);
	if (ret)
		return ret;
	head.size = (uint32_t)total;
	memcpy(at, &head, sizeof(head));
	if (fixed_len)
		memcpy(at + sizeof(head), fixed, fixed_len);
	if (len)
		memcpy(at + sizeof(head) + fixed_len, data, len);
	conn_commit(c, total);
	return 0;
}

/* What leaves at once: up to the byte that has fds, from there on with them, or all. */
static size_t piece_len(const struct conn *c)
{
	if (!c->attach.num_fds)
		return conn_queued(c);
	if (c->attach.position > c->sent)
		return (size_t)(c->attach.position - c->sent);
	return c->out.end - c->out.start;
}

static ssize_t send_with_fds(struct conn *c)
{
	struct conn_attachment *a = &c->attach;
	union {
		char bytes[CMSG_SPACE(USER_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { c->out.data + c->out.start, piece_len(c) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t bytes = a->num_fds * sizeof(int);
	ssize_t n;

	if (a->position > c->sent)
		return sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	msg.msg_control = control.bytes;
	msg.msg_controllen = CMSG_SPACE(bytes);
	control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS,
					  .cmsg_len = CMSG_LEN(bytes) };
	memcpy(CMSG_DATA(&control.align), a->fds, bytes);
	n = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		close_fds(a->fds, &a->num_fds);
	return n;
}

static ssize_t send_with_tail(const struct conn *c)
{
	struct iovec iov[] = { { c->out.data + c->out.start, c->out.end - c->out.start },
			       { (void *)(uintptr_t)c->tail, c->tail_len } };
	const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	return sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t send_piece(struct conn *c)
{
	if (c->attach.num_fds)
		return send_with_fds(c);
	if (c->tail_len)
		return send_with_tail(c);
	return send(c->fd, c->out.data + c->out.start, c->out.end - c->out.start,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void sent(struct conn *c, size_t n)
{
	size_t out = c->out.end - c->out.start;

	c->sent += n;
	if (n < out)
		out = n;
	buf_consume(&c->out, out);
	if (n == out)
		return;
	c->tail += n - out;
	c->tail_len -= n - out;
}

/* What has gone in part has filled the socket. */
int conn_flush(struct conn *c)
{
	bool full = false;

	while (conn_queued(c) && !full) {
		size_t len = piece_len(c);
		ssize_t n = send_piece(c);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		sent(c, (size_t)n);
		full = (size_t)n < len;
	}
	return 0;
}
