/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi_calls.h"

#define NUMBER(request)                                                                            \
	{                                                                                          \
#request, request, TAKES_NUMBER, NULL, NULL, false, false                          \
	}
#define INT(request)                                                                               \
	{                                                                                          \
#request, request, TAKES_INT, NULL, NULL, false, false                             \
	}
#define NAME(request)                                                                              \
	{                                                                                          \
#request, request, TAKES_NAME, NULL, NULL, true, false                             \
	}
#define STRUCT(request, fields)                                                                    \
	{                                                                                          \
#request, request, TAKES_STRUCT, fields, NULL, false, false                        \
	}
#define MAKES(request, fields, id)                                                                 \
	{                                                                                          \
#request, request, TAKES_STRUCT, fields, id, false, false                          \
	}

static const struct call calls[] = {
	NUMBER(VFIO_GET_API_VERSION),
	NUMBER(VFIO_CHECK_EXTENSION),
	NUMBER(VFIO_SET_IOMMU),
	STRUCT(VFIO_IOMMU_GET_INFO, "argsz:4 flags:4 iova_pgsizes:8 cap_offset:4 pad:4"),
	STRUCT(VFIO_IOMMU_MAP_DMA, "argsz:4 flags:4 vaddr:8 iova:8 size:8"),
	STRUCT(VFIO_IOMMU_UNMAP_DMA,
	       "argsz:4 flags:4 iova:8 size:8 bitmap.pgsize:8 bitmap.size:8 bitmap.data:8"),
	NUMBER(VFIO_IOMMU_ENABLE),
	STRUCT(VFIO_IOMMU_DIRTY_PAGES,
	       "argsz:4 flags:4 iova:8 size:8 bitmap.pgsize:8 bitmap.size:8 bitmap.data:8"),
	STRUCT(VFIO_GROUP_GET_STATUS, "argsz:4 flags:4"),
	INT(VFIO_GROUP_SET_CONTAINER),
	NUMBER(VFIO_GROUP_UNSET_CONTAINER),
	NAME(VFIO_GROUP_GET_DEVICE_FD),
	MAKES(VFIO_DEVICE_BIND_IOMMUFD, "argsz:4 flags:4 iommufd:4 out_devid:4o token_uuid_ptr:8",
	      "out_devid"),
	MAKES(VFIO_DEVICE_ATTACH_IOMMUFD_PT, "argsz:4 flags:4 pt_id:4o pasid:4", "pt_id"),
	STRUCT(VFIO_DEVICE_DETACH_IOMMUFD_PT, "argsz:4 flags:4 pasid:4"),
	STRUCT(VFIO_DEVICE_GET_INFO, "argsz:4 flags:4 num_regions:4 num_irqs:4 cap_offset:4 pad:4"),
	STRUCT(VFIO_DEVICE_GET_REGION_INFO,
	       "argsz:4 flags:4 index:4 cap_offset:4 size:8 offset:8?"),
	STRUCT(VFIO_DEVICE_GET_IRQ_INFO, "argsz:4 flags:4 index:4 count:4"),
	STRUCT(VFIO_DEVICE_SET_IRQS, "argsz:4 flags:4 index:4 start:4 count:4"),
	NUMBER(VFIO_DEVICE_RESET),
	{ "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, TAKES_STRUCT,
	  "argsz:4 flags:4 count:4", NULL, false, true },
	STRUCT(VFIO_DEVICE_PCI_HOT_RESET, "argsz:4 flags:4 count:4"),
	STRUCT(VFIO_DEVICE_IOEVENTFD, "argsz:4 flags:4 offset:8 value:8 fd:4 reserved:4"),
	STRUCT(VFIO_DEVICE_QUERY_GFX_PLANE, "argsz:4 flags:4 plane_type:4 drm_format:4 modifier:8 "
					    "width:4 height:4 stride:4 size:4 "
					    "x_pos:4 y_pos:4 x_hot:4"),
	STRUCT(VFIO_DEVICE_FEATURE, "argsz:4 flags:4"),
	STRUCT(IOMMU_DESTROY, "size:4 id:4"),
	MAKES(IOMMU_IOAS_ALLOC, "size:4 flags:4 out_ioas_id:4o", "out_ioas_id"),
	STRUCT(IOMMU_IOAS_ALLOW_IOVAS, "size:4 ioas_id:4 num_iovas:4 reserved:4 allowed_iovas:8"),
	STRUCT(IOMMU_IOAS_COPY,
	       "size:4 flags:4 dst_ioas_id:4 src_ioas_id:4 length:8 dst_iova:8 src_iova:8"),
	STRUCT(IOMMU_IOAS_IOVA_RANGES,
	       "size:4 ioas_id:4 num_iovas:4 reserved:4 allowed_iovas:8 out_iova_alignment:8"),
	STRUCT(IOMMU_IOAS_MAP, "size:4 flags:4 ioas_id:4 reserved:4 user_va:8 length:8 iova:8"),
	STRUCT(IOMMU_IOAS_UNMAP, "size:4 ioas_id:4 iova:8 length:8"),
	STRUCT(IOMMU_OPTION, "size:4 option_id:4 op:2 reserved:2 object_id:4 val64:8"),
	MAKES(IOMMU_HWPT_ALLOC,
	      "size:4 flags:4 dev_id:4 pt_id:4 out_hwpt_id:4o reserved:4 data_type:4 data_len:4 "
	      "data_uptr:8 fault_id:4 reserved2:4",
	      "out_hwpt_id"),
	STRUCT(IOMMU_GET_HW_INFO,
	       "size:4 flags:4 dev_id:4 data_len:4? data_uptr:8 data_type:4? max_pasid:1? "
	       "reserved:3 capabilities:8?"),
	STRUCT(IOMMU_HWPT_SET_DIRTY_TRACKING, "size:4 flags:4 hwpt_id:4 reserved:4"),
	STRUCT(IOMMU_HWPT_GET_DIRTY_BITMAP,
	       "size:4 hwpt_id:4 flags:4 reserved:4 iova:8 length:8 page_size:8 bitmap:8"),
	STRUCT(IOMMU_HWPT_INVALIDATE,
	       "size:4 hwpt_id:4 data_uptr:8 data_type:4 entry_len:4 entry_num:4 reserved:4"),
	MAKES(IOMMU_FAULT_QUEUE_ALLOC, "size:4 flags:4 out_fault_id:4o out_fault_fd:4?",
	      "out_fault_id"),
	STRUCT(IOMMU_IOAS_MAP_FILE, "size:4 flags:4 ioas_id:4 fd:4 start:8 length:8 iova:8"),
	STRUCT(IOMMU_VIOMMU_ALLOC,
	       "size:4 flags:4 type:4 dev_id:4 hwpt_id:4 out_viommu_id:4o data_len:4 reserved:4 "
	       "data_uptr:8"),
	STRUCT(IOMMU_IOAS_CHANGE_PROCESS, "size:4 reserved:4"),
	STRUCT(IOMMU_IOAS_NOIOMMU_GET_PA,
	       "size:4 flags:4 ioas_id:4 reserved:4 iova:8 length:8 out_phys:8?"),
	STRUCT(IOMMU_VFIO_IOAS, "size:4 ioas_id:4i op:2 reserved:2"),
	{ "NONE_SUCH", _IO(';', 0xff), TAKES_NUMBER, NULL, NULL, false, false },
};

const struct call *abi_call(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	}
	return NULL;
}

static enum field_kind kind_of(char letter)
{
	switch (letter) {
	case 'i':
		return FIELD_ID;
	case 'o':
		return FIELD_ID_OUT;
	case '?':
		return FIELD_ANY;
	default:
		return FIELD_NUMBER;
	}
}

const struct fields *abi_fields(const struct call *c)
{
	static struct fields fields;
	char text[256], *at;

	fields = (struct fields){ .count = 0 };
	snprintf(text, sizeof(text), "%s", c->fields);
	for (char *w = strtok_r(text, " ", &at); w; w = strtok_r(NULL, " ", &at)) {
		struct field *f = &fields.list[fields.count++];
		char *size = strchr(w, ':');

		*size++ = 0;
		snprintf(f->name, sizeof(f->name), "%s", w);
		f->at = fields.size;
		f->size = (size_t)(*size - '0');
		f->kind = kind_of(size[1]);
		fields.size += f->size;
	}
	return &fields;
}

const struct field *abi_field(const struct fields *fields, const char *name)
{
	for (unsigned int i = 0; i < fields->count; i++) {
		if (!strcmp(fields->list[i].name, name))
			return &fields->list[i];
	}
	return NULL;
}
