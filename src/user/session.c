/* SPDX-License-Identifier: MIT */
/*
 * Requests of one client are taken, and their answers leave.
 *
 * Theory of operation: session_commands.c makes an answer in the queue of the connection, or an
 * error, which is answered by a header alone. What the device asks of the client meanwhile (DMA by
 * message) goes out behind the answer; or by a socket of its own, if the client wants one, and then
 * each socket carries the calls of one end and their answers, and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device/device.h"
#include "pci/config.h"
#include "user/session_commands.h"

/* Requests taken in one go, so that a flood does not keep others waiting. */
#define BATCH 64
/* Unknown requests in a row after which a client is none. */
#define MAX_REFUSED 64

#define COMMAND 4 /* of configuration space */

static int answer(struct session *s, const struct user_header *call, const struct reply *r, int ret)
{
	struct user_header head = { .id = call->id,
				    .command = call->command,
				    .flags = USER_TYPE_REPLY,
				    .size = sizeof(head) };

	if (ret) {
		head.flags |= USER_ERROR;
		head.error = ret > -4096 ? (uint32_t)-ret : EIO;
		return conn_put(&s->conn, head, NULL, 0, NULL, 0, NULL, 0);
	}
	if (!r->body)
		return conn_put(&s->conn, head, NULL, 0, NULL, 0, NULL, 0);
	head.size += (uint32_t)r->len;
	memcpy(r->body - sizeof(head), &head, sizeof(head));
	if (r->num_fds)
		ret = conn_attach(&s->conn, r->fds, r->num_fds);
	conn_commit(&s->conn, head.size);
	return ret;
}

/* What the device asked for while the answer was made. */
int session_release(struct session *s)
{
	size_t len = s->later.end - s->later.start;
	uint8_t *at;

	if (!len)
		return 0;
	at = conn_reserve(&s->conn, len);
	if (!at)
		return -ENOMEM;
	memcpy(at, s->later.data + s->later.start, len);
	conn_commit(&s->conn, len);
	s->later.start = s->later.end = 0;
	return 0;
}

void session_refused(struct session *s, uint32_t command, int error)
{
	char text[128];

	if (!s->log)
		return;
	snprintf(text, sizeof(text), "command %u is refused: %s", command, strerror(-error));
	s->log(s->log_ctx, text);
}

static int handle(struct session *s, struct message *m)
{
	struct reply r = { .given = -1 };
	bool known = session_knows(m->head.command);
	bool first = !s->agreed;
	int ret, sent = 0;

	if ((m->head.flags & USER_TYPE_MASK) == USER_TYPE_REPLY)
		return session_has_twin(s) ? -EPROTO : session_dma_answer(s, m);
	s->in_request = true;
	if (first && m->head.command != USER_VERSION)
		ret = -EINVAL;
	else
		ret = known ? session_command(s, m, &r) : -ENOSYS;
	s->in_request = false;
	if (ret)
		session_refused(s, m->head.command, ret);
	if (!(m->head.flags & USER_NO_REPLY))
		sent = answer(s, &m->head, &r, ret);
	if (r.given >= 0)
		close(r.given);
	if (!sent)
		sent = session_release(s);
	s->refused = known ? 0 : s->refused + 1;
	if ((first && ret) || s->refused > MAX_REFUSED)
		return -EPROTO;
	return sent;
}

bool session_blocked(const struct session *s)
{
	return conn_queued(&s->conn) >= CONN_BACKLOG || s->conn.attach.num_fds;
}

int session_handle(struct session *s)
{
	for (int i = 0; i < BATCH; i++) {
		struct message m;
		int ret;

		/* Who does not read gets no more answers, and fds go out one message at a time. */
		if (session_blocked(s)) {
			ret = conn_flush(&s->conn);
			if (ret || session_blocked(s))
				return ret;
		}
		ret = conn_next(&s->conn, &m);
		if (!ret && conn_partial(&s->conn) && !session_has_twin(s))
			session_dma_begin_bulk(s, &s->conn);
		if (ret <= 0)
			return ret;
		ret = handle(s, &m);
		message_done(&m);
		if (ret)
			return ret;
	}
	return 1;
}

/* ---- the second socket ---- */

int session_twin(struct session *s)
{
	struct message m;
	int ret = session_has_twin(s) ? conn_receive(&s->twin) : -EAGAIN;

	if (ret <= 0)
		return ret;
	while ((ret = conn_next(&s->twin, &m)) > 0) {
		if ((m.head.flags & USER_TYPE_MASK) == USER_TYPE_REPLY)
			ret = session_dma_answer(s, &m);
		else
			ret = -EPROTO;
		message_done(&m);
		if (ret)
			return ret;
	}
	if (!ret && conn_partial(&s->twin))
		session_dma_begin_bulk(s, &s->twin);
	return ret ? ret : 1;
}

int session_flush(struct session *s)
{
	int twin = conn_queued(&s->twin) ? conn_flush(&s->twin) : 0;
	int ret = conn_queued(&s->conn) ? conn_flush(&s->conn) : 0;

	return ret ? ret : twin;
}

bool session_queued(const struct session *s)
{
	return conn_queued(&s->conn) || conn_queued(&s->twin);
}

/* ---- life ---- */

void session_start(struct session *s, const struct target *target, int fd)
{
	*s = (struct session){ .target = target, .twin = { .fd = -1 }, .ring = RING_NONE };
	conn_init(&s->conn, fd);
}

void session_trim(struct session *s)
{
	conn_trim(&s->conn);
	conn_trim(&s->twin);
	if (s->later.start == s->later.end)
		buf_finish(&s->later);
}

static void irqs_off(struct dfd_device *dev)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	uint32_t limit = dfd_desc_irq_limit(desc);

	for (uint32_t i = 0; i < limit; i++) {
		const struct dfd_irq_set off = { .flags =
							 DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER,
						 .index = i };

		if (dfd_desc_vectors(desc, i))
			dfd_set_irqs(dev, &off);
	}
}

/* As the next client is promised to find it: memory decode on, bus mastering off. */
static void restore_command(struct dfd_device *dev)
{
	uint8_t command[2] = { 0 };

	if (dfd_desc_bus(dfd_device_desc(dev)) != DFD_BUS_PCI)
		return;
	dfd_region_read(dev, DFD_PCI_CONFIG, COMMAND, command, sizeof(command));
	command[0] = (uint8_t)((command[0] | DFD_PCI_COMMAND_MEMORY) & ~DFD_PCI_COMMAND_MASTER);
	command[1] &= (uint8_t) ~(DFD_PCI_COMMAND_INTX_DISABLE >> 8);
	dfd_region_write(dev, DFD_PCI_CONFIG, COMMAND, command, sizeof(command));
}

void session_end(struct session *s)
{
	struct dfd_device *dev = s->target->dev;

	/* Stop DMA before the memory goes; what cannot be reset loses bus mastering at least. */
	if (dfd_device_reset(dev))
		restore_command(dev);
	session_dma_finish(s);
	irqs_off(dev);
	session_bells_finish(s);
	ring_finish(&s->ring);
	conn_finish(&s->twin);
	conn_finish(&s->conn);
}
