/* SPDX-License-Identifier: MIT */
/* Both ends in one process: memory by message, mapped regions, and ends that vanish. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
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

#include "alloc.h"
#include "user/listen.h"
#include "user/patience.h"
#include "user/version.h"

/** struct both - a served device, and the same one from the other end */
struct both {
	char dir[32];
	char path[64];
	struct dfd_device *served, *dev;
	struct dfd_server *srv;
	pthread_t thread;
	bool running;
};

static void *serve(void *arg)
{
	struct both *b = arg;

	while (!dfd_server_wait(b->srv, -1))
		;
	return NULL;
}

static void both_start_with(struct both *b, const char *address, bool polls, const char *options)
{
	char user[100];

	*b = (struct both){ .dir = "/tmp/devfd-both-XXXXXX" };
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/sock", b->dir);
	snprintf(user, sizeof(user), "user:%s%s", b->path, options);
	assert_int_equal(dfd_open(address, &b->served, NULL), 0);
	assert_int_equal(dfd_server_new(&b->srv), 0);
	assert_int_equal(dfd_server_set_poll(b->srv, polls), 0);
	assert_int_equal(dfd_server_add(b->srv, b->served, b->path, 0600, NULL), 0);
	assert_int_equal(pthread_create(&b->thread, NULL, serve, b), 0);
	b->running = true;
	assert_int_equal(dfd_open(user, &b->dev, NULL), 0);
}

static void both_start(struct both *b, const char *address, bool polls)
{
	both_start_with(b, address, polls, "");
}

static void server_ends(struct both *b)
{
	if (!b->running)
		return;
	dfd_server_stop(b->srv);
	pthread_join(b->thread, NULL);
	dfd_server_free(b->srv);
	dfd_device_close(b->served);
	b->running = false;
}

static void both_stop(struct both *b)
{
	dfd_device_close(b->dev);
	server_ends(b);
	assert_int_equal(access(b->path, F_OK), -1);
	assert_int_equal(rmdir(b->dir), 0);
}

/* ---- DMA ---- */

static void put64(struct dfd_device *dev, uint64_t reg, uint64_t value)
{
	assert_int_equal(dfd_region_write(dev, 0, reg, &value, 8), 8);
}

static void run_dma(struct dfd_device *dev, uint64_t src, uint64_t dst, uint64_t len,
		    uint64_t command)
{
	put64(dev, 0x80, src);
	put64(dev, 0x88, dst);
	put64(dev, 0x90, len);
	put64(dev, 0x98, command | 5);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSI, 0, 60000), 1);
}

/* Memory of this process is no file, so the server has to ask for it. */
static void dma_by_message(bool polls, const char *options)
{
	uint8_t memory[8192], copy[4096];
	struct dfd_dma_map map = { .iova = 0x10000,
				   .size = sizeof(memory),
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_ADDRESS,
				   .addr = memory };
	const uint16_t command = 6;
	uint64_t unmapped;
	struct both b;

	both_start_with(&b, "model:edu", polls, options);
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(copy, memory, sizeof(copy));
	assert_int_equal(dfd_region_write(b.dev, DFD_PCI_CONFIG, 4, &command, 2), 2);
	assert_int_equal(dfd_irq_enable(b.dev, DFD_PCI_MSI, 1), 0);
	assert_int_equal(dfd_dma_map(b.dev, &map), 0);
	assert_int_equal(dfd_dma_map(b.dev, &map), -EEXIST);
	run_dma(b.dev, 0x10000, 0x40000, 4096, 0);
	run_dma(b.dev, 0x40000, 0x11000, 4096, 2);
	assert_memory_equal(memory + 4096, copy, sizeof(copy));
	assert_int_equal(dfd_dma_unmap(b.dev, 0x10000, 4096, NULL), -EINVAL);
	assert_int_equal(dfd_dma_unmap(b.dev, 0x10000, sizeof(memory), &unmapped), 0);
	assert_int_equal(unmapped, sizeof(memory));
	assert_int_equal(dfd_dma_unmap(b.dev, 0x10000, sizeof(memory), &unmapped), 0);
	assert_int_equal(unmapped, 0);
	/* What is gone is not written, and the device goes on. */
	memset(memory, 0, sizeof(memory));
	run_dma(b.dev, 0x40000, 0x11000, 4096, 2);
	assert_int_equal(memory[4096 + 1], 0);
	both_stop(&b);
}

static void test_dma_by_message(void **state)
{
	static const char *const options[] = { "", ",ring=off", ",ring=off,twin=off",
					       ",ring=off,poll" };

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		dma_by_message(false, options[i]);
		dma_by_message(true, options[i]);
	}
}

/* ---- regions ---- */

static void test_mapped_region(void **state)
{
	struct both b;
	void *here, *there, *outside;
	uint8_t byte;

	(void)state;
	both_start(&b, "model:shapes", false);
	assert_int_equal(dfd_region_mmap(b.dev, 0, 0x1000, 0x3000, PROT_READ | PROT_WRITE, &here),
			 0);
	assert_int_equal(
		dfd_region_mmap(b.served, 0, 0x1000, 0x3000, PROT_READ | PROT_WRITE, &there), 0);
	((volatile uint8_t *)here)[5] = 0x5a;
	assert_int_equal(((volatile uint8_t *)there)[5], 0x5a);
	assert_int_equal(dfd_region_read(b.dev, 0, 0x1005, &byte, 1), 1);
	assert_int_equal(byte, 0x5a);
	assert_int_equal(dfd_region_mmap(b.dev, 0, 0, 0x1000, PROT_READ, &outside), -EINVAL);
	munmap(here, 0x3000);
	munmap(there, 0x3000);
	both_stop(&b);
}

/* ---- a server that polls ---- */

static void test_poll(void **state)
{
	uint32_t id = 0;
	struct both b;

	(void)state;
	both_start(&b, "model:edu", true);
	assert_int_equal(dfd_server_set_poll(b.srv, false), -EBUSY);
	assert_int_equal(dfd_region_read(b.dev, 0, 0, &id, 4), 4);
	assert_int_equal(id & 0xffff, 0xed);
	both_stop(&b);
}

/* ---- an end that vanishes ---- */

static void test_server_gone(void **state)
{
	struct dfd_dma_map map = {
		.iova = 0x10000, .size = 4096, .prot = DFD_DMA_READ, .kind = DFD_DMA_ADDRESS
	};
	uint8_t memory[4096];
	uint32_t value = 0;
	struct both b;

	(void)state;
	map.addr = memory;
	both_start(&b, "model:edu", false);
	assert_int_equal(dfd_irq_enable(b.dev, DFD_PCI_MSI, 1), 0);
	assert_int_equal(dfd_dma_map(b.dev, &map), 0);
	assert_int_equal(dfd_service_thread(b.dev), 0);
	server_ends(&b);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(dfd_region_read(b.dev, 0, 0, &value, 4), -ENODEV);
		assert_int_equal(dfd_region_write(b.dev, 0, 0, &value, 4), -ENODEV);
		assert_int_equal(dfd_device_reset(b.dev), -ENODEV);
		assert_int_equal(dfd_wait_irq(b.dev, DFD_PCI_MSI, 0, -1), -ENODEV);
		assert_int_equal(dfd_irq_unmask(b.dev, DFD_PCI_INTX), -ENODEV);
		assert_int_equal(dfd_device_service(b.dev), -ENODEV);
	}
	map.iova = 0x20000;
	assert_int_equal(dfd_dma_map(b.dev, &map), -ENODEV);
	assert_int_equal(dfd_dma_unmap(b.dev, 0x10000, 4096, NULL), -ENODEV);
	both_stop(&b);
}

/* ---- memory ---- */

static void serve_for(struct dfd_server *srv, int ms)
{
	struct pollfd p = { .fd = dfd_server_poll_fd(srv), .events = POLLIN };

	while (poll(&p, 1, ms) == 1)
		assert_int_equal(dfd_server_service(srv), 0);
}

static void exchange(struct dfd_server *srv, int fd, const void *call, size_t len, size_t want)
{
	static uint8_t answer[USER_MAX_MESSAGE];
	ssize_t n;

	for (size_t sent = 0; sent < len; sent += (size_t)n) {
		n = send(fd, (const uint8_t *)call + sent, len - sent, 0);
		assert_true(n > 0 || errno == EAGAIN);
		n = n < 0 ? 0 : n;
		assert_int_equal(dfd_server_service(srv), 0);
	}
	for (size_t got = 0; got < want; got += (size_t)n) {
		n = recv(fd, answer, want - got, 0);
		assert_true(n > 0 || (n < 0 && errno == EAGAIN));
		n = n < 0 ? 0 : n;
		assert_int_equal(dfd_server_service(srv), 0);
	}
}

/* What a client that does nothing holds, after it has sent and received all that it may. */
static void test_idle_memory(void **state)
{
	static const struct patience usual = { 5000000000, 10000000000, 10000000000, 2000000 };
	static const struct user_header refused = { .command = USER_FEATURE,
						    .size = USER_MAX_MESSAGE };
	static uint8_t big[USER_MAX_MESSAGE];
	static struct {
		struct user_header head;
		struct user_access a;
	} many[4096];
	const struct {
		struct user_header head;
		struct user_version version;
	} hello = { { .command = USER_VERSION, .size = sizeof(hello) }, { 0 } };
	struct dfd_device *dev;
	struct dfd_server *srv;
	char dir[] = "/tmp/devfd-idle-XXXXXX", path[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	assert_int_equal(dfd_open("model:edu", &dev, NULL), 0);
	assert_int_equal(dfd_server_new(&srv), 0);
	dfd_server_set_patience(srv, &usual);
	dfd_alloc_reset();
	assert_int_equal(dfd_server_add(srv, dev, path, 0600, NULL), 0);
	fd = user_connect(path);
	assert_true(fd >= 0);
	exchange(srv, fd, &hello, sizeof(hello), sizeof(hello));
	memcpy(big, &refused, sizeof(refused));
	exchange(srv, fd, big, sizeof(big), sizeof(refused));
	for (size_t i = 0; i < 4096; i++) {
		many[i].head =
			(struct user_header){ .command = USER_REGION_READ, .size = sizeof(*many) };
		many[i].a = (struct user_access){ 0, DFD_PCI_CONFIG, 256 };
	}
	exchange(srv, fd, many, sizeof(many), sizeof(many) + 4096 * 256);
	assert_true(dfd_alloc.peak > USER_MAX_DATA * 3 / 2);
	for (int i = 0; i < 10; i++)
		serve_for(srv, 1);
	print_message("%zu bytes while idle\n", dfd_alloc.live);
	assert_true(dfd_alloc.live <= 65536);
	close(fd);
	dfd_server_free(srv);
	dfd_device_close(dev);
	assert_int_equal(rmdir(dir), 0);
}

static void test_silent_server(void **state)
{
	char dir[] = "/tmp/devfd-silent-XXXXXX", path[64];
	struct user_place place;
	struct dfd_device *dev;
	struct dfd_error err;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	fd = user_listen(path, 0600, &place, NULL);
	assert_true(fd >= 0);
	assert_int_equal(dfd_user_open_within(path, 30, &dev, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "timed out"));
	close(fd);
	user_unplace(&place);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- the version ---- */

static void test_answer_is_never_longer(void **state)
{
	char text[VERSION_MAX_TEXT];
	uint32_t keys;

	(void)state;
	for (size_t room = 0; room < 300; room++) {
		size_t len = (keys = UINT32_MAX, version_answer(&keys, room, text));

		assert_true(len <= room && len <= sizeof(text));
		assert_true(!len || strlen(text) == len - 1);
		assert_int_equal(!(keys & VERSION_TWIN), !len || !strstr(text, "twin"));
		assert_true(room < 70 || (keys & VERSION_TWIN));
		len = (keys = ~VERSION_TWIN, version_answer(&keys, room, text));
		assert_true(len <= room && len <= sizeof(text));
		assert_null(len ? strstr(text, "twin") : NULL);
		assert_true(room < 64 || strstr(text, "\"max_msg_fds\":16"));
		assert_int_equal(!(keys & VERSION_RING), !len || !strstr(text, "ring"));
	}
	keys = 0;
	assert_string_equal((version_answer(&keys, 300, text), text), "{\"capabilities\":{}}");
}

static void test_limits(void **state)
{
	static const char body[] = "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":3,\"pgsizes\":1,"
				   "\"max_data_xfer_size\":99999999999}}";
	struct user_version version;
	struct user_limits limits;
	uint32_t keys;

	(void)state;
	assert_int_equal(
		version_parse((const uint8_t *)body, sizeof(body), &version, &limits, &keys), 0);
	assert_int_equal(limits.max_fds, 3);
	assert_int_equal(limits.max_data, USER_MAX_DATA);
	assert_int_equal(limits.max_dma_maps, 65535);
	for (size_t len = 5; len < sizeof(body); len++)
		assert_int_equal(
			version_parse((const uint8_t *)body, len, &version, &limits, &keys),
			-EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dma_by_message),
		cmocka_unit_test(test_mapped_region),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_server_gone),
		cmocka_unit_test(test_silent_server),
		cmocka_unit_test(test_idle_memory),
		cmocka_unit_test(test_answer_is_never_longer),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
