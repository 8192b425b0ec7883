/* SPDX-License-Identifier: MIT */
/* Can a device be used through VFIO? Seen from sysfs, /proc and the modes of files. */
#ifndef KERNEL_STATE_H
#define KERNEL_STATE_H

#include <devfd/enumerate.h>

#include "kernel/members.h"

/** struct verdict - a state, and more about it; @why may be "" */
struct verdict {
	enum dfd_state state;
	char why[160];
};

/**
 * state_of_group() - can the devices of a group be used?
 * @root: directory in front of /dev
 * @devices: directory with its devices
 * @group: its number
 * @holders: who holds which group
 */
void state_of_group(const char *root, int devices, unsigned int group,
		    const struct holders *holders, struct verdict *out);

/**
 * state_of_member() - what a device is in its group
 * @class_code: of a PCI function, or -1
 *
 * Return: DFD_STATE_OK for one that VFIO has, DFD_STATE_IDLE, _HOST or _BRIDGE.
 */
enum dfd_state state_of_member(enum driver_kind kind, int32_t class_code);

#endif
