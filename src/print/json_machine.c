/* SPDX-License-Identifier: MIT */
/*
 * A machine as JSON, and back again by src/dump/. Keys are documented in lsvfio(1).
 */
#include <errno.h>
#include <string.h>

#include <devfd/print.h>

#include "kernel/function.h"
#include "print/found.h"
#include "print/machine.h"
#include "print/origin.h"
#include "print/roles.h"

/* ---- devices ---- */

/** struct list - @array: what they become items of; @name: only this one, or NULL */
struct list {
	struct dfd_put *put;
	struct dfd_names *names;
	json_object *array;
	const char *name;
	int count;
};

static void put_known(struct dfd_put *put, json_object *object, const char *key, int32_t number)
{
	if (number >= 0)
		dfd_put_num(put, object, key, (uint32_t)number);
}

static void put_string(struct dfd_put *put, json_object *object, const char *key,
		       const char *string)
{
	if (string)
		dfd_put_str(put, object, key, string);
}

static void put_state(struct dfd_put *put, json_object *object, enum dfd_state state,
		      const char *why)
{
	if (state != DFD_STATE_NONE)
		put_string(put, object, "state", dfd_state_name(state));
	put_string(put, object, "why", why);
}

static void put_bars(struct dfd_put *put, json_object *object, const uint64_t bars[6])
{
	static const uint64_t none[6];
	json_object *array;

	if (!memcmp(bars, none, sizeof(none)))
		return;
	array = json_object_new_array();
	for (int i = 0; i < 6; i++)
		dfd_put_item(put, array, json_object_new_uint64(bars[i]));
	dfd_put(put, object, "bars", array);
}

static void put_names(const struct list *l, json_object *object, const struct dfd_found *found)
{
	json_object *names = json_object_new_object();
	char name[FOUND_NAME_SIZE];

	put_string(l->put, names, "vendor", found_name(l->names, found, DFD_NAMES_VENDOR, name));
	put_string(l->put, names, "device", found_name(l->names, found, DFD_NAMES_DEVICE, name));
	put_string(l->put, names, "class", found_name(l->names, found, DFD_NAMES_CLASS, name));
	dfd_put(l->put, object, "names", names);
}

static void put_found(const struct list *l, json_object *object, const struct dfd_found *found)
{
	struct dfd_put *put = l->put;

	put_string(put, object, "bus", dfd_bus_key(found->bus));
	put_string(put, object, "name", found->name);
	put_string(put, object, "address", found->address);
	put_string(put, object, "path", found->path);
	put_string(put, object, "driver", found->driver);
	put_known(put, object, "iommu_group", found->iommu_group);
	if (found->group_size)
		dfd_put_num(put, object, "group_size", found->group_size);
	put_known(put, object, "numa_node", found->numa_node);
	put_state(put, object, found->state, found->why);
	put_bars(put, object, found->bars);
	put_known(put, object, "msix_vectors", found->msix_vectors);
	put_string(put, object, "reset", found->reset);
	put_known(put, object, "vendor", found->vendor);
	put_known(put, object, "device", found->device);
	put_known(put, object, "class", found->class_code);
	if (found->bus == DFD_BUS_PCI)
		put_names(l, object, found);
	put_string(put, object, "device_tree_path", found->dt_path);
	put_string(put, object, "compatible", found->compatible);
	put_string(put, object, "power", found->power);
	put_string(put, object, "physical_function", found->physical);
	put_known(put, object, "virtual_functions", found->virtuals);
	put_known(put, object, "max_virtual_functions", found->max_virtuals);
	put_string(put, object, "problem", found->problem);
}

static int item(void *ctx, const struct dfd_found *found)
{
	struct list *l = ctx;
	json_object *object = json_object_new_object();

	put_found(l, object, found);
	dfd_put_item(l->put, l->array, object);
	l->count++;
	return l->put->failed ? -ENOMEM : 0;
}

static int place(void *ctx, const struct dfd_found *found)
{
	struct list *l = ctx;
	json_object *object;

	if (found->bus != DFD_BUS_PCI || strcmp(found->name, l->name) != 0)
		return 0;
	object = json_object_new_object();
	put_found(l, object, found);
	dfd_put(l->put, l->array, "place", object);
	return 1;
}

void machine_put_place(struct dfd_put *put, json_object *object, const struct dfd_origin *origin,
		       const char *bdf)
{
	char name[FUNCTION_NAME_SIZE];
	struct list l = { .put = put, .array = object, .name = name };

	if (!bdf || !function_parse(bdf, name, sizeof(name)))
		return;
	l.names = dfd_names_new();
	origin_enumerate(origin, place, &l);
	dfd_names_free(l.names);
}

/* ---- the machine and its groups ---- */

static json_object *machine(struct dfd_put *put, const struct dfd_machine *m)
{
	json_object *object = json_object_new_object();

	if (m->iommu[0])
		dfd_put_str(put, object, "iommu", m->iommu);
	dfd_put_num(put, object, "groups", m->groups);
	if (m->remapping != DFD_UNKNOWN)
		dfd_put_bool(put, object, "interrupt_remapping", m->remapping == DFD_YES);
	dfd_put_bool(put, object, "vfio_pci", m->vfio_pci);
	dfd_put_bool(put, object, "group", m->group);
	dfd_put_bool(put, object, "cdev", m->cdev);
	if (m->cdev_why[0])
		dfd_put_str(put, object, "cdev_why", m->cdev_why);
	dfd_put_bool(put, object, "iommufd", m->iommufd);
	dfd_put_bool(put, object, "noiommu", m->noiommu);
	if (m->memlock != UINT64_MAX)
		dfd_put_num(put, object, "memlock", m->memlock);
	return object;
}

static void put_member(struct dfd_put *put, json_object *array, const struct dfd_member *member)
{
	json_object *object = json_object_new_object();

	put_string(put, object, "name", member->name);
	put_string(put, object, "driver", member->driver);
	dfd_put_bool(put, object, "vfio", member->vfio);
	put_state(put, object, member->state, NULL);
	put_known(put, object, "vendor", member->vendor);
	put_known(put, object, "device", member->device);
	put_known(put, object, "class", member->class_code);
	dfd_put_item(put, array, object);
}

static int put_group(void *ctx, const struct dfd_group *group)
{
	struct list *l = ctx;
	json_object *object = json_object_new_object(), *members = json_object_new_array();

	dfd_put_num(l->put, object, "group", group->number);
	put_state(l->put, object, group->state, group->why);
	for (uint32_t i = 0; i < group->count; i++)
		put_member(l->put, members, &group->members[i]);
	dfd_put(l->put, object, "members", members);
	put_string(l->put, object, "shared", group->shared);
	put_string(l->put, object, "reserved", group->reserved);
	dfd_put_item(l->put, l->array, object);
	l->count++;
	return l->put->failed ? -ENOMEM : 0;
}

json_object *machine_put_groups(struct dfd_put *put, const struct dfd_origin *origin, int *count)
{
	struct list l = { .put = put, .array = json_object_new_array() };
	json_object *object = json_object_new_object();
	struct dfd_machine m;
	int ret;

	if (origin_machine(origin, &m))
		dfd_put(put, object, "machine", machine(put, &m));
	ret = origin_groups(origin, put_group, &l);
	*count = ret < 0 ? ret : l.count;
	dfd_put(put, object, "groups", l.array);
	return object;
}

int machine_print_json(FILE *out, const struct dfd_origin *origin, struct dfd_names *names)
{
	struct dfd_put put = { 0 };
	struct list l = { .put = &put, .names = names, .array = json_object_new_array() };
	int groups, ret;

	dfd_put_item(&put, l.array, machine_put_groups(&put, origin, &groups));
	ret = origin_enumerate(origin, item, &l);
	if (ret < 0) {
		json_object_put(l.array);
		return ret;
	}
	ret = dfd_put_print(&put, l.array, out);
	return ret ? ret : l.count;
}
