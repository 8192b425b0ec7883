/* SPDX-License-Identifier: MIT */
/*
 * Design one of 2011: the device describes itself as a table of records.
 *
 * docs/device-fd.md gives the format byte by byte.
 */
#ifndef DEVFD_TABLE_H
#define DEVFD_TABLE_H

#include <devfd/desc.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DFD_TABLE_VERSION     1u
#define DFD_TABLE_HEADER_SIZE 16u
/* The reader takes no table that is larger. */
#define DFD_TABLE_MAX_SIZE (UINT32_C(1) << 20)

/** enum dfd_record - record types; the facts of <devfd/facts.h> are 0x100 to 0x17f */
enum dfd_record {
	DFD_RECORD_REGION = 1,
	DFD_RECORD_DTPATH = 2,
	DFD_RECORD_DTINDEX = 3,
	DFD_RECORD_INTERRUPT = 4,
	DFD_RECORD_PCI_CONFIG_SPACE = 5,
	DFD_RECORD_PCI_BAR_INDEX = 6,
	DFD_RECORD_PHYS_ADDR = 7,
	DFD_RECORD_AREAS = 0x180, /* in REGION: mappable areas */
	DFD_RECORD_CAP = 0x181,	  /* top and in REGION: a VFIO capability */
	DFD_RECORD_CONFIG_IMAGE =
		0x182, /* top, in saved files only: bytes of configuration space */
};

/**
 * struct dfd_table_cursor - remembers where the last piece ended
 *
 * Zero it before the first use. With one, reading a table in small pieces in order costs the same
 * as reading it at once; it is never a copy of the table. Not thread-safe.
 */
struct dfd_table_cursor {
	uint64_t pos;	 /* offset in the table of part @record */
	uint32_t record; /* 0 the header, then the records at the top */
};

/** dfd_table_size() - Return: bytes of the whole table */
uint32_t dfd_table_size(const struct dfd_desc *desc);

/**
 * dfd_table_read() - any piece of the table, made on the fly
 * @cursor: optional
 * @offset: first byte wanted; past the end gives 0 bytes, as at the end of a file
 * @buf: receives the bytes
 * @len: bytes wanted
 *
 * Allocates and stores nothing; the bytes are the same however the table is cut. Thread-safe with
 * separate cursors.
 *
 * Return: bytes written to @buf, short at the end of the table.
 */
size_t dfd_table_read(const struct dfd_desc *desc, struct dfd_table_cursor *cursor, uint64_t offset,
		      void *buf, size_t len);

/**
 * struct dfd_table_extra - what a table held beside the description
 * @skipped: records of unknown type that were passed over
 * @config: offset of the saved configuration space in the buffer
 * @config_len: its length in bytes, 0 for none
 */
struct dfd_table_extra {
	uint32_t skipped;
	uint32_t config;
	uint32_t config_len;
};

/**
 * dfd_table_parse() - read a table
 * @buf: the bytes; nothing is believed
 * @len: bytes in @buf; may go on past the table's end
 * @out: receives a description with one reference
 * @extra: optional
 * @err: optional; names the byte offset of what is wrong
 *
 * Unknown types are skipped by their length, bodies longer than known are read up to what is known.
 *
 * Return: 0; -EBADMSG for a corrupt table; -EPROTONOSUPPORT for a version above 1; -ENOMEM.
 */
int dfd_table_parse(const void *buf, size_t len, const struct dfd_desc **out,
		    struct dfd_table_extra *extra, struct dfd_error *err);

/**
 * dfd_table_append_config() - add a saved configuration space to a whole table
 * @table: a whole table as dfd_table_read() gives it
 * @table_len: its bytes
 * @room: bytes that @table can hold
 * @config: bytes of configuration space
 * @config_len: 1 to 4096
 *
 * Return: the new length; -ENOSPC; -EINVAL for a @config_len that is not 1 to 4096.
 */
ssize_t dfd_table_append_config(void *table, size_t table_len, size_t room, const void *config,
				size_t config_len);

/**
 * dfd_table_dump() - annotated hexdump, record by record
 * @buf: a table, possibly corrupt: it is dumped as far as it makes sense
 * @len: bytes in @buf
 * @line: called for each line, without newline; at most 100 columns
 *
 * Return: 0, or what dfd_table_parse() returns, after a line (of any length) that says why.
 */
int dfd_table_dump(const void *buf, size_t len, void (*line)(void *ctx, const char *text),
		   void *ctx);

#ifdef __cplusplus
}
#endif
#endif
