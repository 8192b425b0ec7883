/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a file that cannot shrink is mapped whole when its first map comes, and all
 * maps share that. Any other file, and one too big to be mapped, is read and written through one
 * duplicate of its fd. A file is told by device and inode, and by how it was opened, so that nobody
 * writes through the fd of another.
 *
 * To take down the page tables of a big mapping can take many milliseconds, for which the device
 * would be locked. So a file that has no map left is queued and taken apart in slices, with pauses:
 * whoever serves the device may serve others, and few of their calls are to meet a slice. Each map
 * and unmap spends a slice at once, so that files do not pile up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "device/dma_file.h"

#define SLICE_NS UINT64_C(500000)
#define PAUSE_NS UINT64_C(40000000)
/* Taking down this much takes a fraction of a slice; and this much not more than one, if full. */
#define PIECE	  (UINT64_C(2) << 20)
#define MAX_PIECE (UINT64_C(64) << 20)
/* What took no longer was next to empty. */
#define QUICK_NS UINT64_C(20000)

static int protection(uint32_t prot)
{
	return (prot & DFD_DMA_READ ? PROT_READ : 0) | (prot & DFD_DMA_WRITE ? PROT_WRITE : 0);
}

/* Have the whole file at @file->base. Return: 0 or a negative errno; then all is as before. */
static int map_whole(struct dma_file *file, int fd, uint64_t size, int prot)
{
	void *base;

	if (!file->base) {
		base = mmap(NULL, (size_t)size, prot, MAP_SHARED, fd, 0);
		if (base == MAP_FAILED)
			return -errno;
		file->base = base;
		file->len = size;
		file->prot = prot;
		return 0;
	}
	if ((file->prot | prot) != file->prot) {
		if (mprotect(file->base, (size_t)file->len, file->prot | prot))
			return -errno;
		file->prot |= prot;
	}
	if (size > file->len) {
		base = mremap(file->base, (size_t)file->len, (size_t)size, MREMAP_MAYMOVE);
		if (base == MAP_FAILED)
			return -errno;
		file->base = base;
		file->len = size;
	}
	return 0;
}

/* Who has chosen a high number has had a reason. */
static int keep_fd(struct dma_file *file, int fd)
{
	if (file->fd < 0)
		file->fd = fcntl(fd, F_DUPFD_CLOEXEC, fd);
	return file->fd < 0 ? -errno : 0;
}

/* A pointer into a file that can shrink could raise SIGBUS. */
static bool can_map(const struct dfd_dma_map *map, const struct stat *st)
{
	int seals = fcntl(map->fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) &&
	       (uint64_t)st->st_size >= map->fd_offset + map->size;
}

static int prepare(struct dma_file *file, const struct dfd_dma_map *map, const struct stat *st,
		   bool *by_pointer)
{
	int ret = -ENOMEM;

	if (can_map(map, st)) {
		uint64_t end = map->fd_offset + map->size;
		uint64_t size = file->len > end ? file->len : (uint64_t)st->st_size;

		ret = map_whole(file, map->fd, size, protection(map->prot));
		*by_pointer = !ret;
	}
	return ret == -ENOMEM ? keep_fd(file, map->fd) : ret;
}

static struct dma_file **list_of(struct dma_files *files, const struct stat *st)
{
	return &files->live[st->st_ino % DMA_FILE_LISTS];
}

static struct dma_file *find(struct dma_files *files, const struct stat *st, int flags)
{
	for (struct dma_file *file = *list_of(files, st); file; file = file->next) {
		if (file->dev == st->st_dev && file->ino == st->st_ino && file->flags == flags)
			return file;
	}
	return NULL;
}

static struct dma_file *file_new(struct dma_files *files, const struct stat *st, int flags)
{
	struct dma_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->dev = st->st_dev;
	file->ino = st->st_ino;
	file->flags = flags;
	file->fd = -1;
	file->link = list_of(files, st);
	file->next = *file->link;
	if (file->next)
		file->next->link = &file->next;
	*file->link = file;
	return file;
}

int dma_file_get(struct dma_files *files, const struct dfd_dma_map *map, bool *by_pointer,
		 struct dma_file **out)
{
	int flags = fcntl(map->fd, F_GETFL), ret;
	struct dma_file *file;
	struct stat st;

	*by_pointer = false;
	if (flags < 0 || fstat(map->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EOPNOTSUPP;
	if (map->fd_offset > INT64_MAX || map->size > INT64_MAX - map->fd_offset)
		return -EOVERFLOW;
	file = find(files, &st, flags);
	if (!file)
		file = file_new(files, &st, flags);
	if (!file)
		return -ENOMEM;
	file->refs++;
	ret = prepare(file, map, &st, by_pointer);
	if (ret)
		dma_file_put(files, file);
	else
		*out = file;
	return ret;
}

void dma_file_put(struct dma_files *files, struct dma_file *file)
{
	if (--file->refs)
		return;
	*file->link = file->next;
	if (file->next)
		file->next->link = file->link;
	file->next = files->dying;
	files->dying = file;
}

/* A write would give a file that has shrunk its length back. */
static bool holds(const struct dma_file *file, uint64_t end)
{
	struct stat st;

	return !fstat(file->fd, &st) && (uint64_t)st.st_size >= end;
}

int dma_file_move(const struct dma_file *file, uint64_t offset, uint8_t *in, const uint8_t *out,
		  size_t len)
{
	if (out && !holds(file, offset + len))
		return -EFAULT;
	for (size_t moved = 0; moved < len;) {
		off_t at = (off_t)(offset + moved);
		ssize_t n = in ? pread(file->fd, in + moved, len - moved, at)
			       : pwrite(file->fd, out + moved, len - moved, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EFAULT;
		moved += (size_t)n;
	}
	return 0;
}

/* ---- taking apart ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/*
 * A client can have a file of many terabytes that is empty, so pieces grow where there is nothing.
 * Pages bigger than a piece cannot be unmapped in part: then all goes at once.
 */
static void tear_piece(struct dma_files *files)
{
	struct dma_file *file = files->dying;
	uint64_t since = now_ns(), size = files->piece ? files->piece : PIECE;
	uint64_t piece = file->len > size ? size : file->len;

	if (munmap(file->base, (size_t)piece)) {
		munmap(file->base, (size_t)file->len);
		piece = file->len;
	}
	file->base += piece;
	file->len -= piece;
	files->piece = now_ns() - since > QUICK_NS ? PIECE : size * 2;
	if (files->piece > MAX_PIECE)
		files->piece = MAX_PIECE;
}

static void file_free(struct dma_files *files)
{
	struct dma_file *file = files->dying;

	files->dying = file->next;
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

static void tear_step(struct dma_files *files)
{
	if (files->dying->len)
		tear_piece(files);
	else
		file_free(files);
}

void dma_files_tear(struct dma_files *files)
{
	uint64_t end;

	if (!files->dying)
		return;
	end = now_ns() + SLICE_NS;
	while (files->dying && now_ns() < end)
		tear_step(files);
	files->due = now_ns() + PAUSE_NS;
}

bool dma_files_are_due(const struct dma_files *files)
{
	return files->dying && now_ns() >= files->due;
}

/* In pieces, too: one big munmap() would keep other threads from theirs, and from new pages. */
void dma_files_finish(struct dma_files *files)
{
	while (files->dying)
		tear_step(files);
}
