/* SPDX-License-Identifier: MIT */
#include "shim/next.h"

void *shim_next(_Atomic(void *) *cache, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	atomic_store_explicit(cache, found, memory_order_relaxed);
	return found;
}
