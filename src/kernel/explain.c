/* SPDX-License-Identifier: MIT */
/* Why a device is not opened: what sysfs tells before anything is. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kernel/explain.h"
#include "kernel/members.h"
#include "kernel/root.h"

#define NOIOMMU_PARAMETER "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

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
	/* NOLINTNEXTLINE(clang-analyzer-core.*): what needs no driver is not advised to bind one */
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

int explain_firmware(const struct kernel_target *t, const char *range, struct dfd_error *err)
{
	return dfd_error_set(err, -EINVAL,
			     "%s: the firmware itself uses its DMA, at %s (RMRR), so the kernel "
			     "gives it to nobody else; look in the firmware setup for what uses "
			     "it (remote management, legacy USB, shared memory) and switch that "
			     "off, or update the firmware",
			     t->address, range);
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
