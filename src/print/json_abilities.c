/* SPDX-License-Identifier: MIT */
/* What an open device can do beyond its description, as JSON. */
#include <stdlib.h>

#include <devfd/feature.h>
#include <devfd/iommu.h>
#include <devfd/reset.h>

#include "print/json_abilities.h"

/** struct features - @array: NULL until there is one */
struct features {
	struct dfd_put *put;
	json_object *array;
};

static int put_feature(void *ctx, uint32_t number, uint32_t directions)
{
	struct features *f = ctx;
	json_object *feature = json_object_new_object();
	const char *name = dfd_feature_name(number);

	if (!f->array)
		f->array = json_object_new_array();
	dfd_put_num(f->put, feature, "number", number);
	if (name)
		dfd_put_str(f->put, feature, "name", name);
	dfd_put_bool(f->put, feature, "get", directions & DFD_FEATURE_GET);
	dfd_put_bool(f->put, feature, "set", directions & DFD_FEATURE_SET);
	dfd_put_item(f->put, f->array, feature);
	return 0;
}

static void put_irqs(struct dfd_put *put, json_object *object, struct dfd_device *dev)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	json_object *irqs = NULL;
	uint32_t flags;

	for (uint32_t i = 0; i < dfd_desc_irq_limit(desc); i++) {
		json_object *irq;

		if (!dfd_desc_vectors(desc, i) || dfd_irq_flags(dev, i, &flags))
			continue;
		if (!irqs)
			irqs = json_object_new_array();
		irq = json_object_new_object();
		dfd_put_num(put, irq, "index", i);
		dfd_put_bool(put, irq, "eventfd", flags & DFD_IRQ_HAS_EVENTFD);
		dfd_put_bool(put, irq, "maskable", flags & DFD_IRQ_HAS_MASK);
		dfd_put_bool(put, irq, "automasked", flags & DFD_IRQ_AUTOMASKS);
		dfd_put_bool(put, irq, "noresize", flags & DFD_IRQ_NORESIZE);
		dfd_put_item(put, irqs, irq);
	}
	if (irqs)
		dfd_put(put, object, "irq_flags", irqs);
}

static void put_hot_reset(struct dfd_put *put, json_object *object, struct dfd_device *dev)
{
	json_object *reset, *devices;
	struct dfd_hot_reset *r;

	if (dfd_hot_reset_info(dev, &r, NULL))
		return;
	reset = json_object_new_object();
	devices = json_object_new_array();
	dfd_put_bool(put, reset, "possible", r->possible);
	if (!r->possible)
		dfd_put_str(put, reset, "why", r->why);
	for (uint32_t i = 0; i < r->count; i++) {
		const struct dfd_reset_device *d = &r->devices[i];
		json_object *device = json_object_new_object();

		dfd_put_str(put, device, "name", d->name);
		if (*d->driver)
			dfd_put_str(put, device, "driver", d->driver);
		if (d->group >= 0)
			dfd_put_num(put, device, "group", (uint64_t)d->group);
		dfd_put_bool(put, device, "ours", d->ours);
		dfd_put_item(put, devices, device);
	}
	dfd_put(put, reset, "devices", devices);
	dfd_put(put, object, "hot_reset", reset);
	free(r);
}

static void put_dma(struct dfd_put *put, json_object *object, struct dfd_device *dev)
{
	json_object *dma, *ranges, *sizes;
	struct dfd_dma_limits l;

	if (dfd_dma_limits(dev, &l))
		return;
	dma = json_object_new_object();
	ranges = json_object_new_array();
	sizes = json_object_new_array();
	dfd_put_num(put, dma, "page", l.page);
	for (uint64_t left = l.page_sizes; left; left &= left - 1)
		dfd_put_item(put, sizes, json_object_new_uint64(left & -left));
	dfd_put(put, dma, "page_sizes", sizes);
	if (l.maps_left != UINT64_MAX)
		dfd_put_num(put, dma, "maps_left", l.maps_left);
	if (l.locked != UINT64_MAX)
		dfd_put_num(put, dma, "locked", l.locked);
	if (l.lockable != UINT64_MAX)
		dfd_put_num(put, dma, "lockable", l.lockable);
	dfd_put_bool(put, dma, "lockable_by_user", l.lockable_by_user);
	for (uint32_t i = 0; i < l.num_ranges; i++) {
		json_object *range = json_object_new_object();

		dfd_put_num(put, range, "start", l.ranges[i].start);
		dfd_put_num(put, range, "last", l.ranges[i].last);
		dfd_put_item(put, ranges, range);
	}
	dfd_put(put, dma, "ranges", ranges);
	dfd_put(put, object, "dma", dma);
}

void dfd_put_abilities(struct dfd_put *put, json_object *object, struct dfd_device *dev)
{
	struct features f = { .put = put };

	dfd_feature_probe(dev, put_feature, &f);
	if (f.array)
		dfd_put(put, object, "features", f.array);
	put_irqs(put, object, dev);
	put_hot_reset(put, object, dev);
	put_dma(put, object, dev);
}
