/* SPDX-License-Identifier: MIT */
/* The device that is to be opened: where it is, and how it shall be opened. */
#ifndef KERNEL_TARGET_H
#define KERNEL_TARGET_H

#include <stdbool.h>

#include <devfd/error.h>

#include "kernel/calls.h"

/* Room for the name of a device in sysfs. */
#define TARGET_NAME_SIZE 128

/** enum kernel_via - the interfaces of VFIO */
enum kernel_via {
	VIA_ANY,     /* the device's own file, else its group */
	VIA_CDEV,    /* the device's own file and an iommufd */
	VIA_GROUP,   /* group and container */
	VIA_NOIOMMU, /* without an IOMMU, by either */
};

/**
 * struct kernel_options - what may follow the "?" of an address
 * @via: which interface
 * @iommufd: an iommufd of the caller, or -1
 * @token: the VF token, "" for none
 */
struct kernel_options {
	enum kernel_via via;
	int iommufd;
	char token[40];
};

/**
 * struct kernel_target - the device that is to be opened
 * @address: as messages name it
 * @name: as sysfs and VFIO name it, or "" where that is not known
 * @dir: its directory in sysfs, or -1
 * @bus: as in /sys/bus, or "" where that is not known
 * @driver: the driver of VFIO for that bus
 * @group: number of its IOMMU group, or -1
 * @fd: the device was opened by somebody else, and this is a duplicate; or -1
 */
struct kernel_target {
	const struct kernel_env *env;
	char address[TARGET_NAME_SIZE + 16];
	char name[TARGET_NAME_SIZE];
	int dir;
	const char *bus;
	const char *driver;
	int group;
	int fd;
	struct kernel_options options;
};

/**
 * kernel_target_find() - find what an address names
 * @t: receives it; give it back with kernel_target_finish() also on failure
 * @scheme: "pci", "platform" (also AMBA), "mdev", "cdev" or "fd"
 * @rest: name and options: "NAME?via=group,token=UUID"
 *
 * Return: 0; -EINVAL for something else than such a name; -ENOENT, -EBADF, -ENOTTY, -EMFILE, or
 * what open() says.
 */
int kernel_target_find(struct kernel_target *t, const struct kernel_env *env, const char *scheme,
		       const char *rest, struct dfd_error *err);

/** kernel_target_finish() - close what is open */
void kernel_target_finish(struct kernel_target *t);

/** is_uuid() - Return: is it 8-4-4-4-12 hexadecimal digits? */
bool is_uuid(const char *text);

#endif
