/* SPDX-License-Identifier: MIT */
/* What sysfs says of one PCI function. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <devfd/print.h>

#include "kernel/function.h"
#include "print/host.h"
#include "print/origin.h"
#include "print/plain.h"

/** struct place - @name: the function that is looked for */
struct place {
	FILE *out;
	char name[FUNCTION_NAME_SIZE];
};

static void string_line(FILE *out, const char *label, const char *text)
{
	char plain[DFD_PLAIN_SIZE];

	if (text)
		fprintf(out, "  %-12s%s\n", label, dfd_plain(plain, sizeof(plain), text));
}

static void group_line(FILE *out, const struct dfd_found *found)
{
	char words[STATE_SIZE];

	fprintf(out, "  %-12s%s", "VFIO",
		dfd_state_words(words, sizeof(words), found->state, found->why));
	if (found->iommu_group >= 0)
		fprintf(out, "; IOMMU group %" PRId32, found->iommu_group);
	if (found->group_size > 1)
		fprintf(out, " with %" PRIu32 " more", found->group_size - 1);
	fputc('\n', out);
}

static void virtual_line(FILE *out, const struct dfd_found *found)
{
	char plain[DFD_PLAIN_SIZE];

	if (found->physical)
		fprintf(out, "  %-12sof %s, whose VF token it needs where VFIO has that one\n",
			"virtual", dfd_plain(plain, sizeof(plain), found->physical));
	if (found->max_virtuals > 0)
		fprintf(out, "  %-12s%" PRId32 " of %" PRId32 " virtual functions\n", "physical",
			found->virtuals < 0 ? 0 : found->virtuals, found->max_virtuals);
}

static int visit(void *ctx, const struct dfd_found *found)
{
	const struct place *p = ctx;

	if (found->bus != DFD_BUS_PCI || strcmp(found->name, p->name) != 0)
		return 0;
	string_line(p->out, "driver", found->driver ? found->driver : "none");
	group_line(p->out, found);
	string_line(p->out, "power", found->power);
	string_line(p->out, "reset", found->reset ? found->reset : "none");
	virtual_line(p->out, found);
	string_line(p->out, "problem", found->problem);
	return 1;
}

int dfd_print_place(FILE *out, const struct dfd_origin *origin, const char *bdf)
{
	struct place p = { .out = out };
	int ret = 0;

	if (function_parse(bdf, p.name, sizeof(p.name)))
		ret = origin_enumerate(origin, visit, &p);
	return ret < 0 ? ret : ferror(out) ? -EIO : 0;
}
