/* SPDX-License-Identifier: MIT */
/* The members of an IOMMU group, their drivers, and who uses the group; all from sysfs and /proc.
 */
#ifndef KERNEL_MEMBERS_H
#define KERNEL_MEMBERS_H

#include <limits.h>
#include <stddef.h>

/** enum driver_kind - what a driver means for the group of its device */
enum driver_kind {
	DRIVER_NONE,	 /* no driver */
	DRIVER_VFIO,	 /* vfio-pci or one of its kind */
	DRIVER_HARMLESS, /* does no DMA of its own: bridges and stubs */
	DRIVER_FOREIGN,	 /* every other: the group is not viable */
};

/**
 * driver_of() - the driver of a device
 * @dir: directory of the device
 * @driver: receives the name, NAME_MAX + 1 bytes; "" without a driver
 */
enum driver_kind driver_of(int dir, char *driver);

/**
 * struct member - a device of a group
 * @dir: its directory, open during the call only; or negative
 */
struct member {
	int dir;
	char name[NAME_MAX + 1];
	char driver[NAME_MAX + 1];
	enum driver_kind kind;
};

/**
 * members_walk() - call @fn for each device of a group, by name
 * @devices: directory with the devices of the group, "devices" in sysfs
 * @fn: a non-zero return stops
 *
 * Return: what @fn returned, 0, or a negative errno.
 */
int members_walk(int devices, int (*fn)(void *ctx, const struct member *m), void *ctx);

/**
 * members_culprit() - look for a driver that makes a group not viable
 * @dir: directory of one of its devices
 *
 * Return: 1 and the first member with a foreign driver, or 0.
 */
int members_culprit(int dir, struct member *culprit);

/** struct holder - a process that has a group, or a device of it, open */
struct holder {
	unsigned int group;
	int pid;
	char name[32];
};

#define MAX_HOLDERS 512u

/**
 * struct holders - who holds the groups of the machine, as far as there is room
 * @hidden: the files of some processes may not be seen
 */
struct holders {
	struct holder list[MAX_HOLDERS];
	size_t count;
	int hidden;
};

/**
 * holders_find() - look through the open files of all processes
 * @root: directory in front of /proc
 */
void holders_find(const char *root, struct holders *out);

/** holders_of() - Return: who holds a group, or NULL */
const struct holder *holders_of(const struct holders *holders, unsigned int group);

/** file_owner() - "root:root 0600" of a file, as far as the numbers have names */
void file_owner(const char *path, char *text, size_t room);

#endif
