/* SPDX-License-Identifier: MIT */
/* The functions of libc that follow paths to something else than a file's contents or status. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "shim/shim.h"

DIR *opendir(const char *path)
{
	char view[PATH_MAX];

	return NEXT(opendir)(shim_view(path, view));
}

int scandir(const char *path, struct dirent ***list, int (*select)(const struct dirent *),
	    int (*compare)(const struct dirent **, const struct dirent **))
{
	char view[PATH_MAX];

	return NEXT(scandir)(shim_view(path, view), list, select, compare);
}

/* The same structure on 64-bit systems. */
int scandir64(const char *path, struct dirent64 ***list, int (*select)(const struct dirent64 *),
	      int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
	char view[PATH_MAX];

	return NEXT(scandir64)(shim_view(path, view), list, select, compare);
}

int chdir(const char *path)
{
	char view[PATH_MAX];

	return NEXT(chdir)(shim_view(path, view));
}

ssize_t readlink(const char *path, char *buf, size_t size)
{
	char view[PATH_MAX];

	return NEXT(readlink)(shim_view(path, view), buf, size);
}

ssize_t readlinkat(int dirfd, const char *path, char *buf, size_t size)
{
	char view[PATH_MAX];

	return NEXT(readlinkat)(dirfd, shim_view(path, view), buf, size);
}

char *realpath(const char *path, char *resolved)
{
	char view[PATH_MAX];

	return shim_unview(NEXT(realpath)(shim_view(path, view), resolved));
}

/* ---- extended attributes, which ls asks for ---- */

ssize_t getxattr(const char *path, const char *name, void *value, size_t size)
{
	char view[PATH_MAX];

	return NEXT(getxattr)(shim_view(path, view), name, value, size);
}

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
	char view[PATH_MAX];

	return NEXT(lgetxattr)(shim_view(path, view), name, value, size);
}

/* ---- what programs built with _FORTIFY_SOURCE call ---- */

char *__realpath_chk(const char *path, char *resolved, size_t room);
char *__realpath_chk(const char *path, char *resolved, size_t room)
{
	char view[PATH_MAX];

	return shim_unview(NEXT(__realpath_chk)(shim_view(path, view), resolved, room));
}

ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t room);
ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t room)
{
	char view[PATH_MAX];

	return NEXT(__readlink_chk)(shim_view(path, view), buf, size, room);
}

ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t room);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t room)
{
	char view[PATH_MAX];

	return NEXT(__readlinkat_chk)(dirfd, shim_view(path, view), buf, size, room);
}
