/* SPDX-License-Identifier: MIT */
/*
 * A connection: messages with file descriptors over a non-blocking stream socket. Used by both
 * ends; knows framing and no command.
 */
#ifndef USER_CONN_H
#define USER_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "user/proto.h"

/* What the kernel passes in one message (SCM_MAX_FD). */
#define CONN_MAX_FDS 253u
/* Bytes queued from which on no more requests are taken. */
#define CONN_BACKLOG (UINT32_C(1) << 20)
/* Bytes queued that are never exceeded but by replies: one for each request taken. */
#define CONN_MAX_QUEUE (UINT32_C(4) << 20)

/** struct conn_buf - bytes from @start to @end in @data */
struct conn_buf {
	uint8_t *data;
	size_t start, end, room;
};

/** struct conn_attachment - an fd that goes out with the byte at @position of the stream */
struct conn_attachment {
	uint64_t position;
	int fds[USER_MAX_FDS];
	unsigned int num_fds;
};

/**
 * struct conn_bulk - the rest of a message
 * @receive: takes up to @left bytes from the socket. Return: as recv(), or a negative errno
 */
struct conn_bulk {
	ssize_t (*receive)(void *ctx, int fd, size_t left);
	void *ctx;
	size_t left;
};

/**
 * struct conn - a connection
 * @fd: the socket; owned
 * @max_message: larger messages break the connection
 * @in: received; starts with a message that is not yet taken
 * @in_position: of @in.start in the stream
 * @fds: received, and not yet taken with the message that starts at @fds_position
 * @out: to be sent
 * @sent: position in the outgoing stream of @out.start
 * @attach: fds that go out; one message at a time
 * @tail: bytes that follow @out and are not copied there; they stay their owner's
 * @bulk: receives the rest of a message elsewhere, as long as @left is not 0
 * @events: what the owner polls for, 0 before it does
 * @held: the owner leaves messages in @in until others have left
 * @fdless: no message that is waited for may have fds, so they are not asked for, which is cheaper;
 *          should some come, the kernel closes them
 */
struct conn {
	int fd;
	uint32_t max_message;
	struct conn_buf in;
	uint64_t in_position;
	int fds[CONN_MAX_FDS];
	unsigned int num_fds;
	uint64_t fds_position;
	struct conn_buf out;
	uint64_t sent;
	struct conn_attachment attach;
	const uint8_t *tail;
	size_t tail_len;
	struct conn_bulk bulk;
	uint32_t events;
	bool held, fdless;
};

/**
 * struct message - a message that was received
 * @body: its @len bytes after the header; good until the next conn_receive()
 * @fds: its fds; whoever wants to keep one puts -1 in its place, the others are closed by
 *       message_done()
 */
struct message {
	struct user_header head;
	const uint8_t *body;
	uint32_t len;
	int *fds;
	unsigned int num_fds;
};

/** conn_init() - @fd: a connected socket, which becomes the connection's */
void conn_init(struct conn *c, int fd);

/** conn_finish() - close everything; a second time does nothing */
void conn_finish(struct conn *c);

/**
 * conn_receive() - one system call
 *
 * Return: 1 when there are new bytes, or a message with fds is to be taken first; 0 at the end of
 * the stream, -EAGAIN, -EPROTO when fds were lost, -ENOMEM, or what recvmsg() says.
 */
int conn_receive(struct conn *c);

/** conn_look() - as conn_receive(), but @looks times while there is nothing */
int conn_look(struct conn *c, unsigned int looks);

/**
 * conn_receive_wait() - as conn_receive(), but sleeps on a socket that is blocking
 *
 * Return: also -EAGAIN after the time-out that the socket has (SO_RCVTIMEO), and -EINTR.
 */
int conn_receive_wait(struct conn *c);

/**
 * conn_next() - take the next message that is complete
 *
 * Return: 1; 0 when there is none; -EPROTO or -EMSGSIZE for a header that cannot be.
 */
int conn_next(struct conn *c, struct message *m);

/** message_done() - close what is left of the message's fds */
void message_done(struct message *m);

/** conn_partial() - Return: has a message begun to arrive? */
static inline bool conn_partial(const struct conn *c)
{
	return c->in.start != c->in.end || c->bulk.left;
}

/** conn_received() - Return: position in the stream of the byte that comes next */
static inline uint64_t conn_received(const struct conn *c)
{
	return c->in_position + (c->in.end - c->in.start);
}

/** conn_queued() - Return: bytes that wait to be sent */
static inline size_t conn_queued(const struct conn *c)
{
	return c->out.end - c->out.start + c->tail_len;
}

/**
 * conn_reserve() - room for a message at the end of the queue
 *
 * Return: where to put it, or NULL when memory is short. Nothing is queued before conn_commit().
 */
uint8_t *conn_reserve(struct conn *c, size_t len);

/** conn_commit() - queue the first @len bytes of what was reserved */
static inline void conn_commit(struct conn *c, size_t len)
{
	c->out.end += len;
}

/**
 * conn_put() - queue a message of two parts
 * @fds: go with its first byte; duplicated
 *
 * Return: 0, -ENOMEM, -EMFILE; -EBUSY when fds of another message still wait.
 */
int conn_put(struct conn *c, struct user_header head, const void *fixed, size_t fixed_len,
	     const void *data, size_t len, const int *fds, unsigned int num_fds);

/** conn_attach() - @fds go out with the next byte that is committed. Return: as conn_put() */
int conn_attach(struct conn *c, const int *fds, unsigned int num_fds);

/**
 * conn_tail() - bytes that follow what was committed and stay where they are until they are sent
 *
 * If something else has to follow them before, they are copied after all.
 */
void conn_tail(struct conn *c, const void *data, size_t len);

/**
 * conn_begin_bulk() - take the message that has begun to arrive in two parts
 * @fixed: bytes of it after the header, which have arrived
 * @rest: receives those that have arrived behind; good until the next conn_receive()
 *
 * Return: how many those are. @c->bulk is to be filled in for what is still to come.
 */
size_t conn_begin_bulk(struct conn *c, size_t fixed, const uint8_t **rest);

/** conn_peek() - Return: does @len bytes of the message at the front, header included, lie at @at?
 */
bool conn_peek(const struct conn *c, void *at, size_t len);

/** conn_flush() - send what can be sent. Return: 0, or what sendmsg() says but EAGAIN */
int conn_flush(struct conn *c);

/** conn_trim() - give memory back while nothing is under way */
void conn_trim(struct conn *c);

/* ---- buffers, for those who keep messages back ---- */

/** buf_make_room() - as buf_reserve(), when there is too little room */
uint8_t *buf_make_room(struct conn_buf *b, size_t len);

/** buf_reserve() - Return: room for @len bytes at the end, or NULL */
static inline uint8_t *buf_reserve(struct conn_buf *b, size_t len)
{
	return b->room - b->end >= len ? b->data + b->end : buf_make_room(b, len);
}

void buf_finish(struct conn_buf *b);

#endif
