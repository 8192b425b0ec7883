/* SPDX-License-Identifier: MIT */
/*
 * The driver's memory, as a model reaches it.
 *
 * Theory of operation: a map is reached in one of three ways. By pointer: memory of this process,
 * or a file that is sealed against shrinking and therefore mapped. By file: any other file, with
 * pread and pwrite, because a pointer into it could raise SIGBUS. By message: callbacks of the
 * driver's side, which answer later (dma_requests.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/dma_pages.h"
#include "device/host.h"

/**
 * struct mapping - one DMA map, told by what is not NULL: @addr, @file or @io
 * @range: first, so that a pointer to it is one to the mapping
 * @by_pointer: @file is used at its base
 */
struct mapping {
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

static struct model_host *from_base(struct dfd_host *host)
{
	return (struct model_host *)host;
}

/* ---- maps ---- */

static struct mapping *mapping_at(const struct model_host *h, uint64_t iova)
{
	return (struct mapping *)dfd_iovamap_find(&h->maps, iova);
}

static void mapping_free(struct model_host *h, struct mapping *m)
{
	if (m->file)
		dma_file_put(&h->files, m->file);
	free(m);
}

static int mapping_new(struct model_host *h, const struct dfd_dma_map *map, uint64_t iova,
		       struct mapping **out)
{
	struct mapping *m = calloc(1, sizeof(*m));
	int ret = 0;

	if (!m)
		return -ENOMEM;
	m->range = (struct dfd_iova){ iova, iova + (map->size - 1) };
	m->prot = map->prot;
	if (map->kind == DFD_DMA_ADDRESS) {
		m->addr = map->addr;
	} else if (map->kind == DFD_DMA_FD) {
		m->fd_offset = map->fd_offset;
		ret = dma_file_get(&h->files, map, &m->by_pointer, &m->file);
	} else {
		m->io = map->io;
		m->io_ctx = map->io_ctx;
	}
	if (ret)
		mapping_free(h, m);
	else
		*out = m;
	return ret;
}

int host_dma_map(struct model_host *h, struct dfd_dma_map *map)
{
	struct mapping *m;
	uint64_t iova;
	int ret = dma_place(&h->maps, map, &iova);

	if (ret)
		return ret;
	ret = mapping_new(h, map, iova, &m);
	if (!ret) {
		ret = dfd_iovamap_add(&h->maps, &m->range);
		if (ret)
			mapping_free(h, m);
		else
			map->iova = iova;
	}
	dma_files_tear(&h->files);
	return ret;
}

/** struct unmapping - what is taken out, and how much */
struct unmapping {
	struct model_host *h;
	uint64_t bytes;
};

static void unmap_one(void *ctx, struct dfd_iova *range)
{
	struct unmapping *u = ctx;

	u->bytes += range->last - range->start + 1;
	mapping_free(u->h, (struct mapping *)range);
}

int host_dma_unmap(struct model_host *h, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	struct unmapping u = { .h = h };
	uint64_t last = iova + (size - 1);

	if (dfd_iovamap_cuts(&h->maps, iova, last))
		return -EINVAL;
	dma_requests_cancel(&h->requests, iova, last);
	dfd_iovamap_take_out(&h->maps, iova, last, unmap_one, &u);
	*unmapped = u.bytes;
	dma_files_tear(&h->files);
	return 0;
}

void host_dma_finish(struct model_host *h)
{
	struct unmapping u = { .h = h };

	dfd_iovamap_clear(&h->maps, unmap_one, &u);
	dma_files_finish(&h->files);
}

/* ---- by pointer ---- */

bool host_bus_master(const struct model_host *h)
{
	return !h->is_pci || (dfd_pci_config_command(&h->config) & DFD_PCI_COMMAND_MASTER);
}

static struct mapping *find(const struct model_host *h, uint64_t iova, uint32_t prot)
{
	struct mapping *m = mapping_at(h, iova);

	return m && (m->prot & prot) == prot ? m : NULL;
}

/* Where @iova is in this process, or NULL. */
static uint8_t *pointer(const struct mapping *m, uint64_t iova)
{
	uint64_t offset = iova - m->range.start;

	if (m->addr)
		return m->addr + offset;
	return m->by_pointer ? m->file->base + m->fd_offset + offset : NULL;
}

static void mark_dirty(const struct model_host *h, uint64_t iova, uint64_t len)
{
	if (h->dirty && len)
		h->dirty(h->dirty_ctx, iova, len);
}

void *host_dma_get(struct dfd_host *host, uint64_t iova, uint64_t len, uint32_t prot)
{
	struct model_host *h = from_base(host);
	const struct mapping *m = find(h, iova, prot);
	uint8_t *ptr = m ? pointer(m, iova) : NULL;

	if (!ptr || !len || len - 1 > m->range.last - iova || !host_bus_master(h))
		return NULL;
	for (unsigned int i = 0; i < MAX_DMA_USES; i++) {
		struct dma_use *use = &h->uses[i];

		if (use->ptr)
			continue;
		*use = (struct dma_use){ ptr, iova, len };
		return use->ptr;
	}
	return NULL;
}

void host_dma_put(struct dfd_host *host, void *ptr, uint64_t written)
{
	struct model_host *h = from_base(host);

	for (unsigned int i = 0; ptr && i < MAX_DMA_USES; i++) {
		struct dma_use *use = &h->uses[i];

		if (use->ptr != ptr)
			continue;
		use->ptr = NULL;
		mark_dirty(h, use->iova, written < use->len ? written : use->len);
		return;
	}
}

/* ---- copying ---- */

/* Move @len bytes inside one map. One of @in and @out is NULL. Return: 0 or a negative errno. */
static int move(const struct mapping *m, uint64_t iova, uint8_t *in, const uint8_t *out, size_t len)
{
	uint8_t *ptr = pointer(m, iova);

	if (ptr && in)
		memcpy(in, ptr, len);
	else if (ptr)
		/* NOLINTNEXTLINE(clang-analyzer-core.*): it is @out then */
		memcpy(ptr, out, len);
	else
		return dma_file_move(m->file, m->fd_offset + (iova - m->range.start), in, out, len);
	return 0;
}

/*
 * Can the whole range be moved? Return: 1 at once, 0 by message (all of it in one map), -EFAULT.
 */
static int check(const struct model_host *h, uint64_t iova, size_t len, uint32_t prot)
{
	uint64_t last = iova + (len - 1);

	if (last < iova)
		return -EFAULT;
	for (uint64_t at = iova;;) {
		const struct mapping *m = find(h, at, prot);

		if (!m)
			return -EFAULT;
		if (m->io)
			return at == iova && m->range.last >= last ? 0 : -EFAULT;
		if (m->range.last >= last)
			return 1;
		at = m->range.last + 1;
	}
}

static int move_all(struct model_host *h, uint64_t iova, uint8_t *in, const uint8_t *out,
		    size_t len)
{
	for (size_t moved = 0; moved < len;) {
		uint64_t at = iova + moved;
		const struct mapping *m = mapping_at(h, at);
		uint64_t room =
			m->range.last - at; /* one less than the bytes, so that it cannot wrap */
		size_t piece = room < len - moved - 1 ? (size_t)room + 1 : len - moved;
		int ret = move(m, at, in ? in + moved : NULL, out ? out + moved : NULL, piece);

		if (ret)
			return ret;
		if (out)
			mark_dirty(h, at, piece);
		moved += piece;
	}
	return 1;
}

/* ---- by message ---- */

/* Return: as dfd_dma_read(). */
static int send_request(struct model_host *h, uint64_t iova, void *in, const void *out, size_t len,
			dfd_dma_done done, void *ctx)
{
	const struct mapping *m = mapping_at(h, iova);
	const struct dma_place place = { m->io, m->io_ctx, iova - m->range.start };
	const struct dma_request r = {
		.iova = iova, .len = len, .buf = in, .done = done, .ctx = ctx
	};

	int ret = dma_requests_send(&h->requests, &place, &r, out);

	if (ret == 1 && out)
		mark_dirty(h, iova, len);
	return ret;
}

static int transfer(struct model_host *h, uint64_t iova, void *in, const void *out, size_t len,
		    dfd_dma_done done, void *ctx)
{
	int ret;

	if (!host_bus_master(h))
		return -EIO;
	if (len > DFD_MAX_DMA_LEN)
		return -EINVAL;
	if (!len)
		return 1;
	ret = check(h, iova, len, in ? DFD_DMA_READ : DFD_DMA_WRITE);
	if (ret == 1)
		return move_all(h, iova, in, out, len);
	return ret ? ret : send_request(h, iova, in, out, len, done, ctx);
}

int host_dma_read(struct dfd_host *host, uint64_t iova, void *buf, size_t len, dfd_dma_done done,
		  void *ctx)
{
	return transfer(from_base(host), iova, buf, NULL, len, done, ctx);
}

int host_dma_write(struct dfd_host *host, uint64_t iova, const void *buf, size_t len,
		   dfd_dma_done done, void *ctx)
{
	return transfer(from_base(host), iova, NULL, buf, len, done, ctx);
}

void host_dma_written(struct dfd_device *dev, uint64_t iova, uint64_t len)
{
	mark_dirty(dev->model, iova, len);
}
