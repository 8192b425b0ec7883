/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/sysfs.h"

int dfd_sysfs_text(int dir, const char *name, char *buf, size_t room)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int ret;

	if (fd < 0)
		return -errno;
	/* An attribute arrives whole in one read. */
	n = read(fd, buf, room - 1);
	ret = n < 0 ? -errno : (int)n;
	close(fd);
	if (ret < 0)
		return ret;
	if (ret && buf[ret - 1] == '\n')
		ret--;
	buf[ret] = '\0';
	return ret;
}

int dfd_sysfs_num(int dir, const char *name, int64_t *value)
{
	char text[32], *end;
	int ret = dfd_sysfs_text(dir, name, text, sizeof(text));

	if (ret < 0)
		return ret;
	errno = 0;
	*value = strtoll(text, &end, 0);
	return errno || end == text || *end ? -EBADMSG : 0;
}

int dfd_sysfs_link(int dir, const char *name, char *buf, size_t room)
{
	ssize_t n = readlinkat(dir, name, buf, room);

	if (n < 0)
		return -errno;
	if ((size_t)n == room)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 0;
}

int dfd_sysfs_link_name(int dir, const char *name, char *buf, size_t room)
{
	char target[PATH_MAX];
	const char *last;
	int ret = dfd_sysfs_link(dir, name, target, sizeof(target));

	if (ret)
		return ret;
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	if (strlen(last) >= room)
		return -ENAMETOOLONG;
	memcpy(buf, last, strlen(last) + 1);
	return 0;
}
