/* SPDX-License-Identifier: MIT */
/* The walk from record to record. Nothing outside [pos, end) is looked at. */
#include "table/record.h"

const char dfd_bus_magics[3][4] = {
	[DFD_BUS_OTHER] = "dev",
	[DFD_BUS_PCI] = "pci",
	[DFD_BUS_DT] = "dt",
};

#define FACT_LEN_NUM 24
#define FACT_LEN_HEX 24
#define FACT_LEN_STR 24

/* clang-format off */
static const struct dfd_record_info infos[] = {
	{ DFD_RECORD_REGION, REGION_FIXED, DFD_IN_TABLE, true, -1, "REGION" },
	{ DFD_RECORD_DTPATH, 24, DFD_IN_REGION | DFD_IN_INTERRUPT, false, -1, "DTPATH" },
	{ DFD_RECORD_DTINDEX, 24, DFD_IN_REGION | DFD_IN_INTERRUPT, false, -1, "DTINDEX" },
	{ DFD_RECORD_INTERRUPT, INTERRUPT_FIXED, DFD_IN_TABLE, true, -1, "INTERRUPT" },
	{ DFD_RECORD_PCI_CONFIG_SPACE, 16, DFD_IN_REGION, false, -1, "PCI_CONFIG_SPACE" },
	{ DFD_RECORD_PCI_BAR_INDEX, 16, DFD_IN_REGION, false, -1, "PCI_BAR_INDEX" },
	{ DFD_RECORD_PHYS_ADDR, 24, DFD_IN_REGION, false, -1, "PHYS_ADDR" },
	{ DFD_RECORD_AREAS, 16, DFD_IN_REGION, false, -1, "AREAS" },
	{ DFD_RECORD_CAP, CAP_DATA, DFD_IN_TABLE | DFD_IN_REGION, true, -1, "CAP" },
	{ DFD_RECORD_CONFIG_IMAGE, 24, DFD_IN_TABLE, false, -1, "CONFIG_IMAGE" },
#define FACT_RECORD(name, number, kind, ...)                                                       \
	{ number, FACT_LEN_##kind, DFD_IN_TABLE, false, DFD_FACT_##name, #name },
	DFD_FACTS(FACT_RECORD)
#undef FACT_RECORD
};
/* clang-format on */

#define NUM_INFOS (sizeof(infos) / sizeof(*infos))
_Static_assert(NUM_INFOS <= 64, "struct dfd_records.seen has a bit for each type");

static const struct dfd_record_info *find(uint32_t type, enum dfd_place place)
{
	for (size_t i = 0; i < NUM_INFOS; i++) {
		if (infos[i].type == type)
			return infos[i].places & place ? &infos[i] : NULL;
	}
	return NULL;
}

static int read_magic(const uint8_t *buf, enum dfd_bus *bus, struct dfd_error *err)
{
	for (int i = 0; i < 3; i++) {
		if (memcmp(buf, dfd_bus_magics[i], 4) == 0) {
			*bus = (enum dfd_bus)i;
			return 0;
		}
	}
	return dfd_corrupt(err, 0, "magic %02x %02x %02x %02x is not \"pci\", \"dt\" or \"dev\"",
			   buf[0], buf[1], buf[2], buf[3]);
}

int dfd_header_read(const uint8_t *buf, size_t len, struct dfd_header *out, struct dfd_error *err)
{
	static const uint32_t bus_flags[] = {
		[DFD_BUS_PCI] = DFD_DEVICE_PCI, [DFD_BUS_DT] = DFD_DEVICE_DT
	};
	uint32_t version;
	int ret;

	if (len < DFD_TABLE_HEADER_SIZE)
		return dfd_corrupt(err, len, "ends inside the header of %u bytes",
				   DFD_TABLE_HEADER_SIZE);
	ret = read_magic(buf, &out->bus, err);
	if (ret)
		return ret;
	version = dfd_load32(buf + HEADER_VERSION);
	if (!version)
		return dfd_corrupt(err, HEADER_VERSION, "version 0 does not exist");
	if (version > DFD_TABLE_VERSION)
		return dfd_error_set(err, -EPROTONOSUPPORT,
				     "table offset 0x4: version %" PRIu32
				     " is newer than %u, the one known here",
				     version, DFD_TABLE_VERSION);
	out->flags = dfd_load32(buf + HEADER_FLAGS);
	if ((out->flags & (DFD_DEVICE_PCI | DFD_DEVICE_DT)) != bus_flags[out->bus])
		return dfd_corrupt(err, HEADER_FLAGS,
				   "flags 0x%" PRIx32 " do not go with the magic \"%.4s\"",
				   out->flags, dfd_bus_magics[out->bus]);
	out->size = dfd_load32(buf + HEADER_SIZE);
	if (out->size < DFD_TABLE_HEADER_SIZE || out->size % RECORD_ALIGN)
		return dfd_corrupt(err, HEADER_SIZE,
				   "a size of %" PRIu32 " is not a multiple of %u from %u up",
				   out->size, RECORD_ALIGN, DFD_TABLE_HEADER_SIZE);
	if (out->size > DFD_TABLE_MAX_SIZE)
		return dfd_corrupt(err, HEADER_SIZE,
				   "a size of %" PRIu32 " is more than %" PRIu32 " bytes",
				   out->size, DFD_TABLE_MAX_SIZE);
	if (out->size > len)
		return dfd_corrupt(err, HEADER_SIZE,
				   "the table has %" PRIu32 " bytes, but only %zu are there",
				   out->size, len);
	return 0;
}

static int check_len(const struct dfd_records *walk, const struct dfd_rec *rec,
		     struct dfd_error *err)
{
	const uint32_t at = rec->offset + 4;

	if (rec->len < RECORD_MIN)
		return dfd_corrupt(err, at, "a record length of %" PRIu32 " is below %u", rec->len,
				   RECORD_MIN);
	if (rec->len % RECORD_ALIGN)
		return dfd_corrupt(err, at,
				   "a record length of %" PRIu32 " is not a multiple of %u",
				   rec->len, RECORD_ALIGN);
	if (rec->len > walk->end - rec->offset)
		return dfd_corrupt(
			err, at,
			"a record length of %" PRIu32 " goes past the end of %s at 0x%" PRIx32,
			rec->len, walk->place == DFD_IN_TABLE ? "the table" : "its parent",
			walk->end);
	if (rec->info && rec->len < rec->info->min_len)
		return dfd_corrupt(err, at, "%s needs %" PRIu32 " bytes and has %" PRIu32,
				   rec->info->name, rec->info->min_len, rec->len);
	return 0;
}

int dfd_records_next(struct dfd_records *walk, struct dfd_rec *out, struct dfd_error *err)
{
	const uint8_t *at = walk->buf + walk->pos;
	uint64_t bit;
	int ret;

	if (walk->pos == walk->end)
		return 0;
	if (walk->end - walk->pos < RECORD_MIN)
		return dfd_corrupt(err, walk->pos, "%" PRIu32 " bytes are too few for a record",
				   walk->end - walk->pos);
	out->offset = walk->pos;
	out->type = dfd_load32(at);
	out->len = dfd_load32(at + 4);
	out->flags = dfd_load32(at + 8);
	out->info = find(out->type, walk->place);
	ret = check_len(walk, out, err);
	if (ret)
		return ret;
	if (out->info && !out->info->repeats) {
		bit = UINT64_C(1) << (out->info - infos);
		if (walk->seen & bit)
			return dfd_corrupt(err, out->offset, "a second %s", out->info->name);
		walk->seen |= bit;
	}
	walk->pos += out->len;
	return 1;
}
