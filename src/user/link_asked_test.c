/* SPDX-License-Identifier: MIT */
/* A server that asks for memory behind callbacks: more than can be under way, and to the end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "alloc.h"
#include "device/device.h"
#include "user/link.h"

enum { MANY = 200, PIECE = 4096 };
#define AT UINT64_C(0x100000)

/** struct driver - whose memory is asked for; answers when it is told to */
struct driver {
	struct dfd_dma_token tokens[MANY];
	uint64_t offsets[MANY];
	size_t lens[MANY];
	size_t asked, answered;
	int says;
	bool at_once;
};

/** struct ends - a link with a device around it, and the server's end of its socket */
struct ends {
	struct link link;
	struct conn server;
	struct dfd_device *dev;
	struct driver driver;
	unsigned int good, refused, other;
	int error;
};

/* What the driver has been asked for until now. */
static void answer_all(struct driver *d)
{
	static uint8_t data[1 << 20];

	for (; d->answered < d->asked; d->answered++) {
		size_t n = d->answered;

		memset(data, (int)(d->offsets[n] / PIECE), d->lens[n]);
		dfd_dma_complete(d->tokens[n], 0, data, d->lens[n]);
	}
}

static int asked(struct driver *d, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	if (d->says)
		return d->says;
	assert_true(d->asked < MANY);
	d->tokens[d->asked] = token;
	d->offsets[d->asked] = offset;
	d->lens[d->asked++] = len;
	if (d->at_once)
		answer_all(d);
	return 0;
}

static int driver_read(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	return asked(ctx, offset, len, token);
}

static int driver_write(void *ctx, uint64_t offset, const void *buf, size_t len,
			struct dfd_dma_token token)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(((const uint8_t *)buf)[i], (uint8_t)(offset / PIECE));
	return asked(ctx, offset, len, token);
}

static void put_answer(struct ends *e, uint16_t command)
{
	const struct user_header head = { .id = e->link.next_id,
					  .command = command,
					  .flags = USER_TYPE_REPLY };
	const uint8_t body[24] = { 24 };

	assert_int_equal(conn_put(&e->server, head, body, sizeof(body), NULL, 0, NULL, 0), 0);
	assert_int_equal(conn_flush(&e->server), 0);
}

static void begin(struct ends *e)
{
	static const struct dfd_device_ops ops = { .size = sizeof(ops), .name = "link" };
	static const struct dfd_dma_io io = { driver_read, driver_write };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	struct dfd_dma_map map = { .iova = AT,
				   .size = UINT64_C(1) << 30,
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_MESSAGE,
				   .io = &io,
				   .io_ctx = &e->driver };
	const struct dfd_desc *desc;
	struct message m;
	int pair[2];

	memset(e, 0, sizeof(*e));
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_device_new(desc, &ops, NULL, true, &e->dev), 0);
	dfd_desc_unref(desc);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	link_start(&e->link, pair[0], 1000);
	e->link.peer = (struct user_limits){ .max_dma_maps = 8 };
	dma_requests_attach(&e->link.requests, e->dev);
	conn_init(&e->server, pair[1]);
	e->server.max_message = USER_MAX_MESSAGE;
	put_answer(e, USER_DMA_MAP);
	assert_int_equal(link_map(&e->link, &map), 0);
	assert_int_equal(conn_receive(&e->server), 1);
	assert_int_equal(conn_next(&e->server, &m), 1);
	message_done(&m);
}

static void end(struct ends *e)
{
	link_finish(&e->link);
	conn_finish(&e->server);
	dfd_device_close(e->dev);
}

static void put_request(struct ends *e, uint16_t id, uint16_t command, uint32_t len)
{
	static uint8_t data[1 << 20];
	const struct user_header head = { .id = id, .command = command };
	const struct user_dma dma = { AT + (uint64_t)id * PIECE, len };
	size_t with = command == USER_DMA_WRITE ? len : 0;

	memset(data, (uint8_t)id, with);
	assert_int_equal(conn_put(&e->server, head, &dma, sizeof(dma), data, with, NULL, 0), 0);
}

/* Sort what the server has got; anything that is no answer to DMA is @other. */
static void take_answers(struct ends *e)
{
	struct message m = { 0 };

	conn_receive(&e->server);
	while (conn_next(&e->server, &m) > 0) {
		bool dma = m.head.command == USER_DMA_READ || m.head.command == USER_DMA_WRITE;

		if (!dma) {
			e->other++;
		} else if (m.head.flags & USER_ERROR) {
			assert_int_equal(e->other, 0); /* nothing behind the unmap */
			e->refused++;
			e->error = (int)m.head.error;
		} else {
			e->good++;
			assert_int_equal(m.head.flags, USER_TYPE_REPLY);
			if (m.head.command == USER_DMA_READ)
				assert_int_equal(m.body[m.len - 1], (uint8_t)m.head.id);
		}
		message_done(&m);
	}
}

static void go_on(struct ends *e)
{
	for (int i = 0; i < 40; i++) {
		conn_flush(&e->server);
		assert_int_equal(link_service(&e->link), 0);
		take_answers(e);
	}
}

static void flood(struct ends *e, uint16_t command, uint32_t len, uint16_t count)
{
	begin(e);
	for (uint16_t id = 0; id < count; id++)
		put_request(e, id, command, len);
	go_on(e);
}

/* All are answered in the end; no more than there is room for are asked at a time. */
static void more_than_there_is_room_for(uint16_t command)
{
	struct ends e;
	size_t before;

	flood(&e, command, PIECE, MANY);
	assert_int_equal(e.driver.asked, DFD_MAX_DMA_INFLIGHT);
	assert_int_equal(e.good + e.refused, 0);
	do {
		before = e.driver.asked;
		answer_all(&e.driver);
		go_on(&e);
		assert_true(e.driver.asked - before <= DFD_MAX_DMA_INFLIGHT);
	} while (e.driver.asked != before);
	assert_int_equal(e.driver.asked, MANY);
	assert_int_equal(e.good, MANY);
	end(&e);
}

static void test_more_than_there_is_room_for(void **state)
{
	(void)state;
	more_than_there_is_room_for(USER_DMA_READ);
	more_than_there_is_room_for(USER_DMA_WRITE);
}

/* A server may ask for anything; the memory that takes has a bound. */
static void test_memory_is_bounded(void **state)
{
	struct ends e;

	(void)state;
	dfd_alloc_reset();
	flood(&e, USER_DMA_READ, 1 << 20, MANY);
	assert_in_range(e.refused, MANY - DFD_MAX_DMA_INFLIGHT, MANY - 1);
	assert_int_equal(e.error, EAGAIN);
	assert_true(dfd_alloc.live < (DFD_MAX_DMA_INFLIGHT + 4) * (size_t)(1 << 20));
	end(&e);
	assert_int_equal(dfd_alloc.live, 0);
}

/* What is asked, and what waits for room, is answered before the server hears of the unmap. */
static void test_unmapped(void **state)
{
	struct ends e;
	uint64_t unmapped = 0;

	(void)state;
	flood(&e, USER_DMA_READ, PIECE, MANY);
	put_request(&e, MANY, USER_DMA_READ, PIECE); /* it will be read while that is told */
	assert_int_equal(conn_flush(&e.server), 0);
	put_answer(&e, USER_DMA_UNMAP);
	assert_int_equal(link_unmap(&e.link, AT, UINT64_C(1) << 30, &unmapped), 0);
	assert_int_equal(unmapped, UINT64_C(1) << 30);
	assert_int_equal(e.driver.asked, DFD_MAX_DMA_INFLIGHT);
	conn_receive(&e.server);
	take_answers(&e);
	assert_int_equal(e.refused, MANY);
	answer_all(&e.driver); /* for nobody */
	e.other = 0;
	go_on(&e);
	assert_int_equal(e.good, 0);
	assert_int_equal(e.refused, MANY + 1);
	assert_int_equal(e.error, EPERM);
	end(&e);
}

static void test_server_gone(void **state)
{
	struct ends e;

	(void)state;
	flood(&e, USER_DMA_WRITE, PIECE, MANY);
	conn_finish(&e.server);
	while (!link_service(&e.link))
		;
	assert_int_equal(e.link.failed, -ENODEV);
	answer_all(&e.driver);
	assert_int_equal(link_service(&e.link), -ENODEV);
	end(&e);
}

/* A driver may refuse; one with too much to do is asked again, if something is under way. */
static void test_driver_refuses(void **state)
{
	struct ends e;

	(void)state;
	begin(&e);
	e.driver.says = -EAGAIN;
	put_request(&e, 1, USER_DMA_WRITE, PIECE);
	go_on(&e);
	assert_true(e.refused == 1 && e.error == EAGAIN);
	e.driver.says = -EIO;
	put_request(&e, 2, USER_DMA_READ, PIECE);
	go_on(&e);
	assert_true(e.refused == 2 && e.error == EIO);
	e.driver.says = 0;
	put_request(&e, 3, USER_DMA_READ, PIECE);
	go_on(&e);
	e.driver.says = -EAGAIN;
	put_request(&e, 4, USER_DMA_WRITE, PIECE);
	go_on(&e);
	assert_true(e.refused == 2 && e.good == 0);
	e.driver.says = 0;
	for (int i = 0; i < 2; i++) {
		answer_all(&e.driver);
		go_on(&e);
	}
	assert_true(e.refused == 2 && e.good == 2);
	end(&e);
}

static void test_answered_at_once(void **state)
{
	struct ends e;

	(void)state;
	begin(&e);
	e.driver.at_once = true;
	put_request(&e, 1, USER_DMA_WRITE, PIECE);
	put_request(&e, 2, USER_DMA_READ, PIECE);
	go_on(&e);
	assert_int_equal(e.good, 2);
	end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_than_there_is_room_for),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_server_gone),
		cmocka_unit_test(test_driver_refuses),
		cmocka_unit_test(test_answered_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
