/* SPDX-License-Identifier: MIT */
/*
 * Registers that react in memory that is mapped: everything but what instructions do (insns.c).
 * usage: traps EDU SHAPES [refused]: the paths of both models, under `devfd run`
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

#define BAR0	 ((off_t)1 << 40)
#define PAGE	 4096u
#define BAR_SIZE 0x10000u
#define MEMORY	 0x4000u /* of shapes: memory that cannot be mapped as shared memory */
#define SHARED	 0x1000u /* this can */
#define EDU_ID	 0x010000edu
#define SHAPES	 0x53484150u

static int edu_fd, shapes_fd;
static volatile uint32_t *edu;

static void *map(int fd, size_t len, off_t off)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, BAR0 + off);
}

static uint32_t device_sees(off_t off)
{
	uint32_t value = 0;

	CHECK(pread(shapes_fd, &value, 4, BAR0 + off) == 4);
	return value;
}

/* ---- faults of the program's own ---- */

static sigjmp_buf back;
static siginfo_t seen;
static volatile uint32_t in_handler;

static void handle(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)uc;
	seen = *info;
	in_handler = edu[0]; /* an access in the handler */
	siglongjmp(back, 1);
}

/* Return: true when reading (or writing) a byte there ends in the handler, with that address. */
static bool faults(volatile uint8_t *at, bool writes)
{
	memset(&seen, 0, sizeof(seen));
	in_handler = 0;
	if (!sigsetjmp(back, 1)) {
		if (writes)
			*at = 1;
		else
			(void)*at;
		return false;
	}
	return seen.si_addr == at && in_handler == EDU_ID;
}

/* Return: the signal that ends a child in which @fn runs, 0 when it returns. */
static int ends_child(void (*fn)(void))
{
	int status = 0;
	pid_t child = fork();

	if (!child) {
		fn();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void fault(void)
{
	static volatile int *volatile nowhere = (volatile int *)8;

	*nowhere = 1;
}

static void fault_by_default(void)
{
	signal(SIGSEGV, SIG_DFL);
	fault();
}

static void fault_ignored(void)
{
	signal(SIGSEGV, SIG_IGN);
	raise(SIGSEGV);
	fault();
}

static void fault_blocked(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (edu[0] == EDU_ID)
		fault();
}

static void fault_in_handler(int sig)
{
	(void)sig;
	fault();
}

static void fault_twice(void)
{
	signal(SIGSEGV, fault_in_handler);
	fault();
}

static void own_faults(void)
{
	uint8_t *around = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction act = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO }, old, now;

	CHECK(mmap(around + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, edu_fd,
		   BAR0) == around + PAGE);
	CHECK(!sigaction(SIGSEGV, NULL, &old) && old.sa_handler == SIG_DFL);
	sigaddset(&act.sa_mask, SIGUSR1);
	sigaddset(&act.sa_mask, SIGSEGV);
	CHECK(!sigaction(SIGSEGV, &act, NULL));
	CHECK(!sigaction(SIGSEGV, NULL, &now) && now.sa_sigaction == handle);
	CHECK((now.sa_flags & (SA_SIGINFO | SA_ONSTACK)) == SA_SIGINFO);
	CHECK(sigismember(&now.sa_mask, SIGUSR1) && sigismember(&now.sa_mask, SIGSEGV) &&
	      !sigismember(&now.sa_mask, SIGUSR2));
	for (int i = 0; i < 3; i++) {
		CHECK(faults(around + PAGE - 1, false) && seen.si_code == SEGV_ACCERR);
		CHECK(faults(around + 2 * PAGE, true) && seen.si_code == SEGV_ACCERR);
		CHECK(faults((uint8_t *)16, false) && seen.si_code == SEGV_MAPERR);
		CHECK(*(volatile uint32_t *)(around + PAGE) == EDU_ID);
	}
	CHECK((void *)signal(SIGSEGV, SIG_IGN) == (void *)handle);
	CHECK(signal(SIGSEGV, SIG_DFL) == SIG_IGN);
	CHECK(ends_child(fault_by_default) == SIGSEGV);
	CHECK(ends_child(fault_ignored) == SIGSEGV);
	CHECK(ends_child(fault_blocked) == SIGSEGV);
	CHECK(ends_child(fault_twice) == SIGSEGV);
	munmap(around, 3 * PAGE);
	CHECK(edu[0] == EDU_ID);
}

static void actions(void)
{
	struct sigaction act = { .sa_sigaction = handle,
				 .sa_flags = SA_SIGINFO | (int)SA_RESETHAND | SA_NODEFER },
			 now;
	sigset_t mask;

	sigaction(SIGSEGV, &act, NULL);
	CHECK(faults((uint8_t *)16, false));
	CHECK(!sigaction(SIGSEGV, NULL, &now) && now.sa_handler == SIG_DFL);
	CHECK(!sigprocmask(SIG_BLOCK, NULL, &mask) && !sigismember(&mask, SIGSEGV));
	sigemptyset(&mask);
	sigaddset(&mask, SIGSEGV);
	CHECK(!sigprocmask(SIG_BLOCK, &mask, NULL));
	CHECK(edu[0] == EDU_ID);
	CHECK(!pthread_sigmask(SIG_SETMASK, NULL, &mask) && sigismember(&mask, SIGSEGV) &&
	      !sigismember(&mask, SIGBUS));
	sigfillset(&mask);
	sigdelset(&mask, SIGSEGV);
	CHECK(!sigprocmask(SIG_SETMASK, &mask, NULL));
	CHECK(!sigprocmask(SIG_SETMASK, NULL, &mask) && !sigismember(&mask, SIGSEGV) &&
	      sigismember(&mask, SIGBUS));
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static int overflow(int depth)
{
	volatile char room[4096];

	room[0] = (char)depth;
	return depth < 0 ? 0 : overflow(depth + 1) + room[0];
}

static void overflowed(int sig)
{
	(void)sig;
	in_handler = edu[0];
	siglongjmp(back, 1);
}

static void stacks(void)
{
	static char room[65536];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) },
		none = { .ss_flags = SS_DISABLE };
	struct sigaction act = { .sa_handler = overflowed, .sa_flags = SA_ONSTACK };

	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &act, NULL);
	for (volatile int i = 0; i < 2; i++) {
		in_handler = 0;
		if (!sigsetjmp(back, 1))
			overflow(0);
		CHECK(in_handler == EDU_ID);
	}
	CHECK(edu[0] == EDU_ID);
	sigaltstack(&none, NULL);
	signal(SIGSEGV, SIG_DFL);
}

/* ---- memory ---- */

static void whole_bar(void)
{
	uint8_t *bar = map(shapes_fd, BAR_SIZE, 0);
	volatile uint32_t *at = (volatile uint32_t *)bar;

	CHECK(bar != MAP_FAILED);
	CHECK(at[0] == SHAPES);
	at[2] = 0x11223344;
	CHECK(device_sees(8) == 0x11223344);
	CHECK(*(volatile uint64_t *)bar == UINT64_MAX); /* 4 bytes only */
	CHECK(bar[0] == 0xff);
	at[SHARED / 4] = 0x55667788;
	CHECK(device_sees(SHARED) == 0x55667788);
	at[MEMORY / 4] = 0x99aabbcc;
	CHECK(device_sees(MEMORY) == 0x99aabbcc);
	*(volatile uint32_t *)(bar + MEMORY - 2) = 0xa1b2c3d4; /* across both kinds */
	CHECK(device_sees(MEMORY - 4) >> 16 == 0xc3d4 && (device_sees(MEMORY) & 0xffff) == 0xa1b2);
	CHECK(*(volatile uint32_t *)(bar + MEMORY - 2) == 0xa1b2c3d4);
	CHECK(!munmap(bar, BAR_SIZE));
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, shapes_fd, BAR0 + PAGE) == MAP_FAILED &&
	      errno == EINVAL); /* of memory */
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, shapes_fd, BAR0) == MAP_FAILED &&
	      errno == EINVAL);
	CHECK(map(shapes_fd, PAGE, BAR_SIZE) == MAP_FAILED && errno == EINVAL);
	CHECK(map(shapes_fd, 2 * PAGE, BAR_SIZE - PAGE) == MAP_FAILED && errno == EINVAL);
}

static void parts(void)
{
	struct sigaction act = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO };
	uint8_t *p = map(shapes_fd, 4 * PAGE, MEMORY), *q;

	sigaction(SIGSEGV, &act, NULL);
	CHECK(!munmap(p + PAGE, PAGE));
	CHECK(faults(p + PAGE, false) && seen.si_code == SEGV_MAPERR);
	p[PAGE - 1] = 0x5a;
	p[2 * PAGE] = 0xa5;
	CHECK(device_sees(MEMORY + PAGE - 4) >> 24 == 0x5a);
	CHECK((device_sees(MEMORY + 2 * PAGE) & 0xff) == 0xa5);

	CHECK(!mprotect(p + 2 * PAGE, PAGE, PROT_READ));
	CHECK(p[2 * PAGE] == 0xa5 && faults(p + 2 * PAGE, true) && seen.si_code == SEGV_ACCERR);
	p[3 * PAGE] = 7;
	CHECK(!mprotect(p + 2 * PAGE, 2 * PAGE, PROT_NONE));
	CHECK(faults(p + 2 * PAGE, false) && faults(p + 3 * PAGE, false));
	CHECK(!mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
	CHECK(p[3 * PAGE] == 7);

	q = mremap(p + 2 * PAGE, 2 * PAGE, PAGE, MREMAP_MAYMOVE);
	CHECK(q == p + 2 * PAGE && faults(p + 3 * PAGE, false));
	q = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mremap(p + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	CHECK(q[0] == 0xa5 && faults(p + 2 * PAGE, false));
	CHECK(mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);

	CHECK(mmap(q, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == q);
	CHECK(q[0] == 0);
	q[0] = 1;
	CHECK((device_sees(MEMORY + 2 * PAGE) & 0xff) == 0xa5);
	CHECK(!munmap(q, PAGE) && !munmap(p, 4 * PAGE));
	CHECK(faults(p, false) && faults(q, false));
	signal(SIGSEGV, SIG_DFL);
}

static void system_calls(void)
{
	uint8_t *p = map(shapes_fd, PAGE, MEMORY);
	int ends[2];

	CHECK(!pipe(ends));
	CHECK(write(ends[1], p, 4) == -1 && errno == EFAULT);
	CHECK(write(ends[1], "abcd", 4) == 4);
	CHECK(read(ends[0], p, 4) == -1 && errno == EFAULT);
	CHECK(pread(shapes_fd, p, 4, BAR0) == -1 && errno == EFAULT);
	close(ends[0]);
	close(ends[1]);
	munmap(p, PAGE);
}

/* ---- code in unusual places ---- */

static void code(void)
{
	const size_t len = 4 * PAGE;
	/* mov disp(%rip),%eax; ret */
	uint8_t insn[7] = { 0x8b, 0x05, 0, 0, 0, 0, 0xc3 };
	/* movabs address,%eax; ret */
	uint8_t absolute[10] = { 0xa1, 0, 0, 0, 0, 0, 0, 0, 0, 0xc3 };
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *last = p + 2 * PAGE - 6 - 1, *across = p + PAGE - 3;
	uint64_t address = (uintptr_t)p + 2 * PAGE;

	/* Pages: code, code, registers, nothing. */
	CHECK(mmap(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, edu_fd,
		   BAR0) == p + 2 * PAGE);
	munmap(p + 3 * PAGE, PAGE);
	memcpy(insn + 2, &(int32_t){ (int32_t)(p + 2 * PAGE - (last + 6)) }, 4);
	memcpy(last, insn, sizeof(insn));
	CHECK(((uint32_t(*)(void))last)() == EDU_ID);
	memcpy(insn + 2, &(int32_t){ (int32_t)(p + 2 * PAGE - (across + 6)) }, 4);
	memcpy(across, insn, sizeof(insn));
	CHECK(((uint32_t(*)(void))across)() == EDU_ID);
	memcpy(absolute + 1, &address, 8);
	memcpy(p, absolute, sizeof(absolute));
	CHECK(((uint32_t(*)(void))p)() == EDU_ID);
	munmap(p, len);
}

/* Lanes that are masked out must not be noticed: only the scratch register is written. */
__attribute__((target("avx512vl"))) static void masked(void)
{
	volatile uint32_t *at = map(shapes_fd, PAGE, 0);
	uint32_t values[4] = { 1, 2, 3, 4 }, got[4] = { 0 };

	if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
		__asm__ volatile(
			"kmovd %[mask], %%k1\n\tvmovdqu32 %[values], %%xmm0\n\t"
			"vmovdqu32 %%xmm0, (%[at])%{%%k1%}\n\t"
			"vmovdqu32 (%[at]), %%xmm1%{%%k1%}%{z%}\n\tvmovdqu32 %%xmm1, %[got]"
			: [got] "=m"(got)
			: [values] "m"(values), [mask] "r"(4), [at] "r"(at)
			: "xmm0", "xmm1", "memory");
		CHECK(device_sees(8) == 3);
		CHECK(!got[0] && !got[1] && got[2] == 3 && !got[3]);
	}
	munmap((void *)at, PAGE);
}

/* ---- threads, and what interrupts them ---- */

#define ROUNDS	2000
#define THREADS 3

static volatile uint32_t *counter;
static uint8_t taken[ROUNDS * THREADS];

/* A ticket is given once, and to each thread in ascending order. */
static void *take_tickets(void *unused)
{
	int64_t last = -1;

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t ticket = 1;

		__asm__ volatile("lock xaddl %0, %1" : "+r"(ticket), "+m"(*counter) : : "cc");
		CHECK(ticket < sizeof(taken) &&
		      !__atomic_exchange_n(&taken[ticket], 1, __ATOMIC_SEQ_CST));
		CHECK((int64_t)ticket > last);
		last = ticket;
		__asm__ volatile("incl %0" : "+m"(counter[1]) : : "cc");
	}
	return unused;
}

static void *invert(void *unused)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		edu[1] = i * 0x01010101;
		CHECK(edu[1] == ~(i * 0x01010101));
	}
	return unused;
}

static void *multiply(void *unused)
{
	static const uint32_t results[] = { 1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880 };

	for (uint32_t i = 0; i < ROUNDS / 10; i++) {
		edu[2] = i % 10;
		while (edu[8] & 1)
			;
		CHECK(edu[2] == results[i % 10]);
	}
	return unused;
}

static void together(void *(*const fns[])(void *), int count, size_t stack)
{
	pthread_t threads[8];
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	if (stack)
		pthread_attr_setstacksize(&attr, stack);
	for (int i = 0; i < count; i++)
		CHECK(!pthread_create(&threads[i], &attr, fns[i], NULL));
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void threads(void)
{
	counter = map(shapes_fd, PAGE, MEMORY);
	counter[0] = counter[1] = 0;
	together((void *(*const[])(void *)){ take_tickets, take_tickets, take_tickets }, THREADS,
		 0);
	CHECK(counter[0] == ROUNDS * THREADS && counter[1] == ROUNDS * THREADS);
	munmap((void *)counter, PAGE);
	together((void *(*const[])(void *)){ invert, multiply }, 2, 0);
	together((void *(*const[])(void *)){ invert }, 1, (size_t)sysconf(_SC_THREAD_STACK_MIN));
}

static volatile sig_atomic_t interrupts;

static void interrupt(int sig)
{
	(void)sig;
	CHECK(edu[0] == EDU_ID);
	interrupts++;
}

static void interrupted(void)
{
	struct sigaction act = { .sa_handler = interrupt };
	const struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { 0 };

	sigfillset(&act.sa_mask); /* SIGSEGV as well */
	sigaction(SIGPROF, &act, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	while (interrupts < 200) {
		edu[1] = 5;
		CHECK(edu[1] == ~5u);
	}
	setitimer(ITIMER_PROF, &never, NULL);
}

static void child_uses_them(void)
{
	edu[1] = 1;
	if (edu[0] != EDU_ID || edu[1] != ~1u)
		abort();
}

int main(int argc, char **argv)
{
	void (*const cases[])(void) = { own_faults,   actions, stacks, whole_bar, parts,
					system_calls, code,    masked, threads,	  interrupted };

	alarm(100);
	edu_fd = argc > 2 ? open(argv[1], O_RDWR) : -1;
	shapes_fd = argc > 2 ? open(argv[2], O_RDWR) : -1;
	edu = map(edu_fd, PAGE, 0);
	if (edu == MAP_FAILED || shapes_fd < 0) {
		perror("traps EDU SHAPES");
		return 1;
	}
	if (argc > 3)
		__asm__ volatile("mov (%%rdi), %%gs" : : "D"(edu + 0x20) : "memory");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cases[i]();
	CHECK(!ends_child(child_uses_them));
	close(edu_fd);
	CHECK(edu[0] == EDU_ID);
	printf("%d failures\n", failures);
	return failures != 0;
}
