/* SPDX-License-Identifier: MIT */
/*
 * A statically linked program that maps memory of model:shapes, whose BAR 0 has two areas of it.
 * usage: mapped PATH [once | loop | nothing]
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <devfd/ioctl.h>

#include "abi/vfio.h"
#include "expect.h"

#define PAGE  ((size_t)4096)
#define BAR0  ((off_t)1 << 40)
#define FIRST (BAR0 + 0x1000) /* three pages of memory */
#define NEXT  (BAR0 + 0xa000) /* six, up to the end */
#define RW    (PROT_READ | PROT_WRITE)
#define FIXED (MAP_SHARED | MAP_FIXED)

static const char *path;
static int device;

static uint32_t *map(off_t at)
{
	uint32_t *p = mmap(NULL, PAGE, RW, MAP_SHARED, device, at);

	return p == MAP_FAILED ? NULL : p;
}

/* A page that is written in one way and read in the other. */
static bool works(uint32_t value)
{
	uint32_t *p = map(NEXT), got = 0;
	bool same;

	if (!p)
		return false;
	p[3] = value;
	same = pread(device, &got, 4, NEXT + 12) == 4 && got == value;
	got = ~value;
	same = same && pwrite(device, &got, 4, NEXT + 16) == 4 && p[4] == ~value;
	return !munmap(p, PAGE) && same;
}

/* ---- what is told, and what is refused ---- */

static void description(void)
{
	struct {
		struct vfio_region_info info;
		struct vfio_region_info_cap_sparse_mmap sparse;
		struct vfio_region_sparse_mmap_area areas[2];
	} r = { .info.argsz = sizeof(r) };
	uint64_t flags = 0;

	CHECK(!ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &r));
	CHECK(r.info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	CHECK(r.sparse.header.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP && r.sparse.nr_areas == 2);
	CHECK(r.areas[0].offset == 0x1000 && r.areas[0].size == 0x3000);
	CHECK(r.areas[1].offset == 0xa000 && r.areas[1].size == 0x6000);
	CHECK(!ioctl(device, VFIO_DEVICE_GET_REGION_FLAGS, &flags) && (flags & 1));
}

static void refused(void)
{
	int only = open(path, O_RDONLY), writes = open(path, O_WRONLY);

	FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, device, BAR0), EINVAL); /* registers */
	FAILS(mmap(NULL, 2 * PAGE, RW, MAP_SHARED, device, BAR0), EINVAL);
	FAILS(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, device, FIRST), EINVAL);
	FAILS(mmap(NULL, 16 * PAGE, RW, MAP_SHARED, device, BAR0), EINVAL);
	FAILS(mmap(NULL, 7 * PAGE, RW, MAP_SHARED, device, NEXT), EINVAL);
	FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, device, BAR0 + 0x10000), EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, 0), EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, FIRST + 4), EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, device, FIRST), EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ, 0, device, FIRST), EINVAL);
	FAILS(mmap(NULL, 0, PROT_READ, MAP_SHARED, device, FIRST), EINVAL);
	FAILS(mmap((void *)4, PAGE, PROT_READ, FIXED, device, FIRST), EINVAL);
	FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, only, FIRST), EACCES);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, writes, FIRST), EACCES);
	CHECK(!close(only) && !close(writes));
}

/* ---- what can be done ---- */

static void both_ways(void)
{
	const int lowest = dup(0);
	uint32_t *p, *q, word = 0;
	int only = open(path, O_RDONLY);

	CHECK(!close(lowest) && works(0x1234));
	p = map(FIRST + 0x1000);
	q = map(FIRST + 0x1000);
	if (!p || !q)
		errx(1, "mmap");
	p[1] = 77;
	CHECK(q[1] == 77 && pread(device, &word, 4, FIRST + 0x1004) == 4 && word == 77);
	word = 78;
	CHECK(pwrite(device, &word, 4, FIRST + 0x1004) == 4 && p[1] == 78 && q[1] == 78);
	CHECK(!munmap(q, PAGE) && !munmap(p, PAGE));
	p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, device, FIRST);
	CHECK(p != MAP_FAILED && p[PAGE / 4 + 1] == 78 && !munmap(p, 3 * PAGE));
	/* In place of something else, and a part of the last page. */
	p = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mmap(p + PAGE / 4, PAGE + 1, PROT_READ, FIXED, device, FIRST + 0x1000) ==
	      p + PAGE / 4);
	CHECK(p[PAGE / 4 + 1] == 78 && !munmap(p, 8 * PAGE));
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, only, FIRST + 0x1000);
	CHECK(p != MAP_FAILED && p[1] == 78 && !munmap(p, PAGE));
	p = mmap(NULL, PAGE, PROT_NONE, MAP_SHARED, device, FIRST);
	CHECK(p != MAP_FAILED && !munmap(p, PAGE));
	/* No number is taken for good. */
	CHECK(!close(only) && dup(0) == lowest && !close(lowest));
}

/* A map outlives the fd, and is there after fork(). */
static void outlives(void)
{
	int fd = open(path, O_RDWR), status = 1;
	volatile uint32_t *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, FIRST);
	pid_t child;

	if (p == MAP_FAILED)
		errx(1, "mmap");
	CHECK(!close(fd));
	child = fork();
	if (!child) {
		*p = 4711;
		_exit(!works(5));
	}
	CHECK(waitpid(child, &status, 0) == child && !status && *p == 4711);
	munmap((void *)(uintptr_t)p, PAGE);
}

/* What the kernel leaves of the registers is that of any system call. */
static void registers_kept(void)
{
#ifdef __x86_64__
	register long a4 __asm__("r10") = MAP_SHARED;
	register long a5 __asm__("r8") = device;
	register long a6 __asm__("r9") = FIRST;
	long ret = SYS_mmap, a1 = 0, a2 = (long)PAGE, a3 = RW;

	__asm__ volatile("syscall"
			 : "+a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(a4), "+r"(a5), "+r"(a6)
			 :
			 : "rcx", "r11", "memory");
	CHECK(ret > 0 && !a1 && a2 == (long)PAGE && a3 == RW);
	CHECK(a4 == MAP_SHARED && a5 == device && a6 == FIRST);
	munmap((void *)ret, PAGE);
#endif
}

/* ---- threads and signals ---- */

static atomic_int rang;

static void ring(int number)
{
	(void)number;
	rang++;
}

static void *maps(void *ctx)
{
	sigset_t wanted, mask;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &wanted, NULL);
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t *p = map(FIRST + (off_t)PAGE * *(int *)ctx);

		CHECK(p && (*p = i) == i && !munmap(p, PAGE));
		pthread_sigmask(SIG_SETMASK, NULL, &mask);
		CHECK(sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGALRM));
	}
	return NULL;
}

/* A call is done once, whatever signals come. */
static void threads(void)
{
	struct sigaction act = { .sa_handler = ring, .sa_flags = SA_RESTART };
	const struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	pthread_t thread[2];
	int number[2] = { 0, 1 };

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread[i], NULL, maps, &number[i]));
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	while (!rang)
		pause();
	setitimer(ITIMER_REAL, &never, NULL);
}

/* ---- what happens to a process meanwhile ---- */

static void *map_for_ever(void *none)
{
	uint32_t *p;

	while ((p = map(FIRST)))
		munmap(p, PAGE);
	return none;
}

static void *run_again(void *what)
{
	usleep((unsigned int)random() % 2000);
	execl("/proc/self/exe", "mapped", path, what, NULL);
	return NULL;
}

/** enum busy - what a process does that maps for ever */
enum busy { ALONE, TWO_THREADS, EXECUTES_FIRST, EXECUTES_SECOND, LEAVES, VANISHES };

static void be_busy(enum busy how)
{
	pthread_t thread;

	switch (how) {
	case TWO_THREADS:
	case LEAVES:
		pthread_create(&thread, NULL, map_for_ever, NULL);
		break;
	case EXECUTES_FIRST:
		pthread_create(&thread, NULL, map_for_ever, NULL);
		run_again("once");
		break;
	case EXECUTES_SECOND:
		pthread_create(&thread, NULL, run_again, "once");
		break;
	case VANISHES:
		pthread_create(&thread, NULL, run_again, "nothing");
		break;
	default:
		break;
	}
	if (how == LEAVES) {
		usleep((unsigned int)random() % 2000);
		_exit(0);
	}
	map_for_ever(NULL);
	_exit(1);
}

static pid_t start_busy(enum busy how)
{
	pid_t child = fork();

	if (!child)
		be_busy(how);
	return child;
}

/* The first thread goes without a word when the second executes a program, at any moment. */
static void executing(void)
{
	for (int i = 0; i < 300; i++) {
		const enum busy how = i < 60 ? EXECUTES_FIRST + (enum busy)i % 3 : VANISHES;
		pid_t child = start_busy(how);
		int status = 1;

		CHECK(waitpid(child, &status, 0) == child && !status);
	}
	CHECK(works(1));
}

static void killed(void)
{
	for (int i = 0; i < 100; i++) {
		pid_t child = start_busy(i % 2 ? ALONE : TWO_THREADS);
		int status = 0;

		usleep((unsigned int)random() % 3000);
		CHECK(!kill(child, SIGKILL) && waitpid(child, &status, 0) == child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	CHECK(works(2));
}

static void stopped(void)
{
	pid_t child = start_busy(TWO_THREADS);
	int status = 0;

	for (int i = 0; i < 100; i++) {
		usleep((unsigned int)random() % 1000);
		CHECK(!kill(child, SIGSTOP) && waitpid(child, &status, WUNTRACED) == child);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		CHECK(works((uint32_t)i));
		CHECK(!kill(child, SIGCONT) && waitpid(child, &status, WCONTINUED) == child);
		CHECK(WIFCONTINUED(status));
	}
	CHECK(!kill(child, SIGKILL) && waitpid(child, &status, 0) == child);
}

/* Somebody else has it by ptrace(): an error, and everything else goes on. */
static void traced(void)
{
	pid_t child = fork();
	int status = 1;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, device, FIRST), EBUSY);
		CHECK(pread(device, &status, 4, FIRST) == 4);
		_exit(failures);
	}
	CHECK(waitpid(child, &status, 0) == child && !status);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	if (!strcmp(what, "nothing"))
		return 0;
	path = argv[1];
	device = open(path, O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "%s", path);
	if (!strcmp(what, "once"))
		return !works(3);
	if (!strcmp(what, "loop"))
		be_busy(ALONE);
	description();
	refused();
	both_ways();
	outlives();
	registers_kept();
	threads();
	executing();
	killed();
	stopped();
	traced();
	if (!failures)
		puts("ok");
	return failures;
}
