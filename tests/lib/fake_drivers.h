/* SPDX-License-Identifier: MIT */
/*
 * The kernel's driver core, played by this process: a made-up machine whose functions go from one
 * driver to another when its files are written to. Any write can be made to fail, or to be the
 * last thing that the process does.
 */
#ifndef TESTS_FAKE_DRIVERS_H
#define TESTS_FAKE_DRIVERS_H

#include <stddef.h>

#include "kernel/bind.h"

/**
 * struct fake_drivers - what it shall do and what it has seen
 * @fail_at: number of the write that fails with -EIO and changes nothing, from 1 on; 0: none
 * @fail_from: this one and all that come later
 * @die_at: before this one the process ends with status 9
 * @broken: a driver that takes no function: its probing fails
 * @slow: a driver that takes a function only @pauses pauses after it was told to
 * @module: a driver that modprobe can bring
 * @writes: so far
 */
struct fake_drivers {
	unsigned int fail_at;
	unsigned int fail_from;
	unsigned int die_at;
	const char *broken;
	const char *slow;
	unsigned int pauses;
	const char *module;
	unsigned int writes;
};

extern struct fake_drivers fake_drivers;
extern const struct bind_calls fake_bind_calls;

/**
 * fake_machine() - make a machine below tree_root
 *
 * 0000:00:01.0  bridge, pcieport, group 1
 * 0000:01:00.0  network card, e1000e, group 1: eth0 with the default route
 * 0000:00:02.0  nvme, group 2: nvme0n1p1 is mounted at /, nvme0n1p2 is swap space
 * 0000:00:03.0  nvme, group 3: nvme1n1 is not used
 * 0000:00:05.0  no driver, group 5
 * 0000:00:05.1  e1000, group 5: eth1
 * 0000:00:06.0  vfio-pci, group 6, which process 4711 has open
 * 0000:00:07.0  edu, no group
 * 0000:00:08.0  bochs-drm, group 8: the display
 * 0000:00:09.0  igb, group 9, has virtual functions
 */
void fake_machine(void);

/** fake_drivers_now() - "FUNCTION DRIVER OVERRIDE" of each function, a line each */
const char *fake_drivers_now(char *text, size_t room);

#endif
