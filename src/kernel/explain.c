/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/explain.h"
#include "kernel/limits.h"
#include "kernel/members.h"
#include "kernel/root.h"

#define PARAMETERS "/sys/module/vfio_iommu_type1/parameters/"

/* ---- before anything is opened ---- */

int explain_no_iommu(const struct kernel_target *t, struct dfd_error *err)
{
	if (root_exists(t->env->root, "/sys/kernel/iommu_groups/0"))
		return dfd_error_set(err, -EOPNOTSUPP,
				     "%s: is in no IOMMU group, although this machine has an "
				     "IOMMU: it is not behind it; put the card into another slot",
				     t->address);
	return dfd_error_set(err, -EOPNOTSUPP,
			     "%s: is in no IOMMU group: Linux uses no IOMMU here; switch it on in "
			     "the firmware setup (VT-d, AMD-Vi, SMMU) and, for Intel, with "
			     "intel_iommu=on on the kernel command line",
			     t->address);
}

int explain_driver(const struct kernel_target *t, struct dfd_error *err)
{
	const char *modprobe = root_exists(t->env->root, "/sys/bus/pci/drivers/vfio-pci")
				       ? ""
				       : "modprobe vfio-pci; ";
	char driver[NAME_MAX + 1], unbind[160] = "", found[128] = "no driver";

	if (driver_of(t->dir, driver) == DRIVER_VFIO)
		return 0;
	if (driver[0]) {
		snprintf(found, sizeof(found), "%.60s, not to vfio-pci", driver);
		snprintf(unbind, sizeof(unbind), "echo %s >/sys/bus/pci/drivers/%.60s/unbind; ",
			 t->name, driver);
	}
	return dfd_error_set(err, -ENODEV,
			     "%s: is bound to %s; as root: %s"
			     "echo vfio-pci >/sys/bus/pci/devices/%s/driver_override; %s"
			     "echo %s >/sys/bus/pci/drivers_probe",
			     t->address, found, modprobe, t->name, unbind, t->name);
}

/* ---- files of /dev/vfio ---- */

static int explain_access(const struct kernel_target *t, const char *file, int ret,
			  struct dfd_error *err)
{
	char path[PATH_MAX], owner[96];

	snprintf(path, sizeof(path), "%s%s", t->env->root, file);
	file_owner(path, owner, sizeof(owner));
	return dfd_error_set(err, ret,
			     "%s: %s is %s, which does not let this user read and write; "
			     "as root: chown %u %s",
			     t->address, file, owner, geteuid(), file);
}

static int explain_cgroup(const struct kernel_target *t, const char *file, int ret,
			  struct dfd_error *err)
{
	return dfd_error_set(err, ret,
			     "%s: %s may not be opened here, whatever its mode: this process is in "
			     "a container whose device list lacks it; add it there",
			     t->address, file);
}

int explain_container(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	const char *file = "/dev/vfio/vfio";

	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		return dfd_error_set(err, ret,
				     "%s: %s does not exist or has nobody behind it: the module "
				     "vfio is not loaded; modprobe vfio-pci",
				     t->address, file);
	if (ret == -EACCES)
		return explain_access(t, file, ret, err);
	if (ret == -EPERM)
		return explain_cgroup(t, file, ret, err);
	return dfd_error_set(err, ret, "%s: %s cannot be opened: %s", t->address, file,
			     strerror(-ret));
}

int explain_no_type1(const struct kernel_target *t, struct dfd_error *err)
{
	return dfd_error_set(err, -ENODEV,
			     "%s: /dev/vfio/vfio offers no IOMMU of type 1: the module "
			     "vfio_iommu_type1 is not loaded; modprobe vfio_iommu_type1",
			     t->address);
}

static int explain_busy(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	struct holders holders;
	const struct holder *h;

	holders_find(t->env->root, &holders);
	h = holders_of(&holders, t->group);
	if (h && h->pid == getpid())
		return dfd_error_set(err, ret,
				     "%s: IOMMU group %u is busy: this process has it open "
				     "already, and a group can be open once",
				     t->address, t->group);
	if (h)
		return dfd_error_set(err, ret,
				     "%s: IOMMU group %u is busy: process %d (%s) has "
				     "/dev/vfio/%u open; end that process",
				     t->address, t->group, h->pid, h->name, t->group);
	return dfd_error_set(err, ret,
			     "%s: IOMMU group %u is busy: a process that %s has /dev/vfio/%u open; "
			     "as root: fuser -v /dev/vfio/%u",
			     t->address, t->group,
			     holders.hidden ? "this user cannot see" : "cannot be seen from here",
			     t->group, t->group);
}

int explain_group(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	char file[32];

	snprintf(file, sizeof(file), "/dev/vfio/%u", t->group);
	switch (ret) {
	case -EBUSY:
		return explain_busy(t, ret, err);
	case -EACCES:
		return explain_access(t, file, ret, err);
	case -EPERM:
		return explain_cgroup(t, file, ret, err);
	case -ENOENT:
		return dfd_error_set(err, ret,
				     "%s: %s does not exist here, although the device is bound to "
				     "vfio-pci; in a container, add the file to it",
				     t->address, file);
	case -ENODEV:
	case -ENXIO:
		return dfd_error_set(err, ret,
				     "%s: IOMMU group %u has gone: its devices were unplugged or "
				     "unbound from vfio-pci",
				     t->address, t->group);
	default:
		return dfd_error_set(err, ret, "%s: %s cannot be used: %s", t->address, file,
				     strerror(-ret));
	}
}

int explain_not_viable(const struct kernel_target *t, struct dfd_error *err)
{
	struct member m;

	if (!members_culprit(t->dir, &m))
		return dfd_error_set(err, -EPERM,
				     "%s: IOMMU group %u is not viable: a device in it is used by "
				     "another driver; lsvfio -g lists its devices",
				     t->address, t->group);
	return dfd_error_set(err, -EPERM,
			     "%s: IOMMU group %u is not viable: %.64s is in it, too, and is bound "
			     "to %.64s; bind it to vfio-pci as well, or to nothing: "
			     "echo %.64s >/sys/bus/pci/drivers/%.64s/unbind",
			     t->address, t->group, m.name, m.driver, m.name, m.driver);
}

int explain_set_iommu(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	if (ret == -EPERM)
		return dfd_error_set(
			err, ret,
			"%s: the kernel refuses IOMMU group %u: without interrupt remapping a "
			"device can forge interrupts; switch it on in the firmware setup, or, "
			"where the device is trusted, echo 1 >" PARAMETERS
			"allow_unsafe_interrupts",
			t->address, t->group);
	return dfd_error_set(err, ret, "%s: the IOMMU cannot be set up for group %u: %s",
			     t->address, t->group, strerror(-ret));
}

int explain_device(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	if (ret == -ENODEV)
		return dfd_error_set(err, ret,
				     "%s: has gone: it was unplugged or unbound from vfio-pci",
				     t->address);
	if (ret == -EACCES)
		return dfd_error_set(err, ret,
				     "%s: needs the VF token of its physical function, which "
				     "another process has set; the kernel log says more",
				     t->address);
	return dfd_error_set(err, ret, "%s: IOMMU group %u does not hand it out: %s", t->address,
			     t->group, strerror(-ret));
}

/* ---- DMA ---- */

static void list_ranges(const struct type1 *t, char *text, size_t room)
{
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < t->num_ranges && len < room; i++)
		len += (size_t)snprintf(text + len, room - len, "%s0x%" PRIx64 "-0x%" PRIx64,
					i ? ", " : "", t->ranges[i].start, t->ranges[i].last);
}

static void explain_map_value(const struct type1 *t, const struct dfd_dma_map *map,
			      struct dfd_error *err)
{
	uint64_t last = map->iova + (map->size - 1);
	char ranges[256];

	list_ranges(t, ranges, sizeof(ranges));
	if (map->iova != DFD_IOVA_ANY && !type1_allows(t, map->iova, last))
		dfd_error_set(err, -EINVAL,
			      "DMA map of 0x%" PRIx64 "-0x%" PRIx64 ": outside of what the IOMMU "
			      "takes, which is %s; use DFD_IOVA_ANY or an address in there",
			      map->iova, last, ranges);
	else
		dfd_error_set(err, -EINVAL,
			      "DMA map of 0x%" PRIx64 " bytes: size, address and IOVA must be "
			      "multiples of the IOMMU's page, 0x%" PRIx64 " bytes, and the memory "
			      "must be plain memory of this process",
			      map->size, t->page);
}

static void explain_memlock(const char *root, const struct dfd_dma_map *map, struct dfd_error *err)
{
	uint64_t limit;

	if (!memlock_limit(root, &limit) || limit == UINT64_MAX)
		dfd_error_set(err, -ENOMEM,
			      "DMA map of 0x%" PRIx64 " bytes: there is no memory to be had that "
			      "could be locked",
			      map->size);
	else
		dfd_error_set(
			err, -ENOMEM,
			"DMA map of 0x%" PRIx64 " bytes: this process may lock %" PRIu64
			" KiB of memory (RLIMIT_MEMLOCK), and memory for DMA is locked; raise "
			"it with ulimit -l or LimitMEMLOCK=, or give it CAP_IPC_LOCK",
			map->size, limit / 1024);
}

static void explain_full(const char *root, struct type1 *t, const struct dfd_dma_map *map,
			 struct dfd_error *err)
{
	int64_t limit = 65535;

	if (map->iova == DFD_IOVA_ANY && !type1_has_room(t, map)) {
		dfd_error_set(err, -ENOSPC,
			      "DMA map of 0x%" PRIx64 " bytes: no room is left between the other "
			      "maps below 0x%" PRIx64 ", the highest address asked for; unmap what "
			      "is not used",
			      map->size, map->max_iova ? map->max_iova : UINT64_MAX);
		return;
	}
	root_num(root, PARAMETERS "dma_entry_limit", &limit);
	dfd_error_set(err, -ENOSPC,
		      "DMA map of 0x%" PRIx64 " bytes: all %" PRId64 " maps that a container can "
		      "have are in use; map fewer and larger pieces, or raise " PARAMETERS
		      "dma_entry_limit",
		      map->size, limit);
}

void explain_map(const char *root, struct type1 *t, const struct dfd_dma_map *map, int ret,
		 struct dfd_error *err)
{
	switch (ret) {
	case -EINVAL:
		explain_map_value(t, map, err);
		break;
	case -EEXIST:
		dfd_error_set(err, ret,
			      "DMA map at 0x%" PRIx64 ": overlaps another map; unmap that first",
			      map->iova);
		break;
	case -ENOMEM:
		explain_memlock(root, map, err);
		break;
	case -ENOSPC:
		explain_full(root, t, map, err);
		break;
	default:
		dfd_error_set(err, ret, "DMA map of 0x%" PRIx64 " bytes: %s", map->size,
			      strerror(-ret));
	}
}
