/* SPDX-License-Identifier: MIT */
/* The devices of a machine, one line each. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <devfd/print.h>

#include "print/columns.h"
#include "print/found.h"
#include "print/host.h"
#include "print/machine.h"
#include "print/origin.h"
#include "print/plain.h"

/** struct machine - @count: devices, or a negative errno */
struct machine {
	const struct dfd_origin *origin;
	struct dfd_names *names;
	int count;
	struct dfd_columns c;
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

static int line(void *ctx, const struct dfd_found *found)
{
	struct machine *m = ctx;
	char ids[FOUND_IDS_SIZE], group[FOUND_IDS_SIZE], state[STATE_SIZE];
	char words[FOUND_WORDS_SIZE], plain[DFD_PLAIN_SIZE];

	cell_or_dash(m, found->name);
	cell_or_dash(m, found_ids(found, ids));
	cell_or_dash(m, found->driver);
	dfd_cell_right(&m->c, "%s", found_group(found, group) ? group : "-");
	number_cell(m, found->numa_node);
	dfd_cell(&m->c, "%s", dfd_state_words(state, sizeof(state), found->state, found->why));
	bars_cell(m, found);
	number_cell(m, found->msix_vectors);
	cell_or_dash(m, found->reset);
	dfd_rest(&m->c, "%s", found_words(m->names, found, words));
	/* What lsvfio takes to describe it is not its name. */
	if (found->bus != DFD_BUS_PCI && found->address)
		dfd_rest(&m->c, "  %s", dfd_plain(plain, sizeof(plain), found->address));
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
	ret = origin_enumerate(m->origin, line, m);
	if (ret < 0)
		m->count = ret;
}

int machine_print_list(FILE *out, const struct dfd_origin *origin, struct dfd_names *names)
{
	struct machine m = { .origin = origin, .names = names, .c.out = out };

	dfd_print_host(out, origin);
	dfd_columns_run(&m.c, lines, &m);
	return m.count;
}

/* A machine without devices prints nothing, so look before the heading. */
static int see(void *ctx, const struct dfd_found *found)
{
	(void)ctx;
	(void)found;
	return 1;
}

int dfd_print_machine(FILE *out, const struct dfd_origin *origin, enum dfd_machine_form form)
{
	static int (*const print[])(FILE * out, const struct dfd_origin *origin,
				    struct dfd_names *names) = {
		[DFD_MACHINE_LIST] = machine_print_list,
		[DFD_MACHINE_TREE] = machine_print_tree,
		[DFD_MACHINE_LINES] = machine_print_lines,
		[DFD_MACHINE_JSON] = machine_print_json,
	};
	struct dfd_names *names;
	int ret = origin_enumerate(origin, see, NULL);

	if (ret <= 0)
		return ret;
	names = dfd_names_new();
	ret = print[form](out, origin, names);
	dfd_names_free(names);
	return ret >= 0 && ferror(out) ? -EIO : ret;
}
