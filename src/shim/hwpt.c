/* SPDX-License-Identifier: MIT */
/* Page tables of an iommufd, and what its IOMMU can do: translate, and tell what was written. */
#include <stdlib.h>
#include <string.h>

#include "abi/iommufd.h"
#include "shim/dirty.h"
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
	/* Neither tables in tables nor any other kind. */
	if (pt->type == IOMMUFD_HWPT || a->data_type ||
	    (a->flags & ~(IOMMU_HWPT_ALLOC_DIRTY_TRACKING | IOMMU_HWPT_FAULT_ID_VALID |
			  IOMMU_HWPT_ALLOC_PASID)))
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
	if (ret)
		return ret;
	if (a->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) {
		hwpt->dirty = dirty_new(hwpt->ioas->space);
		if (!hwpt->dirty) {
			iommufd_remove(o->iommufd, hwpt);
			return -ENOMEM;
		}
	}
	a->out_hwpt_id = hwpt->id;
	return 0;
}

/* ---- what was written ---- */

int hwpt_set_dirty_tracking(struct vfio_object *o, void *arg)
{
	const struct iommu_hwpt_set_dirty_tracking *a = arg;
	const struct iommufd_object *hwpt = iommufd_find(o->iommufd, a->hwpt_id, IOMMUFD_HWPT);

	if (a->flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE)
		return -EOPNOTSUPP;
	if (!hwpt)
		return -ENOENT;
	if (!hwpt->dirty)
		return -EOPNOTSUPP;
	dirty_set(hwpt->dirty, a->flags & IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
	return 0;
}

static int check_range(const struct iommu_hwpt_get_dirty_bitmap *a, uint64_t *last)
{
	if (!a->length)
		return -EINVAL;
	if (__builtin_add_overflow(a->iova, a->length - 1, last))
		return -EOVERFLOW;
	if ((a->iova | (*last + 1)) & (SPACE_PAGE - 1) || !a->page_size ||
	    (a->iova | (*last + 1)) & (a->page_size - 1))
		return -EINVAL;
	return 0;
}

/* As an IOMMU of Intel's or AMD's: only while an account is kept, and of what is mapped. */
int hwpt_get_dirty_bitmap(struct vfio_object *o, void *arg)
{
	const struct iommu_hwpt_get_dirty_bitmap *a = arg;
	const struct iommufd_object *hwpt = iommufd_find(o->iommufd, a->hwpt_id, IOMMUFD_HWPT);
	const bool keep = a->flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR;
	uint64_t last;
	int ret;

	if ((a->flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) || a->reserved)
		return -EOPNOTSUPP;
	if (!hwpt)
		return -ENOENT;
	ret = check_range(a, &last);
	if (ret)
		return ret;
	if (!hwpt->dirty)
		return -EOPNOTSUPP;
	if (!dirty_is_on(hwpt->dirty) || !shim_space_covers(hwpt->ioas->space, a->iova, last))
		return -EINVAL;
	return dirty_read(hwpt->dirty, a->iova, last, a->page_size, a->data, !keep);
}

/* ---- the rest ---- */

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
	a->capabilities = IOMMU_HW_CAP_DIRTY_TRACKING;
	return 0;
}

int hwpt_viommu_alloc(struct vfio_object *o, void *arg)
{
	const struct iommu_viommu_alloc *a = arg;

	if (a->flags || !a->type)
		return -EOPNOTSUPP;
	return iommufd_find(o->iommufd, a->dev_id, IOMMUFD_DEVICE) ? -EOPNOTSUPP : -ENOENT;
}
