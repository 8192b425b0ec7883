/* SPDX-License-Identifier: MIT */
/*
 * Registers by shared memory, under devfd run: who spoils it, who is killed, how many there are, in
 * what order things happen, and what it costs when nothing does.
 *
 * usage: ring EDU [without|orphaned]    says nothing when all is well. `without`: there must be no
 * such memory. `orphaned`: devfd run is killed, and this program has closed its connection; it says
 * so.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <devfd/ioctl.h>

#include "expect.h"
#include "ring/ring.h"
#include "shim/protocol.h"

#define BAR0	   ((off_t)1 << 40)
#define CONFIG	   ((off_t)8 << 40)
#define ID	   BAR0
#define LIVENESS   (BAR0 + 0x04)
#define IRQ_STATUS (BAR0 + 0x24)
#define IRQ_RAISE  (BAR0 + 0x60)
#define IRQ_ACK	   (BAR0 + 0x64)

#define TABLE_END 328
#define EDU_ID	  0x010000edu
#define PROCESSES 48
#define KILLS	  100

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

/* Return: the ring of this process, or NULL */
static struct ring_memory *find_ring(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	uintptr_t at = 0;

	while (maps && !at && fgets(line, sizeof(line), maps)) {
		if (strstr(line, "memfd:devfd-ring"))
			at = (uintptr_t)strtoull(line, NULL, 16);
	}
	if (maps)
		fclose(maps);
	return (struct ring_memory *)at; /* NOLINT(performance-no-int-to-ptr) */
}

static bool ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* ---- widths and ends ---- */

static void widths(int fd)
{
	uint8_t bytes[64];

	/* By either way, and the same: what is 32 bytes, and what is longer. */
	for (size_t n = 1; n <= sizeof(bytes); n++) {
		memset(bytes, 0xaa, sizeof(bytes));
		CHECK(pread(fd, bytes, n, CONFIG) == (ssize_t)n);
		CHECK(bytes[0] == 0x34 && (n == sizeof(bytes) || bytes[n] == 0xaa));
	}
	CHECK(pread(fd, bytes, 16, TABLE_END - 8) == 8);
	CHECK(pread(fd, bytes, 16, TABLE_END) == 0);
	CHECK(pread(fd, bytes, 4, (off_t)200 << 40) <= 0);
	CHECK(pread(fd, bytes, 3, BAR0) == -1); /* no register is that wide */
}

/* ---- order ---- */

/* What goes by the ring and what goes by the socket is done as it was called. */
static void with_calls(int fd)
{
	for (uint32_t i = 1; i < 500; i++) {
		set(fd, LIVENESS, i);
		CHECK(get(fd, LIVENESS) == ~i);
		CHECK(!ioctl(fd, VFIO_DEVICE_RESET));
		CHECK(get(fd, LIVENESS) == 0);
	}
}

/* An interrupt is there when the access that has caused it has returned. */
static void with_interrupts(int fd)
{
	const int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int one[] = { 1, event };
	uint16_t command;
	uint64_t count;

	CHECK(pread(fd, &command, 2, CONFIG + 4) == 2);
	command |= 4; /* messages are DMA */
	CHECK(pwrite(fd, &command, 2, CONFIG + 4) == 2);
	CHECK(!ioctl(fd, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, one));
	for (uint32_t i = 0; i < 500; i++) {
		set(fd, IRQ_RAISE, 1);
		CHECK(read(event, &count, sizeof(count)) == sizeof(count) && count == 1);
		CHECK(get(fd, IRQ_STATUS) == 1);
		set(fd, IRQ_ACK, 1);
	}
	CHECK(!ioctl(fd, VFIO_DEVICE_RESET));
	close(event);
}

/* ---- processes ---- */

static void many(int fd)
{
	pid_t pids[PROCESSES];

	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (int n = 0; n < 400; n++)
			CHECK(get(fd, ID) == EDU_ID);
		_exit(failures != 0);
	}
	for (int i = 0; i < PROCESSES; i++)
		CHECK(ended_well(pids[i]));
}

/* In the middle of whatever they do. */
static void killed(int fd)
{
	for (int i = 0; i < KILLS; i++) {
		pid_t pid = fork();

		if (!pid) {
			for (;;)
				set(fd, LIVENESS, get(fd, ID));
		}
		usleep((useconds_t)(i * 37 % 2000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		CHECK(get(fd, ID) == EDU_ID);
	}
}

/* Not by libc, so nobody could be told: it has a copy of our memory, and shares the ring. */
static void bare_fork(int fd)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	uint32_t value;

	if (!pid) {
		for (int i = 0; i < 10; i++)
			(void)!pread(fd, &value, 4, ID);
		_exit(0);
	}
	CHECK(ended_well(pid));
	for (uint32_t i = 1; i < 10; i++) {
		set(fd, LIVENESS, i);
		CHECK(get(fd, LIVENESS) == ~i);
	}
}

static void after_vfork(int fd)
{
	static uint32_t value;
	pid_t pid;

	value = 0;
	pid = vfork();
	if (!pid) {
		(void)!pread(fd, &value, 4, ID);
		_exit(0);
	}
	CHECK(ended_well(pid));
	CHECK(value == EDU_ID);
	CHECK(get(fd, ID) == EDU_ID);
}

/* The connection is one of the numbers, and is made again. */
static void all_closed(int fd)
{
	for (uint32_t i = 1; i <= 50; i++) {
		for (int other = 3; other < 1000; other++) {
			if (other != fd)
				close(other);
		}
		/* The supervisor has seen it, or not yet. */
		if (i % 2)
			usleep(2000);
		set(fd, LIVENESS, i);
		CHECK(get(fd, LIVENESS) == ~i);
	}
}

/* ---- who spoils it ---- */

static uint64_t random64(void)
{
	static uint64_t x;

	x = x ? x : (uint64_t)getpid() * UINT64_C(0x9e3779b97f4a7c15);
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Mostly what may be, often what is just beside it, sometimes anything. */
static uint64_t near(uint64_t value)
{
	switch (random64() % 16) {
	case 0:
		return random64();
	case 1:
		return value + random64() % 5 - 2;
	default:
		return value;
	}
}

/* Return: the connection, which is the only socket here */
static int find_socket(void)
{
	struct stat st;

	for (int fd = 3; fd < 2000; fd++) {
		if (!fstat(fd, &st) && S_ISSOCK(st.st_mode))
			return fd;
	}
	return -1;
}

static void random_request(struct ring_memory *m, uint64_t inode, uint32_t seq)
{
	const uint64_t objects[] = { inode, 1, 0, 1000 };
	struct ring_request q = {
		.seq = (uint32_t)near(seq),
		.command = (uint16_t)near(SHIM_READ + random64() % 8),
		.cpu = (uint16_t)random64(),
		.object = near(objects[random64() % 4]),
		.access = { near((uint64_t)ID), (uint32_t)near(0), (uint32_t)near(4) },
	};

	memcpy(&m->request, &q, sizeof(q));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	m->asleep = (uint32_t)random64();
	m->look = (uint32_t)random64();
	m->response.seq = (uint32_t)random64();
	m->waiting = random64() % 64 == 0;
}

/* As one that has read our source, by its own hand. */
static void lie(int fd)
{
	struct ring_memory *m = get(fd, ID) == EDU_ID ? find_ring() : NULL;
	int sock = find_socket();
	uint64_t inode;
	uint32_t seq;

	if (!m || sock < 0)
		_exit(1);
	inode = m->request.object;
	seq = m->request.seq;
	/* Until it is sent away. */
	for (int i = 0; i < 1000 && send(sock, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1; i++) {
		random_request(m, inode, ++seq);
		usleep((useconds_t)(random64() % 50));
	}
	_exit(0);
}

static void lying(int fd)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();

		if (!pid)
			lie(fd);
		for (int n = 0; n < 50; n++)
			CHECK(get(fd, ID) == EDU_ID);
		CHECK(ended_well(pid));
		CHECK(get(fd, ID) == EDU_ID);
	}
}

/* What a stray store of the program has done is an error of one call. */
static void stray(int fd)
{
	uint32_t value;

	for (int i = 0; i < 20; i++) {
		struct ring_memory *m = find_ring();

		CHECK(m);
		if (m)
			m->response.seq += 7;
		CHECK(pread(fd, &value, 4, ID) == 4 || errno == EIO);
		CHECK(get(fd, ID) == EDU_ID);
	}
}

/* Return: what a call gets, or 1 when it was sent away */
static int64_t call(int sock, const struct shim_call *c)
{
	struct shim_answer answer;

	if (send(sock, c, sizeof(*c), MSG_NOSIGNAL) != sizeof(*c) ||
	    recv(sock, &answer, sizeof(answer), 0) != sizeof(answer))
		return 1;
	return answer.result;
}

/* Who is not the process that the socket tells is not believed a second time. */
static void impostor(const char *path)
{
	struct shim_call hello = { .op = SHIM_HELLO, .addr = (uintptr_t)path, .len = 1 };
	struct shim_call end = { .op = SHIM_OPEN };
	struct sockaddr_un to;
	socklen_t len = sizeof(to);
	int known = find_socket(), sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strncpy(end.path, path, sizeof(end.path) - 1);
	CHECK(!getpeername(known, (struct sockaddr *)&to, &len));
	CHECK(!connect(sock, (struct sockaddr *)&to, len));
	CHECK(call(sock, &hello) == -EPERM);
	CHECK(call(sock, &end) == -EPERM);
	close(sock);
}

/* ---- what is left ---- */

/* Return: lines of a file of a process that have @text in them */
static int count(pid_t pid, const char *name, const char *text)
{
	char path[64], line[512];
	FILE *f;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		found += strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return f ? found : -1;
}

/* One for this process; those of the others have gone, if not at once. */
static void left_behind(void)
{
	int rings = 0;

	for (int i = 0; i < 1200; i++) {
		rings = count(getppid(), "maps", "memfd:devfd-ring");
		if (rings == 1)
			return;
		usleep(50000);
	}
	printf("rings that are left: %d\n", rings);
	failures++;
}

/* Return: processor time that a process has had, in hundredths of a second */
static unsigned long time_of(pid_t pid)
{
	unsigned long user = 0, kernel = 0;
	char path[64], text[1024] = "";
	const char *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	CHECK(f && fgets(text, sizeof(text), f));
	if (f)
		fclose(f);
	at = strrchr(text, ')');
	CHECK(at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			   &kernel) == 2);
	return user + kernel;
}

/* Nobody looks when nobody asks, or soon after that: others may have to be seen to first. */
static void idle(int fd)
{
	bool quiet = false;

	for (int i = 0; i < 1000; i++)
		get(fd, ID);
	for (int i = 0; i < 60 && !quiet; i++) {
		const unsigned long here = time_of(getpid()), there = time_of(getppid());

		usleep(1000000);
		quiet = time_of(getppid()) - there <= 1 && time_of(getpid()) - here <= 1;
	}
	CHECK(quiet);
}

/* ---- who is left ---- */

static void *unanswered(void *arg)
{
	uint32_t value;

	CHECK(pread(*(int *)arg, &value, 4, ID) == -1 && errno == EIO);
	return NULL;
}

/* The connection is closed while it is waited on, and nobody is there to see it. */
static int orphaned(int fd)
{
	const struct ring_memory *m = find_ring();
	const uint32_t seq = m ? m->request.seq : 0;
	struct timespec start, end;
	pthread_t waits;

	CHECK(m && !kill(getppid(), SIGSTOP));
	CHECK(!pthread_create(&waits, NULL, unanswered, &fd));
	while (m && *(const volatile uint32_t *)&m->request.seq == seq)
		usleep(1000);
	close(find_socket());
	clock_gettime(CLOCK_MONOTONIC, &start);
	CHECK(!kill(getppid(), SIGKILL));
	pthread_join(waits, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK(end.tv_sec - start.tv_sec < 8); /* at once, on whatever machine */
	puts(failures ? "wrong" : "no answer");
	return failures != 0;
}

int main(int argc, char **argv)
{
	const bool without = argc > 2 && !strcmp(argv[2], "without");
	int fd;

	closefrom(3);
	fd = open(argc > 1 ? argv[1] : "", O_RDWR);
	CHECK(fd >= 0 && get(fd, ID) == EDU_ID);
	CHECK(!find_ring() == without);
	if (argc > 2 && !without)
		return orphaned(fd);
	widths(fd);
	with_calls(fd);
	with_interrupts(fd);
	many(fd);
	after_vfork(fd);
	all_closed(fd);
	impostor(argv[1]);
	killed(fd);
	idle(fd);
	if (without)
		return failures != 0;
	bare_fork(fd);
	lying(fd);
	stray(fd);
	left_behind();
	return failures != 0;
}
