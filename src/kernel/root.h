/* SPDX-License-Identifier: MIT */
/* Single files below a directory that stands for the machine: "" is this one. */
#ifndef KERNEL_ROOT_H
#define KERNEL_ROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * root_set_here() - have dfd_open() find the machine below a directory
 * @dir: stays the caller's, and is used from then on; "" is where it is found otherwise
 *
 * For a process that has something else at /sys and /dev. Before anything is opened.
 */
void root_set_here(const char *dir);

/** root_here() - Return: the directory that stands for this machine */
const char *root_here(void);

/** root_exists() - Return: is there a file of that name? */
bool root_exists(const char *root, const char *name);

/** root_text() - as dfd_sysfs_text() */
int root_text(const char *root, const char *name, char *buf, size_t room);

/** root_num() - as dfd_sysfs_num() */
int root_num(const char *root, const char *name, int64_t *value);

#endif
