/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: the kernel copies between two places of our own address space and says
 * -EFAULT where a plain access would end in a signal. A process always has the right to do that to
 * itself; a sandbox may forbid the system call, and then a bad address is fatal, as in any library.
 *
 * The same call reaches the memory of another process. As in the kernel, whose call is being
 * answered is a matter of the thread: none of the many functions between an ioctl and its argument
 * has to know. The process waits for the answer, so that its number is not another one's meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/usermem.h"

#ifndef SYS_pidfd_getfd /* Linux 5.6 */
#define SYS_pidfd_getfd 438
#endif

static _Thread_local const struct dfd_caller *current;

void dfd_call_from(const struct dfd_caller *caller)
{
	current = caller;
}

/* ---- memory ---- */

pid_t dfd_user_pid(void)
{
	return current ? current->pid : getpid();
}

static bool not_permitted(ssize_t ret)
{
	return ret < 0 && (errno == ENOSYS || errno == EPERM) && !current;
}

int dfd_copy_in(void *to, const void *user, size_t len)
{
	struct iovec mine = { to, len }, theirs = { (void *)(uintptr_t)user, len };
	ssize_t ret = process_vm_readv(dfd_user_pid(), &mine, 1, &theirs, 1, 0);

	if (ret == (ssize_t)len)
		return 0;
	if (!not_permitted(ret))
		return -EFAULT;
	memcpy(to, user, len);
	return 0;
}

int dfd_copy_out(void *user, const void *from, size_t len)
{
	struct iovec mine = { (void *)(uintptr_t)from, len }, theirs = { user, len };
	ssize_t ret = process_vm_writev(dfd_user_pid(), &mine, 1, &theirs, 1, 0);

	if (ret == (ssize_t)len)
		return 0;
	if (!not_permitted(ret))
		return -EFAULT;
	memcpy(user, from, len);
	return 0;
}

/* ---- fds ---- */

int dfd_user_fd(int fd)
{
	int mine;

	if (fd < 0)
		return -EBADF;
	if (current)
		mine = (int)syscall(SYS_pidfd_getfd, current->pidfd, fd, 0);
	else
		mine = fcntl(fd, F_GETFD) < 0 ? -1 : fd;
	return mine < 0 ? -errno : mine;
}

void dfd_user_fd_done(int fd)
{
	if (current && fd >= 0)
		close(fd);
}
