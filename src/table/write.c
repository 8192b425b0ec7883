/* SPDX-License-Identifier: MIT */
/*
 * The table, written on the fly.
 *
 * Theory of operation: the code below says the whole table, field by field, to a sink. The sink
 * counts where it is and copies only what falls into the window that the caller wants, so any
 * piece of the table is cut from the same bytes, and an empty window makes a sink that measures.
 * A record's length is had by saying its sub-records to such a sink first. Nothing is stored.
 *
 * The parts of a table are numbered: 0 is the header, then regions, interrupts, facts and
 * capabilities. A cursor is the number of a part and where it starts. A call with one says at most
 * one part beside those it was asked for, and a part has at most DFD_MAX_AREAS + DFD_MAX_CAPS
 * pieces, so reading byte by byte is linear in the table. Without a cursor each call starts from
 * the header and walks to its window.
 */
#include <endian.h>
#include <string.h>

#include "desc/fact.h"
#include "table/record.h"

struct sink {
	uint64_t pos;
	uint64_t start, end; /* the window */
	uint8_t *out;	     /* where its first byte goes */
};

static void say(struct sink *s, const void *data, uint64_t len)
{
	uint64_t from = s->pos > s->start ? s->pos : s->start;
	uint64_t to = s->pos + len < s->end ? s->pos + len : s->end;

	if (from < to)
		memcpy(s->out + (from - s->start), (const uint8_t *)data + (from - s->pos),
		       (size_t)(to - from));
	s->pos += len;
}

static void say16(struct sink *s, uint16_t v)
{
	v = htole16(v);
	say(s, &v, sizeof(v));
}

static void say32(struct sink *s, uint32_t v)
{
	v = htole32(v);
	say(s, &v, sizeof(v));
}

static void say64(struct sink *s, uint64_t v)
{
	v = htole64(v);
	say(s, &v, sizeof(v));
}

static uint64_t padded(uint64_t len)
{
	return (len + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

static void say_padded(struct sink *s, const void *data, uint64_t len)
{
	static const uint8_t zeros[RECORD_ALIGN];

	say(s, data, len);
	say(s, zeros, padded(len) - len);
}

static void say_head(struct sink *s, uint32_t type, uint64_t len, uint32_t flags, uint32_t first)
{
	say32(s, type);
	say32(s, (uint32_t)len);
	say32(s, flags);
	say32(s, first);
}

/* u32 length, then the bytes: strings with their NUL, and the saved configuration space. */
static void say_bytes(struct sink *s, uint32_t type, const void *data, uint64_t len)
{
	say_head(s, type, BODY2 + padded(len), 0, (uint32_t)len);
	say_padded(s, data, len);
}

static void say_num(struct sink *s, uint32_t type, uint64_t value)
{
	say_head(s, type, BODY2 + sizeof(value), 0, 0);
	say64(s, value);
}

static void say_dt(struct sink *s, const struct dfd_dt_ref *dt)
{
	if (!dt->path)
		return;
	say_bytes(s, DFD_RECORD_DTPATH, dt->path, strlen(dt->path) + 1);
	say_head(s, DFD_RECORD_DTINDEX, BODY2 + 8, 0, dt->prop_type);
	say32(s, dt->prop_index);
	say32(s, 0);
}

static void say_areas(struct sink *s, const struct dfd_region *r)
{
	if (!r->num_areas)
		return;
	say_head(s, DFD_RECORD_AREAS, BODY2 + UINT64_C(16) * r->num_areas, 0, r->num_areas);
	for (uint32_t i = 0; i < r->num_areas; i++) {
		say64(s, r->areas[i].offset);
		say64(s, r->areas[i].size);
	}
}

static void say_cap(struct sink *s, const struct dfd_cap *cap)
{
	say32(s, DFD_RECORD_CAP);
	say32(s, (uint32_t)(CAP_DATA + padded(cap->size)));
	say32(s, 0);
	say16(s, cap->id);
	say16(s, cap->version);
	say32(s, cap->size);
	say32(s, 0);
	say_padded(s, cap->data, cap->size);
}

static void say_region_parts(struct sink *s, enum dfd_bus bus, const struct dfd_region *r)
{
	if (bus == DFD_BUS_PCI && r->index < DFD_PCI_ROM)
		say_head(s, DFD_RECORD_PCI_BAR_INDEX, RECORD_MIN, 0, r->index);
	if (bus == DFD_BUS_PCI && r->index == DFD_PCI_CONFIG)
		say_head(s, DFD_RECORD_PCI_CONFIG_SPACE, RECORD_MIN, 0, 0);
	if (r->has_phys)
		say_num(s, DFD_RECORD_PHYS_ADDR, r->phys_addr);
	say_dt(s, &r->dt);
	say_areas(s, r);
	for (uint32_t i = 0; i < r->num_caps; i++)
		say_cap(s, &r->caps[i]);
}

static void say_region(struct sink *s, enum dfd_bus bus, const struct dfd_region *r)
{
	struct sink parts = { 0 };

	say_region_parts(&parts, bus, r);
	say_head(s, DFD_RECORD_REGION, REGION_FIXED + parts.pos, r->flags, r->index);
	say64(s, r->offset);
	say64(s, r->size);
	say_region_parts(s, bus, r);
}

static void say_irq(struct sink *s, const struct dfd_irq *irq)
{
	struct sink parts = { 0 };

	say_dt(&parts, &irq->dt);
	say_head(s, DFD_RECORD_INTERRUPT, INTERRUPT_FIXED + parts.pos, irq->flags, irq->index);
	say32(s, irq->count);
	say32(s, 0);
	say_dt(s, &irq->dt);
}

/* A fact that is not known is a part without bytes. */
static void say_fact(struct sink *s, const struct dfd_desc *d, enum dfd_fact fact)
{
	const char *str = dfd_desc_str(d, fact);
	uint64_t num;

	if (str)
		say_bytes(s, dfd_fact_infos[fact].number, str, strlen(str) + 1);
	else if (dfd_desc_num(d, fact, &num))
		say_num(s, dfd_fact_infos[fact].number, num);
}

static void say_header(struct sink *s, const struct dfd_desc *d)
{
	/* The size costs a walk: only for a window that shows it. */
	bool sized = s->start < DFD_TABLE_HEADER_SIZE && s->end > HEADER_SIZE;

	say(s, dfd_bus_magics[dfd_desc_bus(d)], 4);
	say32(s, DFD_TABLE_VERSION);
	say32(s, dfd_desc_flags(d));
	say32(s, sized ? dfd_table_size(d) : 0);
}

/* Return: false when there is no part of that number. */
static bool say_part(struct sink *s, const struct dfd_desc *d, uint32_t n)
{
	uint32_t num_regions, num_irqs, num_caps;
	const struct dfd_region *regions = dfd_desc_regions(d, &num_regions);
	const struct dfd_irq *irqs = dfd_desc_irqs(d, &num_irqs);
	const struct dfd_cap *caps = dfd_desc_caps(d, &num_caps);

	if (n == 0) {
		say_header(s, d);
		return true;
	}
	n -= 1;
	if (n < num_regions) {
		say_region(s, dfd_desc_bus(d), &regions[n]);
		return true;
	}
	n -= num_regions;
	if (n < num_irqs) {
		say_irq(s, &irqs[n]);
		return true;
	}
	n -= num_irqs;
	if (n < DFD_NUM_FACTS) {
		say_fact(s, d, (enum dfd_fact)n);
		return true;
	}
	n -= DFD_NUM_FACTS;
	if (n < num_caps) {
		say_cap(s, &caps[n]);
		return true;
	}
	return false;
}

uint32_t dfd_table_size(const struct dfd_desc *desc)
{
	struct sink s = { 0 };

	for (uint32_t n = 0; say_part(&s, desc, n); n++)
		;
	return (uint32_t)s.pos;
}

size_t dfd_table_read(const struct dfd_desc *desc, struct dfd_table_cursor *cursor, uint64_t offset,
		      void *buf, size_t len)
{
	struct sink s = { .start = offset, .out = buf };
	struct dfd_table_cursor at = { 0 };
	uint32_t n;

	s.end = len > UINT64_MAX - offset ? UINT64_MAX : offset + len;
	if (cursor && cursor->pos <= offset)
		at = *cursor;
	s.pos = at.pos;
	for (n = at.record; s.pos < s.end; n++) {
		at = (struct dfd_table_cursor){ s.pos, n };
		if (!say_part(&s, desc, n))
			break;
	}
	/* The next piece starts in the last part, or behind it if that was said to its end. */
	if (s.pos <= s.end)
		at = (struct dfd_table_cursor){ s.pos, n };
	if (cursor)
		*cursor = at;
	if (s.pos <= offset)
		return 0;
	return (size_t)((s.pos < s.end ? s.pos : s.end) - offset);
}

ssize_t dfd_table_append_config(void *table, size_t table_len, size_t room, const void *config,
				size_t config_len)
{
	uint64_t len = BODY2 + padded(config_len);
	uint32_t size = htole32((uint32_t)(table_len + len));
	struct sink s = { .end = len, .out = (uint8_t *)table + table_len };

	if (config_len < 1 || config_len > MAX_CONFIG)
		return -EINVAL;
	if (table_len > room || len > room - table_len)
		return -ENOSPC;
	say_bytes(&s, DFD_RECORD_CONFIG_IMAGE, config, config_len);
	memcpy((uint8_t *)table + HEADER_SIZE, &size, sizeof(size));
	return (ssize_t)(table_len + len);
}
