/* SPDX-License-Identifier: MIT */
/* Why a device cannot be opened: what the files of /dev answer. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/explain.h"
#include "kernel/members.h"

#define PARAMETER(module) "/sys/module/" module "/parameters/allow_unsafe_interrupts"

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
			"where the device is trusted, echo 1 >" PARAMETER("vfio_iommu_type1"),
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
	return dfd_error_set(
		err, -EOPNOTSUPP,
		"%s: has no file in /dev/vfio/devices: %s; ?via=group works everywhere", t->address,
		machine_why_no_cdev(t->env->root));
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
			"where the device is trusted, echo 1 >" PARAMETER("iommufd"),
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
