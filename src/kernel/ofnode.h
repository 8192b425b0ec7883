/* SPDX-License-Identifier: MIT */
/* The device-tree node of a device, as sysfs shows it: the link of_node and the files behind it. */
#ifndef KERNEL_OFNODE_H
#define KERNEL_OFNODE_H

#include <stddef.h>
#include <stdint.h>

/**
 * ofnode_path() - the full path of the node of a device
 * @dir: the device's directory
 *
 * Return: 0, -ENOENT where there is none, -ENAMETOOLONG.
 */
int ofnode_path(int dir, char *path, size_t room);

/**
 * ofnode_compatible() - what the node is compatible with
 * @text: receives the names, separated by blanks
 *
 * Return: 0, -ENOENT, -EBADMSG for bytes that are no names, -ENAMETOOLONG.
 */
int ofnode_compatible(int dir, char *text, size_t room);

/**
 * ofnode_reg() - where the CPU sees an entry of `reg`
 * @path: as ofnode_path() gave it
 * @index: of the entry
 * @addr: receives the address, taken through the `ranges` of all buses above
 * @size: receives its size
 *
 * Return: 0; -ENOENT for an entry that is not there or has no address at the CPU; -EBADMSG for a
 * tree that contradicts itself.
 */
int ofnode_reg(int dir, const char *path, uint32_t index, uint64_t *addr, uint64_t *size);

#endif
