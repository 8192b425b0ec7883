/* SPDX-License-Identifier: MIT */
/* See the theory of operation in caller.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <devfd/device.h>

#include "shim/caller.h"
#include "shim/maps.h"

#ifndef MADV_POPULATE_READ /* Linux 5.14 */
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef SYS_pidfd_open /* Linux 5.3 */
#define SYS_pidfd_open 434
#endif

#define PAGE UINT64_C(4096)

static struct shim_caller self = { .mem = -1, .uses = 1 };
static _Thread_local struct shim_caller *current;

int shim_caller_new(pid_t pid, struct shim_caller **out)
{
	struct shim_caller *c = calloc(1, sizeof(*c));
	char path[32];

	if (!c)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	*c = (struct shim_caller){
		.process = { pid, (int)syscall(SYS_pidfd_open, pid, 0) },
		.mem = open(path, O_RDWR | O_CLOEXEC),
		.uses = 1,
	};
	if (c->process.pidfd >= 0 && c->mem >= 0) {
		*out = c;
		return 0;
	}
	shim_caller_put(c);
	return -EPERM;
}

struct shim_caller *shim_caller_current(void)
{
	return current ? current : &self;
}

struct shim_caller *shim_caller_get(struct shim_caller *c)
{
	if (c)
		c->uses++;
	return c;
}

void shim_caller_put(struct shim_caller *c)
{
	if (!c || --c->uses || c == &self)
		return;
	if (c->process.pidfd >= 0)
		close(c->process.pidfd);
	if (c->mem >= 0)
		close(c->mem);
	free(c);
}

void shim_call_from(struct shim_caller *c)
{
	current = c;
	dfd_call_from(c ? &c->process : NULL);
}

/* ---- is there memory? ---- */

/** struct question - @writes: of a device; @registers: some were found */
struct question {
	bool writes;
	bool registers;
};

static int look(void *ctx, const struct mapping *m)
{
	struct question *q = ctx;

	q->registers |= m->registers;
	if (m->registers)
		return 0;
	return m->prot[0] == 'r' && (!q->writes || m->prot[1] == 'w') ? 0 : -EFAULT;
}

static int look_up(pid_t pid, uint64_t vaddr, uint64_t size, bool writes)
{
	struct question q = { .writes = writes };
	int ret = maps_look_up(pid, vaddr, size, look, &q);

	return ret || !q.registers ? ret : SHIM_CALLER_REGISTERS;
}

/* As pinning does in the kernel: the pages have to be there, and are from then on. */
static int populate(uint64_t vaddr, uint64_t size, bool writes)
{
	uint64_t start = vaddr & ~(PAGE - 1);

	size += vaddr - start;
	return madvise((void *)(uintptr_t)start, size,
		       writes ? MADV_POPULATE_WRITE : MADV_POPULATE_READ)
		       ? -errno
		       : 0;
}

int shim_caller_check(const struct shim_caller *c, uint64_t vaddr, uint64_t size, uint32_t prot)
{
	const bool writes = prot & DFD_DMA_WRITE;
	int populated, ret;

	if (c->mem >= 0)
		return look_up(c->process.pid, vaddr, size, writes);
	populated = populate(vaddr, size, writes);
	if (!populated)
		return 0;
	ret = look_up(getpid(), vaddr, size, writes);
	/* An older kernel does not know how to populate. */
	return ret || populated == -EINVAL ? ret : -EFAULT;
}

/* ---- DMA ---- */

/* Is it still the address space that was mapped? */
static bool is_there(const struct shim_caller *c, uint64_t vaddr)
{
	char byte;

	return pread(c->mem, &byte, 1, (off_t)vaddr) == 1;
}

int shim_caller_read(const struct shim_caller *c, uint64_t vaddr, void *buf, size_t len)
{
	struct iovec mine = { buf, len }, theirs = { (void *)(uintptr_t)vaddr, len };

	if (c->mem < 0)
		return dfd_copy_in(buf, theirs.iov_base, len);
	if (!is_there(c, vaddr))
		return -EFAULT;
	return process_vm_readv(c->process.pid, &mine, 1, &theirs, 1, 0) == (ssize_t)len ? 0
											 : -EFAULT;
}

int shim_caller_write(const struct shim_caller *c, uint64_t vaddr, const void *buf, size_t len)
{
	struct iovec mine = { (void *)(uintptr_t)buf, len };
	struct iovec theirs = { (void *)(uintptr_t)vaddr, len };

	if (c->mem < 0)
		return dfd_copy_out(theirs.iov_base, buf, len);
	if (!is_there(c, vaddr))
		return -EFAULT;
	return process_vm_writev(c->process.pid, &mine, 1, &theirs, 1, 0) == (ssize_t)len ? 0
											  : -EFAULT;
}
