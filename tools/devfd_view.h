/* SPDX-License-Identifier: MIT */
/* The part of sysfs and of /dev that programs look for VFIO's devices in, as a directory tree. */
#ifndef TOOLS_DEVFD_VIEW_H
#define TOOLS_DEVFD_VIEW_H

#include <stddef.h>

struct dfd_device;

/** view_name() - Return: @text as a PCI function is named, in @out, or NULL if it is none */
const char *view_name(const char *text, char out[16]);

/** view_start() - make the tree; it goes when this process, or what it executes, has ended.
 * Return: 0 or a code for exit()
 */
int view_start(char *dir, size_t size);

/**
 * view_add() - add a device under the name of a PCI function
 * @number: of the device
 * @group: number of its group
 *
 * Return: 0 or an exit code.
 */
int view_add(const char *dir, const char *name, unsigned int number, unsigned int group,
	     struct dfd_device *dev);

/**
 * view_mount() - mount the tree over /sys, if it has that, and /dev, for this process and what it
 * starts
 * @machine: where those of the machine are bound then, each below this directory, or NULL
 *
 * Return: 0, a negative errno when the system does not allow that and nothing has changed, or an
 * exit code.
 */
int view_mount(const char *dir, const char *machine);

/**
 * view_show() - after view_mount(), have a file seen at a path, for reading
 *
 * Return: 0, -ENOENT where nothing is at the path and nothing can be, or another negative errno.
 */
int view_show(const char *file, const char *path);

#endif
