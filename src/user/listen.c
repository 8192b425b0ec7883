/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: whoever finds a socket file finds a server. So the socket listens before it
 * gets its name: it is made as PATH~ and renamed. Two servers that start at once, or find what a
 * third one has left, do that one after the other, under a lock on the folder; a lock file would be
 * one more thing to be left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/listen.h"

#define BACKLOG	    8
#define PATIENCE    1000
#define PATIENCE_US 10000
#define PATH_LEN    sizeof(((struct sockaddr_un *)0)->sun_path)

/* Return: a socket for that address, or a negative errno */
static int make_socket(const char *path, struct sockaddr_un *address)
{
	int fd;

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path)
		return -ENOENT;
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int user_connect(const char *path)
{
	struct sockaddr_un address;
	int fd = make_socket(path, &address);

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	return fd;
}

/* What an ended server has left is removed; a file that is no socket and a live server are not. */
static int make_room(const char *path, struct dfd_error *err)
{
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : dfd_error_set(err, -errno, "%s: %m", path);
	if (!S_ISSOCK(st.st_mode))
		return dfd_error_set(err, -EEXIST,
				     "%s: there is a file that is no socket; name another path, or "
				     "remove it",
				     path);
	fd = user_connect(path);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN)
		return dfd_error_set(
			err, -EADDRINUSE,
			"%s: somebody listens there already; name another path, or end that "
			"server",
			path);
	if (fd != -ECONNREFUSED)
		return dfd_error_set(err, fd, "%s: %s", path, strerror(-fd));
	if (unlink(path) && errno != ENOENT)
		return dfd_error_set(err, -errno, "%s: an old socket cannot be removed: %m", path);
	return 0;
}

/* Return: an fd of the folder of @path, locked until it is closed, or a negative errno */
static int lock_folder(const char *path, struct dfd_error *err)
{
	char folder[PATH_LEN];
	const char *slash = strrchr(path, '/');
	int fd, ret;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		 slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return dfd_error_set(
			err, -errno,
			"%s: its folder %s: %m; name a path in one that is there and open to "
			"this user",
			path, folder);
	for (int i = 0; (ret = flock(fd, LOCK_EX | LOCK_NB)) && i < PATIENCE; i++)
		usleep(PATIENCE_US);
	if (ret) {
		ret = dfd_error_set(err, -errno, "%s: its folder is locked: %m", path);
		close(fd);
		return ret;
	}
	return fd;
}

/* The mode is set before the file exists, so that it is never wider than asked for. */
static int bind_at(int fd, const struct sockaddr_un *address, mode_t mode, struct user_place *place)
{
	struct stat st;

	if (fchmod(fd, mode) || bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -errno;
	if (chmod(address->sun_path, mode) || listen(fd, BACKLOG) ||
	    lstat(address->sun_path, &st)) {
		int ret = -errno;

		unlink(address->sun_path);
		return ret;
	}
	place->dev = st.st_dev;
	place->ino = st.st_ino;
	return 0;
}

/* With the folder locked. @before: the name under which the socket is made */
static int listen_at(const char *path, const char *before, mode_t mode, struct user_place *place,
		     struct dfd_error *err)
{
	struct sockaddr_un address;
	int fd, ret = make_room(path, err);

	if (!ret)
		ret = make_room(before, err);
	if (ret)
		return ret;
	fd = make_socket(before, &address);
	if (fd < 0)
		return dfd_error_set(err, fd, "%s: %s", path, strerror(-fd));
	ret = bind_at(fd, &address, mode, place);
	if (!ret && rename(before, path)) {
		ret = -errno;
		unlink(before);
	}
	if (!ret)
		return fd;
	close(fd);
	return dfd_error_set(err, ret, "%s: no socket can be made there: %s; name another path",
			     path, strerror(-ret));
}

int user_listen(const char *path, mode_t mode, struct user_place *place, struct dfd_error *err)
{
	char before[PATH_LEN + 1];
	int lock, fd;

	if (!*path)
		return dfd_error_set(
			err, -ENOENT,
			"the path of a socket is empty; name a file, such as ./edu.sock");
	if (strlen(path) + sizeof("~") > PATH_LEN)
		return dfd_error_set(
			err, -ENAMETOOLONG,
			"%s: too long for a socket, whose path has %zu characters at most", path,
			PATH_LEN - sizeof("~"));
	lock = lock_folder(path, err);
	if (lock < 0)
		return lock;
	*place = (struct user_place){ .path = strdup(path) };
	snprintf(before, sizeof(before), "%s~", path);
	fd = place->path ? listen_at(path, before, mode, place, err)
			 : dfd_error_set(err, -ENOMEM, "%s: out of memory", path);
	close(lock);
	if (fd < 0) {
		free(place->path);
		place->path = NULL;
	}
	return fd;
}

void user_unplace(struct user_place *place)
{
	struct stat st;

	if (place->path && !lstat(place->path, &st) && st.st_dev == place->dev &&
	    st.st_ino == place->ino)
		unlink(place->path);
	free(place->path);
	place->path = NULL;
}
