/* SPDX-License-Identifier: MIT */
/*
 * The process whose calls are answered, for as long as something of it is used.
 *
 * Theory of operation: what a call points to is read and written while it waits (util/usermem.h).
 * DMA comes later, when the process may have executed another program or have ended, and its number
 * be another one's. So the memory that is mapped is kept as a file, too, /proc/PID/mem: that one is
 * an address space and not a process, and when the space has gone nothing can be read from it. It
 * is asked first; but it does not heed protection, so the copy goes by the number.
 */
#ifndef SHIM_CALLER_H
#define SHIM_CALLER_H

#include <stdint.h>

#include "util/usermem.h"

/**
 * struct shim_caller - one address space
 * @mem: /proc/PID/mem, or -1 for this process
 * @uses: it goes with the last one
 */
struct shim_caller {
	struct dfd_caller process;
	int mem;
	unsigned int uses;
};

/** shim_caller_new() - Return: 0 with one use, or a negative errno where it cannot be reached */
int shim_caller_new(pid_t pid, struct shim_caller **out);

/** shim_caller_current() - Return: whose call this thread answers */
struct shim_caller *shim_caller_current(void);
struct shim_caller *shim_caller_get(struct shim_caller *c);
void shim_caller_put(struct shim_caller *c);

/** shim_call_from() - whose call this thread answers; NULL: this process's */
void shim_call_from(struct shim_caller *c);

#define SHIM_CALLER_REGISTERS 1

/**
 * shim_caller_check() - is there memory that a device may use so?
 *
 * Return: 0, SHIM_CALLER_REGISTERS where some of it is emulated registers of a device, or -EFAULT.
 */
int shim_caller_check(const struct shim_caller *c, uint64_t vaddr, uint64_t size, uint32_t prot);

/* DMA. Return: 0 or -EFAULT */
int shim_caller_read(const struct shim_caller *c, uint64_t vaddr, void *buf, size_t len);
int shim_caller_write(const struct shim_caller *c, uint64_t vaddr, const void *buf, size_t len);

#endif
