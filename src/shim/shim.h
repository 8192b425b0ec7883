/* SPDX-License-Identifier: MIT */
/*
 * The inside of libdevfd-shim.so.
 *
 * Theory of operation
 *
 * `devfd run` names paths and addresses in DEVFD_AT and has this library preloaded into the
 * program. Opening such a path gives a real fd: an own opening of a memfd that holds exactly the
 * bytes of the device's table and is sealed. So the kernel does most of the work, and does it the
 * way every program expects: lowest free number, access mode, close-on-exec, file position shared
 * by dup() and fork(), poll, close. What the kernel cannot do, accesses to regions, ioctls and
 * mmap, is done here, in functions that replace those of libc. stdio, which opens and reads inside
 * libc, reads the memfd: the table and then the end of the file.
 *
 * Which fds are devices is kept in an array that is indexed by fd (fds.c). An entry only says that
 * the fd may be one: it names the inode of the memfd and is believed after fstat() has agreed.
 * Hence nothing that closes or replaces an fd need be caught: not fclose(), not close_range(), not
 * what a child of vfork() does in the memory of its parent. For any other fd the cost is one load.
 *
 * A program that is executed finds the fds that it inherits by the names of their memfds.
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <devfd/file.h>

#include "shim/env.h"

struct vfio_object;

/** enum shim_node - what a path stands for */
enum shim_node {
	SHIM_DEVICE,	/* a device: the table, and regions */
	SHIM_CONTAINER, /* /dev/vfio/vfio */
	SHIM_GROUP,	/* /dev/vfio/N */
	SHIM_IOMMUFD,	/* /dev/iommu */
	SHIM_CDEV,	/* /dev/vfio/devices/vfioN: a device, once it is bound */
};

/**
 * struct shim_mount - a path with a device behind it
 * @path: absolute, without `.`, `..` and double slashes
 * @base: its last component
 * @node: what it stands for; only a device has what comes after @number
 * @device: SHIM_GROUP: the device in it; SHIM_CDEV: the group that it is in
 * @index: the number in the name, of a group or of a device's own file
 * @name: SHIM_CDEV: as the bus names the device
 * @address: for dfd_open()
 * @number: 1 and up
 * @lock: held for every use of the members below, so for every access to the device; it also makes
 *        read() and write() move the file position in one piece
 * @dev: NULL until the first use in this process
 * @file: the file of @dev
 * @memfd: the table, close-on-exec and never seen by the program
 * @inode: identifies @memfd
 * @served: the service thread runs in this process
 */
struct shim_mount {
	char path[SHIM_MAX_PATH];
	const char *base;
	enum shim_node node;
	struct shim_mount *device;
	unsigned int index;
	const char *name;
	const char *address;
	uint32_t number;
	pthread_mutex_t lock;
	struct dfd_device *dev;
	struct dfd_file *file;
	int memfd;
	uint64_t inode;
	bool served;
};

/**
 * struct shim_fd - what is known about an fd of a device
 * @object: what VFIO knows of it; NULL for a path of --at
 * @access: O_RDONLY, O_WRONLY or O_RDWR
 */
struct shim_fd {
	struct shim_mount *mount;
	struct vfio_object *object;
	int access;
};

/* ---- mount.c ---- */

/** shim_find() - Return: the mount at a path as openat() takes it, or NULL */
struct shim_mount *shim_find(int dirfd, const char *path);

/** shim_any() - Return: true when there is a device at all */
bool shim_any(void);

/** shim_mount_number() - Return: the mount of that number, or NULL */
struct shim_mount *shim_mount_number(uint32_t number);

/** shim_mount_of_memfd() - Return: the mount that an inherited fd with this name belongs to */
struct shim_mount *shim_mount_of_memfd(const char *name);

/**
 * shim_lock() - take the lock, with the device open and served
 *
 * Return: 0 with the lock held, or a negative errno without.
 */
int shim_lock(struct shim_mount *m);
void shim_unlock(struct shim_mount *m);

/** shim_write_table() - fill and seal the memfd of a device, locked. Return: 0 or a negative errno
 */
int shim_write_table(const struct shim_mount *m, int fd);

/** shim_released() - put a device, locked, into the state in which the next one finds it */
void shim_released(struct shim_mount *m);

/** shim_open() - open() on a mount. Return: a new fd or a negative errno */
int shim_open(struct shim_mount *m, int flags);

/** shim_stdio_path() - what stdio opens instead. Return: 0 or a negative errno */
int shim_stdio_path(struct shim_mount *m, char *out, size_t size);

/* ---- fds.c ---- */

/** shim_fd_get() - Return: true when the fd is a device's; errno is kept */
bool shim_fd_get(int fd, struct shim_fd *out);

/** shim_fd_add() - @fd is an own opening of the memfd of a mount. Return: 0 or a negative errno */
int shim_fd_add(int fd, struct shim_mount *m);

/** shim_fd_add_object() - @fd is an own memfd of an object of VFIO. Return: 0 or a negative errno
 */
int shim_fd_add_object(int fd, uint32_t number);

/** shim_fd_any_object() - Return: true when this process has an fd of the object */
bool shim_fd_any_object(const struct vfio_object *object);

/** shim_fd_copy() - @to, if not negative, has become a duplicate of @from. Return: @to */
int shim_fd_copy(int from, int to);

/** shim_fd_any() - Return: true when this process has an fd of the mount */
bool shim_fd_any(const struct shim_mount *m);

/** shim_fd_adopt() - find the fds that this program inherited */
void shim_fd_adopt(void);

/** shim_memfd_seen() - tell of a memfd before the others here are used on it */
void shim_memfd_seen(int fd);

/** shim_memfd_inode() - Return: what identifies the memfd behind an fd, 0 for another file */
uint64_t shim_memfd_inode(int fd);

/** shim_vforked() - Return: true in a child of vfork(), which has the memory of its parent */
bool shim_vforked(void);

/** shim_fd_forked() - this is a new process */
void shim_fd_forked(void);

/** shim_low_fds_take() - fill the free low numbers, so that what is opened next gets high ones */
void shim_low_fds_take(int *fds, size_t count);
void shim_low_fds_release(int *fds, size_t count);
#define SHIM_LOW_FDS 64

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
intptr_t shim_map(const struct shim_fd *f, void *addr, size_t len, int prot, int flags, off_t off);

/* ---- lock.c ---- */

/** shim_mutex_lock() - pthread_mutex_lock() with the signals of this thread blocked; may nest */
void shim_mutex_lock(pthread_mutex_t *mutex);
void shim_mutex_unlock(pthread_mutex_t *mutex);

/** shim_handler_enter() - in a handler with all signals blocked: locks need not block them */
void shim_handler_enter(void);
void shim_handler_leave(void);

/* ---- libc.c ---- */

/** shim_next() - Return: the definition of a function that this library replaces */
void *shim_next(_Atomic(void *) *cache, const char *name);

/* Looked up at first use: constructors of other libraries may call before ours has run. */
#define NEXT(name)                                                                                 \
	({                                                                                         \
		static _Atomic(void *) cache;                                                      \
		(__typeof__(&(name)))shim_next(&cache, #name);                                     \
	})

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
