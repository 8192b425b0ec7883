/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_RETRY_H
#define KERNEL_RETRY_H

#include "kernel/calls.h"

/**
 * kernel_retry() - an ioctl of a reset, which may find the function's lock taken for a moment
 *
 * Return: what it answers; -EAGAIN only after half a second of trying.
 */
int kernel_retry(const struct kernel_calls *calls, int fd, unsigned long request, void *arg);

#endif
