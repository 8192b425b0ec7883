/* SPDX-License-Identifier: MIT */
/*
 * The file behind memory of the process whose call is answered, for devices in other processes:
 * what is a file they reach directly, and the rest by message.
 *
 * Theory of operation: the kernel knows what is mapped and which files a process has open; nobody
 * has to watch it map. Only memory that is shared with a file in memory (a memfd, or one in
 * /dev/shm) and that a read and a write of that file would reach in the same way counts as one.
 *
 * As with pages that a kernel has pinned, the device goes on with the file when the program maps
 * something else at the address later.
 */
#ifndef SHIM_BACKING_H
#define SHIM_BACKING_H

#include <stdint.h>

/**
 * backing_find() - which file is behind memory, all of it
 * @prot: what a device will do with it, DFD_DMA_*
 * @offset: receives where the memory starts in the file
 *
 * Return: an fd of the caller's, or -1 where it is not one file or none that can be had.
 */
int backing_find(uint64_t vaddr, uint64_t size, uint32_t prot, uint64_t *offset);

#endif
