/* SPDX-License-Identifier: MIT */
/* Page tables of an iommufd, and what its IOMMU can do: nothing beyond translating. */
#include <stdlib.h>
#include <string.h>

#include "abi/iommufd.h"
#include "shim/iommufd.h"
#include "util/usermem.h"

int hwpt_new(struct iommufd *f, struct iommufd_object *ioas, struct iommufd_object **out)
{
	struct iommufd_object *hwpt = iommufd_add(f, IOMMUFD_HWPT);
	int ret = hwpt ? shim_space_add_table(ioas->space) : -ENOMEM;

	if (!ret) {
		hwpt->ioas = ioas;
		ioas->users++;
		*out = hwpt;
	} else if (hwpt) {
		iommufd_remove(f, hwpt);
	}
	return ret;
}

static int check_alloc(const struct iommufd *f, const struct iommu_hwpt_alloc *a)
{
	const struct iommufd_object *pt = iommufd_any(f, a->pt_id);

	if (a->reserved)
		return -EOPNOTSUPP;
	if (!a->data_type != !a->data_len)
		return -EINVAL;
	if (!iommufd_find(f, a->dev_id, IOMMUFD_DEVICE))
		return -ENOENT;
	if (!pt || pt->type == IOMMUFD_DEVICE)
		return -EINVAL;
	/* Neither tables in tables nor an account of what is written, nor any other kind. */
	if (pt->type == IOMMUFD_HWPT || a->data_type ||
	    (a->flags & ~(IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID)))
		return -EOPNOTSUPP;
	/* There are no queues of faults. */
	return a->flags & IOMMU_HWPT_FAULT_ID_VALID ? -ENOENT : 0;
}

int hwpt_alloc(struct vfio_object *o, void *arg)
{
	struct iommu_hwpt_alloc *a = arg;
	struct iommufd_object *hwpt = NULL;
	int ret = check_alloc(o->iommufd, a);

	if (!ret)
		ret = hwpt_new(o->iommufd, iommufd_any(o->iommufd, a->pt_id), &hwpt);
	if (!ret)
		a->out_hwpt_id = hwpt->id;
	return ret;
}

int hwpt_set_dirty_tracking(struct vfio_object *o, void *arg)
{
	const struct iommu_hwpt_set_dirty_tracking *a = arg;

	if (a->flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE)
		return -EOPNOTSUPP;
	return iommufd_find(o->iommufd, a->hwpt_id, IOMMUFD_HWPT) ? -EOPNOTSUPP : -ENOENT;
}

int hwpt_get_dirty_bitmap(struct vfio_object *o, void *arg)
{
	const struct iommu_hwpt_get_dirty_bitmap *a = arg;

	if ((a->flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) || a->reserved)
		return -EOPNOTSUPP;
	return iommufd_find(o->iommufd, a->hwpt_id, IOMMUFD_HWPT) ? -EOPNOTSUPP : -ENOENT;
}

int hwpt_invalidate(struct vfio_object *o, void *arg)
{
	const struct iommu_hwpt_invalidate *a = arg;

	if (a->reserved)
		return -EOPNOTSUPP;
	if (a->entry_num && (!a->data_uptr || !a->entry_len))
		return -EINVAL;
	return iommufd_any(o->iommufd, a->hwpt_id) ? -EINVAL : -ENOENT;
}

/* An IOMMU of no kind that a guest could be shown. */
int hwpt_hw_info(struct vfio_object *o, void *arg)
{
	static const uint8_t zeros[64];
	struct iommu_hw_info *a = arg;

	if ((a->flags & ~IOMMU_HW_INFO_FLAG_INPUT_TYPE) || a->reserved[0] || a->reserved[1] ||
	    a->reserved[2])
		return -EOPNOTSUPP;
	if (!iommufd_find(o->iommufd, a->dev_id, IOMMUFD_DEVICE))
		return -ENOENT;
	for (uint32_t at = 0; at < a->data_len;) {
		uint32_t n = a->data_len - at < sizeof(zeros) ? a->data_len - at : sizeof(zeros);

		if (dfd_copy_out((char *)(uintptr_t)a->data_uptr + at, zeros, n))
			return -EFAULT;
		at += n;
	}
	a->data_len = 0;
	a->data_type = 0;
	a->max_pasid_log2 = 0;
	a->capabilities = 0;
	return 0;
}

int hwpt_viommu_alloc(struct vfio_object *o, void *arg)
{
	const struct iommu_viommu_alloc *a = arg;

	if (a->flags || !a->type)
		return -EOPNOTSUPP;
	return iommufd_find(o->iommufd, a->dev_id, IOMMUFD_DEVICE) ? -EOPNOTSUPP : -ENOENT;
}
