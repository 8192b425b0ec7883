/* SPDX-License-Identifier: MIT */
/*
 * Programs that nothing can be preloaded into: their calls on devices come from the kernel.
 *
 * Theory of operation
 *
 * The program gets a filter of seccomp (notify_filter.c) that picks system calls by what is in
 * registers: openings that write, fds from a base up, requests of VFIO's kind, offsets of regions.
 * Each of these waits until the supervisor, who is told by an fd in its loop, has answered or sent
 * it on to the kernel (notify.c). What it does for the caller is what it does for a program with
 * the library (notify_calls.c): an fd is an opening of a memfd, put into the program under a number
 * from the base up.
 *
 * All other calls are the kernel's own, and so is what paths look like: devices stand in the mount
 * namespace of the program. Nothing can be put between a program and memory that it has mapped, so
 * what is mappable of a region is what is shared memory (way.h), and the thread that calls mmap()
 * is made to map that itself (notify_map.c).
 */
#ifndef SHIM_NOTIFY_H
#define SHIM_NOTIFY_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/caller.h"

/* ---- for who starts the program ---- */

/** notify_probe() - can it be done here? It is tried. Return: 0 or a negative errno */
int notify_probe(void);

/** notify_probe_map() - can memory be mapped, too? Return: 0 or a negative errno */
int notify_probe_map(void);

/** notify_start() - be ready for the program, before it is started. Return: 0 or a negative errno
 */
int notify_start(void);

/** notify_enter() - in the process that will be the program. Return: 0 or a negative errno */
int notify_enter(void);

/**
 * notify_stands_for() - a file shows a device, or registers in sysfs, to those who only read
 * @file: its path
 * @path: where the program finds that
 *
 * Return: 0 or a negative errno.
 */
int notify_stands_for(const char *file, const char *path);

/* ---- notify_filter.c ---- */

/** notify_base() - Return: the lowest number that an fd of a device may get */
uint32_t notify_base(void);

/**
 * notify_filter() - filter the calls of this thread
 * @keeps: receives whether no signal takes a thread out of a call that is being answered
 *
 * Return: the listener or a negative errno.
 */
int notify_filter(bool *keeps);

/* ---- notify_calls.c ---- */

/**
 * struct notify_answer - what comes of a call
 * @pass_on: the kernel does it
 * @result: what it returns, or a negative errno
 * @fd: instead, an fd of this process that the caller gets; -1 for none
 * @lowest: its number there, or the next one that is free
 * @cloexec: how it gets it
 * @maps: it does not, but maps that file, from @at on in place of the offset of its call
 */
struct notify_answer {
	bool pass_on;
	int64_t result;
	int fd;
	uint32_t lowest;
	bool cloexec;
	bool maps;
	uint64_t at;
};

/** notify_do() - do a call; whose it is has been told by shim_call_from() */
void notify_do(const struct seccomp_data *call, struct notify_answer *answer);

/* ---- notify_map.c ---- */

/**
 * notify_map() - have a thread that has called mmap() map a file itself, once it is answered
 * @listener, @n: who told of its call, and what
 * @fd: an fd of this process of that file
 * @at: where in the file
 *
 * Return: what to answer: 0, -EBUSY where somebody else traces the thread, or a negative errno.
 */
int notify_map(int listener, const struct seccomp_notif *n, int fd, uint64_t at);

/**
 * notify_stopped() - to be told what waitpid() has said of any process
 * @tid: of it, or of a thread
 *
 * Return: true for a thread that has stopped on its way through notify_map(), and goes on.
 */
bool notify_stopped(pid_t tid, int status);

/* ---- notify_caller.c ---- */

/**
 * notify_caller() - the process of a thread that calls
 * @tid: of the thread, which waits
 * @code: an address that its memory has
 *
 * @known: receives false when the process was looked for by its number just now
 *
 * Return: who is kept until the next call, or NULL where the process cannot be reached.
 */
struct shim_caller *notify_caller(pid_t tid, uint64_t code, bool *known);

/** notify_forget() - know no process any more, because the fds that it takes go */
void notify_forget(void);

#endif
