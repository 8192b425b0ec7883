/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: the kernel copies between two places of our own address space and says
 * -EFAULT where a plain access would end in a signal. A process always has the right to do that to
 * itself; a sandbox may forbid the system call, and then a bad address is fatal, as in any library.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/usermem.h"

static bool not_permitted(ssize_t ret)
{
	return ret < 0 && (errno == ENOSYS || errno == EPERM);
}

int dfd_copy_in(void *to, const void *user, size_t len)
{
	struct iovec mine = { to, len }, theirs = { (void *)(uintptr_t)user, len };
	ssize_t ret = process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0);

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
	ssize_t ret = process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0);

	if (ret == (ssize_t)len)
		return 0;
	if (!not_permitted(ret))
		return -EFAULT;
	memcpy(user, from, len);
	return 0;
}
