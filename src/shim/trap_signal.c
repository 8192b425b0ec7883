/* SPDX-License-Identifier: MIT */
/*
 * SIGSEGV, which this library and the program share.
 *
 * Theory of operation
 *
 * From the first mapping of registers on, the kernel's handler of SIGSEGV is ours. Faults that are
 * not of registers go to the program as the kernel would have sent them, by the action that it has
 * asked for; asked, it is told of that one.
 *
 * A blocked SIGSEGV would end the program at the next access to a register. So the kernel never
 * gets to block it: in every mask it is replaced by SIGSTKFLT, which Linux does not send. What
 * saves and restores masks without asking us, siglongjmp(), threads, the return from a signal, thus
 * keeps what the program has said of SIGSEGV. A program that asks sees SIGSEGV again, and with it
 * SIGSTKFLT.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/trap.h"

#define STAND_IN SIGSTKFLT

/* What the program has asked for, with its mask as the kernel gets it. */
static struct sigaction program;
static bool ours; /* the kernel's handler is */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- masks ---- */

/* Where there are no devices, nothing changes. */
static bool active;

/* The kernel's words are shorter than those of libc, and so is the mask in the frame of a signal.
 */
static void hide(sigset_t *set)
{
	if (!active)
		return;
	if (sigismember(set, SIGSEGV))
		sigaddset(set, STAND_IN);
	else
		sigdelset(set, STAND_IN);
	sigdelset(set, SIGSEGV);
}

static void show(sigset_t *set)
{
	if (!active)
		return;
	if (sigismember(set, STAND_IN))
		sigaddset(set, SIGSEGV);
	else
		sigdelset(set, SIGSEGV);
}

const sigset_t *trap_mask_in(const sigset_t *set, sigset_t *buf)
{
	if (!set)
		return NULL;
	*buf = *set;
	hide(buf);
	return buf;
}

int trap_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t buf;
	int ret = NEXT(pthread_sigmask)(how, trap_mask_in(set, &buf), old);

	if (!ret && old)
		show(old);
	return ret;
}

void trap_masks_start(void)
{
	sigset_t now;

	active = true;
	sigemptyset(&now);
	NEXT(pthread_sigmask)(SIG_SETMASK, NULL, &now);
	if (!sigismember(&now, SIGSEGV))
		return;
	hide(&now);
	NEXT(pthread_sigmask)(SIG_SETMASK, &now, NULL);
}

/* ---- the program's own faults ---- */

static void call_program(const struct sigaction *act, siginfo_t *info, ucontext_t *uc)
{
	sigset_t mask;

	memset(&mask, 0, sizeof(mask));
	memcpy(&mask, &uc->uc_sigmask, sizeof(uint64_t));
	sigorset(&mask, &mask, &act->sa_mask);
	if (!(act->sa_flags & SA_NODEFER))
		sigaddset(&mask, STAND_IN);
	show(&uc->uc_sigmask);
	NEXT(pthread_sigmask)(SIG_SETMASK, &mask, NULL);
	if (act->sa_flags & SA_SIGINFO)
		act->sa_sigaction(info->si_signo, info, uc);
	else
		act->sa_handler(info->si_signo);
	hide(&uc->uc_sigmask);
}

/* The instruction runs again, or the signal is sent again, with nobody left to catch it. */
static void die(const siginfo_t *info)
{
	struct sigaction none = { .sa_handler = SIG_DFL };

	NEXT(sigaction)(SIGSEGV, &none, NULL);
	if (info->si_code <= 0)
		syscall(SYS_tgkill, getpid(), gettid(), SIGSEGV);
}

/* As the kernel: a fault that cannot be delivered ends the program. */
static void deliver(siginfo_t *info, ucontext_t *uc)
{
	bool fault = info->si_code > 0, blocked = sigismember(&uc->uc_sigmask, STAND_IN);
	struct sigaction act;

	shim_handler_enter();
	shim_mutex_lock(&lock);
	act = program;
	if (((unsigned int)act.sa_flags & SA_RESETHAND) && !(fault && blocked))
		program.sa_handler = SIG_DFL;
	shim_mutex_unlock(&lock);
	shim_handler_leave();
	if (!fault && act.sa_handler == SIG_IGN)
		return;
	if (act.sa_handler == SIG_DFL || act.sa_handler == SIG_IGN || (fault && blocked))
		die(info);
	else
		call_program(&act, info, uc);
}

/* ---- faults of registers ---- */

/** struct work - an access on the stack of a bench */
struct work {
	const struct trap_bench *bench;
	ucontext_t *uc;
	struct trap_fault fault;
	int ret;
	char why[256];
};

static void emulate(void *arg)
{
	struct work *w = arg;

	w->ret = trap_emulate(w->bench, w->uc, &w->fault, w->why, sizeof(w->why));
}

static void give_up(const struct trap *t, uintptr_t addr, const char *why)
{
	char text[600];
	int n = snprintf(
		text, sizeof(text),
		"devfd: %s, region %u, offset 0x%llx: the instruction %s cannot be done on "
		"registers; use mov or pread\n",
		t->mount->name ? t->mount->name : t->mount->path, t->index,
		(unsigned long long)t->offset + (addr - t->start), why);

	if (n > 0)
		(void)!NEXT(write)(2, text, (size_t)n);
	abort();
}

/* Return: false where the program has to be told. */
static bool on_registers(const struct trap *t, siginfo_t *info, ucontext_t *uc)
{
	struct trap_bench *b = trap_bench_of(t->mount);
	struct work w = { .bench = b, .uc = uc };

	shim_mutex_lock(&b->lock);
	trap_on_stack(b, emulate, &w);
	shim_mutex_unlock(&b->lock);
	if (w.ret == -EOPNOTSUPP)
		give_up(t, (uintptr_t)info->si_addr, w.why);
	if (w.ret != -EFAULT)
		return true;
	info->si_code = w.fault.code;
	info->si_addr = (void *)w.fault.addr;
	return false;
}

static void on_segv(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	uintptr_t addr = (uintptr_t)info->si_addr;
	int saved = errno;
	bool done = false;
	struct trap t;

	(void)sig;
	shim_handler_enter();
	/* An instruction that is itself in such memory is not one that we could read. */
	if (info->si_code == SEGV_ACCERR && trap_pc(uc) != addr && trap_find(addr, &t))
		done = on_registers(&t, info, uc);
	shim_handler_leave();
	if (!done)
		deliver(info, uc);
	errno = saved;
}

/* ---- the action ---- */

/* How far the program's wishes reach: on which stack, and whether system calls go on. */
static int install(const struct sigaction *act)
{
	const bool handler = act->sa_handler != SIG_DFL && act->sa_handler != SIG_IGN;
	struct sigaction mine = {
		.sa_sigaction = on_segv,
		.sa_flags = SA_SIGINFO | (act->sa_flags & SA_RESTART) |
			    (handler ? act->sa_flags & SA_ONSTACK : SA_ONSTACK),
	};

	memset(&mine.sa_mask, 0xff, sizeof(mine.sa_mask));
	return NEXT(sigaction)(SIGSEGV, &mine, NULL) ? -errno : 0;
}

int trap_signal_start(void)
{
	int ret;

	shim_mutex_lock(&lock);
	ret = NEXT(sigaction)(SIGSEGV, NULL, &program) ? -errno : install(&program);
	ours = !ret;
	shim_mutex_unlock(&lock);
	return ret;
}

static int change_segv(const struct sigaction *act, struct sigaction *old)
{
	struct sigaction before;
	int ret = 0;

	shim_mutex_lock(&lock);
	before = program;
	if (!ours || shim_vforked()) {
		ret = NEXT(sigaction)(SIGSEGV, act, ours ? NULL : old);
	} else if (act) {
		ret = (int)shim_result(install(act));
		if (!ret)
			program = *act;
	}
	if (!ret && ours && old)
		*old = before;
	shim_mutex_unlock(&lock);
	return ret;
}

int trap_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction buf;
	int ret;

	if (act) {
		buf = *act;
		hide(&buf.sa_mask);
		act = &buf;
	}
	ret = sig == SIGSEGV ? change_segv(act, old) : NEXT(sigaction)(sig, act, old);
	if (!ret && old)
		show(&old->sa_mask);
	return ret;
}
