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
#include "print/plain.h"
#include "print/text.h"

#define NAME_SIZE 256

static bool knows(const struct dfd_text *t, enum dfd_fact a, enum dfd_fact b)
{
	return dfd_desc_num(t->desc, a, NULL) && dfd_desc_num(t->desc, b, NULL);
}

static bool take_num(struct dfd_text *t, enum dfd_fact fact, uint32_t *value)
{
	uint64_t num;

	if (!dfd_desc_num(t->desc, fact, &num))
		return false;
	*value = (uint32_t)num;
	t->shown |= UINT32_C(1) << fact;
	return true;
}

static const char *take_str(struct dfd_text *t, enum dfd_fact fact, char *buf)
{
	const char *str = dfd_desc_str(t->desc, fact);

	if (!str)
		return NULL;
	t->shown |= UINT32_C(1) << fact;
	return dfd_plain(buf, DFD_PLAIN_SIZE, str);
}

/* ---- the device ---- */

/* Its own name where the address does not say it, or that in pci.ids, or what it is like. */
static void title_name(struct dfd_text *t, const char *address)
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
	if (found && *found)
		fprintf(t->c.out, "  %s", found);
}

static void print_title(struct dfd_text *t, const char *address)
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
static void named_line(struct dfd_text *t, const char *label, const char *numbers,
		       enum dfd_names_kind kind)
{
	char name[NAME_SIZE];
	const char *found = dfd_names_find(t->names, name, sizeof(name), kind, t->id);

	dfd_cell(&t->c, "%s", label);
	dfd_rest(&t->c, "%s%s%s", numbers, found ? "  " : "", found ? found : "");
	dfd_line_end(&t->c);
}

static void class_line(struct dfd_text *t)
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

static void id_lines(struct dfd_text *t)
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

static void bus_line(struct dfd_text *t)
{
	static const char *const buses[] = { "other", "PCI", "device tree" };

	dfd_cell(&t->c, "bus");
	dfd_rest(&t->c, "%s, %s", buses[dfd_desc_bus(t->desc)],
		 dfd_desc_flags(t->desc) & DFD_DEVICE_RESET ? "can be reset" : "cannot be reset");
	dfd_line_end(&t->c);
}

static void node_line(struct dfd_text *t)
{
	char plain[DFD_PLAIN_SIZE];

	if (!t->node)
		return;
	dfd_cell(&t->c, "node");
	dfd_rest(&t->c, "%s", dfd_plain(plain, sizeof(plain), t->node));
	dfd_line_end(&t->c);
}

static void compatible_line(struct dfd_text *t)
{
	char plain[DFD_PLAIN_SIZE];

	if (t->shown >> DFD_FACT_COMPATIBLE & 1 || !take_str(t, DFD_FACT_COMPATIBLE, plain))
		return;
	dfd_cell(&t->c, "compatible");
	dfd_rest(&t->c, "%s", plain);
	dfd_line_end(&t->c);
}

/* Interrupt lines show these by their index. */
static void take_vectors(struct dfd_text *t)
{
	uint32_t count;

	take_num(t, DFD_FACT_MSI_VECTORS, &count);
	take_num(t, DFD_FACT_MSIX_VECTORS, &count);
	take_num(t, DFD_FACT_ERR_VECTORS, &count);
	take_num(t, DFD_FACT_REQ_VECTORS, &count);
}

static void fact_lines(struct dfd_text *t)
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

static void lines(void *ctx)
{
	struct dfd_text *t = ctx;

	t->shown = t->titled;
	bus_line(t);
	node_line(t);
	compatible_line(t);
	class_line(t);
	id_lines(t);
	take_vectors(t);
	fact_lines(t);
	dfd_text_caps(t);
	dfd_text_regions(t);
	dfd_text_irqs(t);
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
	struct dfd_text t = {
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
