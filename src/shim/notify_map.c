/* SPDX-License-Identifier: MIT */
/*
 * mmap() of a device's memory. What the kernel maps is the file that the fd is of, which names an
 * object and is not its memory. So the thread that calls is made to map the file with the memory.
 *
 * Theory of operation
 *
 * The thread waits in its call. It is seized by ptrace() and given an fd of that file; then the
 * call is answered. On its way out of the kernel it stops and is sent back, with other registers,
 * to the instruction that called: for mmap() of that fd, and once more for close() of it. With what
 * mmap() has returned it gets its own registers back, and is let go. Its signals are blocked
 * meanwhile, so that nothing of it runs with registers that are not its own; for the same reason it
 * dies with the supervisor.
 *
 * Nobody waits for the thread: each stop is one more child that the loop is told of. A thread that
 * is killed just ends, and one whose process is stopped goes on to the end of this and stops then.
 *
 * The fd is for a moment among those of the program. A child of fork() in another thread may
 * inherit it.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "shim/notify.h"

/* Threads of all programs that are at it at the same time. */
#define MAX_ERRANDS 64u

#define SYSCALL_STOP (SIGTRAP | 0x80) /* by PTRACE_O_TRACESYSGOOD */

/** enum stage - where a thread stops next, on its way */
enum stage { ANSWERED, MAPPING, MAPPED, CLOSING, CLOSED };

/**
 * struct errand - a thread that maps something for itself
 * @tid: 0 for none
 * @fd: its number of the file, or negative: it is only let go
 * @code: where its instruction for a system call is
 * @map: the arguments of mmap()
 * @mask: the signals that it blocks
 * @own: its registers
 */
static struct errand {
	pid_t tid;
	enum stage stage;
	int fd;
	uint64_t code;
	uint64_t map[6];
	uint64_t mask;
	struct user_regs_struct own;
} errands[MAX_ERRANDS];

/* ---- registers ---- */

#if defined(__x86_64__)
#define CALL_SIZE 2u

static void set_call(struct user_regs_struct *r, uint64_t code, uint64_t nr, const uint64_t a[6])
{
	r->rip = code;
	r->rax = nr;
	r->rdi = a[0];
	r->rsi = a[1];
	r->rdx = a[2];
	r->r10 = a[3];
	r->r8 = a[4];
	r->r9 = a[5];
}

static void copy_result(struct user_regs_struct *to, const struct user_regs_struct *from)
{
	to->rax = from->rax;
}
#elif defined(__aarch64__)
#define CALL_SIZE 4u

static void set_call(struct user_regs_struct *r, uint64_t code, uint64_t nr, const uint64_t a[6])
{
	r->pc = code;
	r->regs[8] = nr;
	for (unsigned int i = 0; i < 6; i++)
		r->regs[i] = a[i];
}

static void copy_result(struct user_regs_struct *to, const struct user_regs_struct *from)
{
	to->regs[0] = from->regs[0];
}
#else /* not known: nothing is notified */
#define CALL_SIZE 0u

static void set_call(struct user_regs_struct *r, uint64_t code, uint64_t nr, const uint64_t a[6])
{
	(void)r, (void)code, (void)nr, (void)a;
}

static void copy_result(struct user_regs_struct *to, const struct user_regs_struct *from)
{
	(void)to, (void)from;
}
#endif

static bool get_registers(const struct errand *e, struct user_regs_struct *r)
{
	struct iovec v = { r, sizeof(*r) };

	return !ptrace(PTRACE_GETREGSET, e->tid, NT_PRSTATUS, &v);
}

static bool set_registers(const struct errand *e, struct user_regs_struct *r)
{
	struct iovec v = { r, sizeof(*r) };

	return !ptrace(PTRACE_SETREGSET, e->tid, NT_PRSTATUS, &v);
}

/* ---- the way of a thread; each step fails when it has been killed ---- */

static bool resume(const struct errand *e, int signal)
{
	return !ptrace(PTRACE_SYSCALL, e->tid, NULL, (void *)(uintptr_t)signal);
}

static bool call(const struct errand *e, uint64_t nr, const uint64_t args[6])
{
	struct user_regs_struct r = e->own;

	set_call(&r, e->code, nr, args);
	return set_registers(e, &r) && resume(e, 0);
}

static bool start(struct errand *e)
{
	uint64_t all = UINT64_MAX;

	return get_registers(e, &e->own) &&
	       !ptrace(PTRACE_GETSIGMASK, e->tid, (void *)sizeof(e->mask), &e->mask) &&
	       !ptrace(PTRACE_SETSIGMASK, e->tid, (void *)sizeof(all), &all) &&
	       call(e, SYS_mmap, e->map);
}

static bool close_file(struct errand *e)
{
	const uint64_t args[6] = { (uint64_t)e->fd };
	struct user_regs_struct r;

	if (!get_registers(e, &r))
		return false;
	copy_result(&e->own, &r);
	return call(e, SYS_close, args);
}

/* What happens to be there next need not be the thread that was meant: nothing of it is changed. */
static void let_go(struct errand *e)
{
	ptrace(PTRACE_DETACH, e->tid, NULL, NULL);
	e->tid = 0;
}

static bool finish(struct errand *e)
{
	if (!set_registers(e, &e->own) ||
	    ptrace(PTRACE_SETSIGMASK, e->tid, (void *)sizeof(e->mask), &e->mask))
		return false;
	let_go(e);
	return true;
}

static bool next_stage(struct errand *e)
{
	switch (e->stage++) {
	case ANSWERED:
		return start(e);
	case MAPPED:
		return close_file(e);
	case CLOSED:
		return finish(e);
	default:
		return resume(e, 0);
	}
}

static bool go_on(struct errand *e, int status)
{
	const bool event = status >> 16;

	if (e->fd < 0 && event) {
		let_go(e);
		return true;
	}
	if (e->stage == ANSWERED ? event : WSTOPSIG(status) == SYSCALL_STOP)
		return next_stage(e);
	return resume(e, event ? 0 : WSTOPSIG(status)); /* SIGSTOP, which cannot be blocked */
}

/* ---- errands ---- */

static struct errand *find(pid_t tid)
{
	for (unsigned int i = 0; i < MAX_ERRANDS; i++) {
		if (errands[i].tid == tid)
			return &errands[i];
	}
	return NULL;
}

/*
 * The first thread of a process goes without a word when another one executes a program, and has
 * its number from then on. One that is being killed is still ours.
 */
static bool is_gone(const struct errand *e)
{
	return ptrace(PTRACE_INTERRUPT, e->tid, NULL, NULL) && errno == ESRCH;
}

static struct errand *find_gone(void)
{
	for (unsigned int i = 0; i < MAX_ERRANDS; i++) {
		if (is_gone(&errands[i]))
			return &errands[i];
	}
	return NULL;
}

static struct errand *new_errand(const struct seccomp_notif *n, uint64_t at)
{
	struct errand *e = find((pid_t)n->pid);

	if (!e)
		e = find(0);
	if (!e)
		e = find_gone();
	if (!e)
		return NULL;
	*e = (struct errand){ .tid = (pid_t)n->pid,
			      .code = n->data.instruction_pointer - CALL_SIZE };
	memcpy(e->map, n->data.args, sizeof(e->map));
	e->map[5] = at;
	return e;
}

int notify_map(int listener, const struct seccomp_notif *n, int fd, uint64_t at)
{
	struct seccomp_notif_addfd add = { .id = n->id,
					   .srcfd = (uint32_t)fd,
					   .newfd_flags = O_CLOEXEC };
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	struct errand *e = new_errand(n, at);
	int ret;

	if (!e)
		return -EAGAIN;
	if (ptrace(PTRACE_SEIZE, e->tid, NULL, (void *)options)) {
		e->tid = 0;
		return -EBUSY;
	}
	/* This also tells that it is still the thread that called. */
	e->fd = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	ret = e->fd < 0 ? -errno : 0;
	e->map[4] = (uint64_t)e->fd;
	ptrace(PTRACE_INTERRUPT, e->tid, NULL, NULL);
	return ret;
}

bool notify_stopped(pid_t tid, int status)
{
	struct errand *e = find(tid);
	bool ours;

	if (!e)
		return false;
	if (WIFSTOPPED(status) && go_on(e, status))
		return true;
	ours = WIFSTOPPED(status) && !is_gone(e);
	e->tid = 0;
	return ours;
}
