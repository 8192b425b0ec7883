/* SPDX-License-Identifier: MIT */
/* A server and what it serves, for src/user/ alone. */
#ifndef USER_SERVER_H
#define USER_SERVER_H

#include <devfd/serve.h>

#include "ring/awake.h"
#include "user/listen.h"
#include "user/patience.h"
#include "user/session.h"
#include "util/eventfd.h"

/* How long a lone client may have the server for itself, in ns. */
#define SERVER_ALONE UINT64_C(10000000)

enum source_kind {
	SOURCE_LISTENER,
	SOURCE_CLIENT,
	SOURCE_TWIN,
	SOURCE_DEVICE,
	SOURCE_RING,
	SOURCE_BELLS,
	SOURCE_TICK,
	SOURCE_STOP
};

/** struct source - what an event is about */
struct source {
	enum source_kind kind;
	struct export *export;
};

/**
 * struct export - a device that is served
 * @paused: nobody can be accepted for now
 * @failed: the device has; it gets no more service
 * @served: clients that have gone again
 * @busy: the client has just had something to say
 * @events: what is polled for at the client
 * @since: something has not gone on since then, as far as @seen_in and the others tell
 * @awake: the ring of the client, while it is looked at
 * @ring_polled: its bell wakes us, or need not
 */
struct export
{
	struct export *next;
	struct dfd_server *srv;
	struct target target;
	struct user_place place;
	char name[108];
	int listener;
	bool paused;
	struct source listens, talks, twins, works, rings, bells;
	bool has_client;
	bool failed, busy;
	uint64_t served;
	struct session session;
	uint32_t events;
	uint64_t since, seen_in, seen_out, seen_twin_in, seen_twin_out;
	struct awake_ring awake;
	bool bells_polled;
	bool ring_polled;
};

/**
 * struct dfd_server
 * @ticking: the clock is on
 * @polls: see dfd_server_set_poll()
 * @looked: when the epoll fd was asked last
 * @awake: rings that are looked at
 * @signaller: started when there is a second device
 */
struct dfd_server {
	int epoll_fd, timer_fd, stop_fd;
	struct source ticks, stops;
	struct export *exports;
	struct awake awake;
	struct patience patience;
	struct dfd_signaller signaller;
	bool ticking, polls;
	uint64_t looked;
	void (*line)(void *ctx, enum dfd_serve_level level, const char *text);
	void *line_ctx;
};

/** server_say() - tell whoever listens. The name of the export comes in front */
void server_say(const struct export *e, enum dfd_serve_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** server_poll() - have the loop hear of @fd. Return: 0 or a negative errno */
int server_poll(struct dfd_server *srv, int fd, struct source *source);

/** server_tick() - start or stop the clock, which is on while somebody could be late */
void server_tick(struct dfd_server *srv);

/* export.c */

/** export_welcome() - somebody has come to the socket of the device */
void export_welcome(struct export *e);

/** export_pause() - accept nobody for now, or again */
void export_pause(struct export *e, bool paused);

/** export_free() - send the client away, remove the socket; it is in no list any more */
void export_free(struct export *e);

/* server_client.c */

/** client_talk() - take requests of the client, if there is one, and send answers */
void client_talk(struct export *e, bool readable);

/** client_answer() - the same after a receive. @ret: as conn_receive() */
void client_answer(struct export *e, int ret);

/** client_twin() - the second socket has something to take, or room */
void client_twin(struct export *e);

/** client_bells() - eventfds that stand for writes were rung */
void client_bells(struct export *e);

/** client_look_at() - has it begun something, and not gone on for too long? */
void client_look_at(struct export *e, uint64_t now);

/** client_drop() - end with a client. @why: says what it has done; NULL: it has left by itself */
void client_drop(struct export *e, const char *why);

/** client_fail() - as client_drop(), for what has gone wrong with the connection */
void client_fail(struct export *e, int error);

/* server_ring.c */

/** rings_after_socket() - what had to wait for the socket. Return: 0, or why the client must go */
int rings_after_socket(struct export *e);

/** rings_serve() - answer a request in the ring of a client, see struct awake. Return: 1 or 0 */
int rings_serve(struct awake_ring *r);

/** rings_forget() - the client is going */
void rings_forget(struct export *e);

#endif
