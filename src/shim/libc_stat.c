/* SPDX-License-Identifier: MIT */
/*
 * The functions of libc that look at files without opening them: a device looks like a character
 * device that everybody may read and write. So no program believes that it knows a size, and none
 * tries to copy holes or to map the file as a whole.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "shim/live.h"

static dev_t device_number(const struct shim_mount *m)
{
	switch (m->node) {
	case SHIM_CONTAINER:
		return makedev(10, 196);
	case SHIM_IOMMUFD:
		return makedev(10, 195);
	case SHIM_GROUP:
		return makedev(SHIM_MAJOR_GROUP, m->index);
	case SHIM_CDEV:
		return makedev(SHIM_MAJOR_CDEV, m->index);
	case SHIM_DEVICE:
	case SHIM_SYSFS:
		break;
	}
	return 0;
}

static int fill(const struct shim_mount *m, struct stat *st)
{
	if (m->node == SHIM_SYSFS)
		return live_stat(m, st);
	*st = (struct stat){
		.st_mode = S_IFCHR | 0666,
		.st_nlink = 1,
		.st_ino = m->number,
		.st_rdev = device_number(m),
		.st_blksize = 4096,
	};
	return 0;
}

static int fill_x(const struct shim_mount *m, unsigned int mask, struct statx *st)
{
	if (m->node == SHIM_SYSFS)
		return live_statx(m, mask, st);
	*st = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_mode = S_IFCHR | 0666,
		.stx_nlink = 1,
		.stx_ino = m->number,
		.stx_rdev_major = major(device_number(m)),
		.stx_rdev_minor = minor(device_number(m)),
		.stx_blksize = 4096,
	};
	return 0;
}

/* What a call that takes a directory and a path means: a path, or with AT_EMPTY_PATH the fd. */
static struct shim_mount *find(int dirfd, const char *path, int flags)
{
	struct shim_fd f;

	if ((flags & AT_EMPTY_PATH) && path && !*path)
		return shim_fd_get(dirfd, &f) ? f.mount : NULL;
	return shim_find(dirfd, path);
}

int stat(const char *path, struct stat *st)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(AT_FDCWD, path);

	return m ? fill(m, st) : NEXT(stat)(shim_view(path, view), st);
}

int lstat(const char *path, struct stat *st)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(AT_FDCWD, path);

	return m ? fill(m, st) : NEXT(lstat)(shim_view(path, view), st);
}

int fstat(int fd, struct stat *st)
{
	struct shim_fd f;

	return shim_fd_get(fd, &f) ? fill(f.mount, st) : NEXT(fstat)(fd, st);
}

int fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	char view[PATH_MAX];
	struct shim_mount *m = find(dirfd, path, flags);

	return m ? fill(m, st) : NEXT(fstatat)(dirfd, shim_view(path, view), st, flags);
}

int statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *st)
{
	char view[PATH_MAX];
	struct shim_mount *m = find(dirfd, path, flags);

	return m ? fill_x(m, mask, st) : NEXT(statx)(dirfd, shim_view(path, view), flags, mask, st);
}

/* The same structure on 64-bit systems. */
int stat64(const char *path, struct stat64 *st) SAME_AS(stat);
int lstat64(const char *path, struct stat64 *st) SAME_AS(lstat);
int fstat64(int fd, struct stat64 *st) SAME_AS(fstat);
int fstatat64(int dirfd, const char *path, struct stat64 *st, int flags) SAME_AS(fstatat);

/* What programs call that were linked with a glibc older than 2.33. */
int __xstat(int version, const char *path, struct stat *st);
int __xstat(int version, const char *path, struct stat *st)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(AT_FDCWD, path);

	return m ? fill(m, st) : NEXT(__xstat)(version, shim_view(path, view), st);
}

int __lxstat(int version, const char *path, struct stat *st);
int __lxstat(int version, const char *path, struct stat *st)
{
	char view[PATH_MAX];
	struct shim_mount *m = shim_find(AT_FDCWD, path);

	return m ? fill(m, st) : NEXT(__lxstat)(version, shim_view(path, view), st);
}

int __fxstat(int version, int fd, struct stat *st);
int __fxstat(int version, int fd, struct stat *st)
{
	struct shim_fd f;

	return shim_fd_get(fd, &f) ? fill(f.mount, st) : NEXT(__fxstat)(version, fd, st);
}

int __fxstatat(int version, int dirfd, const char *path, struct stat *st, int flags);
int __fxstatat(int version, int dirfd, const char *path, struct stat *st, int flags)
{
	char view[PATH_MAX];
	struct shim_mount *m = find(dirfd, path, flags);

	return m ? fill(m, st) : NEXT(__fxstatat)(version, dirfd, shim_view(path, view), st, flags);
}

int __xstat64(int version, const char *path, struct stat *st) SAME_AS(__xstat);
int __lxstat64(int version, const char *path, struct stat *st) SAME_AS(__lxstat);
int __fxstat64(int version, int fd, struct stat *st) SAME_AS(__fxstat);
int __fxstatat64(int version, int dirfd, const char *path, struct stat *st, int flags)
	SAME_AS(__fxstatat);

/* ---- permissions ---- */

/* Of a file in sysfs the tree says it. */
static bool is_device(const struct shim_mount *m)
{
	return m && m->node != SHIM_SYSFS;
}

static int allowed(int mode)
{
	return (int)shim_result(mode & X_OK ? -EACCES : 0);
}

int access(const char *path, int mode)
{
	char view[PATH_MAX];

	return is_device(shim_find(AT_FDCWD, path)) ? allowed(mode)
						    : NEXT(access)(shim_view(path, view), mode);
}

int faccessat(int dirfd, const char *path, int mode, int flags)
{
	char view[PATH_MAX];

	return is_device(find(dirfd, path, flags))
		       ? allowed(mode)
		       : NEXT(faccessat)(dirfd, shim_view(path, view), mode, flags);
}

int euidaccess(const char *path, int mode)
{
	char view[PATH_MAX];

	return is_device(shim_find(AT_FDCWD, path)) ? allowed(mode)
						    : NEXT(euidaccess)(shim_view(path, view), mode);
}

int eaccess(const char *path, int mode) SAME_AS(euidaccess);
