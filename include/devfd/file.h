/* SPDX-License-Identifier: MIT */
/*
 * The device fd as a file: the table at offset 0, each region at the offset that the table and the
 * ioctls report, and both generations of ioctls on it. Works for every device.
 */
#ifndef DEVFD_FILE_H
#define DEVFD_FILE_H

#include <devfd/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct dfd_file - one opening of a device's file; holds nothing but a place in the table */
struct dfd_file;

/**
 * dfd_file_new() - open the file of a device
 * @dev: stays the caller's and must outlive the file
 *
 * Files are not thread-safe; open one per thread.
 *
 * Return: the file, or NULL when memory is short.
 */
struct dfd_file *dfd_file_new(struct dfd_device *dev);

/** dfd_file_free() - close it; NULL is fine */
void dfd_file_free(struct dfd_file *file);

/**
 * dfd_file_pread() - read the table or a region
 *
 * Return: bytes read, short at the end of the table or region; 0 past the end of the table; -EINVAL
 * in a gap between regions or past the end of one; otherwise as dfd_region_read().
 */
ssize_t dfd_file_pread(struct dfd_file *file, void *buf, size_t len, uint64_t offset);

/** dfd_file_pwrite() - write a region; -EINVAL for the table; otherwise as dfd_region_write() */
ssize_t dfd_file_pwrite(struct dfd_file *file, const void *buf, size_t len, uint64_t offset);

/**
 * dfd_file_mmap() - map a mappable area, by file offset; as dfd_region_mmap()
 */
int dfd_file_mmap(struct dfd_file *file, uint64_t offset, size_t len, int prot, void **addr);

/**
 * dfd_file_ioctl() - a request of 2011 or of today
 * @request: VFIO_DEVICE_*
 * @arg: the request's argument, as ioctl() takes it
 *
 * Return: as dfd_ioctl().
 */
int dfd_file_ioctl(struct dfd_file *file, unsigned long request, void *arg);

/**
 * dfd_file_locate() - which region lies at a file offset
 * @index: receives the region's index
 * @within: receives the offset in bytes from the region's start
 *
 * Return: 0, or -EINVAL in a gap, in the table or past a region's end.
 */
int dfd_file_locate(const struct dfd_desc *desc, uint64_t offset, uint32_t *index,
		    uint64_t *within);

/**
 * dfd_file_end() - Return: one past the last byte of the file: of the last region or the table
 */
uint64_t dfd_file_end(const struct dfd_desc *desc);

/**
 * dfd_ioctl() - the ioctls of 2011 and today's device ioctls, on any device
 * @request: VFIO_DEVICE_*; today's: GET_INFO, GET_REGION_INFO, GET_IRQ_INFO, SET_IRQS, RESET,
 *           FEATURE, QUERY_GFX_PLANE, GET_GFX_DMABUF (which returns an fd of this process)
 * @arg: the request's argument, as ioctl() takes it; an address that cannot be read or written is
 *       -EFAULT
 *
 * Return: 0 or positive as the request defines; -ENOTTY for an unknown request; the errnos of
 * docs/device-fd.md and, for today's requests, of the kernel.
 */
int dfd_ioctl(struct dfd_device *dev, unsigned long request, void *arg);

#ifdef __cplusplus
}
#endif
#endif
