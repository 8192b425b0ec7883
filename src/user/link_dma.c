/* SPDX-License-Identifier: MIT */
/* The driver's memory: told to the server, and served to it by message. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/link.h"

static void window_free(struct link_window *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

void link_drop_windows(struct link *l)
{
	for (size_t i = 0; i < l->windows.count; i++)
		window_free(l->windows.ranges[i].value);
	dfd_rangemap_finish(&l->windows);
}

/* ---- maps ---- */

static int window_new(const struct dfd_dma_map *map, struct link_window **out)
{
	struct link_window *w = malloc(sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct link_window){ .prot = map->prot, .fd = -1 };
	if (map->kind == DFD_DMA_ADDRESS) {
		w->addr = map->addr;
	} else {
		w->fd = fcntl(map->fd, F_DUPFD_CLOEXEC, 0);
		w->offset = map->fd_offset;
		if (w->fd < 0) {
			int ret = -errno;

			free(w);
			return ret;
		}
	}
	*out = w;
	return 0;
}

static int tell_map(struct link *l, const struct link_window *w, uint64_t iova, uint64_t size)
{
	struct user_dma_map map = { .argsz = sizeof(map),
				    .flags = w->prot,
				    .offset = w->offset,
				    .address = iova,
				    .size = size };
	const struct call call = { .command = USER_DMA_MAP,
				   .fixed = &map,
				   .fixed_len = sizeof(map),
				   .fds = &w->fd,
				   .num_fds = w->fd >= 0 };

	return link_call(l, &call, NULL);
}

/* As for models: address 0 is never chosen. */
static int choose_iova(const struct link *l, const struct dfd_dma_map *map, uint64_t *iova)
{
	const uint64_t page = USER_PAGE_SIZES, max = map->max_iova ? map->max_iova : UINT64_MAX - 1;

	*iova = map->iova;
	if (map->iova != DFD_IOVA_ANY)
		return 0;
	return dfd_rangemap_gap(&l->windows, page, max, map->size, page, iova);
}

static void forget(struct link *l, size_t at)
{
	struct link_window *w = l->windows.ranges[at].value;

	dfd_rangemap_remove(&l->windows, at, 1);
	window_free(w);
}

int link_map(struct link *l, struct dfd_dma_map *map)
{
	struct link_window *w = NULL;
	uint64_t iova;
	int ret;

	if (map->kind == DFD_DMA_MESSAGE)
		return -EOPNOTSUPP;
	if (l->windows.count >= l->peer.max_dma_maps)
		return -ENOSPC;
	ret = choose_iova(l, map, &iova);
	if (!ret)
		ret = window_new(map, &w);
	if (!w)
		return ret;
	ret = dfd_rangemap_add(&l->windows, iova, iova + (map->size - 1), w);
	if (ret) {
		window_free(w);
		return ret;
	}
	ret = tell_map(l, w, iova, map->size);
	if (ret)
		forget(l, dfd_rangemap_next(&l->windows, iova));
	else
		map->iova = iova;
	return ret;
}

/* Some servers want exactly what was mapped, so one by one. */
static int tell_unmap(struct link *l, const struct dfd_range *range)
{
	struct user_dma_unmap unmap = { .argsz = sizeof(unmap),
					.address = range->start,
					.size = range->last - range->start + 1 };
	const struct call call = { .command = USER_DMA_UNMAP,
				   .fixed = &unmap,
				   .fixed_len = sizeof(unmap) };

	return link_call(l, &call, NULL);
}

/* Whatever the server says, it gets nothing of the memory by message any more. */
int link_unmap(struct link *l, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	uint64_t last = iova + (size - 1);
	size_t first = dfd_rangemap_next(&l->windows, iova), end = first;
	int ret = 0;

	for (; end < l->windows.count && l->windows.ranges[end].start <= last; end++) {
		if (l->windows.ranges[end].start < iova || l->windows.ranges[end].last > last)
			return -EINVAL;
	}
	while (end > first) {
		const struct dfd_range range = l->windows.ranges[--end];
		int told = tell_unmap(l, &range);

		*unmapped += range.last - range.start + 1;
		forget(l, end);
		if (!ret)
			ret = told;
	}
	return ret;
}

/* ---- requests of the server ---- */

/* Is all of it mapped, and for that? */
static int check(const struct link *l, uint64_t address, uint64_t len, uint32_t prot)
{
	uint64_t last = address + (len - 1);

	for (;;) {
		const struct dfd_range *range = dfd_rangemap_find(&l->windows, address);

		if (!range)
			return -ENODEV;
		if (!(((const struct link_window *)range->value)->prot & prot))
			return -EPERM;
		if (range->last >= last)
			return 0;
		address = range->last + 1;
	}
}

/* One of @in and @out is NULL. */
static int move_piece(const struct link_window *w, uint64_t offset, uint8_t *in, const uint8_t *out,
		      size_t len)
{
	ssize_t n;

	if (w->addr && in)
		memcpy(in, w->addr + offset, len);
	else if (w->addr)
		memcpy(w->addr + offset, out, len);
	if (w->addr)
		return 0;
	n = in ? pread(w->fd, in, len, (off_t)(w->offset + offset))
	       : pwrite(w->fd, out, len, (off_t)(w->offset + offset));
	return n == (ssize_t)len ? 0 : -EFAULT;
}

static int move(const struct link *l, uint64_t address, uint8_t *in, const uint8_t *out,
		uint64_t len)
{
	for (uint64_t moved = 0; moved < len;) {
		const struct dfd_range *range = dfd_rangemap_find(&l->windows, address + moved);
		uint64_t offset = address + moved - range->start, left = len - moved;
		uint64_t room = range->last - (address + moved); /* one less than the bytes */
		uint64_t piece = room < left - 1 ? room + 1 : left;
		int ret = move_piece(range->value, offset, in ? in + moved : NULL,
				     out ? out + moved : NULL, (size_t)piece);

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

int link_serve_dma(struct link *l, const struct message *m)
{
	bool is_write = m->head.command == USER_DMA_WRITE;
	struct user_header head = { .id = m->head.id,
				    .command = m->head.command,
				    .flags = USER_TYPE_REPLY };
	struct user_dma dma = { 0 };
	size_t len;
	uint8_t *at;
	int ret = check_request(l, m, &dma);

	len = sizeof(head) + sizeof(dma) + (is_write || ret ? 0 : (size_t)dma.count);
	at = conn_reserve(&l->conn, len);
	if (!at)
		return -ENOMEM;
	if (!ret)
		ret = move(l, dma.address, is_write ? NULL : at + sizeof(head) + sizeof(dma),
			   is_write ? m->body + sizeof(dma) : NULL, dma.count);
	if (ret) {
		head.flags |= USER_ERROR;
		head.error = (uint32_t)-ret;
		len = sizeof(head);
	}
	head.size = (uint32_t)len;
	memcpy(at, &head, sizeof(head));
	if (!ret)
		memcpy(at + sizeof(head), &dma, sizeof(dma));
	if (!(m->head.flags & USER_NO_REPLY))
		conn_commit(&l->conn, len);
	return 0;
}
