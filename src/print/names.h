/* SPDX-License-Identifier: MIT */
/* What pci.ids calls a PCI function. */
#ifndef PRINT_NAMES_H
#define PRINT_NAMES_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct dfd_names - pci.ids, read when it is first asked for
 *
 * The file is the one that libpci was built for, or what the environment names as DEVFD_PCI_IDS.
 * Without it nothing has a name. Not thread-safe.
 */
struct dfd_names;

/** enum dfd_names_kind - what is asked for, and with which numbers */
enum dfd_names_kind {
	DFD_NAMES_VENDOR,    /* vendor */
	DFD_NAMES_DEVICE,    /* vendor, device */
	DFD_NAMES_SUBSYSTEM, /* vendor, device, subsystem vendor, subsystem device */
	DFD_NAMES_CLASS,     /* class and subclass, 16 bits */
	DFD_NAMES_INTERFACE, /* class and subclass, programming interface */
};

/** dfd_names_new() - Return: a look-up, or NULL when memory is short (which has no names) */
struct dfd_names *dfd_names_new(void);

/** dfd_names_free() - NULL is fine */
void dfd_names_free(struct dfd_names *names);

/**
 * dfd_names_find() - look a name up
 * @names: NULL is fine
 * @buf: receives the name
 * @len: bytes in @buf
 * @kind: what is asked for
 * @id: as many numbers as @kind says
 *
 * Return: @buf, or NULL where there is no name.
 */
const char *dfd_names_find(struct dfd_names *names, char *buf, size_t len, enum dfd_names_kind kind,
			   const uint32_t *id);

#endif
