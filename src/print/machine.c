/* SPDX-License-Identifier: MIT */
/* The devices of a machine, one line each. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <devfd/enumerate.h>
#include <devfd/print.h>

#include "print/columns.h"
#include "print/host.h"
#include "print/names.h"
#include "print/plain.h"
#include "print/put.h"
#include "print/roles.h"

#define NAME_SIZE 256

struct machine {
	const char *root;
	struct dfd_names *names;
	int count; /* devices, or a negative errno */
	struct dfd_columns c;
	struct dfd_put put;
	json_object *array;
};

static void cell_or_dash(struct machine *m, const char *text)
{
	char plain[DFD_PLAIN_SIZE];

	dfd_cell(&m->c, "%s", text ? dfd_plain(plain, sizeof(plain), text) : "-");
}

static void number_cell(struct machine *m, int32_t number)
{
	if (number < 0)
		dfd_cell_right(&m->c, "-");
	else
		dfd_cell_right(&m->c, "%" PRId32, number);
}

static const char *pci_name(const struct machine *m, const struct dfd_found *found,
			    enum dfd_names_kind kind, char *name)
{
	uint32_t id[2] = { (uint32_t)found->vendor, (uint32_t)found->device };

	if (kind == DFD_NAMES_CLASS)
		id[0] = (uint32_t)found->class_code >> 8;
	if (kind == DFD_NAMES_CLASS ? found->class_code < 0 : found->vendor < 0)
		return NULL;
	if (kind == DFD_NAMES_DEVICE && found->device < 0)
		return NULL;
	return dfd_names_find(m->names, name, NAME_SIZE, kind, id);
}

/* "CLASS: VENDOR DEVICE" as far as they are known. */
static void pci_words(struct machine *m, const struct dfd_found *found)
{
	char class[NAME_SIZE], vendor[NAME_SIZE], device[NAME_SIZE];
	const char *c = pci_name(m, found, DFD_NAMES_CLASS, class);
	const char *v = pci_name(m, found, DFD_NAMES_VENDOR, vendor);
	const char *d = pci_name(m, found, DFD_NAMES_DEVICE, device);

	dfd_rest(&m->c, "%s%s%s%s%s", c ? c : "", c && v ? ": " : "", v ? v : "", v && d ? " " : "",
		 d ? d : "");
}

/* Such addresses are long: here they stand behind. */
static void dt_words(struct machine *m, const struct dfd_found *found)
{
	const char *where = found->address ? found->address : found->dt_path;
	char plain[DFD_PLAIN_SIZE];

	if (found->compatible)
		dfd_rest(&m->c, "%s  ", dfd_plain(plain, sizeof(plain), found->compatible));
	if (where)
		dfd_rest(&m->c, "%s", dfd_plain(plain, sizeof(plain), where));
}

/* ---- the list ---- */

/* "128K+64" */
static void bars_cell(struct machine *m, const struct dfd_found *found)
{
	char text[128] = "-", size[16], *unit;
	size_t len = 0;

	for (int i = 0; i < 6 && len < sizeof(text); i++) {
		if (!found->bars[i])
			continue;
		dfd_print_size(size, sizeof(size), found->bars[i]);
		unit = strchr(size, ' ');
		/* "128 KiB" becomes "128K". */
		snprintf(unit, 2, "%s", unit[1] == 'B' ? "" : unit + 1);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? "+" : "",
					size);
	}
	dfd_cell(&m->c, "%s", text);
}

static void group_cell(struct machine *m, const struct dfd_found *found)
{
	if (found->iommu_group < 0)
		dfd_cell_right(&m->c, "-");
	else
		dfd_cell_right(&m->c, "%" PRId32 " (%" PRIu32 ")", found->iommu_group,
			       found->group_size);
}

static int line(void *ctx, const struct dfd_found *found)
{
	struct machine *m = ctx;
	char ids[32] = "-", plain[DFD_PLAIN_SIZE], words[STATE_SIZE];

	if (found->vendor >= 0 && found->device >= 0)
		snprintf(ids, sizeof(ids), "%04" PRIx32 ":%04" PRIx32, (uint32_t)found->vendor,
			 (uint32_t)found->device);
	cell_or_dash(m, found->bus == DFD_BUS_PCI ? found->address : found->name);
	dfd_cell(&m->c, "%s", ids);
	cell_or_dash(m, found->driver);
	group_cell(m, found);
	number_cell(m, found->numa_node);
	dfd_cell(&m->c, "%s", dfd_state_words(words, sizeof(words), found->state, found->why));
	bars_cell(m, found);
	number_cell(m, found->msix_vectors);
	cell_or_dash(m, found->reset);
	if (found->bus == DFD_BUS_PCI)
		pci_words(m, found);
	else
		dt_words(m, found);
	if (found->problem)
		dfd_rest(&m->c, "  <%s>", dfd_plain(plain, sizeof(plain), found->problem));
	dfd_line_end(&m->c);
	m->count++;
	return 0;
}

static void lines(void *ctx)
{
	struct machine *m = ctx;
	int ret;

	dfd_cell(&m->c, "DEVICE");
	dfd_cell(&m->c, "ID");
	dfd_cell(&m->c, "DRIVER");
	dfd_cell_right(&m->c, "GROUP");
	dfd_cell_right(&m->c, "NUMA");
	dfd_cell(&m->c, "STATE");
	dfd_cell(&m->c, "BARS");
	dfd_cell_right(&m->c, "MSI-X");
	dfd_cell(&m->c, "RESET");
	dfd_rest(&m->c, "NAME");
	dfd_line_end(&m->c);
	m->count = 0;
	ret = dfd_enumerate(m->root, line, m);
	if (ret < 0)
		m->count = ret;
}

/* ---- JSON ---- */

static void put_known(struct machine *m, json_object *object, const char *key, int32_t number)
{
	if (number >= 0)
		dfd_put_num(&m->put, object, key, (uint32_t)number);
}

static void put_string(struct machine *m, json_object *object, const char *key, const char *string)
{
	if (string)
		dfd_put_str(&m->put, object, key, string);
}

static json_object *names(struct machine *m, const struct dfd_found *found)
{
	json_object *object = json_object_new_object();
	char name[NAME_SIZE];

	put_string(m, object, "vendor", pci_name(m, found, DFD_NAMES_VENDOR, name));
	put_string(m, object, "device", pci_name(m, found, DFD_NAMES_DEVICE, name));
	put_string(m, object, "class", pci_name(m, found, DFD_NAMES_CLASS, name));
	return object;
}

static int item(void *ctx, const struct dfd_found *found)
{
	struct machine *m = ctx;
	json_object *object = json_object_new_object();

	put_string(m, object, "bus", dfd_bus_key(found->bus));
	put_string(m, object, "name", found->name);
	put_string(m, object, "address", found->address);
	put_string(m, object, "driver", found->driver);
	put_known(m, object, "iommu_group", found->iommu_group);
	put_known(m, object, "numa_node", found->numa_node);
	if (found->state != DFD_STATE_NONE)
		put_string(m, object, "state", dfd_state_name(found->state));
	put_string(m, object, "why", found->why);
	put_known(m, object, "msix_vectors", found->msix_vectors);
	put_string(m, object, "reset", found->reset);
	put_known(m, object, "vendor", found->vendor);
	put_known(m, object, "device", found->device);
	put_known(m, object, "class", found->class_code);
	if (found->bus == DFD_BUS_PCI)
		dfd_put(&m->put, object, "names", names(m, found));
	put_string(m, object, "device_tree_path", found->dt_path);
	put_string(m, object, "compatible", found->compatible);
	put_string(m, object, "power", found->power);
	put_string(m, object, "physical_function", found->physical);
	put_known(m, object, "virtual_functions", found->virtuals);
	put_known(m, object, "max_virtual_functions", found->max_virtuals);
	put_string(m, object, "problem", found->problem);
	dfd_put_item(&m->put, m->array, object);
	m->count++;
	return m->put.failed ? -ENOMEM : 0;
}

static int print_json(struct machine *m, FILE *out)
{
	int ret;

	m->array = json_object_new_array();
	ret = dfd_enumerate(m->root, item, m);
	if (!ret && m->count)
		return dfd_put_print(&m->put, m->array, out);
	json_object_put(m->array);
	return ret;
}

/* A machine without devices prints nothing, so look before the heading. */
static int see(void *ctx, const struct dfd_found *found)
{
	(void)ctx;
	(void)found;
	return 1;
}

static int print_text(struct machine *m)
{
	int ret = dfd_enumerate(m->root, see, NULL);

	if (ret <= 0)
		return ret;
	dfd_print_host(m->c.out, m->root);
	dfd_columns_run(&m->c, lines, m);
	return ferror(m->c.out) ? -EIO : 0;
}

int dfd_print_machine(FILE *out, const char *root, bool json)
{
	struct machine m = { .root = root, .names = dfd_names_new(), .c.out = out };
	int ret = json ? print_json(&m, out) : print_text(&m);

	dfd_names_free(m.names);
	return ret < 0 ? ret : m.count;
}
