/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A process has one connection to each supervisor that it knows (one, but for a `devfd run` inside
 * another), made at the first call. The program may close its fd, and does: shells and daemons
 * close every number. So the number is believed only after a look at the inode of the socket, and
 * another connection made. A child of fork() or clone() makes its own, because a connection stands
 * for the memory and the fds of one process. A child of vfork() has its parent's memory and copies
 * of its fds, so it may use the connection, but not make one.
 *
 * A connection has a ring, for accesses of few bytes (client_ring.c); what cannot go that way goes
 * by the socket, which sees to it that there is a connection again.
 *
 * The lock blocks signals, so a call is never cut short. It makes one call at a time of those by
 * the socket and by the ring, so that they need no other order.
 */
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "abi/iommufd.h"
#include "shim/client.h"
#include "shim/client_ring.h"
#include "shim/protocol.h"
#include "shim/space.h"

/* Numbers from here on are rarely a program's. */
#define HIGH_FD 900

/** struct client - @pid: whose connection it is, 0 for none */
static struct client {
	const char *supervisor;
	struct client_socket socket;
	pid_t pid;
	struct client_ring ring;
} clients[4];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- one call ---- */

static int take_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* System calls as they are: those of libc are points where a thread may be cancelled. */
static int exchange(int socket, const struct shim_call *call, struct shim_answer *answer,
		    int cloexec, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { answer, sizeof(*answer) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	size_t size = *call->path ? sizeof(*call) : offsetof(struct shim_call, path);

	if (NEXT(syscall)(SYS_sendto, socket, call, size, MSG_NOSIGNAL, NULL, 0) != (long)size ||
	    NEXT(syscall)(SYS_recvmsg, socket, &msg, cloexec) != sizeof(*answer))
		return -EIO;
	*fd = take_fd(&msg);
	return 0;
}

/* ---- the connection ---- */

static int move_up(int fd)
{
	int high = NEXT(fcntl)(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0)
		return fd; /* fewer numbers are allowed */
	NEXT(close)(fd);
	return high;
}

/*
 * The supervisor finds the process by the socket, and is sure of it by what lies in its memory.
 * Where there can be no ring, all goes by the socket.
 */
static int hello(int fd, struct client_ring *ring)
{
	uint64_t cookie = 0;
	struct shim_call call = { .op = SHIM_HELLO, .addr = (uintptr_t)&cookie };
	struct shim_answer answer;
	int memory = -1, ret;

	if (getrandom(&cookie, sizeof(cookie), GRND_NONBLOCK) < 0)
		cookie = (uint64_t)getpid() << 32 | (uint32_t)fd;
	call.len = cookie;
	ret = exchange(fd, &call, &answer, MSG_CMSG_CLOEXEC, &memory);
	if (!ret && memory >= 0)
		client_ring_join(ring, memory);
	if (memory >= 0)
		NEXT(close)(memory);
	/* Who does not even answer that has ended, and with it the devices have gone. */
	return ret ? -ENODEV : (int)answer.result;
}

/* Return: a socket; -ENODEV when there is no supervisor */
static int reach(const char *supervisor, int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(supervisor) >= sizeof(address.sun_path))
		return -ENODEV;
	strcpy(address.sun_path, supervisor);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	fd = move_up(fd);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	ret = errno == EAGAIN ? -EAGAIN : -ENODEV; /* it is busy */
	NEXT(close)(fd);
	return ret;
}

static int make_connection(struct client *c)
{
	struct client_ring ring = { .ring = RING_NONE };
	struct stat st;
	int fd = reach(c->supervisor, 0), ret;

	if (fd < 0)
		return fd;
	ret = hello(fd, &ring);
	if (ret || NEXT(fstat)(fd, &st)) {
		NEXT(close)(fd);
		client_ring_leave(&ring);
		return ret ? ret : -EIO;
	}
	*c = (struct client){ c->supervisor, { fd, st.st_ino, c->supervisor }, getpid(), ring };
	return 0;
}

bool client_supervisor_there(const char *supervisor)
{
	int fd = reach(supervisor, SOCK_NONBLOCK);

	if (fd >= 0)
		NEXT(close)(fd);
	return fd != -ENODEV;
}

static bool still_there(const struct client *c)
{
	return c->pid && client_socket_there(&c->socket);
}

/* Is the memory that of another process? Then so is the connection. */
static bool borrowed(void)
{
	return shim_vforked() && shim_owner();
}

/* Not where it is borrowed. */
static void disconnect(struct client *c)
{
	if (still_there(c))
		NEXT(close)(c->socket.fd);
	if (c->pid)
		client_ring_leave(&c->ring);
	c->pid = 0;
}

static int connected(struct client *c)
{
	if (borrowed())
		return still_there(c) ? 0 : -EAGAIN;
	if (still_there(c) && c->pid == getpid())
		return 0;
	disconnect(c);
	return make_connection(c);
}

static struct client *find(const char *supervisor)
{
	for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++) {
		if (!clients[i].supervisor)
			clients[i].supervisor = supervisor;
		if (!strcmp(clients[i].supervisor, supervisor))
			return &clients[i];
	}
	return NULL;
}

static int call_locked(const char *supervisor, const struct shim_call *call,
		       struct shim_answer *answer, int cloexec, int *fd)
{
	struct client *c = find(supervisor);
	int ret = c ? connected(c) : -ENODEV;

	if (ret)
		return ret;
	ret = exchange(c->socket.fd, call, answer, cloexec, fd);
	if (ret && !borrowed())
		disconnect(c);
	return ret;
}

/* Return: the result of the call; an fd that came with it in @fd, else -1 */
static int64_t call(const char *supervisor, const struct shim_call *call,
		    struct shim_answer *answer, int cloexec, int *fd)
{
	int ret, saved = errno;

	*fd = -1;
	shim_mutex_lock(&lock);
	ret = call_locked(supervisor, call, answer, cloexec, fd);
	shim_mutex_unlock(&lock);
	errno = saved;
	return ret ? ret : answer->result;
}

/* Without an answer the connection is of no use; a child of vfork() leaves that to its parent. */
static bool by_ring_locked(struct client *c, struct ring_request *q, struct ring_response *a,
			   int64_t *result)
{
	const bool writes = q->command == SHIM_WRITE || q->command == SHIM_STORE;
	int ret = client_ring_exchange(&c->ring, &c->socket, writes, q, a);

	*result = ret ? ret : a->error ? -(int)a->error : (int64_t)a->moved;
	if (ret == -EIO && !borrowed())
		disconnect(c);
	return ret != -EAGAIN;
}

/* Return: false when it has to go by the socket; else what call() returns in @result */
static bool by_ring(const char *supervisor, struct ring_request *q, struct ring_response *a,
		    int64_t *result)
{
	int saved = errno;
	struct client *c;
	bool done;

	shim_mutex_lock(&lock);
	c = find(supervisor);
	done = c && by_ring_locked(c, q, a, result);
	shim_mutex_unlock(&lock);
	errno = saved;
	return done;
}

static int64_t call_without_fd(const struct shim_fd *f, struct shim_call *c)
{
	struct shim_answer answer;
	int64_t ret;
	int fd;

	c->inode = f->inode;
	ret = call(f->mount->supervisor, c, &answer, MSG_CMSG_CLOEXEC, &fd);
	if (fd >= 0)
		NEXT(close)(fd);
	return ret;
}

/* An fd is expected with every result that is no error. */
static int call_for_fd(const char *supervisor, const struct shim_call *c,
		       struct shim_answer *answer, int cloexec)
{
	int fd;
	int64_t ret = call(supervisor, c, answer, cloexec, &fd);

	if (ret >= 0)
		return fd < 0 ? -EMFILE : fd; /* the kernel drops what there is no number for */
	if (fd >= 0)
		NEXT(close)(fd);
	return (int)ret;
}

/* ---- the calls ---- */

int client_open(const struct shim_mount *m, int flags)
{
	struct shim_call c = { .op = SHIM_OPEN, .flags = (uint32_t)flags };
	struct shim_answer answer;

	strcpy(c.path, m->path);
	return call_for_fd(m->supervisor, &c, &answer, flags & O_CLOEXEC ? MSG_CMSG_CLOEXEC : 0);
}

/* The caller's buffer is looked at here, so that a bad one is an error all the same. */
static bool move_by_ring(const struct shim_fd *f, bool writes, void *buf, size_t len, uint64_t off,
			 int64_t *moved)
{
	struct ring_request q = { .command = writes ? SHIM_WRITE : SHIM_READ,
				  .object = f->inode,
				  .access = { .offset = off, .count = (uint32_t)len } };
	struct ring_response a;

	*moved = writes ? dfd_copy_in(q.data, buf, len) : 0;
	if (*moved)
		return true;
	if (!by_ring(f->mount->supervisor, &q, &a, moved))
		return false;
	if (*moved > (int64_t)len)
		*moved = -EIO;
	if (!writes && *moved > 0 && dfd_copy_out(buf, a.data, (size_t)*moved))
		*moved = -EFAULT;
	return true;
}

ssize_t client_move(const struct shim_fd *f, bool writes, void *buf, size_t len, uint64_t off)
{
	size_t done = 0;
	int64_t moved;

	if (len <= RING_MAX_DATA && move_by_ring(f, writes, buf, len, off, &moved))
		return (ssize_t)moved;
	while (done < len) {
		size_t want = len - done < SHIM_MAX_MOVE ? len - done : SHIM_MAX_MOVE;
		struct shim_call c = { .op = writes ? SHIM_WRITE : SHIM_READ,
				       .addr = (uintptr_t)buf + done,
				       .len = want,
				       .off = off + done };
		ssize_t n = (ssize_t)call_without_fd(f, &c);

		if (n < 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
		if ((size_t)n < want)
			break;
	}
	return (ssize_t)done;
}

/* So many that nobody waits long for another: 1 MiB of them. */
#define MAX_DIRTY_BITS (UINT64_C(1) << 23)

/* Return: bytes of memory that are asked about at once, 0 for all; what is refused is left alone */
static uint64_t dirty_slice(const struct iommu_hwpt_get_dirty_bitmap *a)
{
	uint64_t end, slice;

	if (a->size != sizeof(*a) || __builtin_popcountll(a->page_size) != 1 ||
	    __builtin_add_overflow(a->iova, a->length, &end) || (a->iova | end) % SPACE_PAGE ||
	    (a->iova | end) % a->page_size ||
	    __builtin_mul_overflow(a->page_size, MAX_DIRTY_BITS, &slice))
		return 0;
	return a->length > slice ? slice : 0;
}

static int get_dirty(const struct shim_fd *f, void *arg)
{
	struct iommu_hwpt_get_dirty_bitmap a = { 0 };
	struct shim_call c = { .op = SHIM_IOCTL, .flags = IOMMU_HWPT_GET_DIRTY_BITMAP };
	const uint64_t slice = dfd_copy_in(&a, arg, sizeof(a)) ? 0 : dirty_slice(&a);
	uint64_t left = a.length;
	int ret;

	c.addr = slice ? (uintptr_t)&a : (uintptr_t)arg;
	do {
		a.length = slice && left > slice ? slice : left;
		ret = (int)call_without_fd(f, &c);
		a.iova += a.length;
		a.data += MAX_DIRTY_BITS / 8;
		left -= a.length;
	} while (!ret && left);
	return ret;
}

int client_ioctl(const struct shim_fd *f, uint32_t request, void *arg)
{
	struct shim_call c = {
		.op = SHIM_IOCTL, .flags = request, .inode = f->inode, .addr = (uintptr_t)arg
	};
	struct shim_answer answer;

	if (core_makes_fd(f->mount, request))
		return call_for_fd(f->mount->supervisor, &c, &answer, MSG_CMSG_CLOEXEC);
	if (f->mount->node == SHIM_IOMMUFD && request == IOMMU_HWPT_GET_DIRTY_BITMAP)
		return get_dirty(f, arg);
	return (int)call_without_fd(f, &c);
}

off_t client_end(const struct shim_fd *f)
{
	struct shim_call c = { .op = SHIM_END };

	return (off_t)call_without_fd(f, &c);
}

static int call_for_place(const char *supervisor, const struct shim_call *c, struct core_place *p)
{
	struct shim_answer answer = { 0 };
	int64_t ret = call(supervisor, c, &answer, MSG_CMSG_CLOEXEC, &p->fd);

	if (ret < 0)
		return (int)ret;
	p->index = answer.index;
	p->within = answer.within;
	p->len = answer.len;
	p->at = answer.off;
	return !ret && p->fd < 0 ? -EMFILE : (int)ret;
}

int client_map(const struct shim_fd *f, uint64_t off, bool writes, struct core_place *p)
{
	const struct shim_call c = {
		.op = SHIM_MAP, .flags = writes, .inode = f->inode, .len = p->len, .off = off
	};

	return call_for_place(f->mount->supervisor, &c, p);
}

int client_area(const struct shim_mount *m, bool writes, struct core_place *p)
{
	struct shim_call c = {
		.op = SHIM_AREA, .flags = writes, .index = p->index, .len = p->len, .off = p->within
	};

	strcpy(c.path, m->path);
	return call_for_place(m->supervisor, &c, p);
}

/* A path is long: the supervisor says by what number it knows it. */
static int64_t access_by_socket(struct shim_mount *m, struct shim_call *c, void *buf, bool writes)
{
	struct shim_answer answer = { 0 };
	int64_t ret;
	int fd;

	strcpy(c->path, m->path);
	if (writes)
		memcpy(&c->addr, buf, c->len);
	ret = call(m->supervisor, c, &answer, MSG_CMSG_CLOEXEC, &fd);
	if (ret < 0)
		return ret;
	m->there = answer.index;
	if (!writes)
		memcpy(buf, &answer.off, c->len);
	return 0;
}

int client_access(struct shim_mount *m, uint32_t index, uint64_t offset, void *buf, size_t len,
		  bool writes)
{
	const uint32_t op = writes ? SHIM_STORE : SHIM_LOAD;
	struct shim_call c = { .op = op, .index = index, .len = len, .off = offset };
	struct ring_request q = { .command = (uint16_t)op,
				  .object = m->there,
				  .access = { offset, index, (uint32_t)len } };
	struct ring_response a;
	int64_t ret;

	if (len > sizeof(c.addr))
		return -EINVAL;
	if (writes)
		memcpy(q.data, buf, len);
	if (!q.object || !by_ring(m->supervisor, &q, &a, &ret))
		return (int)access_by_socket(m, &c, buf, writes);
	if (ret >= 0 && !writes)
		memcpy(buf, a.data, len);
	return ret < 0 ? (int)ret : 0;
}

/* ---- forking: the connection is not in the middle of a call ---- */

void client_fork_prepare(void)
{
	shim_mutex_lock(&lock);
}

void client_fork_done(void)
{
	shim_mutex_unlock(&lock);
}
