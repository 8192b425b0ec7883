/* SPDX-License-Identifier: MIT */
/* When rings are looked at: both ends of each in one thread. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ring/awake.h"

#define RINGS (AWAKE_MAX + 3)

/** struct user - who has a ring; @client: the other end */
struct user {
	struct awake_ring awake;
	struct ring server, client;
	unsigned int served;
};

static int serve(struct awake_ring *r);
static struct awake list = { .serve = serve };
static unsigned int turns;

static struct user *user_new(void)
{
	struct user *u = calloc(1, sizeof(*u));

	assert_non_null(u);
	assert_int_equal(ring_create_memory(&u->server), 0);
	assert_int_equal(ring_join_memory(&u->client, u->server.fd), 0);
	u->awake.ring = &u->server;
	return u;
}

static void user_free(struct user *u)
{
	awake_forget(&list, &u->awake);
	ring_finish(&u->server);
	ring_finish(&u->client);
	free(u);
}

/* Return: must the server be woken? */
static bool ask(struct user *u)
{
	struct ring_request q = { .command = 1 };

	return ring_publish(&u->client, &q, 0);
}

static int serve(struct awake_ring *r)
{
	struct user *u = (struct user *)r;
	struct ring_response a = { 0 };
	struct ring_request q;
	int ret = ring_asked(&u->server, &q);

	if (ret < 0)
		user_free(u);
	if (ret <= 0)
		return ret < 0 ? -1 : 0;
	ring_answer(&u->server, &a, 0);
	awake_used(&list, r);
	u->served++;
	return 1;
}

static int go_on(void *none)
{
	(void)none;
	turns++;
	return 0;
}

static void test_falls_asleep(void **state)
{
	struct user *u = user_new();

	(void)state;
	assert_true(ask(u)); /* nobody looks yet */
	assert_int_equal(serve(&u->awake), 1);
	assert_ptr_equal(list.first, &u->awake);
	for (int i = 0; i < 1000 && list.first; i++)
		assert_int_equal(awake_turn(&list, go_on, NULL), 0);
	assert_null(list.first);
	assert_true(turns > 0);
	assert_true(ask(u));
	user_free(u);
}

/* While it is looked at, nobody has to wake it; what comes last is not missed. */
static int ask_and_stop(void *user)
{
	assert_false(ask(user));
	return -ECANCELED;
}

static void test_late_request(void **state)
{
	struct user *u = user_new();

	(void)state;
	ask(u);
	serve(&u->awake);
	assert_int_equal(awake_turn(&list, ask_and_stop, u), -ECANCELED);
	assert_int_equal(u->served, 2);
	assert_true(ring_sleeps(&u->client));
	user_free(u);
}

static void test_bounded(void **state)
{
	struct user *users[RINGS];

	(void)state;
	for (unsigned int i = 0; i < RINGS; i++) {
		users[i] = user_new();
		ask(users[i]);
		assert_int_equal(serve(&users[i]->awake), 1);
	}
	assert_int_equal(list.count, AWAKE_MAX);
	for (unsigned int i = 0; i < RINGS; i++)
		assert_int_equal(users[i]->awake.listed, i < AWAKE_MAX);
	for (unsigned int i = 0; i < RINGS; i++)
		user_free(users[i]);
	assert_int_equal(list.count, 0);
}

/* One that does not keep to the layout goes in the middle of a round. */
static void test_gone(void **state)
{
	struct user *users[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		users[i] = user_new();
		ask(users[i]);
		serve(&users[i]->awake);
		ask(users[i]);
	}
	users[1]->client.shared->request.seq += 7;
	awake_look(&list, ring_now_ns());
	assert_int_equal(list.count, 2);
	assert_int_equal(users[0]->served, 2);
	assert_int_equal(users[2]->served, 2);
	user_free(users[0]);
	user_free(users[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_falls_asleep),
		cmocka_unit_test(test_late_request),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
