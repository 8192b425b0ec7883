/* SPDX-License-Identifier: MIT */
/* The namespace as a file, read and written with plain system calls, which block. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/nvme/nvme.h"

/* ---- opening ---- */

static int refuse(struct nvme_disk *disk, const char *path, int code, const char *what,
		  struct dfd_error *err)
{
	nvme_disk_close(disk);
	return dfd_error_set(err, code, "model:nvme: image %s: %s", path, what);
}

/* A new file is made only where a size is asked for. */
static int open_file(struct nvme_disk *disk, const char *path, uint64_t size)
{
	int flags = O_CLOEXEC | O_NONBLOCK | (disk->read_only ? O_RDONLY : O_RDWR);

	disk->fd = open(path, flags);
	if (disk->fd >= 0 || errno != ENOENT || !size || disk->read_only)
		return disk->fd < 0 ? -errno : 0;
	disk->fd = open(path, flags | O_CREAT | O_EXCL, 0666);
	if (disk->fd < 0)
		return -errno;
	if (ftruncate(disk->fd, (off_t)size)) {
		int ret = -errno;

		unlink(path);
		return ret;
	}
	return 0;
}

static int file_size(const struct nvme_disk *disk, uint64_t *size)
{
	struct stat st;
	off_t end;

	if (fstat(disk->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -EINVAL;
	end = lseek(disk->fd, 0, SEEK_END);
	if (end < 0)
		return -errno;
	*size = (uint64_t)end;
	return 0;
}

int nvme_disk_open(struct nvme_disk *disk, const char *path, uint64_t size, bool read_only,
		   struct dfd_error *err)
{
	uint64_t found = 0;
	int ret;

	disk->read_only = read_only;
	if (size % NVME_BLOCK)
		return dfd_error_set(err, -EINVAL,
				     "model:nvme: size=%" PRIu64 " is not a multiple of 512", size);
	ret = open_file(disk, path, size);
	if (ret == -ENOENT && !size)
		return refuse(disk, path, ret, "it does not exist; size= makes one", err);
	if (ret)
		return refuse(disk, path, ret, strerror(-ret), err);
	ret = file_size(disk, &found);
	if (ret)
		return refuse(disk, path, ret, "it is neither a file nor a block device", err);
	if (!found || found % NVME_BLOCK)
		return refuse(disk, path, -EINVAL,
			      "its size is not a multiple of 512 bytes above 0; choose another "
			      "file, or one that does not exist and size=",
			      err);
	if (size && size != found)
		return refuse(disk, path, -EINVAL, "it exists with another size; leave size= out",
			      err);
	if (flock(disk->fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB))
		return refuse(disk, path, -EBUSY, "another device uses it", err);
	disk->blocks = found / NVME_BLOCK;
	return 0;
}

void nvme_disk_close(struct nvme_disk *disk)
{
	if (disk->fd >= 0)
		close(disk->fd);
	disk->fd = -1;
}

/* ---- access ---- */

static off_t offset_of(uint64_t block)
{
	return (off_t)(block * NVME_BLOCK);
}

int nvme_disk_read(const struct nvme_disk *disk, uint64_t block, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(disk->fd, (uint8_t *)buf + done, len - done,
				  offset_of(block) + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO; /* somebody has cut the file */
		done += (size_t)n;
	}
	return 0;
}

bool nvme_disk_readv(const struct nvme_disk *disk, uint64_t block, const struct iovec *pieces,
		     uint32_t count, size_t len)
{
	return preadv(disk->fd, pieces, (int)count, offset_of(block)) == (ssize_t)len;
}

int nvme_disk_write(const struct nvme_disk *disk, uint64_t block, const void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(disk->fd, (const uint8_t *)buf + done, len - done,
				   offset_of(block) + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int nvme_disk_flush(const struct nvme_disk *disk)
{
	return disk->read_only || !fdatasync(disk->fd) ? 0 : -errno;
}

static int punch(const struct nvme_disk *disk, uint64_t block, uint64_t count)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(disk->fd, mode, offset_of(block), offset_of(count)) ? -errno : 0;
}

int nvme_disk_zero(const struct nvme_disk *disk, uint64_t block, uint64_t count)
{
	static const uint8_t zeros[128 * NVME_BLOCK];
	const uint64_t most = sizeof(zeros) / NVME_BLOCK;
	int ret = punch(disk, block, count);

	/* A block device says EINVAL when its own blocks are larger. */
	if (ret != -EOPNOTSUPP && ret != -EINVAL)
		return ret;
	for (ret = 0; count && !ret;) {
		uint64_t piece = count < most ? count : most;

		ret = nvme_disk_write(disk, block, zeros, (size_t)piece * NVME_BLOCK);
		block += piece;
		count -= piece;
	}
	return ret;
}

int nvme_disk_discard(const struct nvme_disk *disk, uint64_t block, uint64_t count)
{
	int ret = count ? punch(disk, block, count) : 0;

	return ret == -EOPNOTSUPP ? 0 : ret;
}
