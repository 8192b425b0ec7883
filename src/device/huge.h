/* SPDX-License-Identifier: MIT */
/* Why there are no huge pages to be had. @root: directory in front of /sys. */
#ifndef DEVICE_HUGE_H
#define DEVICE_HUGE_H

#include <stdint.h>

#include <devfd/error.h>

/**
 * huge_explain_size() - why there can be no file on huge pages of @page bytes
 * @ret: what the kernel says
 *
 * Return: -EINVAL where this kernel has other sizes, else @ret.
 */
int huge_explain_size(const char *root, uint64_t page, int ret, struct dfd_error *err);

/**
 * huge_explain_lack() - why there are no @count huge pages of @page bytes
 *
 * Return: -ENOMEM where there are too few, else @ret.
 */
int huge_explain_lack(const char *root, uint64_t page, uint64_t count, int ret,
		      struct dfd_error *err);

#endif
