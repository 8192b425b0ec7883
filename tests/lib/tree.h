/* SPDX-License-Identifier: MIT */
/* A directory with made-up /sys, /proc and /dev, for code that takes a root. */
#ifndef TESTS_TREE_H
#define TESTS_TREE_H

#include <stddef.h>

/** tree_root - the directory, once tree_start() has made it */
extern char tree_root[];

void tree_start(void);
void tree_stop(void);

/** tree_put(), tree_text() - a file; what is above it is made, too. @path is relative */
void tree_put(const char *path, const void *data, size_t len);
void tree_text(const char *path, const char *text);

/** tree_link() - a symbolic link */
void tree_link(const char *path, const char *target);

/** tree_remove() - a file, a link or an empty directory, if it is there */
void tree_remove(const char *path);

/** tree_chmod() - the mode of a file */
void tree_chmod(const char *path, unsigned int mode);

#endif
