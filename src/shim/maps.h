/* SPDX-License-Identifier: MIT */
/* What a process has mapped, as the kernel tells it. */
#ifndef SHIM_MAPS_H
#define SHIM_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct mapping - a line of /proc/PID/maps
 * @end: behind it
 * @offset: in the file of @dev and @ino, where there is one
 * @prot: such as "rw-s"
 * @registers: of a device, emulated (trap.h): a map of the device that nobody may touch
 */
struct mapping {
	uint64_t first, end, offset;
	char prot[5];
	dev_t dev;
	ino_t ino;
	bool registers;
};

/**
 * maps_look_up() - go through the mappings that some memory consists of
 * @look: called for each of them, the lowest first, until it returns a negative errno
 *
 * Return: 0 when all of it is mapped, -EFAULT, or what @look has returned.
 */
int maps_look_up(pid_t pid, uint64_t vaddr, uint64_t size,
		 int (*look)(void *ctx, const struct mapping *m), void *ctx);

#endif
