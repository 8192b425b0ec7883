/* SPDX-License-Identifier: MIT */
/*
 * The table for people: every byte once, in rows of at most 16, each beside what it means.
 *
 * Rows break where fields end, so that a row has one meaning. The walk and its checks are the
 * reader's own; after the last row the reader gives its verdict on the whole.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "desc/fact.h"
#include "table/record.h"

#define COLUMNS	    100
#define ROW	    16u
#define HEX_COLUMN  7
#define TEXT_COLUMN 57

struct dump {
	const uint8_t *buf;
	uint32_t pos; /* shown so far */
	int depth;
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

/* The offset in five digits and the bytes; by hand, because there are many rows. */
static void hex_row(char *text, uint32_t offset, const uint8_t *bytes, uint32_t len)
{
	static const char digits[] = "0123456789abcdef";

	memset(text, ' ', TEXT_COLUMN);
	for (int i = 4; i >= 0; i--, offset >>= 4)
		text[i] = digits[offset & 15];
	for (uint32_t i = 0; i < len; i++) {
		char *at = text + HEX_COLUMN + 3 * i + (i >= ROW / 2);

		at[0] = digits[bytes[i] >> 4];
		at[1] = digits[bytes[i] & 15];
	}
}

/* Show the next @len bytes, at most a row, and what they are. */
__attribute__((format(printf, 3, 4))) static void row(struct dump *d, uint32_t len, const char *fmt,
						      ...)
{
	char text[COLUMNS + 1];
	int column = TEXT_COLUMN + 2 * d->depth;
	va_list args;

	hex_row(text, d->pos, d->buf + d->pos, len);
	memset(text + TEXT_COLUMN, ' ', (size_t)(column - TEXT_COLUMN));
	va_start(args, fmt);
	vsnprintf(text + column, sizeof(text) - (size_t)column, fmt, args);
	va_end(args);
	d->line(d->ctx, text);
	d->pos += len;
}

static void printable(char *out, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		out[i] = bytes[i] < 0x80 && isprint(bytes[i]) ? (char)bytes[i] : '.';
	out[len] = 0;
}

/* Bytes that need no words, up to @end; rows that repeat are one star, as hexdump does it. */
static void raw(struct dump *d, uint32_t end)
{
	bool starred = false, first = true;
	char text[ROW + 1];

	while (d->pos < end) {
		uint32_t len = end - d->pos < ROW ? end - d->pos : ROW;

		if (!first && len == ROW && !memcmp(d->buf + d->pos, d->buf + d->pos - ROW, ROW)) {
			if (!starred)
				d->line(d->ctx, "*");
			starred = true;
			d->pos += ROW;
			continue;
		}
		printable(text, d->buf + d->pos, len);
		row(d, len, "|%s|", text);
		starred = first = false;
	}
}

/* The first row of a record that carries a string shows what of it fits in the line. */
static void string_row(struct dump *d, const struct dfd_rec *rec)
{
	uint32_t len = dfd_load32(d->buf + rec->offset + BODY);
	const uint8_t *bytes = d->buf + rec->offset + BODY2;
	size_t room = COLUMNS - TEXT_COLUMN - 2 * (size_t)d->depth - strlen(rec->info->name) - 3;
	char text[COLUMNS];
	bool fits;

	len = (uint32_t)strnlen((const char *)bytes,
				len < rec->len - BODY2 ? len : rec->len - BODY2);
	fits = len <= room;
	printable(text, bytes, fits ? len : (uint32_t)room - 3);
	row(d, ROW, "%s \"%s\"%s", rec->info->name, text, fits ? "" : "...");
}

static void region_rows(struct dump *d, const struct dfd_rec *rec)
{
	const uint8_t *p = d->buf + rec->offset;

	row(d, ROW, "REGION %" PRIu32 "%s%s%s", dfd_load32(p + BODY),
	    rec->flags & DFD_REGION_MAPPABLE ? ", mappable" : "",
	    rec->flags & DFD_REGION_READ_ONLY ? ", read-only" : "",
	    rec->flags & DFD_REGION_IOPORT ? ", I/O ports" : "");
	row(d, ROW, "  at 0x%" PRIx64 ", 0x%" PRIx64 " bytes", dfd_load64(p + BODY2),
	    dfd_load64(p + BODY2 + 8));
}

static void interrupt_rows(struct dump *d, const struct dfd_rec *rec)
{
	const uint8_t *p = d->buf + rec->offset;

	row(d, ROW, "INTERRUPT %" PRIu32 ", %s%s", dfd_load32(p + BODY),
	    rec->flags & DFD_IRQ_LEVEL ? "level" : "edge",
	    rec->flags & DFD_IRQ_MASKABLE ? ", maskable" : "");
	row(d, 8, "  count %" PRIu32, dfd_load32(p + BODY2));
}

static void dtindex_rows(struct dump *d, const struct dfd_rec *rec)
{
	static const char *const props[] = { "?", "reg", "ranges", "interrupts", "interrupt-map" };
	const uint8_t *p = d->buf + rec->offset;
	uint32_t prop = dfd_load32(p + BODY);

	row(d, ROW, "DTINDEX %s", props[prop <= DFD_DT_INTERRUPT_MAP ? prop : 0]);
	row(d, 8, "  entry %" PRIu32, dfd_load32(p + BODY2));
}

static void areas_rows(struct dump *d, const struct dfd_rec *rec)
{
	uint32_t count = dfd_load32(d->buf + rec->offset + BODY);

	row(d, ROW, "AREAS, %" PRIu32 " mappable", count);
	for (; count && rec->offset + rec->len - d->pos >= ROW; count--) {
		const uint8_t *p = d->buf + d->pos;

		row(d, ROW, "  from 0x%" PRIx64 ", 0x%" PRIx64 " bytes", dfd_load64(p),
		    dfd_load64(p + 8));
	}
}

static void cap_rows(struct dump *d, const struct dfd_rec *rec)
{
	const uint8_t *p = d->buf + rec->offset;

	row(d, ROW, "CAP %u, version %u", dfd_load16(p + BODY), dfd_load16(p + BODY + 2));
	row(d, 8, "  %" PRIu32 " bytes of data", dfd_load32(p + BODY2));
}

static void fact_rows(struct dump *d, const struct dfd_rec *rec)
{
	const struct dfd_fact_info *fact = &dfd_fact_infos[rec->info->fact];
	uint64_t value = dfd_load64(d->buf + rec->offset + BODY2);

	if (fact->kind == DFD_FACT_STR) {
		string_row(d, rec);
		return;
	}
	row(d, ROW, "%s", rec->info->name);
	if (fact->kind == DFD_FACT_HEX)
		row(d, 8, "  0x%0*" PRIx64, 2 * fact->config_width, value);
	else
		row(d, 8, "  %" PRIu64, value);
}

/* The fields of a record that this version knows; what remains of it is shown by the caller. */
static void known_rows(struct dump *d, const struct dfd_rec *rec)
{
	const uint8_t *p = d->buf + rec->offset;

	switch (rec->type) {
	case DFD_RECORD_REGION:
		region_rows(d, rec);
		break;
	case DFD_RECORD_INTERRUPT:
		interrupt_rows(d, rec);
		break;
	case DFD_RECORD_DTPATH:
		string_row(d, rec);
		break;
	case DFD_RECORD_DTINDEX:
		dtindex_rows(d, rec);
		break;
	case DFD_RECORD_PCI_CONFIG_SPACE:
		row(d, ROW, "PCI_CONFIG_SPACE");
		break;
	case DFD_RECORD_PCI_BAR_INDEX:
		row(d, ROW, "PCI_BAR_INDEX %" PRIu32, dfd_load32(p + BODY));
		break;
	case DFD_RECORD_PHYS_ADDR:
		row(d, ROW, "PHYS_ADDR");
		row(d, 8, "  0x%" PRIx64, dfd_load64(p + BODY2));
		break;
	case DFD_RECORD_AREAS:
		areas_rows(d, rec);
		break;
	case DFD_RECORD_CAP:
		cap_rows(d, rec);
		break;
	case DFD_RECORD_CONFIG_IMAGE:
		row(d, ROW, "CONFIG_IMAGE, %" PRIu32 " bytes", dfd_load32(p + BODY));
		break;
	default:
		fact_rows(d, rec);
	}
}

static int dump_records(struct dump *d, uint32_t end, enum dfd_place place, struct dfd_error *err);

static int dump_record(struct dump *d, const struct dfd_rec *rec, struct dfd_error *err)
{
	uint32_t end = rec->offset + rec->len;
	int ret = 0;

	if (rec->info)
		known_rows(d, rec);
	else
		row(d, ROW, "type 0x%" PRIx32 ", unknown here, skipped", rec->type);
	d->depth++;
	if (rec->info && rec->type == DFD_RECORD_REGION)
		ret = dump_records(d, end, DFD_IN_REGION, err);
	else if (rec->info && rec->type == DFD_RECORD_INTERRUPT)
		ret = dump_records(d, end, DFD_IN_INTERRUPT, err);
	else
		raw(d, end);
	d->depth--;
	return ret;
}

static int dump_records(struct dump *d, uint32_t end, enum dfd_place place, struct dfd_error *err)
{
	struct dfd_records walk = { .buf = d->buf, .pos = d->pos, .end = end, .place = place };
	struct dfd_rec rec;
	int ret;

	while ((ret = dfd_records_next(&walk, &rec, err)) > 0) {
		ret = dump_record(d, &rec, err);
		if (ret)
			return ret;
	}
	if (ret) /* what could not be read as a record */
		row(d, end - d->pos < ROW ? end - d->pos : ROW, "?");
	return ret;
}

static void header_row(struct dump *d, const struct dfd_header *h)
{
	row(d, ROW, "\"%.4s\" version %u, %s%" PRIu32 " bytes", dfd_bus_magics[h->bus],
	    DFD_TABLE_VERSION, h->flags & DFD_DEVICE_RESET ? "reset, " : "", h->size);
}

/* What only the whole can tell, such as two regions in one place. */
static int verdict(const void *buf, size_t len, struct dfd_error *err)
{
	const struct dfd_desc *desc;
	int ret = dfd_table_parse(buf, len, &desc, NULL, err);

	if (!ret)
		dfd_desc_unref(desc);
	return ret;
}

int dfd_table_dump(const void *buf, size_t len, void (*line)(void *ctx, const char *text),
		   void *ctx)
{
	struct dump d = { .buf = buf, .line = line, .ctx = ctx };
	struct dfd_header header;
	struct dfd_error err;
	int ret = dfd_header_read(buf, len, &header, &err);

	if (!ret) {
		header_row(&d, &header);
		ret = dump_records(&d, header.size, DFD_IN_TABLE, &err);
		if (!ret)
			ret = verdict(buf, len, &err);
	} else if (len) {
		row(&d, len < ROW ? (uint32_t)len : ROW, "?");
	}
	if (ret)
		line(ctx, err.text);
	return ret;
}
