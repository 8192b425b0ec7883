/* SPDX-License-Identifier: MIT */
/* Attributes of sysfs, read relative to an opened directory. */
#ifndef UTIL_SYSFS_H
#define UTIL_SYSFS_H

#include <stddef.h>
#include <stdint.h>

/**
 * dfd_sysfs_text() - read an attribute
 * @dir: fd of the directory
 * @name: name below @dir
 * @buf: receives the text with a NUL, without the newline at its end
 * @room: bytes in @buf; a longer text is cut
 *
 * Return: bytes of text, or a negative errno.
 */
int dfd_sysfs_text(int dir, const char *name, char *buf, size_t room);

/** dfd_sysfs_num() - read a number, in any C notation. Return: 0, -EBADMSG or a negative errno */
int dfd_sysfs_num(int dir, const char *name, int64_t *value);

/** dfd_sysfs_link() - read a link. Return: 0, -ENAMETOOLONG or a negative errno */
int dfd_sysfs_link(int dir, const char *name, char *buf, size_t room);

/** dfd_sysfs_link_name() - the last part of where a link goes. Return: as dfd_sysfs_link() */
int dfd_sysfs_link_name(int dir, const char *name, char *buf, size_t room);

#endif
