/* SPDX-License-Identifier: MIT */
/*
 * The rings of one loop that are looked at without sleeping.
 *
 * Theory of operation: a ring is asleep, and its client wakes the loop, or it is awake, in a list,
 * and looked at. It is awake from a request on until none has come for a while. Whoever has a loop
 * asks for a turn when something is awake: rings are looked at, and everything else that the loop
 * waits for in between, for as long as there are requests, or a millisecond.
 */
#ifndef RING_AWAKE_H
#define RING_AWAKE_H

#include "ring/ring.h"

/* Others are looked at only when their clients wake the loop. */
#define AWAKE_MAX 32u

/**
 * struct awake_ring - a ring, as a part of whoever has it
 * @listed: it is awake
 * @busy: there was a request since the time was looked at; @used: when there was one
 */
struct awake_ring {
	struct ring *ring;
	struct awake_ring *next;
	bool listed, busy;
	int64_t used;
};

/**
 * struct awake - those of a loop
 * @serve: take and answer a request, if there is one, and tell awake_used(). Return: 1, 0, or -1
 * when the ring has gone, with what it was a part of
 * @polls: the loop never sleeps, so that no client has to wake it
 */
struct awake {
	struct awake_ring *first;
	unsigned int count;
	int (*serve)(struct awake_ring *r);
	bool polls;
};

/** awake_used() - there was a request, so it is looked at from now on */
void awake_used(struct awake *a, struct awake_ring *r);

/** awake_forget() - it goes, awake or not */
void awake_forget(struct awake *a, struct awake_ring *r);

/**
 * awake_look() - look at all that are awake for some microseconds; idle ones fall asleep
 * @now: as ring_now_ns()
 */
void awake_look(struct awake *a, int64_t now);

/**
 * awake_turn() - look as long as some are awake, but a millisecond at most; then clients have to
 * wake the loop again
 * @others: sees to everything else, without sleeping. Return: 0 to go on
 *
 * Return: what @others has returned.
 */
int awake_turn(struct awake *a, int (*others)(void *ctx), void *ctx);

#endif
