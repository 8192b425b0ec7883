/* SPDX-License-Identifier: MIT */
/*
 * An address space of the IOMMU: what devices of one group can reach by DMA.
 *
 * A group is what the IOMMU can tell apart, so all its devices in this process share one space.
 */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include <pthread.h>

#include <devfd/provider.h>

#include "kernel/calls.h"
#include "kernel/target.h"
#include "util/iovamap.h"

/* Allowed ranges that are looked at; the rest of a longer list is not used. */
#define SPACE_MAX_RANGES DFD_MAX_IOVA_RANGES

struct space;

/**
 * struct space_ops - what differs between the kernel's interfaces
 *
 * All but @learn and @finish are called with the space locked.
 */
struct space_ops {
	/** Fill in @page and @ranges; called when a device has joined. Return: 0 or -errno */
	int (*learn)(struct space *s);
	/** Map memory at map->iova. */
	int (*map)(struct space *s, const struct dfd_dma_map *map, void *addr);
	/** Map a part of a file without mapping it in this process; may be NULL.
	 * Return: 0; -EOPNOTSUPP where that does not go with this file; -errno
	 */
	int (*map_file)(struct space *s, const struct dfd_dma_map *map);
	/** Where the memory decides on its address: say which, in map->iova; may be NULL. */
	int (*place)(struct space *s, struct dfd_dma_map *map, void *addr);
	/** Unmap a range that begins with a map and ends with one. @unmapped receives the bytes. */
	int (*unmap)(struct space *s, uint64_t iova, uint64_t size, uint64_t *unmapped);
	/** How many more maps there can be, UINT64_MAX without a limit; may be NULL: no limit. */
	int (*maps_left)(struct space *s, uint64_t *left);
	/** Keep account of what is written, or no more; may be NULL: there is none.
	 * Return: 0; -EOPNOTSUPP where this IOMMU or this kernel keeps none; -errno
	 */
	int (*account)(struct space *s, bool on);
	/** What was written in maps without a gap between them, as dfd_dirty_get() has it.
	 * @keep: tell it again the next time; -EOPNOTSUPP where that does not go
	 */
	int (*written)(struct space *s, uint64_t iova, uint64_t size, bool keep, uint64_t *bitmap);
	/** The last device has been closed; may be NULL. */
	void (*finish)(struct space *s);
};

/**
 * struct space - an address space
 * @next: in the list of those of this process
 * @env: where its devices are
 * @group: number of their group, or -1 for a space of one device
 * @via: how it was made
 * @users: open devices in it
 * @ops: or NULL: no DMA
 * @fd: container or iommufd
 * @group_fd: or -1
 * @ioas: number of the address space in an iommufd
 * @hwpt: number of page tables for it that keep account of what is written, or 0
 * @page: smallest page, in bytes
 * @page_sizes: all of them, a bit for each size
 * @lock: guards what follows; held during a map and an unmap, which the kernel does one by one, too
 * @low: below it nothing is free, so that the search for a place need not start from the beginning
 * @maps: what is mapped, struct mapping
 * @account: of what is written is being kept
 */
struct space {
	struct space *next;
	struct kernel_env env;
	int group;
	enum kernel_via via;
	unsigned int users;
	const struct space_ops *ops;
	int fd;
	int group_fd;
	uint32_t ioas;
	uint32_t hwpt;
	uint64_t page;
	uint64_t page_sizes;
	struct dfd_iova_range ranges[SPACE_MAX_RANGES];
	uint32_t num_ranges;
	pthread_mutex_t lock;
	uint64_t low;
	struct dfd_iovamap maps;
	bool account;
};

/** spaces_lock(), spaces_unlock() - held while a device is opened or closed */
void spaces_lock(void);
void spaces_unlock(void);

/** space_find() - Return: the space of a group in this process, or NULL; spaces are locked */
struct space *space_find(const struct kernel_target *t);

/**
 * space_join() - one more device in the space of its group
 * @make: opens the files of a space that is new
 * @out: receives the space, also on failure; give it back with space_put(), unless it is NULL
 *
 * Spaces are locked. Return: 0, -ENOMEM, or as @make.
 */
int space_join(const struct kernel_target *t, enum kernel_via via,
	       int (*make)(const struct kernel_target *t, struct space *s, struct dfd_error *err),
	       struct space **out, struct dfd_error *err);

/**
 * space_put() - a device has been closed, or could not be opened
 * @owner: the device, whose maps go
 *
 * With the last device the files of the space are closed, too. Spaces are locked.
 */
void space_put(struct space *s, const void *owner);

/**
 * space_map() - map memory
 * @owner: the device
 *
 * Return: as dfd_dma_map(); -ENOMEM also beyond RLIMIT_MEMLOCK, -ENOSPC also when the kernel can
 * take no further map, -EINVAL also outside of the allowed ranges and off page boundaries, -EFAULT
 * for memory that is none.
 */
int space_map(struct space *s, const void *owner, struct dfd_dma_map *map);

/** space_unmap() - as dfd_dma_unmap() */
int space_unmap(struct space *s, const void *owner, uint64_t iova, uint64_t size,
		uint64_t *unmapped);

/** space_limits() - as dfd_dma_limits() */
int space_limits(struct space *s, struct dfd_dma_limits *out);

/**
 * space_locks_by_user() - Return: is it all processes of this user together whose locked memory
 *                         counts, and not that of this one?
 */
bool space_locks_by_user(const struct space *s);

/** space_dirty() - as struct dfd_device_ops has it */
int space_dirty(struct space *s, enum dfd_dirty_op op, uint64_t iova, uint64_t size,
		uint64_t *bitmap);

/** space_allows() - Return: true where the IOMMU takes all of [@iova, @last] */
bool space_allows(const struct space *s, uint64_t iova, uint64_t last);

/** space_has_room() - Return: true where an address can be chosen for a map */
bool space_has_room(struct space *s, const struct dfd_dma_map *map);

#endif
