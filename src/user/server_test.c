/* SPDX-License-Identifier: MIT */
/* A server in this very thread, so that each turn of its loop is the test's to choose. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/devfd.h>
#include <devfd/provider.h>

#include "user/conn.h"
#include "user/listen.h"
#include "user/patience.h"
#include "ring/ring.h"
#include "user/version.h"

#define MANY 400

/** struct counter - a device that counts what it is asked to do; maps of files alone */
struct counter {
	unsigned int writes, resets, files;
};

static ssize_t count_write(struct dfd_device *dev, uint32_t region, uint64_t offset,
			   const void *buf, size_t len)
{
	struct counter *n = dfd_device_priv(dev);

	(void)region, (void)offset, (void)buf;
	n->writes++;
	return (ssize_t)len;
}

static ssize_t read_nothing(struct dfd_device *dev, uint32_t region, uint64_t offset, void *buf,
			    size_t len)
{
	(void)dev, (void)region, (void)offset;
	memset(buf, 0, len);
	return (ssize_t)len;
}

static int count_reset(struct dfd_device *dev)
{
	struct counter *n = dfd_device_priv(dev);

	n->resets++;
	return 0;
}

static int count_file(struct dfd_device *dev, struct dfd_dma_map *map)
{
	struct counter *n = dfd_device_priv(dev);

	n->files += map->kind == DFD_DMA_FD;
	return 0;
}

static int forget_file(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	(void)dev, (void)iova;
	*unmapped = size;
	return 0;
}

static const struct dfd_device_ops counter_ops = { .size = sizeof(counter_ops),
						   .name = "counter",
						   .region_read = read_nothing,
						   .region_write = count_write,
						   .dma_map = count_file,
						   .dma_unmap = forget_file,
						   .reset = count_reset };

static struct dfd_device *counter_new(struct counter *n, uint32_t flags)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
	const struct dfd_region bar = { .index = 0, .size = 4096 };
	const struct dfd_region config = { .index = DFD_PCI_CONFIG, .size = 256 };
	const struct dfd_desc *desc;
	struct dfd_device *dev;

	*n = (struct counter){ 0 };
	dfd_desc_add_flags(b, flags);
	dfd_desc_add_region(b, &bar);
	dfd_desc_add_region(b, &config);
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_model_new(desc, &counter_ops, n, NULL, &dev, NULL), 0);
	dfd_desc_unref(desc);
	return dev;
}

/* ---- both ends ---- */

/** struct rig - two devices that are served, the second cannot be reset; a client of the first */
struct rig {
	char dir[32], paths[2][48];
	struct counter counters[2];
	struct dfd_device *devs[2];
	struct dfd_server *srv;
	struct conn client;
	struct ring ring;
};

static void turn(struct rig *g, int times)
{
	while (times--)
		assert_int_equal(dfd_server_service(g->srv), 0);
}

static void put(struct rig *g, uint16_t command, uint32_t flags, const void *fixed,
		size_t fixed_len, const void *data, size_t len)
{
	const struct user_header head = { .command = command, .flags = flags };

	assert_int_equal(conn_put(&g->client, head, fixed, fixed_len, data, len, NULL, 0), 0);
}

/* Return: the error of the answer */
static int ask(struct rig *g, uint16_t command, const void *fixed, size_t fixed_len,
	       const void *data, size_t len)
{
	struct message m;
	int error;

	put(g, command, 0, fixed, fixed_len, data, len);
	assert_int_equal(conn_flush(&g->client), 0);
	turn(g, 3);
	assert_int_equal(conn_receive(&g->client), 1);
	assert_int_equal(conn_next(&g->client, &m), 1);
	error = (int)m.head.error;
	if (m.num_fds == 2)
		assert_int_equal(ring_join(&g->ring, m.fds), 0);
	message_done(&m);
	return error;
}

static void rig_start(struct rig *g, bool with_ring)
{
	const struct user_version version = { 0 };
	char text[VERSION_MAX_TEXT];

	*g = (struct rig){ .dir = "/tmp/devfd-server-XXXXXX", .ring = { .fd = -1, .bell = -1 } };
	assert_non_null(mkdtemp(g->dir));
	assert_int_equal(dfd_server_new(&g->srv), 0);
	for (int i = 0; i < 2; i++) {
		snprintf(g->paths[i], sizeof(g->paths[i]), "%s/%d", g->dir, i);
		g->devs[i] = counter_new(&g->counters[i], i ? 0 : DFD_DEVICE_RESET);
		assert_int_equal(dfd_server_add(g->srv, g->devs[i], g->paths[i], 0600, NULL), 0);
	}
	conn_init(&g->client, user_connect(g->paths[0]));
	turn(g, 1);
	assert_int_equal(ask(g, USER_VERSION, &version, sizeof(version), text,
			     version_request(text, VERSION_TWIN | (with_ring ? 0 : VERSION_RING))),
			 0);
	assert_int_equal(g->ring.shared != NULL, with_ring);
}

static void rig_stop(struct rig *g)
{
	ring_finish(&g->ring);
	conn_finish(&g->client);
	dfd_server_free(g->srv);
	for (int i = 0; i < 2; i++)
		dfd_device_close(g->devs[i]);
	assert_int_equal(rmdir(g->dir), 0);
}

/* ---- the cases ---- */

/* Who posts writes and leaves has said all that it wanted. */
static void test_posted_and_gone(void **state)
{
	const struct user_access a = { .count = 4 };
	struct rig g;

	(void)state;
	rig_start(&g, false);
	for (int i = 0; i < MANY; i++)
		put(&g, USER_REGION_WRITE, USER_NO_REPLY, &a, sizeof(a), "abcd", 4);
	assert_int_equal(conn_flush(&g.client), 0);
	conn_finish(&g.client);
	turn(&g, 20);
	assert_int_equal(g.counters[0].writes, MANY);
	assert_int_equal(dfd_server_served(g.srv, g.devs[0]), 1);
	rig_stop(&g);
}

/* Each map has a file, however much was posted before and in between. */
static void test_files_behind_a_flood(void **state)
{
	const struct user_access a = { .count = 4 };
	struct user_dma_map map = { .argsz = sizeof(map), .flags = 3, .size = 4096 };
	const struct user_header head = { .command = USER_DMA_MAP, .flags = USER_NO_REPLY };
	int fd = memfd_create("flood", MFD_CLOEXEC);
	struct rig g;

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	rig_start(&g, false);
	for (int i = 0; i < 100; i++)
		put(&g, USER_REGION_WRITE, USER_NO_REPLY, &a, sizeof(a), "abcd", 4);
	for (int i = 0; i < 4; i++) {
		map.address += 4096;
		assert_int_equal(conn_put(&g.client, head, &map, sizeof(map), NULL, 0, &fd, 1), 0);
		assert_int_equal(conn_flush(&g.client), 0);
	}
	turn(&g, 20);
	assert_int_equal(g.counters[0].writes, 100);
	assert_int_equal(g.counters[0].files, 4);
	close(fd);
	rig_stop(&g);
}

/* Between what epoll says and what the server does about it, a client sends a lot. */
static void send_flood(void *ctx, enum dfd_serve_level level, const char *text)
{
	struct ring_request q = { .command = USER_REGION_READ, .access = { .count = 4 } };
	struct rig *g = ctx;

	if (level != DFD_SERVE_INFO || !strstr(text, "has come"))
		return;
	for (int i = 0; i < MANY; i++)
		put(g, USER_RESET, USER_NO_REPLY, NULL, 0, NULL, 0);
	assert_int_equal(conn_flush(&g->client), 0);
	q.position = g->client.sent;
	ring_ask(&g->ring, &q, 0);
}

/* The request in the ring comes behind all of it, and no event tells when that is done. */
static void test_ring_behind_a_flood(void **state)
{
	const uint64_t one = 1;
	struct ring_response a;
	struct rig g;
	int other;

	(void)state;
	rig_start(&g, true);
	dfd_server_watch_log(g.srv, send_flood, &g);
	other = user_connect(g.paths[1]);
	assert_int_equal(write(g.ring.bell, &one, sizeof(one)), sizeof(one));
	turn(&g, 20);
	assert_int_equal(ring_answered(&g.ring, &a), 1);
	assert_int_equal(a.error, 0);
	assert_int_equal(g.counters[0].resets, MANY);
	close(other);
	rig_stop(&g);
}

/* A device that cannot be reset is all the same as the next client is promised to find it. */
static void test_left_without_reset(void **state)
{
	const uint8_t left[2] = { 4, 4 }; /* decode off, bus mastering on, INTx off */
	uint8_t command[2];
	struct rig g;
	int client;

	(void)state;
	rig_start(&g, false);
	client = user_connect(g.paths[1]);
	turn(&g, 2);
	assert_int_equal(dfd_region_write(g.devs[1], DFD_PCI_CONFIG, 4, left, 2), 2);
	close(client);
	turn(&g, 2);
	assert_int_equal(dfd_region_read(g.devs[1], DFD_PCI_CONFIG, 4, command, 2), 2);
	assert_int_equal(command[0] & 6, 2);
	assert_int_equal(command[1], 0);
	rig_stop(&g);
}

/* What could not be added is not polled, either. */
static void test_added_twice(void **state)
{
	char path[64];
	struct rig g;
	int fd, late;

	(void)state;
	rig_start(&g, false);
	snprintf(path, sizeof(path), "%s/again", g.dir);
	fd = user_connect(g.paths[0]);
	assert_true(dfd_server_add(g.srv, g.devs[0], path, 0600, NULL) < 0);
	assert_int_equal(access(path, F_OK), -1);
	turn(&g, 3);
	late = user_connect(g.paths[1]);
	turn(&g, 3);
	close(late);
	close(fd);
	rig_stop(&g);
}

/* A server that was kept from looking for longer than its patience blames nobody for that. */
static void test_kept_from_looking(void **state)
{
	static const struct patience short_one = { 30000000, 30000000, 30000000, 5000000 };
	const struct user_version version = { 0 };
	struct rig g;

	(void)state;
	rig_start(&g, false);
	conn_finish(&g.client);
	turn(&g, 2);
	dfd_server_set_patience(g.srv, &short_one);
	conn_init(&g.client, user_connect(g.paths[0]));
	turn(&g, 1);
	usleep(10000); /* the clock is the first to have something to say */
	put(&g, USER_VERSION, 0, &version, sizeof(version), NULL, 0);
	assert_int_equal(conn_flush(&g.client), 0);
	usleep(50000);
	turn(&g, 3);
	assert_int_equal(conn_receive(&g.client), 1);
	rig_stop(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_posted_and_gone),
		cmocka_unit_test(test_files_behind_a_flood),
		cmocka_unit_test(test_ring_behind_a_flood),
		cmocka_unit_test(test_left_without_reset),
		cmocka_unit_test(test_added_twice),
		cmocka_unit_test(test_kept_from_looking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
