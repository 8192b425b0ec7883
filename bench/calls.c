/* SPDX-License-Identifier: MIT */
/*
 * What the shim adds to calls on other fds and paths, with no_kernel.c preloaded: run it alone, and
 * under `devfd run`. The difference is the shim's.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <devfd/ioctl.h>

#include "measure.h"
#include "no_kernel.h"

#define ROUNDS 1000
#define RUNS   2000
#define PATH   NO_KERNEL_PATH "/cpu/cpu0/topology/core_id"

int main(void)
{
	const int fd = NO_KERNEL_FD;
	struct stat st;
	uint32_t value = 0;
	char text[64];

	if (pread(fd, &value, 4, 0)) {
		fprintf(stderr, "calls: without no_kernel.so preloaded\n");
		return 1;
	}
	MEASURE("pread, another file", (void)!pread(fd, &value, 4, 0));
	MEASURE("pread by number", (void)!syscall(SYS_pread64, fd, &value, 4, (off_t)0));
	MEASURE("write", (void)!write(fd, &value, 4));
	MEASURE("fstat", fstat(fd, &st));
	MEASURE("ioctl of VFIO's", ioctl(fd, VFIO_DEVICE_RESET));
	MEASURE("close", close(fd));
	MEASURE("open, another path of sysfs", open(PATH, O_RDONLY));
	MEASURE("stat", stat(PATH, &st));
	MEASURE("readlink", (void)!readlink(PATH, text, sizeof(text)));
	return 0;
}
