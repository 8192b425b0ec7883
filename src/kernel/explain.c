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

#define PARAMETERS	   "/sys/module/vfio_iommu_type1/parameters/"
#define IOMMUFD_PARAMETERS "/sys/module/iommufd/parameters/"
#define NOIOMMU_PARAMETER  "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

/* ---- before anything is opened ---- */

int explain_no_iommu(const struct kernel_target *t, struct dfd_error *err)
{
	if (t->bus && strcmp(t->bus, "pci") != 0)
		return dfd_error_set(err, -EOPNOTSUPP,
				     "%s: is in no IOMMU group: nothing translates its DMA; where "
				     "it is trusted with all memory, write %s?via=noiommu",
				     t->address, t->address);
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

#define ADVICE_SIZE 1024

/* The commands that bind a device to its driver of VFIO. */
static void advise_binding(const struct kernel_target *t, const char *driver, char *text)
{
	char path[64], modprobe[64] = "", unbind[256] = "";

	/* One that vfio-pci has already is let go and taken again, which no verb does. */
	if (!strcmp(t->bus, "pci") && strcmp(driver, t->driver) != 0) {
		snprintf(text, ADVICE_SIZE, "devfd bind %s", t->name);
		return;
	}
	snprintf(path, sizeof(path), "/sys/bus/%s/drivers/%s", t->bus, t->driver);
	if (!root_exists(t->env->root, path))
		snprintf(modprobe, sizeof(modprobe), "modprobe %s; ", t->driver);
	if (driver[0])
		snprintf(unbind, sizeof(unbind), "echo %s >/sys/bus/%s/drivers/%.60s/unbind; ",
			 t->name, t->bus, driver);
	snprintf(text, ADVICE_SIZE,
		 "%secho %s >/sys/bus/%s/devices/%s/driver_override; %s"
		 "echo %s >/sys/bus/%s/drivers_probe",
		 modprobe, t->driver, t->bus, t->name, unbind, t->name, t->bus);
}

int explain_driver(const struct kernel_target *t, struct dfd_error *err)
{
	char driver[NAME_MAX + 1], advice[ADVICE_SIZE], found[160] = "no driver";

	if (driver_of(t->dir, driver) == DRIVER_VFIO)
		return 0;
	if (driver[0])
		snprintf(found, sizeof(found), "%.60s, not to %s", driver, t->driver);
	advise_binding(t, driver, advice);
	return dfd_error_set(err, -ENODEV, "%s: is bound to %s; as root: %s", t->address, found,
			     advice);
}

int explain_twice(const struct kernel_target *t, struct dfd_error *err)
{
	return dfd_error_set(err, -EBUSY,
			     "%s: is busy: this process has it open already; use that, or close it "
			     "first",
			     t->address);
}

/* ---- without an IOMMU ---- */

int explain_has_iommu(const struct kernel_target *t, struct dfd_error *err)
{
	return dfd_error_set(err, -EINVAL,
			     "%s: has an IOMMU (its group is %d), so it cannot be used without; "
			     "leave ?via=noiommu away",
			     t->address, t->group);
}

int explain_only_noiommu(const struct kernel_target *t, struct dfd_error *err)
{
	return dfd_error_set(err, -EOPNOTSUPP,
			     "%s: has no IOMMU, so its DMA can reach all memory; where it and its "
			     "driver are trusted with that, write %s?via=noiommu",
			     t->address, t->address);
}

/* Such a device cannot even be bound before the kernel allows it. */
int explain_noiommu_off(const struct kernel_target *t, struct dfd_error *err)
{
	char mode[8], driver[NAME_MAX + 1], advice[ADVICE_SIZE];
	int ret;

	if (root_text(t->env->root, NOIOMMU_PARAMETER, mode, sizeof(mode)) > 0 && mode[0] == 'Y') {
		ret = t->driver ? explain_driver(t, err) : 0;
		if (ret)
			return ret;
	}
	driver_of(t->dir, driver);
	advise_binding(t, driver, advice);
	return dfd_error_set(err, -EOPNOTSUPP,
			     "%s: the kernel does not hand out devices without an IOMMU; where "
			     "this one is trusted with all memory, as root: "
			     "echo 1 >" NOIOMMU_PARAMETER "; %s",
			     t->address, advice);
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

/* What every file may answer. */
static int explain_file(const struct kernel_target *t, const char *file, int ret,
			struct dfd_error *err)
{
	if (ret == -EACCES)
		return explain_access(t, file, ret, err);
	if (ret == -EPERM)
		return explain_cgroup(t, file, ret, err);
	return dfd_error_set(err, ret, "%s: %s cannot be opened: %s", t->address, file,
			     strerror(-ret));
}

int explain_container(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	const char *file = "/dev/vfio/vfio";

	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		return dfd_error_set(err, ret,
				     "%s: %s does not exist or has nobody behind it: the module "
				     "vfio is not loaded; modprobe vfio-pci",
				     t->address, file);
	return explain_file(t, file, ret, err);
}

int explain_no_type1(const struct kernel_target *t, struct dfd_error *err)
{
	if (t->options.via == VIA_NOIOMMU)
		return dfd_error_set(err, -ENODEV,
				     "%s: /dev/vfio/vfio is not for devices without an IOMMU: this "
				     "kernel was built without VFIO_NOIOMMU",
				     t->address);
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
	h = holders_of(&holders, (unsigned int)t->group);
	if (h && h->pid == getpid())
		return dfd_error_set(err, ret,
				     "%s: IOMMU group %d is busy: this process has it open "
				     "already, and not by the interface asked for; close its "
				     "devices, or write the same via= for all of them",
				     t->address, t->group);
	if (h)
		return dfd_error_set(err, ret,
				     "%s: IOMMU group %d is busy: process %d (%s) has "
				     "/dev/vfio/%d open; end that process",
				     t->address, t->group, h->pid, h->name, t->group);
	return dfd_error_set(err, ret,
			     "%s: IOMMU group %d is busy: a process that %s has /dev/vfio/%d open; "
			     "as root: fuser -v /dev/vfio/%d",
			     t->address, t->group,
			     holders.hidden ? "this user cannot see" : "cannot be seen from here",
			     t->group, t->group);
}

static int explain_rawio(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	return dfd_error_set(err, ret,
			     "%s: only a process with CAP_SYS_RAWIO may use a device without an "
			     "IOMMU; run it as root, or give it that capability",
			     t->address);
}

int explain_group(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	char file[32];

	snprintf(file, sizeof(file), "/dev/vfio/%s%d",
		 t->options.via == VIA_NOIOMMU ? "noiommu-" : "", t->group);
	switch (ret) {
	case -EBUSY:
		return explain_busy(t, ret, err);
	case -EACCES:
		return explain_access(t, file, ret, err);
	case -EPERM:
		return t->options.via == VIA_NOIOMMU ? explain_rawio(t, ret, err)
						     : explain_cgroup(t, file, ret, err);
	case -ENOENT:
		return dfd_error_set(err, ret,
				     "%s: %s does not exist here, although the device is bound to "
				     "%s; in a container, add the file to it",
				     t->address, file, t->driver ? t->driver : "VFIO");
	case -ENODEV:
	case -ENXIO:
		return dfd_error_set(err, ret,
				     "%s: IOMMU group %d has gone: its devices were unplugged or "
				     "unbound from %s",
				     t->address, t->group, t->driver ? t->driver : "VFIO");
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
				     "%s: IOMMU group %d is not viable: a device in it is used by "
				     "another driver; lsvfio -g lists its devices",
				     t->address, t->group);
	return dfd_error_set(err, -EPERM,
			     "%s: IOMMU group %d is not viable: %.64s is in it, too, and is bound "
			     "to %.64s; bind it to vfio-pci as well, or leave it without a driver "
			     "(devfd unbind); as root: devfd bind %.64s",
			     t->address, t->group, m.name, m.driver, m.name);
}

int explain_set_iommu(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	if (ret == -EPERM)
		return dfd_error_set(
			err, ret,
			"%s: the kernel refuses IOMMU group %d: without interrupt remapping a "
			"device can forge interrupts; switch it on in the firmware setup, or, "
			"where the device is trusted, echo 1 >" PARAMETERS
			"allow_unsafe_interrupts",
			t->address, t->group);
	return dfd_error_set(err, ret, "%s: the IOMMU cannot be set up for group %d: %s",
			     t->address, t->group, strerror(-ret));
}

/* What both ways of handing out a device say. */
static int explain_token(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	if (t->options.token[0])
		return dfd_error_set(err, ret,
				     "%s: the VF token %s is not the one that the driver of its "
				     "physical function has set; the kernel log says more",
				     t->address, t->options.token);
	return dfd_error_set(err, ret,
			     "%s: needs the VF token that the driver of its physical function has "
			     "set; write %s?token=UUID",
			     t->address, t->address);
}

int explain_device(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	if (ret == -ENODEV)
		return dfd_error_set(err, ret, "%s: has gone: it was unplugged or unbound from %s",
				     t->address, t->driver ? t->driver : "VFIO");
	if (ret == -EACCES)
		return explain_token(t, ret, err);
	if (ret == -EINVAL && t->options.token[0])
		return dfd_error_set(err, ret,
				     "%s: takes no VF token: it is no virtual function and has "
				     "none; leave token= away",
				     t->address);
	return dfd_error_set(err, ret, "%s: the kernel does not hand it out: %s", t->address,
			     strerror(-ret));
}

/* ---- the device's own file ---- */

int explain_no_cdev(const struct kernel_target *t, struct dfd_error *err)
{
	return dfd_error_set(err, -EOPNOTSUPP,
			     "%s: has no file in /dev/vfio/devices: this kernel was built without "
			     "VFIO_DEVICE_CDEV, or, in a container, the file is not in it; "
			     "?via=group works everywhere",
			     t->address);
}

int explain_cdev(const struct kernel_target *t, const char *file, int ret, struct dfd_error *err)
{
	if (ret == -ENODEV || ret == -ENXIO)
		return explain_device(t, -ENODEV, err);
	if (ret == -EPERM && t->options.via == VIA_NOIOMMU)
		return explain_rawio(t, ret, err);
	return explain_file(t, file, ret, err);
}

int explain_iommufd(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	if (ret == -ENOENT || ret == -ENODEV || ret == -ENXIO)
		return dfd_error_set(err, ret,
				     "%s: /dev/iommu does not exist or has nobody behind it: the "
				     "module iommufd is not loaded; modprobe iommufd",
				     t->address);
	return explain_file(t, "/dev/iommu", ret, err);
}

/* The number that the caller gave may be that of any file. */
static int explain_no_iommufd(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	return dfd_error_set(err, ret,
			     "%s: iommufd=%d is not an iommufd: pass the number of an open "
			     "/dev/iommu, or leave it away",
			     t->address, t->options.iommufd);
}

int explain_ioas(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	if (t->options.iommufd >= 0 && ret != -ENOMEM)
		return explain_no_iommufd(t, ret, err);
	return dfd_error_set(err, ret, "%s: /dev/iommu gives no address space: %s", t->address,
			     strerror(-ret));
}

int explain_bind(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	struct member m;

	switch (ret) {
	case -EPERM:
		if (members_culprit(t->dir, &m))
			return explain_not_viable(t, err);
		return dfd_error_set(
			err, ret,
			"%s: the kernel refuses to hand it out: without interrupt remapping a "
			"device can forge interrupts; switch it on in the firmware setup, or, "
			"where the device is trusted, echo 1 >" IOMMUFD_PARAMETERS
			"allow_unsafe_interrupts",
			t->address);
	case -EBADFD:
		return explain_no_iommufd(t, ret, err);
	case -EBUSY:
		return explain_busy(t, ret, err);
	case -EINVAL:
		if (!t->options.token[0])
			return dfd_error_set(
				err, ret,
				"%s: is busy: it is bound to an iommufd already; close "
				"it there",
				t->address);
		break;
	}
	return explain_device(t, ret, err);
}

int explain_attach(const struct kernel_target *t, int ret, struct dfd_error *err)
{
	return dfd_error_set(err, ret,
			     "%s: does not go into an address space of the IOMMU: %s; devices of "
			     "its group must not be in another one",
			     t->address, strerror(-ret));
}

/* ---- DMA ---- */

static void list_ranges(const struct space *s, char *text, size_t room)
{
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < s->num_ranges && len < room; i++)
		len += (size_t)snprintf(text + len, room - len, "%s0x%" PRIx64 "-0x%" PRIx64,
					i ? ", " : "", s->ranges[i].start, s->ranges[i].last);
}

static void explain_map_value(const struct space *s, const struct dfd_dma_map *map,
			      struct dfd_error *err)
{
	uint64_t last = map->iova + (map->size - 1);
	char ranges[256];

	list_ranges(s, ranges, sizeof(ranges));
	if (map->iova != DFD_IOVA_ANY && !space_allows(s, map->iova, last))
		dfd_error_set(err, -EINVAL,
			      "DMA map of 0x%" PRIx64 "-0x%" PRIx64 ": outside of what the IOMMU "
			      "takes, which is %s; use DFD_IOVA_ANY or an address in there",
			      map->iova, last, ranges);
	else
		dfd_error_set(err, -EINVAL,
			      "DMA map of 0x%" PRIx64 " bytes: size, address and IOVA must be "
			      "multiples of the IOMMU's page, 0x%" PRIx64 " bytes, and the memory "
			      "must be plain memory of this process",
			      map->size, s->page);
}

/* A container counts what this process has locked, an iommufd what its user has. */
static void explain_memlock(const char *root, const struct space *s, const struct dfd_dma_map *map,
			    struct dfd_error *err)
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
			"DMA map of 0x%" PRIx64 " bytes: %s may lock %" PRIu64
			" KiB of memory (RLIMIT_MEMLOCK), and memory for DMA is locked; raise "
			"it with ulimit -l or LimitMEMLOCK=, or give it CAP_IPC_LOCK",
			map->size,
			s->via == VIA_GROUP ? "this process"
					    : "all processes of this user together",
			limit / 1024);
}

static void explain_memory(const struct dfd_dma_map *map, int ret, struct dfd_error *err)
{
	if (ret == -EFAULT)
		dfd_error_set(
			err, ret,
			"DMA map of 0x%" PRIx64 " bytes: there is no memory at that address "
			"that the device may use so: it is not mapped, is read-only, or is the "
			"registers of a device; use memory of dfd_dma_alloc()",
			map->size);
	else
		dfd_error_set(
			err, ret,
			"DMA map of 0x%" PRIx64 " bytes: without an IOMMU the device needs "
			"memory that lies in one piece, and this does not; map it page by page",
			map->size);
}

static void explain_noiommu_map(const struct dfd_dma_map *map, int ret, struct dfd_error *err)
{
	if (ret == -EINVAL)
		dfd_error_set(err, ret,
			      "DMA map at 0x%" PRIx64 ": without an IOMMU memory has the address "
			      "that it has; use DFD_IOVA_ANY, and pages",
			      map->iova);
	else
		dfd_error_set(err, ret,
			      "DMA map of 0x%" PRIx64 " bytes: this memory is above 0x%" PRIx64
			      ", the highest address asked for, and without an IOMMU it cannot be "
			      "moved; try other memory",
			      map->size, map->max_iova);
}

static void explain_full(const char *root, struct space *s, const struct dfd_dma_map *map,
			 struct dfd_error *err)
{
	int64_t limit = 65535;

	if (map->iova == DFD_IOVA_ANY && !space_has_room(s, map)) {
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

void explain_map(const char *root, struct space *s, const struct dfd_dma_map *map, int ret,
		 struct dfd_error *err)
{
	bool noiommu = s->via == VIA_NOIOMMU;

	switch (ret) {
	case -EINVAL:
		if (noiommu)
			explain_noiommu_map(map, ret, err);
		else
			explain_map_value(s, map, err);
		break;
	case -EEXIST:
		if (noiommu)
			dfd_error_set(err, ret,
				      "DMA map of 0x%" PRIx64 " bytes: this memory is mapped "
				      "already, and without an IOMMU it has one address; use that",
				      map->size);
		else
			dfd_error_set(err, ret,
				      "DMA map at 0x%" PRIx64 ": overlaps another map, of this "
				      "device or of one in its IOMMU group; unmap that first",
				      map->iova);
		break;
	case -ENOMEM:
		explain_memlock(root, s, map, err);
		break;
	case -ENOSPC:
		if (noiommu)
			explain_noiommu_map(map, ret, err);
		else
			explain_full(root, s, map, err);
		break;
	case -EFAULT:
	case -EOPNOTSUPP:
		explain_memory(map, ret, err);
		break;
	default:
		dfd_error_set(err, ret, "DMA map of 0x%" PRIx64 " bytes: %s", map->size,
			      strerror(-ret));
	}
}
