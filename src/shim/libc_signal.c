/* SPDX-License-Identifier: MIT */
/* The functions of libc that have to do with SIGSEGV, or with masks that it may be in. */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "shim/trap.h"

/* ---- actions ---- */

int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	return trap_sigaction(sig, act, old);
}

static sighandler_t simple(int sig, sighandler_t handler, int flags)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = flags }, old;

	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	return trap_sigaction(sig, &act, &old) ? SIG_ERR : old.sa_handler;
}

/* libc's own keeps what siginterrupt() has said. */
sighandler_t signal(int sig, sighandler_t handler)
{
	return sig == SIGSEGV ? simple(sig, handler, SA_RESTART) : NEXT(signal)(sig, handler);
}

sighandler_t __sysv_signal(int sig, sighandler_t handler)
{
	return sig == SIGSEGV ? simple(sig, handler, (int)(SA_RESETHAND | SA_NODEFER))
			      : NEXT(__sysv_signal)(sig, handler);
}

/* ---- masks ---- */

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return trap_sigmask(how, set, old);
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return (int)shim_result(-trap_sigmask(how, set, old));
}

int sigsuspend(const sigset_t *set)
{
	sigset_t buf;

	return NEXT(sigsuspend)(trap_mask_in(set, &buf));
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *set)
{
	sigset_t buf;

	return NEXT(ppoll)(fds, count, timeout, trap_mask_in(set, &buf));
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		const sigset_t *set, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		const sigset_t *set, size_t room)
{
	sigset_t buf;

	return NEXT(__ppoll_chk)(fds, count, timeout, trap_mask_in(set, &buf), room);
}

int pselect(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
	    const sigset_t *set)
{
	sigset_t buf;

	return NEXT(pselect)(count, in, out, except, timeout, trap_mask_in(set, &buf));
}

int epoll_pwait(int fd, struct epoll_event *events, int max, int timeout, const sigset_t *set)
{
	sigset_t buf;

	return NEXT(epoll_pwait)(fd, events, max, timeout, trap_mask_in(set, &buf));
}
