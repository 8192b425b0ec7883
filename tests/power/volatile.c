/* SPDX-License-Identifier: MIT */
/*
 * A disk that loses power, preloaded into a server: LD_PRELOAD=... VOLATILE_DISK=FILE devfd serve
 * ...
 *
 * Theory of operation: what is written to FILE stays in memory of this process and reaches the file
 * only with fdatasync, every block of it. To kill the process is then to cut the power: each write
 * that no fdatasync has followed is gone, and none that one has. Such a disk is meaner than a real
 * one, which loses some of them.
 *
 * The memory is a private mapping of the file: its pages are copied where they are written. One
 * thread, one descriptor, and a size that stays; other calls than those below find the file as
 * it was at the last fdatasync.
 *
 * With VOLATILE_DEAF=1 fdatasync does nothing: the same as a model that does not call it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 512u

static struct {
	int fd;
	uint8_t *bytes;
	bool *written; /* of each block, since the last fdatasync */
	size_t size;
} disk = { .fd = -1 };

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void give_up(const char *what)
{
	fprintf(stderr, "volatile: %s\n", what);
	abort();
}

static void attach(int fd)
{
	struct stat st;

	if (disk.bytes)
		munmap(disk.bytes, disk.size);
	free(disk.written);
	if (fstat(fd, &st) || !st.st_size || st.st_size % BLOCK)
		give_up("the disk is not a file of whole blocks");
	disk.size = (size_t)st.st_size;
	disk.bytes = mmap(NULL, disk.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	disk.written = calloc(disk.size / BLOCK, sizeof(*disk.written));
	if (disk.bytes == MAP_FAILED || !disk.written)
		give_up("no memory");
	disk.fd = fd;
}

static bool is_within(off_t offset, off_t len)
{
	return offset >= 0 && len >= 0 && (size_t)offset <= disk.size &&
	       (size_t)len <= disk.size - (size_t)offset;
}

static void note_written(off_t offset, size_t len)
{
	size_t first = (size_t)offset / BLOCK, end = ((size_t)offset + len + BLOCK - 1) / BLOCK;

	memset(disk.written + first, true, end - first);
}

/* ---- what is called instead of the C library's ---- */

int open64(const char *path, int flags, ...)
{
	const char *wanted = getenv("VOLATILE_DISK");
	mode_t mode = 0;
	va_list args;
	int fd;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	fd = NEXT(open64)(path, flags, mode);
	if (fd >= 0 && wanted && !strcmp(path, wanted))
		attach(fd);
	return fd;
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t offset)
{
	if (fd != disk.fd)
		return NEXT(pread64)(fd, buf, len, offset);
	if (!is_within(offset, (off_t)len))
		return 0;
	memcpy(buf, disk.bytes + offset, len);
	return (ssize_t)len;
}

ssize_t preadv64(int fd, const struct iovec *pieces, int count, off64_t offset)
{
	ssize_t done = 0;

	if (fd != disk.fd)
		return NEXT(preadv64)(fd, pieces, count, offset);
	for (int i = 0; i < count; i++)
		done += pread64(fd, pieces[i].iov_base, pieces[i].iov_len, offset + done);
	return done;
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t offset)
{
	if (fd != disk.fd)
		return NEXT(pwrite64)(fd, buf, len, offset);
	if (!is_within(offset, (off_t)len)) {
		errno = EFBIG;
		return -1;
	}
	memcpy(disk.bytes + offset, buf, len);
	note_written(offset, len);
	return (ssize_t)len;
}

int fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
	if (fd != disk.fd)
		return NEXT(fallocate64)(fd, mode, offset, len);
	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) || !is_within(offset, len)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	memset(disk.bytes + offset, 0, (size_t)len);
	note_written(offset, (size_t)len);
	return 0;
}

int fdatasync(int fd)
{
	if (fd != disk.fd)
		return NEXT(fdatasync)(fd);
	if (getenv("VOLATILE_DEAF"))
		return 0;
	for (size_t i = 0; i < disk.size / BLOCK; i++) {
		size_t at = i * BLOCK;

		if (!disk.written[i])
			continue;
		if (NEXT(pwrite64)(fd, disk.bytes + at, BLOCK, (off64_t)at) != BLOCK)
			return -1;
		disk.written[i] = false;
	}
	return 0;
}
