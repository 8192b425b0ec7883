/* SPDX-License-Identifier: MIT */
/* The ring alone: two threads, and either end against memory that makes no sense. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/devfd.h>

#include "user/link.h"
#include "user/session.h"

#define ROUNDS 100000

static uint64_t random64(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Mostly what may be, often what is just beside it, sometimes anything. */
static uint64_t near(uint64_t value)
{
	switch (random64() % 8) {
	case 0:
		return random64();
	case 1:
		return value + random64() % 5 - 2;
	case 2:
		return UINT64_MAX - random64() % 3;
	default:
		return value;
	}
}

/* ---- two threads ---- */

static void *answer_all(void *arg)
{
	struct ring *r = arg;
	struct ring_request q;

	for (uint32_t done = 0; done < ROUNDS; done++) {
		struct ring_response a = { 0 };

		/* It sleeps now and then; nobody rings here, so it looks again. */
		ring_asleep(r, done % 64 == 63);
		while (!ring_asked(r, &q))
			ring_pause();
		a.error = (uint16_t)q.access.offset;
		a.position = q.position;
		memcpy(a.data, q.data, sizeof(a.data));
		if (done % 1000 == 500)
			usleep(200); /* long enough for the client to sleep */
		ring_answer(r, &a, RING_MAX_DATA);
	}
	return NULL;
}

static void join(struct ring *server, struct ring *client)
{
	assert_int_equal(ring_create(server), 0);
	assert_int_equal(ring_join(client, (const int[]){ server->fd, server->far_bell }), 0);
}

static void test_both_ends(void **state)
{
	struct ring server, client;
	struct ring_response a;
	pthread_t thread;

	(void)state;
	join(&server, &client);
	/* One mapping, or a detector of races would not see that it is the same memory. */
	munmap(client.shared, sizeof(*client.shared));
	client.shared = server.shared;
	assert_int_equal(pthread_create(&thread, NULL, answer_all, &server), 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct ring_request q = { .position = i * UINT64_C(3), .access.offset = i };

		memset(q.data, (int)(i % 251), sizeof(q.data));
		ring_ask(&client, &q, RING_MAX_DATA);
		while (!ring_spin(&client, &a))
			ring_wait(&client, 10);
		assert_int_equal(a.error, (uint16_t)i);
		assert_int_equal(a.position, i * UINT64_C(3));
		assert_memory_equal(a.data, q.data, sizeof(q.data));
	}
	pthread_join(thread, NULL);
	client.shared = NULL;
	ring_finish(&server);
	ring_finish(&client);
}

static void test_fds(void **state)
{
	struct ring server, client;
	int plain, pipes[2];

	(void)state;
	join(&server, &client);
	ring_finish(&client);
	plain = memfd_create("plain", MFD_CLOEXEC);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(ftruncate(plain, 4096), 0);
	assert_int_equal(ring_join(&client, (const int[]){ plain, server.far_bell }), -EPROTO);
	assert_int_equal(ring_join(&client, (const int[]){ server.fd, pipes[1] }), -EPROTO);
	assert_int_equal(ring_join(&client, (const int[]){ server.far_bell, server.fd }), -EPROTO);
	assert_int_equal(ring_join(&client, (const int[]){ -1, -1 }), -EPROTO);
	assert_int_equal(ftruncate(server.fd, 0), -1);
	ring_finish(&client);
	ring_finish(&server);
	close(plain);
	close(pipes[0]);
	close(pipes[1]);
}

/* ---- a client that lies ---- */

/** struct victim - a session of a device, and the client's end of its socket and memory */
struct victim {
	struct dfd_device *dev;
	struct target target;
	struct session session;
	struct ring ring;
	int sock;
};

static void victim_start(struct victim *v)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	session_start(&v->session, &v->target, pair[0]);
	v->session.agreed = true;
	v->session.peer = (struct user_limits){ 16, 4096, 16, 1 };
	v->sock = pair[1];
	join(&v->session.ring, &v->ring);
}

static void victim_end(struct victim *v)
{
	session_end(&v->session);
	ring_finish(&v->ring);
	close(v->sock);
}

static void random_request(struct victim *v)
{
	static const uint32_t regions[] = { 0, 7, 1, 9, UINT32_MAX };
	struct ring_request q = {
		.seq = (uint32_t)near(v->session.ring.seq + 1),
		.command = (uint16_t)near(USER_REGION_READ + random64() % 2),
		.cpu = (uint16_t)random64(),
		.position = near(conn_received(&v->session.conn)),
		.access = { near(random64() % 160), regions[random64() % 5],
			    (uint32_t)near(random64() % 9) },
	};
	uint64_t data = random64();

	memcpy(q.data, &data, sizeof(data));
	memcpy(&v->ring.shared->request, &q, sizeof(q));
	v->ring.shared->asleep = (uint32_t)random64();
	v->ring.shared->look = (uint32_t)near(0);
	v->ring.shared->response.seq = (uint32_t)random64();
	v->ring.shared->waiting = random64() % 64 == 0;
}

/* Messages in between, whole and cut. */
static void random_message(struct victim *v)
{
	struct {
		struct user_header head;
		struct user_access access;
	} m = { { .command = USER_REGION_READ, .size = sizeof(m) }, { 0, 0, 4 } };
	size_t len = random64() % 4 ? sizeof(m) : random64() % sizeof(m);

	if (len && send(v->sock, &m, len, MSG_DONTWAIT) < 0)
		return;
}

static void test_lying_client(void **state)
{
	struct victim v = { 0 };
	int answered = 0, gone = 0;

	(void)state;
	assert_int_equal(dfd_open("model:edu", &v.dev, NULL), 0);
	assert_int_equal(target_init(&v.target, v.dev, NULL), 0);
	victim_start(&v);
	for (int i = 0; i < ROUNDS; i++) {
		int ret;

		random_request(&v);
		if (random64() % 16 == 0)
			random_message(&v);
		ret = session_ring(&v.session);
		answered += ret > 0;
		if (ret >= 0 && i % 100)
			continue;
		gone += ret < 0;
		victim_end(&v);
		victim_start(&v);
	}
	assert_true(answered > ROUNDS / 20 && gone > ROUNDS / 20);
	victim_end(&v);
	target_finish(&v.target);
	dfd_device_close(v.dev);
}

/* ---- a server that lies ---- */

/** struct dupe - the client's end, and the memory and socket of its server */
struct dupe {
	struct link link;
	struct ring ring;
	int sock;
};

static void dupe_start(struct dupe *d, int patience_ms)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	link_start(&d->link, pair[0], patience_ms);
	d->sock = pair[1];
	join(&d->ring, &d->link.ring);
}

static void dupe_end(struct dupe *d)
{
	link_finish(&d->link);
	ring_finish(&d->ring);
	close(d->sock);
}

/* Written before it is asked for. */
static void random_response(struct dupe *d)
{
	struct ring_response a = { .seq = (uint32_t)near(d->link.ring.seq + 1),
				   .error = (uint16_t)near(0),
				   .position = near(d->link.conn.in_position),
				   .cpu = (uint16_t)random64() };

	/* "Not yet" takes all the patience, so not that often. */
	if (a.seq == d->link.ring.seq && random64() % 64)
		a.seq++;
	memset(a.data, 0x5a, sizeof(a.data));
	memcpy(&d->ring.shared->response, &a, sizeof(a));
	d->ring.shared->look = (uint32_t)near(0);
	d->ring.shared->asleep = random64() % 64 == 0;
	d->ring.shared->waiting = (uint32_t)random64();
	d->ring.shared->request.seq = (uint32_t)random64();
}

static void test_lying_server(void **state)
{
	const struct user_access where = { 0, 0, 4 };
	struct dupe d;
	int answered = 0, failed = 0;

	(void)state;
	dupe_start(&d, 1);
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t data[8] = { 0 };
		int ret;

		random_response(&d);
		ret = link_access(&d.link, &where, data, NULL);
		assert_true(ret <= 0 && ret > -4096 && !data[4]);
		assert_true(ret || data[3] == 0x5a);
		answered += !ret;
		if (!d.link.failed)
			continue;
		assert_true(ret == -EPROTO || ret == -ETIMEDOUT);
		assert_int_equal(link_access(&d.link, &where, data, NULL), ret);
		failed++;
		dupe_end(&d);
		dupe_start(&d, 1);
	}
	assert_true(answered > ROUNDS / 20 && failed > ROUNDS / 20);
	dupe_end(&d);
}

/* ---- one that writes all the time ---- */

/** struct scribbler - writes to the memory of a ring until @stop */
struct scribbler {
	struct ring_memory *shared;
	uint32_t stop;
};

static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	uint32_t *words = (uint32_t *)s->shared;
	uint64_t x = 1;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
		__atomic_store_n(&words[x >> 33 & 127], (uint32_t)(x >> 40) & 3, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_scribbling(void **state)
{
	const struct user_access where = { 0, 0, 4 };
	struct victim v = { 0 };
	struct dupe d;
	struct scribbler s = { 0 };
	pthread_t thread;
	uint8_t data[4];

	(void)state;
	assert_int_equal(dfd_open("model:edu", &v.dev, NULL), 0);
	assert_int_equal(target_init(&v.target, v.dev, NULL), 0);
	for (int i = 0; i < 300; i++) {
		victim_start(&v);
		dupe_start(&d, 1);
		s = (struct scribbler){ i % 2 ? v.ring.shared : d.ring.shared, 0 };
		assert_int_equal(pthread_create(&thread, NULL, scribble, &s), 0);
		for (int n = 0; n < 100 && i % 2; n++) {
			if (session_ring(&v.session) < 0)
				break;
		}
		for (int n = 0; n < 100 && !(i % 2) && !d.link.failed; n++)
			link_access(&d.link, &where, data, NULL);
		__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		victim_end(&v);
		dupe_end(&d);
	}
	target_finish(&v.target);
	dfd_device_close(v.dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ends),    cmocka_unit_test(test_fds),
		cmocka_unit_test(test_lying_client), cmocka_unit_test(test_lying_server),
		cmocka_unit_test(test_scribbling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
