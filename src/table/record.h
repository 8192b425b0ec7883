/* SPDX-License-Identifier: MIT */
/*
 * What the reader and the hexdump share: the header, the list of record types, and the walk from
 * record to record. All lengths are checked here, once.
 */
#ifndef TABLE_RECORD_H
#define TABLE_RECORD_H

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <devfd/table.h>

/* Every record starts with type, rec_len, flags and one more u32 of its own. */
#define RECORD_MIN     16u
#define RECORD_ALIGN   8u
#define HEADER_VERSION 4u
#define HEADER_FLAGS   8u
#define HEADER_SIZE    12u
/* Where the body's first field is, and what follows it. */
#define BODY  12u
#define BODY2 16u
/* REGION and INTERRUPT hold sub-records; they start right behind these fixed bodies. */
#define REGION_FIXED	32u
#define INTERRUPT_FIXED 24u
/* CAP: the data follows u16 id, u16 version, u32 size, u32 0. */
#define CAP_DATA 24u
/* The bytes of a saved configuration space. */
#define MAX_CONFIG 4096u
/* Flag bits with a meaning; a newer version may set others, which are ignored. */
#define REGION_FLAGS	(DFD_REGION_MAPPABLE | DFD_REGION_READ_ONLY | DFD_REGION_IOPORT)
#define INTERRUPT_FLAGS (DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE)

/** enum dfd_place - where a record lies; a bit each */
enum dfd_place {
	DFD_IN_TABLE = 1,
	DFD_IN_REGION = 2,
	DFD_IN_INTERRUPT = 4,
};

/**
 * struct dfd_record_info - a type of record that this version knows
 * @type: its number
 * @min_len: the least rec_len it can have
 * @places: enum dfd_place, where it has a meaning; elsewhere it is skipped like an unknown one
 * @repeats: a place may hold several
 * @fact: the enum dfd_fact that it carries, or -1
 * @name: as in docs/device-fd.md
 */
struct dfd_record_info {
	uint32_t type;
	uint32_t min_len;
	uint32_t places;
	bool repeats;
	int fact;
	const char *name;
};

/**
 * struct dfd_rec - one record whose lengths were found right
 * @info: what it is, NULL for an unknown one
 */
struct dfd_rec {
	uint32_t offset;
	uint32_t type;
	uint32_t len;
	uint32_t flags;
	const struct dfd_record_info *info;
};

/** struct dfd_records - the walk over the records of one place, [@pos, @end) of @buf */
struct dfd_records {
	const uint8_t *buf;
	uint32_t pos;
	uint32_t end;
	enum dfd_place place;
	uint64_t seen;
};

/** struct dfd_header - the table's header, checked */
struct dfd_header {
	enum dfd_bus bus;
	uint32_t flags;
	uint32_t size;
};

/** dfd_bus_magics - the four bytes at offset 0, by enum dfd_bus */
extern const char dfd_bus_magics[3][4];

/** dfd_header_read() - Return: 0, -EBADMSG or -EPROTONOSUPPORT */
int dfd_header_read(const uint8_t *buf, size_t len, struct dfd_header *out, struct dfd_error *err);

/** dfd_records_next() - Return: 1 and the next record, 0 at the end, -EBADMSG */
int dfd_records_next(struct dfd_records *walk, struct dfd_rec *out, struct dfd_error *err);

static inline uint16_t dfd_load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline uint32_t dfd_load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t dfd_load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* The one form of "corrupt": where, and what was found. */
#define dfd_corrupt(err, offset, fmt, ...)                                                         \
	dfd_error_set(err, -EBADMSG, "table offset 0x%" PRIx32 ": " fmt, (uint32_t)(offset),       \
		      ##__VA_ARGS__)

#endif
