/* SPDX-License-Identifier: MIT */
/* Locks in the process of a program, which has signals. */
#ifndef SHIM_LOCK_H
#define SHIM_LOCK_H

#include <pthread.h>

/** shim_mutex_lock() - pthread_mutex_lock() with signals blocked and no cancellation; may nest */
void shim_mutex_lock(pthread_mutex_t *mutex);
void shim_mutex_unlock(pthread_mutex_t *mutex);

/** shim_handler_enter() - in a handler with all signals blocked: locks need not block them */
void shim_handler_enter(void);
void shim_handler_leave(void);

#endif
