/* SPDX-License-Identifier: MIT */
/*
 * The client's memory.
 *
 * Theory of operation: a map with a file is one of the device from then on. A map without one is
 * reached by messages: the device calls window_read() or window_write(), a message goes out, and
 * its answer is handed on with dfd_dma_complete() whenever it comes. No answer is waited for, so
 * the client is served meanwhile. What is longer than the client can take goes piece by piece, one
 * at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <devfd/ioctl.h>

#include "device/dma_answer.h"
#include "user/session.h"

/* From so many bytes on it is worth a receive of their own not to copy them. */
#define LONG ((size_t)64 << 10)

/**
 * struct window - memory of the client; no larger, because there may be many
 * @range: first, so that a pointer to it is one to the window
 */
struct window {
	struct dfd_iova range;
	struct session *s;
};

uint64_t user_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* ---- requests to the client ---- */

static void slot_free(struct session *s, struct dma_slot *slot)
{
	free(slot->buf);
	*slot = (struct dma_slot){ .state = SLOT_FREE };
	s->slots_used--;
}

/* By the socket of the answer that is being made they go out behind it. */
static bool comes_later(const struct session *s)
{
	return s->in_request && !session_has_twin(s);
}

static struct conn *conn_for(struct session *s)
{
	return session_has_twin(s) ? &s->twin : &s->conn;
}

static uint8_t *room_for(struct session *s, size_t len)
{
	size_t waiting = conn_queued(conn_for(s)) + (s->later.end - s->later.start);

	if (waiting + len > CONN_MAX_QUEUE)
		return NULL;
	return comes_later(s) ? buf_reserve(&s->later, len) : conn_reserve(conn_for(s), len);
}

static bool id_in_use(const struct session *s, uint16_t id)
{
	for (unsigned int i = 0; i < SESSION_MAX_DMA; i++) {
		if (s->slots[i].state != SLOT_FREE && s->slots[i].id == id)
			return true;
	}
	return false;
}

/* Send the next piece. @data: of the piece for a write, else NULL. Return: 0 or -EAGAIN */
static int send_piece(struct session *s, struct dma_slot *slot, const uint8_t *data)
{
	size_t left = slot->len - slot->done;
	size_t piece = left < s->peer.max_data ? left : s->peer.max_data;
	struct user_dma dma = { slot->address + slot->done, piece };
	size_t total = sizeof(struct user_header) + sizeof(dma) + (data ? piece : 0);
	uint8_t *at = room_for(s, total);
	struct user_header head = { .command = data ? USER_DMA_WRITE : USER_DMA_READ,
				    .size = (uint32_t)total };

	if (!at)
		return -EAGAIN;
	while (id_in_use(s, s->next_id))
		s->next_id++;
	slot->id = head.id = s->next_id++;
	slot->piece = piece;
	slot->deadline = user_now() + s->dma_patience;
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), &dma, sizeof(dma));
	if (data)
		memcpy(at + sizeof(head) + sizeof(dma), data, piece);
	if (comes_later(s))
		s->later.end += total;
	else
		conn_commit(conn_for(s), total);
	return 0;
}

static struct dma_slot *slot_new(struct session *s)
{
	for (unsigned int i = 0; i < SESSION_MAX_DMA; i++) {
		if (s->slots[i].state == SLOT_FREE) {
			s->slots_used++;
			return &s->slots[i];
		}
	}
	return NULL;
}

static int request(struct window *w, uint64_t offset, const void *out, size_t len,
		   struct dfd_dma_token token)
{
	struct session *s = w->s;
	struct dma_slot *slot = slot_new(s);
	int ret;

	if (!slot)
		return -EAGAIN;
	*slot = (struct dma_slot){
		.is_write = out, .token = token, .address = w->range.start + offset, .len = len
	};
	if (out && len > s->peer.max_data) {
		slot->buf = malloc(len);
		if (!slot->buf) {
			slot_free(s, slot);
			return -ENOMEM;
		}
		memcpy(slot->buf, out, len);
	}
	ret = send_piece(s, slot, out);
	if (ret)
		slot_free(s, slot);
	else
		slot->state = SLOT_SENT;
	return ret;
}

static int window_read(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	return request(ctx, offset, NULL, len, token);
}

static int window_write(void *ctx, uint64_t offset, const void *buf, size_t len,
			struct dfd_dma_token token)
{
	return request(ctx, offset, buf, len, token);
}

static const struct dfd_dma_io window_io = { window_read, window_write };

/* ---- answers ---- */

/*
 * A client of QEMU before 11 puts the data where the upper half of the count belongs, so that the
 * count is wrong and the transfer fails here, as it must.
 */
static int check_answer(const struct dma_slot *slot, const struct message *m)
{
	struct user_dma dma;

	if (m->head.flags & USER_ERROR)
		return m->head.error && m->head.error < 4096 ? -(int)m->head.error : -EIO;
	if (slot->is_write) /* the specification can be read as 12 bytes, and some send none */
		return m->len == sizeof(dma) || m->len == 12 || !m->len ? 0 : -EPROTO;
	if (m->len != sizeof(dma) + slot->piece)
		return -EPROTO;
	memcpy(&dma, m->body, sizeof(dma));
	return dma.count == slot->piece ? 0 : -EPROTO;
}

/* A piece has been moved, or has failed: on with the next one, or the transfer is over. */
static void end_piece(struct session *s, struct dma_slot *slot, int status)
{
	struct dfd_dma_token token = slot->token;

	slot->done += slot->piece;
	if (slot->state == SLOT_SENT && !status && slot->done < slot->len) {
		status = send_piece(s, slot, slot->is_write ? slot->buf + slot->done : NULL);
		if (!status)
			return;
	}
	if (slot->state == SLOT_CANCELLED)
		token.dev = NULL;
	slot_free(s, slot);
	if (token.dev)
		dma_answer_done(token, status);
}

/** struct bytes - some that have arrived */
struct bytes {
	const uint8_t *data;
	size_t len;
};

static ssize_t copy_bytes(void *ctx, void *at)
{
	const struct bytes *b = ctx;

	memcpy(at, b->data, b->len);
	return 0;
}

static int place(const struct dma_slot *slot, size_t offset, const uint8_t *data, size_t len)
{
	struct bytes bytes = { data, len };

	return (int)dma_answer_into(slot->token, slot->done + offset, copy_bytes, &bytes);
}

static struct dma_slot *slot_of(struct session *s, const struct user_header *head)
{
	for (unsigned int i = 0; i < SESSION_MAX_DMA; i++) {
		struct dma_slot *slot = &s->slots[i];

		if (slot->state != SLOT_FREE && slot->id == head->id &&
		    head->command == (slot->is_write ? USER_DMA_WRITE : USER_DMA_READ))
			return slot;
	}
	return NULL;
}

int session_dma_answer(struct session *s, const struct message *m)
{
	struct dma_slot *slot = slot_of(s, &m->head);
	int status;

	if (!slot)
		return -EPROTO;
	status = check_answer(slot, m);
	if (slot->state == SLOT_SENT && !status && !slot->is_write)
		status = place(slot, 0, m->body + sizeof(struct user_dma), slot->piece);
	end_piece(s, slot, status);
	return 0;
}

/* ---- long answers ---- */

/** struct incoming - bytes that are in the socket */
struct incoming {
	int fd;
	size_t len;
};

static ssize_t receive_at(void *ctx, void *at)
{
	const struct incoming *in = ctx;
	struct iovec iov = { at, in->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(in->fd, &msg, MSG_DONTWAIT);

	/* Fds may be those of the next message, and are lost. */
	if (n >= 0 && (msg.msg_flags & MSG_CTRUNC))
		return -EPROTO;
	return n < 0 ? -errno : n;
}

static ssize_t receive_bulk(void *ctx, int fd, size_t left)
{
	struct session *s = ctx;
	struct dma_slot *slot = s->bulk;
	struct incoming in = { fd, left };
	char nowhere[4096];
	ssize_t n = -ECANCELED;

	if (slot->state == SLOT_SENT)
		n = dma_answer_into(slot->token, slot->done + slot->piece - left, receive_at, &in);
	if (n == -ECANCELED) {
		slot->state = SLOT_CANCELLED;
		in.len = left < sizeof(nowhere) ? left : sizeof(nowhere);
		n = receive_at(&in, nowhere);
	}
	if (n == (ssize_t)left) {
		s->bulk = NULL;
		end_piece(s, slot, 0);
	}
	return n;
}

/* What is wrong with it is found out when all of it is there. */
void session_dma_begin_bulk(struct session *s, struct conn *c)
{
	struct {
		struct user_header head;
		struct user_dma dma;
	} front;
	struct dma_slot *slot;
	const uint8_t *rest;
	size_t have;

	if (s->bulk || !conn_peek(c, &front, sizeof(front)) || front.head.flags != USER_TYPE_REPLY)
		return;
	slot = slot_of(s, &front.head);
	if (!slot || slot->is_write || slot->piece < LONG || slot->state != SLOT_SENT ||
	    front.dma.count != slot->piece || front.head.size != sizeof(front) + slot->piece)
		return;
	have = conn_begin_bulk(c, sizeof(front.dma), &rest);
	s->bulk = slot;
	c->bulk = (struct conn_bulk){ receive_bulk, s, slot->piece - have };
	if (place(slot, 0, rest, have))
		slot->state = SLOT_CANCELLED;
}

/* ---- the end of requests ---- */

void session_dma_cancel(struct session *s, uint64_t first, uint64_t last)
{
	for (unsigned int i = 0; s->slots_used && i < SESSION_MAX_DMA; i++) {
		struct dma_slot *slot = &s->slots[i];

		if (slot->state == SLOT_SENT && slot->address <= last &&
		    slot->address + (slot->len - 1) >= first)
			slot->state = SLOT_CANCELLED;
	}
}

void session_dma_expire(struct session *s, uint64_t now)
{
	for (unsigned int i = 0; s->slots_used && i < SESSION_MAX_DMA; i++) {
		struct dma_slot *slot = &s->slots[i];

		if (slot->state != SLOT_SENT || slot->deadline > now)
			continue;
		slot->state = SLOT_CANCELLED;
		dfd_dma_complete(slot->token, -ETIMEDOUT, NULL, 0);
	}
}

/* ---- maps ---- */

/* A map must not allow more than the fd. */
static bool open_for(int fd, uint32_t prot)
{
	int flags = fcntl(fd, F_GETFL), mode = flags & O_ACCMODE;

	return flags >= 0 && !(flags & O_PATH) && (!(prot & DFD_DMA_READ) || mode != O_WRONLY) &&
	       (!(prot & DFD_DMA_WRITE) || mode != O_RDONLY);
}

/* The file must hold what is announced; what becomes of it later is the device's to survive. */
static int check_file(const struct user_dma_map *map, int fd)
{
	struct stat st;

	if (!open_for(fd, map->flags))
		return -EACCES;
	if (map->offset > INT64_MAX || map->size > INT64_MAX - map->offset)
		return -EINVAL;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < map->offset + map->size)
		return -EINVAL;
	return 0;
}

/* A device that does no DMA has no use for the memory, and a client no need to know. */
static int map_for_device(struct session *s, const struct user_dma_map *map, int fd,
			  struct window *w)
{
	struct dfd_dma_map request = {
		.iova = map->address,
		.size = map->size,
		.prot = map->flags,
		.kind = fd < 0 ? DFD_DMA_MESSAGE : DFD_DMA_FD,
		.fd = fd,
		.fd_offset = map->offset,
		.io = &window_io,
		.io_ctx = w,
	};

	if (dfd_check_extension(s->target->dev, VFIO_DEVICE_EXT_DMA) != 1)
		return 0;
	return dfd_dma_map(s->target->dev, &request);
}

int session_dma_map(struct session *s, const struct user_dma_map *map, int fd)
{
	struct window *w;
	uint64_t last = map->address + (map->size - 1);
	int ret;

	if (!map->size || last < map->address || map->address == DFD_IOVA_ANY || !map->flags ||
	    (map->flags & ~(DFD_DMA_READ | DFD_DMA_WRITE)))
		return -EINVAL;
	if (s->maps.count >= USER_MAX_DMA_MAPS)
		return -ENOSPC;
	ret = fd < 0 ? 0 : check_file(map, fd);
	if (ret)
		return ret;
	w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct window){ { map->address, last }, s };
	ret = dfd_iovamap_add(&s->maps, &w->range);
	if (!ret) {
		ret = map_for_device(s, map, fd, w);
		if (ret)
			dfd_iovamap_remove(&s->maps, &w->range);
	}
	if (ret)
		free(w);
	return ret;
}

/* All at once, and no more than there is. */
static int unmap_for_device(struct session *s, uint64_t first, uint64_t last)
{
	struct dfd_device *dev = s->target->dev;
	int ret = 0;

	if (dfd_check_extension(dev, VFIO_DEVICE_EXT_DMA) != 1)
		return 0;
	if (!first && last == UINT64_MAX) { /* one more than a size can say, so more than one map */
		first = dfd_iovamap_find(&s->maps, last)->start;
		ret = dfd_dma_unmap(dev, 0, first, NULL);
	}
	return ret ? ret : dfd_dma_unmap(dev, first, last - first + 1, NULL);
}

static void forget(void *ctx, struct dfd_iova *range)
{
	uint64_t *bytes = ctx;

	*bytes += range->last - range->start + 1;
	free(range);
}

static int unmap_between(struct session *s, uint64_t first, uint64_t last, uint64_t *bytes)
{
	uint64_t start, end;
	int ret;

	*bytes = 0;
	if (dfd_iovamap_cuts(&s->maps, first, last))
		return -EINVAL;
	session_dma_cancel(s, first, last);
	if (!dfd_iovamap_extent(&s->maps, first, last, &start, &end))
		return 0;
	ret = unmap_for_device(s, start, end); /* which may be using it */
	if (!ret)
		dfd_iovamap_take_out(&s->maps, first, last, forget, bytes);
	return ret;
}

int session_dma_unmap(struct session *s, struct user_dma_unmap *u)
{
	uint64_t last = u->address + (u->size - 1), bytes;

	if (u->flags == USER_UNMAP_ALL)
		return u->address || u->size ? -EINVAL : unmap_between(s, 0, UINT64_MAX, &bytes);
	if (u->flags || !u->size || last < u->address)
		return -EINVAL;
	return unmap_between(s, u->address, last, &u->size);
}

void session_dma_finish(struct session *s)
{
	uint64_t bytes;

	unmap_between(s, 0, UINT64_MAX, &bytes);
	dfd_iovamap_clear(&s->maps, forget, &bytes);
	for (unsigned int i = 0; i < SESSION_MAX_DMA; i++) {
		if (s->slots[i].state != SLOT_FREE)
			slot_free(s, &s->slots[i]);
	}
	buf_finish(&s->later);
}
