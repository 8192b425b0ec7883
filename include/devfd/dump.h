/* SPDX-License-Identifier: MIT */
/*
 * Dumps: what `lsvfio -J` has printed of this or another machine, read back.
 *
 * A dump is a list of devices, with what their machine offers and its IOMMU groups, or a list of
 * descriptions of devices, or both. All of it is checked when it is opened; nothing that a file can
 * hold does harm. Keys are documented in lsvfio(1); those that are not known are passed over.
 */
#ifndef DEVFD_DUMP_H
#define DEVFD_DUMP_H

#include <devfd/enumerate.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a dump, objects and arrays in it, and descriptions of devices. */
#define DFD_DUMP_MAX_SIZE    (UINT32_C(4) << 20)
#define DFD_DUMP_MAX_PARTS   65536u
#define DFD_DUMP_MAX_DEVICES 1024u

struct dfd_dump;

/**
 * dfd_dump_open() - read a dump
 * @path: the file; may be a pipe
 * @out: receives the dump, for dfd_dump_close()
 * @err: optional
 *
 * Return: 0; -EBADMSG for something else than a dump, with the place in it; -EINVAL for a
 * description that no device can have; -EFBIG; -ENOMEM; what open() and read() say.
 */
int dfd_dump_open(const char *path, struct dfd_dump **out, struct dfd_error *err);

/** dfd_dump_close() - give it up, with its devices; NULL is fine */
void dfd_dump_close(struct dfd_dump *dump);

/** dfd_dump_count() - Return: how many descriptions of devices are in it */
uint32_t dfd_dump_count(const struct dfd_dump *dump);

/** dfd_dump_address() - Return: how the device was named, memory of the dump; @i: below the count
 */
const char *dfd_dump_address(const struct dfd_dump *dump, uint32_t i);

/**
 * dfd_dump_device() - a device as it was described
 * @i: below the count
 *
 * It has its description, and as far as they were told its configuration space, features, hot reset
 * and limits of DMA. Everything else is -EOPNOTSUPP.
 *
 * Return: the device, which is the dump's: not for dfd_device_close(), and gone with the dump.
 */
struct dfd_device *dfd_dump_device(const struct dfd_dump *dump, uint32_t i);

/**
 * dfd_dump_enumerate() - as dfd_enumerate(), from a dump
 *
 * Return: 0, or what @fn returned.
 */
int dfd_dump_enumerate(const struct dfd_dump *dump,
		       int (*fn)(void *ctx, const struct dfd_found *found), void *ctx);

/** dfd_dump_enumerate_groups() - as dfd_enumerate_groups(), from a dump */
int dfd_dump_enumerate_groups(const struct dfd_dump *dump,
			      int (*fn)(void *ctx, const struct dfd_group *group), void *ctx);

/** dfd_dump_machine() - as dfd_machine_get(). Return: false for a dump that does not tell */
bool dfd_dump_machine(const struct dfd_dump *dump, struct dfd_machine *out);

/**
 * struct dfd_origin - where a machine is looked at
 * @root: as for dfd_enumerate()
 * @dump: this dump instead, or NULL
 */
struct dfd_origin {
	const char *root;
	const struct dfd_dump *dump;
};

#ifdef __cplusplus
}
#endif
#endif
