/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fileio.h"

/* Read until the end of the file or until @room is full. */
static ssize_t read_all(int fd, char *buf, size_t room)
{
	size_t got = 0;

	while (got < room) {
		ssize_t n = read(fd, buf + got, room - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int dfd_read_file(const char *path, size_t max, void **buf, size_t *len, struct dfd_error *err)
{
	char *mem;
	ssize_t got;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return dfd_error_set(err, -errno, "%s: cannot be opened: %m", path);
	mem = malloc(max + 1);
	got = mem ? read_all(fd, mem, max + 1) : -ENOMEM;
	close(fd);
	if (got >= 0 && (size_t)got <= max) {
		*buf = realloc(mem, (size_t)got + 1);
		if (!*buf)
			*buf = mem;
		*len = (size_t)got;
		return 0;
	}
	free(mem);
	if (got >= 0)
		return dfd_error_set(err, -EFBIG, "%s: is larger than %zu bytes", path, max);
	errno = (int)-got;
	return dfd_error_set(err, (int)got, "%s: cannot be read: %m", path);
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

/* A new file beside @path, with the permissions that the umask leaves. */
static int create_beside(const char *path, char *name, size_t room)
{
	uint32_t salt;
	int n, fd;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		return -EIO;
	n = snprintf(name, room, "%s.%08x.tmp", path, salt);
	if (n < 0 || (size_t)n >= room)
		return -ENAMETOOLONG;
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

int dfd_replace_file(const char *path, const void *buf, size_t len, struct dfd_error *err)
{
	char name[PATH_MAX];
	struct stat st;
	int fd, ret;

	/* rename() would put the file in the place of a device node or a link. */
	if (!lstat(path, &st) && !S_ISREG(st.st_mode))
		return dfd_error_set(err, -EINVAL,
				     "%s: is not a regular file: name a new file or one to replace",
				     path);
	fd = create_beside(path, name, sizeof(name));
	if (fd < 0) {
		errno = -fd;
		return dfd_error_set(err, fd, "%s: cannot be created: %m", path);
	}
	ret = write_all(fd, buf, len);
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && rename(name, path))
		ret = -errno;
	if (!ret)
		return 0;
	unlink(name);
	errno = -ret;
	return dfd_error_set(err, ret, "%s: cannot be written: %m", path);
}
