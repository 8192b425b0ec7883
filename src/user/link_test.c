/* SPDX-License-Identifier: MIT */
/*
 * Fds that come with answers: kept where they belong, closed where nobody has asked for them. And
 * an answer that is there when the client looks at last.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/link.h"

#define PATIENCE_MS 1000

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
	link_start(&e->link, pair[0], PATIENCE_MS);
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

static struct {
	int server;
	struct user_header answer;
} meanwhile;

/* The answer comes in time, but whoever waits for it is kept from looking. */
static void hold_up(int number)
{
	(void)number;
	if (send(meanwhile.server, &meanwhile.answer, sizeof(meanwhile.answer), 0) < 0)
		abort();
	usleep((PATIENCE_MS + 100) * 1000);
}

static void kept_from_looking(bool polls)
{
	const struct itimerval soon = { .it_value.tv_usec = 50000 };
	const struct call call = { .command = USER_RESET };
	struct ends e;

	begin(&e, polls);
	meanwhile.server = e.server.fd;
	meanwhile.answer = (struct user_header){ .id = e.link.next_id,
						 .command = USER_RESET,
						 .size = sizeof(meanwhile.answer),
						 .flags = USER_TYPE_REPLY };
	signal(SIGALRM, hold_up);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(link_call(&e.link, &call, NULL), 0);
	close(e.pipe[1]);
	end(&e);
}

static void test_kept_from_looking(void **state)
{
	(void)state;
	kept_from_looking(false);
	kept_from_looking(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_no_business),
		cmocka_unit_test(test_kept_from_looking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
