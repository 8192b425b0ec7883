/* SPDX-License-Identifier: MIT */
/* The driver's memory: told to the server, and served to it by message. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/dma_pages.h"
#include "user/link.h"

/* From so many bytes on it is worth it not to copy them. */
#define LONG 16384u

/**
 * struct window - memory of the driver, at @addr, in @file or behind @io
 * @range: first, so that a pointer to it is one to the window
 * @prot: 0 for @io once that is being unmapped
 */
struct window {
	struct dfd_iova range;
	uint8_t *addr;
	struct dma_file *file;
	const struct dfd_dma_io *io;
	union {
		uint64_t fd_offset;
		void *io_ctx;
	};
	uint32_t prot;
	bool by_pointer;
};

static void window_free(void *ctx, struct dfd_iova *range)
{
	struct link *l = ctx;
	struct window *w = (struct window *)range;

	if (w->file)
		dma_file_put(&l->files, w->file);
	free(w);
}

void link_drop_windows(struct link *l)
{
	dfd_iovamap_clear(&l->windows, window_free, l);
	dma_files_finish(&l->files);
}

/* ---- maps ---- */

static int window_new(struct link *l, const struct dfd_dma_map *map, uint64_t iova,
		      struct window **out)
{
	struct window *w = malloc(sizeof(*w));
	int ret = 0;

	if (!w)
		return -ENOMEM;
	*w = (struct window){ .range = { iova, iova + (map->size - 1) }, .prot = map->prot };
	if (map->kind == DFD_DMA_FD) {
		w->fd_offset = map->fd_offset;
		ret = dma_file_get(&l->files, map, &w->by_pointer, &w->file);
	} else if (map->kind == DFD_DMA_MESSAGE) {
		w->io = map->io;
		w->io_ctx = map->io_ctx;
		ret = link_ask_begin(l);
	} else {
		w->addr = map->addr;
	}
	if (ret)
		window_free(l, &w->range);
	else
		*out = w;
	return ret;
}

static int tell_map(struct link *l, const struct dfd_dma_map *map, uint64_t iova)
{
	bool with_fd = map->kind == DFD_DMA_FD;
	struct user_dma_map told = { .argsz = sizeof(told),
				     .flags = map->prot,
				     .offset = with_fd ? map->fd_offset : 0,
				     .address = iova,
				     .size = map->size };
	const struct call call = { .command = USER_DMA_MAP,
				   .fixed = &told,
				   .fixed_len = sizeof(told),
				   .fds = &map->fd,
				   .num_fds = with_fd };

	return link_call(l, &call, NULL);
}

/* What is still to be sent from the driver's memory is copied, before that may change or go. */
static int settle(struct conn *c)
{
	return c->tail_len && !conn_reserve(c, 0) ? -ENOMEM : 0;
}

static int settle_all(struct link *l)
{
	int ret = settle(&l->conn);

	return ret ? ret : settle(&l->twin);
}

/*
 * The server may have asked for it until now, also behind its answer. Without memory to keep what
 * it was promised nothing more can be sent.
 */
static void forget(struct link *l, struct dfd_iova *range)
{
	int ret = settle_all(l);

	link_asked_cancel(l, range->start, range->last);
	if (ret) {
		l->conn.tail_len = l->twin.tail_len = 0;
		link_fail(l, ret);
	}
	dfd_iovamap_remove(&l->windows, range);
	window_free(l, range);
}

int link_map(struct link *l, struct dfd_dma_map *map)
{
	struct window *w;
	uint64_t iova;
	int ret;

	if (l->windows.count >= l->peer.max_dma_maps)
		return -ENOSPC;
	ret = settle_all(l); /* a file that has grown may move */
	if (!ret)
		ret = dma_place(&l->windows, map, &iova);
	if (!ret)
		ret = window_new(l, map, iova, &w);
	if (ret)
		return ret;
	ret = dfd_iovamap_add(&l->windows, &w->range);
	if (ret) {
		window_free(l, &w->range);
	} else {
		ret = tell_map(l, map, iova);
		if (ret)
			forget(l, &w->range);
		else
			map->iova = iova;
	}
	dma_files_finish(&l->files);
	return ret;
}

/* Some servers want exactly what was mapped, so one by one. */
static int tell_unmap(struct link *l, const struct dfd_iova *range)
{
	struct user_dma_unmap unmap = { .argsz = sizeof(unmap),
					.address = range->start,
					.size = range->last - range->start + 1 };
	const struct call call = { .command = USER_DMA_UNMAP,
				   .fixed = &unmap,
				   .fixed_len = sizeof(unmap) };

	return link_call(l, &call, NULL);
}

/* From here on callbacks are not asked for it, also while the server is told. */
static void close_windows(struct link *l, uint64_t first, uint64_t last)
{
	struct window *w = (struct window *)dfd_iovamap_next(&l->windows, first);

	while (w && w->range.start <= last) {
		if (w->io)
			w->prot = 0;
		w = w->range.last >= last
			    ? NULL
			    : (struct window *)dfd_iovamap_next(&l->windows, w->range.last + 1);
	}
	link_asked_cancel(l, first, last);
}

/* Whatever the server says, it gets nothing of the memory by message any more. */
int link_unmap(struct link *l, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	uint64_t last = iova + (size - 1);
	struct dfd_iova *range;
	int ret = 0;

	if (dfd_iovamap_cuts(&l->windows, iova, last))
		return -EINVAL;
	close_windows(l, iova, last);
	while ((range = dfd_iovamap_next(&l->windows, iova)) && range->start <= last) {
		int told = tell_unmap(l, range);

		*unmapped += range->last - range->start + 1;
		forget(l, range);
		if (!ret)
			ret = told;
	}
	dma_files_finish(&l->files);
	return ret;
}

/* ---- requests of the server ---- */

static const struct window *window_at(const struct link *l, uint64_t address)
{
	return (const struct window *)dfd_iovamap_find(&l->windows, address);
}

/* Is all of it mapped, and for that? What is reached by callbacks is one window. */
static int check(const struct link *l, uint64_t start, uint64_t len, uint32_t prot)
{
	uint64_t last = start + (len - 1);

	for (uint64_t address = start;;) {
		const struct window *w = window_at(l, address);

		if (!w)
			return -ENODEV;
		if (!(w->prot & prot))
			return -EPERM;
		if (w->io && (address != start || w->range.last < last))
			return -EFAULT;
		if (w->range.last >= last)
			return 0;
		address = w->range.last + 1;
	}
}

/* Or NULL: then it is reached by the fd. */
static uint8_t *base_of(const struct window *w)
{
	return w->by_pointer ? w->file->base + w->fd_offset : w->addr;
}

/* One of @in and @out is NULL. */
static int move_piece(const struct window *w, uint64_t offset, uint8_t *in, const uint8_t *out,
		      size_t len)
{
	uint8_t *base = base_of(w);

	if (base && in)
		memcpy(in, base + offset, len);
	else if (base)
		memcpy(base + offset, out, len);
	else
		return dma_file_move(w->file, w->fd_offset + offset, in, out, len);
	return 0;
}

static int move(const struct link *l, uint64_t address, uint8_t *in, const uint8_t *out,
		uint64_t len)
{
	for (uint64_t moved = 0; moved < len;) {
		const struct window *w = window_at(l, address + moved);
		uint64_t offset = address + moved - w->range.start, left = len - moved;
		uint64_t room = w->range.last - (address + moved); /* one less than the bytes */
		uint64_t piece = room < left - 1 ? room + 1 : left;
		int ret = move_piece(w, offset, in ? in + moved : NULL, out ? out + moved : NULL,
				     (size_t)piece);

		if (ret)
			return ret;
		moved += piece;
	}
	return 0;
}

/* Everything the server may get wrong. Return: bytes of data in the request, or an errno */
static int check_request(const struct link *l, const struct message *m, struct user_dma *dma)
{
	bool is_write = m->head.command == USER_DMA_WRITE;

	if (m->len < sizeof(*dma))
		return -EINVAL;
	memcpy(dma, m->body, sizeof(*dma));
	if (dma->count > USER_MAX_DATA)
		return -E2BIG;
	if (is_write ? m->len - sizeof(*dma) != dma->count : m->len != sizeof(*dma))
		return -EINVAL;
	if (!dma->count)
		return 0;
	if (dma->count - 1 > UINT64_MAX - dma->address)
		return -EINVAL;
	return check(l, dma->address, dma->count, is_write ? DFD_DMA_WRITE : DFD_DMA_READ);
}

/* Where all of it is, if it can be sent from there: settle_all() ends that before the window goes.
 */
static const uint8_t *in_place(const struct link *l, const struct user_dma *dma)
{
	const struct window *w = window_at(l, dma->address);
	uint8_t *base = base_of(w);

	if (!base || w->range.last - dma->address < dma->count - 1)
		return NULL;
	return base + (dma->address - w->range.start);
}

int link_answer_dma(struct conn *c, const struct user_header *request, const struct user_dma *dma,
		    int status, const uint8_t *data)
{
	struct user_header head = { .id = request->id,
				    .command = request->command,
				    .flags = USER_TYPE_REPLY | (status ? USER_ERROR : 0),
				    .error = (uint32_t)-status };

	if (request->flags & USER_NO_REPLY)
		return 0;
	return conn_put(c, head, dma, status ? 0 : sizeof(*dma), data,
			status || !data ? 0 : (size_t)dma->count, NULL, 0);
}

/* Memory that is there at once, or an error. */
static int answer_now(struct link *l, struct conn *c, const struct message *m,
		      const struct user_dma *dma, int ret)
{
	bool is_write = m->head.command == USER_DMA_WRITE;
	struct user_header head = { .id = m->head.id,
				    .command = m->head.command,
				    .flags = USER_TYPE_REPLY };
	const uint8_t *data = NULL;
	size_t len;
	uint8_t *at;

	if (!ret && !is_write && dma->count >= LONG)
		data = in_place(l, dma);
	len = sizeof(head) + sizeof(*dma) + (is_write || data || ret ? 0 : (size_t)dma->count);
	at = conn_reserve(c, len);
	if (!at)
		return -ENOMEM;
	if (!ret && !data)
		ret = move(l, dma->address, is_write ? NULL : at + sizeof(head) + sizeof(*dma),
			   is_write ? m->body + sizeof(*dma) : NULL, dma->count);
	if (ret)
		return link_answer_dma(c, &m->head, dma, ret, NULL);
	head.size = (uint32_t)(len + (data ? dma->count : 0));
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), dma, sizeof(*dma));
	if (m->head.flags & USER_NO_REPLY)
		return 0;
	conn_commit(c, len);
	if (data)
		conn_tail(c, data, (size_t)dma->count);
	return 0;
}

int link_serve_dma(struct link *l, struct conn *c, const struct message *m)
{
	struct user_dma dma = { 0 };
	int ret = check_request(l, m, &dma);
	const struct window *w = !ret && dma.count ? window_at(l, dma.address) : NULL;
	struct dma_place place;

	if (!w || !w->io)
		return answer_now(l, c, m, &dma, ret);
	place = (struct dma_place){ w->io, w->io_ctx, dma.address - w->range.start };
	return link_ask(l, c, m, &dma, &place);
}
