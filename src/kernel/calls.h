/* SPDX-License-Identifier: MIT */
/* The one seam between this folder and the kernel's VFIO, so that every answer can be tested. */
#ifndef KERNEL_CALLS_H
#define KERNEL_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** struct kernel_calls - the system calls, each returning a negative errno in place of -1 */
struct kernel_calls {
	int (*open)(const char *path, int flags);
	int (*dup)(int fd);
	void (*close)(int fd);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	ssize_t (*pread)(int fd, void *buf, size_t len, uint64_t offset);
	ssize_t (*pwrite)(int fd, const void *buf, size_t len, uint64_t offset);
};

extern const struct kernel_calls kernel_calls;

/**
 * struct kernel_env - where devices are
 * @root: directory in front of /sys, /proc and /dev; "" for this machine
 * @calls: how the files of /dev/vfio are used
 */
struct kernel_env {
	const char *root;
	const struct kernel_calls *calls;
};

#endif
