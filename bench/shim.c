/* SPDX-License-Identifier: MIT */
/*
 * What a program pays per call: run it alone, and under `devfd run`.
 * usage: shim [PATH-OF-EDU]
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"

#define ROUNDS 1000
#define RUNS   100
#define BAR0   ((off_t)1 << 40)

int main(int argc, char **argv)
{
	int zero = open("/dev/zero", O_RDWR), fd = argc > 1 ? open(argv[1], O_RDWR) : -1;
	struct stat st;
	volatile uint32_t *reg;
	uint32_t value;

	MEASURE("lseek, another file", lseek(zero, 0, SEEK_CUR));
	MEASURE("pread 4, another file", (void)!pread(zero, &value, 4, 0));
	MEASURE("write 4, another file", (void)!write(zero, &value, 4));
	MEASURE("stat, another path", stat("/dev/zero", &st));
	MEASURE("open and close, another path", close(open("/dev/zero", O_RDONLY)));
	if (fd < 0)
		return argc > 1;
	reg = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, BAR0);
	if (reg != MAP_FAILED)
		MEASURE("load 4, a register that is mapped", (void)*reg);
	MEASURE("pread 4, a register", (void)!pread(fd, &value, 4, BAR0));
	MEASURE("pread 328, the table", (void)!pread(fd, (char[328]){ 0 }, 328, 0));
	MEASURE("lseek and read 4, a register",
		(void)!(lseek(fd, BAR0, SEEK_SET) == BAR0 && read(fd, &value, 4)));
	MEASURE("open and close, the device", close(open(argv[1], O_RDONLY)));
	return 0;
}
