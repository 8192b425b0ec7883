/* SPDX-License-Identifier: MIT */
/* The supervisor that has the devices, asked from the process of the program. */
#ifndef SHIM_CLIENT_H
#define SHIM_CLIENT_H

#include "shim/core.h"
#include "shim/shim.h"

/*
 * As the functions of core.h. When there is no supervisor any more: -ENODEV, and -EIO for the call
 * that it did not answer.
 */
int client_open(const struct shim_mount *m, int flags);
ssize_t client_move(const struct shim_fd *f, bool writes, void *buf, size_t len, uint64_t off);
int client_ioctl(const struct shim_fd *f, uint32_t request, void *arg);
off_t client_end(const struct shim_fd *f);

/* With 0 they give an fd to be closed. */
int client_map(const struct shim_fd *f, uint64_t off, bool writes, struct core_place *p);
int client_area(const struct shim_mount *m, bool writes, struct core_place *p);
int client_access(struct shim_mount *m, uint32_t index, uint64_t offset, void *buf, size_t len,
		  bool writes);

void client_fork_prepare(void);
void client_fork_done(void);

#endif
