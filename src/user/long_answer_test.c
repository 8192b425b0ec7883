/* SPDX-License-Identifier: MIT */
/*
 * Long answers to DMA by message, which are sent from the driver's memory and received into the
 * model's: what happens to the one or the other while they are on their way. One thread, so that
 * each step is known; memory that must not be touched any more is unmapped or freed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/devfd.h>
#include <devfd/provider.h>

#include "user/link.h"
#include "user/listen.h"
#include "user/server.h"

#define IOVA  UINT64_C(0x100000)
#define LEN   (UINT32_C(512) << 10)
#define FRONT (sizeof(struct user_header) + sizeof(struct user_dma))

/** struct asking - DMA_READ as it lies on the wire, and the beginning of its answer */
struct asking {
	struct user_header head;
	struct user_dma dma;
};

static void fill(uint8_t *memory, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		memory[i] = (uint8_t)(i * 7 + i / 251 + seed);
}

static uint8_t *pages_new(size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	fill(memory, len, 0);
	return memory;
}

/* ---- the client's end: a link, and a server that is this test ---- */

/** struct end - @fd: the server's; what the client may send at once is little */
struct end {
	struct link link;
	int fd;
};

static void end_start(struct end *e)
{
	const int little = 4096;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	link_start(&e->link, pair[0], 2000);
	e->link.peer = (struct user_limits){ .max_fds = 8,
					     .max_data = USER_MAX_DATA,
					     .max_dma_maps = 100 };
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
	e->fd = pair[1];
}

static void end_stop(struct end *e)
{
	link_finish(&e->link);
	close(e->fd);
}

static void say(const struct end *e, const void *message, size_t len)
{
	assert_int_equal(send(e->fd, message, len, MSG_NOSIGNAL), (ssize_t)len);
}

static struct asking read_call(uint16_t id, uint64_t address, uint64_t count)
{
	return (struct asking){ { .id = id, .command = USER_DMA_READ, .size = FRONT },
				{ address, count } };
}

static void ask_to_read(const struct end *e, uint16_t id, uint64_t address, uint64_t count)
{
	const struct asking call = read_call(id, address, count);

	say(e, &call, sizeof(call));
}

/* Map it; the server has said yes before it was asked. */
static void map_memory(struct end *e, struct dfd_dma_map map)
{
	const struct user_header yes = { .id = e->link.next_id,
					 .command = USER_DMA_MAP,
					 .size = sizeof(yes),
					 .flags = USER_TYPE_REPLY };

	map.prot = DFD_DMA_READ | DFD_DMA_WRITE;
	say(e, &yes, sizeof(yes));
	assert_int_equal(link_map(&e->link, &map), 0);
}

static void map_pages(struct end *e, uint64_t iova, uint8_t *pages, size_t len)
{
	map_memory(e, (struct dfd_dma_map){
			      .iova = iova, .size = len, .kind = DFD_DMA_ADDRESS, .addr = pages });
}

/* Take the next message, while the client goes on sending it. */
static struct user_header take(struct end *e, uint8_t *body, size_t room)
{
	struct user_header head;
	size_t got = 0, len = sizeof(head);
	uint8_t *at = (uint8_t *)&head;

	for (int i = 0; i < 100000 && got < len; i++) {
		ssize_t n = recv(e->fd, at + got, len - got, MSG_DONTWAIT);

		got += n > 0 ? (size_t)n : 0;
		if (got == len && at != body) {
			assert_in_range(head.size, sizeof(head), sizeof(head) + room);
			at = body;
			got = 0;
			len = head.size - sizeof(head);
		}
		if (!e->link.failed)
			link_service(&e->link);
	}
	assert_int_equal(got, len);
	return head;
}

static uint8_t body[USER_MAX_MESSAGE], expected[USER_MAX_DATA];

static void take_answer(struct end *e, uint16_t id, size_t len, size_t from)
{
	struct user_header head = take(e, body, sizeof(body));

	assert_int_equal(head.id, id);
	assert_int_equal(head.flags, USER_TYPE_REPLY);
	assert_int_equal(head.size, FRONT + len);
	assert_memory_equal(body + sizeof(struct user_dma), expected + from, len);
}

static void take_call(struct end *e, uint16_t command)
{
	assert_int_equal(take(e, body, sizeof(body)).command, command);
}

/* Both of an answer that waits and of one that was asked for behind the server's own answer. */
static void test_unmapped_while_it_waits(void **state)
{
	uint8_t *pages = pages_new(LEN);
	struct user_dma_unmap none = { .argsz = sizeof(none) };
	struct user_header done = { .command = USER_DMA_UNMAP,
				    .size = sizeof(done) + sizeof(none),
				    .flags = USER_TYPE_REPLY };
	const struct asking again = read_call(8, IOVA, LEN);
	uint8_t glued[sizeof(done) + sizeof(none) + sizeof(again)];
	uint64_t unmapped = 0;
	struct end e;

	(void)state;
	end_start(&e);
	map_pages(&e, IOVA, pages, LEN);
	ask_to_read(&e, 7, IOVA, LEN);
	take_call(&e, USER_DMA_MAP);
	assert_int_equal(link_service(&e.link), 0);
	assert_true(e.link.conn.tail_len > 0);
	done.id = e.link.next_id;
	memcpy(glued, &done, sizeof(done));
	memcpy(glued + sizeof(done), &none, sizeof(none));
	memcpy(glued + sizeof(done) + sizeof(none), &again, sizeof(again));
	say(&e, glued, sizeof(glued));
	assert_int_equal(link_unmap(&e.link, IOVA, LEN, &unmapped), 0);
	assert_int_equal(unmapped, LEN);
	munmap(pages, LEN);
	take_answer(&e, 7, LEN, 0);
	take_call(&e, USER_DMA_UNMAP);
	take_answer(&e, 8, LEN, 0);
	assert_int_equal(e.link.failed, 0);
	ask_to_read(&e, 9, IOVA, LEN);
	assert_int_equal(take(&e, body, sizeof(body)).flags, USER_TYPE_REPLY | USER_ERROR);
	end_stop(&e);
}

/* A driver must not do this. It learns of it, and nobody waits for ever. */
static void test_memory_gone_while_it_waits(void **state)
{
	uint8_t *pages = pages_new(LEN);
	struct end e;
	int ret = 0;

	(void)state;
	end_start(&e);
	map_pages(&e, IOVA, pages, LEN);
	take_call(&e, USER_DMA_MAP);
	ask_to_read(&e, 7, IOVA, LEN);
	assert_int_equal(link_service(&e.link), 0);
	munmap(pages, LEN);
	for (int i = 0; i < 1000 && !ret; i++) {
		recv(e.fd, body, sizeof(body), MSG_DONTWAIT);
		ret = link_service(&e.link);
	}
	assert_int_equal(ret, -EFAULT);
	end_stop(&e);
}

/* The file is mapped anew when it has grown, so it may lie elsewhere. */
static void test_file_moves_while_it_waits(void **state)
{
	struct dfd_dma_map map = { .iova = IOVA, .size = LEN, .kind = DFD_DMA_FD };
	struct end e;

	(void)state;
	map.fd = memfd_create("long", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(map.fd, expected, LEN), LEN);
	assert_int_equal(fcntl(map.fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	end_start(&e);
	map_memory(&e, map);
	take_call(&e, USER_DMA_MAP);
	ask_to_read(&e, 7, IOVA, LEN);
	assert_int_equal(link_service(&e.link), 0);
	assert_true(e.link.conn.tail_len > 0);
	assert_int_equal(ftruncate(map.fd, (off_t)LEN << 6), 0);
	map.iova += LEN;
	map.fd_offset = LEN;
	map_memory(&e, map);
	take_answer(&e, 7, LEN, 0);
	take_call(&e, USER_DMA_MAP);
	close(map.fd);
	end_stop(&e);
}

/* More than one at a time, and one that lies in two maps: answered in order, all of it. */
static void test_many_at_once(void **state)
{
	uint8_t *pages = pages_new(2 * LEN);
	struct asking calls[6];
	struct end e;

	(void)state;
	end_start(&e);
	map_pages(&e, IOVA, pages, LEN);
	map_pages(&e, IOVA + LEN, pages + LEN, LEN);
	take_call(&e, USER_DMA_MAP);
	take_call(&e, USER_DMA_MAP);
	for (uint16_t i = 0; i < 6; i++)
		calls[i] = read_call(i, IOVA + i * UINT64_C(1000), LEN);
	say(&e, calls, sizeof(calls));
	for (uint16_t i = 0; i < 6; i++)
		take_answer(&e, i, LEN, i * 1000u);
	assert_int_equal(e.link.failed, 0);
	end_stop(&e);
	munmap(pages, 2 * LEN);
}

static void test_server_gone_while_it_waits(void **state)
{
	uint8_t *pages = pages_new(LEN);
	struct end e;

	(void)state;
	end_start(&e);
	map_pages(&e, IOVA, pages, LEN);
	ask_to_read(&e, 7, IOVA, LEN);
	assert_int_equal(link_service(&e.link), 0);
	shutdown(e.fd, SHUT_RDWR);
	assert_int_equal(link_service(&e.link), -ENODEV);
	munmap(pages, LEN);
	assert_int_equal(link_service(&e.link), -ENODEV);
	end_stop(&e);
}

/* ---- the server's end: a device that reads, and a client that is this test ---- */

/** struct reader - @buf: what is read into, gone as soon as it is over; @over: how often it was */
struct reader {
	uint8_t *buf;
	uint32_t len;
	int status;
	unsigned int over;
	bool right;
};

static void reading_done(void *ctx, int status)
{
	struct reader *r = ctx;

	r->over++;
	r->status = status;
	r->right = !status && !memcmp(r->buf, expected, r->len);
	free(r->buf);
	r->buf = NULL;
}

static ssize_t reader_write(struct dfd_device *dev, uint32_t region, uint64_t offset,
			    const void *buf, size_t len)
{
	struct reader *r = dfd_device_priv(dev);

	(void)region;
	(void)offset;
	if (len != sizeof(r->len) || r->buf)
		return -EIO;
	memcpy(&r->len, buf, len);
	r->buf = malloc(r->len);
	if (dfd_dma_read(dfd_device_host(dev), IOVA, r->buf, r->len, reading_done, r))
		reading_done(r, -EIO);
	return (ssize_t)len;
}

static ssize_t reader_read(struct dfd_device *dev, uint32_t region, uint64_t offset, void *buf,
			   size_t len)
{
	(void)dev;
	(void)region;
	(void)offset;
	memset(buf, 0x5a, len);
	return (ssize_t)len;
}

static int reader_reset(struct dfd_device *dev)
{
	(void)dev;
	return 0;
}

/** struct served - @fd: the client's end */
struct served {
	struct reader reader;
	struct dfd_device *dev;
	struct dfd_server *srv;
	char dir[32];
	int fd;
};

static struct dfd_device *reader_new(struct reader *r)
{
	static const struct dfd_device_ops ops = { .size = sizeof(ops),
						   .name = "reader",
						   .region_read = reader_read,
						   .region_write = reader_write,
						   .reset = reader_reset };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	const struct dfd_desc *desc;
	struct dfd_device *dev;

	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	dfd_desc_add_region(b, &(struct dfd_region){ .size = 4096 });
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_model_new(desc, &ops, r, NULL, &dev, NULL), 0);
	dfd_desc_unref(desc);
	return dev;
}

static void step(struct served *s)
{
	for (int i = 0; i < 4; i++)
		assert_int_equal(dfd_server_service(s->srv), 0);
}

static void tell(struct served *s, const void *data, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(s->fd, (const uint8_t *)data + sent, len - sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		step(s);
	}
}

static struct user_header hear(struct served *s, void *to, size_t room)
{
	struct user_header head;

	step(s);
	assert_int_equal(recv(s->fd, &head, sizeof(head), MSG_DONTWAIT), sizeof(head));
	assert_in_range(head.size, sizeof(head), sizeof(head) + room);
	if (head.size > sizeof(head))
		assert_int_equal(recv(s->fd, to, head.size - sizeof(head), MSG_DONTWAIT),
				 head.size - sizeof(head));
	return head;
}

static void call(struct served *s, uint16_t command, const void *payload, size_t len)
{
	struct user_header head = { .id = 77,
				    .command = command,
				    .size = (uint32_t)(sizeof(head) + len) };
	uint8_t message[256];

	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), payload, len);
	tell(s, message, sizeof(head) + len);
}

static void ask(struct served *s, uint16_t command, const void *payload, size_t len)
{
	struct user_header head;

	call(s, command, payload, len);
	head = hear(s, body, sizeof(body));
	assert_int_equal(head.id, 77);
	assert_int_equal(head.flags, USER_TYPE_REPLY);
}

static void map_at_server(struct served *s)
{
	const struct user_dma_map map = {
		.argsz = sizeof(map), .flags = DFD_DMA_READ, .address = IOVA, .size = USER_MAX_DATA
	};

	ask(s, USER_DMA_MAP, &map, sizeof(map));
}

static void served_start(struct served *s)
{
	static const char version[] =
		"\0\0\0\0{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":524288,"
		"\"pgsizes\":4096}}";
	char path[64];

	*s = (struct served){ .dir = "/tmp/devfd-long-XXXXXX" };
	assert_non_null(mkdtemp(s->dir));
	snprintf(path, sizeof(path), "%s/sock", s->dir);
	s->dev = reader_new(&s->reader);
	assert_int_equal(dfd_server_new(&s->srv), 0);
	assert_int_equal(dfd_server_add(s->srv, s->dev, path, 0600, NULL), 0);
	s->fd = user_connect(path);
	assert_true(s->fd >= 0);
	ask(s, USER_VERSION, version, sizeof(version));
	map_at_server(s);
}

static void served_stop(struct served *s)
{
	if (s->srv)
		dfd_server_free(s->srv);
	dfd_device_close(s->dev);
	if (s->fd >= 0)
		close(s->fd);
	assert_int_equal(rmdir(s->dir), 0);
}

/* The device is told to read. Return: its request */
static struct asking begin(struct served *s, uint32_t len)
{
	struct {
		struct user_access a;
		uint32_t value;
	} write = { { 0, 0, 4 }, len };
	struct asking asked;

	s->reader.over = 0;
	ask(s, USER_REGION_WRITE, &write, sizeof(write.a) + 4);
	asked.head = hear(s, &asked.dma, sizeof(asked.dma));
	assert_int_equal(asked.head.command, USER_DMA_READ);
	return asked;
}

/* All of the answer, to be sent in parts. */
static size_t make_answer(struct asking asked, uint8_t *message)
{
	asked.head.flags = USER_TYPE_REPLY;
	asked.head.size = (uint32_t)(FRONT + asked.dma.count);
	memcpy(message, &asked, sizeof(asked));
	memcpy(message + FRONT, expected + (asked.dma.address - IOVA), asked.dma.count);
	return asked.head.size;
}

/* Is the stream where it should be? */
static void check_alive(struct served *s)
{
	const struct user_access a = { 16, 0, 4 };

	ask(s, USER_REGION_READ, &a, sizeof(a));
	assert_int_equal(body[sizeof(a)], 0x5a);
}

static uint8_t answer[USER_MAX_MESSAGE];

static void read_all(struct served *s, uint32_t len)
{
	struct asking asked = begin(s, len);

	tell(s, answer, make_answer(asked, answer));
	step(s);
	assert_int_equal(s->reader.over, 1);
	assert_true(s->reader.right);
	check_alive(s);
}

static void test_split_anywhere(void **state)
{
	static const size_t cuts[] = { 1,
				       15,
				       16,
				       31,
				       32,
				       33,
				       100,
				       FRONT + 1,
				       LEN / 2,
				       LEN - 1,
				       LEN,
				       LEN + 1,
				       LEN + FRONT - 1 };
	struct served s;

	(void)state;
	served_start(&s);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
		struct asking asked = begin(&s, LEN);
		size_t len = make_answer(asked, answer);

		tell(&s, answer, cuts[i]);
		step(&s);
		assert_int_equal(s.reader.over, 0);
		tell(&s, answer + cuts[i], len - cuts[i]);
		step(&s);
		assert_int_equal(s.reader.over, 1);
		assert_true(s.reader.right);
		check_alive(&s);
	}
	served_stop(&s);
}

/* The client takes no more than 512 KiB at a time. */
static void test_two_pieces(void **state)
{
	struct asking asked;
	struct served s;
	size_t len;

	(void)state;
	served_start(&s);
	asked = begin(&s, LEN + 100000);
	assert_int_equal(asked.dma.count, LEN);
	len = make_answer(asked, answer);
	tell(&s, answer, len / 3);
	tell(&s, answer + len / 3, len - len / 3);
	asked.head = hear(&s, &asked.dma, sizeof(asked.dma));
	assert_int_equal(asked.dma.address, IOVA + LEN);
	assert_int_equal(asked.dma.count, 100000);
	assert_int_equal(s.reader.over, 0);
	tell(&s, answer, make_answer(asked, answer));
	step(&s);
	assert_int_equal(s.reader.over, 1);
	assert_true(s.reader.right);
	served_stop(&s);
}

static void by_unmap(struct served *s)
{
	assert_int_equal(dfd_dma_unmap(s->dev, IOVA, USER_MAX_DATA, NULL), 0);
}

static void by_reset(struct served *s)
{
	assert_int_equal(dfd_device_reset(s->dev), 0);
}

static void by_time(struct served *s)
{
	session_dma_expire(&s->srv->exports->session, UINT64_MAX);
	step(s);
}

/* What has no place any more is dropped, at any point of the answer, and the next one is taken. */
static void test_cancelled_in_the_middle(void **state)
{
	static const struct {
		void (*cancel)(struct served *s);
		int status;
	} ways[] = { { by_reset, -ECANCELED }, { by_time, -ETIMEDOUT }, { by_unmap, -ECANCELED } };
	static const size_t cuts[] = { 0, 16, 32, 40, LEN / 2, LEN + 20 };
	struct served s;

	(void)state;
	served_start(&s);
	for (size_t i = 0; i < 18; i++) {
		struct asking asked = begin(&s, LEN);
		size_t len = make_answer(asked, answer), cut = cuts[i % 6];

		tell(&s, answer, cut);
		step(&s);
		ways[i / 6].cancel(&s);
		assert_int_equal(s.reader.over, 1);
		assert_int_equal(s.reader.status, ways[i / 6].status);
		assert_null(s.reader.buf);
		tell(&s, answer + cut, len - cut);
		for (int j = 0; j < 100; j++)
			step(&s);
		check_alive(&s);
		assert_int_equal(s.reader.over, 1);
		if (ways[i / 6].cancel == by_unmap) {
			const struct user_dma_unmap all = { .argsz = sizeof(all),
							    .flags = USER_UNMAP_ALL };

			ask(&s, USER_DMA_UNMAP, &all, sizeof(all));
			map_at_server(&s);
		}
		read_all(&s, LEN);
	}
	served_stop(&s);
}

/* The client's own unmapping: before the answer begins, and between two pieces of a transfer. */
static void test_unmapped_by_the_client(void **state)
{
	const struct user_dma_unmap unmap = { .argsz = sizeof(unmap),
					      .address = IOVA,
					      .size = USER_MAX_DATA };
	struct served s;

	(void)state;
	served_start(&s);
	for (int pieces = 0; pieces < 2; pieces++) {
		struct asking asked = begin(&s, LEN + 100000);

		if (pieces) {
			tell(&s, answer, make_answer(asked, answer));
			asked.head = hear(&s, &asked.dma, sizeof(asked.dma));
		}
		ask(&s, USER_DMA_UNMAP, &unmap, sizeof(unmap));
		assert_int_equal(s.reader.over, 1);
		assert_int_equal(s.reader.status, -ECANCELED);
		tell(&s, answer, make_answer(asked, answer));
		check_alive(&s);
		map_at_server(&s);
	}
	served_stop(&s);
}

static void test_client_gone_in_the_middle(void **state)
{
	struct asking asked;
	struct served s;

	(void)state;
	served_start(&s);
	asked = begin(&s, LEN);
	make_answer(asked, answer);
	tell(&s, answer, LEN / 2);
	close(s.fd);
	s.fd = -1;
	step(&s);
	assert_int_equal(s.reader.over, 1);
	assert_int_equal(s.reader.status, -ECANCELED);
	assert_int_equal(dfd_server_served(s.srv, s.dev), 1);
	served_stop(&s);
}

static void test_server_ends_in_the_middle(void **state)
{
	struct asking asked;
	struct served s;

	(void)state;
	served_start(&s);
	asked = begin(&s, LEN);
	make_answer(asked, answer);
	tell(&s, answer, LEN / 2);
	dfd_server_free(s.srv);
	s.srv = NULL;
	assert_int_equal(s.reader.over, 1);
	assert_int_equal(s.reader.status, -ECANCELED);
	served_stop(&s);
}

/* No message can have fds there; who sends some is sent away, because they are lost. */
static void test_fds_in_the_middle(void **state)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .align = { .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS,
				 .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { answer + LEN / 2, 100 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct asking asked;
	struct served s;

	(void)state;
	served_start(&s);
	asked = begin(&s, LEN);
	make_answer(asked, answer);
	tell(&s, answer, LEN / 2);
	memcpy(CMSG_DATA(&control.align), &s.fd, sizeof(s.fd));
	assert_int_equal(sendmsg(s.fd, &msg, MSG_NOSIGNAL), 100);
	step(&s);
	assert_int_equal(s.reader.over, 1);
	assert_int_equal(s.reader.status, -ECANCELED);
	assert_int_equal(dfd_server_served(s.srv, s.dev), 1);
	served_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unmapped_while_it_waits),
		cmocka_unit_test(test_memory_gone_while_it_waits),
		cmocka_unit_test(test_file_moves_while_it_waits),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_server_gone_while_it_waits),
		cmocka_unit_test(test_split_anywhere),
		cmocka_unit_test(test_two_pieces),
		cmocka_unit_test(test_cancelled_in_the_middle),
		cmocka_unit_test(test_unmapped_by_the_client),
		cmocka_unit_test(test_client_gone_in_the_middle),
		cmocka_unit_test(test_server_ends_in_the_middle),
		cmocka_unit_test(test_fds_in_the_middle),
	};

	fill(expected, sizeof(expected), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
