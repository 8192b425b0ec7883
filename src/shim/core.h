/* SPDX-License-Identifier: MIT */
/*
 * Devices and VFIO's objects, wherever they live.
 *
 * Theory of operation
 *
 * The code that has the devices runs in one of two places: in the process of `devfd run`, which
 * many programs then share (supervisor.c), or with --in-process inside the one program. It is the
 * same code. Whose call it answers is known from caller.h: pointers and fds are that process's. The
 * few things that a place does in its own way are the functions side_*(), which each of the two
 * defines.
 *
 * An fd of a device or of an object is an opening of a memfd, and the inode of that memfd is its
 * name here, whatever number the fd has, in whichever process.
 */
#ifndef SHIM_CORE_H
#define SHIM_CORE_H

#include "shim/caller.h"
#include "shim/mounts.h"

/* Nothing stands between the supervisor and libc. */
#ifdef SHIM_SUPERVISOR
#define NEXT(name)	  name
#define shim_mutex_lock	  pthread_mutex_lock
#define shim_mutex_unlock pthread_mutex_unlock
#else
#include "shim/lock.h"
#include "shim/next.h"
#endif

/* ---- calls.c: the calls of a program ---- */

/** core_open() - open() on a mount. Return: a new fd of this process or a negative errno */
int core_open(struct shim_mount *m, int flags);

/** core_mount() - Return: the mount that the memfd of an inode belongs to, or NULL */
struct shim_mount *core_mount(uint64_t inode);

/* As the system calls, but with a negative errno. The pointers are the caller's. */
ssize_t core_read(struct shim_mount *m, uint64_t inode, void *buf, size_t len, uint64_t off);
ssize_t core_write(struct shim_mount *m, uint64_t inode, const void *buf, size_t len, uint64_t off);

/** core_move() - as those, but in one piece and when no other process calls: a buffer of ours */
ssize_t core_move(struct shim_mount *m, uint64_t inode, bool writes, void *data, size_t len,
		  uint64_t off);

/** core_ioctl() - Return: as ioctl(), or a negative errno. See core_makes_fd() */
int core_ioctl(struct shim_mount *m, uint64_t inode, uint32_t request, void *arg);

/** core_makes_fd() - Return: true when that request returns a new fd, which is this process's */
bool core_makes_fd(const struct shim_mount *m, uint32_t request);

/** core_end() - Return: where the file ends, or a negative errno */
off_t core_end(struct shim_mount *m, uint64_t inode);

/**
 * struct core_place - what is mapped
 * @index, @within, @len: the part, in a region
 * @fd, @at: the file with it, where it is shared memory; @fd stays the device's
 */
struct core_place {
	uint32_t index;
	uint64_t within;
	uint64_t len;
	int fd;
	uint64_t at;
};

/**
 * core_check_map() - what is wrong with a mmap(), whatever is there
 * @access: how the fd was opened, O_RDONLY and so on
 *
 * Return: 0 or a negative errno.
 */
int core_check_map(const struct shim_mount *m, int access, size_t len, int prot, int flags,
		   off_t off);

/**
 * core_map() - what is to be mapped
 * @off: where the part of @p->len bytes starts in the device's file
 *
 * Return: 0 for shared memory, 1 for a part that is not or not all of it, or a negative errno.
 */
int core_map(struct shim_mount *m, uint64_t inode, uint64_t off, bool writes, struct core_place *p);

/** core_place() - the same for a part of a region of an own device, which is locked */
int core_place(struct dfd_device *dev, bool writes, struct core_place *p);

/** core_area() - narrow a part to the first shared memory in it. Return: 0, 1 if there is none, ...
 */
int core_area(struct shim_mount *m, bool writes, struct core_place *p);

/** core_access() - as shim_access() */
int core_access(struct shim_mount *m, uint32_t index, uint64_t offset, void *buf, size_t len,
		bool writes);

/* ---- device.c: the device of a mount ---- */

/**
 * core_lock() - take the lock, with the device open and served
 *
 * Return: 0 with the lock held, or a negative errno without.
 */
int core_lock(struct shim_mount *m);
void core_unlock(struct shim_mount *m);

/** core_start() - open the device, if it is not. Return: 0 or a negative errno and a sentence */
int core_start(struct shim_mount *m, struct dfd_error *err);

/** core_write_table() - fill and seal the memfd of a device, locked. Return: 0 or a negative errno
 */
int core_write_table(const struct shim_mount *m, int fd);

/** core_released() - put a device, locked, into the state in which the next one finds it */
void core_released(struct shim_mount *m);

/** core_taken() - a driver takes a device by VFIO: it does not find what sysfs has changed */
void core_taken(struct shim_mount *m);

/** core_open_device() - open() of a path of --at */
int core_open_device(struct shim_mount *m, int flags);

/* ---- what each place does in its own way ---- */

/** side_vforked() - Return: true in a child of vfork(), which has the memory of its parent */
bool side_vforked(void);

/** side_enter(), side_leave() - the library opens files for itself */
void side_enter(void);
void side_leave(void);

struct shim_watch;

/** side_watch() - have it told when there is something to read. Return: 0 or a negative errno */
int side_watch(struct shim_watch *w);

/** side_serve() - a device was opened: see to it that it is served. Return: 0 or negative errno */
int side_serve(struct shim_mount *m);

/**
 * side_keep() - see to it that side_in_use() can tell of a new memfd
 * @keep: receives what that function wants, an own fd or -1
 *
 * Return: 0 or a negative errno.
 */
int side_keep(int memfd, int *keep);

/**
 * side_written() - have devices looked after, by core_lock(), whenever a memfd was written
 *
 * Return: 0 or a negative errno.
 */
int side_written(int memfd);

/** side_in_use() - Return: true when somebody has the memfd open; @keep as side_keep() gave it */
bool side_in_use(int keep, uint64_t inode);

#endif
