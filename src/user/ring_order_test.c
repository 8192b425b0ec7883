/* SPDX-License-Identifier: MIT */
/*
 * Both ends in one process: registers by the ring, memory and all else by the socket, and the order
 * between the two. And ends that stop or vanish while the other one waits at the ring.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/devfd.h>
#include <devfd/provider.h>

#include "user/patience.h"

#define IOVA   UINT64_C(0x10000)
#define MANY   8
#define LARGE  (UINT32_C(1) << 20)
#define PIECES 16

/* Registers of the device below, each of 4 bytes; all after them is plain memory. */
enum { REG_PUT, REG_STATUS, REG_GET, REG_FLOOD, NUM_REGS };
#define PLAIN	  64
#define REG(name) (UINT64_C(4) * REG_##name)

/**
 * struct putter - a device that writes what it is told into the driver's memory
 * @status: the last value written to REG_PUT, whose DMA is on its way
 * @got: read from memory, for REG_GET
 */
struct putter {
	struct dfd_device *dev;
	uint32_t status;
	uint32_t got, fetched;
	uint8_t plain[PLAIN];
	uint8_t *large;
};

static void put_done(void *ctx, int status)
{
	(void)ctx;
	(void)status;
}

static void get_done(void *ctx, int status)
{
	struct putter *p = ctx;

	p->got = status ? UINT32_MAX : p->fetched;
}

static void act(struct putter *p, uint64_t offset, uint32_t value)
{
	struct dfd_host *host = dfd_device_host(p->dev);

	if (offset == REG(PUT)) {
		dfd_dma_write(host, IOVA, &value, sizeof(value), put_done, p);
		p->status = value;
	} else if (offset == REG(GET)) {
		p->got = 0;
		dfd_dma_read(host, IOVA, &p->fetched, sizeof(p->fetched), get_done, p);
	} else if (offset == REG(FLOOD)) {
		memset(p->large, (int)value, LARGE);
		for (int i = 0; i < PIECES; i++)
			dfd_dma_write(host, IOVA, p->large, LARGE, put_done, p);
	}
}

static ssize_t putter_read(struct dfd_device *dev, uint32_t region, uint64_t offset, void *buf,
			   size_t len)
{
	struct putter *p = dfd_device_priv(dev);
	uint32_t value = offset == REG(STATUS) ? p->status : p->got;

	(void)region;
	if (offset >= PLAIN && offset + len <= 2 * PLAIN)
		memcpy(buf, p->plain + (offset - PLAIN), len);
	else if (len == sizeof(value))
		memcpy(buf, &value, len);
	else
		return -EIO;
	return (ssize_t)len;
}

static ssize_t putter_write(struct dfd_device *dev, uint32_t region, uint64_t offset,
			    const void *buf, size_t len)
{
	struct putter *p = dfd_device_priv(dev);
	uint32_t value;

	(void)region;
	if (offset >= PLAIN && offset + len <= 2 * PLAIN) {
		memcpy(p->plain + (offset - PLAIN), buf, len);
		return (ssize_t)len;
	}
	if (len != sizeof(value))
		return -EIO;
	memcpy(&value, buf, len);
	act(p, offset, value);
	return (ssize_t)len;
}

static int putter_reset(struct dfd_device *dev)
{
	struct putter *p = dfd_device_priv(dev);

	p->status = p->got = 0;
	return 0;
}

static void putter_close(struct dfd_device *dev)
{
	struct putter *p = dfd_device_priv(dev);

	free(p->large);
	free(p);
}

static const struct dfd_device_ops putter_ops = { .size = sizeof(putter_ops),
						  .name = "putter",
						  .region_read = putter_read,
						  .region_write = putter_write,
						  .reset = putter_reset,
						  .close = putter_close };

static struct dfd_device *putter_new(void)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
	struct putter *p = calloc(1, sizeof(*p));
	const struct dfd_region bar = { .index = 0, .size = 4096 };
	const struct dfd_region config = { .index = DFD_PCI_CONFIG, .size = 256 };
	const struct dfd_desc *desc;

	assert_non_null(p);
	p->large = malloc(LARGE);
	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	dfd_desc_add_region(b, &bar);
	dfd_desc_add_region(b, &config);
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_model_new(desc, &putter_ops, p, NULL, &p->dev, NULL), 0);
	dfd_desc_unref(desc);
	return p->dev;
}

/* ---- both ends ---- */

/** struct both - served devices, and one of them from the other end */
struct both {
	char dir[32];
	char paths[MANY][64];
	unsigned int count;
	struct dfd_device *served[MANY], *dev;
	struct dfd_server *srv;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct both *b = arg;

	while (!dfd_server_wait(b->srv, -1))
		;
	return NULL;
}

static int open_one(const struct both *b, unsigned int i, const char *option, int patience_ms,
		    struct dfd_device **dev)
{
	char address[96];

	snprintf(address, sizeof(address), "%s%s", b->paths[i], option);
	return dfd_user_open_within(address, patience_ms, dev, NULL);
}

static void both_prepare(struct both *b, unsigned int count, bool poll)
{
	*b = (struct both){ .dir = "/tmp/devfd-ring-XXXXXX", .count = count };
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(dfd_server_new(&b->srv), 0);
	dfd_server_set_poll(b->srv, poll);
	for (unsigned int i = 0; i < count; i++) {
		b->served[i] = putter_new();
		snprintf(b->paths[i], sizeof(b->paths[i]), "%s/%u", b->dir, i);
		assert_int_equal(dfd_server_add(b->srv, b->served[i], b->paths[i], 0600, NULL), 0);
	}
}

static void both_start(struct both *b, unsigned int count, bool poll)
{
	const uint16_t command = 6;

	both_prepare(b, count, poll);
	assert_int_equal(pthread_create(&b->thread, NULL, serve, b), 0);
	assert_int_equal(open_one(b, 0, "", 60000, &b->dev), 0);
	assert_int_equal(dfd_region_write(b->dev, DFD_PCI_CONFIG, 4, &command, 2), 2);
}

static void server_free(struct both *b)
{
	dfd_server_free(b->srv);
	for (unsigned int i = 0; i < b->count; i++)
		dfd_device_close(b->served[i]);
}

static void both_stop(struct both *b)
{
	dfd_device_close(b->dev);
	dfd_server_stop(b->srv);
	pthread_join(b->thread, NULL);
	server_free(b);
	assert_int_equal(rmdir(b->dir), 0);
}

static uint32_t get(struct dfd_device *dev, uint64_t offset)
{
	uint32_t value;

	assert_int_equal(dfd_region_read(dev, 0, offset, &value, 4), 4);
	return value;
}

static void put(struct dfd_device *dev, uint64_t offset, uint32_t value)
{
	assert_int_equal(dfd_region_write(dev, 0, offset, &value, 4), 4);
}

static void map_memory(struct dfd_device *dev, void *memory, uint64_t size)
{
	struct dfd_dma_map map = { .iova = IOVA,
				   .size = size,
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_ADDRESS,
				   .addr = memory };

	assert_int_equal(dfd_dma_map(dev, &map), 0);
}

/* ---- order ---- */

/* A register that tells of a write to memory is never seen before that write. */
static void test_memory_before_status(bool poll)
{
	uint32_t memory[1024] = { 0 };
	struct both b;

	both_start(&b, 1, poll);
	map_memory(b.dev, memory, sizeof(memory));
	for (uint32_t i = 1; i < 3000; i++) {
		put(b.dev, REG(PUT), i);
		assert_int_equal(get(b.dev, REG(STATUS)), i);
		assert_int_equal(((volatile uint32_t *)memory)[0], i);
	}
	both_stop(&b);
}

static void test_sleeping(void **state)
{
	(void)state;
	test_memory_before_status(false);
}

static void test_polling(void **state)
{
	(void)state;
	test_memory_before_status(true);
}

/* The driver does nothing but look at a register, and the device still gets its memory. */
static void test_polled_dma(void **state)
{
	uint32_t memory[1024] = { 0 };
	struct both b;

	(void)state;
	both_start(&b, 1, false);
	map_memory(b.dev, memory, sizeof(memory));
	for (uint32_t i = 1, looks = 0; i < 1000; i++, looks = 0) {
		memory[0] = i;
		put(b.dev, REG(GET), 0);
		while (get(b.dev, REG(GET)) != i)
			assert_true(++looks < 100000);
	}
	both_stop(&b);
}

/* What is long goes by the socket, what is short by the ring, and each sees the one before. */
static void test_mixed(void **state)
{
	uint8_t bytes[PLAIN], back[PLAIN];
	struct both b;

	(void)state;
	both_start(&b, 1, false);
	for (int i = 0; i < 1000; i++) {
		memset(bytes, i, sizeof(bytes));
		assert_int_equal(dfd_region_write(b.dev, 0, PLAIN, bytes, PLAIN), PLAIN);
		bytes[i % PLAIN] ^= 1;
		assert_int_equal(dfd_region_write(b.dev, 0, PLAIN + (uint64_t)i % PLAIN,
						  bytes + i % PLAIN, 1),
				 1);
		assert_int_equal(dfd_region_read(b.dev, 0, PLAIN, back, PLAIN), PLAIN);
		assert_memory_equal(back, bytes, PLAIN);
		assert_int_equal(dfd_region_read(b.dev, 0, PLAIN, back, 32), 32);
		assert_memory_equal(back, bytes, 32);
		assert_int_equal(dfd_region_read(b.dev, 0, 0, back, 3), -EIO);
	}
	put(b.dev, REG(PUT), 5);
	assert_int_equal(dfd_device_reset(b.dev), 0);
	assert_int_equal(get(b.dev, REG(STATUS)), 0);
	both_stop(&b);
}

/* Unmapping and mapping go by the socket. */
static void test_unmapped(void **state)
{
	uint32_t memory[1024] = { 0 };
	struct both b;

	(void)state;
	both_start(&b, 1, false);
	for (uint32_t i = 1; i < 300; i++) {
		map_memory(b.dev, memory, sizeof(memory));
		put(b.dev, REG(PUT), i);
		assert_int_equal(dfd_dma_unmap(b.dev, IOVA, sizeof(memory), NULL), 0);
		memory[0] = 0;
		put(b.dev, REG(PUT), i);
		assert_int_equal(get(b.dev, REG(STATUS)), i);
		assert_int_equal(memory[0], 0);
	}
	both_stop(&b);
}

/* More than the socket holds is on its way when the next register is read. */
static void test_flood(void **state)
{
	uint8_t *memory = calloc(1, LARGE);
	struct both b;

	(void)state;
	both_start(&b, 1, false);
	map_memory(b.dev, memory, LARGE);
	for (uint32_t i = 1; i < 10; i++) {
		put(b.dev, REG(FLOOD), i);
		assert_int_equal(get(b.dev, REG(STATUS)), 0);
		assert_int_equal(memory[0], i);
		assert_int_equal(memory[LARGE - 1], i);
	}
	both_stop(&b);
	free(memory);
}

/* ---- many ---- */

/** struct driver - one of many clients */
struct driver {
	const struct both *b;
	unsigned int index;
	int failed;
};

static void *drive(void *arg)
{
	struct driver *d = arg;
	struct dfd_device *dev;

	for (uint32_t round = 0; round < 20 && !d->failed; round++) {
		uint32_t value, i = 0;

		/* Odd ones use the socket; the device of an even one has a fresh ring each time. */
		if (open_one(d->b, d->index, d->index & 1 ? ",ring=off" : "", 60000, &dev)) {
			d->failed = 1;
			break;
		}
		for (; i < 200 && !d->failed; i++) {
			value = i + d->index;
			if (dfd_region_write(dev, 0, PLAIN, &value, 4) != 4 ||
			    dfd_region_read(dev, 0, PLAIN, &value, 4) != 4 || value != i + d->index)
				d->failed = 1;
		}
		dfd_device_close(dev);
	}
	return NULL;
}

static void test_many(void **state)
{
	struct driver drivers[MANY];
	pthread_t threads[MANY];
	struct both b;

	(void)state;
	both_start(&b, MANY, false);
	for (unsigned int i = 1; i < MANY; i++) {
		drivers[i] = (struct driver){ &b, i, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, drive, &drivers[i]), 0);
	}
	for (unsigned int i = 1; i < MANY; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(drivers[i].failed, 0);
	}
	both_stop(&b);
}

/* ---- ends that stop ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Return: the server's process, after its path is there */
static pid_t serve_apart(struct both *b)
{
	pid_t pid;

	both_prepare(b, 1, false);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		serve(b);
		_exit(0);
	}
	return pid;
}

static void *kill_soon(void *arg)
{
	usleep(30000);
	kill(*(pid_t *)arg, SIGKILL);
	return NULL;
}

/* Its server may be too late for little patience while it is not stopped. */
static void open_and_use(struct both *b, int patience_ms)
{
	uint32_t value;
	int ret;

	do {
		ret = open_one(b, 0, "", patience_ms, &b->dev);
		if (!ret && dfd_region_read(b->dev, 0, REG(STATUS), &value, 4) != 4) {
			dfd_device_close(b->dev);
			ret = -ETIMEDOUT;
		}
	} while (ret == -ETIMEDOUT || ret == -EBUSY);
	assert_int_equal(ret, 0);
}

/* @kills: it is killed, long before patience ends, or else it never goes on */
static void server_stops(bool kills, int expected)
{
	const int patience_ms = kills ? 120000 : 200;
	struct both b;
	pid_t pid = serve_apart(&b);
	pthread_t thread;
	uint32_t value;
	int64_t start;

	open_and_use(&b, patience_ms);
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	start = now_ms();
	if (kills)
		assert_int_equal(pthread_create(&thread, NULL, kill_soon, &pid), 0);
	assert_int_equal(dfd_region_read(b.dev, 0, REG(STATUS), &value, 4), expected);
	assert_true(now_ms() - start < 60000);
	assert_int_equal(dfd_region_read(b.dev, 0, REG(STATUS), &value, 4), expected);
	assert_int_equal(dfd_device_reset(b.dev), expected);
	if (kills)
		pthread_join(thread, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	dfd_device_close(b.dev);
	server_free(&b);
	assert_int_equal(rmdir(b.dir), 0);
}

static void test_server_killed(void **state)
{
	(void)state;
	server_stops(true, -ENODEV);
}

static void test_server_stopped(void **state)
{
	(void)state;
	server_stops(false, -ETIMEDOUT);
}

/* Clients are killed at the ring, and the next one gets a ring that works. */
static void test_client_killed(void **state)
{
	struct both b;

	(void)state;
	both_start(&b, 2, false);
	for (int i = 0; i < 30; i++) {
		struct dfd_device *dev;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid) {
			uint32_t value;

			if (open_one(&b, 1, "", 60000, &dev))
				_exit(1);
			while (dfd_region_read(dev, 0, REG(STATUS), &value, 4) == 4)
				;
			_exit(1);
		}
		usleep(2000 + (useconds_t)(rand() % 3000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (open_one(&b, 1, "", 60000, &dev) == -EBUSY)
			;
		put(dev, PLAIN, 77);
		assert_int_equal(get(dev, PLAIN), 77);
		dfd_device_close(dev);
	}
	both_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sleeping),       cmocka_unit_test(test_polling),
		cmocka_unit_test(test_polled_dma),     cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_unmapped),       cmocka_unit_test(test_flood),
		cmocka_unit_test(test_many),	       cmocka_unit_test(test_server_killed),
		cmocka_unit_test(test_server_stopped), cmocka_unit_test(test_client_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
