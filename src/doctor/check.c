/* SPDX-License-Identifier: MIT */
/*
 * Can a device be used through VFIO, and if not, why not?
 *
 * Theory of operation: the steps are those that the kernel takes when a device is opened, in its
 * order, as far as sysfs, /proc and the modes of files tell. So the first that fails is what a
 * program would meet, and each later one may only show once that is mended. The sentences are
 * those of kernel/explain.h, which opening gives as well.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "doctor/steps.h"
#include "kernel/function.h"
#include "kernel/link.h"

/**
 * struct step - what is looked at
 * @call: what the kernel refuses without it, by the device's own file and by its group; NULL where
 *        it is never asked
 */
struct step {
	const char *name;
	const char *call[2];
	int (*look)(struct look *l);
};

static const struct step steps[DFD_NUM_CHECKS] = {
	[DFD_CHECK_DEVICE] = { "device", { NULL, NULL }, NULL },
	[DFD_CHECK_IOMMU] = { "IOMMU", { NULL, NULL }, look_iommu },
	[DFD_CHECK_DRIVER] = { "driver", { NULL, NULL }, look_driver },
	[DFD_CHECK_GROUP] = { "group",
			      { "VFIO_DEVICE_BIND_IOMMUFD", "VFIO_GROUP_SET_CONTAINER" },
			      look_group },
	[DFD_CHECK_FIRMWARE] = { "firmware",
				 { "VFIO_DEVICE_ATTACH_IOMMUFD_PT", "VFIO_SET_IOMMU" },
				 look_firmware },
	[DFD_CHECK_INTERRUPTS] = { "interrupts",
				   { "VFIO_DEVICE_BIND_IOMMUFD", "VFIO_SET_IOMMU" },
				   look_interrupts },
	[DFD_CHECK_FILES] = { "files", { "open()", "open()" }, look_files },
	[DFD_CHECK_ACCESS] = { "access", { "open()", "open()" }, look_access },
	[DFD_CHECK_FREE] = { "free", { "VFIO_DEVICE_BIND_IOMMUFD", "open()" }, look_free },
	[DFD_CHECK_TOKEN] = { "VF token",
			      { "VFIO_DEVICE_BIND_IOMMUFD", "VFIO_GROUP_GET_DEVICE_FD" },
			      look_token },
	[DFD_CHECK_POWER] = { "power", { "read()", "read()" }, look_power },
	[DFD_CHECK_RESET] = { "reset", { NULL, NULL }, look_reset },
	[DFD_CHECK_MEMORY] = { "memory", { NULL, NULL }, look_memory },
	[DFD_CHECK_OPEN] = { "open", { NULL, NULL }, look_open },
};

const char *dfd_check_name(enum dfd_check_step step)
{
	return step >= DFD_CHECK_DEVICE && step < DFD_NUM_CHECKS ? steps[step].name : "?";
}

/* ---- the device ---- */

static bool is_function(const char *address)
{
	char bdf[FUNCTION_NAME_SIZE], name[FUNCTION_NAME_SIZE];

	snprintf(bdf, sizeof(bdf), "%.*s", (int)strcspn(address, "?"), address);
	return function_parse(bdf, name, sizeof(name));
}

/* Take an address apart; sysfs: names what pci: would open. */
static bool split(const char *address, struct look *l)
{
	static const char *const known[] = { "pci", "platform", "mdev", "cdev", "sysfs" };
	size_t len = strcspn(address, ":");

	if (is_function(address)) {
		strcpy(l->scheme, "pci");
		l->rest = address;
		return true;
	}
	for (size_t i = 0; address[len] && i < sizeof(known) / sizeof(*known); i++) {
		if (len != strlen(known[i]) || strncmp(address, known[i], len) != 0)
			continue;
		strcpy(l->scheme, strcmp(known[i], "sysfs") ? known[i] : "pci");
		l->rest = address + len + 1;
		return true;
	}
	return false;
}

/* ---- one after the other ---- */

typedef void report_fn(void *ctx, const struct dfd_check *check);

static void tell(const struct look *l, enum dfd_check_step step, int ret, report_fn *fn, void *ctx)
{
	struct dfd_check check = { .step = step, .text = l->text.text, .error = ret };
	const size_t len = strlen(l->t.address);

	if (ret)
		check.result = DFD_CHECK_BAD;
	else if (l->note)
		check.result = DFD_CHECK_NOTE;
	/* The heading has the address, and every sentence of kernel/explain.h starts with it. */
	if (ret && step != DFD_CHECK_DEVICE && !strncmp(check.text, l->t.address, len) &&
	    !strncmp(check.text + len, ": ", 2))
		check.text += len + 2;
	if (ret)
		check.call = steps[step].call[link_by_file(&l->t) ? 0 : 1];
	fn(ctx, &check);
}

static int run(struct look *l, bool open, report_fn *fn, void *ctx)
{
	const int last = open ? DFD_CHECK_OPEN : DFD_CHECK_MEMORY;

	for (int step = DFD_CHECK_IOMMU; step <= last; step++) {
		int ret;

		l->note = false;
		ret = steps[step].look(l);
		tell(l, (enum dfd_check_step)step, ret, fn, ctx);
		if (ret)
			return step;
	}
	return 0;
}

int doctor_check(const struct kernel_env *env, const char *address, bool open, report_fn *fn,
		 void *ctx, struct dfd_error *err)
{
	struct look l = { .env = env };
	int ret;

	if (!split(address, &l))
		return dfd_error_set(err, -EINVAL,
				     "%s: is no device of the kernel's VFIO; name one, such as "
				     "01:00.0, platform:NAME, mdev:UUID or cdev:FILE",
				     address);
	ret = kernel_target_find(&l.t, env, l.scheme, l.rest, &l.text);
	if (!ret)
		look_found(&l, "%s", l.t.address);
	tell(&l, DFD_CHECK_DEVICE, ret, fn, ctx);
	ret = ret ? (int)DFD_CHECK_DEVICE : run(&l, open, fn, ctx);
	kernel_target_finish(&l.t);
	return ret;
}

int dfd_check(const char *root, const char *address, bool open, report_fn *fn, void *ctx,
	      struct dfd_error *err)
{
	const struct kernel_env env = { root ? root : "", &kernel_calls };

	return doctor_check(&env, address, open, fn, ctx, err);
}
