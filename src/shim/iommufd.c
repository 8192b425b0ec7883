/* SPDX-License-Identifier: MIT */
/* /dev/iommu: its objects and its requests. See the theory of operation in iommufd.h. */
#include <stdlib.h>
#include <string.h>

#include "abi/iommufd.h"
#include "abi/vfio.h"
#include "shim/dirty.h"
#include "shim/iommufd.h"
#include "util/usermem.h"

struct iommufd *iommufd_new(void)
{
	return calloc(1, sizeof(struct iommufd));
}

void iommufd_release(struct vfio_object *o)
{
	struct iommufd_object *next;

	/* Accounts are in lists of their address spaces. */
	for (const struct iommufd_object *obj = o->iommufd->objects; obj; obj = obj->next)
		dirty_free(obj->dirty);
	for (struct iommufd_object *obj = o->iommufd->objects; obj; obj = next) {
		next = obj->next;
		shim_space_free(obj->space);
		free(obj);
	}
	free(o->iommufd);
}

/* ---- objects ---- */

struct iommufd_object *iommufd_any(const struct iommufd *f, uint32_t id)
{
	struct iommufd_object *obj = f->objects;

	while (obj && obj->id != id)
		obj = obj->next;
	return obj;
}

struct iommufd_object *iommufd_find(const struct iommufd *f, uint32_t id, enum iommufd_type type)
{
	struct iommufd_object *obj = iommufd_any(f, id);

	return obj && obj->type == type ? obj : NULL;
}

struct iommufd_object *iommufd_add(struct iommufd *f, enum iommufd_type type)
{
	struct iommufd_object **at = &f->objects, *obj = calloc(1, sizeof(*obj));

	if (!obj)
		return NULL;
	obj->type = type;
	for (obj->id = 1; *at && (*at)->id == obj->id; at = &(*at)->next)
		obj->id++;
	obj->next = *at;
	*at = obj;
	return obj;
}

void iommufd_remove(struct iommufd *f, struct iommufd_object *obj)
{
	struct iommufd_object **at = &f->objects;

	while (*at != obj)
		at = &(*at)->next;
	*at = obj->next;
	if (f->compat == obj)
		f->compat = NULL;
	dirty_free(obj->dirty);
	if (obj->ioas) {
		obj->ioas->space->tables--;
		obj->ioas->users--;
	}
	shim_space_free(obj->space);
	free(obj);
}

static int destroy(struct vfio_object *o, void *arg)
{
	const struct iommu_destroy *a = arg;
	struct iommufd_object *obj = iommufd_any(o->iommufd, a->id);

	if (!obj)
		return -ENOENT;
	if (obj->users)
		return -EBUSY;
	iommufd_remove(o->iommufd, obj);
	return 0;
}

static int option(struct vfio_object *o, void *arg)
{
	struct iommu_option *a = arg;

	if (a->reserved)
		return -EOPNOTSUPP;
	if (a->option_id == IOMMU_OPTION_HUGE_PAGES)
		return ioas_option(o, arg);
	if (a->option_id != IOMMU_OPTION_RLIMIT_MODE || a->object_id)
		return -EOPNOTSUPP;
	if (a->op == IOMMU_OPTION_OP_GET) {
		a->val64 = o->iommufd->by_process;
		return 0;
	}
	if (a->op != IOMMU_OPTION_OP_SET)
		return -EOPNOTSUPP;
	if (o->iommufd->objects)
		return -EBUSY;
	/* Nothing is pinned here, so nothing is counted. */
	o->iommufd->by_process = a->val64 == 1;
	return a->val64 > 1 ? -EINVAL : 0;
}

/* ---- devices ---- */

int iommufd_bind(struct vfio_object *o, uint32_t *id)
{
	struct iommufd_object *obj = iommufd_add(o->iommufd, IOMMUFD_DEVICE);

	if (!obj)
		return -ENOMEM;
	obj->users = 1;
	*id = obj->id;
	return 0;
}

void iommufd_unbind(struct vfio_object *o, uint32_t id)
{
	iommufd_remove(o->iommufd, iommufd_find(o->iommufd, id, IOMMUFD_DEVICE));
}

/* The page tables that an earlier attach to an address space has made. */
static struct iommufd_object *automatic_tables(const struct iommufd *f,
					       const struct iommufd_object *ioas)
{
	struct iommufd_object *obj = f->objects;

	while (obj && (!obj->automatic || obj->ioas != ioas))
		obj = obj->next;
	return obj;
}

static void put_tables(struct iommufd *f, struct iommufd_object *hwpt)
{
	if (!hwpt->users && hwpt->automatic)
		iommufd_remove(f, hwpt);
}

/* What an id means to attach to, with page tables. */
static int find_tables(struct iommufd *f, uint32_t id, struct iommufd_object **out)
{
	struct iommufd_object *obj = iommufd_any(f, id);
	int ret;

	if (!obj)
		return -ENOENT;
	if (obj->type == IOMMUFD_DEVICE)
		return -EINVAL;
	*out = obj->type == IOMMUFD_HWPT ? obj : automatic_tables(f, obj);
	if (*out)
		return 0;
	ret = shim_space_check(obj->space);
	if (!ret)
		ret = hwpt_new(f, obj, out);
	if (!ret)
		(*out)->automatic = true;
	return ret;
}

void iommufd_detach(struct vfio_object *iommufd, struct vfio_object *device)
{
	struct iommufd_object *hwpt = device->hwpt;

	if (!hwpt)
		return;
	shim_space_detach(hwpt->ioas->space, device->mount);
	dirty_follow(device->mount, NULL);
	hwpt->users--;
	put_tables(iommufd->iommufd, hwpt);
	device->hwpt = NULL;
	device->attached = NULL;
}

/* From one address space to another; back to the old one if that does not work. */
static int move(struct vfio_object *device, struct shim_space *to)
{
	struct shim_space *from = device->attached;
	int ret = shim_space_check(to);

	if (ret || from == to)
		return ret;
	if (from)
		shim_space_detach(from, device->mount);
	ret = shim_space_attach(to, device->mount);
	if (ret && from)
		(void)shim_space_attach(from, device->mount);
	return ret;
}

static void use_tables(struct iommufd *f, struct vfio_object *device, struct iommufd_object *hwpt)
{
	struct iommufd_object *old = device->hwpt;

	hwpt->users++;
	device->hwpt = hwpt;
	device->attached = hwpt->ioas->space;
	dirty_follow(device->mount, hwpt->dirty);
	if (old) {
		old->users--;
		put_tables(f, old);
	}
}

/* The devices of a group share page tables: who has some already takes all others along. */
static int attach_group(struct iommufd *f, struct vfio_object *device, struct iommufd_object *hwpt)
{
	const struct shim_mount *group = device->mount->device;
	const bool replaces = device->hwpt;
	struct vfio_object *mate = NULL;
	int ret;

	while (!replaces && (mate = vfio_next_of_group(group, mate))) {
		if (mate->hwpt && mate->hwpt != hwpt)
			return -EINVAL;
	}
	ret = move(device, hwpt->ioas->space);
	if (ret)
		return ret;
	use_tables(f, device, hwpt);
	for (mate = NULL; replaces && !ret && (mate = vfio_next_of_group(group, mate));) {
		if (!mate->hwpt || mate->hwpt == hwpt)
			continue;
		ret = move(mate, hwpt->ioas->space);
		if (!ret)
			use_tables(f, mate, hwpt);
	}
	return ret;
}

int iommufd_attach(struct vfio_object *iommufd, struct vfio_object *device, uint32_t *id)
{
	struct iommufd *f = iommufd->iommufd;
	struct iommufd_object *hwpt;
	int ret = find_tables(f, *id, &hwpt);

	if (ret)
		return ret;
	ret = attach_group(f, device, hwpt);
	if (ret)
		put_tables(f, hwpt);
	else
		*id = hwpt->id;
	return ret;
}

/* ---- dispatch ---- */

static const struct call {
	uint32_t request;
	uint32_t size;
	uint32_t minsz;
	int (*handle)(struct vfio_object *o, void *arg);
} calls[] = {
	{ IOMMU_DESTROY, sizeof(struct iommu_destroy), 8, destroy },
	{ IOMMU_IOAS_ALLOC, sizeof(struct iommu_ioas_alloc), 12, ioas_alloc },
	{ IOMMU_IOAS_ALLOW_IOVAS, sizeof(struct iommu_ioas_allow_iovas), 24, ioas_allow_iovas },
	{ IOMMU_IOAS_COPY, sizeof(struct iommu_ioas_copy), 40, ioas_copy },
	{ IOMMU_IOAS_IOVA_RANGES, sizeof(struct iommu_ioas_iova_ranges), 32, ioas_iova_ranges },
	{ IOMMU_IOAS_MAP, sizeof(struct iommu_ioas_map), 40, ioas_map },
	{ IOMMU_IOAS_MAP_FILE, sizeof(struct iommu_ioas_map_file), 40, ioas_map_file },
	{ IOMMU_IOAS_CHANGE_PROCESS, sizeof(struct iommu_ioas_change_process), 8,
	  ioas_change_process },
	{ IOMMU_IOAS_UNMAP, sizeof(struct iommu_ioas_unmap), 24, ioas_unmap },
	{ IOMMU_OPTION, sizeof(struct iommu_option), 24, option },
	{ IOMMU_VFIO_IOAS, sizeof(struct iommu_vfio_ioas), 12, compat_vfio_ioas },
	{ IOMMU_HWPT_ALLOC, sizeof(struct iommu_hwpt_alloc), 24, hwpt_alloc },
	{ IOMMU_GET_HW_INFO, sizeof(struct iommu_hw_info), 32, hwpt_hw_info },
	{ IOMMU_HWPT_SET_DIRTY_TRACKING, sizeof(struct iommu_hwpt_set_dirty_tracking), 16,
	  hwpt_set_dirty_tracking },
	{ IOMMU_HWPT_GET_DIRTY_BITMAP, sizeof(struct iommu_hwpt_get_dirty_bitmap), 48,
	  hwpt_get_dirty_bitmap },
	{ IOMMU_HWPT_INVALIDATE, sizeof(struct iommu_hwpt_invalidate), 32, hwpt_invalidate },
	{ IOMMU_VIOMMU_ALLOC, sizeof(struct iommu_viommu_alloc), 24, hwpt_viommu_alloc },
};

/* The largest of all arguments. */
#define MAX_ARGUMENT 48

static int handle(struct vfio_object *o, const struct call *c, void *user)
{
	union {
		uint32_t size;
		uint64_t aligned;
		uint8_t bytes[MAX_ARGUMENT];
	} arg = { 0 };
	uint32_t size, known;
	int ret;

	if (dfd_copy_in(&size, user, sizeof(size)))
		return -EFAULT;
	if (size < c->minsz)
		return -EINVAL;
	known = size < c->size ? size : c->size;
	if (dfd_copy_in(&arg, user, known))
		return -EFAULT;
	ret = vfio_check_tail(user, c->size, size);
	if (!ret)
		ret = c->handle(o, &arg);
	/* How many there are is said with this error, too. */
	if (ret && ret != -EMSGSIZE)
		return ret;
	return dfd_copy_out(user, &arg, known) ? -EFAULT : ret;
}

int iommufd_ioctl(struct vfio_object *o, uint32_t request, void *arg)
{
	vfio_sweep();
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (calls[i].request == request)
			return handle(o, &calls[i], arg);
	}
	return compat_ioctl(o->iommufd, request, arg);
}
