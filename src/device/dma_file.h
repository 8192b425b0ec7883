/* SPDX-License-Identifier: MIT */
/* Files behind the driver's memory: each is kept once, however many maps it has. */
#ifndef DEVICE_DMA_FILE_H
#define DEVICE_DMA_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include <devfd/device.h>

/**
 * struct dma_file - one file, as it was opened
 * @link: what points to it in the list of those in use
 * @flags: of F_GETFL; what may be read only is another file than what may be written
 * @refs: maps that use it
 * @fd: -1 unless a map is reached by file
 * @base: the whole file, or NULL unless a map is reached by pointer; moves when the file has grown
 * @len: bytes at @base
 * @prot: PROT_* of @base
 */
struct dma_file {
	struct dma_file *next;
	struct dma_file **link;
	dev_t dev;
	ino_t ino;
	int flags;
	uint32_t refs;
	int fd;
	int prot;
	uint8_t *base;
	uint64_t len;
};

#define DMA_FILE_LISTS 64u

/**
 * struct dma_files - zero it before the first use
 * @live: those in use, in lists by inode
 * @dying: those without maps, which dma_files_tear() takes apart
 * @due: CLOCK_MONOTONIC in ns, when it should be called next while there are any
 * @piece: how many bytes at a time
 */
struct dma_files {
	struct dma_file *live[DMA_FILE_LISTS];
	struct dma_file *dying;
	uint64_t due;
	uint64_t piece;
};

/**
 * dma_file_get() - the file of a map
 * @by_pointer: receives whether the map can be used at its base
 * @out: receives the file with a reference
 *
 * Return: 0; -EOPNOTSUPP for what is no regular file; -EOVERFLOW, -ENOMEM, -EMFILE, or what fstat()
 * and mmap() say.
 */
int dma_file_get(struct dma_files *files, const struct dfd_dma_map *map, bool *by_pointer,
		 struct dma_file **out);

/** dma_file_put() - give a reference back; dma_files_tear() is to follow */
void dma_file_put(struct dma_files *files, struct dma_file *file);

/**
 * dma_file_move() - read or write by the fd, for a map that is not reached by pointer
 * @in, @out: one of them is NULL
 *
 * Return: 0, or -EFAULT when the file has shrunk or its disk is broken or full.
 */
int dma_file_move(const struct dma_file *file, uint64_t offset, uint8_t *in, const uint8_t *out,
		  size_t len);

/** dma_files_tear() - half a millisecond of taking apart, due or not */
void dma_files_tear(struct dma_files *files);

bool dma_files_are_due(const struct dma_files *files);

/** dma_files_finish() - take apart all that no map uses any more */
void dma_files_finish(struct dma_files *files);

#endif
