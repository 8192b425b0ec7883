/* SPDX-License-Identifier: MIT */
/* A node of a device tree blob as a described device. */
#ifndef FILE_DTB_H
#define FILE_DTB_H

#include <devfd/device.h>

/* Larger blobs are refused; Linux on arm64 takes no larger one either. */
#define DTB_MAX_SIZE (UINT32_C(2) << 20)

/**
 * dfd_dtb_describe() - describe a node
 * @blob: a device tree blob; nothing is believed
 * @len: bytes in @blob
 * @path: path of the node
 * @out: receives a description with one reference
 * @err: optional; the sentence does not name the file
 *
 * Return: 0; -ENOENT when there is no such node; -EINVAL for a path that does not start with /;
 * -EBADMSG for a blob or node that is corrupt; -ENOMEM.
 */
int dfd_dtb_describe(const void *blob, size_t len, const char *path, const struct dfd_desc **out,
		     struct dfd_error *err);

/** dfd_dtb_open() - open "FILE#/PATH". Return: as dfd_open() */
int dfd_dtb_open(const char *spec, struct dfd_device **out, struct dfd_error *err);

#endif
