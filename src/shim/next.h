/* SPDX-License-Identifier: MIT */
/* The functions of libc behind those that the preloaded library defines in their place. */
#ifndef SHIM_NEXT_H
#define SHIM_NEXT_H

#include <dlfcn.h>
#include <stdatomic.h>

/** shim_next() - find the definition of a function that this library replaces. Return: it */
void *shim_next(_Atomic(void *) *cache, const char *name);

/* Looked up at first use: constructors of other libraries may call before ours has run. */
#define NEXT(name)                                                                                 \
	({                                                                                         \
		static _Atomic(void *) cache;                                                      \
		void *known = atomic_load_explicit(&cache, memory_order_relaxed);                  \
		(__typeof__(&(name)))(known ? known : shim_next(&cache, #name));                   \
	})

#endif
