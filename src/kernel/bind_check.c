/* SPDX-License-Identifier: MIT */
/* What keeps functions from being bound: their group, who uses them, what hangs on them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bind.h"
#include "kernel/root.h"
#include "kernel/state.h"
#include "util/sysfs.h"

/* ---- the group ---- */

static int open_group(const struct bind_run *run, int group)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys/kernel/iommu_groups/%d/devices", run->env.root, group);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/** struct gathering - the functions of a group that are not in the set */
struct gathering {
	struct bind_run *run;
	struct dfd_error *err;
	char missing[256];
};

/* Bridges stay where they are; so do stubs, which were put there on purpose. */
static int add_member(void *ctx, const struct member *m)
{
	struct gathering *g = ctx;
	char name[FUNCTION_NAME_SIZE];
	int64_t class_code;

	if (m->kind == DRIVER_HARMLESS || dfd_sysfs_num(m->dir, "class", &class_code) ||
	    state_of_member(m->kind, (int32_t)class_code) == DFD_STATE_BRIDGE ||
	    !function_parse(m->name, name, sizeof(name)))
		return 0;
	return bind_add(g->run, m->name, g->err);
}

static int note_missing(void *ctx, const struct member *m)
{
	struct gathering *g = ctx;
	size_t len = strlen(g->missing);

	if (m->kind == DRIVER_FOREIGN && !set_has(&g->run->set, m->name))
		snprintf(g->missing + len, sizeof(g->missing) - len, "%s%.40s (%.40s)",
			 len ? ", " : "", m->name, m->driver);
	return 0;
}

static int each_group(struct bind_run *run, struct gathering *g,
		      int (*fn)(void *ctx, const struct member *m), struct dfd_error *err)
{
	size_t count = run->set.count;
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++) {
		const struct bind_function *f = &run->set.list[i];
		int devices = open_group(run, f->group);

		if (devices < 0)
			continue;
		ret = members_walk(devices, fn, g);
		close(devices);
		if (!ret && g->missing[0])
			ret = dfd_error_set(err, -EBUSY,
					    "%s: IOMMU group %d can be used only as a whole, and "
					    "%s would stay in it with a driver of the host; name "
					    "all of them, or use --group",
					    f->name, f->group, g->missing);
	}
	return ret;
}

int complete_groups(struct bind_run *run, struct dfd_error *err)
{
	struct gathering g = { .run = run, .err = err };
	int ret = 0;

	if (run->env.options->group)
		ret = each_group(run, &g, add_member, err);
	return ret ? ret : each_group(run, &g, note_missing, err);
}

/* ---- refusals ---- */

bool function_changes(const struct bind_function *f)
{
	return strcmp(f->before.driver, f->after.driver) != 0 ||
	       strcmp(f->before.override, f->after.override) != 0;
}

int check_bridge(const struct bind_function *f, struct dfd_error *err)
{
	if (state_of_member(DRIVER_NONE, f->class_code) != DFD_STATE_BRIDGE)
		return 0;
	return dfd_error_set(err, -EINVAL,
			     "%s: is a bridge, which VFIO does not take and which never stands in "
			     "the way; leave it where it is",
			     f->name);
}

int check_iommu(const struct bind_run *run, const struct bind_function *f, struct dfd_error *err)
{
	char noiommu[8];

	if (f->group >= 0 || f->vfio)
		return 0;
	if (root_text(run->env.root, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
		      noiommu, sizeof(noiommu)) > 0 &&
	    noiommu[0] == 'Y')
		return 0;
	return dfd_error_set(err, -EOPNOTSUPP,
			     "%s: is in no IOMMU group, so " VFIO_PCI " would not take it; lsvfio "
			     "tells whether this machine has an IOMMU at all",
			     f->name);
}

/*
 * The kernel would wait for whoever has the function, and a driver of the host cannot come into a
 * group that is in use.
 */
int check_holder(const struct bind_run *run, const struct bind_function *f, struct dfd_error *err)
{
	const struct holder *h;

	if (f->group < 0 || !strcmp(f->before.driver, f->after.driver))
		return 0;
	h = holders_of(&run->holders, (unsigned int)f->group);
	if (!h || (!f->vfio && (!f->after.driver[0] || !strcmp(f->after.driver, VFIO_PCI))))
		return 0;
	return dfd_error_set(err, -EBUSY,
			     "%s: process %d (%s) uses its IOMMU group %d, and the kernel would "
			     "wait for it; end that process first",
			     f->name, h->pid, h->name, f->group);
}

/* Virtual functions go with the driver of their physical function. */
static int check_virtual(const struct bind_run *run, const struct bind_function *f,
			 struct dfd_error *err)
{
	char path[128];
	int64_t count;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_numvfs", f->name);
	if (!f->before.driver[0] || !strcmp(f->before.driver, f->after.driver) ||
	    root_num(run->env.root, path, &count) || count <= 0)
		return 0;
	return dfd_error_set(err, -EBUSY,
			     "%s: its %d virtual functions would go; remove them first, with "
			     "echo 0 >%s, or use --force",
			     f->name, (int)count, path);
}

int check_set(struct bind_run *run, struct dfd_error *err)
{
	struct bind_set moving = { .list = calloc(DFD_MAX_MEMBERS, sizeof(*moving.list)) };
	int ret = 0;

	if (!moving.list)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < run->set.count && !ret; i++) {
		const struct bind_function *f = &run->set.list[i];

		if (!function_changes(f))
			continue;
		ret = check_holder(run, f, err);
		if (!ret && !run->env.options->force)
			ret = check_virtual(run, f, err);
		moving.list[moving.count++] = *f;
	}
	if (!ret && !run->env.options->force)
		ret = host_check(run->env.root, &moving, err);
	free(moving.list);
	return ret;
}
