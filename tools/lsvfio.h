/* SPDX-License-Identifier: MIT */
/* The parts of lsvfio. */
#ifndef TOOLS_LSVFIO_H
#define TOOLS_LSVFIO_H

#include <stdbool.h>
#include <stdio.h>

#include <devfd/devfd.h>

/** enum lsvfio_action - what is done with each device */
enum lsvfio_action { LIST, TABLE, SAVE, COMPARE, CHECK, DUMP };

/**
 * struct lsvfio_options - the command line
 * @verbose: how many v
 * @dump: how many x
 * @groups, @tree, @lines: of the machine, instead of a list
 * @fd: number of an open file, or NULL
 * @via: name of a view, or NULL
 * @save: file to write
 * @file: dump to read instead of looking at this machine, or NULL
 * @root: directory in front of /sys, or NULL
 */
struct lsvfio_options {
	enum lsvfio_action action;
	unsigned int verbose;
	unsigned int dump;
	bool json;
	bool groups;
	bool tree;
	bool lines;
	bool open;
	const char *fd;
	const char *via;
	const char *save;
	const char *file;
	const char *root;
};

/**
 * lsvfio_options() - read the command line
 * @out: receives it, zeroed
 * @done: receives whether all is done, as after --help
 *
 * optind is the first address then. Return: an exit code, after a message unless TOOL_OK.
 */
int lsvfio_options(int argc, char **argv, struct lsvfio_options *out, bool *done);

/**
 * struct lsvfio_address - what a device was named as
 * @text: its address, as dfd_open() takes it
 */
struct lsvfio_address {
	char text[4200];
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

/** lsvfio_looked_at() - Return: is it a function that is only looked at, by sysfs? */
bool lsvfio_looked_at(const char *address);

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
int lsvfio_more(const struct dfd_origin *origin, const char *address, struct dfd_device *dev,
		unsigned int level);

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

/** lsvfio_check_json() - the same as one JSON object; nothing is printed after a message */
int lsvfio_check_json(FILE *out, const char *root, const char *given, const char *address,
		      bool open);

#endif
