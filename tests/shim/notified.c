/* SPDX-License-Identifier: MIT */
/*
 * A statically linked program on model:edu: what the kernel notifies of, and what it leaves alone.
 * usage: notified PATH [FUNCTION]
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <devfd/ioctl.h>

#include "abi/vfio.h"

#define BAR0	 ((off_t)1 << 40)
#define LIVENESS (BAR0 + 4) /* inverts what is written to it */
#define RAISE	 (BAR0 + 0x60)
#define ACK	 (BAR0 + 0x64)
#define ID	 0x010000edu
#define LOW	 100 /* numbers below are those of other files */
#define TABLE	 328

static const char *path;
static int failed;

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			printf("line %d: %s (errno %d)\n", __LINE__, #what, errno);                \
			failed = 1;                                                                \
		}                                                                                  \
	} while (0)
#define FAILS(what, code) CHECK((errno = 0, (what) == -1) && errno == (code))

static int must_open(int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static uint32_t get(int fd, off_t at)
{
	uint32_t value = 0;

	return pread(fd, &value, 4, at) == 4 ? value : 0xdeadbeef;
}

/* ---- openings ---- */

static void openings(void)
{
	char copy[4096], *dir, *base;
	int dirfd, fd = must_open(O_RDWR), other = must_open(O_RDWR | O_CLOEXEC | O_CREAT);
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_RDONLY };

	CHECK(fd >= LOW && other >= LOW && fd != other);
	CHECK(fcntl(fd, F_GETFD) == 0 && fcntl(other, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	CHECK(get(fd, BAR0) == ID && get(other, BAR0) == ID);
	CHECK(!close(fd));
	FAILS(pread(fd, copy, 4, BAR0), EBADF);
	FAILS(pread(fd, copy, 4, 0), EBADF);
	FAILS(ioctl(fd, VFIO_DEVICE_GET_FLAGS, copy), EBADF);
	CHECK(open(path, O_RDWR) == fd);
	CHECK(!close(fd) && !close(other));

	strcpy(copy, path);
	dir = dirname(copy);
	dirfd = open(dir, O_DIRECTORY | O_RDONLY);
	base = strrchr(path, '/') + 1;
	if (dirfd >= 0) {
		fd = openat(dirfd, base, O_RDWR);
		CHECK(fd >= LOW && get(fd, BAR0) == ID && !close(fd));
		CHECK(!fchdir(dirfd));
		fd = open(base, O_RDWR);
		CHECK(fd >= LOW && get(fd, BAR0) == ID && !close(fd));
		CHECK(!chdir("/") && !close(dirfd));
	}
	fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	CHECK(fd >= LOW && get(fd, BAR0) == ID && !close(fd));
	fd = open(path, O_WRONLY);
	FAILS(read(fd, copy, 1), EBADF);
	CHECK(!close(fd));
	FAILS(open(path, O_RDWR | O_DIRECTORY), ENOTDIR);
	FAILS(open((const char *)8, O_RDWR), EFAULT);
	FAILS(open("", O_RDWR), ENOENT);
	FAILS(openat(-5, base, O_RDWR), EBADF);
}

/* ---- the file ---- */

static void positions(void)
{
	char table[512], again[512];
	uint32_t value = 0, other = 0;
	int fd = must_open(O_RDWR);
	struct iovec v[2] = { { table, 100 }, { table + 100, 400 } };
	struct iovec w[2] = { { &value, 4 }, { &other, 4 } };

	CHECK(read(fd, table, sizeof(table)) == TABLE && !memcmp(table, "pci", 4));
	CHECK(lseek(fd, 0, SEEK_CUR) == TABLE && read(fd, again, 1) == 0);
	CHECK(pread(fd, again, 100, 0) == 100 && !memcmp(table, again, 100));
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, v, 2) == TABLE);
	CHECK(lseek(fd, BAR0, SEEK_SET) == BAR0 && read(fd, &value, 4) == 4 && value == ID);
	value = 0x12345678;
	CHECK(write(fd, &value, 4) == 4 && lseek(fd, 0, SEEK_CUR) == BAR0 + 8);
	CHECK(get(fd, LIVENESS) == ~value);
	CHECK(preadv(fd, w, 2, BAR0) == 8 && value == ID && other == ~0x12345678u);
	other = 5;
	CHECK(pwritev(fd, w + 1, 1, LIVENESS) == 4 && get(fd, LIVENESS) == ~5u);
	CHECK(lseek(fd, BAR0, SEEK_SET) == BAR0 && preadv2(fd, w, 1, -1, 0) == 4 && value == ID);
	FAILS(preadv2(fd, w, 1, BAR0, RWF_HIPRI), EOPNOTSUPP);
	CHECK(lseek(fd, 0, SEEK_END) > BAR0);
	FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	FAILS(lseek(fd, 0, 77), EINVAL);
	FAILS(pread(fd, table, 4, -4), EINVAL);
	FAILS(pwrite(fd, table, 16, 0), EINVAL);
	CHECK(read(fd, table, 0) == 0);
	CHECK(!close(fd));
}

static void pointers(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *volatile nowhere = (void *)8; /* for all that the compiler knows, a buffer */
	const struct iovec bad = { nowhere, 4 };
	volatile int negative = -1;
	int fd = must_open(O_RDWR);

	CHECK(memory != MAP_FAILED && !mprotect(memory + page, (size_t)page, PROT_NONE));
	FAILS(pread(fd, nowhere, 4, BAR0), EFAULT);
	FAILS(pread(fd, memory + page - 2, 4, BAR0), EFAULT);
	FAILS(pwrite(fd, nowhere, 4, BAR0 + 4), EFAULT);
	FAILS(read(fd, nowhere, 4), EFAULT);
	FAILS(preadv(fd, &bad, 1, BAR0), EFAULT);
	FAILS(preadv(fd, nowhere, 1, BAR0), EFAULT);
	FAILS(preadv(fd, &bad, negative, BAR0), EINVAL);
	FAILS(ioctl(fd, VFIO_DEVICE_GET_FLAGS, NULL), EFAULT);
	FAILS(ioctl(fd, _IO(';', 99), NULL), ENOTTY);
	strcpy(memory + page - 5, "/dev");
	FAILS(open(memory + page - 5, O_RDWR), EISDIR);
	memory[page - 1] = 'x';
	FAILS(open(memory + page - 5, O_RDWR), EFAULT);
	munmap(memory, 2 * (size_t)page);
	close(fd);
}

/* ---- nothing can be mapped, and all that describes it says so ---- */

static void mapping(void)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	uint64_t flags = 0;
	uint32_t word;
	int fd = must_open(O_RDWR);

	CHECK(!ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info));
	CHECK(info.size &&
	      !(info.flags & (VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS)));
	CHECK(!ioctl(fd, VFIO_DEVICE_GET_REGION_FLAGS, &flags) && !(flags & 1));
	CHECK(pread(fd, &word, 4, 24) == 4 && !(word & 1)); /* of the first region, in the table */
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, BAR0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, fd, 0) != MAP_FAILED);
	close(fd);
}

/* ---- interrupts ---- */

static bool came(int event)
{
	uint64_t count;

	return read(event, &count, sizeof(count)) == sizeof(count) && count == 1;
}

static void interrupts(void)
{
	const uint32_t cause = 1;
	int fd = must_open(O_RDWR), event = eventfd(0, EFD_NONBLOCK);
	int intx[2] = { 0, event }, none[2] = { 0, -1 }, wrong[2] = { 0, fd }, index = 0;

	CHECK(!ioctl(fd, VFIO_DEVICE_SET_IRQ_EVENTFD, intx));
	CHECK(pwrite(fd, &cause, 4, RAISE) == 4 && came(event) && !came(event));
	/* Still asserted: it comes again as soon as it may. */
	CHECK(!ioctl(fd, VFIO_DEVICE_UNMASK_IRQ, &index) && came(event));
	CHECK(pwrite(fd, &cause, 4, ACK) == 4);
	CHECK(!ioctl(fd, VFIO_DEVICE_UNMASK_IRQ, &index) && !came(event));
	FAILS(ioctl(fd, VFIO_DEVICE_SET_IRQ_EVENTFD, wrong), EINVAL);
	CHECK(!ioctl(fd, VFIO_DEVICE_SET_IRQ_EVENTFD, none));
	close(event);
	close(fd);
}

/* ---- files of sysfs that are registers ---- */

static void registers(const char *function)
{
	char dir[64], path_of_reset[80];
	uint8_t line = 0x5a, was = 0, command = 6;
	int config, reset, only;

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s", function);
	snprintf(path_of_reset, sizeof(path_of_reset), "%s/reset", dir);
	CHECK(!chdir(dir));
	config = open("config", O_RDWR);
	reset = open(path_of_reset, O_WRONLY);
	only = open("config", O_RDONLY);
	CHECK(config >= LOW && reset >= LOW && only >= 0 && only < LOW);
	if (failed)
		return; /* they may be the machine's */
	CHECK(pread(only, &was, 1, 0x3c) == 1 && was != line);
	CHECK(pwrite(config, &line, 1, 0x3c) == 1 && lseek(config, 0x3c, SEEK_SET) == 0x3c);
	CHECK(read(config, &was, 1) == 1 && was == line && lseek(config, 0, SEEK_CUR) == 0x3d);
	CHECK(pwrite(config, &command, 1, 4) == 1 && write(reset, "1", 1) == 1);
	CHECK(pread(config, &command, 1, 4) == 1 && command != 6);
	/* A write by a low number is the kernel's, and seen all the same. */
	command = 6;
	CHECK(pwrite(config, &command, 1, 4) == 1 && dup2(reset, 77) == 77);
	CHECK(write(77, "1\n", 2) == 2 && pread(config, &command, 1, 4) == 1 && command != 6);
	close(77);
	FAILS(open("reset", O_RDWR), EACCES);
	close(config);
	close(reset);
	close(only);
	CHECK(!chdir("/"));
}

/* ---- duplicates, and those who only read ---- */

static void duplicates(void)
{
	char table[512];
	uint64_t flags = 0;
	int fd = must_open(O_RDWR), other = dup(fd);

	CHECK(other >= LOW && other != fd && get(other, BAR0) == ID);
	CHECK(lseek(other, 16, SEEK_SET) == 16 && lseek(fd, 0, SEEK_CUR) == 16);
	close(other);
	other = fcntl(fd, F_DUPFD, 3);
	CHECK(other >= LOW && fcntl(other, F_GETFD) == 0 && !close(other));
	other = fcntl(fd, F_DUPFD_CLOEXEC, 1000);
	CHECK(other >= 1000 && fcntl(other, F_GETFD) == FD_CLOEXEC && get(other, BAR0) == ID);
	FAILS(fcntl(fd, F_DUPFD, -1), EINVAL);
	close(other);
	/* The kernel makes those with low numbers: the offset or the request shows whose they are.
	 */
	CHECK(dup2(fd, 77) == 77);
	CHECK(get(77, BAR0) == ID && !ioctl(77, VFIO_DEVICE_GET_FLAGS, &flags) && flags == 5);
	CHECK(lseek(77, 0, SEEK_SET) == 0 && read(77, table, sizeof(table)) == TABLE);
	CHECK(lseek(77, BAR0, SEEK_SET) == BAR0 && read(77, table, 4) == 0);
	close(77);
	close(fd);
}

static void reading(void)
{
	char table[512];
	uint64_t flags = 0;
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0 && fd < LOW && read(fd, table, sizeof(table)) == TABLE);
	CHECK(!memcmp(table, "pci", 4));
	CHECK(get(fd, BAR0) == ID && !ioctl(fd, VFIO_DEVICE_GET_FLAGS, &flags) && flags == 5);
	FAILS(pwrite(fd, table, 4, LIVENESS), EBADF);
	CHECK(lseek(fd, BAR0, SEEK_SET) == BAR0 && read(fd, table, 4) == 0);
	FAILS(open(path, O_WRONLY | O_TRUNC), EROFS);
	close(fd);
}

/* ---- everything else ---- */

static void others(void)
{
	char name[] = "/tmp/notified-XXXXXX", text[16] = "";
	int ends[2], file = mkstemp(name), fd = must_open(O_RDWR);
	char *map;

	CHECK(!pipe(ends) && dup2(ends[0], 950) == 950 && dup2(ends[1], 951) == 951);
	CHECK(write(951, "hello", 5) == 5 && read(950, text, 16) == 5 && !strcmp(text, "hello"));
	FAILS(lseek(950, 0, SEEK_SET), ESPIPE);
	FAILS(pread(950, text, 4, BAR0), ESPIPE);
	FAILS(ioctl(950, VFIO_DEVICE_GET_FLAGS, text), ENOTTY);
	FAILS(ioctl(951, _IO(';', 100), text), ENOTTY);
	CHECK(file >= 0 && file < LOW && dup2(file, 952) == 952 && write(952, "abc", 3) == 3);
	CHECK(lseek(952, BAR0, SEEK_SET) == BAR0 && read(952, text, 1) == 0);
	CHECK(lseek(952, -1, SEEK_END) == 2 && read(952, text, 4) == 1 && text[0] == 'c');
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, 952, 0);
	CHECK(map != MAP_FAILED && !memcmp(map, "abc", 3));
	CHECK(dup(952) < LOW && fcntl(952, F_DUPFD, 60) < LOW);
	close(file);
	file = open(name, O_RDWR | O_CREAT | O_APPEND, 0600);
	CHECK(file >= 0 && file < LOW && pread(file, text, 3, 0) == 3 && !memcmp(text, "abc", 3));
	CHECK(!unlink(name) && access(name, F_OK));
	/* A device at the number of another file. */
	CHECK(dup2(fd, 950) == 950 && get(950, BAR0) == ID);
	for (int i = 3; i < 1000; i++)
		close(i);
}

/* ---- processes and threads ---- */

static void *hammer(void *ctx)
{
	int fd = *(int *)ctx;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	for (int i = 0; i < 300; i++)
		CHECK(get(fd, BAR0) == ID);
	return NULL;
}

static void nothing(int number)
{
	(void)number;
}

/*
 * While signals come: a call is done once, or not at all. Then it is restarted, or EINTR where the
 * handler does not want that.
 */
static void threads(void)
{
	struct sigaction act = { .sa_handler = nothing };
	const struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
	pthread_t thread[2];
	int fd = must_open(O_RDWR);
	char byte;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread[i], NULL, hammer, &fd));
	for (int i = 0; i < TABLE;)
		i += read(fd, &byte, 1) == 1;
	act.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &act, NULL);
	CHECK(read(fd, &byte, 1) == 0);
	for (uint32_t i = 0; i < 300; i++)
		CHECK(pwrite(fd, &i, 4, LIVENESS) == 4 && get(fd, LIVENESS) == ~i);
	setitimer(ITIMER_REAL, &never, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	close(fd);
}

static bool ended_well(pid_t child)
{
	int status;

	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

static void processes(void)
{
	uint32_t value = 0x1234;
	const char *self = "/proc/self/exe";
	char number[16];
	pid_t child;
	int fd = must_open(O_RDWR);

	CHECK(pwrite(fd, &value, 4, LIVENESS) == 4);
	child = fork();
	if (!child) {
		bool same = get(fd, LIVENESS) == ~value;

		value = 0x4321;
		same = same && lseek(fd, BAR0 + 4, SEEK_SET) > 0 && write(fd, &value, 4) == 4;
		_exit(!same);
	}
	CHECK(ended_well(child));
	CHECK(get(fd, LIVENESS) == ~0x4321u && lseek(fd, 0, SEEK_CUR) == BAR0 + 8);
	snprintf(number, sizeof(number), "%d", fd);
	child = vfork();
	if (!child) {
		execl(self, self, path, "", number, NULL);
		_exit(1);
	}
	CHECK(ended_well(child));
	/* Close-on-exec holds. */
	CHECK(!fcntl(fd, F_SETFD, FD_CLOEXEC));
	child = fork();
	if (!child) {
		execl(self, self, path, "", number, NULL);
		_exit(1);
	}
	CHECK(!ended_well(child));
	close(fd);
}

/* The last one who closes it leaves it reset. */
static void last_close(void)
{
	uint32_t value = 0x1234;
	int fd = must_open(O_RDWR), other = dup(fd);

	CHECK(pwrite(fd, &value, 4, LIVENESS) == 4 && !close(fd));
	fd = must_open(O_RDWR);
	CHECK(get(fd, LIVENESS) == ~value && !close(fd) && !close(other));
	fd = must_open(O_RDWR);
	CHECK(get(fd, LIVENESS) == 0 && !close(fd));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	path = argv[1];
	if (argc == 4) /* executed by processes() */
		return get(atoi(argv[3]), LIVENESS) != ~0x4321u;
	openings();
	positions();
	pointers();
	mapping();
	interrupts();
	if (argc == 3)
		registers(argv[2]);
	duplicates();
	reading();
	others();
	threads();
	processes();
	last_close();
	if (!failed)
		puts("ok");
	return failed;
}
