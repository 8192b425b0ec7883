/* SPDX-License-Identifier: MIT */
/* Saved devices: a table in a file, read back at the address file:NAME. */
#ifndef DEVFD_SAVE_H
#define DEVFD_SAVE_H

#include <devfd/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * dfd_save() - save the table of a device in a file
 * @path: a new file, or a regular file to replace
 * @err: optional
 *
 * The file holds the table and, for a PCI function, its configuration space as it reads now, as far
 * as it can be read. It is written beside @path and then put in its place: on failure a file that
 * was there is as before.
 *
 * Return: 0; -ENOMEM; -EFBIG when the table is larger than DFD_TABLE_MAX_SIZE; -EINVAL when @path
 * is something else than a regular file; what reading the device or writing the file says.
 */
int dfd_save(struct dfd_device *dev, const char *path, struct dfd_error *err);

#ifdef __cplusplus
}
#endif
#endif
