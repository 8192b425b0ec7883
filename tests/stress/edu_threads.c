/* SPDX-License-Identifier: MIT */
/*
 * One device, three threads: the service thread and two that drive it. Meant for ThreadSanitizer,
 * but each thread also checks its own results.
 *
 * usage: edu_threads [ROUNDS]
 */
#include <endian.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <devfd/devfd.h>

#define FACTORIAL   0x08
#define STATUS	    0x20
#define DMA_SRC	    0x80
#define DMA_DST	    0x88
#define DMA_COUNT   0x90
#define DMA_COMMAND 0x98
#define DMA_BUFFER  0x40000
#define DMA_MASK    0xfffffff

static struct dfd_device *dev;
static unsigned int rounds = 300;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "edu_threads: failed: %s\n", what);
	_exit(1);
}

static uint64_t get(uint64_t reg, size_t width)
{
	uint64_t value = 0;

	must(dfd_region_read(dev, 0, reg, &value, width) == (ssize_t)width, "read");
	return le64toh(value);
}

static void put(uint64_t reg, size_t width, uint64_t value)
{
	value = htole64(value);
	must(dfd_region_write(dev, 0, reg, &value, width) == (ssize_t)width, "write");
}

static void set_command(uint16_t command)
{
	command = htole16(command);
	must(dfd_region_write(dev, DFD_PCI_CONFIG, 4, &command, 2) == 2, "command register");
}

static void start_dma(uint64_t src, uint64_t dst, uint64_t count, uint32_t command)
{
	put(DMA_SRC, 8, src);
	put(DMA_DST, 8, dst);
	put(DMA_COUNT, 8, count);
	put(DMA_COMMAND, 4, command);
}

/* ---- both threads own a part of the device, and everything must come out right ---- */

static void *compute(void *unused)
{
	static const uint32_t results[] = { 1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880 };

	for (unsigned int i = 0; i < rounds; i++) {
		put(FACTORIAL, 4, i % 10);
		while (get(STATUS, 4) & 1)
			sched_yield();
		must(get(FACTORIAL, 4) == results[i % 10], "factorial");
	}
	return unused;
}

/* Block on an eventfd of our own: only the service thread can end that. */
static void wait_for(int event)
{
	struct pollfd fd = { .fd = event, .events = POLLIN };
	uint64_t count;

	must(poll(&fd, 1, 10000) == 1, "an interrupt within 10 s");
	must(read(event, &count, sizeof(count)) == sizeof(count) && count == 1, "one interrupt");
	must(!(get(DMA_COMMAND, 4) & 1), "the end of the DMA");
}

static void *move_memory(void *unused)
{
	int event = eventfd(0, EFD_CLOEXEC);
	struct dfd_irq_set set = { .flags = DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER,
				   .index = DFD_PCI_MSI,
				   .count = 1,
				   .fds = &event };

	must(!dfd_set_irqs(dev, &set), "MSI");
	for (unsigned int i = 0; i < rounds; i++) {
		struct dfd_dma_buf buf;
		unsigned char *bytes;

		must(!dfd_dma_alloc(dev, 8192, DMA_MASK, &buf), "memory");
		bytes = buf.addr;
		memset(bytes, (int)i, 4096);
		start_dma(buf.iova, DMA_BUFFER, 4096, 1 | 4);
		wait_for(event);
		start_dma(DMA_BUFFER, buf.iova + 4096, 4096, 1 | 2 | 4);
		wait_for(event);
		must(!memcmp(bytes, bytes + 4096, 4096), "the same bytes");
		dfd_dma_free(dev, &buf);
	}
	must(!dfd_irq_disable(dev, DFD_PCI_MSI), "MSI off");
	close(event);
	return unused;
}

/* ---- both threads disturb each other, and nothing may break ---- */

static void *disturb(void *unused)
{
	for (unsigned int i = 0; i < rounds; i++) {
		must(!dfd_irq_enable(dev, DFD_PCI_INTX, 1), "INTx");
		put(0x60, 4, 1);
		dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0);
		put(0x64, 4, 1);
		dfd_irq_unmask(dev, DFD_PCI_INTX);
		must(!dfd_irq_disable(dev, DFD_PCI_INTX), "INTx off");
		if (i % 4 == 0)
			must(!dfd_device_reset(dev), "reset");
		set_command(6);
	}
	return unused;
}

static void *pull_memory(void *unused)
{
	for (unsigned int i = 0; i < rounds; i++) {
		struct dfd_dma_buf buf;

		must(!dfd_dma_alloc(dev, 4096, DMA_MASK, &buf), "memory");
		put(FACTORIAL, 4, i);
		start_dma(buf.iova, DMA_BUFFER, 4096, 1 | 4);
		dfd_device_service(dev);
		dfd_dma_free(dev, &buf);
	}
	return unused;
}

static void run(void *(*one)(void *), void *(*two)(void *))
{
	pthread_t threads[2];

	must(!pthread_create(&threads[0], NULL, one, NULL), "thread");
	must(!pthread_create(&threads[1], NULL, two, NULL), "thread");
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
}

int main(int argc, char **argv)
{
	struct dfd_error err;

	if (argc > 1)
		rounds = (unsigned int)strtoul(argv[1], NULL, 0);
	must(!dfd_open("model:edu,latency=20000", &dev, &err), "open");
	must(!dfd_service_thread(dev), "service thread");
	set_command(6);
	run(compute, move_memory);
	run(disturb, pull_memory);

	/* Whatever happened, a reset makes it whole. */
	must(!dfd_device_reset(dev), "reset");
	set_command(6);
	run(compute, move_memory);
	dfd_device_close(dev);
	return 0;
}
