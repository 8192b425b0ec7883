/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#include "alloc.h"

_Thread_local struct dfd_alloc dfd_alloc;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_reallocarray(void *ptr, size_t n, size_t size);
char *__real_strdup(const char *s);
void __real_free(void *ptr);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_reallocarray(void *ptr, size_t n, size_t size);
char *__wrap_strdup(const char *s);
void __wrap_free(void *ptr);

void dfd_alloc_reset(void)
{
	dfd_alloc = (struct dfd_alloc){ 0 };
}

static void *count(void *ptr)
{
	dfd_alloc.calls++;
	dfd_alloc.live += malloc_usable_size(ptr);
	if (dfd_alloc.live > dfd_alloc.peak)
		dfd_alloc.peak = dfd_alloc.live;
	return ptr;
}

static bool fails(void)
{
	return dfd_alloc.fail_in && !--dfd_alloc.fail_in;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : count(__real_calloc(n, size));
}

void *__wrap_realloc(void *ptr, size_t size)
{
	if (fails())
		return NULL;
	dfd_alloc.live -= malloc_usable_size(ptr);
	return count(__real_realloc(ptr, size));
}

void *__wrap_reallocarray(void *ptr, size_t n, size_t size)
{
	if (fails())
		return NULL;
	dfd_alloc.live -= malloc_usable_size(ptr);
	return count(__real_reallocarray(ptr, n, size));
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : count(__real_strdup(s));
}

void __wrap_free(void *ptr)
{
	dfd_alloc.live -= malloc_usable_size(ptr);
	__real_free(ptr);
}
