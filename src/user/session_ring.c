/* SPDX-License-Identifier: MIT */
/*
 * Registers by the ring, from the server's end.
 *
 * Theory of operation: a request counts as the last thing that the client has said. So what it had
 * sent by the socket before is handled first, and what it was sent before, such as memory that the
 * device has written by message, has left for it. A request that must wait stays where it is, and
 * is looked at again whenever something has happened at the socket.
 */
#include <errno.h>
#include <string.h>

#include "user/session.h"

/* Receives for one request; its client goes on in the next round. */
#define MAX_RECEIVES 4

/* Return: 1 when all up to @position is handled, 0 not yet, or why the client must go. */
static int handle_before(struct session *s, uint64_t position)
{
	for (int i = 0; i < MAX_RECEIVES; i++) {
		int ret = session_handle(s);

		if (ret)
			return ret < 0 ? ret : 0;
		if (session_blocked(s))
			return 0;
		if (conn_received(&s->conn) >= position)
			return 1;
		ret = conn_receive(&s->conn);
		if (ret == -EAGAIN) /* it has never sent that much */
			return -EPROTO;
		if (ret <= 0)
			return ret ? ret : -ECONNRESET;
	}
	return 0;
}

/* The same for what goes out. */
static int send_before(struct session *s)
{
	int ret = conn_queued(&s->conn) ? conn_flush(&s->conn) : 0;

	if (ret)
		return ret;
	if (!conn_queued(&s->conn))
		return 1;
	ring_look(&s->ring);
	return 0;
}

static int access_registers(struct session *s, const struct ring_request *q,
			    struct ring_response *a)
{
	const struct user_access what = { q->access.offset, q->access.region, q->access.count };

	if (what.count > RING_MAX_DATA)
		return -EINVAL;
	if (q->command == USER_REGION_READ)
		return session_read(s, &what, a->data);
	if (q->command == USER_REGION_WRITE)
		return session_write(s, &what, q->data);
	return -ENOSYS;
}

int session_ring(struct session *s)
{
	struct ring_response a = { 0 };
	struct ring_request q;
	int ret;

	if (!s->ring.shared)
		return 0;
	ret = ring_asked(&s->ring, &q);
	if (ret > 0)
		ret = handle_before(s, q.position);
	if (ret > 0)
		ret = send_before(s);
	if (ret <= 0)
		return ret;
	a.position = s->conn.sent;
	s->in_request = true;
	ret = access_registers(s, &q, &a);
	s->in_request = false;
	if (ret)
		session_refused(s, q.command, ret);
	a.error = ret > -4096 ? (uint16_t)-ret : EIO;
	ring_answer(&s->ring, &a, ret || q.command != USER_REGION_READ ? 0 : q.access.count);
	ret = session_release(s);
	return ret ? ret : 1;
}
