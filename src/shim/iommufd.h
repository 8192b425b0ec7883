/* SPDX-License-Identifier: MIT */
/*
 * What is in an iommufd: objects under numbers.
 *
 * Theory of operation: an address space (IOAS) holds maps. Page tables (HWPT) are what devices are
 * attached to; they have all maps of an address space. Attaching to an address space makes page
 * tables that go with their last device. From its first page tables on an address space has pages:
 * what is mapped is there, and is aligned to them.
 */
#ifndef SHIM_IOMMUFD_H
#define SHIM_IOMMUFD_H

#include "shim/vfio.h"

enum iommufd_type {
	IOMMUFD_IOAS,
	IOMMUFD_HWPT,
	IOMMUFD_DEVICE,
};

/**
 * struct iommufd_object - one of them
 * @id: the lowest that was free
 * @users: what keeps it from being destroyed
 * @space: of an address space
 * @ioas: of page tables: the address space
 * @automatic: of page tables: they go with their last device
 * @dirty: of page tables: what devices write, or NULL where that is not told
 */
struct iommufd_object {
	enum iommufd_type type;
	uint32_t id;
	unsigned int users;
	struct shim_space *space;
	struct iommufd_object *ioas;
	bool automatic;
	struct shim_dirty *dirty;
	struct iommufd_object *next;
};

/**
 * struct iommufd - @objects by id
 * @compat: the address space that requests of a container mean
 * @by_process: what is pinned counts for the process and not for the user
 */
struct iommufd {
	struct iommufd_object *objects;
	struct iommufd_object *compat;
	bool by_process;
};

/** iommufd_any() - Return: the object of an id, or NULL */
struct iommufd_object *iommufd_any(const struct iommufd *f, uint32_t id);

/** iommufd_find() - Return: the object of an id and a type, or NULL */
struct iommufd_object *iommufd_find(const struct iommufd *f, uint32_t id, enum iommufd_type type);

/** iommufd_add() - Return: a new object, or NULL without memory */
struct iommufd_object *iommufd_add(struct iommufd *f, enum iommufd_type type);

/** iommufd_remove() - without users */
void iommufd_remove(struct iommufd *f, struct iommufd_object *obj);

/* ---- hwpt.c ---- */

/** hwpt_new() - page tables of an address space. Return: 0, -EADDRINUSE, -EFAULT or -ENOMEM */
int hwpt_new(struct iommufd *f, struct iommufd_object *ioas, struct iommufd_object **out);

int hwpt_alloc(struct vfio_object *o, void *arg);
int hwpt_set_dirty_tracking(struct vfio_object *o, void *arg);
int hwpt_get_dirty_bitmap(struct vfio_object *o, void *arg);
int hwpt_invalidate(struct vfio_object *o, void *arg);
int hwpt_hw_info(struct vfio_object *o, void *arg);
int hwpt_viommu_alloc(struct vfio_object *o, void *arg);

/* ---- ioas.c ---- */

int ioas_alloc(struct vfio_object *o, void *arg);
int ioas_iova_ranges(struct vfio_object *o, void *arg);
int ioas_allow_iovas(struct vfio_object *o, void *arg);
int ioas_map(struct vfio_object *o, void *arg);
int ioas_map_file(struct vfio_object *o, void *arg);
int ioas_change_process(struct vfio_object *o, void *arg);
int ioas_copy(struct vfio_object *o, void *arg);
int ioas_unmap(struct vfio_object *o, void *arg);
int ioas_option(struct vfio_object *o, void *arg);

/** ioas_map_fixed() - Return: 0 or the errno of IOMMU_IOAS_MAP */
int ioas_map_fixed(struct shim_space *s, uint64_t iova, uint64_t vaddr, uint64_t size,
		   uint32_t prot);
/** ioas_unmap_range() - Return: 0, -ENOENT where a map would be cut, ... */
int ioas_unmap_range(struct shim_space *s, uint64_t iova, uint64_t *size);
/** ioas_small_pages() - have maps that can be cut. Return: 0, -EINVAL or -EADDRINUSE */
int ioas_small_pages(struct shim_space *s);

/* ---- compat.c ---- */

int compat_vfio_ioas(struct vfio_object *o, void *arg);
/** compat_ioctl() - a request of a container */
int compat_ioctl(struct iommufd *f, uint32_t request, void *arg);

#endif
