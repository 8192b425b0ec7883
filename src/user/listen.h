/* SPDX-License-Identifier: MIT */
/* Sockets at paths, for src/user/ alone. */
#ifndef USER_LISTEN_H
#define USER_LISTEN_H

#include <sys/stat.h>

#include <devfd/error.h>

/** struct user_place - a socket file of ours; @path NULL: none */
struct user_place {
	char *path;
	dev_t dev;
	ino_t ino;
};

/**
 * user_listen() - listen at a path
 * @mode: of the file
 * @place: receives what user_unplace() removes
 *
 * Return: an fd, or as dfd_server_add().
 */
int user_listen(const char *path, mode_t mode, struct user_place *place, struct dfd_error *err);

/** user_unplace() - remove the file, if it is still ours */
void user_unplace(struct user_place *place);

/** user_connect() - Return: a connected socket, -ENAMETOOLONG, or what connect() says */
int user_connect(const char *path);

#endif
