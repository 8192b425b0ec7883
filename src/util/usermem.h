/* SPDX-License-Identifier: MIT */
/* Memory that a caller of an ioctl points to: a bad address is an error, not a crash. */
#ifndef UTIL_USERMEM_H
#define UTIL_USERMEM_H

#include <stddef.h>

/** dfd_copy_in() - read @len bytes at @user. Return: 0 or -EFAULT */
int dfd_copy_in(void *to, const void *user, size_t len);

/** dfd_copy_out() - write @len bytes at @user. Return: 0 or -EFAULT */
int dfd_copy_out(void *user, const void *from, size_t len);

#endif
