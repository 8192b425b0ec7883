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

/** enum dfd_state - can a device, or the devices of a group, be used through VFIO? */
enum dfd_state {
	DFD_STATE_NONE,	      /* no question: neither a PCI function nor in an IOMMU group */
	DFD_STATE_OK,	      /* yes */
	DFD_STATE_IDLE,	      /* not bound to vfio-pci, nor to another driver */
	DFD_STATE_HOST,	      /* a driver of the host has it */
	DFD_STATE_BRIDGE,     /* a bridge; never stands in the way of its group */
	DFD_STATE_NO_IOMMU,   /* in no IOMMU group */
	DFD_STATE_NOT_VIABLE, /* a driver of the host has another device of the group */
	DFD_STATE_BUSY,	      /* somebody has the group open */
	DFD_STATE_NO_ACCESS,  /* this user may not open the file of the group */
	DFD_STATE_RMRR,	      /* the firmware needs its DMA, so VFIO does not get it */
	DFD_STATE_D3COLD,     /* yes, but it is without power; opening wakes it */
	DFD_NUM_STATES
};

/** dfd_state_name() - Return: "OK", "idle", "NOT VIABLE", ... */
const char *dfd_state_name(enum dfd_state state);

/**
 * struct dfd_found - a device of the machine
 * @bus: DFD_BUS_PCI, or DFD_BUS_DT for a platform or AMBA device with a device-tree node
 * @name: its name on that bus, such as "0000:01:00.0" or "9000000.pl011"
 * @address: what dfd_open() takes to describe it, or NULL where nothing does
 * @path: where it sits: below which bridges, such as "pci0000:00/0000:00:01.0/0000:01:00.0", or the
 *        path of its device-tree node
 * @dt_path: path of its device-tree node, or NULL
 * @compatible: of that node, separated by spaces, or NULL
 * @driver: the driver it is bound to, or NULL
 * @vendor: PCI vendor id, -1 where it is not known
 * @device: PCI device id, or -1
 * @class_code: PCI class code (24 bits), or -1
 * @iommu_group: number of its IOMMU group, or -1
 * @group_size: devices in that group
 * @numa_node: or -1
 * @state: can it be used through VFIO?
 * @why: more about @state: "0000:00:1f.2 (ahci)", "pid 4711 qemu-system-x86",
 *       "shares with 0000:01:00.1 snd_hda_intel", or NULL
 * @bars: sizes of the BARs of a PCI function in bytes, 0 where there is none
 * @msix_vectors: or -1 where this user may not know; -1 also without MSI-X
 * @reset: how it can be reset, such as "flr bus", or NULL
 * @problem: what could not be read, as one sentence, or NULL
 * @power: its power state, such as "D0", or NULL
 * @physical: the physical function of a virtual one, or NULL
 * @virtuals: how many virtual functions it has, -1 for one that can have none
 * @max_virtuals: how many it can have, or -1
 *
 * Lives only during the call that hands it over.
 */
struct dfd_found {
	enum dfd_bus bus;
	const char *name;
	const char *address;
	const char *path;
	const char *dt_path;
	const char *compatible;
	const char *driver;
	int32_t vendor;
	int32_t device;
	int32_t class_code;
	int32_t iommu_group;
	uint32_t group_size;
	int32_t numa_node;
	enum dfd_state state;
	const char *why;
	uint64_t bars[6];
	int32_t msix_vectors;
	const char *reset;
	const char *problem;
	const char *power;
	const char *physical;
	int32_t virtuals;
	int32_t max_virtuals;
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
 * struct dfd_member - a device of an IOMMU group
 * @name: its name on its bus
 * @driver: the driver it is bound to, or NULL
 * @vfio: that is vfio-pci or one of its kind
 * @state: DFD_STATE_OK for such a one, else DFD_STATE_IDLE, _HOST or _BRIDGE
 * @vendor: PCI vendor id, or -1
 * @device: PCI device id, or -1
 * @class_code: PCI class code (24 bits), or -1
 */
struct dfd_member {
	const char *name;
	const char *driver;
	bool vfio;
	enum dfd_state state;
	int32_t vendor;
	int32_t device;
	int32_t class_code;
};

#define DFD_MAX_MEMBERS 256u

/**
 * struct dfd_group - an IOMMU group: what can be used only together
 * @number: its number
 * @state: can its devices be used?
 * @why: more about @state, as in struct dfd_found, or NULL
 * @members: its devices by name, DFD_MAX_MEMBERS at most
 * @count: entries of @members
 * @shared: why they are in one group, as far as the places of the devices tell, or NULL
 * @reserved: addresses that no DMA map can have, as a list, or NULL
 *
 * Lives only during the call that hands it over.
 */
struct dfd_group {
	uint32_t number;
	enum dfd_state state;
	const char *why;
	const struct dfd_member *members;
	uint32_t count;
	const char *shared;
	const char *reserved;
};

/**
 * dfd_enumerate_groups() - call @fn for every IOMMU group, by number
 * @root: as for dfd_enumerate()
 * @fn: gets @ctx and the group; a non-zero return stops
 *
 * Return: 0, also where there are none; what @fn returned; -ENOMEM.
 */
int dfd_enumerate_groups(const char *root, int (*fn)(void *ctx, const struct dfd_group *group),
			 void *ctx);

/** enum dfd_known - what is known about a question with two answers */
enum dfd_known {
	DFD_UNKNOWN,
	DFD_NO,
	DFD_YES,
};

/**
 * struct dfd_machine - what a machine offers to VFIO
 * @iommu: "intel (dmar0, aw 48)", or "" without an IOMMU
 * @groups: IOMMU groups
 * @remapping: are interrupts remapped?
 * @vfio_pci: is the driver vfio-pci there?
 * @group: can groups be opened, /dev/vfio/vfio?
 * @cdev: are there device files, /dev/vfio/devices?
 * @cdev_why: why not, or ""
 * @iommufd: is there /dev/iommu?
 * @noiommu: has the administrator switched on use without an IOMMU?
 * @memlock: bytes of memory that this process may lock, UINT64_MAX: without limit
 */
struct dfd_machine {
	char iommu[120];
	uint32_t groups;
	enum dfd_known remapping;
	bool vfio_pci;
	bool group;
	bool cdev;
	char cdev_why[56];
	bool iommufd;
	bool noiommu;
	uint64_t memlock;
};

/** dfd_machine_get() - look; @root: as for dfd_enumerate() */
void dfd_machine_get(const char *root, struct dfd_machine *out);

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
