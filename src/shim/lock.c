/* SPDX-License-Identifier: MIT */
/*
 * Locks that are held with signals blocked.
 *
 * A program may call read(), write() and their like from a handler of a signal, on a device, too. A
 * handler that interrupted the holder of a lock would wait for it for ever: User Mode Linux, whose
 * interrupts are signals, does it on every other start. What a fault raises is not held back: it
 * could not wait.
 */
#include <signal.h>

#include "shim/core.h"

static __thread unsigned int depth;
static __thread sigset_t before;

static void hold_signals(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t most;

	sigfillset(&most);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&most, faults[i]);
	NEXT(pthread_sigmask)(SIG_BLOCK, &most, &before);
}

void shim_mutex_lock(pthread_mutex_t *mutex)
{
	if (!depth)
		hold_signals();
	depth++;
	pthread_mutex_lock(mutex);
}

void shim_mutex_unlock(pthread_mutex_t *mutex)
{
	pthread_mutex_unlock(mutex);
	if (!--depth)
		NEXT(pthread_sigmask)(SIG_SETMASK, &before, NULL);
}

void shim_handler_enter(void)
{
	depth++;
}

void shim_handler_leave(void)
{
	depth--;
}
