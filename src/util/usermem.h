/* SPDX-License-Identifier: MIT */
/*
 * What the caller of an ioctl points to: his memory, where a bad address is an error and not a
 * crash, and his fds.
 */
#ifndef UTIL_USERMEM_H
#define UTIL_USERMEM_H

#include <stddef.h>
#include <sys/types.h>

/** struct dfd_caller - another process that calls, and waits until it is answered */
struct dfd_caller {
	pid_t pid;
	int pidfd;
};

/**
 * dfd_call_from() - whose the pointers and the fds are that this thread is given from now on
 * @caller: NULL for this process, as at the start; must stay valid
 */
void dfd_call_from(const struct dfd_caller *caller);

/** dfd_user_pid() - Return: the process whose the pointers and the fds are */
pid_t dfd_user_pid(void);

/** dfd_copy_in() - read @len bytes at @user. Return: 0 or -EFAULT */
int dfd_copy_in(void *to, const void *user, size_t len);

/** dfd_copy_out() - write @len bytes at @user. Return: 0 or -EFAULT */
int dfd_copy_out(void *user, const void *from, size_t len);

/** dfd_user_fd() - Return: this process's number of a caller's fd, -EBADF, -EMFILE, -EPERM */
int dfd_user_fd(int fd);

/** dfd_user_fd_done() - give that number back; a negative one is fine */
void dfd_user_fd_done(int fd);

#endif
