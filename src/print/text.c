/* SPDX-License-Identifier: MIT */
/*
 * One screen about a device.
 *
 * Theory of operation: what a bus knows well (identity, regions, interrupts) has lines of its own
 * that mark the facts they have shown; all facts that nobody has shown follow, one line each. So a
 * new fact of <devfd/facts.h> appears without a change here.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <devfd/print.h>

#include "desc/fact.h"
#include "print/caps.h"
#include "print/columns.h"
#include "print/names.h"
#include "print/plain.h"
#include "print/roles.h"

#define NAME_SIZE 256

/* How much is printed where it may be much and nobody asked for all. */
#define FEW_AREAS 3u
#define FEW_BYTES 16u

struct text {
	struct dfd_columns c;
	const struct dfd_desc *desc;
	uint32_t topics; /* bit t: what it says about enum dfd_topic t was told */
	struct dfd_names *names;
	bool verbose;
	uint32_t titled; /* bit f: fact f stands in the title */
	uint32_t shown;	 /* bit f: in the title or on a line above */
	bool has_id;
	uint32_t id[4];	  /* vendor, device, and the same of the subsystem */
	const char *node; /* device-tree node of the device */
};

char *dfd_print_size(char *buf, size_t len, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t exact = bytes, rounded = bytes;
	size_t unit = 0;

	while (exact && !(exact & 1023)) {
		exact >>= 10;
		unit++;
	}
	if (exact < 100000) {
		snprintf(buf, len, "%" PRIu64 " %s", exact, units[unit]);
		return buf;
	}
	for (unit = 0; rounded >> 10 >= 1024; unit++)
		rounded >>= 10;
	snprintf(buf, len, "%.1f %s", (double)rounded / 1024, units[unit + 1]);
	return buf;
}

static bool knows(const struct text *t, enum dfd_fact a, enum dfd_fact b)
{
	return dfd_desc_num(t->desc, a, NULL) && dfd_desc_num(t->desc, b, NULL);
}

static bool told(const struct text *t, enum dfd_topic topic)
{
	return t->topics >> topic & 1;
}

static bool take_num(struct text *t, enum dfd_fact fact, uint32_t *value)
{
	uint64_t num;

	if (!dfd_desc_num(t->desc, fact, &num))
		return false;
	*value = (uint32_t)num;
	t->shown |= UINT32_C(1) << fact;
	return true;
}

static const char *take_str(struct text *t, enum dfd_fact fact, char *buf)
{
	const char *str = dfd_desc_str(t->desc, fact);

	if (!str)
		return NULL;
	t->shown |= UINT32_C(1) << fact;
	return dfd_plain(buf, DFD_PLAIN_SIZE, str);
}

/* ---- the device ---- */

/* Its own name where the address does not say it, or that in pci.ids, or what it is like. */
static void title_name(struct text *t, const char *address)
{
	char name[NAME_SIZE], plain[DFD_PLAIN_SIZE];
	const char *found = take_str(t, DFD_FACT_NAME, plain);

	if (found && strstr(address, found))
		found = NULL;
	if (!found && t->has_id)
		found = dfd_names_find(t->names, name, sizeof(name), DFD_NAMES_DEVICE, t->id);
	if (!found && t->has_id)
		found = dfd_names_find(t->names, name, sizeof(name), DFD_NAMES_VENDOR, t->id);
	if (!found)
		found = take_str(t, DFD_FACT_COMPATIBLE, plain);
	if (found)
		fprintf(t->c.out, "  %s", found);
}

static void print_title(struct text *t, const char *address)
{
	char plain[DFD_PLAIN_SIZE];
	uint32_t revision;

	fputs(dfd_plain(plain, sizeof(plain), address), t->c.out);
	t->has_id = knows(t, DFD_FACT_VENDOR_ID, DFD_FACT_DEVICE_ID);
	if (t->has_id) {
		take_num(t, DFD_FACT_VENDOR_ID, &t->id[0]);
		take_num(t, DFD_FACT_DEVICE_ID, &t->id[1]);
		fprintf(t->c.out, "  %04" PRIx32 ":%04" PRIx32, t->id[0], t->id[1]);
		if (take_num(t, DFD_FACT_REVISION_ID, &revision))
			fprintf(t->c.out, " (rev %02" PRIx32 ")", revision);
	}
	title_name(t, address);
	fputc('\n', t->c.out);
	t->titled = t->shown;
}

/* "LABEL  NUMBERS  NAME", with a name only where pci.ids knows one. */
static void named_line(struct text *t, const char *label, const char *numbers,
		       enum dfd_names_kind kind)
{
	char name[NAME_SIZE];
	const char *found = dfd_names_find(t->names, name, sizeof(name), kind, t->id);

	dfd_cell(&t->c, "%s", label);
	dfd_rest(&t->c, "%s%s%s", numbers, found ? "  " : "", found ? found : "");
	dfd_line_end(&t->c);
}

static void class_line(struct text *t)
{
	char number[16], name[NAME_SIZE];
	uint32_t class, id[2];

	if (!take_num(t, DFD_FACT_CLASS_CODE, &class))
		return;
	id[0] = class >> 8;
	id[1] = class & 0xff;
	dfd_cell(&t->c, "class");
	snprintf(number, sizeof(number), "%06" PRIx32, class);
	dfd_rest(&t->c, "%s", number);
	if (dfd_names_find(t->names, name, sizeof(name), DFD_NAMES_CLASS, id))
		dfd_rest(&t->c, "  %s", name);
	if (dfd_names_find(t->names, name, sizeof(name), DFD_NAMES_INTERFACE, id))
		dfd_rest(&t->c, ", %s", name);
	dfd_line_end(&t->c);
}

static void id_lines(struct text *t)
{
	char numbers[16];

	if (t->has_id && t->verbose) {
		snprintf(numbers, sizeof(numbers), "%04" PRIx32, t->id[0]);
		named_line(t, "vendor", numbers, DFD_NAMES_VENDOR);
		snprintf(numbers, sizeof(numbers), "%04" PRIx32, t->id[1]);
		named_line(t, "device", numbers, DFD_NAMES_DEVICE);
	}
	if (!t->has_id || !knows(t, DFD_FACT_SUBSYSTEM_VENDOR_ID, DFD_FACT_SUBSYSTEM_ID))
		return;
	take_num(t, DFD_FACT_SUBSYSTEM_VENDOR_ID, &t->id[2]);
	take_num(t, DFD_FACT_SUBSYSTEM_ID, &t->id[3]);
	snprintf(numbers, sizeof(numbers), "%04" PRIx32 ":%04" PRIx32, t->id[2], t->id[3]);
	named_line(t, "subsystem", numbers, DFD_NAMES_SUBSYSTEM);
}

static void bus_line(struct text *t)
{
	static const char *const buses[] = { "other", "PCI", "device tree" };

	dfd_cell(&t->c, "bus");
	dfd_rest(&t->c, "%s, %s", buses[dfd_desc_bus(t->desc)],
		 dfd_desc_flags(t->desc) & DFD_DEVICE_RESET ? "can be reset" : "cannot be reset");
	dfd_line_end(&t->c);
}

static void node_line(struct text *t)
{
	char plain[DFD_PLAIN_SIZE];

	if (!t->node)
		return;
	dfd_cell(&t->c, "node");
	dfd_rest(&t->c, "%s", dfd_plain(plain, sizeof(plain), t->node));
	dfd_line_end(&t->c);
}

static void compatible_line(struct text *t)
{
	char plain[DFD_PLAIN_SIZE];

	if (t->shown >> DFD_FACT_COMPATIBLE & 1 || !take_str(t, DFD_FACT_COMPATIBLE, plain))
		return;
	dfd_cell(&t->c, "compatible");
	dfd_rest(&t->c, "%s", plain);
	dfd_line_end(&t->c);
}

/* Interrupt lines show these by their index. */
static void take_vectors(struct text *t)
{
	uint32_t count;

	take_num(t, DFD_FACT_MSI_VECTORS, &count);
	take_num(t, DFD_FACT_MSIX_VECTORS, &count);
	take_num(t, DFD_FACT_ERR_VECTORS, &count);
	take_num(t, DFD_FACT_REQ_VECTORS, &count);
}

static void fact_lines(struct text *t)
{
	for (int i = 0; i < DFD_NUM_FACTS; i++) {
		const struct dfd_fact_info *info = &dfd_fact_infos[i];
		const char *str = dfd_desc_str(t->desc, (enum dfd_fact)i);
		char plain[DFD_PLAIN_SIZE];
		uint64_t num = 0;

		if (t->shown >> i & 1 || (!str && !dfd_desc_num(t->desc, (enum dfd_fact)i, &num)))
			continue;
		dfd_cell(&t->c, "%s", info->meaning);
		if (str)
			dfd_rest(&t->c, "%s", dfd_plain(plain, sizeof(plain), str));
		else if (info->kind == DFD_FACT_HEX)
			dfd_rest(&t->c, "0x%0*" PRIx64, 2 * info->config_width, num);
		else
			dfd_rest(&t->c, "%" PRIu64, num);
		dfd_line_end(&t->c);
	}
}

/* ---- regions and interrupts ---- */

static void dt_line(struct text *t, const struct dfd_dt_ref *dt)
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

static void area_line(struct text *t, const struct dfd_region *r)
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

static void cap_bytes(struct text *t, const struct dfd_cap *cap)
{
	uint32_t few = t->verbose || cap->size <= FEW_BYTES ? cap->size : FEW_BYTES;
	const unsigned char *data = cap->data;

	dfd_rest(&t->c, ":");
	for (uint32_t i = 0; i < few; i++)
		dfd_rest(&t->c, "%s%02x", i % 4 ? "" : " ", data[i]);
	if (few < cap->size)
		dfd_rest(&t->c, " and %" PRIu32 " bytes more", cap->size - few);
}

static void cap_lines(struct text *t, enum dfd_cap_of of, const struct dfd_cap *caps,
		      uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const char *name = dfd_cap_name(of, caps[i].id);
		char meaning[64];

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

static const char *space(const struct text *t, const struct dfd_region *r)
{
	if (!told(t, DFD_TOPIC_IOPORT))
		return "";
	if (dfd_desc_bus(t->desc) == DFD_BUS_PCI && r->index == DFD_PCI_CONFIG)
		return "";
	return r->flags & DFD_REGION_IOPORT ? "I/O ports" : "memory";
}

static void region_lines(struct text *t, const struct dfd_region *r)
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

static void irq_line(struct text *t, uint32_t index, const struct dfd_irq *wired)
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

static void lines(void *ctx)
{
	struct text *t = ctx;
	const struct dfd_region *regions;
	const struct dfd_cap *caps;
	uint32_t count;

	t->shown = t->titled;
	bus_line(t);
	node_line(t);
	compatible_line(t);
	class_line(t);
	id_lines(t);
	take_vectors(t);
	fact_lines(t);
	caps = dfd_desc_caps(t->desc, &count);
	cap_lines(t, DFD_CAP_OF_DEVICE, caps, count);
	regions = dfd_desc_regions(t->desc, &count);
	for (uint32_t i = 0; i < count; i++)
		region_lines(t, &regions[i]);
	for (uint32_t i = 0; i < dfd_desc_irq_limit(t->desc); i++)
		irq_line(t, i, dfd_desc_irq(t->desc, i));
}

/* The node of the first part that has one. */
static const char *find_node(const struct dfd_desc *desc)
{
	const struct dfd_region *regions;
	const struct dfd_irq *irqs;
	uint32_t count;

	regions = dfd_desc_regions(desc, &count);
	for (uint32_t i = 0; i < count; i++) {
		if (regions[i].dt.path)
			return regions[i].dt.path;
	}
	irqs = dfd_desc_irqs(desc, &count);
	for (uint32_t i = 0; i < count; i++) {
		if (irqs[i].dt.path)
			return irqs[i].dt.path;
	}
	return NULL;
}

int dfd_print_view_text(FILE *out, const char *address, const struct dfd_view *view, bool verbose)
{
	bool pci = dfd_desc_bus(view->desc) == DFD_BUS_PCI;
	struct text t = {
		.c = { .out = out, .indent = 2 },
		.desc = view->desc,
		.topics = view->topics,
		.names = pci ? dfd_names_new() : NULL,
		.verbose = verbose,
		.node = find_node(view->desc),
	};

	print_title(&t, address);
	dfd_columns_run(&t.c, lines, &t);
	dfd_names_free(t.names);
	return ferror(out) ? -EIO : 0;
}

int dfd_print_text(FILE *out, const char *address, const struct dfd_desc *desc, bool verbose)
{
	const struct dfd_view all = { .desc = desc, .topics = ~UINT32_C(0) };

	return dfd_print_view_text(out, address, &all, verbose);
}
