/* SPDX-License-Identifier: MIT */
/*
 * Preloaded behind the shim: functions of libc that do not enter the kernel for one fd and one
 * path, so that what the shim adds to a call is not lost in what the call itself takes. See
 * calls.c.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "no_kernel.h"

#define NEXT(name)    ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))
#define IS_OURS(path) (!strncmp(path, NO_KERNEL_PATH, sizeof(NO_KERNEL_PATH) - 1))

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	return fd == NO_KERNEL_FD ? 0 : NEXT(pread)(fd, buf, len, off);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	return fd == NO_KERNEL_FD ? 0 : NEXT(write)(fd, buf, len);
}

int close(int fd)
{
	return fd == NO_KERNEL_FD ? 0 : NEXT(close)(fd);
}

int fstat(int fd, struct stat *st)
{
	return fd == NO_KERNEL_FD ? 0 : NEXT(fstat)(fd, st);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return fd == NO_KERNEL_FD ? 0 : NEXT(ioctl)(fd, request, arg);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return IS_OURS(path) ? NO_KERNEL_FD : NEXT(open)(path, flags, mode);
}

int stat(const char *path, struct stat *st)
{
	return IS_OURS(path) ? 0 : NEXT(stat)(path, st);
}

ssize_t readlink(const char *path, char *buf, size_t size)
{
	return IS_OURS(path) ? 0 : NEXT(readlink)(path, buf, size);
}

long syscall(long number, ...)
{
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	return number == SYS_pread64 && a[0] == NO_KERNEL_FD
		       ? 0
		       : NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
