/* SPDX-License-Identifier: MIT */
/*
 * Three MSI-X vectors, each signalled by itself, and added one after the other; BAR 0 mapped and
 * read.
 *
 * usage: vm-msix ADDRESS [fixed]
 *   fixed: the kernel does not add a vector to those that are enabled
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/devfd.h>

#define VECTORS 3u
#define PAGE	4096u

static struct dfd_device *dev;

static void expect(const char *what, int64_t wanted, int64_t got)
{
	printf("%s: %lld\n", what, (long long)got);
	if (wanted != got) {
		fprintf(stderr, "vm-msix: %s: wanted %lld\n", what, (long long)wanted);
		exit(1);
	}
}

static void expect_signals(const char *what, const int *wanted)
{
	puts(what);
	for (uint32_t v = 0; v < VECTORS; v++)
		expect("  signals", wanted[v], dfd_wait_irq(dev, DFD_PCI_MSIX, v, 100));
}

static void vectors(void)
{
	const uint8_t bools[VECTORS] = { 1, 0, 1 };
	struct dfd_irq_set one = {
		.flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER,
		.index = DFD_PCI_MSIX,
		.start = 1,
		.count = 1,
	};
	struct dfd_irq_set some = {
		.flags = DFD_IRQ_DATA_BOOL | DFD_IRQ_ACTION_TRIGGER,
		.index = DFD_PCI_MSIX,
		.count = VECTORS,
		.bools = bools,
	};

	expect("enable", 0, dfd_irq_enable(dev, DFD_PCI_MSIX, VECTORS));
	expect("trigger vector 1", 0, dfd_set_irqs(dev, &one));
	expect_signals("of vector 1", (int[]){ 0, 1, 0 });
	expect("trigger vectors 0 and 2", 0, dfd_set_irqs(dev, &some));
	expect_signals("of vectors 0 and 2", (int[]){ 1, 0, 1 });
	expect("disable", 0, dfd_irq_disable(dev, DFD_PCI_MSIX));
	expect("INTx after that", 0, dfd_irq_enable(dev, DFD_PCI_INTX, 1));
}

static void trigger(uint32_t vector)
{
	const struct dfd_irq_set one = {
		.flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER,
		.index = DFD_PCI_MSIX,
		.start = vector,
		.count = 1,
	};

	expect("trigger", 0, dfd_set_irqs(dev, &one));
}

/* The whole list may always be longer than the last one was, a single vector must fit. */
static void growing(bool fixed)
{
	const int32_t fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const struct dfd_irq_set second = {
		.flags = DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER,
		.index = DFD_PCI_MSIX,
		.start = 1,
		.count = 1,
		.fds = &fd,
	};
	eventfd_t count = 0;

	expect("enable one", 0, dfd_irq_enable(dev, DFD_PCI_MSIX, 1));
	expect("add one", fixed ? -EINVAL : 0, dfd_set_irqs(dev, &second));
	if (!fixed) {
		trigger(1);
		expect("its signals", 0, eventfd_read(fd, &count));
		trigger(0);
		expect("signals of the first", 1, dfd_wait_irq(dev, DFD_PCI_MSIX, 0, 100));
	}
	expect("enable all", 0, dfd_irq_enable(dev, DFD_PCI_MSIX, VECTORS));
	trigger(2);
	expect_signals("of vector 2", (int[]){ 0, 0, 1 });
	expect("disable", 0, dfd_irq_disable(dev, DFD_PCI_MSIX));
	close(fd);
}

static void mapping(void)
{
	uint32_t mapped, read;
	void *at;

	expect("map BAR 0", 0, dfd_region_mmap(dev, DFD_PCI_BAR0, 0, PAGE, PROT_READ, &at));
	memcpy(&mapped, at, sizeof(mapped));
	expect("read BAR 0", 4, dfd_region_read(dev, DFD_PCI_BAR0, 0, &read, sizeof(read)));
	expect("its first register by both ways", read, mapped);
	munmap(at, PAGE);
}

int main(int argc, char **argv)
{
	struct dfd_error err;

	if (argc != 2 && (argc != 3 || strcmp(argv[2], "fixed") != 0)) {
		fprintf(stderr, "usage: vm-msix ADDRESS [fixed]\n");
		return 2;
	}
	if (dfd_open(argv[1], &dev, &err)) {
		fprintf(stderr, "vm-msix: %s\n", err.text);
		return 2;
	}
	mapping();
	growing(argc == 3);
	vectors();
	dfd_device_close(dev);
	return 0;
}
