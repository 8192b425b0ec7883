/* SPDX-License-Identifier: MIT */
/*
 * Our header of today's ioctls says what the system's says. Both cannot be in one file: this one is
 * compiled once with each, and prints the same both times.
 */
#include <stddef.h>
#include <stdio.h>

#ifdef OURS
#include "abi/vfio.h"
#else
#include <linux/vfio.h>
#endif

#define NUMBER(name)	   printf("%s %#llx\n", #name, (unsigned long long)(name))
#define SIZE(type)	   printf("%s %zu\n", #type, sizeof(struct type))
#define FIELD(type, field) printf("%s.%s %zu\n", #type, #field, offsetof(struct type, field))

static void structs(void)
{
	SIZE(vfio_info_cap_header);
	FIELD(vfio_info_cap_header, version);
	FIELD(vfio_info_cap_header, next);
	FIELD(vfio_device_info, num_regions);
	FIELD(vfio_device_info, num_irqs);
	FIELD(vfio_device_info, cap_offset);
	SIZE(vfio_region_info);
	FIELD(vfio_region_info, index);
	FIELD(vfio_region_info, cap_offset);
	FIELD(vfio_region_info, size);
	FIELD(vfio_region_info, offset);
	SIZE(vfio_region_sparse_mmap_area);
	SIZE(vfio_region_info_cap_sparse_mmap);
	FIELD(vfio_region_info_cap_sparse_mmap, nr_areas);
	SIZE(vfio_irq_info);
	FIELD(vfio_irq_info, index);
	FIELD(vfio_irq_info, count);
	SIZE(vfio_irq_set);
	FIELD(vfio_irq_set, start);
	FIELD(vfio_irq_set, data);
	SIZE(vfio_device_feature);
	SIZE(vfio_group_status);
	SIZE(vfio_iommu_type1_info_cap_iova_range);
	FIELD(vfio_iommu_type1_info_cap_iova_range, nr_iovas);
	FIELD(vfio_iova_range, end);
	FIELD(vfio_iommu_type1_info, iova_pgsizes);
	FIELD(vfio_iommu_type1_info, cap_offset);
	SIZE(vfio_iommu_type1_dma_map);
	FIELD(vfio_iommu_type1_dma_map, vaddr);
	FIELD(vfio_iommu_type1_dma_map, iova);
	FIELD(vfio_iommu_type1_dma_map, size);
	SIZE(vfio_iommu_type1_dma_unmap);
	FIELD(vfio_iommu_type1_dma_unmap, iova);
	FIELD(vfio_iommu_type1_dma_unmap, size);
}

static void requests(void)
{
	NUMBER(VFIO_DEVICE_GET_INFO);
	NUMBER(VFIO_DEVICE_GET_REGION_INFO);
	NUMBER(VFIO_DEVICE_GET_IRQ_INFO);
	NUMBER(VFIO_DEVICE_SET_IRQS);
	NUMBER(VFIO_DEVICE_RESET);
	NUMBER(VFIO_DEVICE_FEATURE);
	NUMBER(VFIO_API_VERSION);
	NUMBER(VFIO_GET_API_VERSION);
	NUMBER(VFIO_CHECK_EXTENSION);
	NUMBER(VFIO_SET_IOMMU);
	NUMBER(VFIO_TYPE1v2_IOMMU);
	NUMBER(VFIO_GROUP_GET_STATUS);
	NUMBER(VFIO_GROUP_SET_CONTAINER);
	NUMBER(VFIO_GROUP_GET_DEVICE_FD);
	NUMBER(VFIO_IOMMU_GET_INFO);
	NUMBER(VFIO_IOMMU_MAP_DMA);
	NUMBER(VFIO_IOMMU_UNMAP_DMA);
}

static void bits(void)
{
	NUMBER(VFIO_GROUP_FLAGS_VIABLE);
	NUMBER(VFIO_IOMMU_INFO_PGSIZES);
	NUMBER(VFIO_IOMMU_INFO_CAPS);
	NUMBER(VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	NUMBER(VFIO_DMA_MAP_FLAG_READ);
	NUMBER(VFIO_DMA_MAP_FLAG_WRITE);
	NUMBER(VFIO_DEVICE_FLAGS_RESET);
	NUMBER(VFIO_DEVICE_FLAGS_PCI);
	NUMBER(VFIO_DEVICE_FLAGS_PLATFORM);
	NUMBER(VFIO_DEVICE_FLAGS_AMBA);
	NUMBER(VFIO_DEVICE_FLAGS_CAPS);
	NUMBER(VFIO_REGION_INFO_FLAG_READ);
	NUMBER(VFIO_REGION_INFO_FLAG_WRITE);
	NUMBER(VFIO_REGION_INFO_FLAG_MMAP);
	NUMBER(VFIO_REGION_INFO_FLAG_CAPS);
	NUMBER(VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	NUMBER(VFIO_IRQ_INFO_EVENTFD);
	NUMBER(VFIO_IRQ_INFO_MASKABLE);
	NUMBER(VFIO_IRQ_INFO_AUTOMASKED);
	NUMBER(VFIO_IRQ_INFO_NORESIZE);
	NUMBER(VFIO_IRQ_SET_DATA_TYPE_MASK);
	NUMBER(VFIO_IRQ_SET_ACTION_TYPE_MASK);
	NUMBER(VFIO_IRQ_SET_ACTION_MASK);
	NUMBER(VFIO_IRQ_SET_ACTION_TRIGGER);
	NUMBER(VFIO_DEVICE_FEATURE_MASK);
	NUMBER(VFIO_DEVICE_FEATURE_GET);
	NUMBER(VFIO_DEVICE_FEATURE_SET);
	NUMBER(VFIO_DEVICE_FEATURE_PROBE);
}

static void indexes(void)
{
	NUMBER(VFIO_PCI_BAR5_REGION_INDEX);
	NUMBER(VFIO_PCI_ROM_REGION_INDEX);
	NUMBER(VFIO_PCI_CONFIG_REGION_INDEX);
	NUMBER(VFIO_PCI_NUM_REGIONS);
	NUMBER(VFIO_PCI_MSI_IRQ_INDEX);
	NUMBER(VFIO_PCI_ERR_IRQ_INDEX);
	NUMBER(VFIO_PCI_NUM_IRQS);
}

int main(void)
{
	structs();
	requests();
	bits();
	indexes();
	return 0;
}
