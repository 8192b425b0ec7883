/* SPDX-License-Identifier: MIT */
/*
 * The table, read by someone who trusts nothing.
 *
 * Theory of operation: lengths are checked by the walk in record.c and by the few functions here
 * that read counted bodies. What the numbers mean is checked by dfd_desc_build(), as for every
 * other source of a description; it knows no byte offsets. When it refuses, the table is read
 * again and again up to a record in the middle, to find the first record with which the
 * description is refused: refusals only ever grow with more records, so halving finds it.
 *
 * Memory: the description holds copies of parts of the table, so it is bounded by the table's size,
 * and that by DFD_TABLE_MAX_SIZE.
 */
#include "desc/fact.h"
#include "table/record.h"

/* One pass over the table. */
struct reader {
	const uint8_t *buf;
	struct dfd_header header;
	struct dfd_desc_builder *b;
	uint32_t records; /* at the top, so far */
	uint32_t last;	  /* offset of the last of them */
	uint32_t regions, irqs;
	struct dfd_table_extra extra;
	struct dfd_error *err;
};

static struct dfd_records parts_of(const struct reader *t, const struct dfd_rec *rec,
				   uint32_t fixed, enum dfd_place place)
{
	return (struct dfd_records){ .buf = t->buf,
				     .pos = rec->offset + fixed,
				     .end = rec->offset + rec->len,
				     .place = place };
}

/* u32 length with the NUL, then the string; @out points into the table. */
static int read_string(const struct reader *t, const struct dfd_rec *rec, const char **out)
{
	uint32_t len = dfd_load32(t->buf + rec->offset + BODY);
	const char *s = (const char *)t->buf + rec->offset + BODY2;

	if (!len || len > rec->len - BODY2)
		return dfd_corrupt(t->err, rec->offset + BODY,
				   "%s: a string of %" PRIu32 " bytes in a record of %" PRIu32,
				   rec->info->name, len, rec->len);
	if (len > DFD_MAX_STRING + 1)
		return dfd_corrupt(t->err, rec->offset + BODY,
				   "%s: a string of %" PRIu32 " bytes, at most %u", rec->info->name,
				   len, DFD_MAX_STRING + 1);
	if (strnlen(s, len) != len - 1)
		return dfd_corrupt(t->err, rec->offset + BODY2,
				   "%s: the NUL of the string is not at its end, byte %" PRIu32,
				   rec->info->name, len - 1);
	*out = s;
	return 0;
}

static int read_dtindex(const struct reader *t, const struct dfd_rec *rec, struct dfd_dt_ref *dt)
{
	dt->prop_type = dfd_load32(t->buf + rec->offset + BODY);
	dt->prop_index = dfd_load32(t->buf + rec->offset + BODY2);
	if (dt->prop_type < DFD_DT_REG || dt->prop_type > DFD_DT_INTERRUPT_MAP)
		return dfd_corrupt(t->err, rec->offset + BODY,
				   "DTINDEX: property type %" PRIu32 " is not 1 to 4",
				   dt->prop_type);
	return 0;
}

/* A node is told by both of its records, or by none. */
static int check_dt(const struct reader *t, const struct dfd_rec *of, const struct dfd_dt_ref *dt)
{
	if (!dt->path == !dt->prop_type)
		return 0;
	return dfd_corrupt(t->err, of->offset, "%s has a %s without a %s", of->info->name,
			   dt->path ? "DTPATH" : "DTINDEX", dt->path ? "DTINDEX" : "DTPATH");
}

static int read_areas(const struct reader *t, const struct dfd_rec *rec, struct dfd_region *r,
		      struct dfd_area *areas)
{
	uint32_t count = dfd_load32(t->buf + rec->offset + BODY);
	const uint8_t *p = t->buf + rec->offset + BODY2;

	if (!count || count > DFD_MAX_AREAS || count > (rec->len - BODY2) / 16)
		return dfd_corrupt(t->err, rec->offset + BODY,
				   "AREAS: %" PRIu32 " areas in a record of %" PRIu32
				   " bytes, at most %u",
				   count, rec->len, DFD_MAX_AREAS);
	for (uint32_t i = 0; i < count; i++, p += 16)
		areas[i] = (struct dfd_area){ dfd_load64(p), dfd_load64(p + 8) };
	r->areas = areas;
	r->num_areas = count;
	return 0;
}

static int read_cap(const struct reader *t, const struct dfd_rec *rec, struct dfd_cap *cap)
{
	const uint8_t *p = t->buf + rec->offset;

	cap->id = dfd_load16(p + BODY);
	cap->version = dfd_load16(p + BODY + 2);
	cap->size = dfd_load32(p + BODY2);
	cap->data = p + CAP_DATA;
	if (cap->size > rec->len - CAP_DATA || cap->size > DFD_MAX_CAP_SIZE)
		return dfd_corrupt(t->err, rec->offset + BODY2,
				   "CAP: %" PRIu32 " bytes of data in a record of %" PRIu32
				   ", at most %u",
				   cap->size, rec->len, DFD_MAX_CAP_SIZE);
	return 0;
}

/* The two sub-records that repeat what a PCI region's index says: they must say the same. */
static int check_pci(const struct reader *t, const struct dfd_rec *rec, const struct dfd_region *r)
{
	uint32_t bar = dfd_load32(t->buf + rec->offset + BODY);

	if (t->header.bus != DFD_BUS_PCI)
		return dfd_corrupt(t->err, rec->offset, "%s in a table that is not of a PCI device",
				   rec->info->name);
	if (rec->type == DFD_RECORD_PCI_BAR_INDEX && (bar != r->index || bar >= DFD_PCI_ROM))
		return dfd_corrupt(t->err, rec->offset + BODY,
				   "PCI_BAR_INDEX: BAR %" PRIu32 " in region %" PRIu32, bar,
				   r->index);
	if (rec->type == DFD_RECORD_PCI_CONFIG_SPACE && r->index != DFD_PCI_CONFIG)
		return dfd_corrupt(t->err, rec->offset,
				   "PCI_CONFIG_SPACE in region %" PRIu32 ", not %u", r->index,
				   DFD_PCI_CONFIG);
	return 0;
}

/* A region under construction; the arrays of @r point here. */
struct region_parts {
	struct dfd_region r;
	struct dfd_area areas[DFD_MAX_AREAS];
	struct dfd_cap caps[DFD_MAX_CAPS];
};

static int read_region_cap(const struct reader *t, const struct dfd_rec *rec,
			   struct region_parts *parts)
{
	if (parts->r.num_caps == DFD_MAX_CAPS)
		return dfd_corrupt(t->err, rec->offset, "more than %u CAP in a region",
				   DFD_MAX_CAPS);
	parts->r.caps = parts->caps;
	return read_cap(t, rec, &parts->caps[parts->r.num_caps++]);
}

static int read_region_part(const struct reader *t, const struct dfd_rec *rec,
			    struct region_parts *parts)
{
	struct dfd_region *r = &parts->r;

	switch (rec->type) {
	case DFD_RECORD_DTPATH:
		return read_string(t, rec, &r->dt.path);
	case DFD_RECORD_DTINDEX:
		return read_dtindex(t, rec, &r->dt);
	case DFD_RECORD_AREAS:
		return read_areas(t, rec, r, parts->areas);
	case DFD_RECORD_CAP:
		return read_region_cap(t, rec, parts);
	case DFD_RECORD_PHYS_ADDR:
		r->has_phys = true;
		r->phys_addr = dfd_load64(t->buf + rec->offset + BODY2);
		return 0;
	default:
		return check_pci(t, rec, r);
	}
}

static int read_region(struct reader *t, const struct dfd_rec *rec)
{
	struct dfd_records walk = parts_of(t, rec, REGION_FIXED, DFD_IN_REGION);
	const uint8_t *p = t->buf + rec->offset;
	struct region_parts parts;
	struct dfd_rec part;
	int ret;

	parts.r = (struct dfd_region){ .index = dfd_load32(p + BODY),
				       .flags = rec->flags & REGION_FLAGS,
				       .offset = dfd_load64(p + BODY2),
				       .size = dfd_load64(p + BODY2 + 8) };
	/* More would be duplicates, which the builder would find at the cost of a square. */
	if (t->regions++ > DFD_MAX_REGION_INDEX)
		return dfd_corrupt(t->err, rec->offset, "more than %u regions",
				   DFD_MAX_REGION_INDEX + 1);
	if (parts.r.offset < t->header.size)
		return dfd_corrupt(t->err, rec->offset + BODY2,
				   "region %" PRIu32 " starts inside the table, at 0x%" PRIx64,
				   parts.r.index, parts.r.offset);
	while ((ret = dfd_records_next(&walk, &part, t->err)) > 0) {
		if (part.info)
			ret = read_region_part(t, &part, &parts);
		else
			t->extra.skipped++;
		if (ret < 0)
			return ret;
	}
	if (!ret)
		ret = check_dt(t, rec, &parts.r.dt);
	if (!ret)
		dfd_desc_add_region(t->b, &parts.r);
	return ret;
}

static int read_irq(struct reader *t, const struct dfd_rec *rec)
{
	struct dfd_records walk = parts_of(t, rec, INTERRUPT_FIXED, DFD_IN_INTERRUPT);
	struct dfd_irq irq = { .index = dfd_load32(t->buf + rec->offset + BODY),
			       .count = dfd_load32(t->buf + rec->offset + BODY2),
			       .flags = rec->flags & INTERRUPT_FLAGS };
	struct dfd_rec part;
	int ret;

	if (t->irqs++ > DFD_MAX_IRQ_INDEX)
		return dfd_corrupt(t->err, rec->offset, "more than %u interrupts",
				   DFD_MAX_IRQ_INDEX + 1);
	while ((ret = dfd_records_next(&walk, &part, t->err)) > 0) {
		if (!part.info)
			t->extra.skipped++;
		else if (part.type == DFD_RECORD_DTPATH)
			ret = read_string(t, &part, &irq.dt.path);
		else
			ret = read_dtindex(t, &part, &irq.dt);
		if (ret < 0)
			return ret;
	}
	if (!ret)
		ret = check_dt(t, rec, &irq.dt);
	if (!ret)
		dfd_desc_add_irq(t->b, &irq);
	return ret;
}

static int read_fact(struct reader *t, const struct dfd_rec *rec)
{
	enum dfd_fact fact = (enum dfd_fact)rec->info->fact;
	const char *str = NULL;
	int ret;

	if (dfd_fact_infos[fact].kind != DFD_FACT_STR) {
		dfd_desc_set_num(t->b, fact, dfd_load64(t->buf + rec->offset + BODY2));
		return 0;
	}
	ret = read_string(t, rec, &str);
	if (!ret)
		dfd_desc_set_str(t->b, fact, str);
	return ret;
}

static int read_config(struct reader *t, const struct dfd_rec *rec)
{
	uint32_t len = dfd_load32(t->buf + rec->offset + BODY);

	if (t->header.bus != DFD_BUS_PCI)
		return dfd_corrupt(t->err, rec->offset,
				   "CONFIG_IMAGE in a table that is not of a PCI device");
	if (!len || len > MAX_CONFIG || len > rec->len - BODY2)
		return dfd_corrupt(t->err, rec->offset + BODY,
				   "CONFIG_IMAGE: %" PRIu32 " bytes in a record of %" PRIu32
				   ", at most %u",
				   len, rec->len, MAX_CONFIG);
	t->extra.config = rec->offset + BODY2;
	t->extra.config_len = len;
	return 0;
}

static int read_top_cap(struct reader *t, const struct dfd_rec *rec)
{
	struct dfd_cap cap;
	int ret = read_cap(t, rec, &cap);

	if (!ret)
		dfd_desc_add_cap(t->b, &cap);
	return ret;
}

static int read_top(struct reader *t, const struct dfd_rec *rec)
{
	if (!rec->info) {
		t->extra.skipped++;
		return 0;
	}
	switch (rec->type) {
	case DFD_RECORD_REGION:
		return read_region(t, rec);
	case DFD_RECORD_INTERRUPT:
		return read_irq(t, rec);
	case DFD_RECORD_CAP:
		return read_top_cap(t, rec);
	case DFD_RECORD_CONFIG_IMAGE:
		return read_config(t, rec);
	default:
		return read_fact(t, rec);
	}
}

/* One pass, over the first @limit records at the top. */
static int read_pass(struct reader *t, uint32_t limit, const struct dfd_desc **out)
{
	struct dfd_records walk = { .buf = t->buf,
				    .pos = DFD_TABLE_HEADER_SIZE,
				    .end = t->header.size,
				    .place = DFD_IN_TABLE };
	struct dfd_rec rec;
	int ret = 0;

	t->b = dfd_desc_builder_new(t->header.bus);
	dfd_desc_add_flags(t->b, t->header.flags & DFD_DEVICE_RESET);
	while (t->records < limit && (ret = dfd_records_next(&walk, &rec, t->err)) > 0) {
		t->records++;
		t->last = rec.offset;
		ret = read_top(t, &rec);
		if (ret)
			break;
	}
	if (ret) {
		dfd_desc_builder_free(t->b);
		return ret;
	}
	return dfd_desc_build(t->b, out, t->err);
}

static int try(struct reader *t, uint32_t limit)
{
	const struct dfd_desc *desc;
	int ret;

	*t = (struct reader){ .buf = t->buf, .header = t->header, .err = t->err };
	ret = read_pass(t, limit, &desc);
	if (!ret)
		dfd_desc_unref(desc);
	return ret;
}

/* The description of all @n records was refused: say with which record that began, and why. */
static int blame(const uint8_t *buf, const struct dfd_header *header, uint32_t n,
		 struct dfd_error *err)
{
	struct dfd_error why = { 0 };
	struct reader t = { .buf = buf, .header = *header, .err = &why };
	uint32_t good = 0, bad = n;

	while (bad - good > 1) {
		uint32_t mid = good + (bad - good) / 2;

		*(try(&t, mid) ? &bad : &good) = mid;
	}
	if (try(&t, bad) != -EINVAL)
		return dfd_error_set(err, -ENOMEM, "out of memory while reading a table");
	return dfd_corrupt(err, t.last, "%s", why.text);
}

int dfd_table_parse(const void *buf, size_t len, const struct dfd_desc **out,
		    struct dfd_table_extra *extra, struct dfd_error *err)
{
	struct reader t = { .buf = buf, .err = err };
	int ret = dfd_header_read(buf, len, &t.header, err);

	if (!ret)
		ret = read_pass(&t, UINT32_MAX, out);
	if (ret == -EINVAL)
		ret = blame(buf, &t.header, t.records, err);
	if (!ret && extra)
		*extra = t.extra;
	return ret;
}
