/* SPDX-License-Identifier: MIT */
/*
 * Accesses of few bytes by the ring, from the program's end.
 *
 * Theory of operation: as long as the supervisor looks, an access needs no system call, so nothing
 * is asked that only the kernel knows. A child of fork() must not use the ring of its parent: the
 * memory has another owner then (shim_owner()). A child of vfork() has the memory of its parent,
 * and may.
 *
 * Where the supervisor sleeps it is woken by a byte in the socket, which otherwise only tells
 * whether there still is a supervisor. The program may have closed it. A supervisor that sees that,
 * or finds something wrong, ends the connection and says so in the ring (`look`), and what is in
 * there unanswered is not done. With one that was killed nobody knows whether it was. Without the
 * socket the path tells that it was killed.
 *
 * System calls are as they are: those of libc are points where a thread may be cancelled, and the
 * functions that map memory take locks of their own.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/client_ring.h"
#include "shim/shim.h"

/* The futex cannot tell that the supervisor has gone, so the socket is asked that often. */
#define SLICE_MS 10
/* Where the program has closed the socket, the supervisor has so long to see it: 10 s. */
#define LAST_SLICE 1000u

bool client_socket_there(const struct client_socket *s)
{
	struct stat st;

	return !NEXT(fstat)(s->fd, &st) && S_ISSOCK(st.st_mode) && st.st_ino == s->inode;
}

/* ---- joining ---- */

/* A sandbox may forbid it; who cannot sleep would look for ever. */
static bool may_sleep(struct ring *r)
{
	return NEXT(syscall)(SYS_futex, &r->shared->response.seq, FUTEX_WAKE, 0, NULL, NULL, 0) >=
	       0;
}

void client_ring_join(struct client_ring *r, int memory)
{
	if (ring_join_memory(&r->ring, memory))
		return;
	r->ours = shim_owner();
	if (r->ours <= 0 || !may_sleep(&r->ring))
		client_ring_leave(r);
}

void client_ring_leave(struct client_ring *r)
{
	if (r->ring.shared)
		NEXT(munmap)(r->ring.shared, sizeof(*r->ring.shared));
	*r = (struct client_ring){ .ring = RING_NONE };
}

/* ---- asking ---- */

static void wake_supervisor(const struct client_socket *s)
{
	const char any = 0;

	(void)!NEXT(syscall)(SYS_sendto, s->fd, &any, sizeof(any), MSG_NOSIGNAL, NULL, 0);
}

static bool hung_up(const struct client_socket *s, unsigned int slice)
{
	char any;

	if (!client_socket_there(s))
		return slice == LAST_SLICE || !client_supervisor_there(s->supervisor);
	return NEXT(syscall)(SYS_recvfrom, s->fd, &any, sizeof(any), MSG_PEEK | MSG_DONTWAIT, NULL,
			     NULL) >= 0 ||
	       errno != EAGAIN;
}

/* Nobody answers any more: was it done? */
static int last_look(struct ring *r, struct ring_response *a)
{
	const bool ended = ring_must_look(r);
	int ret = ring_answered(r, a);

	return ret || !ended ? ret : -EAGAIN;
}

int client_ring_exchange(struct client_ring *cr, const struct client_socket *s, bool writes,
			 struct ring_request *q, struct ring_response *a)
{
	struct ring *r = &cr->ring;
	unsigned int slice = 0;
	bool slept;
	int ret;

	if (!cr->ours || cr->ours != shim_owner())
		return -EAGAIN;
	slept = ring_sleeps(r);
	if (slept && !client_socket_there(s))
		return -EAGAIN;
	if (ring_publish(r, q, writes ? q->access.count : 0) && (slept || client_socket_there(s)))
		wake_supervisor(s);
	while (!(ret = ring_spin(r, a)) && !ring_must_look(r) && !hung_up(s, slice++))
		ring_wait(r, SLICE_MS);
	if (!ret)
		ret = last_look(r, a);
	return ret > 0 ? 0 : ret == -EAGAIN ? ret : -EIO;
}
