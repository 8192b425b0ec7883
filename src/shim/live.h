/* SPDX-License-Identifier: MIT */
/* Files of the view that are not files but registers, in the process of the program. */
#ifndef SHIM_LIVE_H
#define SHIM_LIVE_H

#include "shim/shim.h"

/**
 * live_find() - the file of sysfs behind a path
 * @base: its last component
 *
 * Return: the mount, or NULL; errno is kept.
 */
struct shim_mount *live_find(int dirfd, const char *path, const char *base);

/** live_may_open() - Return: 0, or a negative errno for an opening that the owner has not allowed
 */
int live_may_open(const struct shim_mount *m, int flags);

/* As stat() and statx(), with errno. */
int live_stat(const struct shim_mount *m, struct stat *st);
int live_statx(const struct shim_mount *m, unsigned int mask, struct statx *st);

#endif
