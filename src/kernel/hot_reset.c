/* SPDX-License-Identifier: MIT */
/*
 * Reset of all that is on a slot or a bus.
 *
 * Theory of operation: the kernel lists what is affected, first how much and then what. A device
 * that was opened by its group shows that it may reset them all by the fds of all their groups; one
 * that was opened by its own file has all of them in its iommufd, or in a group of which one is.
 * What the kernel would only refuse is told apart here: bound to another driver, or just not open.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "abi/vfio.h"
#include "kernel/hot_reset.h"
#include "kernel/members.h"
#include "kernel/retry.h"
#include "util/sysfs.h"

#define MAX_DEVICES 256u /* on a bus */

/* ---- what the kernel lists ---- */

/** struct answer - the list, with room for all that there can be */
struct answer {
	struct vfio_pci_hot_reset_info head;
	struct vfio_pci_dependent_device devices[MAX_DEVICES];
};

static int ask(const struct kernel_link *link, struct answer *a, struct dfd_error *err)
{
	int ret;

	*a = (struct answer){ .head.argsz = sizeof(*a) };
	ret = kernel_retry(link->calls, link->device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, a);
	if (ret == -ENODEV || ret == -ENOTTY)
		return dfd_error_set(err, ret, "neither its slot nor its bus can be reset");
	if (ret == -EPERM)
		return dfd_error_set(err, ret,
				     "something on its bus is in no IOMMU group, so the kernel "
				     "resets nothing of it");
	if (ret < 0)
		return dfd_error_set(err, ret, "asking what a hot reset affects: %s",
				     strerror(-ret));
	if (!a->head.count || a->head.count > MAX_DEVICES)
		return dfd_error_set(err, -EBADMSG, "the kernel lists %u devices for a hot reset",
				     a->head.count);
	return 0;
}

/* ---- who has them ---- */

/** struct look - what a list is looked at with */
struct look {
	const struct kernel_env *env;
	const struct kernel_link *link;
	bool ids;
};

/* The group of this process, if it is open here by its file. */
static const struct space *group_here(const struct look *l, int group)
{
	const struct kernel_target t = { .env = l->env, .group = group };
	const struct space *s = space_find(&t);

	return s && s->group_fd >= 0 ? s : NULL;
}

static enum driver_kind look_at(const struct look *l, struct dfd_reset_device *d)
{
	char path[PATH_MAX], driver[NAME_MAX + 1] = "", group[16];
	enum driver_kind kind;
	int dir;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s", l->env->root, d->name);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	kind = dir < 0 ? DRIVER_NONE : driver_of(dir, driver);
	snprintf(d->driver, sizeof(d->driver), "%.63s", driver);
	d->group = -1;
	if (dir >= 0 && !dfd_sysfs_link_name(dir, "iommu_group", group, sizeof(group)))
		d->group = atoi(group);
	if (dir >= 0)
		close(dir);
	return kind;
}

/* The first that stands in the way tells why. */
static void refuse(struct dfd_hot_reset *r, const struct dfd_reset_device *d, enum driver_kind kind)
{
	if (!r->possible)
		return;
	r->possible = false;
	if (kind == DRIVER_VFIO)
		snprintf(r->why, sizeof(r->why),
			 "%s would be reset, too, and this process does not have it; open it here "
			 "as well",
			 d->name);
	else if (d->driver[0])
		snprintf(r->why, sizeof(r->why),
			 "%s would be reset, too, and %s has it; bind it to vfio-pci", d->name,
			 d->driver);
	else
		snprintf(r->why, sizeof(r->why),
			 "%s would be reset, too, and no driver has it; bind it to vfio-pci",
			 d->name);
}

static void take_device(const struct look *l, const struct vfio_pci_dependent_device *from,
			struct dfd_hot_reset *r, struct dfd_reset_device *d)
{
	enum driver_kind kind;

	snprintf(d->name, sizeof(d->name), "%04x:%02x:%02x.%x", from->segment, from->bus,
		 from->devfn >> 3, from->devfn & 7u);
	kind = look_at(l, d);
	if (l->ids) {
		d->ours = from->id != VFIO_PCI_DEVID_NOT_OWNED;
	} else {
		d->group = from->id > INT32_MAX ? -1 : (int32_t)from->id;
		d->ours = kind == DRIVER_VFIO && group_here(l, d->group);
	}
	if (!d->ours)
		refuse(r, d, kind);
}

static int make_list(const struct look *l, const struct answer *a, struct dfd_hot_reset **out,
		     struct dfd_error *err)
{
	struct dfd_hot_reset *r = calloc(1, sizeof(*r) + a->head.count * sizeof(*r->devices));
	struct dfd_reset_device *devices;

	if (!r)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	devices = (struct dfd_reset_device *)(r + 1);
	*r = (struct dfd_hot_reset){ .possible = true, .count = a->head.count, .devices = devices };
	for (uint32_t i = 0; i < a->head.count; i++)
		take_device(l, &a->devices[i], r, &devices[i]);
	if (r->possible && l->ids && !(a->head.flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED)) {
		r->possible = false;
		snprintf(r->why, sizeof(r->why), "the kernel does not say why not");
	}
	*out = r;
	return 0;
}

static int list_locked(const struct kernel_env *env, const struct kernel_link *link,
		       struct dfd_hot_reset **out, struct dfd_error *err)
{
	struct look l = { .env = env, .link = link };
	struct answer a;
	int ret = ask(link, &a, err);

	l.ids = a.head.flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID;
	return ret ? ret : make_list(&l, &a, out, err);
}

int hot_reset_info(const struct kernel_env *env, const struct kernel_link *link,
		   struct dfd_hot_reset **out, struct dfd_error *err)
{
	int ret;

	spaces_lock();
	ret = list_locked(env, link, out, err);
	spaces_unlock();
	return ret;
}

/* ---- doing it ---- */

/** struct request - with the groups that it names; none for a device by its own file */
struct request {
	struct vfio_pci_hot_reset head;
	int32_t fds[MAX_DEVICES];
};

static void add_groups(const struct look *l, const struct dfd_hot_reset *r, struct request *req)
{
	for (uint32_t i = 0; i < r->count; i++) {
		int fd = group_here(l, r->devices[i].group)->group_fd;
		uint32_t known = 0;

		while (known < req->head.count && req->fds[known] != fd)
			known++;
		if (known == req->head.count)
			req->fds[req->head.count++] = fd;
	}
}

static int reset_locked(const struct kernel_env *env, const struct kernel_link *link,
			struct dfd_error *err)
{
	const struct look l = { .env = env, .link = link };
	struct dfd_hot_reset *r = NULL;
	struct request req = { 0 };
	int ret = list_locked(env, link, &r, err);

	if (ret)
		return ret;
	/* NOLINTNEXTLINE(clang-analyzer-core.*): dfd_error_set() returns its code */
	if (!r->possible) {
		ret = dfd_error_set(err, -EPERM, "%s", r->why);
		free(r);
		return ret;
	}
	if (link->space && link->space->group_fd >= 0)
		add_groups(&l, r, &req);
	free(r);
	req.head.argsz = (uint32_t)(sizeof(req.head) + req.head.count * sizeof(*req.fds));
	ret = kernel_retry(link->calls, link->device, VFIO_DEVICE_PCI_HOT_RESET, &req);
	return ret < 0 ? dfd_error_set(err, ret, "hot reset: %s", strerror(-ret)) : 0;
}

/* Locked, so that no group is closed meanwhile. */
int hot_reset(const struct kernel_env *env, const struct kernel_link *link, struct dfd_error *err)
{
	int ret;

	spaces_lock();
	ret = reset_locked(env, link, err);
	spaces_unlock();
	return ret;
}
