/* SPDX-License-Identifier: MIT */
/*
 * Registers by the ring, from the client's end.
 *
 * Theory of operation: the answer names a position in what the server sends by the socket, and is
 * no answer before everything up to there is taken: so a status register never tells of memory that
 * the device's messages have not reached. All of it is in the socket by then, or the server lies.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "user/link.h"

/* The futex cannot tell that the server has gone, so the socket is asked that often. */
#define SLICE_MS 10

/* Take what is in the socket. Return: as link_take(), -EAGAIN for nothing */
static int take_received(struct link *l)
{
	int ret = link_receive(&l->conn);

	if (ret <= 0)
		return ret ? ret : -ENODEV;
	return link_serve(l, &l->conn);
}

static void wait_a_slice(struct link *l)
{
	struct pollfd p = { .fd = l->conn.fd, .events = link_blocked(&l->conn) ? 0 : POLLIN };

	if (l->conn.held && !link_blocked(&l->conn))
		return;
	if (conn_queued(&l->conn))
		p.events |= POLLOUT;
	if (ring_must_look(&l->ring) || conn_queued(&l->conn))
		poll(&p, 1, SLICE_MS);
	else
		ring_wait(&l->ring, SLICE_MS);
}

/* Return: 1 with the answer, or why the link has failed. */
static int await_answer(struct link *l, struct ring_response *a)
{
	int64_t end = 0;
	int ret;

	while (!(ret = ring_spin(&l->ring, a))) {
		int64_t now = link_now_ms();

		if (!end)
			end = now + l->patience_ms;
		ret = take_received(l);
		if (!ret)
			continue;
		if (ret != -EAGAIN)
			return ret;
		ret = conn_flush(&l->conn);
		if (ret)
			return ret;
		if (now >= end)
			return -ETIMEDOUT;
		wait_a_slice(l);
	}
	return ret;
}

static int catch_up(struct link *l, uint64_t position)
{
	int64_t end = 0;
	int ret = 0;

	while (!ret && l->conn.in_position < position) {
		ret = take_received(l);
		if (ret != -EAGAIN)
			continue;
		if (!end)
			end = link_now_ms() + l->patience_ms;
		ret = link_blocked(&l->conn) ? link_wait(l, end) : -EPROTO;
	}
	return ret;
}

static int exchange(struct link *l, struct ring_request *q, struct ring_response *a)
{
	int ret = conn_queued(&l->conn) ? conn_flush(&l->conn) : 0;

	if (ret)
		return ret;
	q->position = l->conn.sent;
	ring_ask(&l->ring, q, q->command == USER_REGION_WRITE ? q->access.count : 0);
	ret = await_answer(l, a);
	if (ret > 0)
		ret = catch_up(l, a->position);
	if (!ret && a->error >= 4096)
		ret = -EPROTO;
	return ret;
}

bool link_has_ring(const struct link *l, uint32_t count)
{
	return l->ring.shared && count <= RING_MAX_DATA;
}

int link_access(struct link *l, const struct user_access *access, uint8_t *in, const uint8_t *out)
{
	struct ring_request q = { .command = in ? USER_REGION_READ : USER_REGION_WRITE,
				  .access = { access->offset, access->region, access->count } };
	struct ring_response a;
	int ret;

	if (l->failed)
		return l->failed;
	if (out)
		memcpy(q.data, out, access->count);
	ret = exchange(l, &q, &a);
	link_watch(l);
	if (ret)
		return link_fail(l, ret);
	if (!a.error && in)
		memcpy(in, a.data, access->count);
	return -(int)a.error;
}
