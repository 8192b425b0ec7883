/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's side of the filter: it is told of calls, and answers.
 *
 * The process that will be the program makes the filter and sends its listener by a socket. From
 * then on every call that is picked, of it and of all that it starts, is one event in the loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/notify.h"
#include "shim/server.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS	   SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* Numbers that are tried for an fd. */
#define MAX_TRIES 4096

#define PROBE "probe"

static struct shim_watch listener = { .fd = -1 }, arrival = { .fd = -1 };
static int door = -1; /* of the program */

/* A notification as this kernel has it, which may be longer than we know. */
static struct seccomp_notif *room;
static size_t room_size;

/* ---- answers ---- */

/* Whoever called may have been killed meanwhile; then nobody is there to hear it. */
static void send_result(uint64_t id, int64_t result)
{
	struct seccomp_notif_resp r = { .id = id };

	if (result < 0)
		r.error = (int)result;
	else
		r.val = result;
	ioctl(listener.fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static void pass_on(uint64_t id)
{
	struct seccomp_notif_resp r = { .id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	ioctl(listener.fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

/*
 * A number that is free there; in between, only the program itself could take it. Return: a
 * negative errno where it has more files in a row than anybody needs.
 */
static int free_number(uint32_t lowest)
{
	int number = (int)(lowest > notify_base() ? lowest : notify_base());

	for (int tries = 0; tries < MAX_TRIES && number < INT_MAX; tries++, number++) {
		int fd = dfd_user_fd(number);

		if (fd < 0)
			return fd == -EBADF ? number : fd;
		dfd_user_fd_done(fd);
	}
	return -EMFILE;
}

/* The call returns the number as it gets the fd. */
static int put_fd(uint64_t id, const struct notify_answer *a)
{
	const int number = free_number(a->lowest);
	struct seccomp_notif_addfd add = {
		.id = id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)a->fd,
		.newfd = (uint32_t)number,
		.newfd_flags = a->cloexec ? O_CLOEXEC : 0,
	};

	if (number < 0)
		return number;
	if (ioctl(listener.fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0)
		return 0;
	return errno == EBADF ? -EMFILE : -errno; /* beyond what it is allowed */
}

static void send_fd(uint64_t id, const struct notify_answer *a)
{
	int ret = put_fd(id, a);

	if (ret)
		send_result(id, ret);
}

/* Where it still waits, its process is the one that has its number. */
static struct shim_caller *caller_of(const struct seccomp_notif *n)
{
	bool known = true;
	struct shim_caller *c = notify_caller((pid_t)n->pid, n->data.instruction_pointer, &known);

	if (!known && ioctl(listener.fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n->id))
		return NULL;
	return c;
}

static void answer_call(const struct seccomp_notif *n)
{
	struct shim_caller *caller = caller_of(n);
	struct notify_answer a;

	if (!caller) {
		pass_on(n->id);
		return;
	}
	shim_call_from(caller);
	notify_do(&n->data, &a);
	if (a.pass_on)
		pass_on(n->id);
	else if (a.maps)
		send_result(n->id, notify_map(listener.fd, n, a.fd, a.at));
	else if (a.fd >= 0)
		send_fd(n->id, &a);
	else
		send_result(n->id, a.result);
	shim_call_from(NULL);
	if (a.fd >= 0)
		close(a.fd);
}

/* ---- calls ---- */

/* Receiving waits for a call, and at the end nobody is left to make one. */
static void hear(struct shim_watch *w)
{
	if (!w->readable) {
		shim_server_forget(w);
		close(w->fd);
		w->fd = -1;
		return;
	}
	memset(room, 0, room_size);
	if (!ioctl(w->fd, SECCOMP_IOCTL_NOTIF_RECV, room))
		answer_call(room);
}

static int make_room(void)
{
	struct seccomp_notif_sizes sizes = { 0 };

	if (room)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes))
		return -errno;
	room_size = sizes.seccomp_notif > sizeof(*room) ? sizes.seccomp_notif : sizeof(*room);
	room = calloc(1, room_size);
	return room ? 0 : -ENOMEM;
}

/* ---- the listener comes ---- */

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_listener(int socket, int fd)
{
	union control control = { .align = { .cmsg_level = SOL_SOCKET,
					     .cmsg_type = SCM_RIGHTS,
					     .cmsg_len = CMSG_LEN(sizeof(fd)) } };
	struct iovec iov = { "", 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	return sendmsg(socket, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int take_listener(int socket)
{
	union control control = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) == 1 && msg.msg_controllen)
		memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
	return fd;
}

static void let_in(struct shim_watch *w)
{
	listener = (struct shim_watch){ .fd = take_listener(w->fd), .ready = hear };
	shim_server_forget(w);
	close(w->fd);
	close(door);
	if (listener.fd < 0)
		return;
	/* Who waits and who answers take turns, on one processor best. */
	ioctl(listener.fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	shim_server_watch(&listener);
}

int notify_start(void)
{
	int ends[2], ret = make_room();

	if (ret)
		return ret;
	notify_base();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	arrival = (struct shim_watch){ .fd = ends[0], .ready = let_in };
	door = ends[1];
	return shim_server_watch(&arrival);
}

static int filter_and_send(int socket, bool *keeps)
{
	int fd = notify_filter(keeps), ret;

	if (fd < 0)
		return fd;
	ret = send_listener(socket, fd);
	close(fd);
	return ret;
}

int notify_enter(void)
{
	bool keeps;

	return filter_and_send(door, &keeps);
}

/* ---- whether it can be done ---- */

/* In a child: a call that is answered with an fd of a number that it has not chosen. */
static int ask_fd(int socket)
{
	bool keeps;
	int fd = filter_and_send(socket, &keeps);

	if (fd)
		return -fd;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fd < 0 ? errno : fd == (int)notify_base() ? 0 : ENOTSUP;
}

static void answer_fd(const struct seccomp_notif *n, int fd)
{
	struct shim_caller *caller = caller_of(n);
	const struct notify_answer a = { .fd = fd };

	if (!caller)
		return;
	shim_call_from(caller);
	send_fd(n->id, &a);
	shim_call_from(NULL);
	notify_forget();
}

/* One that is answered with memory. */
static int ask_map(int socket)
{
	bool keeps;
	int ret = filter_and_send(socket, &keeps);
	const char *map;

	if (ret)
		return -ret;
	map = mmap(NULL, 1, PROT_READ, MAP_SHARED, (int)notify_base(), 0);
	return map == MAP_FAILED ? errno : keeps && *map == *PROBE ? 0 : ENOTSUP;
}

static void answer_map(const struct seccomp_notif *n, int socket)
{
	int fd = memfd_create(PROBE, MFD_CLOEXEC);

	(void)socket;
	if (fd < 0)
		return;
	if (write(fd, PROBE, 1) == 1)
		send_result(n->id, notify_map(listener.fd, n, fd, 0));
	close(fd);
}

/* Once the listener is closed, the child is told that there is no such call. */
static void hear_probe(int socket, void (*answer)(const struct seccomp_notif *n, int socket))
{
	struct pollfd p = { .fd = take_listener(socket), .events = POLLIN };

	listener.fd = p.fd;
	memset(room, 0, room_size);
	if (p.fd >= 0 && poll(&p, 1, 60000) == 1 && (p.revents & POLLIN) &&
	    !ioctl(p.fd, SECCOMP_IOCTL_NOTIF_RECV, room))
		answer(room, socket);
	if (p.fd >= 0)
		close(p.fd);
	listener.fd = -1;
}

static int probe(int (*ask)(int socket), void (*answer)(const struct seccomp_notif *n, int socket))
{
	int ends[2], status = 0, ret = make_room();
	pid_t child, ended;

	if (ret)
		return ret;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	child = fork();
	if (!child) {
		close(ends[0]);
		_exit(ask(ends[1]));
	}
	close(ends[1]);
	if (child > 0)
		hear_probe(ends[0], answer);
	close(ends[0]);
	if (child < 0)
		return -errno;
	do
		ended = waitpid(child, &status, 0);
	while (ended == child && notify_stopped(child, status));
	if (ended != child)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int notify_probe(void)
{
	return probe(ask_fd, answer_fd);
}

int notify_probe_map(void)
{
	int ret = probe(ask_map, answer_map);

	return ret == -EBUSY ? -EPERM : ret; /* nobody else traces our child */
}
