/* SPDX-License-Identifier: MIT */
/*
 * The devices of a machine, as its sysfs lists them. Needs no privilege and opens no device.
 */
#ifndef DEVFD_ENUMERATE_H
#define DEVFD_ENUMERATE_H

#include <devfd/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dfd_found - a device of the machine
 * @bus: DFD_BUS_PCI, or DFD_BUS_DT for a platform device with a device-tree node
 * @name: its name on that bus, such as "0000:01:00.0" or "9000000.pl011"
 * @address: what dfd_open() takes to describe it, or NULL where nothing does
 * @dt_path: path of its device-tree node, or NULL
 * @compatible: of that node, separated by spaces, or NULL
 * @driver: the driver it is bound to, or NULL
 * @vendor: PCI vendor id, -1 where it is not known
 * @device: PCI device id, or -1
 * @class_code: PCI class code (24 bits), or -1
 * @iommu_group: number of its IOMMU group, or -1
 * @numa_node: or -1
 * @problem: what could not be read, as one sentence, or NULL
 *
 * Lives only during the call that hands it over.
 */
struct dfd_found {
	enum dfd_bus bus;
	const char *name;
	const char *address;
	const char *dt_path;
	const char *compatible;
	const char *driver;
	int32_t vendor;
	int32_t device;
	int32_t class_code;
	int32_t iommu_group;
	int32_t numa_node;
	const char *problem;
};

/**
 * dfd_enumerate() - call @fn for every PCI function, then for every device-tree device
 * @root: directory in front of /sys, for a tree that was copied from elsewhere; NULL: this machine
 * @fn: gets @ctx and the device; a non-zero return stops
 *
 * What cannot be read about one device is that device's @problem and stops nothing. A machine
 * without one of the buses has no devices on it. Order is by name.
 *
 * Return: 0, what @fn returned, -ENOMEM, or what open() says of a bus that cannot be looked at.
 */
int dfd_enumerate(const char *root, int (*fn)(void *ctx, const struct dfd_found *found), void *ctx);

/**
 * dfd_sysfs_open() - what dfd_open() does for "sysfs:@bdf", with a root
 * @root: as for dfd_enumerate()
 * @bdf: "0000:01:00.0" or "01:00.0"
 *
 * Return: as dfd_open().
 */
int dfd_sysfs_open(const char *root, const char *bdf, struct dfd_device **out,
		   struct dfd_error *err);

#ifdef __cplusplus
}
#endif
#endif
