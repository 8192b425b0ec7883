/* SPDX-License-Identifier: MIT */
/*
 * Today's VFIO ioctls: numbers and structs of the Linux user API, under the kernel's names.
 *
 * A header of our own, because that of a distribution may be older than the device behind the fd.
 * It must not meet <linux/vfio.h> in one file.
 */
#ifndef ABI_VFIO_H
#define ABI_VFIO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define VFIO_TYPE ';'
#define VFIO_BASE 100

/* ---- container and group ---- */

#define VFIO_API_VERSION     0
#define VFIO_GET_API_VERSION _IO(VFIO_TYPE, VFIO_BASE + 0)
#define VFIO_CHECK_EXTENSION _IO(VFIO_TYPE, VFIO_BASE + 1)
#define VFIO_SET_IOMMU	     _IO(VFIO_TYPE, VFIO_BASE + 2)

/* What VFIO_CHECK_EXTENSION and VFIO_SET_IOMMU take. */
#define VFIO_TYPE1_IOMMU   1
#define VFIO_TYPE1v2_IOMMU 3
#define VFIO_DMA_CC_IOMMU  4
#define VFIO_NOIOMMU_IOMMU 8
#define VFIO_UNMAP_ALL	   9
#define VFIO_UPDATE_VADDR  10

struct vfio_group_status {
	uint32_t argsz;
	uint32_t flags;
};
#define VFIO_GROUP_GET_STATUS	   _IO(VFIO_TYPE, VFIO_BASE + 3)
#define VFIO_GROUP_SET_CONTAINER   _IO(VFIO_TYPE, VFIO_BASE + 4)
#define VFIO_GROUP_UNSET_CONTAINER _IO(VFIO_TYPE, VFIO_BASE + 5)
#define VFIO_GROUP_GET_DEVICE_FD   _IO(VFIO_TYPE, VFIO_BASE + 6)

#define VFIO_GROUP_FLAGS_VIABLE	       (1u << 0)
#define VFIO_GROUP_FLAGS_CONTAINER_SET (1u << 1)

/* ---- a device file of its own, with an iommufd ---- */

struct vfio_device_bind_iommufd {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t out_devid;
	uint64_t token_uuid_ptr; /* 16 bytes */
};
#define VFIO_DEVICE_BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)

#define VFIO_DEVICE_BIND_FLAG_TOKEN (1u << 0)

struct vfio_device_attach_iommufd_pt {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pt_id;
	uint32_t pasid;
};
#define VFIO_DEVICE_ATTACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 19)
/* The first version, without pasid, is what kernels of 6.6 take. */
#define VFIO_DEVICE_ATTACH_SIZE 12u

#define VFIO_DEVICE_ATTACH_PASID (1u << 0)

struct vfio_device_detach_iommufd_pt {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pasid;
};
#define VFIO_DEVICE_DETACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 20)
#define VFIO_DEVICE_DETACH_SIZE	      8u

#define VFIO_DEVICE_DETACH_PASID (1u << 0)

/* ---- capability chains ---- */

struct vfio_info_cap_header {
	uint16_t id;
	uint16_t version;
	uint32_t next; /* from the start of the info struct; 0 ends */
};

/* ---- the device ---- */

struct vfio_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions; /* highest index + 1 */
	uint32_t num_irqs;    /* highest index + 1 */
	uint32_t cap_offset;
	uint32_t pad;
};
#define VFIO_DEVICE_GET_INFO _IO(VFIO_TYPE, VFIO_BASE + 7)

#define VFIO_DEVICE_FLAGS_RESET	   (1u << 0)
#define VFIO_DEVICE_FLAGS_PCI	   (1u << 1)
#define VFIO_DEVICE_FLAGS_PLATFORM (1u << 2)
#define VFIO_DEVICE_FLAGS_AMBA	   (1u << 3)
#define VFIO_DEVICE_FLAGS_CAPS	   (1u << 7)

#define VFIO_DEVICE_INFO_CAP_ZPCI_BASE	     1
#define VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP 5

/* Offset of ccdf_err_length behind the header of ZPCI_BASE, version 3. */
#define VFIO_ZPCI_BASE_ERR_LENGTH 28u

/* ---- regions ---- */

struct vfio_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset;
};
#define VFIO_DEVICE_GET_REGION_INFO _IO(VFIO_TYPE, VFIO_BASE + 8)

#define VFIO_REGION_INFO_FLAG_READ  (1u << 0)
#define VFIO_REGION_INFO_FLAG_WRITE (1u << 1)
#define VFIO_REGION_INFO_FLAG_MMAP  (1u << 2)
#define VFIO_REGION_INFO_FLAG_CAPS  (1u << 3)

#define VFIO_REGION_INFO_CAP_SPARSE_MMAP   1
#define VFIO_REGION_INFO_CAP_TYPE	   2
#define VFIO_REGION_INFO_CAP_MSIX_MAPPABLE 3

struct vfio_region_sparse_mmap_area {
	uint64_t offset;
	uint64_t size;
};

struct vfio_region_info_cap_sparse_mmap {
	struct vfio_info_cap_header header;
	uint32_t nr_areas;
	uint32_t reserved;
	struct vfio_region_sparse_mmap_area areas[];
};

/* ---- interrupts ---- */

struct vfio_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count; /* 0: not implemented */
};
#define VFIO_DEVICE_GET_IRQ_INFO _IO(VFIO_TYPE, VFIO_BASE + 9)

#define VFIO_IRQ_INFO_EVENTFD	 (1u << 0)
#define VFIO_IRQ_INFO_MASKABLE	 (1u << 1)
#define VFIO_IRQ_INFO_AUTOMASKED (1u << 2)
#define VFIO_IRQ_INFO_NORESIZE	 (1u << 3)

struct vfio_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
	uint8_t data[];
};
#define VFIO_DEVICE_SET_IRQS _IO(VFIO_TYPE, VFIO_BASE + 10)

#define VFIO_IRQ_SET_DATA_NONE	    (1u << 0)
#define VFIO_IRQ_SET_DATA_BOOL	    (1u << 1)
#define VFIO_IRQ_SET_DATA_EVENTFD   (1u << 2)
#define VFIO_IRQ_SET_ACTION_MASK    (1u << 3)
#define VFIO_IRQ_SET_ACTION_UNMASK  (1u << 4)
#define VFIO_IRQ_SET_ACTION_TRIGGER (1u << 5)
#define VFIO_IRQ_SET_DATA_TYPE_MASK                                                                \
	(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_DATA_EVENTFD)
#define VFIO_IRQ_SET_ACTION_TYPE_MASK                                                              \
	(VFIO_IRQ_SET_ACTION_MASK | VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_ACTION_TRIGGER)

/* Indexes of a PCI function. */
enum {
	VFIO_PCI_BAR0_REGION_INDEX,
	VFIO_PCI_BAR5_REGION_INDEX = 5,
	VFIO_PCI_ROM_REGION_INDEX,
	VFIO_PCI_CONFIG_REGION_INDEX,
	VFIO_PCI_VGA_REGION_INDEX,
	VFIO_PCI_NUM_REGIONS
};

enum {
	VFIO_PCI_INTX_IRQ_INDEX,
	VFIO_PCI_MSI_IRQ_INDEX,
	VFIO_PCI_MSIX_IRQ_INDEX,
	VFIO_PCI_ERR_IRQ_INDEX,
	VFIO_PCI_REQ_IRQ_INDEX,
	VFIO_PCI_NUM_IRQS
};

/* ---- the rest ---- */

#ifndef VFIO_DEVICE_RESET /* <devfd/ioctl.h> has it too */
#define VFIO_DEVICE_RESET _IO(VFIO_TYPE, VFIO_BASE + 11)
#endif

struct vfio_device_feature {
	uint32_t argsz;
	uint32_t flags;
	uint8_t data[];
};
#define VFIO_DEVICE_FEATURE _IO(VFIO_TYPE, VFIO_BASE + 17)

#define VFIO_DEVICE_FEATURE_MASK  0xffffu
#define VFIO_DEVICE_FEATURE_GET	  (1u << 16)
#define VFIO_DEVICE_FEATURE_SET	  (1u << 17)
#define VFIO_DEVICE_FEATURE_PROBE (1u << 18)

/* Bodies of features; numbers are in <devfd/feature.h>. */
struct vfio_device_feature_migration {
	uint64_t flags;
};
struct vfio_device_feature_mig_state {
	uint32_t device_state;
	int32_t data_fd;
};
struct vfio_device_low_power_entry_with_wakeup {
	int32_t wakeup_eventfd;
	uint32_t reserved;
};
struct vfio_device_feature_dma_logging_control {
	uint64_t page_size;
	uint32_t num_ranges;
	uint32_t reserved;
	uint64_t ranges; /* address */
};
struct vfio_device_feature_dma_logging_report {
	uint64_t iova;
	uint64_t length;
	uint64_t page_size;
	uint64_t bitmap; /* address */
};
struct vfio_device_feature_mig_data_size {
	uint64_t stop_copy_length;
};
struct vfio_device_feature_zpci_err {
	uint64_t data; /* address */
};
struct vfio_device_feature_bus_master {
	uint32_t op;
};
struct vfio_region_dma_range {
	uint64_t offset;
	uint64_t length;
};
struct vfio_device_feature_dma_buf {
	uint32_t region_index;
	uint32_t open_flags;
	uint32_t flags;
	uint32_t nr_ranges;
	struct vfio_region_dma_range dma_ranges[];
};

/* For the fd of a migration state. */
struct vfio_precopy_info {
	uint32_t argsz;
	uint32_t flags;
	uint64_t initial_bytes;
	uint64_t dirty_bytes;
};
#define VFIO_MIG_GET_PRECOPY_INFO _IO(VFIO_TYPE, VFIO_BASE + 21)

#define VFIO_PRECOPY_INFO_REINIT (1u << 0)

_Static_assert(sizeof(struct vfio_precopy_info) == 24, "kernel layout");
_Static_assert(VFIO_MIG_GET_PRECOPY_INFO == 0x3b79, "kernel numbers");

/* ---- reset of a slot or a bus ---- */

struct vfio_pci_dependent_device {
	uint32_t id; /* group, or id in an iommufd */
	uint16_t segment;
	uint8_t bus;
	uint8_t devfn;
};
struct vfio_pci_hot_reset_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t count;
	struct vfio_pci_dependent_device devices[];
};
#define VFIO_DEVICE_GET_PCI_HOT_RESET_INFO _IO(VFIO_TYPE, VFIO_BASE + 12)

#define VFIO_PCI_HOT_RESET_FLAG_DEV_ID	     (1u << 0)
#define VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED (1u << 1)
#define VFIO_PCI_DEVID_OWNED		     0u
#define VFIO_PCI_DEVID_NOT_OWNED	     UINT32_MAX

struct vfio_pci_hot_reset {
	uint32_t argsz;
	uint32_t flags;
	uint32_t count;
	int32_t group_fds[];
};
#define VFIO_DEVICE_PCI_HOT_RESET _IO(VFIO_TYPE, VFIO_BASE + 13)

/* ---- what few devices have ---- */

struct vfio_device_gfx_plane_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t drm_plane_type;
	uint32_t drm_format;
	uint64_t drm_format_mod;
	uint32_t width;
	uint32_t height;
	uint32_t stride;
	uint32_t size;
	uint32_t x_pos;
	uint32_t y_pos;
	uint32_t x_hot;
	uint32_t y_hot;
	uint32_t where; /* region index, or number of a dma-buf */
	uint32_t reserved;
};

#define VFIO_DEVICE_QUERY_GFX_PLANE _IO(VFIO_TYPE, VFIO_BASE + 14)
#define VFIO_DEVICE_GET_GFX_DMABUF  _IO(VFIO_TYPE, VFIO_BASE + 15)

#define VFIO_GFX_PLANE_TYPE_PROBE  (1u << 0)
#define VFIO_GFX_PLANE_TYPE_DMABUF (1u << 1)
#define VFIO_GFX_PLANE_TYPE_REGION (1u << 2)

_Static_assert(sizeof(struct vfio_device_gfx_plane_info) == 64, "kernel layout");
_Static_assert(VFIO_DEVICE_QUERY_GFX_PLANE == 0x3b72 && VFIO_DEVICE_GET_GFX_DMABUF == 0x3b73,
	       "kernel numbers");

struct vfio_device_ioeventfd {
	uint32_t argsz;
	uint32_t flags; /* the width of the write, in bytes */
	uint64_t offset;
	uint64_t data;
	int32_t fd; /* -1 removes */
	uint32_t reserved;
};
#define VFIO_DEVICE_IOEVENTFD _IO(VFIO_TYPE, VFIO_BASE + 16)

_Static_assert(sizeof(struct vfio_device_ioeventfd) == 32, "kernel layout");

/* ---- DMA through a container of type 1 ---- */

struct vfio_iommu_type1_info {
	uint32_t argsz;
	uint32_t flags;
	uint64_t iova_pgsizes; /* bit n: pages of 1 << n bytes */
	uint32_t cap_offset;
	uint32_t pad;
};
#define VFIO_IOMMU_GET_INFO _IO(VFIO_TYPE, VFIO_BASE + 12)

#define VFIO_IOMMU_INFO_PGSIZES (1u << 0)
#define VFIO_IOMMU_INFO_CAPS	(1u << 1)

#define VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE 1
#define VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION  2
#define VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL	     3

struct vfio_iommu_type1_info_dma_avail {
	struct vfio_info_cap_header header;
	uint32_t avail;
};

struct vfio_iova_range {
	uint64_t start;
	uint64_t end; /* inclusive */
};

struct vfio_iommu_type1_info_cap_iova_range {
	struct vfio_info_cap_header header;
	uint32_t nr_iovas;
	uint32_t reserved;
	struct vfio_iova_range iova_ranges[];
};

struct vfio_iommu_type1_info_cap_migration {
	struct vfio_info_cap_header header;
	uint32_t flags;
	uint64_t pgsize_bitmap;
	uint64_t max_dirty_bitmap_size; /* bytes */
};

struct vfio_iommu_type1_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t vaddr;
	uint64_t iova;
	uint64_t size;
};
#define VFIO_IOMMU_MAP_DMA _IO(VFIO_TYPE, VFIO_BASE + 13)

#define VFIO_DMA_MAP_FLAG_READ	(1u << 0)
#define VFIO_DMA_MAP_FLAG_WRITE (1u << 1)
#define VFIO_DMA_MAP_FLAG_VADDR (1u << 2)

struct vfio_iommu_type1_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t iova;
	uint64_t size;
};
#define VFIO_IOMMU_UNMAP_DMA _IO(VFIO_TYPE, VFIO_BASE + 14)

#define VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP (1u << 0)
#define VFIO_DMA_UNMAP_FLAG_ALL		     (1u << 1)
#define VFIO_DMA_UNMAP_FLAG_VADDR	     (1u << 2)

/* Other kinds of IOMMU than type 1. */
#define VFIO_IOMMU_ENABLE _IO(VFIO_TYPE, VFIO_BASE + 15)

/* ---- what was written through a container ---- */

struct vfio_bitmap {
	uint64_t pgsize;
	uint64_t size; /* of the bitmap, in bytes */
	uint64_t data; /* address */
};
struct vfio_iommu_type1_dirty_bitmap_get {
	uint64_t iova;
	uint64_t size;
	struct vfio_bitmap bitmap;
};
struct vfio_iommu_type1_dirty_bitmap {
	uint32_t argsz;
	uint32_t flags;
	uint8_t data[];
};
#define VFIO_IOMMU_DIRTY_PAGES _IO(VFIO_TYPE, VFIO_BASE + 17)

#define VFIO_IOMMU_DIRTY_PAGES_FLAG_START      (1u << 0)
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP       (1u << 1)
#define VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP (1u << 2)

_Static_assert(sizeof(struct vfio_iommu_type1_dirty_bitmap_get) == 40, "kernel layout");
_Static_assert(sizeof(struct vfio_iommu_type1_dirty_bitmap) == 8, "kernel layout");
_Static_assert(sizeof(struct vfio_device_bind_iommufd) == 24, "kernel layout");
_Static_assert(sizeof(struct vfio_device_attach_iommufd_pt) == 16, "kernel layout");
_Static_assert(VFIO_DEVICE_BIND_IOMMUFD == 0x3b76 && VFIO_DEVICE_ATTACH_IOMMUFD_PT == 0x3b77,
	       "kernel numbers");
_Static_assert(sizeof(struct vfio_device_feature_dma_logging_control) == 24, "kernel layout");
_Static_assert(sizeof(struct vfio_device_feature_dma_logging_report) == 32, "kernel layout");
_Static_assert(sizeof(struct vfio_device_feature_dma_buf) == 16, "kernel layout");
_Static_assert(sizeof(struct vfio_pci_dependent_device) == 8, "kernel layout");
_Static_assert(sizeof(struct vfio_pci_hot_reset_info) == 12, "kernel layout");
_Static_assert(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO == 0x3b70, "kernel numbers");
_Static_assert(sizeof(struct vfio_info_cap_header) == 8, "kernel layout");
_Static_assert(sizeof(struct vfio_device_info) == 24, "kernel layout");
_Static_assert(offsetof(struct vfio_device_info, cap_offset) == 16, "kernel layout");
_Static_assert(sizeof(struct vfio_region_info) == 32, "kernel layout");
_Static_assert(offsetof(struct vfio_region_info, size) == 16, "kernel layout");
_Static_assert(sizeof(struct vfio_region_sparse_mmap_area) == 16, "kernel layout");
_Static_assert(sizeof(struct vfio_region_info_cap_sparse_mmap) == 16, "kernel layout");
_Static_assert(sizeof(struct vfio_irq_info) == 16, "kernel layout");
_Static_assert(sizeof(struct vfio_irq_set) == 20, "kernel layout");
_Static_assert(sizeof(struct vfio_device_feature) == 8, "kernel layout");
_Static_assert(VFIO_DEVICE_GET_INFO == 0x3b6b && VFIO_DEVICE_FEATURE == 0x3b75, "kernel numbers");
_Static_assert(VFIO_DEVICE_RESET == 0x3b6f, "kernel numbers");
_Static_assert(sizeof(struct vfio_group_status) == 8, "kernel layout");
_Static_assert(sizeof(struct vfio_iommu_type1_info) == 24, "kernel layout");
_Static_assert(offsetof(struct vfio_iommu_type1_info, cap_offset) == 16, "kernel layout");
_Static_assert(sizeof(struct vfio_iommu_type1_info_cap_iova_range) == 16, "kernel layout");
_Static_assert(sizeof(struct vfio_iommu_type1_info_cap_migration) == 32, "kernel layout");
_Static_assert(sizeof(struct vfio_iommu_type1_dma_map) == 32, "kernel layout");
_Static_assert(sizeof(struct vfio_iommu_type1_dma_unmap) == 24, "kernel layout");
_Static_assert(VFIO_GET_API_VERSION == 0x3b64 && VFIO_GROUP_GET_STATUS == 0x3b67 &&
		       VFIO_GROUP_GET_DEVICE_FD == 0x3b6a && VFIO_IOMMU_MAP_DMA == 0x3b71,
	       "kernel numbers");

#endif
