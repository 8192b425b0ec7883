/* SPDX-License-Identifier: MIT */
/*
 * Views held against each other.
 *
 * Theory of operation: the statements of all views are gathered by key, one value for each view,
 * in a tree for the look-up and in a list that keeps their order. Then each key is judged among the
 * views that can tell it.
 */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ioctl/view.h"

/** struct fact - what the views say about one thing; NULL where a view says nothing */
struct fact {
	struct fact *next;
	enum dfd_topic topic;
	uint32_t needs;
	char *key;
	char *values[DFD_NUM_VIEWS];
};

/** struct gathering - all facts; @view and @topics: of the view that is being walked */
struct gathering {
	void *tree;
	struct fact *first, **end;
	uint32_t count;
	enum dfd_view_kind view;
	uint32_t topics;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct fact *)a)->key, ((const struct fact *)b)->key);
}

static void free_fact(struct fact *fact)
{
	for (int v = 0; v < DFD_NUM_VIEWS; v++)
		free(fact->values[v]);
	free(fact->key);
	free(fact);
}

static struct fact *add(struct gathering *g, const struct dfd_statement *s)
{
	struct fact *fact = calloc(1, sizeof(*fact));

	if (!fact)
		return NULL;
	fact->topic = s->topic;
	fact->needs = s->needs;
	fact->key = strdup(s->key);
	if (!fact->key || !tsearch(fact, &g->tree, by_key)) {
		free_fact(fact);
		return NULL;
	}
	*g->end = fact;
	g->end = &fact->next;
	g->count++;
	return fact;
}

/* The fact of that key, which may be new. */
static struct fact *find(struct gathering *g, const struct dfd_statement *s)
{
	const struct fact key = { .key = (char *)(uintptr_t)s->key };
	struct fact **node = tfind(&key, &g->tree, by_key);

	return node ? *node : add(g, s);
}

static void drop(struct gathering *g)
{
	while (g->first) {
		struct fact *fact = g->first;

		g->first = fact->next;
		tdelete(fact, &g->tree, by_key);
		free_fact(fact);
	}
}

static int gather(void *ctx, const struct dfd_statement *s)
{
	struct gathering *g = ctx;
	struct fact *fact;

	if ((s->needs & g->topics) != s->needs)
		return 0; /* not told, only what a description says by default */
	fact = find(g, s);
	if (!fact)
		return -ENOMEM;
	free(fact->values[g->view]);
	fact->values[g->view] = strdup(s->value);
	return fact->values[g->view] ? 0 : -ENOMEM;
}

/* Do all views in the mask say the same? */
static bool agree(const struct fact *fact, uint32_t able)
{
	const char *first = NULL;
	bool any = false;

	for (int v = 0; v < DFD_NUM_VIEWS; v++) {
		const char *value = fact->values[v];

		if (!(able >> v & 1) || (!value && fact->topic == DFD_TOPIC_IDENTITY))
			continue;
		if (any && (!first != !value || (first && strcmp(first, value) != 0)))
			return false;
		first = value;
		any = true;
	}
	return true;
}

static void tell_difference(const struct fact *fact, uint32_t able,
			    void (*difference)(void *ctx, const char *text), void *ctx)
{
	char text[4 * 1024];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s:", fact->key);

	for (int v = 0; v < DFD_NUM_VIEWS; v++) {
		if ((able >> v & 1) && len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s by %s",
						text[len - 1] == ':' ? "" : ",",
						fact->values[v] ? fact->values[v] : "nothing",
						dfd_view_name((enum dfd_view_kind)v));
	}
	difference(ctx, text);
}

/* The views that can tell a fact; *all: those that take part. */
static uint32_t who_can(const struct dfd_view views[DFD_NUM_VIEWS], uint32_t needs, uint32_t *all)
{
	uint32_t able = 0;

	*all = 0;
	for (int v = 0; v < DFD_NUM_VIEWS; v++) {
		if (!views[v].desc)
			continue;
		*all |= UINT32_C(1) << v;
		if ((views[v].topics & needs) == needs)
			able |= UINT32_C(1) << v;
	}
	return able;
}

static void tell_only(const struct fact *fact,
		      void (*only)(void *ctx, const struct dfd_statement *statement,
				   uint32_t views),
		      void *ctx)
{
	struct dfd_statement s = { .topic = fact->topic, .key = fact->key, .needs = fact->needs };
	uint32_t told = 0;

	for (int v = 0; v < DFD_NUM_VIEWS; v++) {
		if (fact->values[v]) {
			s.value = fact->values[v];
			told |= UINT32_C(1) << v;
		}
	}
	only(ctx, &s, told);
}

int dfd_view_compare(const struct dfd_view views[DFD_NUM_VIEWS],
		     void (*difference)(void *ctx, const char *text),
		     void (*only)(void *ctx, const struct dfd_statement *statement, uint32_t views),
		     void *ctx, struct dfd_view_report *out)
{
	struct gathering g = { .end = &g.first };
	int ret = 0;

	for (int v = 0; v < DFD_NUM_VIEWS && !ret; v++) {
		g.view = (enum dfd_view_kind)v;
		g.topics = views[v].topics;
		if (views[v].desc)
			ret = dfd_desc_walk(views[v].desc, gather, &g);
	}
	*out = (struct dfd_view_report){ .facts = g.count };
	for (const struct fact *fact = g.first; fact && !ret; fact = fact->next) {
		uint32_t all, able = who_can(views, fact->needs, &all);

		if (!agree(fact, able)) {
			out->differences++;
			if (difference)
				tell_difference(fact, able, difference, ctx);
		} else if (only && able != all) {
			tell_only(fact, only, ctx);
		}
	}
	drop(&g);
	return ret;
}
