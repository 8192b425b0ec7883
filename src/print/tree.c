/* SPDX-License-Identifier: MIT */
/*
 * The devices of a machine as a tree.
 *
 * Theory of operation: each device has a path, and each part of such a path is a node, whether it
 * is a device or not. Sorted part by part, nodes stand in the order in which a tree is printed, and
 * the children of a node are the nodes behind it that are deeper, up to the next that is not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/print.h>

#include "print/columns.h"
#include "print/found.h"
#include "print/host.h"
#include "print/machine.h"
#include "print/origin.h"
#include "print/plain.h"

/* Deeper ones hang here. Linux has at most 8 bridges above each other, and so have device trees. */
#define MAX_DEPTH 24
/* What stands above the nodes of a device tree, whose paths start with a slash. */
#define DT_ROOT "device tree"

/** struct device - what is printed of one, without the tree */
struct device {
	char *path;
	char ids[FOUND_IDS_SIZE];
	char group[FOUND_IDS_SIZE];
	char driver[64];
	char state[STATE_SIZE];
	char words[FOUND_WORDS_SIZE];
};

/** struct node - @len: bytes of @path down to here; @device: of a device, else NULL */
struct node {
	const char *path;
	size_t len;
	unsigned int depth;
	const struct device *device;
};

struct tree {
	FILE *out;
	struct dfd_names *names;
	struct device **devices;
	size_t num_devices;
	struct node *nodes;
	size_t num_nodes;
	struct dfd_columns c;
};

/* ---- gathering ---- */

static int gather(void *ctx, const struct dfd_found *found)
{
	struct tree *t = ctx;
	const char *path = found->path ? found->path : found->name;
	struct device **grown, *d = calloc(1, sizeof(*d));
	char plain[DFD_PLAIN_SIZE], ids[FOUND_IDS_SIZE], group[FOUND_IDS_SIZE];

	grown = reallocarray(t->devices, t->num_devices + 1, sizeof(struct device *));
	if (grown)
		t->devices = grown;
	if (!grown || !d || asprintf(&d->path, "%s%s", *path == '/' ? DT_ROOT : "", path) < 0) {
		free(d);
		return -ENOMEM;
	}
	t->devices[t->num_devices++] = d;
	snprintf(d->ids, sizeof(d->ids), "%s", found_ids(found, ids) ? ids : "-");
	snprintf(d->group, sizeof(d->group), "%s", found_group(found, group) ? group : "-");
	snprintf(d->driver, sizeof(d->driver), "%s",
		 found->driver ? dfd_plain(plain, sizeof(d->driver), found->driver) : "-");
	dfd_state_words(d->state, sizeof(d->state), found->state, found->why);
	found_words(t->names, found, d->words);
	return 0;
}

static int add_node(struct tree *t, const struct device *d, size_t len, unsigned int depth)
{
	struct node *grown = t->nodes;

	/* Twice as much room whenever a power of two is full. */
	if (!(t->num_nodes & (t->num_nodes - 1)))
		grown = reallocarray(grown, t->num_nodes ? 2 * t->num_nodes : 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->nodes = grown;
	t->nodes[t->num_nodes++] = (struct node){
		.path = d->path, .len = len, .depth = depth, .device = d->path[len] ? NULL : d
	};
	return 0;
}

static int add_nodes(struct tree *t, const struct device *d)
{
	size_t len = strcspn(d->path, "/");
	unsigned int depth = 0;
	int ret = 0;

	while (!ret && d->path[len] && depth < MAX_DEPTH) {
		ret = add_node(t, d, len, depth++);
		len += 1 + strcspn(d->path + len + 1, "/");
	}
	return ret ? ret : add_node(t, d, strlen(d->path), depth);
}

/* A slash sorts before all other characters, and a device before a mere part of a path. */
static int compare(const void *left, const void *right)
{
	const struct node *a = left, *b = right;
	size_t i = 0, len = a->len < b->len ? a->len : b->len;

	while (i < len && a->path[i] == b->path[i])
		i++;
	if (i < len)
		return (a->path[i] == '/' ? 0 : (unsigned char)a->path[i]) -
		       (b->path[i] == '/' ? 0 : (unsigned char)b->path[i]);
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return !a->device - !b->device;
}

static bool same(const struct node *a, const struct node *b)
{
	return a->len == b->len && !memcmp(a->path, b->path, a->len);
}

static int grow(struct tree *t, const struct dfd_origin *origin)
{
	int ret = origin_enumerate(origin, gather, t);
	size_t kept = 0;

	for (size_t i = 0; i < t->num_devices && !ret; i++)
		ret = add_nodes(t, t->devices[i]);
	if (ret || !t->num_nodes)
		return ret;
	qsort(t->nodes, t->num_nodes, sizeof(*t->nodes), compare);
	for (size_t i = 0; i < t->num_nodes; i++) {
		if (!i || t->nodes[i].device || !same(&t->nodes[kept - 1], &t->nodes[i]))
			t->nodes[kept++] = t->nodes[i];
	}
	t->num_nodes = kept;
	return 0;
}

/* ---- printing ---- */

static bool has_sibling(const struct tree *t, size_t i)
{
	unsigned int depth = t->nodes[i].depth;

	do
		i++;
	while (i < t->num_nodes && t->nodes[i].depth > depth);
	return i < t->num_nodes && t->nodes[i].depth == depth;
}

/* "| \-0000:01:00.0"; bit d of @more: something follows below the node at depth d - 1 */
static void name_cell(struct tree *t, const struct node *node, uint32_t more)
{
	char text[128], plain[64];
	const char *name = node->path + node->len;
	size_t at = 0;

	while (name > node->path && name[-1] != '/')
		name--;
	for (unsigned int d = 1; d < node->depth; d++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, more >> d & 1 ? "| " : "  ");
	if (node->depth)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       more >> node->depth & 1 ? "+-" : "\\-");
	snprintf(text + at, sizeof(text) - at, "%.*s", (int)(node->path + node->len - name), name);
	dfd_cell(&t->c, "%.*s%s", (int)at, text, dfd_plain(plain, sizeof(plain), text + at));
}

static void print_node(struct tree *t, const struct node *node, uint32_t more)
{
	const struct device *d = node->device;

	name_cell(t, node, more);
	if (d) {
		dfd_cell(&t->c, "%s", d->ids);
		dfd_cell(&t->c, "%s", d->driver);
		dfd_cell_right(&t->c, "%s", d->group);
		dfd_cell(&t->c, "%s", d->state);
		dfd_rest(&t->c, "%s", d->words);
	}
	dfd_line_end(&t->c);
}

static void print_nodes(void *ctx)
{
	struct tree *t = ctx;
	uint32_t more = 0;

	dfd_cell(&t->c, "DEVICE");
	dfd_cell(&t->c, "ID");
	dfd_cell(&t->c, "DRIVER");
	dfd_cell_right(&t->c, "GROUP");
	dfd_cell(&t->c, "STATE");
	dfd_rest(&t->c, "NAME");
	dfd_line_end(&t->c);
	for (size_t i = 0; i < t->num_nodes; i++) {
		uint32_t bit = UINT32_C(1) << t->nodes[i].depth;

		more = has_sibling(t, i) ? more | bit : more & ~bit;
		print_node(t, &t->nodes[i], more);
	}
}

int machine_print_tree(FILE *out, const struct dfd_origin *origin, struct dfd_names *names)
{
	struct tree t = { .out = out, .names = names, .c.out = out };
	int ret = grow(&t, origin);

	if (!ret) {
		dfd_print_host(out, origin);
		dfd_columns_run(&t.c, print_nodes, &t);
		ret = (int)t.num_devices;
	}
	for (size_t i = 0; i < t.num_devices; i++) {
		free(t.devices[i]->path);
		free(t.devices[i]);
	}
	free(t.devices);
	free(t.nodes);
	return ret;
}
