/* SPDX-License-Identifier: MIT */
/* A PCI function in sysfs: its name, its directory, what stands there. */
#ifndef KERNEL_FUNCTION_H
#define KERNEL_FUNCTION_H

#include <stdbool.h>

#include <devfd/desc.h>

/* Room for the name of a PCI function. */
#define FUNCTION_NAME_SIZE 32

/** function_parse() - "01:00.0" or "0000:01:00.0" to the name of a directory. Return: is it one? */
bool function_parse(const char *bdf, char *name, size_t room);

/** function_refuse() - say that @bdf is none. Return: -EINVAL */
int function_refuse(const char *scheme, const char *bdf, struct dfd_error *err);

/**
 * function_open() - open the directory of a function
 * @scheme: of the address, for messages
 * @root: directory in front of /sys, or NULL
 * @bdf: as it was given
 * @name: receives the name, FUNCTION_NAME_SIZE bytes
 *
 * Return: an fd, -EINVAL for something else than a function, -ENOENT, or what open() says.
 */
int function_open(const char *scheme, const char *root, const char *bdf, char *name,
		  struct dfd_error *err);

/* Lines of `resource` that matter: six BARs and the ROM. */
#define FUNCTION_NUM_RESOURCES 7

/**
 * struct function_resource - one line of `resource`
 * @size: 0 for an unused one
 * @phys: address of its first byte, 0 where it has none
 */
struct function_resource {
	uint64_t size;
	uint64_t phys;
	bool io;
};

/** function_resources() - read them all. Return: 0, -EBADMSG, or what open() and read() say */
int function_resources(int dir, struct function_resource resources[FUNCTION_NUM_RESOURCES],
		       struct dfd_error *err);

#endif
