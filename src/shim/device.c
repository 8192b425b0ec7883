/* SPDX-License-Identifier: MIT */
/*
 * The device of a mount.
 *
 * It is opened at its first use and lives as long as this process. When it is opened again, and
 * nobody has it open any more, it is put back as a kernel driver would have left it, interrupts off
 * and reset.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/open.h>
#include <devfd/table.h>

#include "shim/core.h"
#include "shim/ioeventfd.h"
#include "shim/sysfs.h"
#include "shim/way.h"

int core_write_table(const struct shim_mount *m, int fd)
{
	const struct dfd_desc *desc = dfd_device_desc(m->dev);
	struct dfd_table_cursor cursor = { 0 };
	char piece[4096];
	off_t pos = 0;
	size_t n;

	while ((n = dfd_table_read(desc, &cursor, (uint64_t)pos, piece, sizeof(piece)))) {
		if (NEXT(pwrite)(fd, piece, n, pos) != (ssize_t)n)
			return -EIO;
		pos += (off_t)n;
	}
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
		       ? -errno
		       : 0;
}

/* Return: the fd that stays, or a negative errno */
static int make_memfd(struct shim_mount *m)
{
	int fd = shim_mount_new_memfd(m), keep = -1;
	int ret = fd < 0 ? fd : core_write_table(m, fd);

	if (!ret) {
		m->inode = shim_memfd_inode(fd);
		ret = side_keep(fd, &keep);
	}
	if (!ret && keep < 0)
		return fd;
	if (fd >= 0)
		NEXT(close)(fd);
	return ret ? ret : keep;
}

static int open_device(struct shim_mount *m, struct dfd_error *err)
{
	int ret = dfd_open(m->address, &m->dev, err);

	if (ret)
		return ret;
	m->file = shim_tell_ways(m->dev) ? NULL : dfd_file_new(m->dev);
	m->memfd = m->file ? make_memfd(m) : -ENOMEM;
	if (m->memfd >= 0)
		return 0;
	dfd_file_free(m->file);
	dfd_device_close(m->dev);
	m->dev = NULL;
	return m->memfd;
}

/* What is missing of: the device, its table, whoever serves it. */
static int start(struct shim_mount *m, struct dfd_error *err)
{
	int ret = 0;

	if (side_vforked())
		return -EAGAIN; /* the fds would be the child's and the memory the parent's */
	side_enter();
	if (!m->dev)
		ret = open_device(m, err);
	if (!ret)
		ret = side_serve(m);
	m->served = !ret;
	side_leave();
	return ret;
}

int core_start(struct shim_mount *m, struct dfd_error *err)
{
	int ret;

	shim_mutex_lock(&m->lock);
	ret = m->served ? 0 : start(m, err);
	shim_mutex_unlock(&m->lock);
	return ret;
}

int core_lock(struct shim_mount *m)
{
	int ret = 0;

	shim_mutex_lock(&m->lock);
	if (!m->served)
		ret = start(m, NULL);
	if (ret) {
		shim_mutex_unlock(&m->lock);
		return ret;
	}
	if (m->bells)
		ioeventfd_run(m);
	if (m->reset)
		sysfs_written(m);
	return 0;
}

void core_unlock(struct shim_mount *m)
{
	shim_mutex_unlock(&m->lock);
}

void core_released(struct shim_mount *m)
{
	const struct dfd_desc *desc = dfd_device_desc(m->dev);

	for (uint32_t i = 0; i < dfd_desc_irq_limit(desc); i++) {
		const struct dfd_irq_set off = {
			.flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER,
			.index = i,
		};

		if (dfd_desc_vectors(desc, i))
			dfd_set_irqs(m->dev, &off);
	}
	dfd_device_reset(m->dev);
}

void core_taken(struct shim_mount *m)
{
	if (core_lock(m))
		return;
	if (m->touched)
		core_released(m);
	m->touched = false;
	core_unlock(m);
}

/* Locked. */
static void sweep(struct shim_mount *m)
{
	if (!m->dev || !m->used || side_in_use(m->memfd, m->inode))
		return;
	m->used = false;
	core_released(m);
}

/*
 * As core_lock(), for a new opening.
 *
 * A program that closes every number it can think of, as daemons do, has closed what is inside the
 * device as well: then that one is given up, and another one opened.
 */
static int lock_for_open(struct shim_mount *m)
{
	int ret;

	shim_mutex_lock(&m->lock);
	if (m->dev && shim_memfd_inode(m->memfd) != m->inode) {
		m->dev = NULL;
		m->served = false;
	}
	sweep(m);
	ret = m->served ? 0 : start(m, NULL);
	if (ret)
		shim_mutex_unlock(&m->lock);
	return ret;
}

int core_open_device(struct shim_mount *m, int flags)
{
	char path[32];
	int fd, ret = lock_for_open(m);

	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", m->memfd);
	fd = NEXT(open)(path, flags);
	if (fd < 0)
		fd = -errno;
	else
		m->used = true;
	core_unlock(m);
	return fd;
}
