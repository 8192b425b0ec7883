/* SPDX-License-Identifier: MIT */
/* Single files below a directory that stands for the machine: "" is this one. */
#ifndef KERNEL_ROOT_H
#define KERNEL_ROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** root_exists() - Return: is there a file of that name? */
bool root_exists(const char *root, const char *name);

/** root_text() - as dfd_sysfs_text() */
int root_text(const char *root, const char *name, char *buf, size_t room);

/** root_num() - as dfd_sysfs_num() */
int root_num(const char *root, const char *name, int64_t *value);

#endif
