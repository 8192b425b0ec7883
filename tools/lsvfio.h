/* SPDX-License-Identifier: MIT */
/* The parts of lsvfio. */
#ifndef TOOLS_LSVFIO_H
#define TOOLS_LSVFIO_H

#include <stdbool.h>

#include <devfd/devfd.h>

/**
 * struct lsvfio_address - what a device was named as
 * @text: its address, as dfd_open() takes it
 * @looked_at: a function that is only looked at, by sysfs
 */
struct lsvfio_address {
	char text[4200];
	bool looked_at;
};

/**
 * lsvfio_address() - from what a user wrote to an address
 * @given: an address, "01:00.0", a directory of sysfs, a file of /dev/vfio, "vfio-user:PATH"
 * @open: functions are opened, not looked at
 *
 * Return: TOOL_OK, or TOOL_FAILED after a message.
 */
int lsvfio_address(const char *given, bool open, struct lsvfio_address *out);

/** lsvfio_function() - Return: the PCI function in an address, or NULL */
const char *lsvfio_function(const char *address);

#define LSVFIO_CONFIG_SIZE 4096

/** lsvfio_dump() - configuration space as lspci -x; @level: how many x. Return: an exit code */
int lsvfio_dump(const char *address, struct dfd_device *dev, unsigned int level);

/** lsvfio_print_config() - all of configuration space, indented. Return: an exit code */
int lsvfio_print_config(const char *address, struct dfd_device *dev);

/** lsvfio_print_bytes() - a capability byte by byte; @of: what it belongs to */
void lsvfio_print_bytes(const struct dfd_cap *cap, const char *of);

/**
 * lsvfio_more() - what -v, -vv and -vvv print below the description
 * @level: how many v
 *
 * Return: an exit code.
 */
int lsvfio_more(const char *root, const char *address, struct dfd_device *dev, unsigned int level);

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
 * @given: the device as the user has named it, for the heading
 * @open: in the end open it
 *
 * Return: TOOL_OK, TOOL_USAGE after a message, or a code of its own for each step.
 */
int lsvfio_check(const char *root, const char *given, const char *address, bool open);

#endif
