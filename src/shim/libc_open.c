/* SPDX-License-Identifier: MIT */
/* The functions of libc that make fds: by a path, or of another fd. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/shim.h"

_Static_assert(sizeof(off_t) == 8 && sizeof(long) == 8, "made for 64-bit systems");

/* Only openings that may create a file have a third argument. */
static mode_t mode_argument(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(AT_FDCWD, path);
	va_list args;
	mode_t mode;

	if (m)
		return (int)shim_result(shim_open(m, flags));
	va_start(args, flags);
	mode = mode_argument(flags, args);
	va_end(args);
	return NEXT(open)(shim_view(path, view), flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(dirfd, path);
	va_list args;
	mode_t mode;

	if (m)
		return (int)shim_result(shim_open(m, flags));
	va_start(args, flags);
	mode = mode_argument(flags, args);
	va_end(args);
	return NEXT(openat)(dirfd, shim_view(path, view), flags, mode);
}

int creat(const char *path, mode_t mode)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(AT_FDCWD, path);

	if (m)
		return (int)shim_result(shim_open(m, O_WRONLY));
	return NEXT(creat)(shim_view(path, view), mode);
}

int open64(const char *path, int flags, ...) SAME_AS(open);
int openat64(int dirfd, const char *path, int flags, ...) SAME_AS(openat);
int creat64(const char *path, mode_t mode) SAME_AS(creat);

/* What programs built with _FORTIFY_SOURCE call when they pass no mode. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(AT_FDCWD, path);

	return m ? (int)shim_result(shim_open(m, flags))
		 : NEXT(__open_2)(shim_view(path, view), flags);
}

int __openat_2(int dirfd, const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(dirfd, path);

	return m ? (int)shim_result(shim_open(m, flags))
		 : NEXT(__openat_2)(dirfd, shim_view(path, view), flags);
}

int __open64_2(const char *path, int flags) SAME_AS(__open_2);
int __openat64_2(int dirfd, const char *path, int flags) SAME_AS(__openat_2);

/* ---- stdio: opens and reads inside libc, so it gets the memfd by its own name ---- */

/* Creating and truncating is not for devices: "w" and "a" become "r+". */
static const char *device_mode(const char *mode)
{
	if (mode[0] == 'r')
		return mode;
	return strchr(mode, 'e') ? "r+e" : "r+";
}

static int device_access(const char *mode)
{
	if (strchr(mode, '+'))
		return O_RDWR;
	return mode[0] == 'r' ? O_RDONLY : O_WRONLY;
}

static FILE *opened(FILE *stream, int fd)
{
	int saved = errno;

	/* A number beyond the array is no device, but reads as the table all the same. */
	if (stream)
		shim_fd_adopt(fileno(stream));
	NEXT(close)(fd);
	errno = saved;
	return stream;
}

FILE *fopen(const char *path, const char *mode)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(AT_FDCWD, path);
	char table[32];
	int fd;

	if (!m)
		return NEXT(fopen)(shim_view(path, view), mode);
	fd = (int)shim_result(shim_stdio_open(m, device_access(mode), table, sizeof(table)));
	return fd < 0 ? NULL : opened(NEXT(fopen)(table, device_mode(mode)), fd);
}

FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(AT_FDCWD, path);
	char table[32];
	int fd;

	if (!m)
		return NEXT(freopen)(shim_view(path, view), mode, stream);
	fd = (int)shim_result(shim_stdio_open(m, device_access(mode), table, sizeof(table)));
	return fd < 0 ? NULL : opened(NEXT(freopen)(table, device_mode(mode), stream), fd);
}

FILE *fopen64(const char *path, const char *mode) SAME_AS(fopen);
FILE *freopen64(const char *path, const char *mode, FILE *stream) SAME_AS(freopen);

/* ---- duplicates ---- */

int dup(int fd)
{
	return shim_fd_copy(fd, NEXT(dup)(fd));
}

int dup2(int fd, int to)
{
	return shim_fd_copy(fd, NEXT(dup2)(fd, to));
}

int dup3(int fd, int to, int flags)
{
	return shim_fd_copy(fd, NEXT(dup3)(fd, to, flags));
}

int fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;
	int ret;

	/* As libc does: whatever its type, an argument travels like a pointer. */
	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	ret = NEXT(fcntl)(fd, command, arg);
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		shim_fd_copy(fd, ret);
	return ret;
}

int fcntl64(int fd, int command, ...) SAME_AS(fcntl);

/* ---- names that libc has for itself and exports all the same ---- */

ALSO(__open, open);
ALSO(__open64, open);
ALSO(_IO_fopen, fopen);
ALSO(__dup2, dup2);
ALSO(__fcntl, fcntl);
