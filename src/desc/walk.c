/* SPDX-License-Identifier: MIT */
/*
 * A description spelled out, fact by fact.
 *
 * The order of the statements is fixed: device, facts, capabilities, regions, interrupts. Two
 * descriptions are equal when their walks are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desc/desc.h"
#include "desc/fact.h"

static const char *const topic_names[] = {
	[DFD_TOPIC_LAYOUT] = "layout",
	[DFD_TOPIC_EXTRA_REGION] = "regions above 7",
	[DFD_TOPIC_IOPORT] = "I/O-port regions",
	[DFD_TOPIC_IRQ_TRIGGER] = "level or edge, count",
	[DFD_TOPIC_DEVICE_TREE] = "device-tree path and index",
	[DFD_TOPIC_PHYS_ADDR] = "physical addresses",
	[DFD_TOPIC_AREAS] = "mappable areas",
	[DFD_TOPIC_CAPS] = "VFIO capabilities",
	[DFD_TOPIC_MESSAGE_IRQ] = "MSI and MSI-X vectors",
	[DFD_TOPIC_NOTIFY_IRQ] = "error and request notifications",
	[DFD_TOPIC_IDENTITY] = "identity",
	[DFD_TOPIC_NUMBER] = "numbers",
	[DFD_TOPIC_STRING] = "strings and wide numbers",
};
_Static_assert(sizeof(topic_names) / sizeof(*topic_names) == DFD_NUM_TOPICS,
	       "a name for each topic");

const char *dfd_topic_name(enum dfd_topic topic)
{
	return topic < DFD_NUM_TOPICS ? topic_names[topic] : "?";
}

struct walk {
	int (*fn)(void *ctx, const struct dfd_statement *statement);
	void *ctx;
	int stopped;
	uint32_t where; /* what a view must be able to tell about to know the object at all */
	char key[64];
	char value[DFD_MAX_STRING + 64];
};

__attribute__((format(printf, 3, 4))) static void say(struct walk *w, enum dfd_topic topic,
						      const char *fmt, ...)
{
	va_list args;

	if (w->stopped)
		return;
	va_start(args, fmt);
	vsnprintf(w->value, sizeof(w->value), fmt, args);
	va_end(args);
	w->stopped =
		w->fn(w->ctx, &(struct dfd_statement){ .topic = topic,
						       .key = w->key,
						       .value = w->value,
						       .needs = w->where | UINT32_C(1) << topic });
}

__attribute__((format(printf, 2, 3))) static void about(struct walk *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->key, sizeof(w->key), fmt, args);
	va_end(args);
}

static void walk_facts(struct walk *w, const struct dfd_desc *d)
{
	for (int i = 0; i < DFD_NUM_FACTS; i++) {
		enum dfd_fact f = (enum dfd_fact)i;
		const char *str = dfd_desc_str(d, f);
		uint64_t num;

		about(w, "%s", dfd_fact_infos[f].meaning);
		if (str)
			say(w, dfd_fact_topic(f), "%s", str);
		else if (!dfd_desc_num(d, f, &num))
			continue;
		else if (dfd_fact_infos[f].kind == DFD_FACT_HEX)
			say(w, dfd_fact_topic(f), "0x%0*" PRIx64,
			    2 * dfd_fact_infos[f].config_width, num);
		else
			say(w, dfd_fact_topic(f), "%" PRIu64, num);
	}
}

static void walk_caps(struct walk *w, const char *of, uint32_t index, const struct dfd_cap *caps,
		      uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const unsigned char *data = caps[i].data;
		char hex[2 * 64 + 1] = "";
		uint32_t sum = 2166136261u;

		/* A long body is spelled by its start and a checksum (FNV-1a). */
		for (uint32_t k = 0; k < caps[i].size; k++) {
			if (k < 64)
				snprintf(hex + 2 * (size_t)k, 3, "%02x", data[k]);
			sum = (sum ^ data[k]) * 16777619u;
		}
		about(w, "%s %" PRIu32 " capability %" PRIu32, of, index, i);
		say(w, DFD_TOPIC_CAPS, "id %u version %u, %" PRIu32 " bytes %s sum %08" PRIx32,
		    caps[i].id, caps[i].version, caps[i].size, hex, sum);
	}
}

static void walk_dt(struct walk *w, const char *of, uint32_t index, const struct dfd_dt_ref *dt)
{
	static const char *const props[] = { "?", "reg", "ranges", "interrupts", "interrupt-map" };

	if (!dt->path)
		return;
	about(w, "%s %" PRIu32 " device-tree path", of, index);
	say(w, DFD_TOPIC_DEVICE_TREE, "%s", dt->path);
	about(w, "%s %" PRIu32 " device-tree index", of, index);
	say(w, DFD_TOPIC_DEVICE_TREE, "%s %" PRIu32, props[dt->prop_type], dt->prop_index);
}

static void walk_region(struct walk *w, const struct dfd_desc *d, const struct dfd_region *r)
{
	bool extra = d->bus == DFD_BUS_PCI && r->index > DFD_PCI_CONFIG;
	enum dfd_topic layout = extra ? DFD_TOPIC_EXTRA_REGION : DFD_TOPIC_LAYOUT;

	w->where = extra ? UINT32_C(1) << DFD_TOPIC_EXTRA_REGION : 0;
	about(w, "region %" PRIu32 " size", r->index);
	say(w, layout, "0x%" PRIx64, r->size);
	about(w, "region %" PRIu32 " offset", r->index);
	say(w, layout, "0x%" PRIx64, r->offset);
	about(w, "region %" PRIu32 " mappable", r->index);
	say(w, layout, "%s", r->flags & DFD_REGION_MAPPABLE ? "yes" : "no");
	about(w, "region %" PRIu32 " read-only", r->index);
	say(w, layout, "%s", r->flags & DFD_REGION_READ_ONLY ? "yes" : "no");
	about(w, "region %" PRIu32 " space", r->index);
	say(w, DFD_TOPIC_IOPORT, "%s", r->flags & DFD_REGION_IOPORT ? "I/O ports" : "memory");
	if (r->has_phys) {
		about(w, "region %" PRIu32 " physical address", r->index);
		say(w, DFD_TOPIC_PHYS_ADDR, "0x%" PRIx64, r->phys_addr);
	}
	walk_dt(w, "region", r->index, &r->dt);
	for (uint32_t i = 0; i < r->num_areas; i++) {
		about(w, "region %" PRIu32 " mappable area %" PRIu32, r->index, i);
		say(w, DFD_TOPIC_AREAS, "0x%" PRIx64 " + 0x%" PRIx64, r->areas[i].offset,
		    r->areas[i].size);
	}
	walk_caps(w, "region", r->index, r->caps, r->num_caps);
	w->where = 0;
}

static void walk_irq(struct walk *w, const struct dfd_irq *irq)
{
	about(w, "interrupt %" PRIu32, irq->index);
	say(w, DFD_TOPIC_LAYOUT, "wired");
	about(w, "interrupt %" PRIu32 " count", irq->index);
	say(w, DFD_TOPIC_IRQ_TRIGGER, "%" PRIu32, irq->count);
	about(w, "interrupt %" PRIu32 " trigger", irq->index);
	say(w, DFD_TOPIC_IRQ_TRIGGER, "%s%s", irq->flags & DFD_IRQ_LEVEL ? "level" : "edge",
	    irq->flags & DFD_IRQ_MASKABLE ? ", maskable" : "");
	walk_dt(w, "interrupt", irq->index, &irq->dt);
}

int dfd_desc_walk(const struct dfd_desc *desc,
		  int (*fn)(void *ctx, const struct dfd_statement *statement), void *ctx)
{
	static const char *const buses[] = { "other", "PCI", "device tree" };
	struct walk w = { .fn = fn, .ctx = ctx };

	about(&w, "bus");
	say(&w, DFD_TOPIC_LAYOUT, "%s", buses[desc->bus]);
	about(&w, "reset");
	say(&w, DFD_TOPIC_LAYOUT, "%s", desc->flags & DFD_DEVICE_RESET ? "yes" : "no");
	walk_facts(&w, desc);
	walk_caps(&w, "device", 0, desc->caps, desc->num_caps);
	for (uint32_t i = 0; i < desc->num_regions; i++)
		walk_region(&w, desc, &desc->regions[i]);
	for (uint32_t i = 0; i < desc->num_irqs; i++)
		walk_irq(&w, &desc->irqs[i]);
	return w.stopped;
}

/* ---- equality: the statements of one side, kept, and the other side walked beside them ---- */

struct kept {
	char *key;
	char *value;
};

struct comparison {
	struct kept *kept;
	size_t count, next;
	struct dfd_error *why;
};

static int keep(void *ctx, const struct dfd_statement *s)
{
	struct comparison *c = ctx;
	struct kept *grown = reallocarray(c->kept, c->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	c->kept = grown;
	grown[c->count].key = strdup(s->key);
	grown[c->count].value = strdup(s->value);
	c->count++;
	return grown[c->count - 1].key && grown[c->count - 1].value ? 0 : -ENOMEM;
}

static int match(void *ctx, const struct dfd_statement *s)
{
	struct comparison *c = ctx;
	const struct kept *k = &c->kept[c->next];

	if (c->next == c->count)
		return dfd_error_set(c->why, -EBADMSG, "%s: absent on one side, %s on the other",
				     s->key, s->value);
	c->next++;
	if (strcmp(k->key, s->key) != 0)
		return dfd_error_set(c->why, -EBADMSG,
				     "one side goes on with %s (%s), the other with %s (%s)",
				     k->key, k->value, s->key, s->value);
	if (strcmp(k->value, s->value) != 0)
		return dfd_error_set(c->why, -EBADMSG, "%s: %s on one side, %s on the other",
				     s->key, k->value, s->value);
	return 0;
}

bool dfd_desc_equal(const struct dfd_desc *a, const struct dfd_desc *b, struct dfd_error *why)
{
	struct comparison c = { .why = why };
	int ret = dfd_desc_walk(a, keep, &c);

	if (ret)
		dfd_error_set(why, ret, "out of memory while comparing descriptions");
	else
		ret = dfd_desc_walk(b, match, &c);
	if (!ret && c.next < c.count)
		ret = dfd_error_set(why, -EBADMSG, "%s: %s on one side, absent on the other",
				    c.kept[c.next].key, c.kept[c.next].value);
	for (size_t i = 0; i < c.count; i++) {
		free(c.kept[i].key);
		free(c.kept[i].value);
	}
	free(c.kept);
	return !ret;
}
