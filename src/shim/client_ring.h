/* SPDX-License-Identifier: MIT */
/* The ring of a connection, in the process of the program. client.c calls these with its lock. */
#ifndef SHIM_CLIENT_RING_H
#define SHIM_CLIENT_RING_H

#include <sys/types.h>

#include "ring/ring.h"

/**
 * struct client_socket - a connection
 * @inode: that of the socket, if @fd still is one of ours
 * @supervisor: the path that it was made by
 */
struct client_socket {
	int fd;
	ino_t inode;
	const char *supervisor;
};

/** client_socket_there() - Return: has the program left it alone? */
bool client_socket_there(const struct client_socket *s);

/** client_supervisor_there() - Return: false when nobody listens at that path any more */
bool client_supervisor_there(const char *supervisor);

/**
 * struct client_ring
 * @ours: the process that has joined; it has the memory that this one runs in, unless that is a
 * copy
 */
struct client_ring {
	struct ring ring;
	pid_t ours;
};

/** client_ring_join() - @memory stays the caller's; where it does not work there is no ring */
void client_ring_join(struct client_ring *r, int memory);

/** client_ring_leave() - none is fine */
void client_ring_leave(struct client_ring *r);

/**
 * client_ring_exchange() - ask, and wait for the answer
 * @writes: there are data in @q
 *
 * Return: 0; -EAGAIN when it was not done and can go by the socket; -EIO when there is no answer.
 */
int client_ring_exchange(struct client_ring *r, const struct client_socket *s, bool writes,
			 struct ring_request *q, struct ring_response *a);

#endif
