/* SPDX-License-Identifier: MIT */
/*
 * A driver that keeps a device and looks at it all the time.
 *
 * usage: vm-hold ADDRESS REGISTER [--stubborn]
 *
 * Opens the device, says "held", and reads 4 bytes at REGISTER of BAR 0 again and again.
 *   the kernel asks for the device    "asked to give it back", exit 0 (not with --stubborn)
 *   nobody is there any more          "gone: ...", with what the calls say now, exit 3
 *   a read fails                      "read: ERROR", exit 4
 * Gives up after 60 seconds with exit 5.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <devfd/devfd.h>

#define PATIENCE_S 60

static int say(const char *text)
{
	puts(text);
	return fflush(stdout);
}

static const char *result(int64_t ret)
{
	return ret < 0 ? strerror((int)-ret) : "ok";
}

/*
 * Nobody answers: the class code reads all ones. The kernel keeps a copy of the ids, and what BARs
 * then read depends on the machine.
 */
static bool is_gone(struct dfd_device *dev)
{
	uint32_t class_code;

	return dfd_region_read(dev, DFD_PCI_CONFIG, 8, &class_code, 4) == 4 &&
	       class_code == UINT32_MAX;
}

/* What a driver that has not noticed would meet. Each call must return. */
static int gone(struct dfd_device *dev)
{
	struct dfd_dma_buf buf;
	uint16_t command;

	printf("gone: config %s", result(dfd_region_read(dev, DFD_PCI_CONFIG, 4, &command, 2)));
	printf(", MSI %s", result(dfd_irq_enable(dev, DFD_PCI_MSI, 1)));
	printf(", reset %s", result(dfd_device_reset(dev)));
	printf(", DMA %s\n", result(dfd_dma_alloc(dev, 4096, 0xfffffff, &buf)));
	fflush(stdout);
	return 3;
}

static int hold(struct dfd_device *dev, uint64_t reg, bool asked_counts)
{
	const time_t end = time(NULL) + PATIENCE_S;
	uint32_t value;
	ssize_t n;

	while (time(NULL) < end) {
		n = dfd_region_read(dev, DFD_PCI_BAR0, reg, &value, 4);
		if (n != 4) {
			printf("read: %s\n", n < 0 ? strerror((int)-n) : "short");
			return 4;
		}
		if (is_gone(dev))
			return gone(dev);
		if (asked_counts && dfd_wait_irq(dev, DFD_PCI_REQ, 0, 0) > 0) {
			say("asked to give it back");
			return 0;
		}
		usleep(1000);
	}
	return 5;
}

int main(int argc, char **argv)
{
	struct dfd_device *dev;
	struct dfd_error err;
	bool stubborn;
	int status;

	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: vm-hold ADDRESS REGISTER [--stubborn]\n");
		return 2;
	}
	stubborn = argc == 4;
	if (dfd_open(argv[1], &dev, &err)) {
		fprintf(stderr, "vm-hold: %s\n", err.text);
		return 1;
	}
	if (!stubborn && dfd_irq_enable(dev, DFD_PCI_REQ, 1))
		stubborn = true;
	say("held");
	status = hold(dev, strtoull(argv[2], NULL, 0), !stubborn);
	dfd_device_close(dev);
	return status;
}
