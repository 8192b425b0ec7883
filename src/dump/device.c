/* SPDX-License-Identifier: MIT */
/*
 * A device of a dump.
 *
 * Theory of operation: the description is built again from its JSON, and the builder refuses what
 * no device can have. What an open device told beyond it is kept as it was told, and told again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/feature.h>
#include <devfd/provider.h>

#include "desc/fact.h"
#include "dump/parts.h"
#include "file/image.h"
#include "print/roles.h"

/* Set in the flags of an interrupt that are known. */
#define IRQ_TOLD 0x80u

/** struct replay - what a device told when it was dumped; @hot_reset: or NULL */
struct replay {
	uint8_t irq_flags[DFD_MAX_IRQ_INDEX + 1];
	uint32_t features[DFD_FEATURE_LIMIT]; /* directions */
	struct dfd_hot_reset *hot_reset;
	size_t hot_reset_size;
	bool has_dma;
	struct dfd_dma_limits dma;
	struct image image;
};

/* ---- the description ---- */

static void read_fact(struct reader *r, json_object *facts, enum dfd_fact fact,
		      struct dfd_desc_builder *b)
{
	const struct dfd_fact_info *info = &dfd_fact_infos[fact];
	const char *str;
	uint64_t num;

	if (info->kind != DFD_FACT_STR) {
		if (reader_num(r, facts, info->key, UINT64_MAX, &num))
			dfd_desc_set_num(b, fact, num);
		return;
	}
	str = reader_str(r, facts, info->key);
	if (str)
		dfd_desc_set_str(b, fact, str);
}

static void read_dt(struct reader *r, json_object *object, struct dfd_dt_ref *out)
{
	json_object *place = reader_object(r, object, "device_tree");
	const char *name = reader_str(r, place, "property");
	uint64_t index = 0;

	*out = (struct dfd_dt_ref){ .path = reader_str(r, place, "path") };
	for (uint32_t type = DFD_DT_REG; name && type <= DFD_DT_INTERRUPT_MAP; type++) {
		if (!strcmp(name, dfd_dt_prop_name(type)))
			out->prop_type = type;
	}
	reader_num(r, place, "index", UINT32_MAX, &index);
	out->prop_index = (uint32_t)index;
}

/* Capabilities that @caps and @bodies have room for. Return: how many */
static uint32_t read_caps(struct reader *r, json_object *object, struct dfd_cap *caps,
			  uint8_t (*bodies)[DFD_MAX_CAP_SIZE])
{
	uint32_t count;
	json_object *array = reader_array(r, object, "capabilities", DFD_MAX_CAPS, &count);

	for (uint32_t i = 0; i < count && !r->ret; i++) {
		json_object *cap = reader_item(r, array, "capabilities", i);
		uint64_t id = 0, version = 0;

		reader_num(r, cap, "id", UINT16_MAX, &id);
		reader_num(r, cap, "version", UINT16_MAX, &version);
		caps[i] = (struct dfd_cap){
			.id = (uint16_t)id,
			.version = (uint16_t)version,
			.size = (uint32_t)reader_hex(r, cap, "data", bodies[i], DFD_MAX_CAP_SIZE),
			.data = bodies[i],
		};
	}
	return count;
}

static uint32_t read_areas(struct reader *r, json_object *object, struct dfd_area *areas)
{
	uint32_t count;
	json_object *array = reader_array(r, object, "mappable_areas", DFD_MAX_AREAS, &count);

	for (uint32_t i = 0; i < count && !r->ret; i++) {
		json_object *area = reader_item(r, array, "mappable_areas", i);

		areas[i] = (struct dfd_area){ 0 };
		reader_num(r, area, "offset", UINT64_MAX, &areas[i].offset);
		reader_num(r, area, "size", UINT64_MAX, &areas[i].size);
	}
	return count;
}

/** struct room - for the parts of one region, or of the device */
struct room {
	struct dfd_area areas[DFD_MAX_AREAS];
	struct dfd_cap caps[DFD_MAX_CAPS];
	uint8_t bodies[DFD_MAX_CAPS][DFD_MAX_CAP_SIZE];
};

static void read_region(struct reader *r, json_object *object, struct room *room,
			struct dfd_desc_builder *b)
{
	struct dfd_region region = { .areas = room->areas, .caps = room->caps };
	uint64_t index = 0;

	reader_need(r, object, "index");
	reader_need(r, object, "size");
	reader_num(r, object, "index", DFD_MAX_REGION_INDEX, &index);
	region.index = (uint32_t)index;
	reader_num(r, object, "size", UINT64_MAX, &region.size);
	reader_num(r, object, "offset", UINT64_MAX, &region.offset);
	region.flags = (reader_bool(r, object, "mappable") ? DFD_REGION_MAPPABLE : 0) |
		       (reader_bool(r, object, "read_only") ? DFD_REGION_READ_ONLY : 0) |
		       (reader_bool(r, object, "io_ports") ? DFD_REGION_IOPORT : 0);
	region.has_phys = reader_num(r, object, "physical_address", UINT64_MAX, &region.phys_addr);
	read_dt(r, object, &region.dt);
	region.num_areas = read_areas(r, object, room->areas);
	region.num_caps = read_caps(r, object, room->caps, room->bodies);
	if (!r->ret)
		dfd_desc_add_region(b, &region);
}

/* Interrupts without a trigger follow from the facts. */
static void read_irq(struct reader *r, json_object *object, struct dfd_desc_builder *b)
{
	const char *trigger = reader_str(r, object, "trigger");
	uint64_t index = 0, count = 0;
	struct dfd_irq irq = { 0 };

	if (!trigger)
		return;
	reader_num(r, object, "index", DFD_MAX_IRQ_INDEX, &index);
	reader_num(r, object, "count", DFD_MAX_IRQ_COUNT, &count);
	irq.index = (uint32_t)index;
	irq.count = (uint32_t)count;
	irq.flags = (!strcmp(trigger, "level") ? DFD_IRQ_LEVEL : 0) |
		    (reader_bool(r, object, "maskable") ? DFD_IRQ_MASKABLE : 0);
	read_dt(r, object, &irq.dt);
	if (!r->ret)
		dfd_desc_add_irq(b, &irq);
}

static void read_parts(struct reader *r, json_object *object, struct room *room,
		       struct dfd_desc_builder *b)
{
	json_object *facts = reader_object(r, object, "facts"), *array;
	uint32_t count;

	if (reader_bool(r, object, "reset"))
		dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	for (int fact = 0; fact < DFD_NUM_FACTS; fact++)
		read_fact(r, facts, (enum dfd_fact)fact, b);
	count = read_caps(r, object, room->caps, room->bodies);
	for (uint32_t i = 0; i < count && !r->ret; i++)
		dfd_desc_add_cap(b, &room->caps[i]);
	array = reader_array(r, object, "regions", DFD_MAX_REGION_INDEX + 1, &count);
	for (uint32_t i = 0; i < count && !r->ret; i++)
		read_region(r, reader_item(r, array, "regions", i), room, b);
	array = reader_array(r, object, "irqs", DFD_MAX_IRQ_INDEX + 1, &count);
	for (uint32_t i = 0; i < count && !r->ret; i++)
		read_irq(r, reader_item(r, array, "irqs", i), b);
}

static const struct dfd_desc *read_desc(struct reader *r, json_object *object)
{
	const char *bus = reader_str(r, object, "bus");
	const struct dfd_desc *desc = NULL;
	struct room *room = malloc(sizeof(*room));
	struct dfd_desc_builder *b =
		dfd_desc_builder_new(bus && !strcmp(bus, "pci")	 ? DFD_BUS_PCI
				     : bus && !strcmp(bus, "dt") ? DFD_BUS_DT
								 : DFD_BUS_OTHER);
	struct dfd_error why;

	if (room && b)
		read_parts(r, object, room, b);
	else
		r->ret = dfd_error_set(r->err, -ENOMEM, "%s: out of memory", r->name);
	free(room);
	if (r->ret) {
		dfd_desc_builder_free(b);
		return NULL;
	}
	r->ret = dfd_desc_build(b, &desc, &why);
	if (r->ret)
		dfd_error_set(r->err, r->ret, "%s: item %" PRIu32 ": %s", r->name, r->item,
			      why.text);
	return desc;
}

/* ---- what it told when it was open ---- */

static void read_features(struct reader *r, json_object *object, struct replay *to)
{
	uint32_t count;
	json_object *array = reader_array(r, object, "features", DFD_FEATURE_LIMIT, &count);

	for (uint32_t i = 0; i < count && !r->ret; i++) {
		json_object *feature = reader_item(r, array, "features", i);
		uint64_t number = 0;

		reader_num(r, feature, "number", DFD_FEATURE_LIMIT - 1, &number);
		to->features[number] = (reader_bool(r, feature, "get") ? DFD_FEATURE_GET : 0) |
				       (reader_bool(r, feature, "set") ? DFD_FEATURE_SET : 0);
	}
}

static void read_irq_flags(struct reader *r, json_object *object, struct replay *to)
{
	uint32_t count;
	json_object *array = reader_array(r, object, "irq_flags", DFD_MAX_IRQ_INDEX + 1, &count);

	for (uint32_t i = 0; i < count && !r->ret; i++) {
		json_object *irq = reader_item(r, array, "irq_flags", i);
		uint64_t index = 0;

		reader_need(r, irq, "index");
		reader_num(r, irq, "index", DFD_MAX_IRQ_INDEX, &index);
		to->irq_flags[index] =
			(uint8_t)(IRQ_TOLD |
				  (reader_bool(r, irq, "eventfd") ? DFD_IRQ_HAS_EVENTFD : 0) |
				  (reader_bool(r, irq, "maskable") ? DFD_IRQ_HAS_MASK : 0) |
				  (reader_bool(r, irq, "automasked") ? DFD_IRQ_AUTOMASKS : 0) |
				  (reader_bool(r, irq, "noresize") ? DFD_IRQ_NORESIZE : 0));
	}
}

static void copy_str(struct reader *r, json_object *object, const char *key, char *to, size_t room)
{
	const char *str = reader_str(r, object, key);

	snprintf(to, room, "%s", str ? str : "");
}

static void read_hot_reset(struct reader *r, json_object *object, struct replay *to)
{
	json_object *reset = reader_object(r, object, "hot_reset"), *array;
	struct dfd_reset_device *devices;
	struct dfd_hot_reset *out;
	uint32_t count;

	array = reader_array(r, reset, "devices", DFD_MAX_MEMBERS, &count);
	if (!reset)
		return;
	to->hot_reset_size = sizeof(*out) + count * sizeof(*devices);
	out = to->hot_reset = calloc(1, to->hot_reset_size);
	if (!out) {
		r->ret = dfd_error_set(r->err, -ENOMEM, "%s: out of memory", r->name);
		return;
	}
	devices = (struct dfd_reset_device *)(out + 1);
	out->possible = reader_bool(r, reset, "possible");
	copy_str(r, reset, "why", out->why, sizeof(out->why));
	out->count = count;
	for (uint32_t i = 0; i < count && !r->ret; i++) {
		json_object *device = reader_item(r, array, "devices", i);

		copy_str(r, device, "name", devices[i].name, sizeof(devices[i].name));
		copy_str(r, device, "driver", devices[i].driver, sizeof(devices[i].driver));
		devices[i].group = reader_int(r, device, "group");
		devices[i].ours = reader_bool(r, device, "ours");
	}
}

static void read_dma(struct reader *r, json_object *object, struct replay *to)
{
	json_object *dma = reader_object(r, object, "dma"), *array;
	struct dfd_dma_limits *l = &to->dma;
	uint32_t count;

	if (!dma)
		return;
	to->has_dma = true;
	l->maps_left = l->locked = l->lockable = UINT64_MAX;
	array = reader_array(r, dma, "page_sizes", 64, &count);
	for (uint32_t i = 0; i < count; i++)
		l->page_sizes |= json_object_get_uint64(json_object_array_get_idx(array, i));
	reader_num(r, dma, "page", UINT64_MAX, &l->page);
	reader_num(r, dma, "maps_left", UINT64_MAX, &l->maps_left);
	reader_num(r, dma, "locked", UINT64_MAX, &l->locked);
	reader_num(r, dma, "lockable", UINT64_MAX, &l->lockable);
	l->lockable_by_user = reader_bool(r, dma, "lockable_by_user");
	array = reader_array(r, dma, "ranges", DFD_MAX_IOVA_RANGES, &l->num_ranges);
	for (uint32_t i = 0; i < l->num_ranges && !r->ret; i++) {
		json_object *range = reader_item(r, array, "ranges", i);

		reader_num(r, range, "start", UINT64_MAX, &l->ranges[i].start);
		reader_num(r, range, "last", UINT64_MAX, &l->ranges[i].last);
	}
}

/* ---- the device ---- */

static ssize_t replay_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			   size_t len)
{
	const struct replay *p = dfd_device_priv(dev);

	return image_read(&p->image, index, offset, buf, len);
}

/* Every direction that was found can be found again, and none can be had. */
static int replay_feature(struct dfd_device *dev, uint32_t flags, void *data, size_t len)
{
	const struct replay *p = dfd_device_priv(dev);
	uint32_t number = flags & 0xffff;
	uint32_t wanted = flags & (DFD_FEATURE_GET | DFD_FEATURE_SET);

	(void)data;
	(void)len;
	if (number >= DFD_FEATURE_LIMIT || !p->features[number])
		return -ENOTTY;
	if (wanted & ~p->features[number])
		return -EINVAL;
	return flags & DFD_FEATURE_PROBE ? 0 : -EOPNOTSUPP;
}

static int replay_irq_flags(struct dfd_device *dev, uint32_t index, uint32_t *flags)
{
	const struct replay *p = dfd_device_priv(dev);

	if (index > DFD_MAX_IRQ_INDEX || !p->irq_flags[index])
		return -EOPNOTSUPP;
	*flags = p->irq_flags[index] & ~IRQ_TOLD;
	return 0;
}

static int replay_hot_reset_info(struct dfd_device *dev, struct dfd_hot_reset **out,
				 struct dfd_error *err)
{
	const struct replay *p = dfd_device_priv(dev);

	if (!p->hot_reset)
		return dfd_error_set(err, -EOPNOTSUPP, "the dump tells of no hot reset");
	*out = malloc(p->hot_reset_size);
	if (!*out)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	memcpy(*out, p->hot_reset, p->hot_reset_size);
	(*out)->devices = (struct dfd_reset_device *)(*out + 1);
	return 0;
}

static int replay_dma_limits(struct dfd_device *dev, struct dfd_dma_limits *out)
{
	const struct replay *p = dfd_device_priv(dev);

	if (!p->has_dma)
		return -EOPNOTSUPP;
	*out = p->dma;
	return 0;
}

static void replay_free(struct replay *p)
{
	if (p)
		free(p->hot_reset);
	free(p);
}

static void replay_close(struct dfd_device *dev)
{
	replay_free(dfd_device_priv(dev));
}

static const struct dfd_device_ops replay_ops = {
	.size = sizeof(replay_ops),
	.name = "dump",
	.region_read = replay_read,
	.irq_flags = replay_irq_flags,
	.feature = replay_feature,
	.hot_reset_info = replay_hot_reset_info,
	.dma_limits = replay_dma_limits,
	.close = replay_close,
};

void dump_read_device(struct reader *r, json_object *object, struct dfd_device **out)
{
	const struct dfd_desc *desc = read_desc(r, object);
	struct replay *p = calloc(1, sizeof(*p) + IMAGE_MAX);

	if (!p && !r->ret)
		r->ret = dfd_error_set(r->err, -ENOMEM, "%s: out of memory", r->name);
	if (p && !r->ret) {
		p->image.len = reader_hex(r, object, "config_space", p->image.bytes, IMAGE_MAX);
		read_irq_flags(r, object, p);
		read_features(r, object, p);
		read_hot_reset(r, object, p);
		read_dma(r, object, p);
	}
	if (!r->ret)
		r->ret = dfd_device_new(desc, &replay_ops, p, false, out);
	if (r->ret)
		replay_free(p);
	dfd_desc_unref(desc);
}
