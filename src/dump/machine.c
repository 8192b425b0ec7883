/* SPDX-License-Identifier: MIT */
/* Lists of devices and groups of a dump. */
#include <stdio.h>
#include <string.h>

#include "dump/parts.h"

static enum dfd_state read_state(struct reader *r, json_object *object)
{
	const char *name = reader_str(r, object, "state");

	for (int i = 0; name && i < DFD_NUM_STATES; i++) {
		if (!strcmp(name, dfd_state_name((enum dfd_state)i)))
			return (enum dfd_state)i;
	}
	return DFD_STATE_NONE;
}

static enum dfd_bus read_bus(struct reader *r, json_object *object)
{
	const char *bus = reader_str(r, object, "bus");

	return bus && !strcmp(bus, "pci") ? DFD_BUS_PCI : DFD_BUS_DT;
}

static void read_bars(struct reader *r, json_object *object, uint64_t bars[6])
{
	uint32_t count;
	json_object *array = reader_array(r, object, "bars", 6, &count);

	for (uint32_t i = 0; i < count; i++) {
		json_object *size = json_object_array_get_idx(array, i);

		bars[i] = json_object_get_uint64(size);
	}
}

void dump_read_found(struct reader *r, json_object *object, struct dfd_found *out)
{
	uint64_t size = 0;

	reader_need(r, object, "name");
	*out = (struct dfd_found){
		.bus = read_bus(r, object),
		.name = reader_str(r, object, "name"),
		.address = reader_str(r, object, "address"),
		.path = reader_str(r, object, "path"),
		.dt_path = reader_str(r, object, "device_tree_path"),
		.compatible = reader_str(r, object, "compatible"),
		.driver = reader_str(r, object, "driver"),
		.vendor = reader_int(r, object, "vendor"),
		.device = reader_int(r, object, "device"),
		.class_code = reader_int(r, object, "class"),
		.iommu_group = reader_int(r, object, "iommu_group"),
		.numa_node = reader_int(r, object, "numa_node"),
		.state = read_state(r, object),
		.why = reader_str(r, object, "why"),
		.msix_vectors = reader_int(r, object, "msix_vectors"),
		.reset = reader_str(r, object, "reset"),
		.problem = reader_str(r, object, "problem"),
		.power = reader_str(r, object, "power"),
		.physical = reader_str(r, object, "physical_function"),
		.virtuals = reader_int(r, object, "virtual_functions"),
		.max_virtuals = reader_int(r, object, "max_virtual_functions"),
	};
	reader_num(r, object, "group_size", UINT32_MAX, &size);
	out->group_size = (uint32_t)size;
	read_bars(r, object, out->bars);
}

void dump_read_machine(struct reader *r, json_object *object, struct dfd_machine *out)
{
	const char *iommu = reader_str(r, object, "iommu");
	const char *why = reader_str(r, object, "cdev_why");
	uint64_t groups = 0;

	reader_num(r, object, "groups", UINT32_MAX, &groups);
	*out = (struct dfd_machine){
		.groups = (uint32_t)groups,
		.vfio_pci = reader_bool(r, object, "vfio_pci"),
		.group = reader_bool(r, object, "group"),
		.cdev = reader_bool(r, object, "cdev"),
		.iommufd = reader_bool(r, object, "iommufd"),
		.noiommu = reader_bool(r, object, "noiommu"),
		.memlock = UINT64_MAX,
	};
	snprintf(out->iommu, sizeof(out->iommu), "%s", iommu ? iommu : "");
	snprintf(out->cdev_why, sizeof(out->cdev_why), "%s", why ? why : "");
	if (json_object_object_get_ex(object, "interrupt_remapping", NULL))
		out->remapping = reader_bool(r, object, "interrupt_remapping") ? DFD_YES : DFD_NO;
	reader_num(r, object, "memlock", UINT64_MAX, &out->memlock);
}

static void read_member(struct reader *r, json_object *object, struct dfd_member *out)
{
	reader_need(r, object, "name");
	*out = (struct dfd_member){
		.name = reader_str(r, object, "name"),
		.driver = reader_str(r, object, "driver"),
		.vfio = reader_bool(r, object, "vfio"),
		.state = read_state(r, object),
		.vendor = reader_int(r, object, "vendor"),
		.device = reader_int(r, object, "device"),
		.class_code = reader_int(r, object, "class"),
	};
	/* A driver of the host has a name. */
	if (out->state == DFD_STATE_HOST)
		reader_need(r, object, "driver");
}

void dump_read_group(struct reader *r, json_object *object, struct dfd_member *members,
		     struct dfd_group *out)
{
	json_object *array;
	uint64_t number = 0;

	reader_need(r, object, "group");
	reader_num(r, object, "group", UINT32_MAX, &number);
	*out = (struct dfd_group){
		.number = (uint32_t)number,
		.state = read_state(r, object),
		.why = reader_str(r, object, "why"),
		.members = members,
		.shared = reader_str(r, object, "shared"),
		.reserved = reader_str(r, object, "reserved"),
	};
	array = reader_array(r, object, "members", DFD_MAX_MEMBERS, &out->count);
	for (uint32_t i = 0; i < out->count && !r->ret; i++)
		read_member(r, reader_item(r, array, "members", i), &members[i]);
}
