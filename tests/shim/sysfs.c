/* SPDX-License-Identifier: MIT */
/*
 * The files of a PCI function in sysfs that are its registers: how long, who, what errno, what they
 * do.
 *
 * usage: sysfs NAME GROUP, such as sysfs 0000:00:04.0 0, of an educational device
 *
 * Plain system calls, so it runs on any kernel as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/vfio.h"
#include "expect.h"

#define COMMAND	   0x04
#define BUS_MASTER 0x4u
#define MEMORY	   0x2u
#define LINE	   0x3c /* interrupt line: any value */
#define BAR_SIZE   0x100000u
#define IOVA	   0x10000u
#define BUFFER	   0x40000u
#define PAGE	   4096u /* nothing is mapped there, either */

static const char *name;

static int open_file(const char *file, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, file);
	return open(path, flags | O_CLOEXEC);
}

static long size_of(const char *file)
{
	char path[128];
	struct stat st, by_fd;
	int fd = open_file(file, O_RDWR);

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, file);
	if (fd < 0 || stat(path, &st) || fstat(fd, &by_fd))
		return -1;
	close(fd);
	CHECK(S_ISREG(st.st_mode) && st.st_size == by_fd.st_size);
	CHECK((st.st_mode & 0777) == (by_fd.st_mode & 0777));
	return st.st_size;
}

static uint16_t get16(int fd, off_t off)
{
	uint16_t value = 0;

	WANT(2, pread(fd, &value, 2, off));
	return value;
}

static void set16(int fd, off_t off, uint16_t value)
{
	WANT(2, pwrite(fd, &value, 2, off));
}

/* ---- configuration space ---- */

static void config(void)
{
	int fd = open_file("config", O_RDWR), reader = open_file("config", O_RDONLY);
	uint8_t all[512], piece[16], line = 0xa5;

	WANT(256, size_of("config"));
	WANT(256, read(fd, all, sizeof(all)));
	WANT(0, read(fd, piece, 1));
	CHECK(!memcmp(all, "\x34\x12\xe8\x11", 4));
	WANT(256, lseek(fd, 0, SEEK_CUR));
	WANT(1, lseek(fd, 1, SEEK_SET));
	WANT(7, read(fd, piece, 7));
	CHECK(!memcmp(piece, all + 1, 7));
	WANT(3, pread(fd, piece, 8, 253));
	CHECK(!memcmp(piece, all + 253, 3));
	WANT(0, pread(fd, piece, 8, 256));
	WANT(0, pread(fd, piece, 8, 1 << 20));
	WANT(-EINVAL, pread(fd, piece, 8, -1));
	WANT(-EFBIG, pwrite(fd, &line, 1, 256));
	WANT(-EBADF, write(reader, &line, 1));
	WANT(-ESPIPE, pwrite(reader, &line, 1, LINE));
	WANT(-EFAULT, pwrite(fd, (void *)PAGE, 1, LINE));
	WANT(-ENODEV, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	WANT(-ENOTTY, ioctl(fd, VFIO_DEVICE_GET_INFO, NULL));

	WANT(1, pwrite(fd, &line, 1, LINE));
	WANT(1, pread(reader, piece, 1, LINE));
	CHECK(piece[0] == line);
	WANT(1, pwrite(fd, all + LINE, 1, LINE));
	close(fd);
	close(reader);
}

/* stdio reads inside libc: what is there at the opening, and in the second one what was written. */
static void config_by_stdio(void)
{
	char path[128];
	int fd = open_file("config", O_RDWR);
	uint8_t line = 0x5a;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", name);
	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(path, "r");
		uint8_t all[300];

		CHECK(f && fread(all, 1, sizeof(all), f) == 256);
		CHECK(all[0] == 0x34 && (!i || all[LINE] == line));
		fclose(f);
		WANT(1, pwrite(fd, &line, 1, LINE));
	}
	line = 0;
	WANT(1, pwrite(fd, &line, 1, LINE));
	close(fd);
}

/* ---- a BAR ---- */

static uint32_t get(const volatile uint8_t *bar, uint32_t off)
{
	return *(const volatile uint32_t *)(bar + off);
}

static void set(volatile uint8_t *bar, uint32_t off, uint32_t value)
{
	*(volatile uint32_t *)(bar + off) = value;
}

static void *map(int fd, size_t len, int prot, off_t off)
{
	return mmap(NULL, len, prot, MAP_SHARED, fd, off);
}

#define MAP_WANT(want, fd, len, prot, off)                                                         \
	do {                                                                                       \
		void *map_ = map(fd, len, prot, off);                                              \
		WANT(want, map_ == MAP_FAILED ? -1 : munmap(map_, len));                           \
	} while (0)

static void resource(void)
{
	int fd = open_file("resource0", O_RDWR), reader = open_file("resource0", O_RDONLY);
	uint32_t value = 0;

	WANT(BAR_SIZE, size_of("resource0"));
	WANT(-ENOENT, open_file("resource1", O_RDWR));
	WANT(-ENOENT, open_file("resource0_wc", O_RDWR));
	WANT(-EIO, pread(fd, &value, 4, 0));
	WANT(-EIO, pwrite(fd, &value, 4, 0));
	WANT(0, pread(fd, &value, 4, BAR_SIZE));
	WANT(-EFBIG, pwrite(fd, &value, 4, BAR_SIZE));
	MAP_WANT(0, fd, BAR_SIZE, PROT_READ | PROT_WRITE, 0);
	MAP_WANT(0, fd, PAGE, PROT_READ, BAR_SIZE - PAGE);
	MAP_WANT(-EINVAL, fd, 2 * PAGE, PROT_READ, BAR_SIZE - PAGE);
	MAP_WANT(-EINVAL, fd, PAGE, PROT_READ, BAR_SIZE);
	MAP_WANT(-EINVAL, fd, BAR_SIZE + PAGE, PROT_READ, 0);
	MAP_WANT(0, reader, PAGE, PROT_READ, 0);
	MAP_WANT(-EACCES, reader, PAGE, PROT_READ | PROT_WRITE, 0);
	close(fd);
	close(reader);
}

/* As drivers did before there was VFIO. Memory decode is that of the function. */
static void registers(volatile uint8_t *bar)
{
	int cfg = open_file("config", O_RDWR);

	WANT(0x010000ed, get(bar, 0));
	set(bar, 4, 0x12345678);
	WANT(0xedcba987, get(bar, 4));
	set(bar, 8, 10);
	while (get(bar, 0x20) & 1)
		;
	WANT(3628800, get(bar, 8));
	set16(cfg, COMMAND, (uint16_t)(get16(cfg, COMMAND) & ~MEMORY));
	CHECK(get(bar, 0) != 0x010000ed);
	set16(cfg, COMMAND, (uint16_t)(get16(cfg, COMMAND) | MEMORY));
	WANT(0x010000ed, get(bar, 0));
	close(cfg);
}

/* ---- together with VFIO, which maps the memory ---- */

static void dma(volatile uint8_t *bar, uint32_t from, uint32_t to, uint32_t command)
{
	set(bar, 0x80, from);
	set(bar, 0x84, 0);
	set(bar, 0x88, to);
	set(bar, 0x8c, 0);
	set(bar, 0x90, 64);
	set(bar, 0x94, 0);
	set(bar, 0x98, command);
	while (get(bar, 0x98) & 1)
		;
}

static void bus_master(int cfg, bool on)
{
	uint16_t command = (uint16_t)(get16(cfg, COMMAND) & ~BUS_MASTER);

	set16(cfg, COMMAND, (uint16_t)(command | (on ? BUS_MASTER : 0)));
}

static void memory_moves(volatile uint8_t *bar, char *memory)
{
	int cfg = open_file("config", O_RDWR);

	CHECK(!(get16(cfg, COMMAND) & BUS_MASTER)); /* as VFIO hands it over */
	bus_master(cfg, true);
	strcpy(memory, "from memory");
	dma(bar, IOVA, BUFFER, 1);
	bus_master(cfg, false);
	dma(bar, BUFFER, IOVA + PAGE, 3);
	CHECK(!memory[PAGE]);
	bus_master(cfg, true);
	dma(bar, BUFFER, IOVA + PAGE, 3);
	CHECK(!strcmp(memory + PAGE, "from memory"));
	close(cfg);
}

static void with_vfio(volatile uint8_t *bar, const char *group_path)
{
	int container = open("/dev/vfio/vfio", O_RDWR), group = open(group_path, O_RDWR), device;
	char *memory =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = 2 * PAGE,
	};
	int cfg = open_file("config", O_RDWR);

	bus_master(cfg, true); /* which VFIO will undo */
	set(bar, 4, 1);
	WANT(0, ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	WANT(0, ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	CHECK(device >= 0);
	WANT(0, ioctl(container, VFIO_IOMMU_MAP_DMA, &arg));
	memory_moves(bar, memory);
	close(device);
	close(group);
	close(container);
	close(cfg);
}

/* ---- reset ---- */

static void reset(volatile uint8_t *bar)
{
	int fd = open_file("reset", O_WRONLY | O_TRUNC);

	if (fd < 0 && errno == ENOENT)
		return; /* the function cannot be reset */
	WANT(-EACCES, open_file("reset", O_RDONLY));
	WANT(-EINVAL, write(fd, "0\n", 2));
	WANT(-EINVAL, write(fd, "x", 1));
	WANT(-EINVAL, write(fd, "1 1", 3));
	set(bar, 4, 1);
	WANT(2, write(fd, "1\n", 2));
	WANT(1, write(fd, "1", 1));
	WANT(0, get(bar, 4));
	close(fd);
}

/* stdio writes inside libc; that is seen by the next access at the latest. */
static void reset_by_stdio(volatile uint8_t *bar)
{
	static const struct {
		const char *text;
		bool resets;
	} cases[] = { { "1\n", true }, { "0\n", false }, { "1", true }, { "1x\n", false } };
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", name);
	/* To be made, in sysfs, would be another error. */
	if (access(path, F_OK) && errno == ENOENT)
		return;
	f = fopen(path, "w");
	CHECK(f != NULL);
	for (size_t i = 0; f && i < sizeof(cases) / sizeof(*cases); i++) {
		set(bar, 4, 1);
		CHECK(fputs(cases[i].text, f) >= 0);
		WANT(0, fflush(f));
		WANT(cases[i].resets ? 0 : 0xfffffffe, get(bar, 4));
	}
	if (f)
		WANT(0, fclose(f));
	WANT(-EACCES, fopen(path, "r") ? 0 : -1);
}

int main(int argc, char **argv)
{
	char group[64];
	void *bar;
	int fd;

	if (argc != 3)
		return 2;
	name = argv[1];
	snprintf(group, sizeof(group), "/dev/vfio/%s", argv[2]);
	config();
	config_by_stdio();
	resource();
	fd = open_file("resource0", O_RDWR);
	bar = map(fd, BAR_SIZE, PROT_READ | PROT_WRITE, 0);
	close(fd);
	CHECK(bar != MAP_FAILED);
	if (bar == MAP_FAILED)
		return 1;
	registers(bar);
	with_vfio(bar, group);
	reset(bar);
	reset_by_stdio(bar);
	printf("%d failures\n", failures);
	return failures > 0;
}
