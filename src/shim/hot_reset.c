/* SPDX-License-Identifier: MIT */
/*
 * Reset of a bus: which functions it affects, and whether this program may.
 *
 * A function on bus 0 is where no bridge can reset it. On any other bus all functions of this
 * program are reset together.
 */
#include <stdio.h>
#include <string.h>

#include "abi/vfio.h"
#include "shim/vfio.h"

/* As many as a bus has. */
#define MAX_FUNCTIONS 256u

/** struct bus - functions that are reset together, by number */
struct bus {
	struct shim_mount *functions[MAX_FUNCTIONS];
	struct vfio_pci_dependent_device places[MAX_FUNCTIONS];
	uint32_t count;
};

static bool parse_name(const char *name, struct vfio_pci_dependent_device *place)
{
	unsigned int segment, bus, slot, function;
	int end = 0;

	if (sscanf(name, "%4x:%2x:%2x.%1x%n", &segment, &bus, &slot, &function, &end) != 4 ||
	    name[end] || slot > 31 || function > 7)
		return false;
	place->segment = (uint16_t)segment;
	place->bus = (uint8_t)bus;
	place->devfn = (uint8_t)(slot << 3 | function);
	return true;
}

static void add_function(struct bus *bus, struct shim_mount *m,
			 const struct vfio_pci_dependent_device *place)
{
	uint32_t i = bus->count++;

	for (; i && bus->places[i - 1].devfn > place->devfn; i--) {
		bus->functions[i] = bus->functions[i - 1];
		bus->places[i] = bus->places[i - 1];
	}
	bus->functions[i] = m;
	bus->places[i] = *place;
	bus->places[i].id = m->device->index;
}

/* Return: 0, -ENODEV where nothing can reset it, or -ENOTTY for what is no PCI function */
static int find_bus(const struct vfio_object *o, struct bus *bus)
{
	struct vfio_pci_dependent_device own = { 0 }, place = { 0 };
	struct shim_mount *m;

	if (!parse_name(o->mount->name, &own))
		return -ENOTTY;
	if (!own.bus)
		return -ENODEV;
	bus->count = 0;
	for (uint32_t i = 1; (m = shim_mount_number(i)) && bus->count < MAX_FUNCTIONS; i++) {
		if (m->node == SHIM_CDEV && parse_name(m->name, &place) &&
		    place.segment == own.segment && place.bus == own.bus)
			add_function(bus, m, &place);
	}
	return 0;
}

/* What a device is to the owner of an iommufd: its id there, or whether its group is. */
static uint32_t owner_id(const struct vfio_object *o, const struct shim_mount *m)
{
	const struct vfio_object *device = vfio_in_use(m), *mate;

	if (device && device->parent == o->parent)
		return device->devid;
	mate = vfio_next_of_group(m->device, NULL);
	return mate && mate->parent == o->parent ? VFIO_PCI_DEVID_OWNED : VFIO_PCI_DEVID_NOT_OWNED;
}

static uint32_t mark_owners(const struct vfio_object *o, struct bus *bus)
{
	uint32_t flags = VFIO_PCI_HOT_RESET_FLAG_DEV_ID | VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;

	for (uint32_t i = 0; i < bus->count; i++) {
		bus->places[i].id = owner_id(o, bus->functions[i]);
		if (bus->places[i].id == VFIO_PCI_DEVID_NOT_OWNED)
			flags &= ~VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
	}
	return flags;
}

int hot_reset_info(const struct vfio_object *o, void *arg)
{
	struct vfio_pci_hot_reset_info info = { 0 };
	uint32_t room, flags = 0;
	struct bus bus;
	int ret = vfio_get(&info, arg, sizeof(info));

	if (!ret)
		ret = find_bus(o, &bus);
	if (ret)
		return ret;
	if (!o->by_group)
		flags = mark_owners(o, &bus);
	info.count = bus.count;
	room = (info.argsz - (uint32_t)sizeof(info)) / (uint32_t)sizeof(*bus.places);
	/* How to read the list is said with the whole of it. */
	info.flags = room < bus.count ? 0 : flags;
	if (dfd_copy_out((char *)arg + sizeof(info), bus.places,
			 (room < bus.count ? room : bus.count) * sizeof(*bus.places)) ||
	    dfd_copy_out(arg, &info, sizeof(info)))
		return -EFAULT;
	return room < bus.count ? -ENOSPC : 0;
}

/* ---- the reset ---- */

static int reset_all(const struct bus *bus)
{
	int ret = 0;

	for (uint32_t i = 0; i < bus->count && !ret; i++) {
		ret = core_lock(bus->functions[i]);
		if (ret)
			break;
		ret = dfd_device_reset(bus->functions[i]->dev);
		core_unlock(bus->functions[i]);
	}
	return ret;
}

/* Marks in @owned which functions are of the group behind an fd. */
static int own_group(const struct bus *bus, int fd, bool *owned)
{
	struct vfio_object *group;
	int ret = vfio_object_of(fd, &group);

	if (ret)
		return ret == -EBADFD ? -EINVAL : ret;
	if (group->kind != VFIO_GROUP)
		return -EINVAL;
	for (uint32_t i = 0; i < bus->count; i++)
		owned[i] |= bus->functions[i]->device == group->mount;
	return 0;
}

static int own_by_groups(const struct bus *bus, const void *user, uint32_t count, bool *owned)
{
	int32_t fds[MAX_FUNCTIONS];
	int ret = 0;

	if (count > bus->count)
		return -EINVAL;
	if (dfd_copy_in(fds, user, count * sizeof(*fds)))
		return -EFAULT;
	for (uint32_t i = 0; i < count && !ret; i++)
		ret = own_group(bus, fds[i], owned);
	return ret;
}

int hot_reset(const struct vfio_object *o, void *arg)
{
	bool owned[MAX_FUNCTIONS] = { false };
	struct vfio_pci_hot_reset reset = { 0 };
	struct bus bus;
	int ret = vfio_get(&reset, arg, sizeof(reset));

	if (ret)
		return ret;
	/* Who has groups names them, and who has an iommufd has nothing to name. */
	if (reset.flags || !reset.count == o->by_group)
		return -EINVAL;
	ret = find_bus(o, &bus);
	if (!ret && o->by_group)
		ret = own_by_groups(&bus, (const char *)arg + sizeof(reset), reset.count, owned);
	for (uint32_t i = 0; !ret && i < bus.count; i++) {
		if (!o->by_group)
			owned[i] = owner_id(o, bus.functions[i]) != VFIO_PCI_DEVID_NOT_OWNED;
		ret = owned[i] ? 0 : -EINVAL;
	}
	return ret ? ret : reset_all(&bus);
}
