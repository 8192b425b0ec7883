/* SPDX-License-Identifier: MIT */
/*
 * Registers without a socket: one request and its answer in memory that both ends have. Served
 * devices (src/user/) and those of unmodified programs (src/shim/) have it beside their sockets;
 * docs/architecture.md says how it is agreed on and ordered.
 */
#ifndef RING_RING_H
#define RING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The layout below, as both ends of vfio-user name it in VERSION. */
#define RING_LAYOUT 1u
/* Registers; what is longer goes by the socket. */
#define RING_MAX_DATA 32u

/** struct ring_access - a part of a region, in bytes */
struct ring_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

/**
 * struct ring_request - written by the client, in one cache line
 * @seq: one more than that of the last request; written last
 * @command: a number that both ends know
 * @cpu: where the client runs; only a hint
 * @position: bytes that the client had sent by the socket; or
 * @object: what is accessed, where one client has many
 */
struct ring_request {
	uint32_t seq;
	uint16_t command;
	uint16_t cpu;
	union {
		uint64_t position;
		uint64_t object;
	};
	struct ring_access access;
	uint8_t data[RING_MAX_DATA];
};

/**
 * struct ring_response - written by the server, in one cache line
 * @seq: that of the request; written last; clients wait on it as a futex
 * @error: an errno or 0
 * @position: bytes that the server had sent by the socket; or
 * @moved: bytes that were accessed, where they may be fewer
 * @cpu: where the server runs; only a hint
 */
struct ring_response {
	uint32_t seq;
	uint16_t error;
	uint16_t cpu;
	union {
		uint64_t position;
		uint64_t moved;
	};
	uint8_t data[RING_MAX_DATA];
	uint8_t unused[16];
};

/**
 * struct ring_memory - what is shared
 * @asleep: the server does not look here: the eventfd wakes it
 * @look: the server waits for the client to take what is in the socket
 * @waiting: the client waits on the futex
 *
 * Two lines of a cache apart, because they are fetched in pairs.
 */
struct ring_memory {
	_Alignas(128) struct ring_request request;
	_Alignas(128) struct ring_response response;
	_Alignas(128) uint32_t asleep;
	uint32_t look;
	_Alignas(128) uint32_t waiting;
};

/**
 * struct ring - one end of it
 * @shared: NULL when there is none
 * @fd: of the memory, at the server; -1 at the client
 * @bell: this end's socket of the bell; -1 where users have another way to wake the server
 * @far_bell: the client's, at the server, until it is sent
 * @seq: of the last request
 * @crowded: the other end ran on this processor, so that looking here only keeps it from its work
 */
struct ring {
	struct ring_memory *shared;
	int fd;
	int bell;
	int far_bell;
	uint32_t seq;
	bool crowded;
};

#define RING_NONE                                                                                  \
	{                                                                                          \
		.fd = -1, .bell = -1, .far_bell = -1                                               \
	}

/** ring_create() - at the server. Return: 0, -ENOMEM, -EMFILE; @r has no ring then */
int ring_create(struct ring *r);

/** ring_create_memory() - the same without a bell */
int ring_create_memory(struct ring *r);

/**
 * ring_join() - at the client
 * @fds: memory and bell, as the server has sent them; stay the caller's
 *
 * Return: 0; -EPROTO for fds that are something else; -ENOMEM, -EMFILE.
 */
int ring_join(struct ring *r, const int fds[2]);

/** ring_join_memory() - the same without a bell */
int ring_join_memory(struct ring *r, int fd);

/** ring_finish() - NULL memory is fine */
void ring_finish(struct ring *r);

/* ---- the client ---- */

/**
 * ring_publish() - put a request where the server sees it
 * @q: its seq and cpu are filled in
 * @len: of the data, at most RING_MAX_DATA
 *
 * Return: true when the server sleeps, and has to be woken.
 */
bool ring_publish(struct ring *r, struct ring_request *q, uint32_t len);

/** ring_sleeps() - Return: must the server be woken? Not for long, but when it says so itself */
bool ring_sleeps(const struct ring *r);

/** ring_ask() - publish a request, and wake the server by the bell where it sleeps */
void ring_ask(struct ring *r, struct ring_request *q, uint32_t len);

/** ring_answered() - Return: 1 with the answer to the last request, 0 not yet, -EPROTO */
int ring_answered(struct ring *r, struct ring_response *a);

/** ring_spin() - as ring_answered(), but looks for a while that is worth no sleep */
int ring_spin(struct ring *r, struct ring_response *a);

/** ring_must_look() - Return: does the server wait for the socket to be read? */
bool ring_must_look(const struct ring *r);

/** ring_wait() - sleep until the server answers or has us look, or @ms have passed */
void ring_wait(struct ring *r, unsigned int ms);

/* ---- the server ---- */

/** ring_asked() - Return: 1 with a request that is not answered, 0 for none, -EPROTO */
int ring_asked(struct ring *r, struct ring_request *q);

/**
 * ring_answer() - answer the request that ring_asked() has found
 * @a: its seq and cpu are filled in
 * @len: of the data, at most RING_MAX_DATA
 */
void ring_answer(struct ring *r, struct ring_response *a, uint32_t len);

/** ring_look() - have the client read the socket before it is answered */
void ring_look(struct ring *r);

/** ring_hear() - take what the client has rung */
void ring_hear(struct ring *r);

/**
 * ring_asleep() - say whether the bell must be rung
 *
 * Return: true when a request waits, which came too early to ring it.
 */
bool ring_asleep(struct ring *r, bool asleep);

/** ring_now_ns() - Return: the monotonic clock */
int64_t ring_now_ns(void);

/** ring_pause() - between two looks at memory that another processor writes */
static inline void ring_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
