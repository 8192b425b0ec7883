/* SPDX-License-Identifier: MIT */
/* The parts of a device in words: capabilities, regions, interrupts. */
#include <inttypes.h>
#include <string.h>

#include <devfd/print.h>

#include "print/caps.h"
#include "print/plain.h"
#include "print/roles.h"
#include "print/text.h"

/* How much is printed where it may be much and nobody asked for all. */
#define FEW_AREAS 3u
#define FEW_BYTES 16u

static bool told(const struct dfd_text *t, enum dfd_topic topic)
{
	return t->topics >> topic & 1;
}

static void dt_line(struct dfd_text *t, const struct dfd_dt_ref *dt)
{
	char plain[DFD_PLAIN_SIZE];

	/* Mostly all parts come from the node of the device, which has its line above. */
	if (!dt->path || (!t->verbose && t->node && !strcmp(dt->path, t->node)))
		return;
	dfd_cell(&t->c, "%s", "");
	dfd_rest(&t->c, "from %s %s %" PRIu32, dfd_plain(plain, sizeof(plain), dt->path),
		 dfd_dt_prop_name(dt->prop_type), dt->prop_index);
	dfd_line_end(&t->c);
}

static void area_line(struct dfd_text *t, const struct dfd_region *r)
{
	uint32_t few = t->verbose || r->num_areas <= FEW_AREAS ? r->num_areas : FEW_AREAS;

	if (!r->num_areas)
		return;
	dfd_cell(&t->c, "%s", "");
	dfd_rest(&t->c, "mappable");
	for (uint32_t i = 0; i < few; i++)
		dfd_rest(&t->c, "%s 0x%" PRIx64 "-0x%" PRIx64, i ? "," : "", r->areas[i].offset,
			 r->areas[i].offset + r->areas[i].size - 1);
	if (few < r->num_areas)
		dfd_rest(&t->c, " and %" PRIu32 " more", r->num_areas - few);
	dfd_line_end(&t->c);
}

static void cap_bytes(struct dfd_text *t, const struct dfd_cap *cap)
{
	uint32_t few = t->verbose || cap->size <= FEW_BYTES ? cap->size : FEW_BYTES;
	const unsigned char *data = cap->data;

	dfd_rest(&t->c, ":");
	for (uint32_t i = 0; i < few; i++)
		dfd_rest(&t->c, "%s%02x", i % 4 ? "" : " ", data[i]);
	if (few < cap->size)
		dfd_rest(&t->c, " and %" PRIu32 " bytes more", cap->size - few);
}

static void cap_lines(struct dfd_text *t, enum dfd_cap_of of, const struct dfd_cap *caps,
		      uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const char *name = dfd_cap_name(of, caps[i].id);
		char meaning[DFD_CAP_MEANING_SIZE];

		dfd_cell(&t->c, "%s", of == DFD_CAP_OF_DEVICE ? "capability" : "");
		dfd_rest(&t->c, "%s", of == DFD_CAP_OF_DEVICE ? "" : "capability ");
		if (name)
			dfd_rest(&t->c, "%s", name);
		else
			dfd_rest(&t->c, "id %u", caps[i].id);
		if (t->verbose || caps[i].version > 1)
			dfd_rest(&t->c, " version %u", caps[i].version);
		if (dfd_cap_meaning(meaning, sizeof(meaning), of, &caps[i]))
			dfd_rest(&t->c, ": %s", meaning);
		else if (caps[i].size)
			cap_bytes(t, &caps[i]);
		dfd_line_end(&t->c);
	}
}

static const char *space(const struct dfd_text *t, const struct dfd_region *r)
{
	if (!told(t, DFD_TOPIC_IOPORT))
		return "";
	if (dfd_desc_bus(t->desc) == DFD_BUS_PCI && r->index == DFD_PCI_CONFIG)
		return "";
	return r->flags & DFD_REGION_IOPORT ? "I/O ports" : "memory";
}

static void region_lines(struct dfd_text *t, const struct dfd_region *r)
{
	char buf[32];
	const char *role = dfd_region_role(buf, sizeof(buf), t->desc, r);
	const char *map = !(r->flags & DFD_REGION_MAPPABLE) ? ""
			  : r->num_areas		    ? "mmap part"
							    : "mmap";

	dfd_cell(&t->c, "region %" PRIu32, r->index);
	dfd_cell(&t->c, "%s", role ? role : "-");
	dfd_cell_right(&t->c, "%s", dfd_print_size(buf, sizeof(buf), r->size));
	snprintf(buf, sizeof(buf), "0x%" PRIx64, r->size);
	dfd_cell_right(&t->c, "%s", t->verbose ? buf : "");
	dfd_cell(&t->c, "%s", r->flags & DFD_REGION_READ_ONLY ? "r-" : "rw");
	dfd_cell(&t->c, "%s", space(t, r));
	dfd_cell(&t->c, "%s", map);
	snprintf(buf, sizeof(buf), "phys 0x%" PRIx64, r->phys_addr);
	dfd_cell(&t->c, "%s", r->has_phys ? buf : "");
	dfd_rest(&t->c, "file 0x%" PRIx64, r->offset);
	dfd_line_end(&t->c);
	area_line(t, r);
	dt_line(t, &r->dt);
	cap_lines(t, DFD_CAP_OF_REGION, r->caps, r->num_caps);
}

static void irq_line(struct dfd_text *t, uint32_t index, const struct dfd_irq *wired)
{
	uint32_t count = dfd_desc_vectors(t->desc, index);
	const char *role;
	char buf[32];

	if (!count)
		return;
	role = dfd_irq_role(buf, sizeof(buf), t->desc, index);
	dfd_cell(&t->c, "irq %" PRIu32, index);
	dfd_cell(&t->c, "%s", role ? role : "-");
	if (!wired)
		dfd_rest(&t->c, "%" PRIu32 " %s", count, count == 1 ? "vector" : "vectors");
	else if (told(t, DFD_TOPIC_IRQ_TRIGGER))
		dfd_rest(&t->c, "%" PRIu32 " x %s%s", count,
			 wired->flags & DFD_IRQ_LEVEL ? "level" : "edge",
			 wired->flags & DFD_IRQ_MASKABLE ? ", maskable" : "");
	dfd_line_end(&t->c);
	if (wired)
		dt_line(t, &wired->dt);
}

void dfd_text_caps(struct dfd_text *t)
{
	uint32_t count;
	const struct dfd_cap *caps = dfd_desc_caps(t->desc, &count);

	cap_lines(t, DFD_CAP_OF_DEVICE, caps, count);
}

void dfd_text_regions(struct dfd_text *t)
{
	uint32_t count;
	const struct dfd_region *regions = dfd_desc_regions(t->desc, &count);

	for (uint32_t i = 0; i < count; i++)
		region_lines(t, &regions[i]);
}

void dfd_text_irqs(struct dfd_text *t)
{
	for (uint32_t i = 0; i < dfd_desc_irq_limit(t->desc); i++)
		irq_line(t, i, dfd_desc_irq(t->desc, i));
}
