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

/** struct subtype - the types of regions that linux/vfio.h has names for */
static const struct subtype {
	uint32_t type;
	uint32_t subtype;
	const char *name;
} subtypes[] = {
	{ REGION_TYPE_PCI_VENDOR | 0x8086, 1, "Intel graphics OpRegion" },
	{ REGION_TYPE_PCI_VENDOR | 0x8086, 2, "Intel host bridge configuration" },
	{ REGION_TYPE_PCI_VENDOR | 0x8086, 3, "Intel LPC bridge configuration" },
	{ REGION_TYPE_PCI_VENDOR | 0x10de, 1, "NVLink2 memory" },
	{ REGION_TYPE_PCI_VENDOR | 0x1014, 1, "NVLink2 ATSD" },
	{ 1, 1, "graphics EDID" },
	{ 2, 1, "channel I/O asynchronous commands" },
	{ 2, 2, "channel I/O subchannel block" },
	{ 2, 3, "channel I/O channel reports" },
	{ 3, 1, "migration, version 1" },
};

static void region_type(char *buf, size_t len, const struct dfd_cap *cap)
{
	static const char *const types[] = { "?", "graphics", "channel I/O", "migration" };
	uint32_t type = word(cap, 0), subtype = word(cap, 1);

	for (size_t i = 0; i < sizeof(subtypes) / sizeof(*subtypes); i++) {
		if (subtypes[i].type == type && subtypes[i].subtype == subtype) {
			snprintf(buf, len, "%s", subtypes[i].name);
			return;
		}
	}
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

/* Structs of linux/vfio_zdev.h; only the parts of their first version are looked at. */
static void zpci_base(char *buf, size_t len, const struct dfd_cap *cap)
{
	const uint8_t *body = cap->data;
	uint64_t dma[2];

	memcpy(dma, body, sizeof(dma));
	snprintf(buf, len, "DMA 0x%" PRIx64 "-0x%" PRIx64 ", group %u", dma[0], dma[1], body[23]);
}

static void zpci_group(char *buf, size_t len, const struct dfd_cap *cap)
{
	const uint8_t *body = cap->data;
	uint16_t msis;

	memcpy(&msis, body + 26, sizeof(msis));
	snprintf(buf, len, "at most %u MSIs, PCI version %u", msis, body[30]);
}

static void zpci_string(char *buf, size_t len, const struct dfd_cap *cap)
{
	snprintf(buf, len, "%" PRIu32 " bytes", word(cap, 0));
}

/* A meaning is only asked for where the body has the size given. */
static const struct known {
	enum dfd_cap_of of;
	uint16_t id;
	const char *name;
	uint32_t size;
	void (*meaning)(char *buf, size_t len, const struct dfd_cap *cap);
} known[] = {
	{ DFD_CAP_OF_DEVICE, 1, "ZPCI_BASE", 24, zpci_base },
	{ DFD_CAP_OF_DEVICE, 2, "ZPCI_GROUP", 31, zpci_group },
	{ DFD_CAP_OF_DEVICE, 3, "ZPCI_UTIL", 4, zpci_string },
	{ DFD_CAP_OF_DEVICE, 4, "ZPCI_PFIP", 4, zpci_string },
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
