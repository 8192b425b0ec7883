/* SPDX-License-Identifier: MIT */
/* Files of a function in sysfs that are its registers, where its device is. */
#ifndef SHIM_SYSFS_H
#define SHIM_SYSFS_H

#include "shim/core.h"

/** sysfs_mount() - Return: the file with a memfd of that inode, or NULL */
struct shim_mount *sysfs_mount(uint64_t inode);

/* As functions of core.h with such names. */
int sysfs_open(struct shim_mount *m, int flags);
ssize_t sysfs_move(struct shim_mount *m, bool writes, uint8_t *user, size_t len, uint64_t off);
off_t sysfs_end(struct shim_mount *m);
int sysfs_map(struct shim_mount *m, uint64_t off, bool writes, struct core_place *p);

/** sysfs_written() - do what was written past all calls, to a device, locked, with @reset */
void sysfs_written(struct shim_mount *device);

#endif
