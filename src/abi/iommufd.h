/* SPDX-License-Identifier: MIT */
/*
 * iommufd: numbers and structs of the Linux user API, under the kernel's names.
 *
 * Every struct starts with its own size. What a kernel does not know must be zero.
 */
#ifndef ABI_IOMMUFD_H
#define ABI_IOMMUFD_H

#include <stdint.h>
#include <sys/ioctl.h>

#define IOMMUFD_TYPE ';'
#define IOMMUFD_BASE 0x80

struct iommu_destroy {
	uint32_t size;
	uint32_t id;
};
#define IOMMU_DESTROY _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0)

struct iommu_ioas_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t out_ioas_id;
};
#define IOMMU_IOAS_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 1)

struct iommu_iova_range {
	uint64_t start;
	uint64_t last; /* inclusive */
};

struct iommu_ioas_allow_iovas {
	uint32_t size;
	uint32_t ioas_id;
	uint32_t num_iovas;
	uint32_t reserved;
	uint64_t allowed_iovas; /* address of the array */
};
#define IOMMU_IOAS_ALLOW_IOVAS _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 2)

struct iommu_ioas_copy {
	uint32_t size;
	uint32_t flags;
	uint32_t dst_ioas_id;
	uint32_t src_ioas_id;
	uint64_t length;
	uint64_t dst_iova;
	uint64_t src_iova;
};
#define IOMMU_IOAS_COPY _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 3)

struct iommu_ioas_iova_ranges {
	uint32_t size;
	uint32_t ioas_id;
	uint32_t num_iovas; /* in: room; out: how many there are */
	uint32_t reserved;
	uint64_t allowed_iovas; /* address of the array */
	uint64_t out_iova_alignment;
};
#define IOMMU_IOAS_IOVA_RANGES _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 4)

#define IOMMU_IOAS_MAP_FIXED_IOVA (1u << 0)
#define IOMMU_IOAS_MAP_WRITEABLE  (1u << 1)
#define IOMMU_IOAS_MAP_READABLE	  (1u << 2)

struct iommu_ioas_map {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	uint32_t reserved;
	uint64_t user_va;
	uint64_t length;
	uint64_t iova;
};
#define IOMMU_IOAS_MAP _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 5)

struct iommu_ioas_unmap {
	uint32_t size;
	uint32_t ioas_id;
	uint64_t iova;
	uint64_t length; /* out: bytes unmapped */
};
#define IOMMU_IOAS_UNMAP _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 6)

#define IOMMU_OPTION_RLIMIT_MODE 0
#define IOMMU_OPTION_HUGE_PAGES	 1
#define IOMMU_OPTION_OP_SET	 0
#define IOMMU_OPTION_OP_GET	 1

struct iommu_option {
	uint32_t size;
	uint32_t option_id;
	uint16_t op;
	uint16_t reserved;
	uint32_t object_id;
	uint64_t val64;
};
#define IOMMU_OPTION _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 7)

#define IOMMU_VFIO_IOAS_GET   0
#define IOMMU_VFIO_IOAS_SET   1
#define IOMMU_VFIO_IOAS_CLEAR 2

/* The address space that the requests of a container mean. */
struct iommu_vfio_ioas {
	uint32_t size;
	uint32_t ioas_id;
	uint16_t op;
	uint16_t reserved;
};
#define IOMMU_VFIO_IOAS _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 8)

struct iommu_ioas_map_file {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	int32_t fd;
	uint64_t start; /* in the file */
	uint64_t length;
	uint64_t iova;
};
#define IOMMU_IOAS_MAP_FILE _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0xf)

#define IOMMU_HWPT_ALLOC_DIRTY_TRACKING (1u << 1)
#define IOMMU_HWPT_FAULT_ID_VALID	(1u << 2)
#define IOMMU_HWPT_ALLOC_PASID		(1u << 3)

/* Page tables for a device, of an address space. */
struct iommu_hwpt_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t dev_id; /* as bound */
	uint32_t pt_id;	 /* the address space */
	uint32_t out_hwpt_id;
	uint32_t reserved;
	uint32_t data_type;
	uint32_t data_len;
	uint64_t data_uptr;
	uint32_t fault_id;
	uint32_t reserved2;
};
#define IOMMU_HWPT_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 9)

#define IOMMU_HW_INFO_FLAG_INPUT_TYPE (1u << 0)

#define IOMMU_HW_CAP_DIRTY_TRACKING (1u << 0)

struct iommu_hw_info {
	uint32_t size;
	uint32_t flags;
	uint32_t dev_id;
	uint32_t data_len;
	uint64_t data_uptr;
	uint32_t data_type;
	uint8_t max_pasid_log2;
	uint8_t reserved[3];
	uint64_t capabilities;
};
#define IOMMU_GET_HW_INFO _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0xa)

struct iommu_hwpt_invalidate {
	uint32_t size;
	uint32_t hwpt_id;
	uint64_t data_uptr;
	uint32_t data_type;
	uint32_t entry_len;
	uint32_t entry_num;
	uint32_t reserved;
};
#define IOMMU_HWPT_INVALIDATE _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0xd)

#define IOMMU_FAULT_QUEUE_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0xe)

struct iommu_viommu_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t type;
	uint32_t dev_id;
	uint32_t hwpt_id;
	uint32_t out_viommu_id;
	uint32_t data_len;
	uint32_t reserved;
	uint64_t data_uptr;
};
#define IOMMU_VIOMMU_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0x10)

/* Maps of files belong to the caller from then on. */
struct iommu_ioas_change_process {
	uint32_t size;
	uint32_t reserved;
};
#define IOMMU_IOAS_CHANGE_PROCESS _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0x12)

#define IOMMU_HWPT_DIRTY_TRACKING_ENABLE (1u << 0)

struct iommu_hwpt_set_dirty_tracking {
	uint32_t size;
	uint32_t flags;
	uint32_t hwpt_id;
	uint32_t reserved;
};
#define IOMMU_HWPT_SET_DIRTY_TRACKING _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0xb)

#define IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR (1u << 0)

struct iommu_hwpt_get_dirty_bitmap {
	uint32_t size;
	uint32_t hwpt_id;
	uint32_t flags;
	uint32_t reserved;
	uint64_t iova;
	uint64_t length;
	uint64_t page_size; /* bytes for each bit */
	uint64_t data;	    /* address of the bitmap */
};
#define IOMMU_HWPT_GET_DIRTY_BITMAP _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0xc)

/* Devices without an IOMMU: where a map lies in physical memory. */
struct iommu_ioas_noiommu_get_pa {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	uint32_t reserved;
	uint64_t iova;
	uint64_t length; /* out: bytes that lie there in one piece */
	uint64_t out_phys;
};
#define IOMMU_IOAS_NOIOMMU_GET_PA _IO(IOMMUFD_TYPE, IOMMUFD_BASE + 0x15)

_Static_assert(sizeof(struct iommu_destroy) == 8, "kernel layout");
_Static_assert(sizeof(struct iommu_ioas_alloc) == 12, "kernel layout");
_Static_assert(sizeof(struct iommu_option) == 24, "kernel layout");
_Static_assert(sizeof(struct iommu_hw_info) == 40, "kernel layout");
_Static_assert(sizeof(struct iommu_hwpt_invalidate) == 32, "kernel layout");
_Static_assert(sizeof(struct iommu_viommu_alloc) == 40, "kernel layout");
_Static_assert(sizeof(struct iommu_ioas_change_process) == 8, "kernel layout");
_Static_assert(sizeof(struct iommu_iova_range) == 16, "kernel layout");
_Static_assert(sizeof(struct iommu_ioas_iova_ranges) == 32, "kernel layout");
_Static_assert(sizeof(struct iommu_ioas_allow_iovas) == 24, "kernel layout");
_Static_assert(sizeof(struct iommu_ioas_copy) == 40, "kernel layout");
_Static_assert(sizeof(struct iommu_vfio_ioas) == 12, "kernel layout");
_Static_assert(sizeof(struct iommu_ioas_map) == 40, "kernel layout");
_Static_assert(sizeof(struct iommu_ioas_unmap) == 24, "kernel layout");
_Static_assert(sizeof(struct iommu_ioas_map_file) == 40, "kernel layout");
_Static_assert(sizeof(struct iommu_hwpt_alloc) == 48, "kernel layout");
_Static_assert(sizeof(struct iommu_hwpt_set_dirty_tracking) == 16, "kernel layout");
_Static_assert(sizeof(struct iommu_hwpt_get_dirty_bitmap) == 48, "kernel layout");
_Static_assert(sizeof(struct iommu_ioas_noiommu_get_pa) == 40, "kernel layout");
_Static_assert(IOMMU_DESTROY == 0x3b80 && IOMMU_IOAS_MAP == 0x3b85 &&
		       IOMMU_IOAS_MAP_FILE == 0x3b8f && IOMMU_IOAS_NOIOMMU_GET_PA == 0x3b95,
	       "kernel numbers");

#endif
