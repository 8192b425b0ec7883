/* SPDX-License-Identifier: MIT */
/* See the theory of operation in awake.h. */
#include <sched.h>

#include "ring/awake.h"

/* So long a ring is looked at after its last request, in ns. */
#define IDLE INT64_C(50000)
/* After that time whoever has called gets control again. */
#define TURN INT64_C(1000000)
/* Looks at rings, or answers, before all others get their turn: a few microseconds. */
#define LOOKS	64
#define ANSWERS 32

void awake_used(struct awake *a, struct awake_ring *r)
{
	r->busy = true;
	if (r->listed || a->count == AWAKE_MAX)
		return;
	r->listed = true;
	r->next = a->first;
	a->first = r;
	a->count++;
}

static void take_out(struct awake *a, struct awake_ring **at)
{
	(*at)->listed = false;
	*at = (*at)->next;
	a->count--;
}

void awake_forget(struct awake *a, struct awake_ring *r)
{
	struct awake_ring **at = &a->first;

	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		take_out(a, at);
}

static void look_at_all(struct awake *a)
{
	bool crowded = false;
	int answers = 0;

	for (int i = 0; i < LOOKS && answers < ANSWERS && !crowded; i++) {
		/* Who looks without a pause takes the line from a client that is still writing. */
		ring_pause();
		for (struct awake_ring *r = a->first, *next; r; r = next) {
			int served;

			next = r->next; /* the client may have to go */
			served = a->serve(r);
			if (served < 0)
				continue;
			answers += served;
			crowded |= r->ring->crowded;
		}
	}
	/* A client waits for this very processor. */
	if (crowded)
		sched_yield();
}

/* Nobody looks any more, so clients have to ring; what came too early for that is not missed. */
static void rest(struct awake *a, struct awake_ring *r)
{
	if (!a->polls && ring_asleep(r->ring, true))
		a->serve(r);
}

static void rest_if_idle(struct awake *a, int64_t now)
{
	for (struct awake_ring **at = &a->first, *r; (r = *at);) {
		if (r->busy)
			r->used = now;
		r->busy = false;
		if (now - r->used < IDLE) {
			at = &r->next;
			continue;
		}
		take_out(a, at);
		rest(a, r);
	}
}

void awake_look(struct awake *a, int64_t now)
{
	look_at_all(a);
	rest_if_idle(a, now);
}

int awake_turn(struct awake *a, int (*others)(void *ctx), void *ctx)
{
	int64_t now = ring_now_ns(), end = now + TURN;
	int ret = 0;

	for (struct awake_ring *r = a->first; r; r = r->next)
		ring_asleep(r->ring, false);
	for (; a->first && !ret && now < end; now = ring_now_ns()) {
		awake_look(a, now);
		ret = others(ctx);
	}
	for (struct awake_ring *r = a->first, *next; r; r = next) {
		next = r->next;
		rest(a, r);
	}
	return ret;
}
