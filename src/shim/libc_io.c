/* SPDX-License-Identifier: MIT */
/*
 * The functions of libc that use fds. Every other fd is passed on after a look at one word.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim/shim.h"
#include "shim/vfio.h"

/* ---- at the file position ---- */

ssize_t read(int fd, void *buf, size_t len)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(read)(fd, buf, len);
	return shim_result(shim_read(&f, fd, buf, len, SHIM_POSITION));
}

ssize_t write(int fd, const void *buf, size_t len)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(write)(fd, buf, len);
	return shim_result(shim_write(&f, fd, buf, len, SHIM_POSITION));
}

off_t lseek(int fd, off_t off, int whence)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(lseek)(fd, off, whence);
	return shim_result(shim_seek(&f, fd, off, whence));
}

off64_t lseek64(int fd, off64_t off, int whence) SAME_AS(lseek);

/* ---- at an offset ---- */

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(pread)(fd, buf, len, off);
	return shim_result(off < 0 ? -EINVAL : shim_read(&f, fd, buf, len, off));
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(pwrite)(fd, buf, len, off);
	return shim_result(off < 0 ? -EINVAL : shim_write(&f, fd, buf, len, off));
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t off) SAME_AS(pread);
ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off) SAME_AS(pwrite);

/* ---- in several buffers: one after the other, as the kernel does for device files ---- */

static ssize_t each(const struct shim_fd *f, int fd, const struct iovec *iov, int count, off_t off,
		    bool writes)
{
	size_t done = 0;

	if (count < 0 || count > IOV_MAX || off < SHIM_POSITION)
		return -EINVAL;
	for (int i = 0; i < count; i++) {
		off_t at = off == SHIM_POSITION ? off : (off_t)((uint64_t)off + done);
		ssize_t n;

		if (writes)
			n = shim_write(f, fd, iov[i].iov_base, iov[i].iov_len, at);
		else
			n = shim_read(f, fd, iov[i].iov_base, iov[i].iov_len, at);
		if (n < 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
		if ((size_t)n < iov[i].iov_len)
			break;
	}
	return (ssize_t)done;
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(readv)(fd, iov, count);
	return shim_result(each(&f, fd, iov, count, SHIM_POSITION, false));
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(writev)(fd, iov, count);
	return shim_result(each(&f, fd, iov, count, SHIM_POSITION, true));
}

ssize_t preadv(int fd, const struct iovec *iov, int count, off_t off)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(preadv)(fd, iov, count, off);
	return shim_result(off < 0 ? -EINVAL : each(&f, fd, iov, count, off, false));
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t off)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(pwritev)(fd, iov, count, off);
	return shim_result(off < 0 ? -EINVAL : each(&f, fd, iov, count, off, true));
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(preadv2)(fd, iov, count, off, flags);
	return shim_result(flags ? -EOPNOTSUPP : each(&f, fd, iov, count, off, false));
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
	struct shim_fd f;

	if (!shim_fd_get(fd, &f))
		return NEXT(pwritev2)(fd, iov, count, off, flags);
	return shim_result(flags ? -EOPNOTSUPP : each(&f, fd, iov, count, off, true));
}

ssize_t preadv64(int fd, const struct iovec *iov, int count, off64_t off) SAME_AS(preadv);
ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t off) SAME_AS(pwritev);
ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t off, int flags)
	SAME_AS(preadv2);
ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t off, int flags)
	SAME_AS(pwritev2);

/* ---- from file to file: not with a device, as the kernel says of those that it cannot splice ----
 */

static bool one_is_device(int fd, int other)
{
	struct shim_fd f;

	return shim_fd_get(fd, &f) || shim_fd_get(other, &f);
}

ssize_t sendfile(int out, int in, off_t *off, size_t len)
{
	return one_is_device(in, out) ? shim_result(-EINVAL) : NEXT(sendfile)(out, in, off, len);
}

ssize_t splice(int in, off64_t *in_off, int out, off64_t *out_off, size_t len, unsigned int flags)
{
	return one_is_device(in, out) ? shim_result(-EINVAL)
				      : NEXT(splice)(in, in_off, out, out_off, len, flags);
}

ssize_t copy_file_range(int in, off64_t *in_off, int out, off64_t *out_off, size_t len,
			unsigned int flags)
{
	return one_is_device(in, out) ? shim_result(-EINVAL)
				      : NEXT(copy_file_range)(in, in_off, out, out_off, len, flags);
}

ssize_t sendfile64(int out, int in, off64_t *off, size_t len) SAME_AS(sendfile);

/* ---- what programs built with _FORTIFY_SOURCE call ---- */

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	struct shim_fd f;

	/* Too long for the buffer: libc ends the program. */
	if (len > room || !shim_fd_get(fd, &f))
		return NEXT(__read_chk)(fd, buf, len, room);
	return shim_result(shim_read(&f, fd, buf, len, SHIM_POSITION));
}

ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room);
ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room)
{
	struct shim_fd f;

	if (len > room || !shim_fd_get(fd, &f))
		return NEXT(__pread_chk)(fd, buf, len, off, room);
	return shim_result(off < 0 ? -EINVAL : shim_read(&f, fd, buf, len, off));
}

ssize_t __pread64_chk(int fd, void *buf, size_t len, off_t off, size_t room) SAME_AS(__pread_chk);

/* ---- the rest ---- */

/* The last fd of an opening of VFIO releases it. A supervisor sees that by itself. */
int close(int fd)
{
	struct shim_fd f;
	bool object = shim_fd_get(fd, &f) && f.mount->node != SHIM_DEVICE && !f.mount->supervisor;
	int ret = NEXT(close)(fd);

	if (object)
		vfio_closed();
	return ret;
}

int close_range(unsigned int first, unsigned int last, int flags)
{
	int ret = NEXT(close_range)(first, last, flags);

	vfio_closed();
	return ret;
}

void closefrom(int first)
{
	NEXT(closefrom)(first);
	vfio_closed();
}

int ioctl(int fd, unsigned long request, ...)
{
	struct shim_fd f;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	/* The kernel answers the requests that every fd has, such as FIOCLEX. */
	if (_IOC_TYPE(request) != ';' || !shim_fd_get(fd, &f))
		return NEXT(ioctl)(fd, request, arg);
	return (int)shim_result(shim_ioctl(&f, (uint32_t)request, arg));
}

/* ---- names that libc has for itself and exports all the same ---- */

ALSO(__read, read);
ALSO(__write, write);
ALSO(__lseek, lseek);
ALSO(llseek, lseek);
ALSO(__pread64, pread);
ALSO(__pwrite64, pwrite);
ALSO(__close, close);
