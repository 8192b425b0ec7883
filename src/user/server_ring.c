/* SPDX-License-Identifier: MIT */
/* Rings, from the loop's side: see ring/awake.h for when they are looked at. */
#include "user/server.h"

void rings_forget(struct export *e)
{
	awake_forget(&e->srv->awake, &e->awake);
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

int rings_after_socket(struct export *e)
{
	int ret = poll_ring(e);

	if (!ret)
		ret = session_ring(&e->session);
	if (ret > 0)
		awake_used(&e->srv->awake, &e->awake);
	return ret < 0 ? ret : 0;
}

int rings_serve(struct awake_ring *r)
{
	struct export *e = (struct export *)((char *)r - offsetof(struct export, awake));
	const struct conn *c = &e->session.conn;
	int ret = e->has_client ? session_ring(&e->session) : 0;

	if (ret < 0)
		client_fail(e, ret);
	else if (ret)
		awake_used(&e->srv->awake, r);
	/* No event will tell of what has been received already. */
	if (e->has_client && (conn_queued(c) || (!ret && conn_partial(c))))
		client_talk(e, false);
	return ret > 0;
}
