/* SPDX-License-Identifier: MIT */
/* Both ends of vfio-user for measuring: a device that does what it is told, served by a child. */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <devfd/device.h>

#include "bench.h"

/* Registers of the device, 4 bytes each, in region 0. */
#define RIG_SCRATCH 0x0u
#define RIG_RAISE   0x4u /* written: interrupt 0 */
#define RIG_LEN	    0x8u /* bytes of a transfer */
#define RIG_READ    0xcu /* written: how often to read memory at RIG_IOVA; then interrupt 0 */
#define RIG_WRITE   0x10u
#define RIG_TOUCH   0x14u /* written: so many pages from RIG_IOVA on are read */

#define RIG_INFLIGHT 8u
#define RIG_IOVA     UINT64_C(0x10000000)
#define RIG_MAX	     (1u << 20)
#define RIG_DEVICES  2 /* at most */

/** struct rig - a server process; @paths: of its devices */
struct rig {
	pid_t pid;
	unsigned int devices;
	char dir[32];
	char paths[RIG_DEVICES][64];
};

/** rig_start() - @devices: that it serves; @core: for it; @poll: it polls instead of sleeping */
void rig_start(struct rig *rig, unsigned int devices, unsigned int core, bool poll);
void rig_end(struct rig *rig);

/** rig_open() - a device of the server, by messages alone; @options: of the address */
struct dfd_device *rig_open(const struct rig *rig, unsigned int n, const char *options);

#endif
