/* SPDX-License-Identifier: MIT */
/*
 * What the kernel cannot do on the fd of a device, asked of whoever has the device.
 *
 * The file position is the kernel's, that of the memfd, so that dup(), fork() and stdio agree on
 * it; the lock of the mount makes looking at it, moving data and advancing it one step.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/client.h"
#include "shim/core.h"
#include "shim/shim.h"
#include "shim/trap.h"

/* The largest transfer of Linux. */
#define MAX_TRANSFER ((size_t)0x7ffff000)

static ssize_t move(const struct shim_fd *f, bool writes, void *buf, size_t len, off_t off)
{
	struct shim_mount *m = f->mount;

	if (m->supervisor)
		return client_move(f, writes, buf, len, (uint64_t)off);
	return writes ? core_write(m, f->inode, buf, len, (uint64_t)off)
		      : core_read(m, f->inode, buf, len, (uint64_t)off);
}

/* Files of sysfs use the locks of their device. */
static pthread_mutex_t *position_of(const struct shim_fd *f)
{
	return f->mount->node == SHIM_SYSFS ? &f->mount->device->position : &f->mount->position;
}

static ssize_t move_at_position(const struct shim_fd *f, int fd, bool writes, void *buf, size_t len)
{
	ssize_t n;
	off_t pos;

	shim_mutex_lock(position_of(f));
	pos = NEXT(lseek)(fd, 0, SEEK_CUR);
	n = pos < 0 ? -errno : move(f, writes, buf, len, pos);
	if (n > 0)
		NEXT(lseek)(fd, pos + n, SEEK_SET);
	shim_mutex_unlock(position_of(f));
	return n;
}

static ssize_t transfer(const struct shim_fd *f, int fd, bool writes, void *buf, size_t len,
			off_t off)
{
	if (len > MAX_TRANSFER)
		len = MAX_TRANSFER;
	return off == SHIM_POSITION ? move_at_position(f, fd, writes, buf, len)
				    : move(f, writes, buf, len, off);
}

ssize_t shim_read(const struct shim_fd *f, int fd, void *buf, size_t len, off_t off)
{
	if (f->access != O_RDONLY && f->access != O_RDWR)
		return -EBADF;
	return len ? transfer(f, fd, false, buf, len, off) : 0;
}

ssize_t shim_write(const struct shim_fd *f, int fd, const void *buf, size_t len, off_t off)
{
	/* Files of sysfs do not take offsets then. */
	if (f->access != O_WRONLY && f->access != O_RDWR)
		return f->mount->node == SHIM_SYSFS && off != SHIM_POSITION ? -ESPIPE : -EBADF;
	return len ? transfer(f, fd, true, (void *)(uintptr_t)buf, len, off) : 0;
}

off_t shim_seek(const struct shim_fd *f, int fd, off_t off, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
		return -EINVAL;
	if (whence == SEEK_END) {
		off_t end = f->mount->supervisor ? client_end(f) : core_end(f->mount, f->inode);

		if (end < 0)
			return end;
		if (__builtin_add_overflow(end, off, &off))
			return -EOVERFLOW;
		whence = SEEK_SET;
	}
	shim_mutex_lock(position_of(f));
	off = NEXT(lseek)(fd, off, whence);
	off = off < 0 ? -errno : off;
	shim_mutex_unlock(position_of(f));
	return off;
}

int shim_ioctl(const struct shim_fd *f, uint32_t request, void *arg)
{
	struct shim_mount *m = f->mount;
	int ret = m->supervisor ? client_ioctl(f, request, arg)
				: core_ioctl(m, f->inode, request, arg);

	return ret >= 0 && core_makes_fd(m, request) ? shim_fd_adopt(ret) : ret;
}

int shim_access(struct shim_mount *m, uint32_t index, uint64_t offset, void *buf, size_t len,
		bool writes)
{
	return m->supervisor ? client_access(m, index, offset, buf, len, writes)
			     : core_access(m, index, offset, buf, len, writes);
}

/* ---- mapping ---- */

static intptr_t map_shared(const struct shim_mount *m, const struct core_place *p, uintptr_t addr,
			   int prot, int flags)
{
	void *map = trap_mmap_other((void *)addr, p->len, prot, flags, p->fd, (off_t)p->at);
	intptr_t ret = map == MAP_FAILED ? -errno : (intptr_t)map;

	if (m->supervisor)
		NEXT(close)(p->fd);
	return ret;
}

/* Over the emulated registers at @start: what of them is shared memory after all. */
static int overlay(struct shim_mount *m, const struct core_place *whole, uintptr_t start, int prot,
		   int flags)
{
	const uint64_t end = whole->within + whole->len;
	const bool writes = prot & PROT_WRITE;
	struct core_place p = *whole;
	int ret;

	while (!(ret = m->supervisor ? client_area(m, writes, &p) : core_area(m, writes, &p))) {
		intptr_t map = map_shared(m, &p, start + (p.within - whole->within), prot,
					  flags | MAP_FIXED);

		if (map < 0)
			return (int)map;
		p.within += p.len;
		p.len = end - p.within;
	}
	return ret < 0 ? ret : 0;
}

static intptr_t map_registers(struct shim_mount *m, const struct core_place *p, void *addr,
			      int prot, int flags)
{
	intptr_t start = trap_mmap(m, p, addr, prot, flags);
	int ret = start < 0 ? 0 : overlay(m, p, (uintptr_t)start, prot, flags);

	if (!ret)
		return start;
	trap_munmap((void *)start, p->len);
	return ret;
}

intptr_t shim_map(const struct shim_fd *f, int fd, void *addr, size_t len, int prot, int flags,
		  off_t off)
{
	const bool private = (flags & MAP_TYPE) == MAP_PRIVATE;
	const bool writes = (prot & PROT_WRITE) && !private;
	struct core_place p = { .len = len };
	struct shim_mount *device = f->mount->node == SHIM_SYSFS ? f->mount->device : f->mount;
	int ret = core_check_map(f->mount, f->access, len, prot, flags, off);

	if (ret)
		return ret;
	ret = f->mount->supervisor ? client_map(f, (uint64_t)off, writes, &p)
				   : core_map(f->mount, f->inode, (uint64_t)off, writes, &p);
	if (ret < 0)
		return ret;
	if (!ret)
		return map_shared(device, &p, (uintptr_t)addr, prot, flags);
	p.fd = fd;
	p.at = (uint64_t)off;
	return private ? -EINVAL : map_registers(device, &p, addr, prot, flags);
}
