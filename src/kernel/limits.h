/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LIMITS_H
#define KERNEL_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* Below that, memory for DMA soon is refused. */
#define LIMITS_LOW_MEMLOCK (UINT64_C(64) << 20)

/**
 * memlock_limit() - how much memory this process may lock
 * @root: directory in front of /proc
 * @bytes: receives it; UINT64_MAX: no limit
 *
 * Return: is it known?
 */
bool memlock_limit(const char *root, uint64_t *bytes);

/**
 * memlock_used() - how much memory counts as locked
 * @by_user: as an iommufd counts, which is pinned memory of all processes of this user, as far as
 *           they can be seen; else as a container does: what this process has locked
 * @bytes: receives it
 *
 * Return: is it known?
 */
bool memlock_used(const char *root, bool by_user, uint64_t *bytes);

#endif
