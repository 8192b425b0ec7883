/* SPDX-License-Identifier: MIT */
/*
 * What a program and the supervisor that has its devices say to each other.
 *
 * A connection belongs to one process. It sends a call and waits for the answer; each is one
 * message of a SOCK_SEQPACKET socket. Buffers and arguments stay in the memory of the program,
 * where the supervisor reads and writes them; new fds come with the answer. Both ends are of one
 * build, since `devfd run` brings the library along; nothing in a call is believed all the same.
 *
 * With the answer to SHIM_HELLO comes the memory of a ring (ring/ring.h), where there can be one.
 * Accesses of few bytes go that way, with their bytes, one call at a time by either way. A message
 * of one byte says that there is one and the supervisor asleep.
 */
#ifndef SHIM_PROTOCOL_H
#define SHIM_PROTOCOL_H

#include <stdint.h>

#include "shim/env.h"

/** enum shim_op - what is called */
enum shim_op {
	SHIM_HELLO, /* the first: @len is also at @addr, which shows whose memory is meant */
	SHIM_OPEN,  /* @path with @flags; an fd */
	SHIM_READ,  /* @len bytes from @off to @addr */
	SHIM_WRITE,
	SHIM_IOCTL, /* request @flags, argument @addr; for some requests an fd */
	SHIM_END,   /* where the file ends */
	SHIM_MAP,   /* @len bytes from @off, @flags 1: to be written; 0 with an fd, or 1 */
	SHIM_AREA,  /* of @path: the first shared memory in @len bytes from @off of @index */
	SHIM_LOAD,  /* of @path: @len bytes at @off of @index, to @off; @index: names @path */
	SHIM_STORE, /* the same from @addr */
};

/*
 * By the ring: SHIM_READ and SHIM_WRITE, whose object is an inode; SHIM_LOAD and SHIM_STORE, whose
 * object is the @index that an answer to one of them has given for a path.
 */

/* Bytes of one SHIM_READ or SHIM_WRITE, so that nobody waits long for another. */
#define SHIM_MAX_MOVE (UINT64_C(1) << 20)

/** struct shim_call - @inode: of the memfd of the fd that is meant */
struct shim_call {
	uint32_t op;
	uint32_t flags;
	uint64_t inode;
	uint64_t addr;
	uint64_t len;
	uint64_t off;
	uint32_t index;
	uint32_t pad;
	char path[SHIM_MAX_PATH];
};

/** struct shim_answer - @result: what the call returns, or a negative errno; @off: also a value */
struct shim_answer {
	int64_t result;
	uint64_t off;
	uint64_t within;
	uint64_t len;
	uint32_t index;
	uint32_t pad;
};

#endif
