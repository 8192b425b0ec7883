/* SPDX-License-Identifier: MIT */
/*
 * Views held against each other.
 *
 * Theory of operation: the statements of all views are gathered by key, one value for each view.
 * All walks go in the same order, so the look-up of a key starts where the last one ended and
 * nearly always ends at once. Then each key is judged among the views that can tell it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ioctl/view.h"

/** struct fact - what the views say about one thing; NULL where a view says nothing */
struct fact {
	enum dfd_topic topic;
	uint32_t needs;
	char *key;
	char *values[DFD_NUM_VIEWS];
};

struct gathering {
	struct fact *facts;
	size_t count, room, next;
	enum dfd_view_kind view;
	uint32_t topics;
};

static struct fact *find(struct gathering *g, const char *key)
{
	for (size_t i = 0; i < g->count; i++) {
		size_t at = (g->next + i) % g->count;

		if (!strcmp(g->facts[at].key, key)) {
			g->next = at + 1;
			return &g->facts[at];
		}
	}
	return NULL;
}

static struct fact *add(struct gathering *g, const struct dfd_statement *s)
{
	struct fact *fact;

	if (g->count == g->room) {
		size_t room = g->room ? 2 * g->room : 64;
		struct fact *grown = reallocarray(g->facts, room, sizeof(*grown));

		if (!grown)
			return NULL;
		g->facts = grown;
		g->room = room;
	}
	fact = &g->facts[g->count];
	*fact = (struct fact){ .topic = s->topic, .needs = s->needs, .key = strdup(s->key) };
	if (!fact->key)
		return NULL;
	g->count++;
	return fact;
}

static int gather(void *ctx, const struct dfd_statement *s)
{
	struct gathering *g = ctx;
	struct fact *fact;

	if ((s->needs & g->topics) != s->needs)
		return 0; /* not told, only what a description says by default */
	fact = find(g, s->key);
	if (!fact)
		fact = add(g, s);
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
	struct gathering g = { 0 };
	int ret = 0;

	for (int v = 0; v < DFD_NUM_VIEWS && !ret; v++) {
		g.view = (enum dfd_view_kind)v;
		g.topics = views[v].topics;
		g.next = 0;
		if (views[v].desc)
			ret = dfd_desc_walk(views[v].desc, gather, &g);
	}
	*out = (struct dfd_view_report){ .facts = (uint32_t)g.count };
	for (size_t i = 0; i < g.count; i++) {
		struct fact *fact = &g.facts[i];
		uint32_t all, able = who_can(views, fact->needs, &all);

		if (!ret && !agree(fact, able)) {
			out->differences++;
			if (difference)
				tell_difference(fact, able, difference, ctx);
		} else if (!ret && only && able != all) {
			tell_only(fact, only, ctx);
		}
		free(fact->key);
		for (int v = 0; v < DFD_NUM_VIEWS; v++)
			free(fact->values[v]);
	}
	free(g.facts);
	return ret;
}
