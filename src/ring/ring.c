/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a request and its answer have a cache line each, which only one end writes.
 * The sequence number at the front is written last and read first. Whoever goes to sleep says so,
 * then looks again; the other one publishes, then looks whether someone sleeps. With a full barrier
 * between the two at both ends, one of them sees the other.
 *
 * Everything in the memory may change at any time, because the other end is a stranger. It is
 * copied once, and only the copy is looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ring/ring.h"

#define LINE_WORDS 8
/* A client looks so long for an answer; the first part of it without letting others run. */
#define SPIN_NS	 50000
#define EAGER_NS 3000
/* Looks between two questions for the time. */
#define LOOKS 32
/* Rings taken in one go: more than a socket holds, unless somebody makes noise. */
#define MAX_HEARD 64

_Static_assert(sizeof(struct ring_request) == LINE_WORDS * 8, "one cache line");
_Static_assert(sizeof(struct ring_response) == LINE_WORDS * 8, "one cache line");

/* ---- memory ---- */

/* All but the sequence number, word by word, so that what is torn is torn at known places. */
static void line_load(void *to, const void *from)
{
	const uint64_t *words = from;
	uint64_t local[LINE_WORDS];
	uint32_t half = __atomic_load_n((const uint32_t *)from + 1, __ATOMIC_RELAXED);

	for (int i = 1; i < LINE_WORDS; i++)
		local[i] = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
	memcpy((uint8_t *)to + 4, &half, sizeof(half));
	memcpy((uint8_t *)to + 8, &local[1], sizeof(local) - sizeof(*local));
}

/* The fewer words are written, the less often the other end takes the line away meanwhile. */
static void line_store(void *to, const void *from, size_t len)
{
	uint64_t *words = to, local[LINE_WORDS];
	uint32_t head[2];

	memcpy(local, from, sizeof(local));
	memcpy(head, from, sizeof(head));
	__atomic_store_n((uint32_t *)to + 1, head[1], __ATOMIC_RELAXED);
	for (size_t i = 1; i < (len + 7) / 8; i++)
		__atomic_store_n(&words[i], local[i], __ATOMIC_RELAXED);
	__atomic_store_n((uint32_t *)to, head[0], __ATOMIC_RELEASE);
}

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* ... and nothing behind it is done before others see it. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it is written to */
static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
}

static void wake(struct ring *r)
{
	syscall(SYS_futex, &r->shared->response.seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static uint16_t this_cpu(void)
{
	return (uint16_t)sched_getcpu();
}

/* ---- life ---- */

static int map(struct ring *r, int fd)
{
	void *memory = mmap(NULL, sizeof(*r->shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	r->shared = memory;
	return 0;
}

/* A socket is the one thing that can be told with each write not to block. */
static int make_bell(struct ring *r)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
		return -errno;
	r->bell = ends[0];
	r->far_bell = ends[1];
	return 0;
}

int ring_create_memory(struct ring *r)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int ret = 0;

	*r = (struct ring){ .fd = memfd_create("devfd-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING),
			    .bell = -1,
			    .far_bell = -1 };
	if (r->fd < 0 || ftruncate(r->fd, sizeof(*r->shared)) || fcntl(r->fd, F_ADD_SEALS, seals))
		ret = -errno;
	if (!ret)
		ret = map(r, r->fd);
	if (ret)
		ring_finish(r);
	else
		ring_asleep(r, true);
	return ret;
}

int ring_create(struct ring *r)
{
	int ret = ring_create_memory(r);

	if (!ret)
		ret = make_bell(r);
	if (ret)
		ring_finish(r);
	return ret;
}

static bool is_socket(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISSOCK(st.st_mode);
}

int ring_join_memory(struct ring *r, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS), ret;
	struct stat st;

	*r = (struct ring)RING_NONE;
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) ||
	    st.st_size < (off_t)sizeof(*r->shared))
		return -EPROTO;
	ret = map(r, fd);
	return ret && ret != -ENOMEM ? -EPROTO : ret;
}

int ring_join(struct ring *r, const int fds[2])
{
	int ret;

	*r = (struct ring)RING_NONE;
	ret = is_socket(fds[1]) ? ring_join_memory(r, fds[0]) : -EPROTO;
	if (ret)
		return ret;
	r->bell = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
	if (r->bell < 0) {
		ret = -errno;
		ring_finish(r);
	}
	return ret;
}

void ring_finish(struct ring *r)
{
	if (r->shared)
		munmap(r->shared, sizeof(*r->shared));
	if (r->fd >= 0)
		close(r->fd);
	if (r->bell >= 0)
		close(r->bell);
	if (r->far_bell >= 0)
		close(r->far_bell);
	*r = (struct ring)RING_NONE;
}

/* ---- the client ---- */

/* What cannot be sent for want of room need not be: the server has been told. */
static void ring_the_bell(const struct ring *r)
{
	const char any = 0;

	if (send(r->bell, &any, sizeof(any), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

void ring_hear(struct ring *r)
{
	char any;

	for (int i = 0; i < MAX_HEARD && recv(r->bell, &any, sizeof(any), MSG_DONTWAIT) >= 0; i++)
		;
}

bool ring_publish(struct ring *r, struct ring_request *q, uint32_t len)
{
	q->seq = ++r->seq;
	q->cpu = this_cpu();
	line_store(&r->shared->request, q, offsetof(struct ring_request, data) + len);
	atomic_thread_fence(memory_order_seq_cst);
	return ring_sleeps(r);
}

bool ring_sleeps(const struct ring *r)
{
	return load(&r->shared->asleep);
}

void ring_ask(struct ring *r, struct ring_request *q, uint32_t len)
{
	if (ring_publish(r, q, len))
		ring_the_bell(r);
}

int ring_answered(struct ring *r, struct ring_response *a)
{
	uint32_t seq = load(&r->shared->response.seq);

	if (seq == r->seq - 1)
		return 0;
	if (seq != r->seq)
		return -EPROTO;
	line_load(a, &r->shared->response);
	a->seq = seq;
	r->crowded = a->cpu == this_cpu();
	return 1;
}

int64_t ring_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int look(struct ring *r, struct ring_response *a)
{
	int ret = ring_answered(r, a);

	for (int i = 1; !ret && !r->crowded && i < LOOKS; i++) {
		ring_pause();
		ret = ring_answered(r, a);
	}
	return ret;
}

int ring_spin(struct ring *r, struct ring_response *a)
{
	int ret = look(r, a);
	int64_t start, passed = 0;

	if (ret)
		return ret;
	for (start = ring_now_ns(); !ret && passed < SPIN_NS && !ring_must_look(r);
	     passed = ring_now_ns() - start) {
		/* The server may be waiting for this very processor. */
		if (r->crowded || passed > EAGER_NS)
			sched_yield();
		ret = look(r, a);
	}
	return ret;
}

bool ring_must_look(const struct ring *r)
{
	return load(&r->shared->look);
}

void ring_wait(struct ring *r, unsigned int ms)
{
	const struct timespec slice = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	store(&r->shared->waiting, 1);
	if (!ring_must_look(r))
		syscall(SYS_futex, &r->shared->response.seq, FUTEX_WAIT, r->seq - 1, &slice, NULL,
			0);
	store(&r->shared->waiting, 0);
}

/* ---- the server ---- */

int ring_asked(struct ring *r, struct ring_request *q)
{
	uint32_t seq = load(&r->shared->request.seq);

	if (seq == r->seq)
		return 0;
	if (seq != r->seq + 1)
		return -EPROTO;
	line_load(q, &r->shared->request);
	q->seq = seq;
	r->crowded = q->cpu == this_cpu();
	return 1;
}

static void wake_if_waiting(struct ring *r)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (load(&r->shared->waiting))
		wake(r);
}

void ring_answer(struct ring *r, struct ring_response *a, uint32_t len)
{
	a->seq = ++r->seq;
	a->cpu = this_cpu();
	if (ring_must_look(r))
		__atomic_store_n(&r->shared->look, 0, __ATOMIC_RELAXED);
	line_store(&r->shared->response, a, offsetof(struct ring_response, data) + len);
	wake_if_waiting(r);
}

void ring_look(struct ring *r)
{
	if (ring_must_look(r))
		return;
	__atomic_store_n(&r->shared->look, 1, __ATOMIC_RELEASE);
	wake_if_waiting(r);
}

bool ring_asleep(struct ring *r, bool asleep)
{
	store(&r->shared->asleep, asleep);
	return load(&r->shared->request.seq) != r->seq;
}
