/* SPDX-License-Identifier: MIT */
/* Asks a device for what a driver asks for, and prints what it answers. usage: far ADDRESS REGION
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/devfd.h>

#define PAGE UINT64_C(4096)

static struct dfd_device *dev;

static void say(const char *what, int64_t ret)
{
	if (ret < 0)
		printf("%s: %s\n", what, strerrorname_np((int)-ret));
	else
		printf("%s: %d\n", what, (int)ret);
}

static void registers(uint32_t region)
{
	uint8_t config[256] = { 0 }, value[4] = { 0 };
	uint16_t command = 0x103;

	say("config", dfd_region_read(dev, DFD_PCI_CONFIG, 0, config, sizeof(config)));
	printf("  %02x%02x %02x%02x\n", config[1], config[0], config[3], config[2]);
	say("command", dfd_region_write(dev, DFD_PCI_CONFIG, 4, &command, 2));
	say("register", dfd_region_read(dev, region, 0, value, 4));
	say("behind the end", dfd_region_read(dev, region, 0xfe, value, 4));
	say("region that is not there", dfd_region_read(dev, DFD_PCI_BAR0 + 5, 0, value, 4));
}

static int set(uint32_t flags, uint32_t index, uint32_t count, int32_t fd)
{
	const struct dfd_irq_set s = { .flags = flags, .index = index, .count = count, .fds = &fd };

	return dfd_set_irqs(dev, &s);
}

static void interrupts(void)
{
	int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	say("INTx", set(DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER, DFD_PCI_INTX, 1, event));
	say("loopback", set(DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER, DFD_PCI_INTX, 1, -1));
	say("mask", set(DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_MASK, DFD_PCI_INTX, 1, -1));
	say("unmask", set(DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_UNMASK, DFD_PCI_INTX, 1, -1));
	say("off", set(DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER, DFD_PCI_INTX, 0, -1));
	say("MSI-X, which it has not", dfd_irq_enable(dev, DFD_PCI_MSIX, 1));
	close(event);
}

static void memory(void)
{
	int fd = memfd_create("far", MFD_CLOEXEC);
	struct dfd_dma_map map = {
		.iova = 0x10000, .size = PAGE, .prot = 3, .kind = DFD_DMA_FD, .fd = fd
	};
	uint64_t unmapped = 0;

	if (ftruncate(fd, (off_t)PAGE))
		abort();
	say("map", dfd_dma_map(dev, &map));
	say("unmap", dfd_dma_unmap(dev, map.iova, map.size, &unmapped));
	say("unmapped", (int64_t)unmapped);
	close(fd);
}

static void migration(void)
{
	uint64_t flags = 0;
	uint32_t state;

	say("migration", dfd_migration_flags(dev, &flags));
	printf("  can 0x%x\n", (unsigned int)flags);
	say("its state", dfd_migration_get(dev, &state));
	say("to PRE_COPY", dfd_migration_set(dev, DFD_MIGRATION_STATE_PRE_COPY, &(int){ -1 }));
}

int main(int argc, char **argv)
{
	struct dfd_error err;

	if (argc != 3 || dfd_open(argv[1], &dev, &err)) {
		fprintf(stderr, "far: %s\n", argc != 3 ? "usage: far ADDRESS REGION" : err.text);
		return 1;
	}
	registers((uint32_t)strtoul(argv[2], NULL, 0));
	interrupts();
	memory();
	migration();
	say("reset", dfd_device_reset(dev));
	dfd_device_close(dev);
	return 0;
}
