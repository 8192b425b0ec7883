/* SPDX-License-Identifier: MIT */
/* One client of a served device, for src/user/ alone. */
#ifndef USER_SESSION_H
#define USER_SESSION_H

#include <devfd/device.h>

#include "user/conn.h"
#include "ring/ring.h"
#include "user/version.h"
#include "util/iovamap.h"

/**
 * struct target - a device that is served
 * @dev: the device
 * @told: what clients are told of it: a device without any contents. Mappable is only what can be
 *        handed to a stranger: a plain file, never a device of the kernel
 */
struct target {
	struct dfd_device *dev;
	struct dfd_device *told;
};

/** target_init() - @dev stays the caller's. Return: 0, -ENOMEM, or as dfd_desc_build() */
int target_init(struct target *t, struct dfd_device *dev, struct dfd_error *err);
void target_finish(struct target *t);

/* Requests by message that one client may owe us an answer to. */
#define SESSION_MAX_DMA 128u

/** enum slot_state - a cancelled request keeps its id, so that the late answer is recognised */
enum slot_state { SLOT_FREE, SLOT_SENT, SLOT_CANCELLED };

/**
 * struct dma_slot - one DMA by message
 * @id: of the message on its way
 * @address, @len: the whole transfer
 * @done, @piece: how much is over, and how much is under way
 * @buf: holds the bytes of a write of several pieces
 */
struct dma_slot {
	enum slot_state state;
	bool is_write;
	uint16_t id;
	struct dfd_dma_token token;
	uint64_t address;
	size_t len, done, piece;
	uint64_t deadline;
	uint8_t *buf;
};

#define MAX_BELLS USER_MAX_FDS

/**
 * struct bells - eventfds that stand for writes, in the order in which the device names them
 * @open: the others mean something
 * @epoll_fd: has all of them
 * @rung: bit n: the nth was, and the write is yet to be done
 * @after: up to there what the client has sent by the socket comes first
 */
struct bells {
	bool open;
	int epoll_fd;
	int fds[MAX_BELLS];
	unsigned int count;
	uint32_t rung;
	uint64_t after;
};

/**
 * struct session - a client and what it has set up
 * @twin: for requests to the client and their answers, if it wants a second socket; else without fd
 * @agreed: the version is agreed on
 * @peer: what the client can take
 * @maps: its DMA maps
 * @later: messages that follow the answer that is being made; a request by the device must not
 *         overtake the answer to the access that caused it
 * @bulk: its answer is being received in place, or NULL
 * @in_request: an answer is being made
 * @dma_patience: for each answer, in ns
 * @refused: requests in a row that we do not know
 * @ring: for registers, if the client wants one
 * @bells: for writes, if the client has asked
 */
struct session {
	const struct target *target;
	struct conn conn;
	struct conn twin;
	bool agreed;
	struct user_limits peer;
	struct dfd_iovamap maps;
	struct dma_slot slots[SESSION_MAX_DMA];
	struct dma_slot *bulk;
	unsigned int slots_used;
	uint64_t dma_patience;
	uint16_t next_id;
	struct conn_buf later;
	bool in_request;
	unsigned int refused;
	struct ring ring;
	struct bells bells;
	void (*log)(void *ctx, const char *text);
	void *log_ctx;
};

/** session_start() - begin with a connected socket, which becomes the session's */
void session_start(struct session *s, const struct target *target, int fd);

/** session_end() - the client has gone: give everything back and make the device clean */
void session_end(struct session *s);

/**
 * session_handle() - take requests that have arrived, a bounded number of them
 *
 * Return: 1 when more can be taken at once, 0 when not; a negative errno when the client must go.
 */
int session_handle(struct session *s);

/**
 * session_twin() - take answers from the second socket, if there is one
 *
 * Return: 1; 0 when the client has hung up; -EAGAIN; another errno when the client must go.
 */
int session_twin(struct session *s);

/** session_flush() - send what can be sent, by both sockets. Return: as conn_flush() */
int session_flush(struct session *s);

/** session_queued() - Return: is there something to send? */
bool session_queued(const struct session *s);

/** session_has_twin() - Return: is there a second socket? */
static inline bool session_has_twin(const struct session *s)
{
	return s->twin.fd >= 0;
}

/** session_blocked() - Return: must the client take something before it is listened to again? */
bool session_blocked(const struct session *s);

/* ---- for its neighbours: an access, however it has come ---- */

/** session_read(), session_write() - all of @a or nothing. Return: 0 or a negative errno */
int session_read(struct session *s, const struct user_access *a, uint8_t *data);
int session_write(struct session *s, const struct user_access *a, const uint8_t *data);

/** session_release() - let out what the device has asked for during a request */
int session_release(struct session *s);

/** session_refused() - log a request that was answered with @error */
void session_refused(struct session *s, uint32_t command, int error);

/* session_ring.c */

/**
 * session_ring() - answer the request in the ring, if there is one and nothing comes before it
 *
 * Return: 1 when one was answered; 0 when not; a negative errno when the client must go.
 */
int session_ring(struct session *s);

/** session_trim() - give memory back while nothing is under way */
void session_trim(struct session *s);

/* session_bells.c */

/** session_bells_list() - what fds stand for in @region. Return: how many, or a negative errno */
int session_bells_list(struct session *s, uint32_t region, struct user_io_fd list[MAX_BELLS],
		       int fds[MAX_BELLS]);

/** session_bells_take() - some were rung */
void session_bells_take(struct session *s);

/** session_bells_run() - do the writes, if nothing comes before them */
void session_bells_run(struct session *s);

/** session_bells_drop() - forget what was rung */
void session_bells_drop(struct session *s);
void session_bells_finish(struct session *s);

/* session_dma.c */

int session_dma_map(struct session *s, const struct user_dma_map *map, int fd);
int session_dma_unmap(struct session *s, struct user_dma_unmap *unmap);
void session_dma_finish(struct session *s);

/** session_dma_cancel() - what overlaps [@first, @last] is over; late answers are dropped */
void session_dma_cancel(struct session *s, uint64_t first, uint64_t last);

/** session_dma_answer() - an answer of the client. Return: 0, or -EPROTO when it makes no sense */
int session_dma_answer(struct session *s, const struct message *m);

/** session_dma_begin_bulk() - a long answer that arrives at @c is received where it belongs */
void session_dma_begin_bulk(struct session *s, struct conn *c);

/** session_dma_expire() - give up what is overdue at @now (CLOCK_MONOTONIC in ns) */
void session_dma_expire(struct session *s, uint64_t now);

/** user_now() - Return: CLOCK_MONOTONIC in ns */
uint64_t user_now(void);

#endif
