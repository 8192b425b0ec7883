/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Everything is an fd in one epoll set: the socket that programs connect to, their connections, the
 * devices that want service, and an inotify instance that is told when an opening of one of our
 * memfds goes away, in whichever process. Then, and before anything that depends on it, a lease
 * tells whether there is another opening left (side_in_use()): the kernel grants a lease for
 * writing to nobody but the last one who has a file open. So nothing is polled and no process has
 * to say that it closes, forks, passes on or dies.
 *
 * Rings of processes that access registers are looked at without sleeping for a while, and all this
 * in between (ring/awake.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring/awake.h"
#include "shim/core.h"
#include "shim/protocol.h"
#include "shim/registers.h"
#include "shim/server.h"
#include "shim/vfio.h"

static int set = -1;
static struct shim_watch door = { .fd = -1 }, closings = { .fd = -1 };

/**
 * struct peer - a process
 * @caller: NULL until it has said hello
 * @ring: may have no memory
 */
struct peer {
	struct shim_watch watch;
	struct shim_caller *caller;
	struct ring ring;
	struct awake_ring awake;
};

static int serve_ring(struct awake_ring *r);
static struct awake rings = { .serve = serve_ring };

/* ---- the set ---- */

int shim_server_watch(struct shim_watch *w)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = w };

	return epoll_ctl(set, EPOLL_CTL_ADD, w->fd, &event) ? -errno : 0;
}

void shim_server_forget(struct shim_watch *w)
{
	epoll_ctl(set, EPOLL_CTL_DEL, w->fd, NULL);
}

/* One thing at a time: what is done for one may end another. */
static int next_event(int timeout_ms)
{
	struct epoll_event event;
	struct shim_watch *w;
	int count = epoll_wait(set, &event, 1, timeout_ms);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	if (!count)
		return 0;
	w = event.data.ptr;
	w->readable = event.events & EPOLLIN;
	w->ready(w);
	return 0;
}

static int see_to_others(void *none)
{
	(void)none;
	return next_event(0);
}

int shim_server_wait(void)
{
	int ret = next_event(rings.first ? 0 : -1);

	return ret ? ret : awake_turn(&rings, see_to_others, NULL);
}

/* ---- fds that go away, and files that are written ---- */

static void do_what_was_written(void)
{
	struct shim_mount *m;

	for (uint32_t i = 1; (m = shim_mount_number(i)); i++) {
		if (m->reset && !core_lock(m))
			core_unlock(m);
	}
}

static void somebody_closed(struct shim_watch *w)
{
	char events[4096];

	if (read(w->fd, events, sizeof(events)) <= 0)
		return;
	do_what_was_written();
	vfio_closed();
}

void shim_server_settle(void)
{
	somebody_closed(&closings);
}

static int tell_of(int memfd, uint32_t events, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", memfd);
	return inotify_add_watch(closings.fd, path, events) < 0 ? -errno : 0;
}

int side_written(int memfd)
{
	char path[32];

	return tell_of(memfd, IN_MODIFY, path);
}

int side_keep(int memfd, int *keep)
{
	char path[32];
	int ret;

	*keep = -1;
	if (set < 0)
		return 0; /* no loop: nobody will open it */
	ret = tell_of(memfd, IN_CLOSE, path);
	if (ret)
		return ret;
	/* An opening for reading is counted, that of memfd_create() is not. */
	*keep = open(path, O_RDONLY | O_CLOEXEC);
	return *keep < 0 ? -errno : 0;
}

bool side_in_use(int keep, uint64_t inode)
{
	(void)inode;
	/* Without leases in this kernel nobody is known to have gone. */
	if (fcntl(keep, F_SETLEASE, F_WRLCK))
		return true;
	fcntl(keep, F_SETLEASE, F_UNLCK);
	return false;
}

/* ---- calls ---- */

/* The inode of a socket's peer is not enough: a number of a process may be another one's by now. */
static int hello(struct peer *p, const struct shim_call *call, int *fd)
{
	struct shim_caller *c;
	struct ucred who;
	socklen_t len = sizeof(who);
	uint64_t cookie = 0;
	int ret;

	if (p->caller || getsockopt(p->watch.fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
		return -EINVAL;
	ret = shim_caller_new(who.pid, &c);
	if (ret)
		return ret;
	shim_call_from(c);
	ret = dfd_copy_in(&cookie, (const void *)(uintptr_t)call->addr, sizeof(cookie));
	shim_call_from(NULL);
	if (ret || cookie != call->len) {
		shim_caller_put(c);
		return -EPERM;
	}
	p->caller = c;
	if (!ring_create_memory(&p->ring)) {
		*fd = p->ring.fd;
		p->ring.fd = -1;
	}
	return 0;
}

static int64_t open_path(struct shim_mount *m, const struct shim_call *call, int *fd)
{
	/* Close-on-exec here; over there as it was asked for. */
	*fd = core_open(m, (int)call->flags | O_CLOEXEC);
	return *fd < 0 ? *fd : 0;
}

static int64_t request(struct shim_mount *m, const struct shim_call *call, int *fd)
{
	void *arg = (void *)(uintptr_t)call->addr; /* of the caller */
	int64_t ret = core_ioctl(m, call->inode, call->flags, arg);

	if (ret < 0 || !core_makes_fd(m, call->flags))
		return ret;
	*fd = (int)ret;
	return 0;
}

static int64_t place(const struct core_place *p, int ret, struct shim_answer *answer, int *fd)
{
	answer->index = p->index;
	answer->within = p->within;
	answer->len = p->len;
	answer->off = p->at;
	if (ret)
		return ret;
	*fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

static int64_t map(struct shim_mount *m, const struct shim_call *call, struct shim_answer *answer,
		   int *fd)
{
	struct core_place p = { .len = call->len };

	if (call->off > INT64_MAX || !call->len)
		return -EINVAL;
	return place(&p, core_map(m, call->inode, call->off, call->flags & 1, &p), answer, fd);
}

static int64_t area(struct shim_mount *m, const struct shim_call *call, struct shim_answer *answer,
		    int *fd)
{
	struct core_place p = { .index = call->index, .within = call->off, .len = call->len };

	if (call->len > UINT64_MAX - call->off)
		return -EINVAL;
	return place(&p, core_area(m, call->flags & 1, &p), answer, fd);
}

static int64_t reach(struct shim_mount *m, const struct shim_call *call, struct shim_answer *answer)
{
	answer->off = call->addr;
	answer->index = m->number;
	if (call->len > sizeof(answer->off))
		return -EINVAL;
	return core_access(m, call->index, call->off, &answer->off, call->len,
			   call->op == SHIM_STORE);
}

/* A mapped part is reached when its fd may be closed already. */
static int64_t on_path(const struct shim_call *call, struct shim_answer *answer, int *fd)
{
	struct shim_mount *m;

	if (strnlen(call->path, sizeof(call->path)) == sizeof(call->path))
		return -EINVAL;
	m = shim_mount_path(call->path);
	if (!m)
		return -ENOENT;
	if (call->op == SHIM_OPEN)
		return open_path(m, call, fd);
	if (!shim_mount_maps(m))
		return -EINVAL;
	return call->op == SHIM_AREA ? area(m, call, answer, fd) : reach(m, call, answer);
}

static int64_t on_device(const struct shim_call *call, struct shim_answer *answer, int *fd)
{
	struct shim_mount *m = core_mount(call->inode);
	void *buf = (void *)(uintptr_t)call->addr;
	uint64_t len = call->len < SHIM_MAX_MOVE ? call->len : SHIM_MAX_MOVE;

	if (!m)
		return -ENODEV;
	switch (call->op) {
	case SHIM_READ:
		return core_read(m, call->inode, buf, len, call->off);
	case SHIM_WRITE:
		return core_write(m, call->inode, buf, len, call->off);
	case SHIM_IOCTL:
		return request(m, call, fd);
	case SHIM_END:
		return core_end(m, call->inode);
	case SHIM_MAP:
		return map(m, call, answer, fd);
	default:
		return -EINVAL;
	}
}

static int64_t do_call(struct peer *p, const struct shim_call *call, struct shim_answer *answer,
		       int *fd)
{
	int64_t ret;

	if (call->op == SHIM_HELLO)
		return hello(p, call, fd);
	if (!p->caller)
		return -EPERM;
	shim_call_from(p->caller);
	ret = *call->path ? on_path(call, answer, fd) : on_device(call, answer, fd);
	shim_call_from(NULL);
	return ret;
}

/* ---- connections ---- */

/* What it asks for by now is not done. */
static void end_peer(struct peer *p)
{
	awake_forget(&rings, &p->awake);
	if (p->ring.shared)
		ring_look(&p->ring);
	ring_finish(&p->ring);
	shim_server_forget(&p->watch);
	close(p->watch.fd);
	shim_caller_put(p->caller);
	free(p);
}

static int serve_ring(struct awake_ring *r)
{
	struct peer *p = (struct peer *)((char *)r - offsetof(struct peer, awake));
	int ret = registers_serve(r->ring);

	if (ret > 0)
		awake_used(&rings, r);
	if (ret >= 0)
		return ret;
	end_peer(p);
	return -1;
}

static bool send_answer(const struct peer *p, const struct shim_answer *answer, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)answer, sizeof(*answer) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS,
						  .cmsg_len = CMSG_LEN(sizeof(fd)) };
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sendmsg(p->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*answer);
}

/* A process waits for its answer, so there is always room for it. */
static void answer_peer(struct shim_watch *w)
{
	struct peer *p = (struct peer *)w; /* the first member */
	const size_t shortest = offsetof(struct shim_call, path);
	struct shim_call call = { 0 };
	struct shim_answer answer = { 0 };
	ssize_t n = recv(w->fd, &call, sizeof(call), MSG_DONTWAIT);
	bool sent;
	int fd = -1;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 1 && p->ring.shared) {
		serve_ring(&p->awake);
		return;
	}
	if (n < (ssize_t)shortest) {
		end_peer(p);
		return;
	}
	shim_server_settle();
	answer.result = do_call(p, &call, &answer, &fd);
	sent = send_answer(p, &answer, fd);
	if (fd >= 0)
		close(fd);
	if (!sent)
		end_peer(p);
}

static void let_in(struct shim_watch *w)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *p = fd < 0 ? NULL : calloc(1, sizeof(*p));

	if (p) {
		*p = (struct peer){ .watch = { fd, answer_peer },
				    .ring = RING_NONE,
				    .awake.ring = &p->ring };
		if (!shim_server_watch(&p->watch))
			return; /* NOLINT(clang-analyzer-unix.Malloc): the set has it */
		free(p);
	}
	if (fd >= 0)
		close(fd);
}

/* ---- devices ---- */

static struct shim_watch served[SHIM_MAX_MOUNTS + 1];

/* A device that has failed tells its callers; it would be ready for ever. */
static void serve(struct shim_watch *w)
{
	const struct shim_mount *m = shim_mount_number((uint64_t)(w - served));

	if (m && dfd_device_service(m->dev) < 0)
		shim_server_forget(w);
}

int side_serve(struct shim_mount *m)
{
	int fd = set < 0 ? -EOPNOTSUPP : dfd_device_poll_fd(m->dev);

	if (fd < 0)
		return fd == -EOPNOTSUPP ? 0 : fd; /* nothing to serve, or no loop to do it in */
	served[m->number] = (struct shim_watch){ fd, serve };
	return shim_server_watch(&served[m->number]);
}

int side_watch(struct shim_watch *w)
{
	return shim_server_watch(w);
}

bool side_vforked(void)
{
	return false;
}

void side_enter(void)
{
}

void side_leave(void)
{
}

/* ---- whether it can be done ---- */

/* Memory and an fd of another process. */
static int try_reaching(pid_t child, int fd)
{
	const uint64_t mine = 1;
	struct shim_caller *c;
	uint64_t got = 0;
	int theirs, ret = shim_caller_new(child, &c);

	if (ret)
		return ret;
	shim_call_from(c);
	ret = dfd_copy_in(&got, &mine, sizeof(got));
	theirs = dfd_user_fd(fd);
	dfd_user_fd_done(theirs);
	shim_call_from(NULL);
	shim_caller_put(c);
	return ret || theirs < 0 ? -EPERM : 0;
}

int shim_server_probe(void)
{
	int watcher = inotify_init1(IN_CLOEXEC), ends[2], ret;
	char none;
	pid_t child;

	if (watcher < 0)
		return -errno;
	close(watcher);
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	child = fork();
	if (!child) {
		close(ends[1]);
		_exit(read(ends[0], &none, 1) != 0); /* until the other end is closed */
	}
	ret = child < 0 ? -errno : try_reaching(child, ends[0]);
	close(ends[0]);
	close(ends[1]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return ret;
}

/* ---- starting ---- */

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	door = (struct shim_watch){
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), let_in
	};
	if (door.fd < 0 || bind(door.fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(door.fd, 64))
		return -errno;
	return shim_server_watch(&door);
}

int shim_server_start(const char *path)
{
	int ret;

	set = epoll_create1(EPOLL_CLOEXEC);
	closings = (struct shim_watch){ inotify_init1(IN_CLOEXEC | IN_NONBLOCK), somebody_closed };
	if (set < 0 || closings.fd < 0)
		return -errno;
	ret = shim_server_watch(&closings);
	return ret ? ret : listen_at(path);
}
