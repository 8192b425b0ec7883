/* SPDX-License-Identifier: MIT */
/*
 * An fd of a device is like any other: positions, duplicates, access modes, fork, threads, poll.
 *
 * usage: fds EDU SHAPES [in-process]    under devfd run; says nothing when all is well
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <devfd/ioctl.h>

#include "expect.h"

#define BAR0	 ((off_t)1 << 40)
#define CONFIG	 ((off_t)8 << 40)
#define LIVENESS (BAR0 + 0x04)
#define FACT	 (BAR0 + 0x08)
#define STATUS	 (BAR0 + 0x20)
#define SCRATCH	 (BAR0 + 0x08) /* of shapes */
#define PAGES	 (BAR0 + 0x1000)
#define PORTS	 ((off_t)3 << 40)

/* How an fd is received. */
enum how { BY_RECVMSG, BY_NUMBER, BY_RECVMMSG };

static const char *edu, *shapes;
static bool in_process;

/* Wrong in ways that the compiler would see. */
static void *volatile nowhere = NULL;
static volatile int minus = -1;

static uint32_t get(int fd, off_t at)
{
	uint32_t value = 0xdeadbeef;

	CHECK(pread(fd, &value, 4, at) == 4);
	return value;
}

static void set(int fd, off_t at, uint32_t value)
{
	CHECK(pwrite(fd, &value, 4, at) == 4);
}

static uint32_t factorial(int fd, uint32_t n)
{
	set(fd, FACT, n);
	while (get(fd, STATUS) & 1)
		;
	return get(fd, FACT);
}

static void numbers(void)
{
	int null = open("/dev/null", O_RDONLY), fd;

	close(null);
	fd = open(edu, O_RDWR);
	CHECK(fd == null); /* the lowest free number, in spite of what the device opens */
	CHECK(fcntl(fd, F_GETFD) == 0);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	close(fd);
	fd = open(edu, O_RDONLY | O_CLOEXEC);
	CHECK(fd == null);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	FAILS(read(fd, &fd, 1), EBADF);
	FAILS(ioctl(fd, VFIO_DEVICE_RESET), EBADF);
}

static void positions(void)
{
	int fd = open(edu, O_RDWR), two = dup(fd), three = fcntl(fd, F_DUPFD, 20), other;
	char magic[4], rest[4096];
	uint32_t id;

	CHECK(three >= 20);
	CHECK(read(fd, magic, 4) == 4 && !memcmp(magic, "pci", 4));
	CHECK(lseek(two, 0, SEEK_CUR) == 4);
	CHECK(read(two, rest, 12) == 12);
	CHECK(lseek(three, -8, SEEK_CUR) == 8);
	CHECK(lseek(fd, 0, SEEK_CUR) == 8);
	CHECK(dup2(fd, 30) == 30 && lseek(30, 0, SEEK_CUR) == 8);
	CHECK(dup3(fd, 31, O_CLOEXEC) == 31 && fcntl(31, F_GETFD) == FD_CLOEXEC);
	CHECK(lseek(31, BAR0, SEEK_SET) == BAR0);
	CHECK(read(fd, &id, 4) == 4 && id == 0x010000ed);
	CHECK(lseek(fd, 0, SEEK_CUR) == BAR0 + 4);
	for (int i = 0; i < 4; i++)
		CHECK(get((int[]){ two, three, 30, 31 }[i], BAR0) == 0x010000ed);
	CHECK(lseek(30, 0, SEEK_END) == ((off_t)8 << 40) + 256);
	CHECK(lseek(fd, -4, SEEK_END) == ((off_t)8 << 40) + 252);
	CHECK(read(fd, rest, 100) == 4 && lseek(fd, 0, SEEK_CUR) == ((off_t)8 << 40) + 256);
	FAILS(read(fd, rest, 100), EINVAL);
	FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	FAILS(lseek(fd, 0, SEEK_DATA), EINVAL);

	other = open(edu, O_RDONLY);
	CHECK(lseek(other, 0, SEEK_CUR) == 0);
	CHECK(pread(other, magic, 4, 0) == 4 && lseek(other, 0, SEEK_CUR) == 0);
	while (read(other, rest, 7) > 0)
		;
	CHECK(read(other, rest, 7) == 0);

	/* What stands for a device may stand for another file a moment later, and again. */
	CHECK(dup2(other, fd) == fd && lseek(fd, 0, SEEK_CUR) == lseek(other, 0, SEEK_CUR));
	CHECK(dup2(STDIN_FILENO, fd) == fd);
	FAILS(ioctl(fd, VFIO_DEVICE_RESET), ENOTTY);
	CHECK(dup2(other, fd) == fd && ioctl(fd, VFIO_DEVICE_RESET) == 0);
	for (int i = 0; i < 6; i++)
		close((int[]){ fd, two, three, 30, 31, other }[i]);
}

static void vectors(void)
{
	int fd = open(edu, O_RDWR);
	uint32_t a = 0, b = 0, values[2] = { 0x12345678, 5 };
	struct iovec in[2] = { { &a, 4 }, { &b, 4 } };
	struct iovec out[2] = { { &values[0], 4 }, { &values[1], 4 } };

	CHECK(preadv(fd, in, 2, BAR0) == 8 && a == 0x010000ed);
	CHECK(pwritev(fd, out, 2, LIVENESS) == 8);
	CHECK(get(fd, LIVENESS) == ~0x12345678u);
	while (get(fd, STATUS) & 1)
		;
	CHECK(get(fd, FACT) == 120);
	CHECK(lseek(fd, LIVENESS, SEEK_SET) == LIVENESS);
	CHECK(readv(fd, in, 2) == 8 && b == 120 && lseek(fd, 0, SEEK_CUR) == LIVENESS + 8);
	CHECK(lseek(fd, LIVENESS, SEEK_SET) == LIVENESS && writev(fd, out, 1) == 4);
	CHECK(preadv2(fd, in, 1, -1, 0) == 4 && a == 120);
	FAILS(preadv(fd, in, minus, 0), EINVAL);
	FAILS(preadv(fd, in, 1, -1), EINVAL);
	close(fd);
}

static void access_modes(void)
{
	int reads = open(edu, O_RDONLY), writes = open(edu, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	uint32_t value = 1;

	CHECK(reads >= 0 && writes >= 0);
	CHECK(get(reads, BAR0) == 0x010000ed);
	FAILS(pwrite(reads, &value, 4, LIVENESS), EBADF);
	FAILS(pread(writes, &value, 4, BAR0), EBADF);
	set(writes, LIVENESS, 1);
	CHECK(get(reads, LIVENESS) == ~1u);
	FAILS(open(edu, O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	FAILS(open(edu, O_RDONLY | O_DIRECTORY), ENOTDIR);
	close(reads);
	close(writes);
}

static void errors(void)
{
	int fd = open(edu, O_RDWR);
	uint32_t value = 0;
	char bytes[16];

	CHECK(ioctl(fd, FIOCLEX) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	FAILS(pread(fd, nowhere, 4, BAR0), EFAULT);
	FAILS(pwrite(fd, nowhere, 4, LIVENESS), EFAULT);
	FAILS(pread(fd, nowhere, 4, 0), EFAULT);
	FAILS(ioctl(fd, VFIO_DEVICE_GET_FLAGS, NULL), EFAULT);
	FAILS(ioctl(fd, _IO(';', 1), NULL), ENOTTY);
	FAILS(ioctl(fd, _IO('T', 1), NULL), ENOTTY);
	FAILS(pread(fd, &value, 4, -1), EINVAL);
	CHECK(pread(fd, &value, 4, BAR0 - 4) == 0); /* past the end of the table */
	FAILS(pread(fd, &value, 4, BAR0 + 0x100000), EINVAL);
	FAILS(pread(fd, &value, 4, (off_t)1 << 62), EINVAL);
	FAILS(pwrite(fd, &value, 4, 0), EINVAL);
	FAILS(pread(fd, &value, 2, BAR0), EIO);
	FAILS(pread(fd, bytes, 16, BAR0 + 0x80), EIO); /* one access, not two of 8 bytes */
	CHECK(pread(fd, NULL, 0, BAR0) == 0);
	close(fd);
}

static void maps(void)
{
	int fd = open(shapes, O_RDWR), reads = open(shapes, O_RDONLY);
	int writes = open(shapes, O_WRONLY);
	const size_t page = 4096;
	volatile uint32_t *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGES);
	char *room = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	p[1] = 42;
	CHECK(get(fd, PAGES + 4) == 42);
	set(fd, PAGES + 8, 43);
	CHECK(p[2] == 43);
	CHECK(mmap(room + page, page, PROT_READ, MAP_SHARED | MAP_FIXED, reads, PAGES) ==
	      room + page);
	CHECK(((uint32_t *)(room + page))[1] == 42);
	FAILS(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, reads, PAGES), EACCES);
	FAILS(mmap(NULL, page, PROT_READ, MAP_SHARED, writes, PAGES), EACCES);
	FAILS(mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
	FAILS(mmap(NULL, page, PROT_READ, MAP_SHARED, fd, PORTS), EINVAL);
	FAILS(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, PAGES), EINVAL);
	FAILS(mmap(NULL, page, PROT_READ, MAP_SHARED, fd, PAGES + 4), EINVAL);
	close(fd);
	close(reads);
	close(writes);
	CHECK(p[1] == 42);
	munmap((void *)p, page);
	munmap(room, 2 * page);
}

static void two_devices(void)
{
	int a = open(edu, O_RDWR), b = open(shapes, O_RDWR);
	int flags = fcntl(a, F_GETFL);

	set(a, LIVENESS, 7);
	set(b, SCRATCH, 8);
	CHECK(get(a, LIVENESS) == ~7u && get(b, SCRATCH) == 8);
	CHECK(get(b, BAR0) == 0x53484150);
	CHECK(flags == fcntl(b, F_GETFL));
	close(a);
	CHECK(get(b, SCRATCH) == 8);
	close(b);
}

/* A device is found as it was left while somebody has it open, and reset after that. */
static void reopen(void)
{
	int fd = open(shapes, O_RDWR), again;

	set(fd, SCRATCH, 5);
	again = open(shapes, O_RDWR);
	close(fd);
	CHECK(get(again, SCRATCH) == 5);
	close(again);
	again = open(shapes, O_RDWR);
	CHECK(get(again, SCRATCH) == 0);
	close(again);
}

static void wait_irq(int fd, int event)
{
	const uint16_t command = 6; /* memory decode, and bus mastering for MSI */
	struct pollfd p = { .fd = event, .events = POLLIN };
	uint64_t count = 0;

	CHECK(pwrite(fd, &command, 2, CONFIG + 4) == 2);
	set(fd, STATUS, 0x80);
	set(fd, FACT, 6);
	CHECK(poll(&p, 1, 60000) == 1);
	CHECK(read(event, &count, 8) == 8 && count == 1);
	CHECK(get(fd, FACT) == 720);
	set(fd, BAR0 + 0x64, get(fd, BAR0 + 0x24));
}

static void polling(void)
{
	int fd = open(edu, O_RDWR), event = eventfd(0, 0), msi[2] = { 1, event }, off = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT));
	CHECK(ioctl(fd, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, msi) == 0);
	wait_irq(fd, event); /* nobody calls the device meanwhile */
	CHECK(ioctl(fd, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, &off) == 0);
	close(event);
	close(fd);
}

/* Parent and child have the position in common, and the device unless it is in their process. */
static void forks(void)
{
	int fd = open(edu, O_RDWR), event = eventfd(0, 0), msi[2] = { 1, event }, status = -1;
	pid_t pid;

	set(fd, LIVENESS, 1);
	CHECK(ioctl(fd, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, msi) == 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		failures = 0;
		CHECK(get(fd, LIVENESS) == ~1u);
		set(fd, LIVENESS, 2);
		wait_irq(fd, event);
		CHECK(lseek(fd, 100, SEEK_SET) == 100);
		fflush(stdout);
		_exit(failures);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	CHECK(lseek(fd, 0, SEEK_CUR) == 100);
	CHECK(get(fd, LIVENESS) == (in_process ? ~1u : ~2u));
	wait_irq(fd, event);
	close(event);
	close(fd);
}

/* Return: a number that has come by a socket */
static int received(int sock, enum how how)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &iov,
					  .msg_iovlen = 1,
					  .msg_control = &control,
					  .msg_controllen = sizeof(control) } };
	int fd = -1;

	if (how == BY_RECVMSG)
		CHECK(recvmsg(sock, &m.msg_hdr, 0) == 1);
	else if (how == BY_NUMBER)
		CHECK(syscall(SYS_recvmsg, sock, &m.msg_hdr, 0) == 1);
	else
		CHECK(recvmmsg(sock, &m, 1, 0, NULL) == 1);
	CHECK(control.align.cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
	return fd;
}

static void send_fd(int sock, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .align = { .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS,
				 .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { "", 1 };
	const struct msghdr msg = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = &control,
				    .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	CHECK(sendmsg(sock, &msg, 0) == 1);
}

static void passed(void)
{
	int fd = open(edu, O_RDWR), ends[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	set(fd, LIVENESS, 5);
	for (enum how how = BY_RECVMSG; how <= BY_RECVMMSG; how++) {
		int other;

		send_fd(ends[0], fd);
		other = received(ends[1], how);
		CHECK(other > fd && get(other, LIVENESS) == ~5u);
		CHECK(lseek(fd, (off_t)how, SEEK_SET) == lseek(other, 0, SEEK_CUR));
		close(other);
	}
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* The child has the memory of its parent, and must not change there what the number means. */
static void vforks(void)
{
	int fd = open(edu, O_RDWR), status = -1;
	pid_t pid = vfork();

	if (!pid) {
		dup2(STDIN_FILENO, fd);
		_exit(ioctl(fd, VFIO_DEVICE_RESET) == -1 && errno == ENOTTY ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	CHECK(ioctl(fd, VFIO_DEVICE_RESET) == 0);
	CHECK(get(fd, BAR0) == 0x010000ed);
	close(fd);
}

static bool kernel_wipes(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can = page != MAP_FAILED && !madvise(page, 4096, MADV_WIPEONFORK);

	CHECK(!munmap(page, 4096));
	return can;
}

/* A child that nobody is told of has a copy of the memory: what it reads is its own. */
static void clones(void)
{
	static char start[64];
	int fd = open(edu, O_RDWR), status = -1;
	pid_t pid;

	CHECK(get(fd, BAR0) == 0x010000ed);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		_exit(pread(fd, start, sizeof(start), 0) != sizeof(start) ||
		      memcmp(start, "pci", 4) != 0 || get(fd, BAR0) != 0x010000ed);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	CHECK(!start[0]);
	CHECK(get(fd, BAR0) == 0x010000ed);
	close(fd);
}

/* Cancelled by the first call that may end it, with a connection that has to be made. */
static void *cancelled(void *arg)
{
	uint32_t id;

	pthread_cancel(pthread_self());
	return pread(*(int *)arg, &id, sizeof(id), BAR0) == sizeof(id) ? arg : NULL;
}

/* A thread that goes takes no lock along. */
static void cancelling(void)
{
	int fd = open(edu, O_RDWR);
	pthread_t thread;

	closefrom(fd + 1);
	CHECK(!pthread_create(&thread, NULL, cancelled, &fd) && !pthread_join(thread, NULL));
	CHECK(get(fd, BAR0) == 0x010000ed);
	close(fd);
}

static void *hammer(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 300; i++) {
		int mine = open(edu, O_RDONLY), copy = dup(mine);
		char magic[4];

		CHECK(get(fd, BAR0) == 0x010000ed);
		CHECK(read(mine, magic, 4) == 4 && lseek(copy, 0, SEEK_CUR) == 4);
		close(mine);
		close(copy);
	}
	return NULL;
}

/* Forking goes on meanwhile: no lock may stay behind in a child. */
static void threads(void)
{
	int fd = open(edu, O_RDWR);
	pthread_t thread[4];

	fflush(stdout);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, hammer, &fd);
	for (int i = 0; i < 20; i++) {
		int status = -1;
		pid_t pid = fork();

		if (!pid) {
			failures = 0;
			alarm(100);
			CHECK(factorial(fd, 5) == 120);
			fflush(stdout);
			_exit(failures);
		}
		CHECK(waitpid(pid, &status, 0) == pid && !status);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	close(fd);
}

static void stdio(void)
{
	FILE *f = fopen(edu, "r"), *g = fopen(edu, "we");
	char buf[4096];
	size_t size;

	size = fread(buf, 1, sizeof(buf), f);
	CHECK(size > 100 && size < 1024 && feof(f) && !memcmp(buf, "pci", 4));
	CHECK(get(fileno(f), BAR0) == 0x010000ed);
	CHECK(fcntl(fileno(g), F_GETFD) == FD_CLOEXEC);
	set(fileno(g), LIVENESS, 3);
	CHECK(get(fileno(f), LIVENESS) == ~3u);
	CHECK(fputs("x", g) >= 0 && fflush(g) == EOF); /* stdio cannot write a device */
	clearerr(g);
	g = freopen(edu, "r", g);
	CHECK(g && fgetc(g) == 'p');
	rewind(f);
	CHECK(fgetc(f) == 'p');
	fclose(f);
	fclose(g);
}

static void looking(void)
{
	struct stat st;
	int fd = open(edu, O_RDONLY), dir = open("/dev", O_RDONLY | O_DIRECTORY), relative;

	CHECK(!stat(edu, &st) && S_ISCHR(st.st_mode) && st.st_size == 0);
	CHECK(!fstat(fd, &st) && S_ISCHR(st.st_mode));
	CHECK(!fstatat(fd, "", &st, AT_EMPTY_PATH) && S_ISCHR(st.st_mode));
	CHECK(!access(edu, R_OK | W_OK));
	FAILS(access(edu, X_OK), EACCES);
	CHECK(!chdir("/dev"));
	relative = openat(dir, "./devfd/../devfd/edu", O_RDONLY);
	CHECK(relative >= 0 && get(relative, BAR0) == 0x010000ed);
	close(relative);
	relative = open("devfd/edu", O_RDONLY);
	CHECK(relative >= 0);
	close(relative);
	FAILS(open("/dev/devfd/ed", O_RDONLY), ENOENT);
	FAILS(open("/devfd/edu", O_RDONLY), ENOENT);
	close(dir);
	close(fd);
}

/* As daemons do, and some of them know nothing of what libraries have open. */
static void close_everything(void)
{
	int fd = open(edu, O_RDWR);

	set(fd, LIVENESS, 4);
	closefrom(3);
	fd = open(edu, O_RDWR);
	CHECK(fd == 3 && get(fd, LIVENESS) != ~4u && factorial(fd, 4) == 24);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	in_process = argc > 3;
	edu = argv[1];
	shapes = argv[2];
	closefrom(3);
	numbers();
	positions();
	vectors();
	access_modes();
	errors();
	maps();
	two_devices();
	reopen();
	polling();
	forks();
	passed();
	vforks();
	if (kernel_wipes())
		clones();
	cancelling();
	threads();
	stdio();
	looking();
	close_everything();
	return failures ? 1 : 0;
}
