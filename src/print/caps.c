/* SPDX-License-Identifier: MIT */
/* Numbers are those of linux/vfio.h. A body may be longer than known here, never shorter. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "print/caps.h"

#define REGION_TYPE_PCI_VENDOR (UINT32_C(1) << 31) /* the low 16 bits are a PCI vendor */

static uint32_t word(const struct dfd_cap *cap, size_t index)
{
	uint32_t value;

	memcpy(&value, (const char *)cap->data + index * sizeof(value), sizeof(value));
	return value;
}

static void region_type(char *buf, size_t len, const struct dfd_cap *cap)
{
	static const char *const types[] = { "?", "graphics", "channel I/O", "migration" };
	uint32_t type = word(cap, 0), subtype = word(cap, 1);

	if (type & REGION_TYPE_PCI_VENDOR)
		snprintf(buf, len, "vendor %04" PRIx32 " subtype %" PRIu32, type & 0xffff, subtype);
	else if (type && type < sizeof(types) / sizeof(*types))
		snprintf(buf, len, "%s subtype %" PRIu32, types[type], subtype);
	else
		snprintf(buf, len, "type %" PRIu32 " subtype %" PRIu32, type, subtype);
}

static void atomic_completer(char *buf, size_t len, const struct dfd_cap *cap)
{
	uint32_t flags = word(cap, 0);

	snprintf(buf, len, "completes atomic operations of%s%s%s bits", flags & 1 ? " 32" : "",
		 flags & 2 ? " 64" : "", flags & 4 ? " 128" : "");
}

/* A meaning is only asked for where the body has the size given. */
static const struct known {
	enum dfd_cap_of of;
	uint16_t id;
	const char *name;
	uint32_t size;
	void (*meaning)(char *buf, size_t len, const struct dfd_cap *cap);
} known[] = {
	{ DFD_CAP_OF_DEVICE, 1, "ZPCI_BASE", 0, NULL },
	{ DFD_CAP_OF_DEVICE, 2, "ZPCI_GROUP", 0, NULL },
	{ DFD_CAP_OF_DEVICE, 3, "ZPCI_UTIL", 0, NULL },
	{ DFD_CAP_OF_DEVICE, 4, "ZPCI_PFIP", 0, NULL },
	{ DFD_CAP_OF_DEVICE, 5, "PCI_ATOMIC_COMP", 4, atomic_completer },
	{ DFD_CAP_OF_REGION, 1, "SPARSE_MMAP", 0, NULL },
	{ DFD_CAP_OF_REGION, 2, "TYPE", 8, region_type },
	{ DFD_CAP_OF_REGION, 3, "MSIX_MAPPABLE", 0, NULL },
	{ DFD_CAP_OF_REGION, 4, "NVLINK2_SSATGT", 0, NULL },
	{ DFD_CAP_OF_REGION, 5, "NVLINK2_LNKSPD", 0, NULL },
};

static const struct known *find(enum dfd_cap_of of, uint16_t id)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (known[i].of == of && known[i].id == id)
			return &known[i];
	}
	return NULL;
}

const char *dfd_cap_name(enum dfd_cap_of of, uint16_t id)
{
	const struct known *k = find(of, id);

	return k ? k->name : NULL;
}

const char *dfd_cap_meaning(char *buf, size_t len, enum dfd_cap_of of, const struct dfd_cap *cap)
{
	const struct known *k = find(of, cap->id);

	if (!k || !k->meaning || cap->size < k->size)
		return NULL;
	k->meaning(buf, len, cap);
	return buf;
}
