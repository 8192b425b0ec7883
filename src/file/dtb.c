/* SPDX-License-Identifier: MIT */
/*
 * Device tree blobs.
 *
 * Theory of operation: dt_check() makes sure that every structure of the blob lies inside it;
 * what the properties say is checked where they are used. All offsets of nodes that are needed are
 * collected in one walk (struct dt_node), because libfdt finds a parent only by searching.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/provider.h>

#include "file/dt.h"
#include "file/dtb.h"
#include "util/fileio.h"

#define MAX_HINTS 5
#define MAX_TRIES 64

/* ---- finding a node ---- */

static int get_chain(struct dt_node *n, int target, struct dfd_error *err)
{
	int depth = 0;

	for (int node = 0; node >= 0 && depth >= 0; node = fdt_next_node(n->fdt, node, &depth)) {
		if (depth <= DT_MAX_DEPTH)
			n->chain[depth] = node;
		if (node != target)
			continue;
		n->depth = depth;
		if (depth <= DT_MAX_DEPTH)
			return 0;
		return dfd_error_set(err, -EBADMSG, "the node lies deeper than %d levels",
				     DT_MAX_DEPTH);
	}
	return dfd_error_set(err, -EBADMSG, "the nodes of the tree are not nested correctly");
}

/** struct hints - nodes to name in a message, as far as they fit; @tried bounds the search */
struct hints {
	char text[256];
	size_t used;
	int count;
	int tried;
};

static void add_hint(struct hints *h, const char *text)
{
	size_t room = sizeof(h->text) - h->used;
	int n;

	if (!dt_is_text(text))
		return;
	n = snprintf(h->text + h->used, room, "%s%s", h->count ? ", " : "", text);
	if (n < 0 || (size_t)n >= room) {
		h->text[h->used] = '\0';
		return;
	}
	h->used += (size_t)n;
	h->count++;
}

static void add_path_hint(struct hints *h, const void *fdt, int node)
{
	char path[128];

	/* Each path costs a walk through the tree. */
	if (h->count < MAX_HINTS && h->tried++ < MAX_TRIES &&
	    !fdt_get_path(fdt, node, path, sizeof(path)))
		add_hint(h, path);
}

/* The length of a name without its unit address. */
static size_t stem(const char *name)
{
	return strcspn(name, "@");
}

static bool same_stem(const char *a, const char *b)
{
	return stem(a) == stem(b) && !strncmp(a, b, stem(a));
}

/* Nodes that look like devices: with registers and, if there are any such, with interrupts. */
static void hint_devices(struct hints *h, const void *fdt, bool interrupts)
{
	const char *last = "";

	for (int node = 0; node >= 0; node = fdt_next_node(fdt, node, NULL)) {
		const char *name = fdt_get_name(fdt, node, NULL);

		if (!name || same_stem(name, last) || !fdt_getprop(fdt, node, "reg", NULL))
			continue;
		if (interrupts && !fdt_getprop(fdt, node, "interrupts", NULL) &&
		    !fdt_getprop(fdt, node, "interrupts-extended", NULL))
			continue;
		last = name; /* one of many alike is enough */
		add_path_hint(h, fdt, node);
	}
	if (!h->count && interrupts)
		hint_devices(h, fdt, false);
}

/* Nodes elsewhere whose name is the last part of @path, with or without the unit address. */
static void hint_same_name(struct hints *h, const void *fdt, const char *path)
{
	const char *last = strrchr(path, '/') + 1;

	for (int node = 0; stem(last) && node >= 0; node = fdt_next_node(fdt, node, NULL)) {
		const char *name = fdt_get_name(fdt, node, NULL);

		if (name && same_stem(name, last))
			add_path_hint(h, fdt, node);
	}
}

static int no_such_node(const void *fdt, const char *path, struct dfd_error *err)
{
	struct hints h = { .used = 0 };

	hint_same_name(&h, fdt, path);
	if (h.count)
		return dfd_error_set(err, -ENOENT, "there is no node %s; of that name there is %s",
				     path, h.text);
	hint_devices(&h, fdt, true);
	return dfd_error_set(err, -ENOENT, "there is no node %s%s%s", path,
			     h.count ? "; there are devices at " : "", h.text);
}

static int no_path(const void *fdt, const char *path, struct dfd_error *err)
{
	struct hints h = { .used = 0 };
	const char *alias = *path ? fdt_get_alias(fdt, path) : NULL;

	if (alias && alias[0] == '/' && dt_is_text(alias))
		return dfd_error_set(err, -EINVAL,
				     "%s is an alias; write the path it stands for, #%s", path,
				     alias);
	hint_devices(&h, fdt, true);
	return dfd_error_set(err, -EINVAL, "the path of a node is needed, #/PATH%s%s",
			     h.count ? "; there are devices at " : "", h.text);
}

static int find_node(struct dt_node *n, const char *path, char *full, size_t room,
		     struct dfd_error *err)
{
	int node, ret;

	if (path[0] != '/')
		return no_path(n->fdt, path, err);
	node = fdt_path_offset(n->fdt, path);
	if (node < 0)
		return no_such_node(n->fdt, path, err);
	ret = fdt_get_path(n->fdt, node, full, (int)room);
	if (ret || !dt_is_text(full))
		return dfd_error_set(err, -EBADMSG,
				     "the path of the node is not text of at most %u bytes",
				     DFD_MAX_STRING);
	n->path = full;
	return get_chain(n, node, err);
}

/* ---- describing it ---- */

static int add_compatible(const struct dt_node *n, struct dfd_desc_builder *b,
			  struct dfd_error *err)
{
	int node = n->chain[n->depth];
	int count = fdt_stringlist_count(n->fdt, node, "compatible");
	char text[DFD_MAX_STRING + 1];
	size_t used = 0;

	if (count == -FDT_ERR_NOTFOUND || !count)
		return 0;
	for (int i = 0; i < count; i++) {
		const char *one = fdt_stringlist_get(n->fdt, node, "compatible", i, NULL);
		int len = one && dt_is_text(one) ? snprintf(text + used, sizeof(text) - used,
							    "%s%s", i ? " " : "", one)
						 : -1;

		if (len < 0 || (size_t)len >= sizeof(text) - used)
			count = -FDT_ERR_BADVALUE;
		else
			used += (size_t)len;
	}
	if (count < 0)
		return dfd_error_set(err, -EBADMSG,
				     "compatible is not a list of names, %u bytes in all at most",
				     DFD_MAX_STRING);
	dfd_desc_set_str(b, DFD_FACT_COMPATIBLE, text);
	return 0;
}

static int describe_node(const struct dt_node *n, const struct dfd_desc **out,
			 struct dfd_error *err)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_DT);
	int ret = dt_regions(n, b, err);

	if (!ret)
		ret = dt_irqs(n, b, err);
	if (!ret)
		ret = add_compatible(n, b, err);
	if (ret) {
		dfd_desc_builder_free(b);
		return ret;
	}
	if (n->depth)
		dfd_desc_set_str(b, DFD_FACT_NAME, dt_name(n, n->chain[n->depth]));
	ret = dfd_desc_build(b, out, err);
	/* What no device can have is what the blob says. */
	return ret == -EINVAL ? -EBADMSG : ret;
}

int dfd_dtb_describe(const void *blob, size_t len, const char *path, const struct dfd_desc **out,
		     struct dfd_error *err)
{
	struct dt_node n = { .fdt = blob };
	char full[DFD_MAX_STRING + 1];
	struct dfd_error why;
	int ret;

	if (len > DTB_MAX_SIZE)
		return dfd_error_set(err, -EBADMSG, "is larger than %u bytes", DTB_MAX_SIZE);
	ret = dt_check(blob, len);
	if (ret)
		return dfd_error_set(err, -EBADMSG, "is not a device tree blob (%s)",
				     fdt_strerror(ret));
	ret = find_node(&n, path, full, sizeof(full), err);
	if (ret)
		return ret;
	ret = describe_node(&n, out, &why);
	return ret ? dfd_error_set(err, ret, "node %s: %s", full, why.text) : 0;
}

/* ---- the device ---- */

static const struct dfd_device_ops dtb_ops = {
	.size = sizeof(dtb_ops),
	.name = "dtb",
};

static int open_node(const char *file, const char *path, struct dfd_device **out,
		     struct dfd_error *err)
{
	const struct dfd_desc *desc = NULL;
	struct dfd_error why;
	void *blob;
	size_t len;
	int ret;

	ret = dfd_read_file(file, DTB_MAX_SIZE, &blob, &len, &why);
	if (ret)
		return dfd_error_set(err, ret, "dtb:%s", why.text);
	ret = dfd_dtb_describe(blob, len, path, &desc, &why);
	free(blob);
	if (ret)
		return dfd_error_set(err, ret, "dtb:%s: %s", file, why.text);
	ret = dfd_device_new(desc, &dtb_ops, NULL, false, out);
	dfd_desc_unref(desc);
	return ret;
}

int dfd_dtb_open(const char *spec, struct dfd_device **out, struct dfd_error *err)
{
	const char *hash = strrchr(spec, '#');
	size_t len = hash ? (size_t)(hash - spec) : strlen(spec);
	char *file = strndup(spec, len);
	int ret;

	if (!file)
		return dfd_error_set(err, -ENOMEM, "dtb:%s: out of memory", spec);
	if (!*file)
		ret = dfd_error_set(err, -EINVAL,
				    "dtb:%s names no file: write dtb:FILE#/PATH/OF/NODE", spec);
	else
		ret = open_node(file, hash ? hash + 1 : "", out, err);
	free(file);
	return ret;
}
