/* SPDX-License-Identifier: MIT */
/*
 * Eventfds that write to a register of an educational device when they are signalled.
 *
 * usage: ioeventfd NAME GROUP, such as ioeventfd 0000:00:04.0 0
 *
 * Plain system calls, so it runs on any kernel as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/vfio.h"
#include "expect.h"

#define LIVENESS  4u /* reads as what was written, inverted */
#define FACTORIAL 8u
#define STATUS	  0x20u
#define MANY	  1000

static int device;
static off_t bar;

static uint32_t get(uint32_t offset)
{
	uint32_t value = 0;

	WANT(sizeof(value), pread(device, &value, sizeof(value), bar + offset));
	return value;
}

static int set(uint32_t offset, uint32_t value, int fd)
{
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg),
		.flags = sizeof(value),
		.offset = (uint64_t)bar + offset,
		.data = value,
		.fd = fd,
	};

	return ioctl(device, VFIO_DEVICE_IOEVENTFD, &arg) ? -errno : 0;
}

static void signal_it(int fd)
{
	const uint64_t one = 1;

	WANT(sizeof(one), write(fd, &one, sizeof(one)));
}

/* Whoever signals finds the register written. */
static void writes(void)
{
	int one = eventfd(0, EFD_CLOEXEC), two = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count;

	WANT(0, set(LIVENESS, 0x11111111, one));
	WANT(0, set(LIVENESS, 0x22222222, two));
	for (int i = 0; i < 200; i++) {
		signal_it(one);
		WANT(0xeeeeeeee, get(LIVENESS));
		signal_it(two);
		WANT(0xdddddddd, get(LIVENESS));
	}
	WANT(-EAGAIN, read(two, &count, sizeof(count)));
	WANT(0, set(LIVENESS, 0x11111111, -1));
	signal_it(one);
	WANT(0xdddddddd, get(LIVENESS));
	WANT(-ENODEV, set(LIVENESS, 0x11111111, -1));
	/* What had been signalled before. */
	WANT(0, set(LIVENESS, 0x33333333, one));
	WANT(0xcccccccc, get(LIVENESS));
	close(one); /* it may go; the write stays in the list */
	WANT(-EEXIST, set(LIVENESS, 0x33333333, two));
	WANT(0, set(LIVENESS, 0x33333333, -1));
	WANT(0, set(LIVENESS, 0x22222222, -1));
	close(two);
}

/* Nobody follows it up: it is done all the same. */
static void by_itself(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t left = 1;

	WANT(0, set(FACTORIAL, 10, fd));
	if (!fork()) {
		signal_it(fd);
		_exit(0);
	}
	wait(NULL);
	for (int i = 0; i < 6000 && left; i++) {
		char info[256];
		char path[64];
		int file;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		file = open(path, O_RDONLY);
		n = read(file, info, sizeof(info) - 1);
		info[n > 0 ? n : 0] = 0;
		close(file);
		left = strstr(info, "eventfd-count:                0") ? 0 : 1;
		usleep(10000);
	}
	WANT(0, left);
	while (get(STATUS) & 1)
		;
	WANT(3628800, get(FACTORIAL));
	WANT(0, set(FACTORIAL, 10, -1));
	close(fd);
}

/* Each write that it stands for is done, the one that came last first. */
static void one_for_many(void)
{
	int fd = eventfd(0, EFD_CLOEXEC), same = dup(fd);

	for (uint32_t i = 0; i < MANY; i++)
		WANT(0, set(LIVENESS, i, i % 2 ? fd : same));
	signal_it(fd);
	WANT(0xffffffff, get(LIVENESS));
	WANT(0, set(LIVENESS, 0, -1));
	signal_it(same);
	WANT(0xfffffffe, get(LIVENESS));
	for (uint32_t i = 1; i < MANY; i++)
		WANT(0, set(LIVENESS, i, -1));
	signal_it(fd);
	WANT(0xfffffffe, get(LIVENESS));
	close(fd);
	close(same);
}

static void many(void)
{
	struct rlimit limit;
	int fds[10];

	/* With the device in this process, each takes an fd here. */
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (uint32_t i = 0; i < 10; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	for (uint32_t i = 0; i < MANY; i++)
		WANT(0, set(LIVENESS, i, fds[i % 10]));
	WANT(-ENOSPC, set(LIVENESS, MANY, fds[0]));
	WANT(0, set(LIVENESS, 0, -1));
	WANT(0, set(LIVENESS, MANY, fds[0]));
	for (uint32_t i = 0; i < 10; i++)
		close(fds[i]);
}

static int open_device(const char *name, int group)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };

	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	WANT(0, ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info));
	bar = (off_t)info.offset;
	return device;
}

int main(int argc, char **argv)
{
	int container = open("/dev/vfio/vfio", O_RDWR), group;
	char path[64];

	if (argc != 3)
		return 2;
	snprintf(path, sizeof(path), "/dev/vfio/%s", argv[2]);
	group = open(path, O_RDWR);
	WANT(0, ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	WANT(0, ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	if (open_device(argv[1], group) < 0)
		return 1;
	writes();
	by_itself();
	one_for_many();
	many();
	close(device);
	/* All of them have gone with the device. */
	open_device(argv[1], group);
	WANT(-ENODEV, set(LIVENESS, MANY, -1));
	printf("%d failures\n", failures);
	return failures > 0;
}
