/* SPDX-License-Identifier: MIT */
/*
 * Rings, from the loop's side.
 *
 * Theory of operation: a ring is asleep, and its client wakes the loop by the bell, or it is
 * awake, in a list, and looked at without sleeping. It is awake from a request on until none has
 * come for a while.
 */
#include <sched.h>

#include "user/server.h"

/* So long a ring is looked at after its last request. */
#define RING_IDLE UINT64_C(50000)
/* Looks at rings, or answers, before all others get their turn: a few microseconds. */
#define RING_LOOKS   64
#define RING_ANSWERS 32

void rings_forget(struct export *e)
{
	struct export **at = &e->srv->awake;

	while (*at && *at != e)
		at = &(*at)->next_awake;
	if (*at)
		*at = e->next_awake;
	e->ring_awake = false;
	e->ring_polled = false;
}

/* A version was agreed on. Who polls does not need to be woken. */
static int poll_ring(struct export *e)
{
	int ret = 0;

	if (e->ring_polled || !e->session.ring.shared)
		return 0;
	if (e->srv->polls)
		ring_asleep(&e->session.ring, false);
	else
		ret = server_poll(e->srv, e->session.ring.bell, &e->rings);
	e->ring_polled = !ret;
	return ret;
}

/* It is looked at from now on. */
static void ring_used(struct export *e)
{
	e->ring_busy = true;
	if (e->ring_awake)
		return;
	e->ring_awake = true;
	e->next_awake = e->srv->awake;
	e->srv->awake = e;
}

int rings_after_socket(struct export *e)
{
	int ret = poll_ring(e);

	if (!ret)
		ret = session_ring(&e->session);
	if (ret > 0)
		ring_used(e);
	return ret < 0 ? ret : 0;
}

bool rings_serve(struct export *e)
{
	const struct conn *c = &e->session.conn;
	int ret = e->has_client ? session_ring(&e->session) : 0;

	if (ret < 0)
		client_fail(e, ret);
	else if (ret)
		ring_used(e);
	/* No event will tell of what has been received already. */
	if (e->has_client && (conn_queued(c) || (!ret && conn_partial(c))))
		client_talk(e, false);
	return ret > 0;
}

static void look_at_rings(struct dfd_server *srv)
{
	bool crowded = false;
	int answers = 0;

	for (int i = 0; i < RING_LOOKS && answers < RING_ANSWERS && !crowded; i++) {
		/* Who looks without a pause takes the line from a client that is still writing. */
		ring_pause();
		for (struct export *e = srv->awake, *next; e; e = next) {
			next = e->next_awake; /* the client may have to go */
			answers += rings_serve(e);
			crowded |= e->session.ring.crowded;
		}
	}
	/* A client waits for this very processor. */
	if (crowded)
		sched_yield();
}

/* Nobody looks any more, so clients have to ring; what came too early for that is not missed. */
static void ring_rest(struct export *e)
{
	if (!e->srv->polls && ring_asleep(&e->session.ring, true))
		rings_serve(e);
}

static void rest_if_idle(struct dfd_server *srv, uint64_t now)
{
	for (struct export **at = &srv->awake, *e; (e = *at);) {
		if (e->ring_busy)
			e->ring_used = now;
		e->ring_busy = false;
		if (now - e->ring_used < RING_IDLE) {
			at = &e->next_awake;
			continue;
		}
		*at = e->next_awake;
		e->ring_awake = false;
		ring_rest(e);
	}
}

void rings_look(struct dfd_server *srv, uint64_t now)
{
	look_at_rings(srv);
	rest_if_idle(srv, now);
}

void rings_wake(struct dfd_server *srv)
{
	for (struct export *e = srv->awake; e; e = e->next_awake)
		ring_asleep(&e->session.ring, false);
}

void rings_rest(struct dfd_server *srv)
{
	for (struct export *e = srv->awake, *next; e; e = next) {
		next = e->next_awake;
		ring_rest(e);
	}
}
