/* SPDX-License-Identifier: MIT */
/*
 * The devices of a machine for scripts: a line each, of fields in quotes, as lspci -mm.
 *
 * Theory of operation: fields are never left out and never change their places; a new one comes
 * last. Quotes and backslashes in a field have a backslash in front.
 */
#include <inttypes.h>

#include <devfd/print.h>

#include "print/found.h"
#include "print/machine.h"
#include "print/origin.h"
#include "print/plain.h"

/** struct list - @count: lines until now */
struct list {
	FILE *out;
	struct dfd_names *names;
	int count;
};

static void put_escaped(FILE *out, const char *text)
{
	char plain[DFD_PLAIN_SIZE];

	for (const char *c = dfd_plain(plain, sizeof(plain), text); *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', out);
		fputc(*c, out);
	}
}

static void field(const struct list *l, const char *text)
{
	fputs(" \"", l->out);
	if (text)
		put_escaped(l->out, text);
	fputc('"', l->out);
}

static void number(const struct list *l, int64_t value)
{
	if (value < 0)
		field(l, NULL);
	else
		fprintf(l->out, " \"%" PRId64 "\"", value);
}

static void sizes(const struct list *l, const uint64_t bars[6])
{
	for (int i = 0; i < 6; i++)
		fprintf(l->out, "%s%" PRIu64, i ? " " : " \"", bars[i]);
	fputc('"', l->out);
}

static int line(void *ctx, const struct dfd_found *found)
{
	struct list *l = ctx;
	bool asked = found->state != DFD_STATE_NONE;
	char ids[FOUND_IDS_SIZE], name[FOUND_NAME_SIZE];

	put_escaped(l->out, found->name);
	field(l, found_ids(found, ids));
	field(l, found->driver);
	number(l, found->iommu_group);
	number(l, found->iommu_group < 0 ? -1 : (int64_t)found->group_size);
	number(l, found->numa_node);
	field(l, asked ? dfd_state_name(found->state) : NULL);
	field(l, found->why);
	sizes(l, found->bars);
	number(l, found->msix_vectors);
	field(l, found->reset);
	field(l, found->power);
	field(l, found_name(l->names, found, DFD_NAMES_CLASS, name));
	field(l, found_name(l->names, found, DFD_NAMES_VENDOR, name));
	field(l, found_name(l->names, found, DFD_NAMES_DEVICE, name));
	field(l, found->compatible);
	field(l, found->path);
	field(l, found->address);
	fputc('\n', l->out);
	l->count++;
	return 0;
}

int machine_print_lines(FILE *out, const struct dfd_origin *origin, struct dfd_names *names)
{
	struct list l = { .out = out, .names = names };
	int ret = origin_enumerate(origin, line, &l);

	return ret < 0 ? ret : l.count;
}
