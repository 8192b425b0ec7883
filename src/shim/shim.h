/* SPDX-License-Identifier: MIT */
/*
 * The inside of libdevfd-shim.so.
 *
 * Theory of operation
 *
 * `devfd run` names paths in DEVFD_AT and DEVFD_VFIO and has this library preloaded into the
 * program. The devices are in the process of `devfd run`, which is asked by client.c, or with
 * --in-process in this one (core.h). Opening such a path gives a real fd: an own opening of a memfd
 * that holds exactly the bytes of the device's table and is sealed. So the kernel does most of the
 * work, and does it the way every program expects: lowest free number, access mode, close-on-exec,
 * file position shared by dup() and fork(), poll, close. What the kernel cannot do, accesses to
 * regions, ioctls and mmap, is done here, in functions that replace those of libc. stdio, which
 * opens and reads inside libc, reads the memfd: the table and then the end of the file.
 *
 * Which fds are devices is kept in an array that is indexed by fd (fds.c). An entry only says that
 * the fd may be one: it names the inode of the memfd and is believed after fstat() has agreed.
 * Hence nothing that closes or replaces an fd need be caught: not fclose(), not close_range(), not
 * what a child of vfork() does in the memory of its parent. For any other fd the cost is one load.
 *
 * A program that is executed finds the fds that it inherits by the names of their memfds, and so
 * does one that gets an fd by a socket.
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include "shim/lock.h"
#include "shim/mounts.h"
#include "shim/next.h"

/**
 * struct shim_fd - what is known about an fd of a device
 * @inode: of its memfd
 * @access: O_RDONLY, O_WRONLY or O_RDWR
 */
struct shim_fd {
	struct shim_mount *mount;
	uint64_t inode;
	int access;
};

/* ---- mount.c ---- */

/** shim_find() - Return: the mount at a path as openat() takes it, or NULL */
struct shim_mount *shim_find(int dirfd, const char *path);

/** shim_any() - Return: true when there is a device at all */
bool shim_any(void);

/** shim_open() - open() on a mount. Return: a new fd or a negative errno */
int shim_open(struct shim_mount *m, int flags);

/**
 * shim_stdio_open() - what stdio opens instead
 * @access: O_RDONLY, O_WRONLY or O_RDWR
 *
 * Return: an fd to be closed, or a negative errno.
 */
int shim_stdio_open(struct shim_mount *m, int access, char *path, size_t size);

/** shim_stdio_keep() - the same with a path that stays good. Return: 0 or a negative errno */
int shim_stdio_keep(struct shim_mount *m, int access, char *path, size_t size);

/* ---- fds.c ---- */

/** shim_fd_get() - Return: true when the fd is a device's; errno is kept */
bool shim_fd_get(int fd, struct shim_fd *out);

/** shim_fd_add() - @fd is an own opening of a memfd of the mount. Return: 0 or a negative errno */
int shim_fd_add(int fd, const struct shim_mount *m);

/** shim_fd_adopt() - look whether an fd that somebody gave us is a device's. Return: @fd */
int shim_fd_adopt(int fd);

/** shim_fd_copy() - @to, if not negative, has become a duplicate of @from. Return: @to */
int shim_fd_copy(int from, int to);

/** shim_fd_any() - Return: true when this process has an fd of the memfd */
bool shim_fd_any(uint64_t inode);

/** shim_fd_inherit() - find the fds that this program inherited */
void shim_fd_inherit(void);

/** shim_vforked() - Return: true in a child of vfork(), which has the memory of its parent */
bool shim_vforked(void);

/**
 * shim_owner() - Return: the process that has this memory; 0 in one with a copy that nobody has
 * told of, as that of clone() by itself; -1 where these cannot be told apart
 */
pid_t shim_owner(void);

/** shim_fd_forked() - this is a new process */
void shim_fd_forked(void);

/** shim_low_fds_take() - fill the free low numbers, so that what is opened next gets high ones */
void shim_low_fds_take(int *fds, size_t count);
void shim_low_fds_release(int *fds, size_t count);

/* ---- view.c ---- */

/** shim_view() - Return: where a path of sysfs or /dev is instead, in @buf, or @path itself */
const char *shim_view(const char *path, char buf[PATH_MAX]);

/** shim_unview() - undo that in place. Return: @path */
char *shim_unview(char *path);

/** shim_unview_bytes() - the same for what has no end. Return: bytes that are left */
size_t shim_unview_bytes(char *text, size_t len);

/** shim_view_start() - Return: bytes of @path before what the program knows as the path */
size_t shim_view_start(const char *path);

/** shim_view_set() - @dir holds what is there instead; it must stay valid */
void shim_view_set(const char *dir);

/* ---- access.c ---- */

/* In place of an offset: read and write at the file position, and move it. */
#define SHIM_POSITION ((off_t)-1)

/* As the system calls, but with a negative errno. */
ssize_t shim_read(const struct shim_fd *f, int fd, void *buf, size_t len, off_t off);
ssize_t shim_write(const struct shim_fd *f, int fd, const void *buf, size_t len, off_t off);
off_t shim_seek(const struct shim_fd *f, int fd, off_t off, int whence);
int shim_ioctl(const struct shim_fd *f, uint32_t request, void *arg);
/**
 * shim_access() - one access of a bus to a region
 * @buf: receives or holds @len bytes, 1, 2, 4 or 8
 *
 * Return: 0, or a negative errno where the device does not answer.
 */
int shim_access(struct shim_mount *m, uint32_t index, uint64_t offset, void *buf, size_t len,
		bool writes);
/** shim_map() - mmap() of a device. Return: the address or a negative errno */
intptr_t shim_map(const struct shim_fd *f, int fd, void *addr, size_t len, int prot, int flags,
		  off_t off);

/* On 64-bit systems, which this library is for, the names with 64 are the same functions. */
#define SAME_AS(name) __attribute__((alias(#name)))

/* A name that no header declares, for a function of the same file. */
#define ALSO(name, target) __asm__(".globl " #name "\n\t.set " #name ", " #target)

/** shim_result() - turn a negative errno into -1 and errno */
static inline ssize_t shim_result(ssize_t ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

#endif
