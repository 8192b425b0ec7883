/* SPDX-License-Identifier: MIT */
/*
 * Locks that are held with signals blocked, by threads that cannot be cancelled meanwhile.
 *
 * A program may call read(), write() and their like from a handler of a signal, on a device, too. A
 * handler that interrupted the holder of a lock would wait for it for ever: User Mode Linux, whose
 * interrupts are signals, does it on every other start. What a fault raises is not held back: it
 * could not wait. A thread that is cancelled would keep the lock for ever, and functions of libc
 * that we call are points where it may be.
 */
#include <signal.h>

#include "shim/core.h"

static __thread unsigned int depth;
static __thread sigset_t before;
static __thread int cancel_state;

static void hold_signals(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t most;

	sigfillset(&most);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&most, faults[i]);
	NEXT(pthread_sigmask)(SIG_BLOCK, &most, &before);
}

static void begin(void)
{
	if (!depth++)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
}

void shim_mutex_lock(pthread_mutex_t *mutex)
{
	if (!depth)
		hold_signals();
	begin();
	pthread_mutex_lock(mutex);
}

/* Signals come before the thread may go, and their handlers may lock. */
void shim_mutex_unlock(pthread_mutex_t *mutex)
{
	const int state = cancel_state;

	pthread_mutex_unlock(mutex);
	if (--depth)
		return;
	NEXT(pthread_sigmask)(SIG_SETMASK, &before, NULL);
	pthread_setcancelstate(state, NULL);
}

void shim_handler_enter(void)
{
	begin();
}

void shim_handler_leave(void)
{
	if (!--depth)
		pthread_setcancelstate(cancel_state, NULL);
}
