/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/listen.h"

#define BACKLOG	    8
#define PATIENCE    10
#define PATIENCE_US 10000

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
		return dfd_error_set(err, -EEXIST, "%s: there is a file that is no socket", path);
	/* A server that is just starting has the file, and listens a moment later. */
	for (int i = 0; (fd = user_connect(path)) == -ECONNREFUSED && i < PATIENCE; i++)
		usleep(PATIENCE_US);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN)
		return dfd_error_set(err, -EADDRINUSE, "%s: somebody listens there already", path);
	if (fd != -ECONNREFUSED)
		return dfd_error_set(err, fd, "%s: %s", path, strerror(-fd));
	if (unlink(path) && errno != ENOENT)
		return dfd_error_set(err, -errno, "%s: an old socket cannot be removed: %m", path);
	return 0;
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
	*place = (struct user_place){ strdup(address->sun_path), st.st_dev, st.st_ino };
	return place->path ? 0 : -ENOMEM;
}

int user_listen(const char *path, mode_t mode, struct user_place *place, struct dfd_error *err)
{
	struct sockaddr_un address;
	int fd, ret = make_room(path, err);

	if (ret)
		return ret;
	fd = make_socket(path, &address);
	if (fd < 0)
		return dfd_error_set(err, fd, "%s: %s", path, strerror(-fd));
	ret = bind_at(fd, &address, mode, place);
	if (!ret)
		return fd;
	close(fd);
	return dfd_error_set(err, ret, "%s: %s", path, strerror(-ret));
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
