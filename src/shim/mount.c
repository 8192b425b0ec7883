/* SPDX-License-Identifier: MIT */
/*
 * Paths with a device behind them, in the process of the program: finding, opening and forking.
 *
 * Where the devices are in this process, too (--in-process), a child of fork() has a copy of them
 * in the state of that moment, and a program that is executed opens them anew.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/process.h"
#include "kernel/root.h"
#include "shim/client.h"
#include "shim/core.h"
#include "shim/ioeventfd.h"
#include "shim/live.h"
#include "shim/shim.h"
#include "shim/trap.h"
#include "shim/vfio.h"

/* This thread is opening a device: what it opens on the way are files, not mounts. */
static __thread bool opening;

/* ---- finding ---- */

/* The directory that a relative path starts from. */
static bool start_directory(int dirfd, char *out, size_t size)
{
	char link[32];
	ssize_t n;

	if (dirfd == AT_FDCWD)
		return getcwd(out, size);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	n = readlink(link, out, size);
	if (n < 0 || (size_t)n >= size)
		return false;
	out[n] = '\0';
	return true;
}

static bool same_path(const struct shim_mount *m, int dirfd, const char *path)
{
	char base[4096], absolute[SHIM_MAX_PATH];
	int saved = errno;
	bool same;

	same = (path[0] == '/' || start_directory(dirfd, base, sizeof(base))) &&
	       shim_path_absolute(base, path, absolute, sizeof(absolute)) &&
	       !strcmp(shim_unview(absolute), m->path);
	errno = saved;
	return same;
}

bool shim_any(void)
{
	return shim_mount_number(1);
}

static __attribute__((noinline)) struct shim_mount *find(int dirfd, const char *path)
{
	const char *slash, *base;
	struct shim_mount *m;

	if (opening)
		return NULL;
	slash = strrchr(path, '/');
	base = slash ? slash + 1 : path;
	for (uint32_t i = 1; (m = shim_mount_number(i)); i++) {
		if (!strcmp(m->base, base) && same_path(m, dirfd, path))
			return m;
	}
	return live_find(dirfd, path, base);
}

/* Nearly every other path ends here, and that is all it costs. */
struct shim_mount *shim_find(int dirfd, const char *path)
{
	return path && shim_endings[shim_ending(path)] ? find(dirfd, path) : NULL;
}

/* ---- opening ---- */

int shim_open(struct shim_mount *m, int flags)
{
	int ret = m->node == SHIM_SYSFS ? live_may_open(m, flags) : 0, fd;

	if (ret)
		return ret;
	fd = m->supervisor ? client_open(m, flags) : core_open(m, flags);
	ret = fd < 0 ? fd : shim_fd_add(fd, m);
	if (ret && fd >= 0)
		NEXT(close)(fd);
	return ret ? ret : fd;
}

int shim_stdio_open(struct shim_mount *m, int access, char *path, size_t size)
{
	const bool can = m->node == SHIM_DEVICE || m->node == SHIM_SYSFS;
	int fd = can ? shim_open(m, access | O_CLOEXEC) : -EINVAL;

	if (fd >= 0)
		snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

int shim_stdio_keep(struct shim_mount *m, int access, char *path, size_t size)
{
	static struct {
		int fd;
		uint64_t inode;
	} kept[SHIM_MAX_NUMBER];
	int fd = kept[m->number].fd;

	if (!kept[m->number].inode || shim_memfd_inode(fd) != kept[m->number].inode) {
		fd = shim_stdio_open(m, access, path, size);
		if (fd < 0)
			return fd;
		kept[m->number].fd = fd;
		kept[m->number].inode = shim_memfd_inode(fd);
	}
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return 0;
}

/* ---- what is particular to devices in this process ---- */

bool side_vforked(void)
{
	return shim_vforked();
}

static __thread int low_fds[SHIM_LOW_FDS];

void side_enter(void)
{
	opening = true;
	shim_low_fds_take(low_fds, SHIM_LOW_FDS);
}

void side_leave(void)
{
	shim_low_fds_release(low_fds, SHIM_LOW_FDS);
	opening = false;
}

int side_serve(struct shim_mount *m)
{
	return dfd_service_thread(m->dev);
}

/* A child of fork() has its own copy, so only the fds of this process count. */
int side_keep(int memfd, int *keep)
{
	(void)memfd;
	*keep = -1;
	return 0;
}

/* Who uses the device next sees it. */
int side_written(int memfd)
{
	(void)memfd;
	return 0;
}

bool side_in_use(int keep, uint64_t inode)
{
	(void)keep;
	return shim_fd_any(inode);
}

/* ---- forking: no thread of the parent may be inside a device at that moment ---- */

static void fork_prepare(void)
{
	struct shim_mount *m;

	trap_fork_prepare();

	for (uint32_t i = 1; (m = shim_mount_number(i)); i++)
		shim_mutex_lock(&m->position);
	vfio_fork_prepare();
	for (uint32_t i = 1; (m = shim_mount_number(i)); i++) {
		shim_mutex_lock(&m->lock);
		if (m->dev)
			device_fork_prepare(m->dev);
	}
	client_fork_prepare();
}

static void unlock_all(void)
{
	struct shim_mount *m;

	for (uint32_t i = 1; (m = shim_mount_number(i)); i++) {
		shim_mutex_unlock(&m->lock);
		shim_mutex_unlock(&m->position);
	}
}

static void fork_parent(void)
{
	struct shim_mount *m;

	client_fork_done();
	for (uint32_t i = 1; (m = shim_mount_number(i)); i++) {
		if (m->dev)
			device_fork_parent(m->dev);
	}
	unlock_all();
	vfio_fork_parent();
	trap_fork_done();
}

static void fork_child(void)
{
	struct shim_mount *m;

	client_fork_done();
	for (uint32_t i = 1; (m = shim_mount_number(i)); i++) {
		if (m->dev)
			device_fork_child(m->dev);
		ioeventfd_forked(m);
		/* Started again when the device is used; most children only execute a program. */
		m->served = false;
	}
	unlock_all();
	shim_fd_forked();
	vfio_fork_child();
	trap_fork_done();
}

/* ---- setting up ---- */

/* The addresses stay in the copies. */
static char *copy_of(const char *variable)
{
	const char *value = getenv(variable);

	return value ? strdup(value) : NULL;
}

__attribute__((constructor)) static void set_up(void)
{
	static char *kept[3];
	const char *view;

	kept[0] = copy_of(SHIM_ENV);
	kept[1] = copy_of(SHIM_ENV_VFIO);
	kept[2] = copy_of(SHIM_ENV_MACHINE);
	if (kept[2])
		root_set_here(kept[2]);
	view = shim_mounts_set(kept[0], kept[1]);
	if (view)
		shim_view_set(view);
	if (!shim_mount_number(1))
		return;
	trap_masks_start();
	shim_fd_inherit();
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}
