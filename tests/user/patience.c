/* SPDX-License-Identifier: MIT */
/* Everything that one end waits for ends, with the limit in question made short. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/devfd.h>

#include "user/listen.h"
#include "user/patience.h"
#include "user/proto.h"

#define MS	 UINT64_C(1000000)
#define SHORT_MS 150
#define LONG_MS	 60000 /* by then it has happened on any machine */

static struct patience for_version = { SHORT_MS * MS, LONG_MS *MS, LONG_MS *MS, 5 * MS },
		       for_stall = { LONG_MS * MS, SHORT_MS *MS, LONG_MS *MS, 5 * MS },
		       for_dma = { LONG_MS * MS, LONG_MS *MS, SHORT_MS *MS, 5 * MS };

struct rig {
	char dir[32], path[64];
	struct dfd_device *dev;
	struct dfd_server *srv;
	pthread_t thread;
	int client;
};

static void *serve(void *arg)
{
	struct rig *r = arg;

	while (!dfd_server_wait(r->srv, -1))
		;
	return NULL;
}

static int setup(void **state)
{
	const struct patience *limits = *state;
	struct rig *r = calloc(1, sizeof(*r));

	strcpy(r->dir, "/tmp/devfd-wait-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/sock", r->dir);
	assert_int_equal(dfd_open("model:edu,latency=0", &r->dev, NULL), 0);
	assert_int_equal(dfd_server_new(&r->srv), 0);
	dfd_server_set_patience(r->srv, limits);
	assert_int_equal(dfd_server_add(r->srv, r->dev, r->path, 0600, NULL), 0);
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
	r->client = user_connect(r->path);
	assert_true(r->client >= 0);
	assert_int_equal(fcntl(r->client, F_SETFL, 0), 0); /* it may wait */
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	close(r->client);
	dfd_server_stop(r->srv);
	pthread_join(r->thread, NULL);
	dfd_server_free(r->srv);
	dfd_device_close(r->dev);
	assert_int_equal(rmdir(r->dir), 0);
	free(r);
	return 0;
}

/* Return: was there somebody to say it to? */
static bool try_to_say(const struct rig *r, uint16_t command, const void *body, size_t len)
{
	struct user_header head = { .command = command, .size = (uint32_t)(sizeof(head) + len) };
	uint8_t message[128];

	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), body, len);
	return send(r->client, message, head.size, MSG_NOSIGNAL) == (ssize_t)head.size;
}

static void say(const struct rig *r, uint16_t command, const void *body, size_t len)
{
	assert_true(try_to_say(r, command, body, len));
}

/* Return: the header of the next message, whose body goes to @body */
static struct user_header hear(const struct rig *r, void *body)
{
	struct user_header head;

	assert_int_equal(recv(r->client, &head, sizeof(head), MSG_WAITALL), sizeof(head));
	if (head.size > sizeof(head))
		assert_int_equal(recv(r->client, body, head.size - sizeof(head), MSG_WAITALL),
				 head.size - sizeof(head));
	return head;
}

static void ask(const struct rig *r, uint16_t command, const void *body, size_t len)
{
	uint8_t answer[256];

	say(r, command, body, len);
	assert_int_equal(hear(r, answer).flags, USER_TYPE_REPLY);
}

static void agree(const struct rig *r)
{
	ask(r, USER_VERSION, &(struct user_version){ 0, 0 }, sizeof(struct user_version));
}

static void is_hung_up(const struct rig *r)
{
	struct pollfd p = { .fd = r->client, .events = POLLRDHUP };

	assert_int_equal(poll(&p, 1, LONG_MS), 1);
	/* And there is room for the next. */
	p.fd = user_connect(r->path);
	assert_true(p.fd >= 0);
	close(p.fd);
}

static void test_no_version(void **state)
{
	is_hung_up(*state);
}

static void test_half_a_version(void **state)
{
	struct rig *r = *state;
	const struct user_header half = { .command = USER_VERSION, .size = 40 };

	/* It may have been too late for that already. */
	send(r->client, &half, sizeof(half), MSG_NOSIGNAL);
	is_hung_up(r);
}

/* Each byte is progress of a kind, but not of the message. */
static void test_byte_after_byte(void **state)
{
	struct rig *r = *state;
	const struct user_header head = { .command = USER_REGION_WRITE, .size = 100000 };
	struct pollfd p = { .fd = r->client, .events = POLLRDHUP };
	int i;

	agree(r);
	assert_int_equal(send(r->client, &head, sizeof(head), 0), sizeof(head));
	for (i = 0; i < LONG_MS && !poll(&p, 1, 1); i++)
		send(r->client, "x", 1, MSG_NOSIGNAL);
	assert_true(i < LONG_MS);
	is_hung_up(r);
}

static void test_answers_not_taken(void **state)
{
	struct rig *r = *state;
	const struct user_access all = { 0, DFD_PCI_CONFIG, 256 };
	struct user_header head = { .command = USER_REGION_READ,
				    .size = sizeof(head) + sizeof(all) };
	uint8_t message[sizeof(head) + sizeof(all)];

	agree(r);
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), &all, sizeof(all));
	for (int i = 0; i < 1000000; i++) {
		if (send(r->client, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	}
	is_hung_up(r);
}

static void write_register(const struct rig *r, uint32_t region, uint64_t offset, uint64_t value,
			   uint32_t len)
{
	struct {
		struct user_access access;
		uint64_t value;
	} body = { { offset, region, len }, value };

	ask(r, USER_REGION_WRITE, &body, sizeof(body.access) + len);
}

static bool is_running(const struct rig *r)
{
	const struct user_access command = { 0x98, 0, 8 };
	uint8_t answer[64];

	say(r, USER_REGION_READ, &command, sizeof(command));
	assert_int_equal(hear(r, answer).command, USER_REGION_READ);
	return answer[sizeof(command)] & 1;
}

/* The transfer fails, the client stays: whoever owns the memory need not be quick. */
static void test_dma_not_answered(void **state)
{
	struct rig *r = *state;
	const struct user_dma_map map = {
		.argsz = sizeof(map), .flags = DFD_DMA_READ, .address = 0x1000, .size = 0x1000
	};
	uint8_t body[64] = { 0 };
	struct user_header asked;
	int i;

	agree(r);
	ask(r, USER_DMA_MAP, &map, sizeof(map));
	write_register(r, DFD_PCI_CONFIG, 4, 6, 2);
	write_register(r, 0, 0x80, 0x1000, 8);
	write_register(r, 0, 0x88, 0x40000, 8);
	write_register(r, 0, 0x90, 16, 8);
	write_register(r, 0, 0x98, 1, 8);
	asked = hear(r, body);
	assert_int_equal(asked.command, USER_DMA_READ);
	for (i = 0; i < LONG_MS && is_running(r); i++)
		usleep(1000);
	assert_true(i < LONG_MS);
	/* Too late, and therefore dropped. */
	asked.flags = USER_TYPE_REPLY;
	asked.size = sizeof(asked) + 32;
	memcpy(body + 32, body, 16);
	assert_int_equal(send(r->client, &asked, sizeof(asked), 0), sizeof(asked));
	assert_int_equal(send(r->client, body, 32, 0), 32);
	assert_false(is_running(r));
}

/* Return: the second socket */
static int agree_twin(const struct rig *r)
{
	static const char body[] =
		"\0\0\0\0{\"capabilities\":{\"twin_socket\":{\"supported\":true},"
		"\"max_msg_fds\":1}}                                        ";
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char answer[256];
	struct iovec iov = { answer, sizeof(answer) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	int fd;

	say(r, USER_VERSION, body, sizeof(body));
	assert_true(recvmsg(r->client, &msg, 0) > 0);
	assert_non_null(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* The first one being as busy as can be. */
static void test_half_an_answer_by_the_second(void **state)
{
	struct rig *r = *state;
	const struct user_header half = { .command = USER_DMA_READ,
					  .size = 40,
					  .flags = USER_TYPE_REPLY };
	struct pollfd p = { .fd = agree_twin(r), .events = POLLRDHUP };
	int i;

	assert_int_equal(send(p.fd, &half, sizeof(half), 0), sizeof(half));
	for (i = 0; i < LONG_MS && !poll(&p, 1, 1); i++) {
		const struct user_access access = { 0, 0, 4 };

		if (try_to_say(r, USER_REGION_READ, &access, sizeof(access)))
			recv(r->client, &(char[36]){ 0 }, 36, MSG_WAITALL);
	}
	assert_true(i < LONG_MS);
	is_hung_up(r);
	close(p.fd);
}

/* A server that describes a device, and then has nothing more to say. */
static void *fall_silent(void *arg)
{
	const int *pair = arg;
	struct user_header head;
	uint8_t body[256];
	static const struct user_version version = { 0, 0 };

	if (recv(pair[1], &head, sizeof(head), MSG_WAITALL) != sizeof(head) ||
	    recv(pair[1], body, head.size - sizeof(head), MSG_WAITALL) < 0)
		return NULL;
	head.size = sizeof(head) + sizeof(version);
	head.flags = USER_TYPE_REPLY;
	/* Who is late finds nobody, and that is as good. */
	send(pair[1], &head, sizeof(head), MSG_NOSIGNAL);
	send(pair[1], &version, sizeof(version), MSG_NOSIGNAL);
	return NULL;
}

static void test_call_not_answered(void **state)
{
	struct dfd_device *dev;
	struct dfd_error err;
	pthread_t thread;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pthread_create(&thread, NULL, fall_silent, pair), 0);
	assert_int_equal(dfd_user_open_socket(pair[0], "silent", SHORT_MS, &dev, &err), -ETIMEDOUT);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(pair[1]);
}

#define WITH(limit, test)                                                                          \
	cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, &for_##limit)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(version, test_no_version),
		WITH(version, test_half_a_version),
		WITH(stall, test_byte_after_byte),
		WITH(stall, test_answers_not_taken),
		WITH(dma, test_dma_not_answered),
		WITH(stall, test_half_an_answer_by_the_second),
		cmocka_unit_test(test_call_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
