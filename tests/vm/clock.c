/* SPDX-License-Identifier: MIT */
/*
 * The calls of 2011 on a PL031 clock of a device tree: who it is, where it is, and an alarm.
 *
 * usage: vm-clock ADDRESS PATH
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "driver.h"

#define NOW	 0x00
#define MATCH	 0x04
#define MASK	 0x10
#define CLEAR	 0x1c
#define PHYS	 UINT64_C(0x9010000)
#define LONG_MS	 5000
#define SHORT_MS 200

static struct dfd_device *dev;

static uint32_t get(uint64_t reg)
{
	uint32_t value;

	must(dfd_region_read(dev, 0, reg, &value, 4) == 4, "a register cannot be read");
	return value;
}

static void put(uint64_t reg, uint32_t value)
{
	must(dfd_region_write(dev, 0, reg, &value, 4) == 4, "a register cannot be written");
}

static bool rings(int fd, int ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	uint64_t count;

	return poll(&wait, 1, ms) == 1 && read(fd, &count, sizeof(count)) == sizeof(count);
}

static void identify(const char *path)
{
	char text[256] = "";
	struct vfio_device_dtpath p = { .type = VFIO_DEVICE_DT_REGION,
					.buf_len = sizeof(text),
					.buf = (uintptr_t)text };
	struct vfio_device_dtindex i = { .type = VFIO_DEVICE_DT_IRQ };
	uint64_t flags = 0, phys = 0;

	must(!dfd_ioctl(dev, VFIO_DEVICE_GET_FLAGS, &flags), "GET_FLAGS");
	must(flags == DFD_DEVICE_DT, "it is no device-tree device");
	must(!dfd_ioctl(dev, VFIO_DEVICE_GET_DTPATH, &p) && !strcmp(text, path), "GET_DTPATH");
	must(!dfd_ioctl(dev, VFIO_DEVICE_GET_DTINDEX, &i), "GET_DTINDEX");
	must(i.prop_type == VFIO_DEVICE_DT_PROP_INTERRUPTS && !i.prop_index, "its index");
	must(!dfd_ioctl(dev, VFIO_DEVICE_GET_REGION_PHYS_ADDR, &phys) && phys == PHYS,
	     "GET_REGION_PHYS_ADDR");
}

/* Masked on delivery: it comes once more for each unmasking, as long as the line is up. */
static void alarm_rings(void)
{
	int fds[2] = { 0, eventfd(0, EFD_CLOEXEC) }, index = 0;

	must(!dfd_ioctl(dev, VFIO_DEVICE_SET_IRQ_EVENTFD, fds), "SET_IRQ_EVENTFD");
	put(CLEAR, 1);
	put(MASK, 1);
	put(MATCH, get(NOW) + 1);
	must(rings(fds[1], LONG_MS), "the alarm does not ring");
	must(!rings(fds[1], SHORT_MS), "it rings although it is masked");
	must(!dfd_ioctl(dev, VFIO_DEVICE_UNMASK_IRQ, &index), "UNMASK_IRQ");
	must(rings(fds[1], LONG_MS), "it does not ring again");
	put(CLEAR, 1);
	must(!dfd_ioctl(dev, VFIO_DEVICE_UNMASK_IRQ, &index), "UNMASK_IRQ");
	must(!rings(fds[1], SHORT_MS), "it rings although it was cleared");
	close(fds[1]);
}

int main(int argc, char **argv)
{
	must(argc == 3, "usage: vm-clock ADDRESS PATH");
	dev = open_one(argv[1]);
	identify(argv[2]);
	alarm_rings();
	dfd_device_close(dev);
	puts("ok");
	return 0;
}
