/* SPDX-License-Identifier: MIT */
/*
 * Views: what a user learns about a device through its fd, by each way of asking.
 *
 * Every view rebuilds a description from nothing but reads and ioctls of a device fd, so that the
 * views can be held against each other and against the original.
 */
#ifndef DEVFD_VIEW_H
#define DEVFD_VIEW_H

#include <devfd/desc.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dfd_fd_ops - a device fd: an opened struct dfd_file, or a real fd
 * @pread: as pread(), but returns a negative errno
 * @ioctl: as ioctl(), but returns a negative errno
 */
struct dfd_fd_ops {
	ssize_t (*pread)(void *ctx, void *buf, size_t len, uint64_t offset);
	int (*ioctl)(void *ctx, unsigned long request, void *arg);
};

/** dfd_fd_file, dfd_fd_real - the two implementations; ctx: struct dfd_file *, and int * */
extern const struct dfd_fd_ops dfd_fd_file;
extern const struct dfd_fd_ops dfd_fd_real;

/** enum dfd_view_kind - the three ways of asking */
enum dfd_view_kind {
	DFD_VIEW_TABLE, /* design one: read the table */
	DFD_VIEW_IOCTL, /* design two: the ioctls of 2011 */
	DFD_VIEW_VFIO,	/* today's VFIO calls */
	DFD_NUM_VIEWS
};

/** dfd_view_name() - Return: "table", "ioctl" or "vfio" */
const char *dfd_view_name(enum dfd_view_kind kind);

/**
 * struct dfd_view - what was learned
 * @desc: a description, one reference owned by the caller; what this way of asking cannot tell is
 *        absent from it
 * @topics: bit t: it can tell about enum dfd_topic t
 * @calls: reads and ioctls that were needed
 */
struct dfd_view {
	const struct dfd_desc *desc;
	uint32_t topics;
	uint32_t calls;
};

/**
 * dfd_view_get() - describe a device through its fd
 * @kind: how to ask
 * @ops, @ctx: the fd
 * @out: receives the view; dfd_desc_unref(out->desc) when done
 * @err: optional
 *
 * Return: 0, -ENOMEM, -EBADMSG for answers that contradict each other, or what the fd says.
 */
int dfd_view_get(enum dfd_view_kind kind, const struct dfd_fd_ops *ops, void *ctx,
		 struct dfd_view *out, struct dfd_error *err);

/**
 * struct dfd_view_report - views held against each other
 * @facts: different facts that were compared or told
 * @differences: facts on which views that can tell them disagree
 */
struct dfd_view_report {
	uint32_t facts;
	uint32_t differences;
};

/**
 * dfd_view_compare() - hold the three views against each other, fact by fact
 * @views: indexed by enum dfd_view_kind; one whose @desc is NULL takes no part
 * @difference: optional; called with one line of text for each difference
 * @only: optional; called for each fact that only some of the views can tell: the statement and
 *        a bit for each of these views
 * @out: receives the counts
 *
 * A fact that a view could tell but does not is a difference. Identity is the exception: the
 * registers that hold it always answer, whether the description knows it or not.
 *
 * Return: 0 or -ENOMEM.
 */
int dfd_view_compare(const struct dfd_view views[DFD_NUM_VIEWS],
		     void (*difference)(void *ctx, const char *text),
		     void (*only)(void *ctx, const struct dfd_statement *statement, uint32_t views),
		     void *ctx, struct dfd_view_report *out);

#ifdef __cplusplus
}
#endif
#endif
