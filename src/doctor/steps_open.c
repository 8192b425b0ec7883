/* SPDX-License-Identifier: MIT */
/* The files of a device, who may open them and who has, and what then goes on. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <devfd/device.h>
#include <devfd/print.h>

#include "doctor/steps.h"
#include "kernel/describe.h"
#include "kernel/explain.h"
#include "kernel/limits.h"
#include "kernel/link.h"
#include "kernel/members.h"
#include "kernel/root.h"
#include "kernel/vfio.h"
#include "util/sysfs.h"

#define CAP_IPC_LOCK 14

/* ---- files ---- */

/** struct files - what is opened: first the container or the iommufd, then group or device */
struct files {
	bool by_file;
	char device[PATH_MAX];
};

static void find_files(const struct look *l, struct files *out)
{
	out->by_file = link_by_file(&l->t);
	if (!out->by_file)
		snprintf(out->device, sizeof(out->device), "/dev/vfio/%s%d",
			 l->t.options.via == VIA_NOIOMMU ? "noiommu-" : "", l->t.group);
	else if (!cdev_file(&l->t, out->device, sizeof(out->device)))
		out->device[0] = '\0';
}

static int explain_files(struct look *l, const struct files *f, bool device, int ret)
{
	if (f->by_file && !device)
		return explain_iommufd(&l->t, ret, &l->text);
	if (!device)
		return explain_container(&l->t, ret, &l->text);
	if (f->by_file && !f->device[0])
		return explain_no_cdev(&l->t, &l->text);
	return f->by_file ? explain_cdev(&l->t, f->device, ret, &l->text)
			  : explain_group(&l->t, ret, &l->text);
}

/* One that was handed over is open already. */
static const char *first_file(const struct look *l, const struct files *f)
{
	if (!f->by_file)
		return "/dev/vfio/vfio";
	return l->t.options.iommufd < 0 ? "/dev/iommu" : NULL;
}

int look_files(struct look *l)
{
	struct files f;
	const char *first;

	find_files(l, &f);
	first = first_file(l, &f);
	if (first && !root_exists(l->env->root, first))
		return explain_files(l, &f, false, -ENOENT);
	if (!f.device[0] || !root_exists(l->env->root, f.device))
		return explain_files(l, &f, true, -ENOENT);
	return look_found(l, "%s%s%s", f.device, first ? " and " : "", first ? first : "");
}

static int try_file(const struct look *l, const char *file)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", l->env->root, file);
	return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) ? -errno : 0;
}

int look_access(struct look *l)
{
	struct files f;
	const char *first;
	int ret;

	find_files(l, &f);
	first = first_file(l, &f);
	ret = first ? try_file(l, first) : 0;
	if (ret)
		return explain_files(l, &f, false, ret);
	ret = try_file(l, f.device);
	if (ret)
		return explain_files(l, &f, true, ret);
	return look_found(l, "this user may read and write them");
}

int look_free(struct look *l)
{
	struct holders *holders = l->t.group < 0 ? NULL : malloc(sizeof(*holders));
	bool held, hidden;

	if (!holders)
		return look_found(l, "nobody is known to have it open");
	holders_find(l->env->root, holders);
	held = holders_of(holders, (unsigned int)l->t.group);
	hidden = holders->hidden;
	free(holders);
	if (held)
		return explain_group(&l->t, -EBUSY, &l->text);
	return look_found(l, "nobody%s has it open", hidden ? " whom this user can see" : "");
}

/* ---- the device ---- */

/* A virtual function needs a token as soon as VFIO has the physical one. */
int look_token(struct look *l)
{
	int physical = openat(l->t.dir, "physfn", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char driver[NAME_MAX + 1] = "", name[NAME_MAX + 1] = "?";
	enum driver_kind kind;

	if (physical < 0)
		return look_found(l, "none is needed");
	kind = driver_of(physical, driver);
	close(physical);
	dfd_sysfs_link_name(l->t.dir, "physfn", name, sizeof(name));
	if (kind == DRIVER_VFIO && !l->t.options.token[0])
		return explain_device(&l->t, -EACCES, &l->text);
	return look_found(l, "%s; its physical function is %s, driver %s",
			  kind == DRIVER_VFIO ? "given" : "none is needed", name,
			  driver[0] ? driver : "none");
}

/* A virtual function has all ones in place of its ids, but not behind them, in its command
 * register. */
static bool is_dead(int dir)
{
	int fd = openat(dir, "config", O_RDONLY | O_CLOEXEC);
	uint64_t head = 0;
	bool dead =
		fd >= 0 && pread(fd, &head, sizeof(head), 0) == sizeof(head) && head == UINT64_MAX;

	if (fd >= 0)
		close(fd);
	return dead;
}

/* What sleeps is not woken to be looked at. */
int look_power(struct look *l)
{
	char power[16];

	if (dfd_sysfs_text(l->t.dir, "power_state", power, sizeof(power)) <= 0)
		strcpy(power, "on");
	if (!strcmp(power, "D3cold")) {
		l->note = true;
		return look_found(l, "D3cold: it sleeps without power; opening it wakes it, and a "
				     "D3cold in the kernel log then means that it does not wake");
	}
	if (is_dead(l->t.dir))
		return dfd_error_set(&l->text, -EIO, "%s: " DESCRIBE_DEAD, l->t.address);
	return look_found(l, "%s", power);
}

int look_reset(struct look *l)
{
	char method[64];

	if (!l->t.bus || strcmp(l->t.bus, "pci") != 0)
		return look_found(l, "as its driver can");
	if (dfd_sysfs_text(l->t.dir, "reset_method", method, sizeof(method)) > 0)
		return look_found(l, "%s", method);
	if (!faccessat(l->t.dir, "reset", F_OK, 0))
		return look_found(l, "yes");
	l->note = true;
	return look_found(l, "nothing can reset it alone: what one program leaves in it the next "
			     "one finds");
}

/* ---- memory ---- */

static bool may_lock_all(const struct look *l)
{
	char text[8192], *at;

	if (root_text(l->env->root, "/proc/self/status", text, sizeof(text)) < 0)
		return false;
	at = strstr(text, "\nCapEff:");
	return at && strtoull(at + strlen("\nCapEff:"), NULL, 16) >> CAP_IPC_LOCK & 1;
}

int look_memory(struct look *l)
{
	uint64_t bytes = UINT64_MAX;
	char size[16];

	if (may_lock_all(l) || !memlock_limit(l->env->root, &bytes) || bytes == UINT64_MAX)
		return look_found(l, "any amount may be locked for DMA");
	dfd_print_size(size, sizeof(size), bytes);
	if (bytes >= LIMITS_LOW_MEMLOCK)
		return look_found(l, "%s may be locked for DMA", size);
	l->note = true;
	return look_found(l,
			  "only %s may be locked for DMA; a virtual machine needs as much as its "
			  "memory: raise it with ulimit -l or LimitMEMLOCK=",
			  size);
}

/* ---- all of it ---- */

int look_open(struct look *l)
{
	struct dfd_device *dev;
	int ret = dfd_vfio_open(l->env, l->scheme, l->rest, &dev, &l->text);

	if (ret)
		return ret;
	dfd_device_close(dev);
	return look_found(l, "it opens, by %s", link_by_file(&l->t) ? "its own file" : "its group");
}
