/* SPDX-License-Identifier: MIT */
/* What the kernel cannot do on the fd of a device: reach regions, map them, answer ioctls. */
#include <fcntl.h>
#include <sys/mman.h>

#include "abi/vfio.h"
#include "device/process.h"
#include "shim/core.h"
#include "shim/sysfs.h"
#include "shim/vfio.h"
#include "shim/way.h"

/* Bytes moved with one look at the caller's buffer; also what a device sees as one access. */
#define PIECE 4096

#define PAGE UINT64_C(4096)

int core_open(struct shim_mount *m, int flags)
{
	/* The others make no sense on a device, or would not work on a sealed file. */
	const int keep = O_ACCMODE | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOATIME;

	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	if (m->node == SHIM_SYSFS)
		return sysfs_open(m, flags & keep);
	return m->node == SHIM_DEVICE ? core_open_device(m, flags & keep)
				      : vfio_open(m, flags & keep);
}

struct shim_mount *core_mount(uint64_t inode)
{
	struct shim_mount *m;

	for (uint32_t i = 1; (m = shim_mount_number(i)); i++) {
		if (m->node == SHIM_DEVICE && m->dev && m->inode == inode)
			return m;
	}
	m = vfio_mount(inode);
	return m ? m : sysfs_mount(inode);
}

/* A device behind VFIO has to be in use, and nothing else there is read or written. */
static int lock(struct shim_mount *m, uint64_t inode)
{
	int ret = m->node == SHIM_DEVICE ? 0 : vfio_access(inode);

	return ret ? ret : core_lock(m);
}

static ssize_t move_here(struct dfd_file *file, bool writes, void *data, size_t len,
			 uint64_t offset)
{
	return writes ? dfd_file_pwrite(file, data, len, offset)
		      : dfd_file_pread(file, data, len, offset);
}

ssize_t core_move(struct shim_mount *m, uint64_t inode, bool writes, void *data, size_t len,
		  uint64_t off)
{
	ssize_t n;

	if (m->node == SHIM_SYSFS)
		return sysfs_move(m, writes, data, len, off);
	n = lock(m, inode);
	if (n)
		return n;
	n = move_here(m->file, writes, data, len, off);
	core_unlock(m);
	return n;
}

/* @user is the caller's buffer, which need not be valid. */
static ssize_t move_piece(struct dfd_file *file, bool writes, uint8_t *user, size_t len,
			  uint64_t offset)
{
	uint8_t piece[PIECE];
	int ret = writes ? dfd_copy_in(piece, user, len) : 0;
	ssize_t n = ret ? ret : move_here(file, writes, piece, len, offset);

	if (writes)
		return n;
	ret = n > 0 ? dfd_copy_out(user, piece, (size_t)n) : 0;
	return ret ? ret : n;
}

static ssize_t move(struct shim_mount *m, uint64_t inode, bool writes, uint8_t *user, size_t len,
		    uint64_t offset)
{
	size_t done = 0;
	ssize_t n = lock(m, inode);

	if (n)
		return n;
	while (done < len) {
		size_t want = len - done < PIECE ? len - done : PIECE;

		n = move_piece(m->file, writes, user + done, want, offset + done);
		if (n < 0)
			break;
		done += (size_t)n;
		if ((size_t)n < want)
			break;
	}
	core_unlock(m);
	return n < 0 && !done ? n : (ssize_t)done;
}

ssize_t core_read(struct shim_mount *m, uint64_t inode, void *buf, size_t len, uint64_t off)
{
	return m->node == SHIM_SYSFS ? sysfs_move(m, false, buf, len, off)
				     : move(m, inode, false, buf, len, off);
}

ssize_t core_write(struct shim_mount *m, uint64_t inode, const void *buf, size_t len, uint64_t off)
{
	uint8_t *user = (uint8_t *)(uintptr_t)buf;

	return m->node == SHIM_SYSFS ? sysfs_move(m, true, user, len, off)
				     : move(m, inode, true, user, len, off);
}

int core_ioctl(struct shim_mount *m, uint64_t inode, uint32_t request, void *arg)
{
	int ret;

	if (m->node == SHIM_SYSFS)
		return -ENOTTY;
	ret = m->node == SHIM_DEVICE ? -ENODATA : vfio_ioctl(inode, request, arg);
	if (ret != -ENODATA)
		return ret;
	ret = core_lock(m);
	if (ret)
		return ret;
	ret = dfd_file_ioctl(m->file, request, arg);
	core_unlock(m);
	return ret;
}

bool core_makes_fd(const struct shim_mount *m, uint32_t request)
{
	if (m->node == SHIM_GROUP)
		return request == VFIO_GROUP_GET_DEVICE_FD;
	return shim_mount_maps(m) && request == VFIO_DEVICE_GET_GFX_DMABUF;
}

off_t core_end(struct shim_mount *m, uint64_t inode)
{
	uint64_t end;
	int ret;

	if (m->node == SHIM_SYSFS)
		return sysfs_end(m);
	ret = lock(m, inode);
	if (ret)
		return ret;
	end = dfd_file_end(dfd_device_desc(m->dev));
	core_unlock(m);
	return end > INT64_MAX ? -EOVERFLOW : (off_t)end;
}

int core_check_map(const struct shim_mount *m, int access, size_t len, int prot, int flags,
		   off_t off)
{
	const bool private = (flags & MAP_TYPE) == MAP_PRIVATE;
	const bool writes = (prot & PROT_WRITE) && !private;

	/* Of VFIO's files only those of devices can be mapped. */
	if (m->node != SHIM_SYSFS && !shim_mount_maps(m))
		return -ENODEV;
	if (access != O_RDWR && (writes || access != O_RDONLY))
		return -EACCES;
	return !len || off < 0 || (private && m->node != SHIM_SYSFS) ? -EINVAL : 0;
}

/* Pages of a region: the last one may go on past its end. */
static int check_pages(const struct dfd_region *r, const struct core_place *p, bool writes)
{
	uint64_t size = (r->size + PAGE - 1) / PAGE * PAGE;

	if (p->within % PAGE || p->within >= size || p->len > size - p->within)
		return -EINVAL;
	return writes && (r->flags & DFD_REGION_READ_ONLY) ? -EINVAL : 0;
}

int core_place(struct dfd_device *dev, bool writes, struct core_place *p)
{
	const struct dfd_region *r;
	int ret = device_map_source(dev, p->index, p->within, p->len, writes, &p->fd, &p->at);

	r = dfd_desc_region(dfd_device_desc(dev), p->index);
	if (!ret || !shim_may_trap(dev, r))
		return ret;
	ret = check_pages(r, p, writes);
	return ret ? ret : 1;
}

int core_map(struct shim_mount *m, uint64_t inode, uint64_t off, bool writes, struct core_place *p)
{
	int ret;

	if (m->node == SHIM_SYSFS)
		return sysfs_map(m, off, writes, p);
	ret = lock(m, inode);
	if (ret)
		return ret;
	ret = dfd_file_locate(dfd_device_desc(m->dev), off, &p->index, &p->within);
	if (!ret)
		ret = core_place(m->dev, writes, p);
	core_unlock(m);
	return ret;
}

int core_area(struct shim_mount *m, bool writes, struct core_place *p)
{
	const uint64_t end = p->within + p->len;
	const struct dfd_region *r;
	int ret = core_lock(m);

	if (ret)
		return ret;
	r = dfd_desc_region(dfd_device_desc(m->dev), p->index);
	for (uint32_t i = 0; r && i < r->num_areas; i++) {
		uint64_t from = r->areas[i].offset, to = from + r->areas[i].size;

		from = from > p->within ? from : p->within;
		to = to < end ? to : end;
		if (from >= to ||
		    device_map_source(m->dev, p->index, from, to - from, writes, &p->fd, &p->at))
			continue;
		p->within = from;
		p->len = to - from;
		core_unlock(m);
		return 0;
	}
	core_unlock(m);
	return 1;
}

int core_access(struct shim_mount *m, uint32_t index, uint64_t offset, void *buf, size_t len,
		bool writes)
{
	ssize_t n = core_lock(m);

	if (n)
		return (int)n;
	n = writes ? dfd_region_write(m->dev, index, offset, buf, len)
		   : dfd_region_read(m->dev, index, offset, buf, len);
	core_unlock(m);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EIO;
}
