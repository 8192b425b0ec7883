/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cpio.h"

/* Everything starts at a multiple of that. */
#define ALIGN 4

/* The kernel reads it in one piece. */
#define LARGEST UINT64_C(0x7ffff000)

static void put(struct cpio *c, const void *bytes, size_t len)
{
	for (size_t done = 0; done < len && !c->failed;) {
		ssize_t n = write(c->fd, (const char *)bytes + done, len - done);

		if (n < 0 && errno != EINTR)
			c->failed = errno;
		done += n > 0 ? (size_t)n : 0;
	}
	c->size += len;
}

static void pad(struct cpio *c)
{
	static const char zeros[ALIGN];

	put(c, zeros, (size_t)(-c->size % ALIGN));
}

static void head(struct cpio *c, const char *path, mode_t mode, uint64_t size, dev_t node)
{
	const size_t len = strlen(path) + 1;
	char text[111];

	if (size > UINT32_MAX) {
		c->failed = c->failed ? c->failed : EFBIG;
		size = 0;
	}
	/* One link, all of root, at the start of time, checksums none. */
	snprintf(text, sizeof(text),
		 "070701%08" PRIx32 "%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", ++c->inode,
		 mode, 0, 0, 1, 0, (unsigned int)size, 0, 0, major(node), minor(node),
		 (unsigned int)len, 0);
	put(c, text, sizeof(text) - 1);
	put(c, path, len);
	pad(c);
}

static void parents(struct cpio *c, const char *path)
{
	char dir[PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		if (slash - path < PATH_MAX) {
			snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
			head(c, dir, S_IFDIR | 0755, 0, 0);
		}
	}
}

void cpio_bytes(struct cpio *c, const char *path, mode_t mode, const void *bytes, size_t len)
{
	parents(c, path);
	head(c, path, mode, len, 0);
	put(c, bytes, len);
	pad(c);
}

/* A file may grow and shrink meanwhile; what was announced is what there must be. */
static void contents(struct cpio *c, int fd, uint64_t size)
{
	while (size && !c->failed) {
		ssize_t n = sendfile(c->fd, fd, NULL, size);

		if (n > 0) {
			c->size += (uint64_t)n;
			size -= (uint64_t)n;
		} else {
			c->failed = n ? errno : ENODATA;
		}
	}
	pad(c);
}

static int copy_file(struct cpio *c, const char *path, const char *from)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		ret = errno;
	} else if (!S_ISREG(st.st_mode)) {
		ret = EINVAL;
	} else if (c->size > LARGEST || (uint64_t)st.st_size > LARGEST - c->size) {
		ret = EFBIG;
	} else {
		head(c, path, st.st_mode, (uint64_t)st.st_size, 0);
		contents(c, fd, (uint64_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

int cpio_copy(struct cpio *c, const char *path, const char *from)
{
	char to[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (lstat(from, &st))
		return errno;
	parents(c, path);
	if (S_ISREG(st.st_mode))
		return copy_file(c, path, from);
	if (S_ISLNK(st.st_mode)) {
		n = readlink(from, to, sizeof(to));
		if (n < 0)
			return errno;
		cpio_bytes(c, path, st.st_mode, to, (size_t)n);
		return 0;
	}
	head(c, path, st.st_mode, 0, st.st_rdev);
	return 0;
}

int cpio_end(struct cpio *c)
{
	head(c, "TRAILER!!!", 0, 0, 0);
	return -c->failed;
}
