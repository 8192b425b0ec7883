/* SPDX-License-Identifier: MIT */
/*
 * Giving PCI functions to VFIO and back to their drivers. Needs root.
 *
 * What a function was bound to is remembered in /run/devfd/drivers before the first change, until
 * dfd_restore() has put it back; that works, too, after a process that was killed half-way.
 */
#ifndef DEVFD_BIND_H
#define DEVFD_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include <devfd/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dfd_bind_options - how dfd_bind() and its kind go about it; all zero is a good start
 * @root: directory in front of /sys, /proc, /dev and /run, for a tree that was copied from
 *        elsewhere; NULL: this machine
 * @group: dfd_bind(): all functions of the IOMMU groups, not only those named
 * @force: functions that the host needs, too
 * @dry_run: change nothing, only tell
 * @tell: or NULL; gets @ctx and a line of shell before each change, comments included, which
 *        start with "# "
 */
struct dfd_bind_options {
	const char *root;
	bool group;
	bool force;
	bool dry_run;
	void (*tell)(void *ctx, const char *line);
	void *ctx;
};

/**
 * dfd_bind() - bind functions to vfio-pci
 * @options: or NULL
 * @names: "0000:01:00.0" or "01:00.0"; one that a driver of VFIO has already is left alone
 * @count: of them
 * @err: optional
 *
 * All or none: what was done before a failure is undone. Refused are functions that the host
 * needs: a disk with something mounted, the only way to the network or to whoever is logged in
 * from elsewhere, the console; and those whose IOMMU group would stay unusable, because another
 * function in it keeps a driver of the host.
 *
 * Return: 0; -EBUSY for a refusal; -EINVAL for a name that is none and for bridges; -ENOENT;
 * -EOPNOTSUPP without an IOMMU; or what the kernel says.
 */
int dfd_bind(const struct dfd_bind_options *options, const char *const *names, size_t count,
	     struct dfd_error *err);

/**
 * dfd_unbind() - take functions from their drivers, so that they have none
 *
 * As dfd_bind(); a driver that is loaded later does not take them, either. A function that a
 * process uses through VFIO is refused: the kernel would wait for that process.
 */
int dfd_unbind(const struct dfd_bind_options *options, const char *const *names, size_t count,
	       struct dfd_error *err);

/**
 * dfd_restore() - give functions back to what they were bound to before
 * @names: as for dfd_bind()
 * @count: 0: all that were changed
 *
 * Each function by itself: one that fails stays remembered and does not stop the others.
 *
 * Return: 0; -ENOENT for a function that was not changed; or the first failure.
 */
int dfd_restore(const struct dfd_bind_options *options, const char *const *names, size_t count,
		struct dfd_error *err);

#ifdef __cplusplus
}
#endif
#endif
