/* SPDX-License-Identifier: MIT */
/*
 * How a program that has mapped a part of a region reaches it under `devfd run`: what the source
 * can give as shared memory is that, in the rest accesses are emulated, so that registers react.
 * Some regions are for read() and write() alone.
 */
#ifndef SHIM_WAY_H
#define SHIM_WAY_H

#include <devfd/device.h>

/** shim_may_trap() - Return: may what is not shared memory be mapped, each access emulated? */
bool shim_may_trap(const struct dfd_device *dev, const struct dfd_region *r);

#endif
