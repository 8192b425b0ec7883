/* SPDX-License-Identifier: MIT */
/*
 * How a program that has mapped a part of a region reaches it under `devfd run`: what the source
 * can give as shared memory is that, in the rest accesses are emulated, so that registers react.
 * Some regions are for read() and write() alone. And the other way round: how a device in another
 * process reaches the memory that a program has mapped for it.
 */
#ifndef SHIM_WAY_H
#define SHIM_WAY_H

#include <stdbool.h>

#include <devfd/device.h>

/** shim_may_trap() - Return: may what is not shared memory be mapped, each access emulated? */
bool shim_may_trap(const struct dfd_device *dev, const struct dfd_region *r);

/**
 * shim_trap_nothing() - from now on registers of no device may be mapped; before one is opened
 * @memory: what is shared memory may be
 */
void shim_trap_nothing(bool memory);

/** shim_tell_ways() - have a device say that what may be mapped is mappable. Return: 0 or -ENOMEM
 */
int shim_tell_ways(struct dfd_device *dev);

/** shim_say_ways() - say on standard error how each region, or each area of it, is reached */
void shim_say_ways(const char *name, struct dfd_device *dev);

/** shim_say_memory() - say it of memory that a device in another process is given, where asked to
 */
void shim_say_memory(const char *name, const struct dfd_dma_map *map, const char *way);

#endif
