/* SPDX-License-Identifier: MIT */
/* The client's end of a connection, for src/user/ alone: calls, and the driver's memory. */
#ifndef USER_LINK_H
#define USER_LINK_H

#include <devfd/device.h>

#include "device/dma_file.h"
#include "device/dma_requests.h"
#include "user/conn.h"
#include "ring/ring.h"
#include "user/version.h"
#include "util/iovamap.h"

/**
 * struct link - a connection to a server
 * @failed: 0, or what every call returns from then on
 * @patience_ms: how long the server may take to answer
 * @polls: look for an answer instead of sleeping
 * @epoll_fd: readable when link_service() has work; -1 until it is asked for
 * @windows: DMA maps
 * @files: behind them
 * @requests: of the server, for memory that is reached by the driver's callbacks; to be attached
 *            to the device
 * @asked: all of them, also those that @requests has no room for; @asked_bytes: and their data
 * @ring: for registers, if the server has one
 * @twin: for requests of the server, if it has given one; else without fd
 */
struct link {
	struct conn conn, twin;
	int failed;
	int patience_ms;
	bool polls;
	int epoll_fd;
	uint16_t next_id;
	struct user_limits peer;
	struct dfd_iovamap windows;
	struct dma_files files;
	struct dma_requests requests;
	struct asked *asked;
	size_t asked_bytes;
	struct ring ring;
};

/** link_start() - @fd: a connected socket, which becomes the link's */
void link_start(struct link *l, int fd, int patience_ms);
void link_finish(struct link *l);

/** link_add_twin() - requests of the server come by @fd from now on, which becomes the link's */
void link_add_twin(struct link *l, int fd);

/** struct call - a request: the fixed part of its payload, data behind it, and fds */
struct call {
	uint16_t command;
	const void *fixed;
	size_t fixed_len;
	const void *data;
	size_t len;
	const int *fds;
	unsigned int num_fds;
};

/**
 * link_call() - ask the server, and serve it until it answers
 * @reply: optional; to be given back with message_done(). Good until the next call
 *
 * Return: 0; the error that the server answers; -ENODEV when it has gone, -ETIMEDOUT, -EPROTO, and
 * the same for every later call.
 */
int link_call(struct link *l, const struct call *call, struct message *reply);

/** link_service() - answer what the server has asked; never blocks. Return: 0 or as link_call() */
int link_service(struct link *l);

/** link_poll_fd() - Return: an fd for poll(), or a negative errno */
int link_poll_fd(struct link *l);

/* link_ring.c */

/** link_has_ring() - Return: can registers of @count bytes go by the ring? */
bool link_has_ring(const struct link *l, uint32_t count);

/**
 * link_access() - read or write registers by the ring; all of @access or nothing
 * @in, @out: one of them is NULL
 *
 * Return: as link_call()
 */
int link_access(struct link *l, const struct user_access *access, uint8_t *in, const uint8_t *out);

/* ---- for link_ring.c ---- */

/** link_blocked() - Return: must the server take something before more is taken from @c? */
static inline bool link_blocked(const struct conn *c)
{
	return conn_queued(c) >= CONN_BACKLOG || c->tail_len;
}

/** link_receive() - Return: as conn_receive(); 1 also when requests can be taken that were held */
int link_receive(struct conn *c);

/**
 * link_take() - answer requests of the server that have arrived, up to the answer to @wanted;
 *               by the first socket
 *
 * Return: 1 with the answer, 0 without, or why the link has failed
 */
int link_take(struct link *l, const struct user_header *wanted, struct message *reply);

/** link_serve() - answer what has arrived by @c, as far as answers are taken. Return: as
 * link_take() */
int link_serve(struct link *l, struct conn *c);

/** link_fail() - end the link. Return: what every call returns from then on */
int link_fail(struct link *l, int error);

/** link_watch() - keep link_poll_fd() up to date */
void link_watch(struct link *l);

int64_t link_now_ms(void);

/** link_wait() - wait until something can be sent or received. Return: 0, -ETIMEDOUT after @end */
int link_wait(struct link *l, int64_t end);

/** link_map(), link_unmap() - as dfd_dma_map() and dfd_dma_unmap() */
int link_map(struct link *l, struct dfd_dma_map *map);
int link_unmap(struct link *l, uint64_t iova, uint64_t size, uint64_t *unmapped);

/**
 * link_serve_dma() - a request of the server for memory of the driver, which has come by @c
 *
 * Return: 0 when it is answered, an error included; or why the link has failed.
 */
int link_serve_dma(struct link *l, struct conn *c, const struct message *m);

void link_drop_windows(struct link *l);

/** link_answer_dma() - @data: of a read; @status: 0 or a negative errno. Return: as conn_put() */
int link_answer_dma(struct conn *c, const struct user_header *request, const struct user_dma *dma,
		    int status, const uint8_t *data);

/* link_asked.c: what the driver's callbacks are asked */

/** link_ask_begin() - there will be memory of that kind. Return: 0 or a negative errno */
int link_ask_begin(struct link *l);

/**
 * link_ask() - have a request answered by @place
 *
 * Return: 0 when it will be, or is, an error included; or why the link has failed.
 */
int link_ask(struct link *l, struct conn *c, const struct message *m, const struct user_dma *dma,
	     const struct dma_place *place);

/** link_asked_run() - send the answers that have come, by whatever thread */
void link_asked_run(struct link *l);

/** link_asked_cancel() - answer what is asked of [@first, @last] with ECANCELED */
void link_asked_cancel(struct link *l, uint64_t first, uint64_t last);

/** link_asked_busy() - Return: is an answer waited for that does not come by a socket? */
static inline bool link_asked_busy(const struct link *l)
{
	return l->asked != NULL;
}

#endif
