/* SPDX-License-Identifier: MIT */
/*
 * Which fds are devices: see the theory of operation in shim.h.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shim/shim.h"
#include "shim/vfio.h"

#define MAX_FDS 65536

/*
 * 0, or what the fd was when it was entered: inode of the memfd << 16 | access mode << 14 | number.
 * Up to SHIM_MAX_MOUNTS the number is that of a mount, above that of an object of VFIO.
 */
static _Atomic(uint64_t) entries[MAX_FDS];
/* No entry at or above. */
static atomic_int limit;

/* The process whose table of fds the entries describe; another one in a child of vfork(). */
static pid_t owner;

/* All memfds have the same. */
static _Atomic(dev_t) memfd_dev;

bool shim_vforked(void)
{
	return getpid() != owner;
}

uint64_t shim_memfd_inode(int fd)
{
	struct stat st;

	return NEXT(fstat)(fd, &st) || st.st_dev != memfd_dev ? 0 : st.st_ino & UINT64_MAX >> 16;
}

void shim_memfd_seen(int fd)
{
	struct stat st;

	if (!NEXT(fstat)(fd, &st))
		memfd_dev = st.st_dev;
}

static void set_entry(int fd, uint64_t entry)
{
	int seen = atomic_load(&limit);

	atomic_store(&entries[fd], entry);
	while (seen <= fd && !atomic_compare_exchange_weak(&limit, &seen, fd + 1))
		;
}

/* The number has got another meaning. A child of vfork() must not tell its parent so. */
static void forget(int fd, uint64_t entry)
{
	if (!shim_vforked())
		atomic_compare_exchange_strong(&entries[fd], &entry, 0);
}

bool shim_fd_get(int fd, struct shim_fd *out)
{
	int saved = errno;
	uint64_t entry;

	if (fd < 0 || fd >= MAX_FDS)
		return false;
	entry = atomic_load_explicit(&entries[fd], memory_order_relaxed);
	if (!entry)
		return false;
	if (shim_memfd_inode(fd) != entry >> 16) {
		forget(fd, entry);
		errno = saved;
		return false;
	}
	out->access = entry >> 14 & O_ACCMODE;
	out->object = vfio_object_number((entry & 0x3fff) - SHIM_MAX_MOUNTS);
	out->mount = out->object ? out->object->mount : shim_mount_number(entry & 0x3fff);
	return true;
}

static int add_number(int fd, uint32_t number)
{
	int flags = NEXT(fcntl)(fd, F_GETFL);

	if (fd >= MAX_FDS)
		return -EMFILE;
	if (flags < 0)
		return -errno;
	set_entry(fd, shim_memfd_inode(fd) << 16 | (uint64_t)(flags & O_ACCMODE) << 14 | number);
	return 0;
}

int shim_fd_add(int fd, struct shim_mount *m)
{
	return add_number(fd, m->number);
}

int shim_fd_add_object(int fd, uint32_t number)
{
	return add_number(fd, SHIM_MAX_MOUNTS + number);
}

int shim_fd_copy(int from, int to)
{
	if (from >= 0 && from < MAX_FDS && to >= 0 && to < MAX_FDS) {
		uint64_t entry = atomic_load_explicit(&entries[from], memory_order_relaxed);

		if (entry)
			set_entry(to, entry);
	}
	return to;
}

bool shim_fd_any(const struct shim_mount *m)
{
	int end = atomic_load(&limit);
	struct shim_fd f;

	for (int fd = 0; fd < end; fd++) {
		if (shim_fd_get(fd, &f) && f.mount == m)
			return true;
	}
	return false;
}

bool shim_fd_any_object(const struct vfio_object *object)
{
	int end = atomic_load(&limit);
	struct shim_fd f;

	for (int fd = 0; fd < end; fd++) {
		if (shim_fd_get(fd, &f) && f.object == object)
			return true;
	}
	return false;
}

void shim_fd_adopt(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	owner = getpid();
	while (dir && (entry = readdir(dir))) {
		char link[256];
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		struct shim_mount *m;

		if (n <= 0)
			continue;
		link[n] = '\0';
		m = shim_mount_of_memfd(link);
		if (m) {
			shim_memfd_seen(atoi(entry->d_name));
			shim_fd_add(atoi(entry->d_name), m);
		}
	}
	if (dir)
		closedir(dir);
}

void shim_fd_forked(void)
{
	owner = getpid();
}

void shim_low_fds_take(int *fds, size_t count)
{
	struct rlimit allowed = { 0 };

	for (size_t i = 0; i < count; i++)
		fds[i] = -1;
	getrlimit(RLIMIT_NOFILE, &allowed);
	if (allowed.rlim_cur < 2 * SHIM_LOW_FDS)
		return; /* the device needs some, too */
	fds[0] = NEXT(open)("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 1; i < count && fds[i - 1] >= 0 && fds[i - 1] < SHIM_LOW_FDS; i++)
		fds[i] = NEXT(fcntl)(fds[0], F_DUPFD_CLOEXEC, 0);
}

void shim_low_fds_release(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}
