/* SPDX-License-Identifier: MIT */
/* Where no instructions can be emulated: nothing is mapped for that, so nothing of this is used. */
#include "shim/trap.h"

int trap_emulate_start(void)
{
	return -EOPNOTSUPP;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as where there is emulation */
int trap_emulate(const struct trap_bench *b, ucontext_t *uc, struct trap_fault *fault, char *why,
		 size_t size)
{
	(void)b, (void)uc, (void)fault, (void)why, (void)size;
	return -EOPNOTSUPP;
}

struct trap_bench *trap_bench_of(const struct shim_mount *m)
{
	(void)m;
	errno = EOPNOTSUPP;
	return NULL;
}

void trap_bench_lock_all(bool lock)
{
	(void)lock;
}

void trap_on_stack(const struct trap_bench *b, void (*fn)(void *), void *arg)
{
	(void)b;
	fn(arg);
}

uintptr_t trap_pc(const ucontext_t *uc)
{
	(void)uc;
	return 0;
}
