/* SPDX-License-Identifier: MIT */
/*
 * Which fds are devices: see the theory of operation in shim.h.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shim/shim.h"

#define MAX_FDS 65536
#define PAGE	4096u

/*
 * 0, or what the fd was when it was entered: inode of the memfd << 16 | access mode << 14 | number
 * of the mount.
 */
static _Atomic(uint64_t) entries[MAX_FDS];
/* No entry at or above. */
static atomic_int limit;

/*
 * The process whose table of fds the entries describe; another one in a child of vfork(). It is in
 * a page that the kernel wipes in children with a copy of this memory: fork() tells of them, but
 * clone() by itself does not.
 */
static pid_t untold, *owner = &untold;

/* Where the kernel does not wipe, such a child is taken for one of vfork(). */
static void make_owner(void)
{
	void *page =
		NEXT(mmap)(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	if (madvise(page, PAGE, MADV_WIPEONFORK))
		NEXT(munmap)(page, PAGE);
	else
		owner = page;
}

pid_t shim_owner(void)
{
	return owner == &untold ? -1 : *owner;
}

bool shim_vforked(void)
{
	return getpid() != *owner;
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
	out->inode = entry >> 16;
	out->mount = shim_mount_number(entry & 0x3fff);
	return true;
}

int shim_fd_add(int fd, const struct shim_mount *m)
{
	int flags = NEXT(fcntl)(fd, F_GETFL);

	if (fd >= MAX_FDS)
		return -EMFILE;
	if (flags < 0)
		return -errno;
	shim_memfd_seen(fd);
	set_entry(fd, shim_memfd_inode(fd) << 16 | (uint64_t)(flags & O_ACCMODE) << 14 | m->number);
	return 0;
}

int shim_fd_adopt(int fd)
{
	const struct shim_mount *m = shim_mount_of_fd(fd);

	if (m)
		shim_fd_add(fd, m);
	return fd;
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

bool shim_fd_any(uint64_t inode)
{
	int end = atomic_load(&limit);
	struct shim_fd f;

	for (int fd = 0; fd < end; fd++) {
		if (shim_fd_get(fd, &f) && f.inode == inode)
			return true;
	}
	return false;
}

void shim_fd_inherit(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	make_owner();
	*owner = getpid();
	while (dir && (entry = readdir(dir)))
		shim_fd_adopt(atoi(entry->d_name));
	if (dir)
		closedir(dir);
}

void shim_fd_forked(void)
{
	*owner = getpid();
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
