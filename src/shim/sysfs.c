/* SPDX-License-Identifier: MIT */
/*
 * Files of a function in sysfs that are its registers: config, resourceN, rom and reset.
 *
 * Theory of operation: an fd of one is an opening of a memfd that all its openings share, as that
 * of a device is. The memfd of config holds what the registers were at the last opening, because
 * stdio reads inside libc. What a call does, and its errno, are as in the kernel: sysfs first cuts
 * what goes past the end of the file, moves no more than a page, and then asks the file.
 *
 * stdio also writes inside libc, and so does `echo 1 >reset` of bash. So the memfd of reset can be
 * written, and what lies in it is looked at before the device is used again. A write to config must
 * be known exactly, also one of what is there already, and so is refused in this way.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/sysfs.h"
#include "util/usermem.h"

#define PAGE		4096u
#define CONFIG_SIZE	256u
#define CONFIG_SIZE_EXP 4096u

static uint32_t region_index(const struct shim_mount *m)
{
	if (m->index == SHIM_SYSFS_CONFIG)
		return DFD_PCI_CONFIG;
	if (m->index == SHIM_SYSFS_ROM)
		return DFD_PCI_ROM;
	return (m->index - SHIM_SYSFS_RESOURCE) % 6;
}

/* Locked. Return: NULL for a file that a function without that region does not have */
static const struct dfd_region *region_of(const struct shim_mount *m)
{
	return dfd_desc_region(dfd_device_desc(m->device->dev), region_index(m));
}

static bool is_ports(const struct shim_mount *m)
{
	return region_of(m)->flags & DFD_REGION_IOPORT;
}

/* Locked. */
static uint64_t size_of(const struct shim_mount *m)
{
	const struct dfd_region *r = region_of(m);

	if (m->index == SHIM_SYSFS_CONFIG)
		return r->size > CONFIG_SIZE ? CONFIG_SIZE_EXP : CONFIG_SIZE;
	return r->size;
}

struct shim_mount *sysfs_mount(uint64_t inode)
{
	struct shim_mount *m;

	for (uint32_t i = 0; (m = shim_mount_file(i)); i++) {
		if (m->inode && m->inode == inode)
			return m;
	}
	return NULL;
}

/* ---- configuration space ---- */

/* The widest access that is aligned and not longer than what is left. */
static size_t width(uint64_t off, size_t left)
{
	if (off % 2 || left < 2)
		return 1;
	return off % 4 || left < 4 ? 2 : 4;
}

/* What is not answered reads as all ones, and a write to it is lost. */
static void move_config(const struct shim_mount *m, bool writes, uint8_t *bytes, size_t len,
			uint64_t off)
{
	while (len) {
		size_t n = width(off, len);

		if (writes)
			dfd_region_write(m->device->dev, DFD_PCI_CONFIG, off, bytes, n);
		else if (dfd_region_read(m->device->dev, DFD_PCI_CONFIG, off, bytes, n) !=
			 (ssize_t)n)
			memset(bytes, 0xff, n);
		bytes += n;
		off += n;
		len -= n;
	}
}

/* ---- the others ---- */

static ssize_t move_ports(const struct shim_mount *m, bool writes, uint8_t *bytes, size_t len,
			  uint64_t off)
{
	struct dfd_device *dev = m->device->dev;
	ssize_t n;

	if (len != 1 && len != 2 && len != 4)
		return -EINVAL;
	n = writes ? dfd_region_write(dev, region_index(m), off, bytes, len)
		   : dfd_region_read(dev, region_index(m), off, bytes, len);
	if (n != (ssize_t)len && !writes)
		memset(bytes, 0xff, len);
	return (ssize_t)len;
}

/* Writing anything but a 0 has the ROM decoded, so that it can be read. */
static ssize_t move_rom(struct shim_mount *m, bool writes, uint8_t *bytes, size_t len, uint64_t off)
{
	if (writes)
		m->enabled = off || len != 2 || bytes[0] != '0';
	else if (!m->enabled)
		return -EINVAL;
	else if (dfd_region_read(m->device->dev, DFD_PCI_ROM, off, bytes, len) != (ssize_t)len)
		return -EIO;
	return (ssize_t)len;
}

static ssize_t move_reset(const struct shim_mount *m, const uint8_t *bytes, size_t len)
{
	char text[8] = { 0 }, *end;
	unsigned long value;
	int ret;

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, bytes, len);
	value = strtoul(text, &end, 0);
	end += *end == '\n';
	if (value != 1 || *end || end != text + len)
		return -EINVAL;
	ret = dfd_device_reset(m->device->dev);
	return ret ? ret : (ssize_t)len;
}

/* Bytes are taken one by one, so that what is written meanwhile is not lost. */
static bool is_written(const struct shim_mount *reset)
{
	bool ones = false, others = false, asked = false;

	for (size_t i = 0; i < PAGE; i++) {
		char c = (char)__atomic_exchange_n(&reset->image[i], 0, __ATOMIC_RELAXED);

		if (c && c != '\n') {
			ones |= c == '1';
			others |= c != '1';
			continue;
		}
		asked |= ones && !others;
		ones = others = false;
	}
	return asked || (ones && !others);
}

void sysfs_written(struct shim_mount *device)
{
	static const uint8_t nothing[PAGE];
	const struct shim_mount *m = device->reset;

	if (memcmp(m->image, nothing, PAGE) == 0 || !is_written(m))
		return;
	device->touched = true;
	dfd_device_reset(device->dev);
}

/* Locked, in a page of ours. */
static ssize_t move_locked(struct shim_mount *m, bool writes, uint8_t *bytes, size_t len,
			   uint64_t off)
{
	m->device->touched |= writes;
	switch (m->index) {
	case SHIM_SYSFS_CONFIG:
		move_config(m, writes, bytes, len, off);
		return (ssize_t)len;
	case SHIM_SYSFS_RESET:
		return move_reset(m, bytes, len);
	case SHIM_SYSFS_ROM:
		return move_rom(m, writes, bytes, len, off);
	default:
		return is_ports(m) ? move_ports(m, writes, bytes, len, off) : -EIO;
	}
}

ssize_t sysfs_move(struct shim_mount *m, bool writes, uint8_t *user, size_t len, uint64_t off)
{
	uint8_t bytes[PAGE];
	uint64_t size;
	ssize_t ret = core_lock(m->device);

	if (ret)
		return ret;
	size = m->index == SHIM_SYSFS_RESET ? UINT64_MAX : size_of(m);
	len = len < PAGE ? len : PAGE;
	len = off < size && len > size - off ? (size_t)(size - off) : len;
	if (off >= size)
		ret = writes ? -EFBIG : 0;
	else if (writes && dfd_copy_in(bytes, user, len))
		ret = -EFAULT;
	else
		ret = move_locked(m, writes, bytes, len, off);
	core_unlock(m->device);
	if (ret <= 0 || writes)
		return ret;
	return dfd_copy_out(user, bytes, (size_t)ret) ? -EFAULT : ret;
}

off_t sysfs_end(struct shim_mount *m)
{
	off_t ret = core_lock(m->device);

	if (ret)
		return ret;
	ret = m->index == SHIM_SYSFS_RESET ? PAGE : (off_t)size_of(m);
	core_unlock(m->device);
	return ret;
}

int sysfs_map(struct shim_mount *m, uint64_t off, bool writes, struct core_place *p)
{
	int ret = core_lock(m->device);

	if (ret)
		return ret;
	p->index = region_index(m);
	p->within = off;
	ret = m->index < SHIM_SYSFS_RESOURCE || is_ports(m) ? -ENODEV
							    : core_place(m->device->dev, writes, p);
	m->device->touched |= writes && ret >= 0;
	core_unlock(m->device);
	return ret;
}

/* ---- opening ---- */

static size_t image_size(const struct shim_mount *m)
{
	if (m->index == SHIM_SYSFS_RESET)
		return PAGE;
	return m->index == SHIM_SYSFS_CONFIG ? size_of(m) : 0;
}

/* The program must not write to it, but for reset; and we do so by a map. */
static int make_image(struct shim_mount *m, int fd)
{
	const int kept = m->index == SHIM_SYSFS_RESET ? 0 : F_SEAL_FUTURE_WRITE;
	const size_t size = image_size(m);
	void *map = NULL;

	if (size && !ftruncate(fd, (off_t)size))
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || (size && !map) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | kept))
		return -errno;
	if (m->image)
		munmap(m->image, size);
	m->image = map;
	if (m->index != SHIM_SYSFS_RESET)
		return 0;
	m->device->reset = m;
	return side_written(fd);
}

static int make_memfd(struct shim_mount *m)
{
	int fd, ret;

	side_enter();
	fd = shim_mount_new_memfd(m);
	side_leave();
	ret = fd < 0 ? fd : make_image(m, fd);
	if (ret) {
		if (fd >= 0)
			NEXT(close)(fd);
		return ret;
	}
	m->memfd = fd;
	m->inode = shim_memfd_inode(fd);
	return 0;
}

/* A program that closes every number has closed ours as well. */
static int open_locked(struct shim_mount *m, int flags)
{
	char path[32];
	int fd, ret = 0;

	if (m->index != SHIM_SYSFS_RESET && !region_of(m))
		return -ENOENT;
	if (m->index == SHIM_SYSFS_RESET && (flags & O_ACCMODE) != O_WRONLY)
		return -EACCES;
	if (m->memfd < 0 || shim_memfd_inode(m->memfd) != m->inode)
		ret = make_memfd(m);
	if (ret)
		return ret;
	if (m->index == SHIM_SYSFS_CONFIG)
		move_config(m, false, m->image, size_of(m), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", m->memfd);
	fd = NEXT(open)(path, flags);
	return fd < 0 ? -errno : fd;
}

int sysfs_open(struct shim_mount *m, int flags)
{
	int fd = core_lock(m->device);

	if (fd)
		return fd;
	fd = open_locked(m, flags);
	core_unlock(m->device);
	return fd;
}
