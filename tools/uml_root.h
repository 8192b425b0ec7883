/* SPDX-License-Identifier: MIT */
/* The first file system of a guest of `devfd uml`. */
#ifndef TOOLS_UML_ROOT_H
#define TOOLS_UML_ROOT_H

#include <stdbool.h>
#include <stdint.h>

#define UML_MAX_PROGRAMS 32u

/**
 * struct uml_root - what is in it besides busybox and programs for file systems
 * @script: what the guest runs; NULL: a shell on the console
 * @terminal: that shell is for a person
 * @programs: further programs of this machine, by name or path
 * @dir: the directory that is the root of what runs; NULL: none
 * @hostfs: the kernel can show @dir itself; else a copy of it is packed
 * @devices: how many functions the kernel has to find
 */
struct uml_root {
	const char *script;
	bool terminal;
	const char *programs[UML_MAX_PROGRAMS];
	unsigned int num_programs;
	const char *dir;
	bool hostfs;
	unsigned int devices;
};

/**
 * uml_root_make() - pack it, in memory
 * @fd: receives the archive
 * @size: receives its bytes
 *
 * Return: 0, or an exit code after a message.
 */
int uml_root_make(const struct uml_root *root, int *fd, uint64_t *size);

#endif
