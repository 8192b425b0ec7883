/* SPDX-License-Identifier: MIT */
/* The IOMMU groups of a machine. */
#include <errno.h>
#include <inttypes.h>

#include <devfd/print.h>

#include "print/columns.h"
#include "print/host.h"
#include "print/machine.h"
#include "print/names.h"
#include "print/origin.h"
#include "print/plain.h"

#define NAME_SIZE 256

/** struct listing - @group: the one that is printed now */
struct listing {
	struct dfd_names *names;
	const struct dfd_group *group;
	int count;
	struct dfd_columns c;
};

static const char *member_words(const struct listing *l, const struct dfd_member *member,
				char *name)
{
	const uint32_t id[2] = { (uint32_t)member->vendor, (uint32_t)member->device };
	const uint32_t class = (uint32_t)member->class_code >> 8;
	const char *words = NULL;

	if (member->vendor >= 0 && member->device >= 0)
		words = dfd_names_find(l->names, name, NAME_SIZE, DFD_NAMES_DEVICE, id);
	if (!words && member->class_code >= 0)
		words = dfd_names_find(l->names, name, NAME_SIZE, DFD_NAMES_CLASS, &class);
	return words ? words : "";
}

static void member_role(struct listing *l, const struct dfd_member *member)
{
	char plain[DFD_PLAIN_SIZE];

	if (member->vfio)
		dfd_cell(&l->c, "vfio");
	else if (member->state == DFD_STATE_HOST)
		dfd_cell(&l->c, "host (%s)", dfd_plain(plain, sizeof(plain), member->driver));
	else if (member->state == DFD_STATE_BRIDGE)
		dfd_cell(&l->c, "bridge (ignored)");
	else
		dfd_cell(&l->c, "free");
}

static void group_lines(void *ctx)
{
	struct listing *l = ctx;
	char plain[DFD_PLAIN_SIZE], name[NAME_SIZE];

	for (uint32_t i = 0; i < l->group->count; i++) {
		const struct dfd_member *member = &l->group->members[i];

		dfd_cell(&l->c, "%s", dfd_plain(plain, sizeof(plain), member->name));
		if (member->vendor >= 0 && member->device >= 0)
			dfd_cell(&l->c, "%04" PRIx32 ":%04" PRIx32, (uint32_t)member->vendor,
				 (uint32_t)member->device);
		else
			dfd_cell(&l->c, "-");
		member_role(l, member);
		dfd_rest(&l->c, "%s", member_words(l, member, name));
		dfd_line_end(&l->c);
	}
}

static int print_group(void *ctx, const struct dfd_group *group)
{
	struct listing *l = ctx;
	char plain[DFD_PLAIN_SIZE], words[STATE_SIZE];

	fprintf(l->c.out, "group %" PRIu32 "  %s\n", group->number,
		dfd_state_words(words, sizeof(words), group->state, group->why));
	l->group = group;
	l->c.indent = 2;
	dfd_columns_run(&l->c, group_lines, l);
	if (group->shared)
		fprintf(l->c.out, "  together: %s\n",
			dfd_plain(plain, sizeof(plain), group->shared));
	if (group->reserved)
		fprintf(l->c.out, "  reserved: %s\n",
			dfd_plain(plain, sizeof(plain), group->reserved));
	l->count++;
	return 0;
}

/* A machine without groups prints nothing, so look before the first line. */
static int see(void *ctx, const struct dfd_group *group)
{
	(void)ctx;
	(void)group;
	return 1;
}

static int print_text(FILE *out, const struct dfd_origin *origin)
{
	struct listing l = { .c.out = out };
	int ret;

	dfd_print_host(out, origin);
	l.names = dfd_names_new();
	ret = origin_groups(origin, print_group, &l);
	dfd_names_free(l.names);
	return ret < 0 ? ret : l.count;
}

static int print_json(FILE *out, const struct dfd_origin *origin)
{
	struct dfd_put put = { 0 };
	json_object *array = json_object_new_array();
	int count, ret;

	dfd_put_item(&put, array, machine_put_groups(&put, origin, &count));
	ret = dfd_put_print(&put, array, out);
	return ret ? ret : count;
}

int dfd_print_groups(FILE *out, const struct dfd_origin *origin, bool json)
{
	int ret = origin_groups(origin, see, NULL);

	if (ret <= 0)
		return ret;
	ret = json ? print_json(out, origin) : print_text(out, origin);
	return ret >= 0 && ferror(out) ? -EIO : ret;
}
