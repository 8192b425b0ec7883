/* SPDX-License-Identifier: MIT */
/* The functions of libc that map memory: a device may be behind it. */
#include <stdarg.h>
#include <sys/mman.h>

#include "shim/trap.h"

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	struct shim_fd f;
	intptr_t ret;

	if ((flags & MAP_ANONYMOUS) || !shim_fd_get(fd, &f))
		return trap_mmap_other(addr, len, prot, flags, fd, off);
	ret = shim_map(&f, fd, addr, len, prot, flags, off);
	return shim_result(ret < 0 ? ret : 0) ? MAP_FAILED : (void *)ret;
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t off) SAME_AS(mmap);

int munmap(void *addr, size_t len)
{
	return trap_munmap(addr, len);
}

int mprotect(void *addr, size_t len, int prot)
{
	return trap_mprotect(addr, len, prot);
}

void *mremap(void *addr, size_t len, size_t new_len, int flags, ...)
{
	void *new_addr;
	va_list args;

	va_start(args, flags);
	new_addr = va_arg(args, void *);
	va_end(args);
	return trap_mremap(addr, len, new_len, flags, new_addr);
}
