/* SPDX-License-Identifier: MIT */
/*
 * Registers that react on access, in memory that the program has mapped.
 *
 * Theory of operation
 *
 * A region whose registers must react is mapped as memory that nobody may touch (PROT_NONE). Each
 * access faults, and the handler of SIGSEGV does what the instruction would have done: it decodes
 * it, reads its memory operand from the device into a buffer, runs a private copy of the
 * instruction whose operand is that buffer, with all registers and flags of the program, and
 * writes the buffer to the device if the instruction writes its operand. So arithmetic and flags
 * are the processor's own, whatever the instruction. The protection is never lifted, so no access
 * of another thread slips through.
 *
 * trap_map.c	   which addresses are such memory; mapping and unmapping
 * trap_signal.c   SIGSEGV: ours or the program's; what the program sees of it
 * trap_emulate.c  one instruction: what it is, and what it does to memory
 * trap_string.c   those that walk through memory by themselves, and those that use the stack
 * trap_run.c	   the private copy
 * trap_mask.c	   which parts of an operand are accessed
 * trap_memory.c   loads and stores, whatever lies at an address
 * trap_none.c	   another kind of processor: no such memory
 *
 * Locks. A device has a bench: code, a stack, buffers. Its lock makes an instruction that reads and
 * writes one step among the emulated ones. It is taken before all others; that of the addresses is
 * taken before those of devices, or alone. The program's handlers for other signals may use
 * registers at any time (lock.c). A fault is one of the program's code, never of this library's:
 * what this library is given goes through the kernel (util/usermem.h).
 */
#ifndef SHIM_TRAP_H
#define SHIM_TRAP_H

#include <signal.h>
#include <ucontext.h>

#include "shim/core.h"
#include "shim/shim.h"

/**
 * struct trap - an address range of the program where accesses are emulated
 * @start, @end: whole pages
 * @mount, @index, @offset: what lies at @start
 * @prot: what the program has asked for
 */
struct trap {
	uintptr_t start;
	uintptr_t end;
	struct shim_mount *mount;
	uint32_t index;
	uint64_t offset;
	int prot;
};

/** struct trap_fault - an access that the program must be told of: as in siginfo_t */
struct trap_fault {
	int signal;
	int code;
	uintptr_t addr;
};

/* ---- trap_map.c ---- */

/** trap_find() - Return: true and a copy of the range that @addr lies in; all signals are blocked
 */
bool trap_find(uintptr_t addr, struct trap *out);

/** trap_next() - Return: where the next range starts at or above @addr, else UINTPTR_MAX */
uintptr_t trap_next(uintptr_t addr);

/**
 * trap_mmap() - as mmap() of a part of a region whose accesses are emulated
 * @p: the part; its file is that of the device, which stays open for as long as the map is there
 *
 * Return: the address or a negative errno.
 */
intptr_t trap_mmap(struct shim_mount *m, const struct core_place *p, void *addr, int prot,
		   int flags);

/* What libc's functions do, and the ranges follow. Return: as they do, with errno */
void *trap_mmap_other(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int trap_munmap(void *addr, size_t len);
int trap_mprotect(void *addr, size_t len, int prot);
void *trap_mremap(void *addr, size_t len, size_t new_len, int flags, void *new_addr);

void trap_fork_prepare(void);
void trap_fork_done(void);

/* ---- trap_signal.c ---- */

/** trap_signal_start() - handle SIGSEGV from now on. Return: 0 or a negative errno */
int trap_signal_start(void);

/** trap_masks_start() - have masks translated that this process was started with */
void trap_masks_start(void);

/* In place of libc's functions. Return: as they do, with errno */
int trap_sigaction(int sig, const struct sigaction *act, struct sigaction *old);
int trap_sigmask(int how, const sigset_t *set, sigset_t *old);
/** trap_mask_in() - Return: what the kernel is to be told instead of a mask, in @buf */
const sigset_t *trap_mask_in(const sigset_t *set, sigset_t *buf);

/* ---- trap_run.c ---- */

#define TRAP_MAX_OPERAND 64u
#define TRAP_MAX_INSN	 15u

/**
 * struct trap_bench - where the instructions of one device are emulated
 * @lock: one at a time
 * @code: a page with the frame of the copy, then a page of data
 * @operand: in that page: the memory operand, TRAP_MAX_OPERAND bytes
 * @stack_top: of a stack of its own, because the program's may be small
 */
struct trap_bench {
	pthread_mutex_t lock;
	uint8_t *code;
	uint8_t *operand;
	uint8_t *stack_top;
};

/** trap_bench_of() - Return: the bench of a device, made if need be, or NULL with errno */
struct trap_bench *trap_bench_of(const struct shim_mount *m);

/** trap_bench_lock_all() - take or release the locks of all benches */
void trap_bench_lock_all(bool lock);

/** trap_on_stack() - call a function on the stack of a bench */
void trap_on_stack(const struct trap_bench *b, void (*fn)(void *), void *arg);

/**
 * trap_copy_run() - run an instruction with the registers of the program
 * @insn: where it is, with the operand that trap_operand_at() gives
 * @vectors: it may use more than general registers and flags
 *
 * Return: 0, or -EOPNOTSUPP where those other registers cannot be had.
 */
int trap_copy_run(const struct trap_bench *b, const uint8_t *insn, size_t len, ucontext_t *uc,
		  bool vectors);

/** trap_pc() - Return: the address of the instruction */
uintptr_t trap_pc(const ucontext_t *uc);

/** trap_displacement() - Return: from the end of an instruction of @len bytes to the operand */
int32_t trap_displacement(const struct trap_bench *b, size_t len);

/* ---- trap_memory.c ---- */

/* Return: 0, or -EFAULT with @fault filled. */
int trap_load(uintptr_t addr, void *buf, size_t len, struct trap_fault *fault);
int trap_store(uintptr_t addr, const void *buf, size_t len, struct trap_fault *fault);

/* ---- trap_emulate.c ---- */

/** trap_emulate_start() - Return: 0, or -EOPNOTSUPP where nothing can be decoded */
int trap_emulate_start(void);

/**
 * trap_emulate() - do what the instruction that has faulted does; the bench is locked
 *
 * Return: 0, with @uc behind it; -EFAULT with @fault filled and @uc before it; -EOPNOTSUPP with
 * @why filled.
 */
int trap_emulate(const struct trap_bench *b, ucontext_t *uc, struct trap_fault *fault, char *why,
		 size_t size);

#endif
