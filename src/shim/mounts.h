/* SPDX-License-Identifier: MIT */
/* The paths with a device behind them, the same list for a program and for its supervisor. */
#ifndef SHIM_MOUNTS_H
#define SHIM_MOUNTS_H

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <devfd/file.h>

#include "shim/env.h"

struct shim_bells;
struct shim_dirty;

/** enum shim_node - what a path stands for */
enum shim_node {
	SHIM_DEVICE,	/* a device: the table, and regions */
	SHIM_CONTAINER, /* /dev/vfio/vfio */
	SHIM_GROUP,	/* /dev/vfio/N */
	SHIM_IOMMUFD,	/* /dev/iommu */
	SHIM_CDEV,	/* /dev/vfio/devices/vfioN: a device, once it is bound */
	SHIM_SYSFS,	/* a file of a function in sysfs that is its registers */
};

/** enum shim_sysfs - which file */
enum shim_sysfs {
	SHIM_SYSFS_CONFIG,
	SHIM_SYSFS_RESET,
	SHIM_SYSFS_ROM,
	SHIM_SYSFS_RESOURCE,			       /* six of them */
	SHIM_SYSFS_COMBINED = SHIM_SYSFS_RESOURCE + 6, /* the same BARs, writes combined */
	SHIM_NUM_SYSFS = SHIM_SYSFS_COMBINED + 6,
};

/**
 * struct shim_mount - a path with a device behind it
 * @path: absolute, without `.`, `..` and double slashes
 * @base: its last component
 * @node: what it stands for; only a device has what comes after @number
 * @device: SHIM_CDEV: the group that it is in; SHIM_SYSFS: the device
 * @index: the number in the name, of a group or of a device's own file; SHIM_SYSFS: which file
 * @name: SHIM_CDEV: as the bus names the device
 * @address: for dfd_open()
 * @supervisor: the socket of who has the device, or NULL when it is this process
 * @number: 1 and up
 * @there: its number at the supervisor, once that is known
 * @position: makes read() and write() move the file position in one piece; taken before @lock
 * @lock: held for every use of the members below, so for every access to the device; a file of
 *        sysfs uses those of its device
 * @dev: NULL until the first use in this process
 * @file: the file of @dev
 * @memfd: the table, close-on-exec and never seen by the program
 * @inode: identifies @memfd
 * @served: this process serves the device
 * @used: there were fds of @memfd when somebody looked
 * @bells: SHIM_CDEV: eventfds that write to registers, or NULL
 * @account: SHIM_CDEV: where it is kept what the device writes, or NULL; guarded by dirty.c
 * @touched: SHIM_CDEV: sysfs may have changed what a driver finds
 * @reset: SHIM_CDEV: the file of sysfs, once it was open
 * @image: SHIM_SYSFS: what is in @memfd, or NULL
 * @enabled: SHIM_SYSFS: the ROM can be read
 */
struct shim_mount {
	char path[SHIM_MAX_PATH];
	const char *base;
	enum shim_node node;
	struct shim_mount *device;
	unsigned int index;
	const char *name;
	const char *address;
	const char *supervisor;
	uint32_t number;
	_Atomic(uint32_t) there;
	pthread_mutex_t position;
	pthread_mutex_t lock;
	struct dfd_device *dev;
	struct dfd_file *file;
	int memfd;
	uint64_t inode;
	bool served;
	bool used;
	struct shim_bells *bells;
	struct shim_dirty *account;
	bool touched;
	struct shim_mount *reset;
	uint8_t *image;
	bool enabled;
};

/**
 * shim_mounts_set() - make the list, once
 * @at: lines PATH=ADDRESS, or NULL
 * @vfio: a first line, then lines NAME=ADDRESS, or NULL
 *
 * Both are changed and must stay valid. An address that starts with `@` names the socket of a
 * supervisor. Return: the first line of @vfio, or NULL.
 */
const char *shim_mounts_set(char *at, char *vfio);

/* Numbers of files of sysfs, so that who counts the others from 1 up does not meet them. */
#define SHIM_FIRST_FILE 256u
#define SHIM_MAX_NUMBER (SHIM_FIRST_FILE + SHIM_MAX_DEVICES * SHIM_NUM_SYSFS)

/** shim_mount_maps() - Return: true for a file that can be mapped, because it is a device's */
static inline bool shim_mount_maps(const struct shim_mount *m)
{
	return m->node == SHIM_DEVICE || m->node == SHIM_CDEV;
}

/** shim_mount_number() - Return: the mount of a number, or NULL */
struct shim_mount *shim_mount_number(uint64_t number);

/** shim_mount_file() - Return: file @i of sysfs, from 0 up, or NULL */
struct shim_mount *shim_mount_file(uint32_t i);

/** shim_sysfs_name() - Return: which file of a function has that name, or SHIM_NUM_SYSFS */
enum shim_sysfs shim_sysfs_name(const char *name);

/* Those of all mounts: nearly every other path has another one. */
extern bool shim_endings[256];

/**
 * shim_ending() - Return: a number made of the last two characters of a path
 *
 * Of a path of one character, the one before is the slash that the absolute path has there.
 */
static inline uint8_t shim_ending(const char *path)
{
	const size_t len = strlen(path);
	const uint8_t before = len > 1 ? (uint8_t)path[len - 2] : '/';
	const uint8_t last = len ? (uint8_t)path[len - 1] : 0;

	return (uint8_t)(before * 8 ^ last);
}

/** shim_mount_path() - Return: the mount at an absolute path, or NULL */
struct shim_mount *shim_mount_path(const char *path);

/* Numbers of fds that programs count on. */
#define SHIM_LOW_FDS 64

/* How the names of memfds start. */
#define SHIM_MEMFD "devfd:"

/** shim_mount_new_memfd() - Return: a memfd whose name tells the mount, close-on-exec, or a
 * negative errno
 */
int shim_mount_new_memfd(const struct shim_mount *m);

/** shim_mount_of_fd() - Return: the mount whose memfd this is, whichever process made it, or NULL
 */
struct shim_mount *shim_mount_of_fd(int fd);

/** shim_memfd_seen() - tell of a memfd before shim_memfd_inode() is asked about one */
void shim_memfd_seen(int fd);

/** shim_memfd_inode() - Return: what identifies the memfd behind an fd, 0 for another file */
uint64_t shim_memfd_inode(int fd);

#endif
