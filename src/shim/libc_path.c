/* SPDX-License-Identifier: MIT */
/*
 * The functions of libc that follow paths to something else than a file's contents or status. They
 * do in the view what they would do in sysfs, so that none touches the machine's by mistake.
 */
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "shim/shim.h"

/* A function whose argument "path" is led into the view; the last arguments are those of a call. */
#define BY_PATH(type, name, params, ...)                                                           \
	type name params                                                                           \
	{                                                                                          \
		char view[PATH_MAX];                                                               \
                                                                                                   \
		return NEXT(name)(__VA_ARGS__);                                                    \
	}                                                                                          \
	extern __typeof__(name) name
#define VIEWED shim_view(path, view)

/* The same with "from" and "to". */
#define BY_PATHS(type, name, params, ...)                                                          \
	type name params                                                                           \
	{                                                                                          \
		char from_view[PATH_MAX], to_view[PATH_MAX];                                       \
                                                                                                   \
		return NEXT(name)(__VA_ARGS__);                                                    \
	}                                                                                          \
	extern __typeof__(name) name
#define FROM shim_view(from, from_view)
#define TO   shim_view(to, to_view)

/* ---- where a path leads ---- */

BY_PATH(int, chdir, (const char *path), VIEWED);

/* What a link of /proc says is a path of this machine, as all others are relative. */
static ssize_t seen_link(char *buf, ssize_t n)
{
	return n < 0 ? n : (ssize_t)shim_unview_bytes(buf, (size_t)n);
}

ssize_t readlink(const char *path, char *buf, size_t size)
{
	char view[PATH_MAX];

	return seen_link(buf, NEXT(readlink)(VIEWED, buf, size));
}

ssize_t readlinkat(int dirfd, const char *path, char *buf, size_t size)
{
	char view[PATH_MAX];

	return seen_link(buf, NEXT(readlinkat)(dirfd, VIEWED, buf, size));
}

char *realpath(const char *path, char *resolved)
{
	char view[PATH_MAX];

	return shim_unview(NEXT(realpath)(VIEWED, resolved));
}

char *canonicalize_file_name(const char *path)
{
	char view[PATH_MAX];

	return shim_unview(NEXT(canonicalize_file_name)(VIEWED));
}

char *getcwd(char *buf, size_t size)
{
	return shim_unview(NEXT(getcwd)(buf, size));
}

char *get_current_dir_name(void)
{
	return shim_unview(NEXT(get_current_dir_name)());
}

/* Obsolete, and not declared to be: its buffer has PATH_MAX bytes. */
char *getwd(char *buf)
{
	return getcwd(buf, PATH_MAX);
}

/* ---- directories and names ---- */

BY_PATH(int, mkdir, (const char *path, mode_t mode), VIEWED, mode);
BY_PATH(int, mkdirat, (int dirfd, const char *path, mode_t mode), dirfd, VIEWED, mode);
BY_PATH(int, mkfifo, (const char *path, mode_t mode), VIEWED, mode);
BY_PATH(int, mkfifoat, (int dirfd, const char *path, mode_t mode), dirfd, VIEWED, mode);
BY_PATH(int, mknod, (const char *path, mode_t mode, dev_t dev), VIEWED, mode, dev);
BY_PATH(int, mknodat, (int dirfd, const char *path, mode_t mode, dev_t dev), dirfd, VIEWED, mode,
	dev);
BY_PATH(int, rmdir, (const char *path), VIEWED);
BY_PATH(int, unlink, (const char *path), VIEWED);
BY_PATH(int, unlinkat, (int dirfd, const char *path, int flags), dirfd, VIEWED, flags);
BY_PATH(int, remove, (const char *path), VIEWED);
BY_PATHS(int, link, (const char *from, const char *to), FROM, TO);
BY_PATHS(int, linkat, (int fd, const char *from, int fd2, const char *to, int flags), fd, FROM, fd2,
	 TO, flags);
BY_PATHS(int, rename, (const char *from, const char *to), FROM, TO);
BY_PATHS(int, renameat, (int fd, const char *from, int fd2, const char *to), fd, FROM, fd2, TO);
BY_PATHS(int, renameat2, (int fd, const char *from, int fd2, const char *to, unsigned int flags),
	 fd, FROM, fd2, TO, flags);
/* What a link says is not followed when it is made. */
BY_PATH(int, symlink, (const char *to, const char *path), to, VIEWED);
BY_PATH(int, symlinkat, (const char *to, int dirfd, const char *path), to, dirfd, VIEWED);

/* ---- what is known about a file, and who may have it ---- */

BY_PATH(int, chmod, (const char *path, mode_t mode), VIEWED, mode);
BY_PATH(int, lchmod, (const char *path, mode_t mode), VIEWED, mode);
BY_PATH(int, fchmodat, (int dirfd, const char *path, mode_t mode, int flags), dirfd, VIEWED, mode,
	flags);
BY_PATH(int, chown, (const char *path, uid_t uid, gid_t gid), VIEWED, uid, gid);
BY_PATH(int, lchown, (const char *path, uid_t uid, gid_t gid), VIEWED, uid, gid);
BY_PATH(int, fchownat, (int dirfd, const char *path, uid_t uid, gid_t gid, int flags), dirfd,
	VIEWED, uid, gid, flags);
BY_PATH(int, truncate, (const char *path, off_t size), VIEWED, size);
int truncate64(const char *path, off64_t size) SAME_AS(truncate);
BY_PATH(int, utime, (const char *path, const struct utimbuf *times), VIEWED, times);
BY_PATH(int, utimes, (const char *path, const struct timeval times[2]), VIEWED, times);
BY_PATH(int, lutimes, (const char *path, const struct timeval times[2]), VIEWED, times);
BY_PATH(int, futimesat, (int dirfd, const char *path, const struct timeval times[2]), dirfd, VIEWED,
	times);
BY_PATH(int, utimensat, (int dirfd, const char *path, const struct timespec times[2], int flags),
	dirfd, VIEWED, times, flags);
BY_PATH(long, pathconf, (const char *path, int name), VIEWED, name);
BY_PATH(int, statfs, (const char *path, struct statfs *st), VIEWED, st);
BY_PATH(int, statvfs, (const char *path, struct statvfs *st), VIEWED, st);
/* The same structures on 64-bit systems. */
int statfs64(const char *path, struct statfs64 *st) SAME_AS(statfs);
int statvfs64(const char *path, struct statvfs64 *st) SAME_AS(statvfs);

BY_PATH(ssize_t, getxattr, (const char *path, const char *name, void *value, size_t size), VIEWED,
	name, value, size);
BY_PATH(ssize_t, lgetxattr, (const char *path, const char *name, void *value, size_t size), VIEWED,
	name, value, size);
BY_PATH(ssize_t, listxattr, (const char *path, char *list, size_t size), VIEWED, list, size);
BY_PATH(ssize_t, llistxattr, (const char *path, char *list, size_t size), VIEWED, list, size);
BY_PATH(int, setxattr,
	(const char *path, const char *name, const void *value, size_t size, int flags), VIEWED,
	name, value, size, flags);
BY_PATH(int, lsetxattr,
	(const char *path, const char *name, const void *value, size_t size, int flags), VIEWED,
	name, value, size, flags);
BY_PATH(int, removexattr, (const char *path, const char *name), VIEWED, name);
BY_PATH(int, lremovexattr, (const char *path, const char *name), VIEWED, name);

BY_PATH(key_t, ftok, (const char *path, int id), VIEWED, id);
BY_PATH(int, inotify_add_watch, (int fd, const char *path, uint32_t mask), fd, VIEWED, mask);
BY_PATH(int, fanotify_mark,
	(int fd, unsigned int flags, uint64_t mask, int dirfd, const char *path), fd, flags, mask,
	dirfd, VIEWED);
BY_PATH(int, name_to_handle_at,
	(int dirfd, const char *path, struct file_handle *handle, int *mount, int flags), dirfd,
	VIEWED, handle, mount, flags);

/* ---- what a program that is started finds ---- */

BY_PATH(int, posix_spawn_file_actions_addchdir_np,
	(posix_spawn_file_actions_t * actions, const char *path), actions, VIEWED);

/*
 * Opened inside libc, when the program is started: a device by the name that its memfd has here. So
 * one fd of it stays open for good.
 */
int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd, const char *path,
				     int flags, mode_t mode)
{
	struct shim_mount *m = shim_find(AT_FDCWD, path);
	char view[PATH_MAX];
	int ret = m ? shim_stdio_keep(m, flags & O_ACCMODE, view, sizeof(view)) : 0;

	if (ret)
		return -ret;
	return NEXT(posix_spawn_file_actions_addopen)(
		actions, fd, m ? view : VIEWED, m ? flags & ~(O_CREAT | O_TRUNC) : flags, mode);
}

/* ---- what programs built with _FORTIFY_SOURCE or long ago call ---- */

int __xmknod(int version, const char *path, mode_t mode, dev_t *dev);
BY_PATH(int, __xmknod, (int version, const char *path, mode_t mode, dev_t *dev), version, VIEWED,
	mode, dev);
int __xmknodat(int version, int dirfd, const char *path, mode_t mode, dev_t *dev);
BY_PATH(int, __xmknodat, (int version, int dirfd, const char *path, mode_t mode, dev_t *dev),
	version, dirfd, VIEWED, mode, dev);

char *__realpath_chk(const char *path, char *resolved, size_t room);
char *__realpath_chk(const char *path, char *resolved, size_t room)
{
	char view[PATH_MAX];

	return shim_unview(NEXT(__realpath_chk)(VIEWED, resolved, room));
}

ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t room);
ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t room)
{
	char view[PATH_MAX];

	return seen_link(buf, NEXT(__readlink_chk)(VIEWED, buf, size, room));
}

ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t room);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t room)
{
	char view[PATH_MAX];

	return seen_link(buf, NEXT(__readlinkat_chk)(dirfd, VIEWED, buf, size, room));
}

char *__getcwd_chk(char *buf, size_t size, size_t room);
char *__getcwd_chk(char *buf, size_t size, size_t room)
{
	return shim_unview(NEXT(__getcwd_chk)(buf, size, room));
}

char *__getwd_chk(char *buf, size_t room);
char *__getwd_chk(char *buf, size_t room)
{
	return __getcwd_chk(buf, PATH_MAX, room);
}
