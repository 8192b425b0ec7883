/* SPDX-License-Identifier: MIT */
/*
 * Files of the view that are not files but registers, in the process of the program.
 *
 * There are many ways to the file of a function, through links and directories that are open. So it
 * is known by the file in the tree that `devfd run` has written, whose owner and mode also tell who
 * may open it. In the tree a BAR is an empty file: who opens it in another way than by the C
 * library must not take it for the registers.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/live.h"

/* Only paths with such a last component are looked at. */
static bool may_be_live(const char *base)
{
	return shim_mount_file(0) && shim_sysfs_name(base) < SHIM_NUM_SYSFS;
}

static bool is_file(const struct shim_mount *m, const struct stat *st)
{
	char view[PATH_MAX];
	struct stat own;

	return !NEXT(stat)(shim_view(m->path, view), &own) && own.st_ino == st->st_ino &&
	       own.st_dev == st->st_dev;
}

struct shim_mount *live_find(int dirfd, const char *path, const char *base)
{
	struct shim_mount *m, *found = NULL;
	int saved = errno;
	char view[PATH_MAX];
	struct stat st;

	if (!may_be_live(base))
		return NULL;
	if (!NEXT(fstatat)(dirfd, shim_view(path, view), &st, 0) && S_ISREG(st.st_mode)) {
		for (uint32_t i = 0; !found && (m = shim_mount_file(i)); i++) {
			if (!strcmp(m->base, base) && is_file(m, &st))
				found = m;
		}
	}
	errno = saved;
	return found;
}

int live_may_open(const struct shim_mount *m, int flags)
{
	static const int modes[] = { [O_RDONLY] = R_OK, [O_WRONLY] = W_OK, [O_RDWR] = R_OK | W_OK };
	char view[PATH_MAX];
	int access = flags & O_ACCMODE;

	if (access > O_RDWR)
		return -EINVAL;
	return NEXT(faccessat)(AT_FDCWD, shim_view(m->path, view), modes[access], AT_EACCESS)
		       ? -errno
		       : 0;
}

/* ---- what it looks like ---- */

#define LINE 57 /* bytes of a line of `resource` */

/* As the line of the BAR, or of the ROM, says. */
static off_t size_of_resource(const struct shim_mount *m)
{
	const uint32_t line = m->index == SHIM_SYSFS_ROM ? 6 : (m->index - SHIM_SYSFS_RESOURCE) % 6;
	char path[SHIM_MAX_PATH + 16], view[PATH_MAX], text[LINE + 1];
	uint64_t first = 1, last = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%.*s/resource", (int)(m->base - m->path) - 1, m->path);
	fd = NEXT(open)(shim_view(path, view), O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : NEXT(pread)(fd, text, LINE, LINE * line);
	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		NEXT(close)(fd);
	sscanf(text, "%" SCNx64 " %" SCNx64, &first, &last);
	return (off_t)(last - first + 1);
}

/* The other files in the tree have what they have in sysfs. */
static off_t size_of(const struct shim_mount *m, off_t in_tree)
{
	return m->index < SHIM_SYSFS_ROM ? in_tree : size_of_resource(m);
}

int live_stat(const struct shim_mount *m, struct stat *st)
{
	char view[PATH_MAX];
	int ret = NEXT(stat)(shim_view(m->path, view), st);

	if (!ret)
		st->st_size = size_of(m, st->st_size);
	return ret;
}

int live_statx(const struct shim_mount *m, unsigned int mask, struct statx *st)
{
	char view[PATH_MAX];
	int ret = NEXT(statx)(AT_FDCWD, shim_view(m->path, view), 0, mask, st);

	if (!ret)
		st->stx_size = (uint64_t)size_of(m, (off_t)st->stx_size);
	return ret;
}
