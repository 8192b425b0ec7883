/* SPDX-License-Identifier: MIT */
/*
 * VFIO's objects behind the fds of a program: container, group, iommufd, device.
 *
 * Theory of operation
 *
 * Each opening has a memfd of its own, whose inode finds the object. An object lives as long as an
 * fd of it or another object that holds it, as in the kernel: an open device holds its group or its
 * iommufd, a group its container. When the last fd goes away is not always told; so every call that
 * depends on it looks first (vfio_sweep()).
 *
 * One lock guards all objects. It is taken before that of a mount, and not held while a device
 * works. State machines, order of checks and errnos are the kernel's.
 */
#ifndef SHIM_VFIO_H
#define SHIM_VFIO_H

#include "shim/core.h"
#include "shim/space.h"

/** enum vfio_kind - what an object is */
enum vfio_kind {
	VFIO_FREE,
	VFIO_CONTAINER,
	VFIO_GROUP,
	VFIO_IOMMUFD,
	VFIO_DEVICE,
};

struct iommufd;
struct iommufd_object;

/**
 * struct vfio_object - one opening
 * @mount: the path that it came from; of a device, that of its own file
 * @parent: what it holds: of a group the container (or iommufd), of a device the group or iommufd
 * @holders: how many have it as their @parent
 * @open: there were fds of it when somebody looked
 * @inode: identifies its memfd
 * @keep: what side_in_use() wants of it
 * @space: of a container with an IOMMU: its address space
 * @v2: of a container: the IOMMU is of type 1 version 2
 * @iommufd: of an iommufd: what is in it
 * @by_group: of a device: it came from a group
 * @bound: of a device: its requests are answered
 * @devid: of a device: its number in the iommufd
 * @attached: of a device: the address space that it uses
 * @hwpt: of a device in an iommufd: the page tables that it uses
 */
struct vfio_object {
	enum vfio_kind kind;
	struct shim_mount *mount;
	struct vfio_object *parent;
	unsigned int holders;
	bool open;
	uint64_t inode;
	int keep;
	struct shim_space *space;
	bool v2;
	struct iommufd *iommufd;
	bool by_group;
	bool bound;
	uint32_t devid;
	struct shim_space *attached;
	struct iommufd_object *hwpt;
};

/* ---- object.c ---- */

#define VFIO_MAX_OBJECTS 256u

/** vfio_mount() - Return: the mount of the object with a memfd of that inode, or NULL */
struct shim_mount *vfio_mount(uint64_t inode);

/** vfio_object_new() - Return: an object without fds, or NULL when there are too many */
struct vfio_object *vfio_object_new(enum vfio_kind kind, struct shim_mount *m);

/**
 * vfio_object_fd() - give a new object its fd; on failure the object is gone
 * @flags: those of open()
 *
 * Return: the fd or a negative errno.
 */
int vfio_object_fd(struct vfio_object *o, int flags);

/** vfio_object_of() - the object behind an fd of the caller. Return: 0, -EBADF, -EBADFD, ... */
int vfio_object_of(int fd, struct vfio_object **o);

/**
 * vfio_is_open() - Return: true when there is an object of that kind and mount other than @but; of
 * devices only those in use count
 */
bool vfio_is_open(enum vfio_kind kind, const struct shim_mount *m, const struct vfio_object *but);

/** vfio_in_use() - Return: an object of the device of a mount that is in use, or NULL */
struct vfio_object *vfio_in_use(const struct shim_mount *m);

/** vfio_next_of_group() - Return: the next object of a device in use in a group, or NULL */
struct vfio_object *vfio_next_of_group(const struct shim_mount *group,
				       const struct vfio_object *after);

/** vfio_hold() - @o holds @parent, or lets go of what it held */
void vfio_hold(struct vfio_object *o, struct vfio_object *parent);

/** vfio_sweep() - release what has no fd any more */
void vfio_sweep(void);

/** vfio_closed() - fds may have gone */
void vfio_closed(void);

/** vfio_open() - open() of a path of VFIO. Return: an fd or a negative errno */
int vfio_open(struct shim_mount *m, int flags);

/** vfio_ioctl() - Return: as ioctl() but a negative errno; -ENODATA: a device has to answer */
int vfio_ioctl(uint64_t inode, uint32_t request, void *arg);

/** vfio_access() - Return: 0 when the fd is one of a device in use, else a negative errno */
int vfio_access(uint64_t inode);

void vfio_fork_prepare(void);
void vfio_fork_parent(void);
void vfio_fork_child(void);

/** vfio_get() - copy in a struct that starts with its size. Return: 0, -EFAULT or -EINVAL */
int vfio_get(void *to, const void *user, size_t minsz);

/** vfio_check_tail() - bytes from @known to @size have to be 0. Return: 0, -E2BIG or -EFAULT */
int vfio_check_tail(const void *user, size_t known, size_t size);

/* ---- one for each kind; called with the lock held ---- */

int container_ioctl(struct vfio_object *o, uint32_t request, void *arg);
void container_release(struct vfio_object *o);
/** container_left() - a group has gone. The last one takes the IOMMU along */
void container_left(struct vfio_object *o);

int group_ioctl(struct vfio_object *o, uint32_t request, void *arg);
/** group_leave() - out of the container, if it is in one */
void group_leave(struct vfio_object *o);

int iommufd_ioctl(struct vfio_object *o, uint32_t request, void *arg);
struct iommufd *iommufd_new(void);
void iommufd_release(struct vfio_object *o);
/** iommufd_compat() - Return: the address space that requests of a container mean, or NULL */
struct shim_space *iommufd_compat(const struct vfio_object *o);
/** iommufd_compat_id() - Return: the id of that address space, which there has to be */
uint32_t iommufd_compat_id(const struct vfio_object *o);
/** iommufd_make_compat() - have such a one. Return: 0 or -ENOMEM */
int iommufd_make_compat(struct vfio_object *o);
/** iommufd_bind() - a device is in the iommufd @o. Return: 0, with its @id there, or -ENOMEM */
int iommufd_bind(struct vfio_object *o, uint32_t *id);
void iommufd_unbind(struct vfio_object *o, uint32_t id);
/**
 * iommufd_attach() - a device uses an address space
 * @id: of an address space or of page tables; receives the page tables
 *
 * Return: 0, -ENOENT, -EINVAL, or what keeps the maps from the device. It keeps what it had then.
 */
int iommufd_attach(struct vfio_object *iommufd, struct vfio_object *device, uint32_t *id);
void iommufd_detach(struct vfio_object *iommufd, struct vfio_object *device);

int cdev_ioctl(struct vfio_object *o, uint32_t request, void *arg);
void cdev_release(struct vfio_object *o);

/* ---- hot_reset.c: of a device in use ---- */

int hot_reset_info(const struct vfio_object *o, void *arg);
int hot_reset(const struct vfio_object *o, void *arg);

/* ---- type1.c: the requests of an address space, as a container takes them ---- */

int type1_get_info(struct shim_space *s, void *arg);
int type1_map(struct shim_space *s, void *arg);
int type1_unmap(struct shim_space *s, bool v2, void *arg);

/* ---- type1_dirty.c: what was written ---- */

struct vfio_bitmap;

/* The kernel's limit: a bit for each of INT32_MAX pages. */
#define TYPE1_MAX_BITMAP (UINT64_C(1) << 28)

int type1_dirty_pages(struct shim_space *s, bool v2, void *arg);
/** type1_check_bitmap() - Return: 0 or -EINVAL for what cannot hold a bit for each page */
int type1_check_bitmap(const struct vfio_bitmap *bitmap, uint64_t size);
/** type1_put_dirty() - fill a bitmap at an address of the program. Return: 0 or -EFAULT */
int type1_put_dirty(const struct shim_space *s, uint64_t first, uint64_t last, uint64_t bitmap);

#endif
