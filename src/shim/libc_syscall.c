/* SPDX-License-Identifier: MIT */
/*
 * System calls by number: those that reach a path or an fd go to the functions that replace libc's.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim/shim.h"

#define NUM_ARGS 6

/* Where a look-up is confined to a directory, a path of the machine's is not meant. */
static long call_openat2(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	char view[PATH_MAX];
	struct shim_mount *m;

	if (size < sizeof(*how) || (how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)))
		return NEXT(syscall)(SYS_openat2, dirfd, path, how, size);
	m = shim_find(dirfd, path);
	if (m)
		return shim_result(shim_open(m, (int)how->flags));
	return NEXT(syscall)(SYS_openat2, dirfd, shim_view(path, view), how, size);
}

#define CALL(number, call)                                                                         \
	case number:                                                                               \
		*ret = (call);                                                                     \
		return true
#define FD   ((int)a[0])
#define PATH ((char *)a[0])
#define AT   FD, (char *)a[1]
#define BUF  ((void *)a[1])

/* Return: false for a number that is not handled here */
static bool call_path(long number, const long a[NUM_ARGS], long *ret)
{
	switch (number) {
#ifdef SYS_open /* machines that are younger than openat() do not have those */
		CALL(SYS_open, open(PATH, (int)a[1], (mode_t)a[2]));
		CALL(SYS_creat, creat(PATH, (mode_t)a[1]));
		CALL(SYS_stat, stat(PATH, BUF));
		CALL(SYS_lstat, lstat(PATH, BUF));
		CALL(SYS_access, access(PATH, (int)a[1]));
		CALL(SYS_readlink, readlink(PATH, BUF, (size_t)a[2]));
#endif
		CALL(SYS_openat, openat(AT, (int)a[2], (mode_t)a[3]));
		CALL(SYS_openat2, call_openat2(AT, (void *)a[2], (size_t)a[3]));
		CALL(SYS_newfstatat, fstatat(AT, (void *)a[2], (int)a[3]));
		CALL(SYS_statx, statx(AT, (int)a[2], (unsigned int)a[3], (void *)a[4]));
		CALL(SYS_faccessat, faccessat(AT, (int)a[2], 0));
		CALL(SYS_faccessat2, faccessat(AT, (int)a[2], (int)a[3]));
		CALL(SYS_readlinkat, readlinkat(AT, (char *)a[2], (size_t)a[3]));
		CALL(SYS_chdir, chdir(PATH));
	default:
		return false;
	}
}

/* The offset of vectors comes in two halves, of which the first is all of it on 64-bit systems. */
static bool call_io(long number, const long a[NUM_ARGS], long *ret)
{
	switch (number) {
		CALL(SYS_read, read(FD, BUF, (size_t)a[2]));
		CALL(SYS_write, write(FD, BUF, (size_t)a[2]));
		CALL(SYS_pread64, pread(FD, BUF, (size_t)a[2], a[3]));
		CALL(SYS_pwrite64, pwrite(FD, BUF, (size_t)a[2], a[3]));
		CALL(SYS_readv, readv(FD, BUF, (int)a[2]));
		CALL(SYS_writev, writev(FD, BUF, (int)a[2]));
		CALL(SYS_preadv, preadv(FD, BUF, (int)a[2], a[3]));
		CALL(SYS_pwritev, pwritev(FD, BUF, (int)a[2], a[3]));
		CALL(SYS_preadv2, preadv2(FD, BUF, (int)a[2], a[3], (int)a[5]));
		CALL(SYS_pwritev2, pwritev2(FD, BUF, (int)a[2], a[3], (int)a[5]));
		CALL(SYS_sendfile, sendfile(FD, (int)a[1], (void *)a[2], (size_t)a[3]));
		CALL(SYS_splice,
		     splice(FD, BUF, (int)a[2], (void *)a[3], (size_t)a[4], (unsigned int)a[5]));
		CALL(SYS_copy_file_range, copy_file_range(FD, BUF, (int)a[2], (void *)a[3],
							  (size_t)a[4], (unsigned int)a[5]));
	default:
		return false;
	}
}

static bool call_fd(long number, const long a[NUM_ARGS], long *ret)
{
	switch (number) {
		CALL(SYS_close, close(FD));
		CALL(SYS_fstat, fstat(FD, BUF));
		CALL(SYS_lseek, lseek(FD, a[1], (int)a[2]));
		CALL(SYS_ioctl, ioctl(FD, (unsigned long)a[1], a[2]));
		CALL(SYS_mmap,
		     (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]));
		CALL(SYS_munmap, munmap(PATH, (size_t)a[1]));
		CALL(SYS_mprotect, mprotect(PATH, (size_t)a[1], (int)a[2]));
		CALL(SYS_mremap, (long)mremap(PATH, (size_t)a[1], (size_t)a[2], (int)a[3], a[4]));
		CALL(SYS_recvmsg, recvmsg(FD, BUF, (int)a[2]));
		CALL(SYS_recvmmsg, recvmmsg(FD, BUF, (unsigned int)a[2], (int)a[3], (void *)a[4]));
		CALL(SYS_dup, dup(FD));
#ifdef SYS_dup2
		CALL(SYS_dup2, dup2(FD, (int)a[1]));
#endif
		CALL(SYS_dup3, dup3(FD, (int)a[1], (int)a[2]));
		CALL(SYS_fcntl, fcntl(FD, (int)a[1], a[2]));
	default:
		return false;
	}
}

/* As libc does: whatever their number and types, arguments travel like six of these. */
long syscall(long number, ...)
{
	long a[NUM_ARGS], ret;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < NUM_ARGS; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (shim_any() &&
	    (call_io(number, a, &ret) || call_fd(number, a, &ret) || call_path(number, a, &ret)))
		return ret;
	return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
