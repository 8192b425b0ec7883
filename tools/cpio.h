/* SPDX-License-Identifier: MIT */
/* Writing an archive that Linux unpacks as its first file system (cpio, "newc"). */
#ifndef TOOLS_CPIO_H
#define TOOLS_CPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/**
 * struct cpio - an archive being written
 * @fd: where to
 * @inode: of the entry before
 * @size: bytes so far
 * @failed: the first errno; from then on nothing is written
 */
struct cpio {
	int fd;
	uint32_t inode;
	uint64_t size;
	int failed;
};

/* The directories that lead to @path, which is without a slash at its start, come by themselves. */

/** cpio_bytes() - an entry with these contents: of a link, where it leads to */
void cpio_bytes(struct cpio *c, const char *path, mode_t mode, const void *bytes, size_t len);

/** cpio_copy() - a copy of the file, link or node @from. Return: 0 or the errno of reading it */
int cpio_copy(struct cpio *c, const char *path, const char *from);

/** cpio_end() - finish the archive. Return: 0 or a negative errno */
int cpio_end(struct cpio *c);

#endif
