/* SPDX-License-Identifier: MIT */
/* A program that was written without the library: prints the identification of edu and 10!. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define BAR0 ((off_t)1 << 40)

int main(int argc, char **argv)
{
	uint32_t id, n = 10, busy = 1;
	int fd = argc == 2 ? open(argv[1], O_RDWR) : -1;

	if (fd < 0 || pread(fd, &id, 4, BAR0) != 4) {
		perror(argc == 2 ? argv[1] : "usage: stranger PATH");
		return 1;
	}
	pwrite(fd, &n, 4, BAR0 + 0x08);
	while (busy & 1)
		pread(fd, &busy, 4, BAR0 + 0x20);
	pread(fd, &n, 4, BAR0 + 0x08);
	printf("0x%08x\n%u\n", id, n);
	return close(fd);
}
