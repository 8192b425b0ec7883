/* SPDX-License-Identifier: MIT */
/*
 * All that can be learned about a device is the same whichever way it is asked for, and asking does
 * nothing.
 *
 *	agree TARGET
 *
 * TARGET is an address, or the path of a device: then it is asked through open(), pread() and
 * ioctl(). Exit code 0 if the views agree, and the three ways to learn about reset too, and the
 * device was not reset.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <devfd/file.h>
#include <devfd/ioctl.h>
#include <devfd/open.h>
#include <devfd/view.h>

#include "device/device.h"

static const char *target;
static int status;

__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...)
{
	va_list args;

	printf("%s: ", target);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	status = 1;
}

static void difference(void *ctx, const char *text)
{
	(void)ctx;
	complain("%s", text);
}

static void check_views(const struct dfd_fd_ops *ops, void *ctx)
{
	struct dfd_view views[DFD_NUM_VIEWS] = { 0 };
	struct dfd_view_report report;
	struct dfd_error err;

	for (int v = 0; v < DFD_NUM_VIEWS; v++) {
		if (dfd_view_get((enum dfd_view_kind)v, ops, ctx, &views[v], &err))
			complain("%s: %s", dfd_view_name((enum dfd_view_kind)v), err.text);
	}
	if (dfd_view_compare(views, difference, NULL, NULL, &report) || report.facts < 5)
		complain("not compared");
	for (int v = 0; v < DFD_NUM_VIEWS; v++)
		dfd_desc_unref(views[v].desc);
}

/* By the flag, by the probe, by the check for extensions. */
static void check_reset(const struct dfd_fd_ops *ops, void *ctx)
{
	uint32_t reset = VFIO_DEVICE_EXT_RESET, pci_reset = VFIO_DEVICE_EXT_PCI_RESET;
	uint64_t flags = 0;
	int probe = 1, can, pci;

	if (ops->ioctl(ctx, VFIO_DEVICE_GET_FLAGS, &flags))
		complain("no flags");
	can = !!(flags & VFIO_DEVICE_FLAG_RESET);
	pci = can && (flags & VFIO_DEVICE_FLAG_PCI);
	if (ops->ioctl(ctx, VFIO_DEVICE_CHECK_EXTENSION, &reset) != can ||
	    ops->ioctl(ctx, VFIO_DEVICE_CHECK_EXTENSION, &pci_reset) != pci ||
	    ops->ioctl(ctx, VFIO_DEVICE_PCI_RESET, &probe) != (pci ? 0 : -EINVAL))
		complain("flag, probe and extension do not agree about reset");
}

static void check_path(void)
{
	int fd = open(target, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		complain("%s", strerror(errno));
		return;
	}
	check_views(&dfd_fd_real, &fd);
	check_reset(&dfd_fd_real, &fd);
	close(fd);
}

static void check_address(void)
{
	struct dfd_device *dev;
	struct dfd_file *file;
	struct dfd_error err;

	if (dfd_open(target, &dev, &err)) {
		complain("%s", err.text);
		return;
	}
	file = dfd_file_new(dev);
	check_views(&dfd_fd_file, file);
	check_reset(&dfd_fd_file, file);
	if (dfd_device_resets(dev))
		complain("was reset %u times", dfd_device_resets(dev));
	dfd_file_free(file);
	dfd_device_close(dev);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: agree TARGET\n");
		return 2;
	}
	target = argv[1];
	if (target[0] == '/')
		check_path();
	else
		check_address();
	return status;
}
