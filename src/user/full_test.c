/* SPDX-License-Identifier: MIT */
/* A device that asks for more than its client takes: it is told at once, and nobody waits. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/devfd.h>

#include "user/conn.h"
#include "user/listen.h"
#include "user/proto.h"

#define LARGE (UINT32_C(1) << 20)
#define IOVA  UINT64_C(0x100000)
/* What fits into the queue, with the headers. */
#define FIT (CONN_MAX_QUEUE / LARGE - 1)

/* ---- a device that writes as many times as a register is told to ---- */

static struct {
	uint8_t data[LARGE];
	atomic_uint taken, refused, others, done, failed;
} eager;

static void done(void *ctx, int status)
{
	(void)ctx;
	atomic_fetch_add(status ? &eager.failed : &eager.done, 1);
}

static ssize_t eager_write(struct dfd_device *dev, uint32_t region, uint64_t offset,
			   const void *buf, size_t len)
{
	struct dfd_host *host = dfd_device_host(dev);
	uint8_t count;

	(void)region;
	(void)offset;
	memcpy(&count, buf, 1);
	for (uint8_t i = 0; i < count; i++) {
		int ret = dfd_dma_write(host, IOVA, eager.data, LARGE, done, NULL);

		atomic_fetch_add(!ret		  ? &eager.taken
				 : ret == -EAGAIN ? &eager.refused
						  : &eager.others,
				 1);
	}
	return (ssize_t)len;
}

static ssize_t eager_read(struct dfd_device *dev, uint32_t region, uint64_t offset, void *buf,
			  size_t len)
{
	(void)dev;
	(void)region;
	(void)offset;
	memset(buf, 0, len);
	return (ssize_t)len;
}

static const struct dfd_device_ops eager_ops = { .size = sizeof(eager_ops),
						 .name = "eager",
						 .region_read = eager_read,
						 .region_write = eager_write };

static struct dfd_device *eager_new(void)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	const struct dfd_region registers = { .index = 0, .size = 4096 };
	const struct dfd_desc *desc;
	struct dfd_device *dev;

	dfd_desc_add_region(b, &registers);
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_model_new(desc, &eager_ops, NULL, NULL, &dev, NULL), 0);
	dfd_desc_unref(desc);
	return dev;
}

/* ---- its client ---- */

/** struct rig - a server with a thread of its own; @asks: the socket by which it asks */
struct rig {
	char dir[32], path[64];
	struct dfd_device *dev;
	struct dfd_server *srv;
	pthread_t thread;
	int client, asks;
};

static void *serve(void *arg)
{
	struct rig *r = arg;

	while (!dfd_server_wait(r->srv, -1))
		;
	return NULL;
}

static void say(int fd, uint16_t command, const void *body, size_t len, struct user_header head)
{
	uint8_t message[256];

	head.command = command;
	head.size = (uint32_t)(sizeof(head) + len);
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), body, len);
	assert_int_equal(send(fd, message, head.size, MSG_NOSIGNAL), head.size);
}

static struct user_header hear(int fd, uint8_t *body)
{
	struct user_header head;

	assert_int_equal(recv(fd, &head, sizeof(head), MSG_WAITALL), sizeof(head));
	if (head.size > sizeof(head))
		assert_int_equal(recv(fd, body, head.size - sizeof(head), MSG_WAITALL),
				 head.size - sizeof(head));
	return head;
}

static void ask(const struct rig *r, uint16_t command, const void *body, size_t len)
{
	uint8_t answer[256];
	struct user_header head;

	say(r->client, command, body, len, (struct user_header){ 0 });
	head = hear(r->client, answer);
	assert_int_equal(head.command, command);
	assert_int_equal(head.flags, USER_TYPE_REPLY);
}

static int agree(const struct rig *r, bool twin)
{
	static const char wanted[] =
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
	int fd = r->client;

	say(fd, USER_VERSION, wanted, twin ? sizeof(wanted) : 4, (struct user_header){ 0 });
	assert_true(recvmsg(fd, &msg, 0) > 0);
	assert_int_equal(CMSG_FIRSTHDR(&msg) != NULL, twin);
	if (twin)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void start(struct rig *r, bool twin)
{
	const struct user_dma_map map = {
		.argsz = sizeof(map), .flags = DFD_DMA_WRITE, .address = IOVA, .size = LARGE
	};
	const struct timeval patience = { .tv_sec = 60 };

	*r = (struct rig){ .dir = "/tmp/devfd-full-XXXXXX", .dev = eager_new() };
	atomic_store(&eager.taken, 0);
	atomic_store(&eager.refused, 0);
	atomic_store(&eager.done, 0);
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/sock", r->dir);
	assert_int_equal(dfd_server_new(&r->srv), 0);
	assert_int_equal(dfd_server_add(r->srv, r->dev, r->path, 0600, NULL), 0);
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
	r->client = user_connect(r->path);
	assert_true(r->client >= 0);
	fcntl(r->client, F_SETFL, 0);
	r->asks = agree(r, twin);
	setsockopt(r->client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(r->asks, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ask(r, USER_DMA_MAP, &map, sizeof(map));
}

static void stop(struct rig *r)
{
	if (r->asks != r->client)
		close(r->asks);
	close(r->client);
	dfd_server_stop(r->srv);
	pthread_join(r->thread, NULL);
	dfd_server_free(r->srv);
	dfd_device_close(r->dev);
	assert_int_equal(rmdir(r->dir), 0);
}

static void have_written(const struct rig *r, uint8_t times)
{
	struct {
		struct user_access access;
		uint8_t times;
	} body = { { 0, 0, 1 }, times };

	ask(r, USER_REGION_WRITE, &body, sizeof(body.access) + 1);
}

static void take_and_answer(const struct rig *r, unsigned int count)
{
	static uint8_t body[LARGE + 64];

	for (unsigned int i = 0; i < count; i++) {
		struct user_header head = hear(r->asks, body);

		assert_int_equal(head.command, USER_DMA_WRITE);
		assert_int_equal(head.size, sizeof(head) + sizeof(struct user_dma) + LARGE);
		say(r->asks, USER_DMA_WRITE, body, sizeof(struct user_dma),
		    (struct user_header){ .id = head.id, .flags = USER_TYPE_REPLY });
	}
}

static void asks_for_too_much(bool twin)
{
	const struct user_access access = { 0, 0, 4 };
	struct rig r;

	start(&r, twin);
	for (unsigned int round = 1; round <= 3; round++) {
		/* The access is answered though nothing more can be asked for. */
		have_written(&r, 10);
		assert_int_equal(atomic_load(&eager.taken), round * FIT);
		assert_int_equal(atomic_load(&eager.refused), round * (10 - FIT));
		assert_int_equal(atomic_load(&eager.done), (round - 1) * FIT);
		/* With a socket of its own for that, accesses go on. */
		for (int i = 0; twin && i < 100; i++)
			ask(&r, USER_REGION_READ, &access, sizeof(access));
		take_and_answer(&r, FIT);
		/* Behind the answers, or after a while. */
		for (int i = 0; i < 60000 && atomic_load(&eager.done) < round * FIT; i++) {
			ask(&r, USER_REGION_READ, &access, sizeof(access));
			usleep(100);
		}
		assert_int_equal(atomic_load(&eager.done), round * FIT);
	}
	assert_int_equal(atomic_load(&eager.others), 0);
	assert_int_equal(atomic_load(&eager.failed), 0);
	stop(&r);
}

static void test_one_socket(void **state)
{
	(void)state;
	asks_for_too_much(false);
}

static void test_second_socket(void **state)
{
	(void)state;
	asks_for_too_much(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_socket),
		cmocka_unit_test(test_second_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
