/* SPDX-License-Identifier: MIT */
/* Eventfds that somebody else handed over: they may be full, blocking, or no eventfds at all. */
#ifndef UTIL_EVENTFD_H
#define UTIL_EVENTFD_H

#include <stdbool.h>
#include <stdint.h>

/** dfd_is_eventfd() - Return: true when @fd is an open eventfd */
bool dfd_is_eventfd(int fd);

/** dfd_eventfd_dup() - Return: a close-on-exec duplicate, -EBADF, -EINVAL for no eventfd, -EMFILE
 */
int dfd_eventfd_dup(int fd);

/** dfd_eventfd_id() - Return: the kernel's number of an eventfd, or -1 where it tells none */
int dfd_eventfd_id(int fd);

/**
 * struct dfd_signaller - what it takes to signal eventfds of strangers; thread-safe once started
 * @ctx: of asynchronous I/O; 0 where there is none
 */
struct dfd_signaller {
	unsigned long ctx;
};

void dfd_signaller_start(struct dfd_signaller *s);

/** dfd_signaller_finish() - takes tens of milliseconds, so one of them serves many devices */
void dfd_signaller_finish(struct dfd_signaller *s);

/**
 * dfd_signal() - add 1; never blocks: a full eventfd already says what there is to say
 * @s: NULL for the eventfd of somebody who would only block himself
 */
void dfd_signal(const struct dfd_signaller *s, int fd);

/** dfd_eventfd_signal() - add 1 to an eventfd that nobody else can change */
void dfd_eventfd_signal(int fd);

/** dfd_eventfd_take() - Return: the counter, which becomes 0; 0 when it was; never blocks */
uint64_t dfd_eventfd_take(int fd);

#endif
