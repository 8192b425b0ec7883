/* SPDX-License-Identifier: MIT */
/*
 * A description as JSON. Keys are documented in lsvfio(1); what is not known has no key.
 */
#include <stdio.h>

#include <devfd/print.h>

#include "desc/fact.h"
#include "print/caps.h"
#include "print/json_abilities.h"
#include "print/machine.h"
#include "print/names.h"
#include "print/put.h"
#include "print/roles.h"

#define CONFIG_SIZE 4096u

typedef json_object json;

struct printer {
	struct dfd_put put;
	const struct dfd_desc *desc;
	uint32_t topics; /* bit t: what it says about enum dfd_topic t was told */
};

static bool told(const struct printer *p, enum dfd_topic topic)
{
	return p->topics >> topic & 1;
}

static json *facts(struct printer *p)
{
	json *object = json_object_new_object();

	for (int i = 0; i < DFD_NUM_FACTS; i++) {
		const char *key = dfd_fact_infos[i].key;
		const char *str = dfd_desc_str(p->desc, (enum dfd_fact)i);
		uint64_t num;

		if (str)
			dfd_put_str(&p->put, object, key, str);
		else if (dfd_desc_num(p->desc, (enum dfd_fact)i, &num))
			dfd_put_num(&p->put, object, key, num);
	}
	return object;
}

static void put_name(struct printer *p, json *object, const char *key, struct dfd_names *names,
		     enum dfd_names_kind kind, const uint32_t *id)
{
	char name[256];

	if (dfd_names_find(names, name, sizeof(name), kind, id))
		dfd_put_str(&p->put, object, key, name);
}

static bool get(const struct printer *p, enum dfd_fact fact, uint32_t *value)
{
	uint64_t num;

	if (!dfd_desc_num(p->desc, fact, &num))
		return false;
	*value = (uint32_t)num;
	return true;
}

static json *names(struct printer *p)
{
	struct dfd_names *ids = dfd_names_new();
	json *object = json_object_new_object();
	uint32_t id[4], class;

	if (get(p, DFD_FACT_VENDOR_ID, &id[0]) && get(p, DFD_FACT_DEVICE_ID, &id[1])) {
		put_name(p, object, "vendor", ids, DFD_NAMES_VENDOR, id);
		put_name(p, object, "device", ids, DFD_NAMES_DEVICE, id);
		if (get(p, DFD_FACT_SUBSYSTEM_VENDOR_ID, &id[2]) &&
		    get(p, DFD_FACT_SUBSYSTEM_ID, &id[3]))
			put_name(p, object, "subsystem", ids, DFD_NAMES_SUBSYSTEM, id);
	}
	if (get(p, DFD_FACT_CLASS_CODE, &class)) {
		id[0] = class >> 8;
		id[1] = class & 0xff;
		put_name(p, object, "class", ids, DFD_NAMES_CLASS, id);
		put_name(p, object, "interface", ids, DFD_NAMES_INTERFACE, id);
	}
	dfd_names_free(ids);
	return object;
}

static void put_caps(struct printer *p, json *object, enum dfd_cap_of of,
		     const struct dfd_cap *caps, uint32_t count)
{
	json *array;

	if (!count)
		return;
	array = json_object_new_array();
	for (uint32_t i = 0; i < count; i++) {
		json *cap = json_object_new_object();
		const char *name = dfd_cap_name(of, caps[i].id);
		char meaning[DFD_CAP_MEANING_SIZE], hex[2 * DFD_MAX_CAP_SIZE + 1] = "";

		for (uint32_t k = 0; k < caps[i].size; k++)
			snprintf(hex + 2 * (size_t)k, 3, "%02x",
				 ((const unsigned char *)caps[i].data)[k]);
		dfd_put_num(&p->put, cap, "id", caps[i].id);
		dfd_put_num(&p->put, cap, "version", caps[i].version);
		if (name)
			dfd_put_str(&p->put, cap, "name", name);
		if (dfd_cap_meaning(meaning, sizeof(meaning), of, &caps[i]))
			dfd_put_str(&p->put, cap, "meaning", meaning);
		dfd_put(&p->put, cap, "data", json_object_new_string(hex));
		dfd_put_item(&p->put, array, cap);
	}
	dfd_put(&p->put, object, "capabilities", array);
}

static void put_dt(struct printer *p, json *object, const struct dfd_dt_ref *dt)
{
	json *place;

	if (!dt->path)
		return;
	place = json_object_new_object();
	dfd_put_str(&p->put, place, "path", dt->path);
	dfd_put_str(&p->put, place, "property", dfd_dt_prop_name(dt->prop_type));
	dfd_put_num(&p->put, place, "index", dt->prop_index);
	dfd_put(&p->put, object, "device_tree", place);
}

static void put_areas(struct printer *p, json *object, const struct dfd_region *r)
{
	json *array;

	if (!r->num_areas)
		return;
	array = json_object_new_array();
	for (uint32_t i = 0; i < r->num_areas; i++) {
		json *area = json_object_new_object();

		dfd_put_num(&p->put, area, "offset", r->areas[i].offset);
		dfd_put_num(&p->put, area, "size", r->areas[i].size);
		dfd_put_item(&p->put, array, area);
	}
	dfd_put(&p->put, object, "mappable_areas", array);
}

static json *region(struct printer *p, const struct dfd_region *r)
{
	json *object = json_object_new_object();
	char buf[32];
	const char *role = dfd_region_role(buf, sizeof(buf), p->desc, r);

	dfd_put_num(&p->put, object, "index", r->index);
	if (role)
		dfd_put_str(&p->put, object, "role", role);
	dfd_put_num(&p->put, object, "size", r->size);
	dfd_put_num(&p->put, object, "offset", r->offset);
	dfd_put_bool(&p->put, object, "mappable", r->flags & DFD_REGION_MAPPABLE);
	dfd_put_bool(&p->put, object, "read_only", r->flags & DFD_REGION_READ_ONLY);
	if (told(p, DFD_TOPIC_IOPORT))
		dfd_put_bool(&p->put, object, "io_ports", r->flags & DFD_REGION_IOPORT);
	if (r->has_phys)
		dfd_put_num(&p->put, object, "physical_address", r->phys_addr);
	put_areas(p, object, r);
	put_dt(p, object, &r->dt);
	put_caps(p, object, DFD_CAP_OF_REGION, r->caps, r->num_caps);
	return object;
}

static json *regions(struct printer *p)
{
	uint32_t count;
	const struct dfd_region *all = dfd_desc_regions(p->desc, &count);
	json *array = json_object_new_array();

	for (uint32_t i = 0; i < count; i++)
		dfd_put_item(&p->put, array, region(p, &all[i]));
	return array;
}

static json *irq(struct printer *p, uint32_t index, const struct dfd_irq *wired)
{
	json *object = json_object_new_object();
	char buf[32];
	const char *role = dfd_irq_role(buf, sizeof(buf), p->desc, index);

	dfd_put_num(&p->put, object, "index", index);
	if (role)
		dfd_put_str(&p->put, object, "role", role);
	dfd_put_num(&p->put, object, "count", dfd_desc_vectors(p->desc, index));
	if (wired && told(p, DFD_TOPIC_IRQ_TRIGGER)) {
		bool level = wired->flags & DFD_IRQ_LEVEL;

		dfd_put_str(&p->put, object, "trigger", level ? "level" : "edge");
		dfd_put_bool(&p->put, object, "maskable", wired->flags & DFD_IRQ_MASKABLE);
	}
	if (wired)
		put_dt(p, object, &wired->dt);
	return object;
}

static json *irqs(struct printer *p)
{
	json *array = json_object_new_array();

	for (uint32_t i = 0; i < dfd_desc_irq_limit(p->desc); i++) {
		if (dfd_desc_vectors(p->desc, i))
			dfd_put_item(&p->put, array, irq(p, i, dfd_desc_irq(p->desc, i)));
	}
	return array;
}

static json *device(struct printer *p, const char *address)
{
	json *object = json_object_new_object();
	const struct dfd_cap *caps;
	uint32_t count;

	dfd_put_str(&p->put, object, "address", address);
	dfd_put_str(&p->put, object, "bus", dfd_bus_key(dfd_desc_bus(p->desc)));
	dfd_put_bool(&p->put, object, "reset", dfd_desc_flags(p->desc) & DFD_DEVICE_RESET);
	dfd_put(&p->put, object, "facts", facts(p));
	if (dfd_desc_bus(p->desc) == DFD_BUS_PCI)
		dfd_put(&p->put, object, "names", names(p));
	caps = dfd_desc_caps(p->desc, &count);
	put_caps(p, object, DFD_CAP_OF_DEVICE, caps, count);
	dfd_put(&p->put, object, "regions", regions(p));
	dfd_put(&p->put, object, "irqs", irqs(p));
	return object;
}

int dfd_print_view_json(FILE *out, const char *address, const struct dfd_view *view)
{
	struct printer p = { .desc = view->desc, .topics = view->topics };
	json *object = device(&p, address);

	return dfd_put_print(&p.put, object, out);
}

int dfd_print_json(FILE *out, const char *address, const struct dfd_desc *desc)
{
	const struct dfd_view all = { .desc = desc, .topics = ~UINT32_C(0) };

	return dfd_print_view_json(out, address, &all);
}

/* What is at hand of configuration space, so that a dump has it, too. */
static void put_config(struct printer *p, json *object, struct dfd_device *dev)
{
	uint8_t config[CONFIG_SIZE];
	char hex[2 * CONFIG_SIZE + 1];
	ssize_t n;

	if (dfd_desc_bus(p->desc) != DFD_BUS_PCI || !dfd_desc_region(p->desc, DFD_PCI_CONFIG))
		return;
	n = dfd_region_read(dev, DFD_PCI_CONFIG, 0, config, sizeof(config));
	if (n <= 0)
		return;
	for (ssize_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", config[i]);
	dfd_put(&p->put, object, "config_space", json_object_new_string(hex));
}

int dfd_print_device_json(FILE *out, const char *address, struct dfd_device *dev,
			  const struct dfd_origin *origin, const char *bdf)
{
	struct printer p = { .desc = dfd_device_desc(dev), .topics = ~UINT32_C(0) };
	json *object = device(&p, address);

	put_config(&p, object, dev);
	if (origin)
		machine_put_place(&p.put, object, origin, bdf);
	dfd_put_abilities(&p.put, object, dev);
	return dfd_put_print(&p.put, object, out);
}
