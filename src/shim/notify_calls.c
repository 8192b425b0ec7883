/* SPDX-License-Identifier: MIT */
/*
 * What is done for a call that was notified, as far as it is one on a device.
 *
 * The fd that a call names is fetched from the caller, so that the same opening is looked at: which
 * memfd it is of, how it was opened, and where its file position is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim/core.h"
#include "shim/notify.h"
#include "shim/protocol.h"
#include "shim/server.h"

#ifndef SYS_openat2 /* Linux 5.6 */
#define SYS_openat2 437
#endif

/* In place of an offset: at the file position. */
#define POSITION ((off_t)-1)

/** struct stand - a file in the mount namespace of the program, in place of a device or of
 * registers
 */
static struct stand {
	dev_t dev;
	ino_t ino;
	struct shim_mount *mount;
} stands[SHIM_MAX_MOUNTS + SHIM_MAX_DEVICES * SHIM_NUM_SYSFS];
static unsigned int num_stands;

/** struct target - what a call is on; @fd is ours */
struct target {
	int fd;
	uint64_t inode;
	struct shim_mount *mount;
};

int notify_stands_for(const char *file, const char *path)
{
	struct shim_mount *m = shim_mount_path(path);
	struct stat st;

	if (!m || num_stands == sizeof(stands) / sizeof(*stands))
		return -EINVAL;
	if (stat(file, &st))
		return -errno;
	stands[num_stands++] = (struct stand){ st.st_dev, st.st_ino, m };
	return 0;
}

static struct shim_mount *stood_for(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	for (unsigned int i = 0; i < num_stands; i++) {
		if (stands[i].dev == st.st_dev && stands[i].ino == st.st_ino)
			return stands[i].mount;
	}
	return NULL;
}

/* ---- openings ---- */

/* A string of the caller, page by page, because the next one need not be there. */
static bool copy_path(uint64_t user, char out[PATH_MAX])
{
	size_t len = 0;

	while (len < PATH_MAX) {
		size_t piece = 4096 - ((user + len) & 4095);

		if (piece > PATH_MAX - len)
			piece = PATH_MAX - len;
		if (dfd_copy_in(out + len, (const void *)(uintptr_t)(user + len), piece))
			return false;
		if (memchr(out + len, '\0', piece))
			return true;
		len += piece;
	}
	return false;
}

static bool is_named(const char *base)
{
	const struct shim_mount *m;

	for (uint32_t i = 1; (m = shim_mount_number(i)); i++) {
		if (!strcmp(m->base, base))
			return true;
	}
	return false;
}

/* Where a path starts: a directory of the caller. */
static void start_of(const char *path, int dirfd, char link[48])
{
	if (path[0] == '/')
		snprintf(link, 48, "/proc/%d/root", (int)dfd_user_pid());
	else if (dirfd == AT_FDCWD)
		snprintf(link, 48, "/proc/%d/cwd", (int)dfd_user_pid());
	else
		snprintf(link, 48, "/proc/%d/fd/%d", (int)dfd_user_pid(), dirfd);
}

/* Devices are found by the text of their paths, as by the library. */
static struct shim_mount *by_text(int dirfd, const char *path)
{
	char link[48], start[PATH_MAX], whole[SHIM_MAX_PATH];
	ssize_t n;

	start_of(path, dirfd, link);
	n = readlink(link, start, sizeof(start) - 1);
	start[n > 0 ? n : 0] = '\0';
	if (n <= 0 || !shim_path_absolute(start, path + strspn(path, "/"), whole, sizeof(whole)))
		return NULL;
	return shim_mount_path(whole);
}

/* Files of sysfs by the files in their place, because links lead to them in many ways. */
static struct shim_mount *by_file(int dirfd, const char *path)
{
	char link[48], whole[PATH_MAX + 48];
	struct shim_mount *m;
	int fd;

	start_of(path, dirfd, link);
	snprintf(whole, sizeof(whole), "%s/%s", link, path);
	fd = open(whole, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	m = stood_for(fd);
	close(fd);
	return m;
}

static struct shim_mount *find_mount(int dirfd, uint64_t user)
{
	const char *slash, *base;
	char path[PATH_MAX];

	if (!copy_path(user, path))
		return NULL;
	slash = strrchr(path, '/');
	base = slash ? slash + 1 : path;
	if (shim_mount_file(0) && shim_sysfs_name(base) < SHIM_NUM_SYSFS)
		return by_file(dirfd, path);
	return is_named(base) ? by_text(dirfd, path) : NULL;
}

static void do_open(int dirfd, uint64_t path, uint64_t flags, struct notify_answer *a)
{
	struct shim_mount *m = flags & O_PATH ? NULL : find_mount(dirfd, path);

	if (!m)
		return;
	a->pass_on = false;
	shim_server_settle();
	/* Close-on-exec here; over there as it was asked for. */
	a->fd = core_open(m, (int)flags | O_CLOEXEC);
	a->result = a->fd;
	a->cloexec = flags & O_CLOEXEC;
}

static void do_openat2(const struct seccomp_data *call, struct notify_answer *a)
{
	uint64_t flags; /* the first member of its struct */

	if (!dfd_copy_in(&flags, (const void *)(uintptr_t)call->args[2], sizeof(flags)))
		do_open((int)call->args[0], call->args[1], flags, a);
}

/* ---- data ---- */

static ssize_t move(const struct target *t, bool writes, const struct iovec *v, off_t off)
{
	/* Nobody waits long for another. */
	size_t len = v->iov_len < SHIM_MAX_MOVE ? v->iov_len : SHIM_MAX_MOVE;

	if (!len)
		return 0;
	return writes ? core_write(t->mount, t->inode, v->iov_base, len, (uint64_t)off)
		      : core_read(t->mount, t->inode, v->iov_base, len, (uint64_t)off);
}

static ssize_t move_each(const struct target *t, bool writes, const struct iovec *v, int count,
			 off_t off)
{
	size_t done = 0;

	for (int i = 0; i < count && done < SHIM_MAX_MOVE; i++) {
		ssize_t n = move(t, writes, &v[i], off + (off_t)done);

		if (n < 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
		if ((size_t)n < v[i].iov_len)
			break;
	}
	return (ssize_t)done;
}

static int64_t transfer(const struct target *t, bool writes, const struct iovec *v, int count,
			off_t off)
{
	const int refused = writes ? O_RDONLY : O_WRONLY;
	const bool moves = off == POSITION;
	ssize_t n;

	if ((fcntl(t->fd, F_GETFL) & O_ACCMODE) == refused)
		return -EBADF;
	if (moves)
		off = lseek(t->fd, 0, SEEK_CUR);
	if (off < 0)
		return -EINVAL;
	n = move_each(t, writes, v, count, off);
	if (moves && n > 0)
		lseek(t->fd, off + n, SEEK_SET);
	return n;
}

static int64_t one_buffer(const struct target *t, bool writes, const __u64 *args, off_t off)
{
	const struct iovec v = { (void *)(uintptr_t)args[1], args[2] };

	return transfer(t, writes, &v, 1, off);
}

static int64_t buffers(const struct target *t, bool writes, const __u64 *args, off_t off)
{
	struct iovec v[IOV_MAX];
	int count = (int)args[2];

	if (count < 0 || count > IOV_MAX)
		return -EINVAL;
	if (count && dfd_copy_in(v, (const void *)(uintptr_t)args[1], (size_t)count * sizeof(*v)))
		return -EFAULT;
	return transfer(t, writes, v, count, off);
}

/* A negative offset is an error, but for calls that mean the position by it. */
static off_t offset(uint64_t arg)
{
	return (off_t)arg < 0 ? INT64_MIN : (off_t)arg;
}

static int64_t buffers_2(const struct target *t, bool writes, const __u64 *args)
{
	if ((int)args[5])
		return -EOPNOTSUPP;
	return buffers(t, writes, args, (off_t)args[3] == POSITION ? POSITION : offset(args[3]));
}

static int64_t seek(const struct target *t, off_t off, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
		return -EINVAL;
	if (whence == SEEK_END) {
		off_t end = core_end(t->mount, t->inode);

		if (end < 0)
			return end;
		if (__builtin_add_overflow(end, off, &off))
			return -EOVERFLOW;
		whence = SEEK_SET;
	}
	off = lseek(t->fd, off, whence);
	return off < 0 ? -errno : off;
}

/* ---- the rest ---- */

static void request(const struct target *t, uint32_t number, uint64_t arg, struct notify_answer *a)
{
	shim_server_settle();
	a->result = core_ioctl(t->mount, t->inode, number, (void *)(uintptr_t)arg);
	if (a->result < 0 || !core_makes_fd(t->mount, number))
		return;
	a->fd = (int)a->result;
	a->cloexec = true;
}

static int find_memory(const struct target *t, const __u64 *args, struct core_place *p)
{
	const int prot = (int)args[2], flags = (int)args[3];
	const bool writes = (prot & PROT_WRITE) && (flags & MAP_TYPE) != MAP_PRIVATE;
	int ret = core_check_map(t->mount, fcntl(t->fd, F_GETFL) & O_ACCMODE, args[1], prot, flags,
				 (off_t)args[5]);

	p->len = args[1];
	return ret ? ret : core_map(t->mount, t->inode, args[5], writes, p);
}

/* What reacts is not mappable, so there is nothing else in between. */
static void map(const struct target *t, const __u64 *args, struct notify_answer *a)
{
	struct core_place p;

	a->result = find_memory(t, args, &p);
	if (a->result)
		return;
	a->fd = fcntl(p.fd, F_DUPFD_CLOEXEC, 0);
	a->result = a->fd < 0 ? -errno : 0;
	a->maps = a->fd >= 0;
	a->at = p.at;
}

static void duplicate(const struct target *t, uint64_t lowest, bool cloexec,
		      struct notify_answer *a)
{
	a->fd = lowest > INT_MAX ? -1 : fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
	a->result = lowest > INT_MAX ? -EINVAL : a->fd < 0 ? -errno : 0;
	a->lowest = (uint32_t)lowest;
	a->cloexec = cloexec;
}

/* What only reads a file of sysfs reads that. */
static struct shim_mount *shown_by(int fd)
{
	struct shim_mount *m = stood_for(fd);

	return m && m->node == SHIM_DEVICE ? m : NULL;
}

static bool find_target(int number, struct target *t)
{
	t->fd = dfd_user_fd(number);
	if (t->fd < 0)
		return false;
	t->inode = shim_memfd_inode(t->fd);
	t->mount = t->inode ? core_mount(t->inode) : shown_by(t->fd);
	if (t->mount && !t->inode)
		t->inode = t->mount->inode;
	if (t->mount)
		return true;
	dfd_user_fd_done(t->fd);
	return false;
}

static void on_target(const struct target *t, const struct seccomp_data *c, struct notify_answer *a)
{
	const __u64 *args = c->args;

	switch (c->nr) {
	case SYS_read:
	case SYS_write:
		a->result = one_buffer(t, c->nr == SYS_write, args, POSITION);
		break;
	case SYS_pread64:
	case SYS_pwrite64:
		a->result = one_buffer(t, c->nr == SYS_pwrite64, args, offset(args[3]));
		break;
	case SYS_readv:
	case SYS_writev:
		a->result = buffers(t, c->nr == SYS_writev, args, POSITION);
		break;
	case SYS_preadv:
	case SYS_pwritev:
		a->result = buffers(t, c->nr == SYS_pwritev, args, offset(args[3]));
		break;
	case SYS_preadv2:
	case SYS_pwritev2:
		a->result = buffers_2(t, c->nr == SYS_pwritev2, args);
		break;
	case SYS_lseek:
		a->result = seek(t, (off_t)args[1], (int)args[2]);
		break;
	case SYS_ioctl:
		request(t, (uint32_t)args[1], args[2], a);
		break;
	case SYS_mmap:
		map(t, args, a);
		break;
	case SYS_dup:
		duplicate(t, 0, false, a);
		break;
	case SYS_fcntl:
		duplicate(t, args[2], (int)args[1] == F_DUPFD_CLOEXEC, a);
		break;
	default:
		a->pass_on = true;
	}
}

void notify_do(const struct seccomp_data *call, struct notify_answer *a)
{
	const __u64 *args = call->args;
	struct target t;

	*a = (struct notify_answer){ .pass_on = true, .fd = -1 };
	switch (call->nr) {
#ifdef SYS_open
	case SYS_open:
		do_open(AT_FDCWD, args[0], args[1], a);
		return;
#endif
	case SYS_openat:
		do_open((int)args[0], args[1], args[2], a);
		return;
	case SYS_openat2:
		do_openat2(call, a);
		return;
	case SYS_mmap:
		if ((args[3] & MAP_ANONYMOUS) || !find_target((int)args[4], &t))
			return;
		break;
	default:
		if (!find_target((int)args[0], &t))
			return;
	}
	a->pass_on = false;
	on_target(&t, call, a);
	dfd_user_fd_done(t.fd);
}
