/* SPDX-License-Identifier: MIT */
/* What a device is, and what else is with it: the steps before its files are looked at. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <devfd/enumerate.h>

#include "doctor/steps.h"
#include "kernel/explain.h"
#include "kernel/link.h"
#include "kernel/members.h"
#include "kernel/reserved.h"
#include "kernel/root.h"

int look_found(struct look *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(l->text.text, sizeof(l->text.text), fmt, args);
	va_end(args);
	return 0;
}

/* Devices without an IOMMU are in a group for the name of it only, or in none. */
static bool has_group(const struct look *l)
{
	return l->t.group >= 0 && l->t.options.via != VIA_NOIOMMU;
}

int look_iommu(struct look *l)
{
	int ret = link_check_iommu(&l->t, &l->text);

	if (ret)
		return ret;
	if (l->t.options.via == VIA_NOIOMMU) {
		l->note = true;
		return look_found(l, "none, as asked for: its DMA can reach all memory");
	}
	return has_group(l) ? look_found(l, "IOMMU group %d", l->t.group)
			    : look_found(l, "by its own file");
}

int look_driver(struct look *l)
{
	char driver[NAME_MAX + 1];
	int ret = l->t.driver ? explain_driver(&l->t, &l->text) : 0;

	if (ret)
		return ret;
	driver_of(l->t.dir, driver);
	return look_found(l, "%s", driver[0] ? driver : "none");
}

/* ---- the group ---- */

static int count_one(void *ctx, const struct member *m)
{
	(void)m;
	++*(uint32_t *)ctx;
	return 0;
}

int look_group(struct look *l)
{
	struct member m;
	uint32_t count = 0;
	int devices;

	if (!has_group(l))
		return look_found(l, "none");
	if (members_culprit(l->t.dir, &m))
		return explain_not_viable(&l->t, &l->text);
	devices = openat(l->t.dir, "iommu_group/devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (devices >= 0) {
		members_walk(devices, count_one, &count);
		close(devices);
	}
	return count < 2 ? look_found(l, "nothing else is in it")
			 : look_found(l, "no driver of the host has any of its %" PRIu32 " devices",
				      count);
}

int look_firmware(struct look *l)
{
	char range[64];

	if (has_group(l) &&
	    reserved_by_firmware(l->env->root, (unsigned int)l->t.group, range, sizeof(range)))
		return explain_firmware(&l->t, range, &l->text);
	return look_found(l, "needs nothing of it");
}

/* ---- interrupts ---- */

static bool is_unsafe_allowed(const struct look *l)
{
	char mode[8];

	return root_text(l->env->root,
			 link_by_file(&l->t)
				 ? "/sys/module/iommufd/parameters/allow_unsafe_interrupts"
				 : "/sys/module/vfio_iommu_type1/parameters/"
				   "allow_unsafe_interrupts",
			 mode, sizeof(mode)) > 0 &&
	       mode[0] == 'Y';
}

int look_interrupts(struct look *l)
{
	struct dfd_machine machine;

	if (!has_group(l) || (l->t.bus && !strcmp(l->t.bus, "mdev")))
		return look_found(l, "not the device's own matter");
	dfd_machine_get(l->env->root, &machine);
	if (machine.remapping == DFD_YES)
		return look_found(l, "remapped");
	if (machine.remapping == DFD_UNKNOWN)
		return look_found(l, "nothing tells whether they are remapped");
	if (is_unsafe_allowed(l)) {
		l->note = true;
		return look_found(l, "not remapped, so the device can forge them, which "
				     "allow_unsafe_interrupts permits");
	}
	return link_by_file(&l->t) ? explain_bind(&l->t, -EPERM, &l->text)
				   : explain_set_iommu(&l->t, -EPERM, &l->text);
}
