/* SPDX-License-Identifier: MIT */
/* What `devfd run` and the library that it preloads agree on. */
#ifndef SHIM_ENV_H
#define SHIM_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The environment variable that names the devices: PATH=ADDRESS, separated by newlines. */
#define SHIM_ENV "DEVFD_AT"

/*
 * The environment variable that names the devices behind VFIO: the directory of the view, then
 * NAME=ADDRESS for each, separated by newlines. Device i is /dev/vfio/devices/vfioi, and in group i
 * unless there is an earlier function of its slot, whose group it is in then.
 */
#define SHIM_ENV_VFIO "DEVFD_VFIO"

/*
 * The environment variable that names a directory with the machine's /sys and /dev, for devices in
 * the process of a program that has the view in their place.
 */
#define SHIM_ENV_MACHINE "DEVFD_MACHINE"

/* Set by -v: what happens later is said, too. */
#define SHIM_ENV_SAY "DEVFD_VERBOSE"

/** shim_same_slot() - Return: true for functions of one slot, which are one IOMMU group */
static inline bool shim_same_slot(const char *a, const char *b)
{
	return !strncmp(a, b, strlen("0000:00:00."));
}

#define SHIM_MAX_MOUNTS	 64u
#define SHIM_MAX_DEVICES 16u

/* /dev/vfio/vfio and /dev/iommu are misc devices; groups and devices have majors of their own. */
#define SHIM_MAJOR_GROUP 511u
#define SHIM_MAJOR_CDEV	 510u

/* Bytes of a path with its NUL. The kernel limits the name of a memfd, which holds it, to 249. */
#define SHIM_MAX_PATH 200u

/**
 * shim_path_absolute() - make a path absolute, by its text alone: symbolic links are not followed
 * @base: an absolute directory, looked at if @path is relative
 * @path: the path
 * @out: receives the path without `.`, `..` and double slashes; empty for the root
 * @size: bytes of @out
 *
 * Return: false when @out is too small.
 */
bool shim_path_absolute(const char *base, const char *path, char *out, size_t size);

#endif
