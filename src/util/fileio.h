/* SPDX-License-Identifier: MIT */
/* Whole files, in and out. */
#ifndef UTIL_FILEIO_H
#define UTIL_FILEIO_H

#include <stddef.h>

#include <devfd/error.h>

/**
 * dfd_read_file() - read a whole file of bounded size
 * @path: the file; may be a pipe
 * @max: more bytes than that are refused
 * @buf: receives memory for free()
 * @len: receives the bytes read
 * @err: optional
 *
 * Return: 0, -EFBIG, -ENOMEM, or what open() and read() say.
 */
int dfd_read_file(const char *path, size_t max, void **buf, size_t *len, struct dfd_error *err);

/**
 * dfd_replace_file() - write a whole file, or leave the old one as it was
 * @path: a regular file or a name that does not exist yet
 *
 * Return: 0, -EINVAL when @path is something else than a regular file, -ENAMETOOLONG, or what
 * open(), write(), fsync() and rename() say.
 */
int dfd_replace_file(const char *path, const void *buf, size_t len, struct dfd_error *err);

#endif
