/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: of libpci only the names are used; pci_init(), which looks for hardware, is
 * never called. libpci reports a corrupt pci.ids through a callback that must not return and gets
 * no context, so the callback jumps back to find() with the help of a thread-local pointer. libpci
 * has closed the file by then, keeps what it read before the bad line and does not read it again.
 */
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pci/pci.h>

#include "print/names.h"

struct dfd_names {
	struct pci_access *pci;
};

static _Thread_local jmp_buf *broken_file;

/* libpci's type. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
static void __attribute__((noreturn)) broken(char *msg, ...)
{
	(void)msg;
	longjmp(*broken_file, 1);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as above */
static void quiet(char *msg, ...)
{
	(void)msg;
}

struct dfd_names *dfd_names_new(void)
{
	struct dfd_names *names = malloc(sizeof(*names));
	char *path = secure_getenv("DEVFD_PCI_IDS");

	if (!names)
		return NULL;
	names->pci = pci_alloc();
	names->pci->error = broken;
	names->pci->warning = quiet;
	names->pci->debug = quiet;
	names->pci->id_lookup_mode = 0; /* not the cache of what was found by network */
	if (path)
		pci_set_name_list_path(names->pci, path, 0);
	return names;
}

void dfd_names_free(struct dfd_names *names)
{
	if (!names)
		return;
	pci_cleanup(names->pci);
	free(names);
}

static const char *find(struct pci_access *pci, char *buf, int len, enum dfd_names_kind kind,
			const uint32_t *id)
{
	const int flags = PCI_LOOKUP_NO_NUMBERS | PCI_LOOKUP_NO_HWDB;

	switch (kind) {
	case DFD_NAMES_VENDOR:
		return pci_lookup_name(pci, buf, len, flags | PCI_LOOKUP_VENDOR, id[0]);
	case DFD_NAMES_DEVICE:
		return pci_lookup_name(pci, buf, len, flags | PCI_LOOKUP_DEVICE, id[0], id[1]);
	case DFD_NAMES_SUBSYSTEM:
		return pci_lookup_name(pci, buf, len,
				       flags | PCI_LOOKUP_SUBSYSTEM | PCI_LOOKUP_DEVICE, id[0],
				       id[1], id[2], id[3]);
	case DFD_NAMES_CLASS:
		return pci_lookup_name(pci, buf, len, flags | PCI_LOOKUP_CLASS, id[0]);
	case DFD_NAMES_INTERFACE:
		return pci_lookup_name(pci, buf, len, flags | PCI_LOOKUP_PROGIF, id[0], id[1]);
	}
	return NULL;
}

/* Where only the base class is known libpci adds " [CLASS]". */
static void strip_number(char *name, uint32_t class)
{
	char number[16];
	size_t len = strlen(name), tail;

	tail = (size_t)snprintf(number, sizeof(number), " [%04x]", class);
	if (len > tail && !strcmp(name + len - tail, number))
		name[len - tail] = '\0';
}

const char *dfd_names_find(struct dfd_names *names, char *buf, size_t len, enum dfd_names_kind kind,
			   const uint32_t *id)
{
	const char *volatile name = NULL;
	jmp_buf here;

	if (!names)
		return NULL;
	broken_file = &here;
	if (!setjmp(here))
		name = find(names->pci, buf, (int)len, kind, id);
	broken_file = NULL;
	if (name && kind == DFD_NAMES_CLASS)
		strip_number(buf, id[0]);
	return name;
}
