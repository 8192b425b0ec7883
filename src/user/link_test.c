/* SPDX-License-Identifier: MIT */
/* Fds that come with answers: kept where they belong, closed where nobody has asked for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/link.h"

/** struct ends - a link, the server's end of its socket, and a pipe that goes with an answer */
struct ends {
	struct link link;
	struct conn server;
	int pipe[2];
};

static void begin(struct ends *e, bool polls)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(e->pipe), 0);
	link_start(&e->link, pair[0], 1000);
	e->link.polls = polls;
	conn_init(&e->server, pair[1]);
}

static void end(struct ends *e)
{
	link_finish(&e->link);
	conn_finish(&e->server);
	close(e->pipe[0]);
}

/* The answer is in the socket before it is asked for. Return: fds that came with it */
static unsigned int ask(struct ends *e, uint16_t command, struct message *m)
{
	const struct user_header head = { .id = e->link.next_id,
					  .command = command,
					  .flags = USER_TYPE_REPLY };
	const struct call call = { .command = command };
	uint32_t value = 4711, got;

	assert_int_equal(conn_put(&e->server, head, &value, sizeof(value), NULL, 0, &e->pipe[1], 1),
			 0);
	assert_int_equal(conn_flush(&e->server), 0);
	close(e->pipe[1]);
	assert_int_equal(link_call(&e->link, &call, m), 0);
	assert_int_equal(m->len, sizeof(got));
	memcpy(&got, m->body, sizeof(got));
	assert_int_equal(got, value);
	return m->num_fds;
}

/* Nobody has the other end of the pipe any more. */
static void is_closed(const struct ends *e)
{
	char byte;

	assert_int_equal(read(e->pipe[0], &byte, 1), 0);
}

static void test_kept(void **state)
{
	struct message m;
	struct ends e;

	(void)state;
	begin(&e, false);
	assert_int_equal(ask(&e, USER_REGION_INFO, &m), 1);
	assert_int_equal(write(m.fds[0], "x", 1), 1);
	message_done(&m);
	end(&e);
}

static void no_business(bool polls)
{
	struct message m;
	struct ends e;

	begin(&e, polls);
	assert_int_equal(ask(&e, USER_REGION_READ, &m), 0);
	is_closed(&e);
	message_done(&m);
	end(&e);
}

static void test_no_business(void **state)
{
	(void)state;
	no_business(false);
	no_business(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_no_business),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
