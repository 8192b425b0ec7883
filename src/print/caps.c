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

	if (!(flags & 7))
		snprintf(buf, len, "completes no atomic operations");
	else
		snprintf(buf, len, "completes atomic operations of%s%s%s bits",
			 flags & 1 ? " 32" : "", flags & 2 ? " 64" : "", flags & 4 ? " 128" : "");
}

static void nvlink_target(char *buf, size_t len, const struct dfd_cap *cap)
{
	uint64_t target;

	memcpy(&target, cap->data, sizeof(target));
	snprintf(buf, len, "target 0x%" PRIx64, target);
}

static void nvlink_speed(char *buf, size_t len, const struct dfd_cap *cap)
{
	snprintf(buf, len, "speed %" PRIu32, word(cap, 0));
}

/* ---- functions of s390: structs of linux/vfio_zdev.h, in the byte order of the machine ---- */

/** struct field - @width: bytes; @fmt: for its value; only where the body goes that far */
struct field {
	uint32_t offset;
	uint32_t width;
	const char *fmt;
};

static const struct field base_fields[] = {
	{ 0, 8, "DMA 0x%" PRIx64 },
	{ 8, 8, "-0x%" PRIx64 },
	{ 23, 1, ", group %" PRIu64 },
	{ 16, 2, ", channel 0x%04" PRIx64 },
	{ 18, 2, ", virtual function %" PRIu64 },
	{ 22, 1, ", function type %" PRIu64 },
	{ 20, 2, ", measurement block of %" PRIu64 " bytes" },
	{ 24, 4, ", handle 0x%08" PRIx64 },
	{ 28, 4, ", error reports of %" PRIu64 " bytes" },
};

static const struct field group_fields[] = {
	{ 26, 2, "at most %" PRIu64 " MSIs" },
	{ 8, 8, " to 0x%" PRIx64 },
	{ 30, 1, ", PCI version %" PRIu64 },
	{ 0, 8, ", DMA mask 0x%" PRIx64 },
	{ 16, 8, ", flags 0x%" PRIx64 },
	{ 24, 2, ", measured every %" PRIu64 " ms" },
	{ 28, 2, ", stores of %" PRIu64 " bytes" },
	{ 32, 2, ", interpreted ones of %" PRIu64 },
};

static uint64_t value_of(const uint8_t *at, uint32_t width)
{
	uint16_t half;
	uint32_t single;
	uint64_t full;

	switch (width) {
	case 2:
		memcpy(&half, at, sizeof(half));
		return half;
	case 4:
		memcpy(&single, at, sizeof(single));
		return single;
	case 8:
		memcpy(&full, at, sizeof(full));
		return full;
	default:
		return *at;
	}
}

/* Later versions have grown at the end. */
static void put_fields(char *buf, size_t len, const struct dfd_cap *cap, const struct field *f,
		       size_t count)
{
	const uint8_t *body = cap->data;
	size_t done = 0;

	for (const struct field *end = f + count; f < end && done < len; f++) {
		if (f->offset + f->width <= cap->size)
			/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): of the tables above
			 */
			done += (size_t)snprintf(buf + done, len - done, f->fmt,
						 value_of(body + f->offset, f->width));
	}
}

static void zpci_base(char *buf, size_t len, const struct dfd_cap *cap)
{
	put_fields(buf, len, cap, base_fields, sizeof(base_fields) / sizeof(*base_fields));
}

static void zpci_group(char *buf, size_t len, const struct dfd_cap *cap)
{
	put_fields(buf, len, cap, group_fields, sizeof(group_fields) / sizeof(*group_fields));
	if (value_of((const uint8_t *)cap->data + 16, 8) & 1)
		snprintf(buf + strlen(buf), len - strlen(buf), " (refreshes translations)");
}

/* A size and as many bytes, which have no meaning here. */
static void zpci_string(char *buf, size_t len, const struct dfd_cap *cap)
{
	const uint8_t *text = (const uint8_t *)cap->data + 4;
	uint32_t size = word(cap, 0), there = cap->size - 4;
	size_t done = (size_t)snprintf(buf, len, "%" PRIu32 " bytes", size);

	for (uint32_t i = 0; i < size && i < there && done < len; i++)
		done += (size_t)snprintf(buf + done, len - done, "%s%02x",
					 i % 4 ? ""
					 : i   ? " "
					       : ": ",
					 text[i]);
	if (size > there && done < len)
		snprintf(buf + done, len - done, ", %" PRIu32 " of them here", there);
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
	{ DFD_CAP_OF_REGION, 4, "NVLINK2_SSATGT", 8, nvlink_target },
	{ DFD_CAP_OF_REGION, 5, "NVLINK2_LNKSPD", 4, nvlink_speed },
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
