/* SPDX-License-Identifier: MIT */
/*
 * What the kernel cannot do on the fd of a device: reach regions, map them, answer ioctls.
 *
 * The file position is the kernel's, that of the memfd, so that dup(), fork() and stdio agree on
 * it; the lock of the mount makes looking at it, moving data and advancing it one step.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/process.h"
#include "shim/shim.h"
#include "shim/trap.h"
#include "shim/vfio.h"
#include "shim/way.h"
#include "util/usermem.h"

/* Bytes moved with one look at the caller's buffer; also what a device sees as one access. */
#define PIECE 4096

/* The largest transfer of Linux. */
#define MAX_TRANSFER ((size_t)0x7ffff000)

#define PAGE UINT64_C(4096)

/**
 * struct place - what is to be mapped
 * @index, @within, @len: in a region
 * @fd, @at: the file with it, where it is shared memory
 */
struct place {
	uint32_t index;
	uint64_t within;
	size_t len;
	int fd;
	uint64_t at;
};

static int lock(const struct shim_fd *f)
{
	int ret = f->object ? vfio_access(f->object) : 0;

	return ret ? ret : shim_lock(f->mount);
}

/* One of @in and @out is NULL: the caller's buffer, which need not be valid. */
static ssize_t move_piece(struct dfd_file *file, void *in, const void *out, size_t len,
			  uint64_t offset)
{
	uint8_t piece[PIECE];
	ssize_t n;
	int ret;

	if (out) {
		ret = dfd_copy_in(piece, out, len);
		return ret ? ret : dfd_file_pwrite(file, piece, len, offset);
	}
	n = dfd_file_pread(file, piece, len, offset);
	ret = n > 0 ? dfd_copy_out(in, piece, (size_t)n) : 0;
	return ret ? ret : n;
}

static ssize_t move(struct dfd_file *file, uint8_t *in, const uint8_t *out, size_t len,
		    uint64_t offset)
{
	size_t done = 0;

	if (len > MAX_TRANSFER)
		len = MAX_TRANSFER;
	while (done < len) {
		size_t want = len - done < PIECE ? len - done : PIECE;
		ssize_t n = move_piece(file, in ? in + done : NULL, out ? out + done : NULL, want,
				       offset + done);

		if (n < 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
		if ((size_t)n < want)
			break;
	}
	return (ssize_t)done;
}

static ssize_t move_at_position(struct dfd_file *file, int fd, void *in, const void *out,
				size_t len)
{
	off_t pos = NEXT(lseek)(fd, 0, SEEK_CUR);
	ssize_t n;

	if (pos < 0)
		return -errno;
	n = move(file, in, out, len, (uint64_t)pos);
	if (n > 0)
		NEXT(lseek)(fd, pos + n, SEEK_SET);
	return n;
}

static ssize_t transfer(const struct shim_fd *f, int fd, void *in, const void *out, size_t len,
			off_t off)
{
	ssize_t ret = lock(f);

	if (ret)
		return ret;
	if (off == SHIM_POSITION)
		ret = move_at_position(f->mount->file, fd, in, out, len);
	else
		ret = move(f->mount->file, in, out, len, (uint64_t)off);
	shim_unlock(f->mount);
	return ret;
}

ssize_t shim_read(const struct shim_fd *f, int fd, void *buf, size_t len, off_t off)
{
	if (f->access != O_RDONLY && f->access != O_RDWR)
		return -EBADF;
	return len ? transfer(f, fd, buf, NULL, len, off) : 0;
}

ssize_t shim_write(const struct shim_fd *f, int fd, const void *buf, size_t len, off_t off)
{
	if (f->access != O_WRONLY && f->access != O_RDWR)
		return -EBADF;
	return len ? transfer(f, fd, NULL, buf, len, off) : 0;
}

int shim_access(struct shim_mount *m, uint32_t index, uint64_t offset, void *buf, size_t len,
		bool writes)
{
	ssize_t n = shim_lock(m);

	if (n)
		return (int)n;
	n = writes ? dfd_region_write(m->dev, index, offset, buf, len)
		   : dfd_region_read(m->dev, index, offset, buf, len);
	shim_unlock(m);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EIO;
}

off_t shim_seek(const struct shim_fd *f, int fd, off_t off, int whence)
{
	int ret;

	if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
		return -EINVAL;
	ret = lock(f);
	if (ret)
		return ret;
	if (whence == SEEK_END) {
		uint64_t end = dfd_file_end(dfd_device_desc(f->mount->dev));

		if (end > INT64_MAX || __builtin_add_overflow((off_t)end, off, &off))
			ret = -EOVERFLOW;
		whence = SEEK_SET;
	}
	if (!ret)
		off = NEXT(lseek)(fd, off, whence);
	shim_unlock(f->mount);
	if (ret)
		return ret;
	return off < 0 ? -errno : off;
}

int shim_ioctl(const struct shim_fd *f, uint32_t request, void *arg)
{
	int ret = f->object ? vfio_ioctl(f->object, request, arg) : -ENODATA;

	if (ret != -ENODATA)
		return ret;
	ret = shim_lock(f->mount);
	if (ret)
		return ret;
	ret = dfd_file_ioctl(f->mount->file, request, arg);
	shim_unlock(f->mount);
	return ret;
}

/* Pages of a region: the last one may go on past its end. */
static int check_pages(const struct dfd_region *r, const struct place *p, bool writes)
{
	uint64_t size = (r->size + PAGE - 1) / PAGE * PAGE;

	if (p->within % PAGE || p->within >= size || p->len > size - p->within)
		return -EINVAL;
	return writes && (r->flags & DFD_REGION_READ_ONLY) ? -EINVAL : 0;
}

/* Return: 0 for shared memory, 1 for a part that is not or not all of it. */
static int find_place(const struct shim_fd *f, struct place *p, uint64_t offset, bool writes)
{
	struct dfd_device *dev = f->mount->dev;
	const struct dfd_region *r;
	int ret = dfd_file_locate(dfd_device_desc(dev), offset, &p->index, &p->within);

	if (ret)
		return ret;
	ret = device_map_source(dev, p->index, p->within, p->len, writes, &p->fd, &p->at);
	r = dfd_desc_region(dfd_device_desc(dev), p->index);
	if (!ret || !shim_may_trap(dev, r))
		return ret;
	ret = check_pages(r, p, writes);
	return ret ? ret : 1;
}

static intptr_t map_shared(uintptr_t addr, size_t len, int prot, int flags, int fd, uint64_t at)
{
	void *map = trap_mmap_other((void *)addr, len, prot, flags, fd, (off_t)at);

	return map == MAP_FAILED ? -errno : (intptr_t)map;
}

/* Over the emulated registers at @start: what of them is shared memory after all. */
static int overlay(struct shim_mount *m, const struct place *p, uintptr_t start, int prot,
		   int flags)
{
	const struct dfd_region *r = dfd_desc_region(dfd_device_desc(m->dev), p->index);

	for (uint32_t i = 0; i < r->num_areas; i++) {
		uint64_t from = r->areas[i].offset, to = from + r->areas[i].size, at;
		intptr_t ret;
		int fd;

		from = from > p->within ? from : p->within;
		to = to < p->within + p->len ? to : p->within + p->len;
		if (from >= to || shim_lock(m))
			continue;
		ret = device_map_source(m->dev, p->index, from, to - from, prot & PROT_WRITE, &fd,
					&at);
		shim_unlock(m);
		if (!ret)
			ret = map_shared(start + (from - p->within), to - from, prot,
					 flags | MAP_FIXED, fd, at);
		if (ret < 0)
			return (int)ret;
	}
	return 0;
}

static intptr_t map_registers(struct shim_mount *m, const struct place *p, void *addr, int prot,
			      int flags)
{
	intptr_t start = trap_mmap(m, p->index, p->within, addr, p->len, prot, flags);
	int ret = start < 0 ? 0 : overlay(m, p, (uintptr_t)start, prot, flags);

	if (!ret)
		return start;
	trap_munmap((void *)start, p->len);
	return ret;
}

intptr_t shim_map(const struct shim_fd *f, void *addr, size_t len, int prot, int flags, off_t off)
{
	const bool private = (flags & MAP_TYPE) == MAP_PRIVATE;
	const bool writes = (prot & PROT_WRITE) && !private;
	struct place p = { .len = len };
	int ret;

	if (f->access != O_RDWR && (writes || f->access != O_RDONLY))
		return -EACCES;
	if (!len || off < 0)
		return -EINVAL;
	ret = lock(f);
	if (ret)
		return ret;
	ret = find_place(f, &p, (uint64_t)off, writes);
	shim_unlock(f->mount);
	if (ret < 0)
		return ret;
	if (ret)
		return private ? -EINVAL : map_registers(f->mount, &p, addr, prot, flags);
	return map_shared((uintptr_t)addr, len, prot, flags, p.fd, p.at);
}
