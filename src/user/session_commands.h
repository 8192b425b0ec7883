/* SPDX-License-Identifier: MIT */
/* What a session does at each request, for session.c. */
#ifndef USER_SESSION_COMMANDS_H
#define USER_SESSION_COMMANDS_H

#include "user/session.h"

/**
 * struct reply - an answer that is being made
 * @body: room for @len bytes in the queue, NULL before reply_room()
 * @fds: go with it; stay their owners'
 * @given: one of them that is not kept, or -1
 */
struct reply {
	uint8_t *body;
	size_t len;
	int fds[USER_MAX_FDS];
	unsigned int num_fds;
	int given;
};

/** session_knows() - Return: is there such a command? */
bool session_knows(uint16_t command);

/**
 * session_command() - do what a request of a known command asks for
 * @r: its answer, @given -1 before; without a body it is a header alone
 *
 * Return: 0, or the error to answer with, a negative errno
 */
int session_command(struct session *s, struct message *m, struct reply *r);

#endif
