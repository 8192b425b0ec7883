/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on a client: a server that answers anything. All of its answers lie in the socket
 * before the client asks, and then the server hangs up, so that nothing is waited for.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <devfd/devfd.h>

#include "stream.h"
#include "user/patience.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

#define PATIENCE_MS 1000

static void answer(int first, int second, const uint8_t *data, size_t size)
{
	bool wait;

	while (size) {
		int fd = stream_is_second(data, size) ? second : first;
		size_t sent = stream_send(fd, data, size, &wait);

		if (!sent)
			break;
		data += sent;
		size -= sent;
	}
	shutdown(first, SHUT_WR);
}

static void use_memory(struct dfd_device *dev)
{
	static uint8_t memory[8192];
	struct dfd_dma_map map = { .iova = 0x1000,
				   .size = sizeof(memory),
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_ADDRESS,
				   .addr = memory };

	dfd_dma_map(dev, &map);
	map.iova = DFD_IOVA_ANY;
	map.prot = DFD_DMA_READ;
	dfd_dma_map(dev, &map);
	dfd_device_service(dev);
}

static void use_regions(struct dfd_device *dev)
{
	uint32_t count, value = 0;
	const struct dfd_region *regions = dfd_desc_regions(dfd_device_desc(dev), &count);
	void *memory;

	for (uint32_t i = 0; i < count; i++) {
		dfd_region_read(dev, regions[i].index, 0, &value, sizeof(value));
		dfd_region_write(dev, regions[i].index, 4, &value, sizeof(value));
		for (uint32_t a = 0; a < regions[i].num_areas; a++) {
			const struct dfd_area *area = &regions[i].areas[a];

			if (dfd_region_mmap(dev, regions[i].index, area->offset, (size_t)area->size,
					    PROT_READ, &memory))
				continue;
			/* What was accepted can be touched, at both of its ends. */
			value += ((volatile uint8_t *)memory)[0];
			value += ((volatile uint8_t *)memory)[area->size - 1];
			munmap(memory, (size_t)area->size);
		}
	}
}

static void use(struct dfd_device *dev)
{
	uint8_t data[16] = { 0 };

	use_memory(dev);
	use_regions(dev);
	dfd_irq_enable(dev, DFD_PCI_INTX, 1);
	dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0);
	dfd_irq_unmask(dev, DFD_PCI_INTX);
	dfd_device_feature(dev, 0x10001, data, sizeof(data));
	dfd_device_reset(dev);
	dfd_device_service(dev);
	dfd_dma_unmap(dev, 0x1000, 8192, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dfd_device *dev;
	struct dfd_error err;
	int pair[2], lowest, second;

	stream_start();
	lowest = stream_lowest_fd();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	second = stream_second();
	answer(pair[1], second, data, size);
	if (!dfd_user_open_socket(pair[0], "fuzz", PATIENCE_MS, &dev, &err)) {
		use(dev);
		dfd_device_close(dev);
	}
	close(pair[1]);
	close(second);
	if (stream_lowest_fd() != lowest)
		abort();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return stream_mutate(data, size, max, seed, true);
}
