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
#include "shim/vfio.h"
#include "util/usermem.h"

/* Bytes moved with one look at the caller's buffer; also what a device sees as one access. */
#define PIECE 4096

/* The largest transfer of Linux. */
#define MAX_TRANSFER ((size_t)0x7ffff000)

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

int shim_map(const struct shim_fd *f, size_t len, int prot, int flags, int *fd, off_t *off)
{
	const bool writes = (prot & PROT_WRITE) && (flags & MAP_TYPE) != MAP_PRIVATE;
	uint32_t index;
	uint64_t within;
	int ret;

	if (f->access != O_RDWR && (writes || f->access != O_RDONLY))
		return -EACCES;
	if (!len || *off < 0)
		return -EINVAL;
	ret = lock(f);
	if (ret)
		return ret;
	ret = dfd_file_locate(dfd_device_desc(f->mount->dev), (uint64_t)*off, &index, &within);
	if (!ret)
		ret = device_map_source(f->mount->dev, index, within, len, writes, fd, &within);
	if (!ret)
		*off = (off_t)within;
	shim_unlock(f->mount);
	return ret;
}
