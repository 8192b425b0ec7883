/* SPDX-License-Identifier: MIT */
/*
 * An address space for DMA: what a program has mapped, for all devices that are attached.
 *
 * Theory of operation: the map is kept here and given to each device. A device reaches the memory
 * by a copy that the kernel makes, so an address that has gone is an error of that DMA and not a
 * signal. Devices that take pointers only, such as those of the kernel's VFIO, get the address.
 */
#ifndef SHIM_SPACE_H
#define SHIM_SPACE_H

#include "shim/caller.h"
#include "shim/mounts.h"
#include "util/iovamap.h"

#define SPACE_PAGE	 UINT64_C(4096)
#define SPACE_PAGE_SIZES (SPACE_PAGE | UINT64_C(1) << 21 | UINT64_C(1) << 30)
#define SPACE_MAX_MAPS	 65535u

/* What a PC's IOMMU translates: 48 bits, but for the place that messages of interrupts go to. */
#define SPACE_NUM_RANGES 2
extern const struct dfd_iova shim_space_ranges[SPACE_NUM_RANGES];

/**
 * struct space_map - memory at an IOVA; @range comes first
 * @vaddr: where it is; of a file, in the file
 * @caller: whose it is, but for a file
 * @lost_vaddr: the program has said that @vaddr is not its own any more
 * @is_file: it is a part of @file, which is our own fd
 */
struct space_map {
	struct dfd_iova range;
	uint64_t vaddr;
	uint32_t prot;
	struct shim_caller *caller;
	bool lost_vaddr;
	bool is_file;
	int file;
};

/**
 * struct shim_space - an address space
 * @iommufd: it is one of an iommufd
 * @tables: how many page tables have its maps; without any it is no more than a list
 * @small_pages: of an iommufd: maps may be cut
 * @allowed: of an iommufd: where places are chosen, in order
 * @dirty_tracking: of a container: it is asked what was written
 * @accounts: of an iommufd: what was written, for page tables that tell it
 */
struct shim_space {
	struct dfd_iovamap maps;
	struct shim_mount *devices[SHIM_MAX_DEVICES];
	uint32_t num_devices;
	bool iommufd;
	unsigned int tables;
	bool small_pages;
	struct dfd_iova *allowed;
	uint32_t num_allowed;
	bool dirty_tracking;
	struct shim_dirty *accounts;
};

/** shim_space_usable() - Return: how many ranges can be mapped, and the ranges in @list */
uint32_t shim_space_usable(const struct shim_space *s, const struct dfd_iova **list);

/** shim_space_has() - Return: true when @first to @last can be mapped */
bool shim_space_has(const struct shim_space *s, uint64_t first, uint64_t last);

/** shim_space_aligned() - Return: true when all maps are of whole pages */
bool shim_space_aligned(const struct shim_space *s);

/** shim_space_is_files() - Return: true when all that is mapped are files */
bool shim_space_is_files(const struct shim_space *s);

/** shim_space_check() - may a device attach? Return: 0 or -EADDRINUSE */
int shim_space_check(const struct shim_space *s);

/** shim_space_add_table() - Return: 0, -EADDRINUSE, or -EFAULT for memory that is not there */
int shim_space_add_table(struct shim_space *s);

/** shim_space_cut() - no map goes on across @iova. Return: 0 or -ENOMEM, ... */
int shim_space_cut(struct shim_space *s, uint64_t iova);

/** shim_space_attach() - let a device use it. Return: 0, -ENOMEM, ... */
int shim_space_attach(struct shim_space *s, struct shim_mount *m);
void shim_space_detach(struct shim_space *s, struct shim_mount *m);

/** shim_space_map() - memory of the caller. Return: 0, -EEXIST, -EFAULT for memory that is not
 * there, -ENOMEM, ... */
int shim_space_map(struct shim_space *s, uint64_t iova, uint64_t vaddr, uint64_t size,
		   uint32_t prot);

/** shim_space_move() - the memory of a map is at @vaddr of the caller from now on */
void shim_space_move(struct space_map *map, uint64_t vaddr);

/** shim_space_map_file() - @fd: duplicated. Return: as shim_space_map(), -EINVAL for no memfd, ...
 */
int shim_space_map_file(struct shim_space *s, uint64_t iova, int fd, uint64_t start, uint64_t size,
			uint32_t prot);

/** shim_space_copy() - the memory of a map, from @within on, at another place */
int shim_space_copy(struct shim_space *s, uint64_t iova, const struct space_map *map,
		    uint64_t within, uint64_t size, uint32_t prot);

/** shim_space_unmap() - what touches @first to @last. Return: bytes */
uint64_t shim_space_unmap(struct shim_space *s, uint64_t first, uint64_t last);

/** shim_space_free() - without devices */
void shim_space_free(struct shim_space *s);

/** shim_space_covers() - Return: true when all of @first to @last is mapped */
bool shim_space_covers(const struct shim_space *s, uint64_t first, uint64_t last);

/** shim_space_in_ranges() - Return: true when @first to @last can be translated */
bool shim_space_in_ranges(uint64_t first, uint64_t last);

#endif
