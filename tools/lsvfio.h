/* SPDX-License-Identifier: MIT */
/* The parts of lsvfio. */
#ifndef TOOLS_LSVFIO_H
#define TOOLS_LSVFIO_H

#include <stdbool.h>

#include <devfd/devfd.h>

/** lsvfio_table() - print the annotated hexdump of a device's table. Return: an exit code */
int lsvfio_table(const char *address, struct dfd_device *dev);

/**
 * lsvfio_learn() - the description that one way of asking gives
 * @out: receives the view
 *
 * Return: TOOL_OK, or TOOL_FAILED after a message.
 */
int lsvfio_learn(const char *address, struct dfd_device *dev, enum dfd_view_kind kind,
		 struct dfd_view *out);

/** lsvfio_compare() - hold all views against each other. Return: an exit code */
int lsvfio_compare(const char *address, struct dfd_device *dev);

/**
 * lsvfio_check() - print step by step whether a device can be used
 * @root: directory in front of /sys, or NULL
 * @open: in the end open it
 *
 * Return: TOOL_OK, TOOL_USAGE after a message, or a code of its own for each step.
 */
int lsvfio_check(const char *root, const char *address, bool open);

#endif
