/* SPDX-License-Identifier: MIT */
/*
 * Building a description.
 *
 * Theory of operation: the builder owns a struct dfd_desc and fills it with deep copies. The first
 * failure sticks in `failed` and makes all later calls do nothing. dfd_desc_build() sorts and runs
 * the checks; each names the part that is wrong. Nothing else in the library checks a description
 * again: whoever holds one may rely on what is checked here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "desc/desc.h"
#include "desc/fact.h"

#define REGION_FLAGS (DFD_REGION_MAPPABLE | DFD_REGION_READ_ONLY | DFD_REGION_IOPORT)
#define IRQ_FLAGS    (DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE)
/* The VFIO capability that carries the areas: it must not come twice. */
#define REGION_INFO_CAP_SPARSE_MMAP 1

struct dfd_desc_builder {
	struct dfd_desc *desc;
	struct dfd_error failed;
};

struct dfd_desc_builder *dfd_desc_builder_new(enum dfd_bus bus)
{
	struct dfd_desc_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->desc = calloc(1, sizeof(*b->desc));
	if (!b->desc) {
		free(b);
		return NULL;
	}
	atomic_init(&b->desc->refs, 1);
	b->desc->bus = bus;
	if (bus == DFD_BUS_PCI)
		b->desc->flags = DFD_DEVICE_PCI;
	if (bus == DFD_BUS_DT)
		b->desc->flags = DFD_DEVICE_DT;
	return b;
}

void dfd_desc_builder_free(struct dfd_desc_builder *b)
{
	if (!b)
		return;
	if (b->desc)
		dfd_desc_free(b->desc);
	free(b);
}

static bool usable(const struct dfd_desc_builder *b)
{
	return b && !b->failed.code;
}

static void out_of_memory(struct dfd_desc_builder *b)
{
	dfd_error_set(&b->failed, -ENOMEM, "out of memory while describing a device");
}

/* Append a zeroed element to an array of the description; NULL sticks as the failure. */
static void *append(struct dfd_desc_builder *b, void *array, uint32_t count, size_t size)
{
	char *grown = reallocarray(array, (size_t)count + 1, size);

	if (!grown) {
		out_of_memory(b);
		return NULL;
	}
	memset(grown + (size_t)count * size, 0, size);
	return grown;
}

/* A copy of @len bytes in @room bytes, the rest 0. */
static void *copy_padded(struct dfd_desc_builder *b, const void *data, size_t len, size_t room)
{
	void *mem = calloc(1, room ? room : 1);

	if (!mem)
		out_of_memory(b);
	else if (len)
		memcpy(mem, data, len);
	return mem;
}

static void *copy(struct dfd_desc_builder *b, const void *data, size_t len)
{
	return copy_padded(b, data, len, len);
}

static const char *copy_string(struct dfd_desc_builder *b, const char *s, const char *what)
{
	size_t len = strnlen(s, DFD_MAX_STRING + 1);

	if (len > DFD_MAX_STRING) {
		dfd_error_set(&b->failed, -EINVAL, "%s is longer than %u bytes", what,
			      DFD_MAX_STRING);
		return NULL;
	}
	return copy(b, s, len + 1);
}

void dfd_desc_add_flags(struct dfd_desc_builder *b, uint32_t flags)
{
	if (!usable(b))
		return;
	if (flags & ~DFD_DEVICE_RESET) {
		dfd_error_set(&b->failed, -EINVAL,
			      "device flags 0x%x: only reset (0x%x) can be set", flags,
			      DFD_DEVICE_RESET);
		return;
	}
	b->desc->flags |= flags;
}

void dfd_desc_set_num(struct dfd_desc_builder *b, enum dfd_fact fact, uint64_t value)
{
	if (!usable(b))
		return;
	if (fact >= DFD_NUM_FACTS || dfd_fact_infos[fact].kind == DFD_FACT_STR) {
		dfd_error_set(&b->failed, -EINVAL, "fact %u is not a number", (unsigned int)fact);
		return;
	}
	b->desc->facts[fact].num = value;
	b->desc->known |= UINT32_C(1) << fact;
}

void dfd_desc_set_str(struct dfd_desc_builder *b, enum dfd_fact fact, const char *value)
{
	const char *mine;

	if (!usable(b))
		return;
	if (fact >= DFD_NUM_FACTS || dfd_fact_infos[fact].kind != DFD_FACT_STR) {
		dfd_error_set(&b->failed, -EINVAL, "fact %u is not a string", (unsigned int)fact);
		return;
	}
	mine = copy_string(b, value, dfd_fact_infos[fact].meaning);
	if (!mine)
		return;
	free(b->desc->facts[fact].str);
	b->desc->facts[fact].str = (char *)(uintptr_t)mine;
	b->desc->known |= UINT32_C(1) << fact;
}

/* On failure the copy is left empty, so that freeing the description is always right. */
static void copy_dt(struct dfd_desc_builder *b, struct dfd_dt_ref *to,
		    const struct dfd_dt_ref *from)
{
	*to = (struct dfd_dt_ref){ 0 };
	if (!from->path)
		return;
	to->path = copy_string(b, from->path, "a device-tree path");
	to->prop_type = from->prop_type;
	to->prop_index = from->prop_index;
}

static void copy_cap(struct dfd_desc_builder *b, struct dfd_cap *to, const struct dfd_cap *from)
{
	*to = *from;
	to->data = NULL;
	if (from->size > DFD_MAX_CAP_SIZE) {
		dfd_error_set(&b->failed, -EINVAL, "capability %u: %" PRIu32 " bytes, at most %u",
			      from->id, from->size, DFD_MAX_CAP_SIZE);
		return;
	}
	to->size = (from->size + 7) & ~UINT32_C(7);
	to->data = copy_padded(b, from->data, from->size, to->size);
}

static void copy_caps(struct dfd_desc_builder *b, struct dfd_region *to,
		      const struct dfd_region *from)
{
	struct dfd_cap *caps;

	to->caps = NULL;
	to->num_caps = 0;
	if (!from->num_caps || b->failed.code)
		return;
	if (from->num_caps > DFD_MAX_CAPS) {
		dfd_error_set(&b->failed, -EINVAL, "region %" PRIu32 ": more than %u capabilities",
			      from->index, DFD_MAX_CAPS);
		return;
	}
	caps = calloc(from->num_caps, sizeof(*caps));
	if (!caps) {
		out_of_memory(b);
		return;
	}
	to->caps = caps;
	while (to->num_caps < from->num_caps && !b->failed.code) {
		copy_cap(b, &caps[to->num_caps], &from->caps[to->num_caps]);
		to->num_caps++;
	}
}

static void copy_areas(struct dfd_desc_builder *b, struct dfd_region *to,
		       const struct dfd_region *from)
{
	to->areas = NULL;
	to->num_areas = 0;
	if (!from->num_areas || b->failed.code)
		return;
	if (from->num_areas > DFD_MAX_AREAS) {
		dfd_error_set(&b->failed, -EINVAL,
			      "region %" PRIu32 ": more than %u mappable areas", from->index,
			      DFD_MAX_AREAS);
		return;
	}
	to->areas = copy(b, from->areas, from->num_areas * sizeof(*from->areas));
	if (to->areas)
		to->num_areas = from->num_areas;
}

void dfd_desc_add_region(struct dfd_desc_builder *b, const struct dfd_region *region)
{
	struct dfd_region *grown, *r;

	if (!usable(b))
		return;
	grown = append(b, b->desc->regions, b->desc->num_regions, sizeof(*grown));
	if (!grown)
		return;
	b->desc->regions = grown;
	r = &grown[b->desc->num_regions++];
	*r = *region;
	copy_dt(b, &r->dt, &region->dt);
	copy_areas(b, r, region);
	copy_caps(b, r, region);
	if (!r->offset)
		r->offset = ((uint64_t)r->index + 1) << DFD_REGION_SHIFT;
}

void dfd_desc_add_irq(struct dfd_desc_builder *b, const struct dfd_irq *irq)
{
	struct dfd_irq *grown, *i;

	if (!usable(b))
		return;
	grown = append(b, b->desc->irqs, b->desc->num_irqs, sizeof(*grown));
	if (!grown)
		return;
	b->desc->irqs = grown;
	i = &grown[b->desc->num_irqs++];
	*i = *irq;
	copy_dt(b, &i->dt, &irq->dt);
}

void dfd_desc_add_cap(struct dfd_desc_builder *b, const struct dfd_cap *cap)
{
	struct dfd_cap *grown;

	if (!usable(b))
		return;
	if (b->desc->num_caps == DFD_MAX_CAPS) {
		dfd_error_set(&b->failed, -EINVAL, "more than %u capabilities of the device",
			      DFD_MAX_CAPS);
		return;
	}
	grown = append(b, b->desc->caps, b->desc->num_caps, sizeof(*grown));
	if (!grown)
		return;
	b->desc->caps = grown;
	copy_cap(b, &grown[b->desc->num_caps++], cap);
}

/* ---- checks ---- */

static int check_dt(const struct dfd_dt_ref *dt, const char *what, uint32_t index,
		    struct dfd_error *err)
{
	if (!dt->path)
		return 0;
	if (dt->path[0] != '/')
		return dfd_error_set(err, -EINVAL,
				     "%s %" PRIu32
				     ": device-tree path \"%s\" does not start with /",
				     what, index, dt->path);
	if (dt->prop_type < DFD_DT_REG || dt->prop_type > DFD_DT_INTERRUPT_MAP)
		return dfd_error_set(err, -EINVAL,
				     "%s %" PRIu32 ": device-tree property type %" PRIu32
				     " is not 1 to 4",
				     what, index, dt->prop_type);
	return 0;
}

static int check_areas(const struct dfd_region *r, struct dfd_error *err)
{
	uint64_t end = 0;

	if (r->num_areas && !(r->flags & DFD_REGION_MAPPABLE))
		return dfd_error_set(err, -EINVAL,
				     "region %" PRIu32 ": has mappable areas but is not mappable",
				     r->index);
	for (uint32_t i = 0; i < r->num_areas; i++) {
		const struct dfd_area *a = &r->areas[i];

		if (!a->size || a->offset > r->size || a->size > r->size - a->offset)
			return dfd_error_set(err, -EINVAL,
					     "region %" PRIu32 ": mappable area %" PRIu32
					     " (0x%" PRIx64 ", 0x%" PRIx64
					     " bytes) is not inside 0x%" PRIx64 " bytes",
					     r->index, i, a->offset, a->size, r->size);
		if (a->offset < end)
			return dfd_error_set(err, -EINVAL,
					     "region %" PRIu32 ": mappable area %" PRIu32
					     " starts before the end of the one before",
					     r->index, i);
		end = a->offset + a->size;
	}
	return 0;
}

static int check_region(const struct dfd_desc *d, const struct dfd_region *r, struct dfd_error *err)
{
	const uint64_t window = UINT64_C(1) << DFD_REGION_SHIFT;
	int ret;

	if (r->index > DFD_MAX_REGION_INDEX)
		return dfd_error_set(err, -EINVAL, "region %" PRIu32 ": the highest index is %u",
				     r->index, DFD_MAX_REGION_INDEX);
	if (!r->size || r->size > window)
		return dfd_error_set(err, -EINVAL,
				     "region %" PRIu32 ": size 0x%" PRIx64
				     " is not 1 to 0x%" PRIx64,
				     r->index, r->size, window);
	if (r->offset > (uint64_t)INT64_MAX - r->size)
		return dfd_error_set(err, -EINVAL,
				     "region %" PRIu32 ": offset 0x%" PRIx64
				     " is past the end of any file",
				     r->index, r->offset);
	if (r->flags & ~REGION_FLAGS)
		return dfd_error_set(err, -EINVAL, "region %" PRIu32 ": unknown flags 0x%" PRIx32,
				     r->index, r->flags & ~REGION_FLAGS);
	if (d->bus == DFD_BUS_PCI && r->index == DFD_PCI_CONFIG && (r->flags & DFD_REGION_MAPPABLE))
		return dfd_error_set(err, -EINVAL,
				     "region 7: configuration space cannot be mapped");
	if (d->bus == DFD_BUS_PCI && (r->flags & DFD_REGION_IOPORT) && r->index >= DFD_PCI_ROM)
		return dfd_error_set(err, -EINVAL,
				     "region %" PRIu32 ": only BARs 0 to 5 can be I/O ports",
				     r->index);
	for (uint32_t i = 0; i < r->num_caps; i++) {
		if (r->caps[i].id == REGION_INFO_CAP_SPARSE_MMAP)
			return dfd_error_set(err, -EINVAL,
					     "region %" PRIu32
					     ": mappable areas must not come as a capability",
					     r->index);
	}
	ret = check_areas(r, err);
	return ret ? ret : check_dt(&r->dt, "region", r->index, err);
}

static int check_irq(const struct dfd_desc *d, const struct dfd_irq *irq, struct dfd_error *err)
{
	if (irq->index > DFD_MAX_IRQ_INDEX)
		return dfd_error_set(err, -EINVAL, "interrupt %" PRIu32 ": the highest index is %u",
				     irq->index, DFD_MAX_IRQ_INDEX);
	if (d->bus == DFD_BUS_PCI && (irq->index || irq->count != 1))
		return dfd_error_set(err, -EINVAL,
				     "interrupt %" PRIu32 ": PCI has one wired interrupt, 0 (INTx)",
				     irq->index);
	if (!irq->count || irq->count > DFD_MAX_IRQ_COUNT)
		return dfd_error_set(err, -EINVAL,
				     "interrupt %" PRIu32 ": count %" PRIu32 " is not 1 to %u",
				     irq->index, irq->count, DFD_MAX_IRQ_COUNT);
	if (irq->flags & ~IRQ_FLAGS)
		return dfd_error_set(err, -EINVAL,
				     "interrupt %" PRIu32 ": unknown flags 0x%" PRIx32, irq->index,
				     irq->flags & ~IRQ_FLAGS);
	return check_dt(&irq->dt, "interrupt", irq->index, err);
}

static int check_facts(const struct dfd_desc *d, struct dfd_error *err)
{
	for (int f = 0; f < DFD_NUM_FACTS; f++) {
		const struct dfd_fact_info *info = &dfd_fact_infos[f];
		uint64_t value, max = UINT64_MAX;

		if (!dfd_desc_num(d, (enum dfd_fact)f, &value))
			continue;
		if (dfd_fact_topic((enum dfd_fact)f) == DFD_TOPIC_MESSAGE_IRQ ||
		    dfd_fact_topic((enum dfd_fact)f) == DFD_TOPIC_NOTIFY_IRQ)
			max = f == DFD_FACT_MSI_VECTORS	   ? 32
			      : f == DFD_FACT_MSIX_VECTORS ? DFD_MAX_IRQ_COUNT
							   : 1;
		else if (info->config_width)
			max = (UINT64_C(1) << (8 * info->config_width)) - 1;
		else if (info->tell != DFD_TELL_YES)
			max = INT32_MAX - 1; /* what CHECK_EXTENSION can answer */
		if (value > max || (!value && info->tell == DFD_TELL_VALUE))
			return dfd_error_set(err, -EINVAL, "%s: %" PRIu64 " is not %d to %" PRIu64,
					     info->meaning, value, info->tell == DFD_TELL_VALUE,
					     max);
		if (d->bus != DFD_BUS_PCI && (info->config_width || max <= DFD_MAX_IRQ_COUNT))
			return dfd_error_set(err, -EINVAL, "%s: only a PCI function has that",
					     info->meaning);
	}
	return 0;
}

/*
 * Windows must be apart whatever the indexes. Regions are in the order of their indexes here, and
 * at most DFD_MAX_REGION_INDEX + 1 unless one comes twice.
 */
static int check_windows(const struct dfd_desc *d, struct dfd_error *err)
{
	for (uint32_t i = 0; i < d->num_regions; i++) {
		for (uint32_t k = i + 1; k < d->num_regions; k++) {
			const struct dfd_region *a = &d->regions[i], *b = &d->regions[k];

			if (a->index == b->index)
				return dfd_error_set(err, -EINVAL,
						     "region %" PRIu32 ": described twice",
						     a->index);
			if (a->offset < b->offset + b->size && b->offset < a->offset + a->size)
				return dfd_error_set(err, -EINVAL,
						     "regions %" PRIu32 " and %" PRIu32
						     " overlap in the file",
						     a->index, b->index);
		}
	}
	return 0;
}

static uint64_t dt_details(const struct dfd_dt_ref *dt)
{
	return dt->path ? strlen(dt->path) + 24 : 0;
}

static uint64_t cap_details(const struct dfd_cap *caps, uint32_t count)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += caps[i].size + 24;
	return bytes;
}

/* Whoever takes a description from elsewhere has a limit of memory: the same for all. */
static int check_details(const struct dfd_desc *d, struct dfd_error *err)
{
	uint64_t bytes = cap_details(d->caps, d->num_caps);

	for (uint32_t i = 0; i < d->num_regions; i++)
		bytes += dt_details(&d->regions[i].dt) + 16 * d->regions[i].num_areas +
			 cap_details(d->regions[i].caps, d->regions[i].num_caps);
	for (uint32_t i = 0; i < d->num_irqs; i++)
		bytes += dt_details(&d->irqs[i].dt);
	if (bytes > DFD_MAX_DETAILS)
		return dfd_error_set(err, -EINVAL,
				     "%" PRIu64
				     " bytes of paths, areas and capabilities are more than %u",
				     bytes, DFD_MAX_DETAILS);
	return 0;
}

static int check(const struct dfd_desc *d, struct dfd_error *err)
{
	int ret;

	if (d->bus > DFD_BUS_DT)
		return dfd_error_set(err, -EINVAL, "bus %u is not known", (unsigned int)d->bus);
	ret = check_details(d, err);

	for (uint32_t i = 0; i < d->num_regions && !ret; i++)
		ret = check_region(d, &d->regions[i], err);
	for (uint32_t i = 0; i < d->num_irqs && !ret; i++) {
		ret = check_irq(d, &d->irqs[i], err);
		if (!ret && i && d->irqs[i].index == d->irqs[i - 1].index)
			ret = dfd_error_set(err, -EINVAL, "interrupt %" PRIu32 ": described twice",
					    d->irqs[i].index);
	}
	if (!ret)
		ret = check_windows(d, err);
	return ret ? ret : check_facts(d, err);
}

static int by_region_index(const void *a, const void *b)
{
	uint32_t x = ((const struct dfd_region *)a)->index,
		 y = ((const struct dfd_region *)b)->index;

	return (x > y) - (x < y);
}

static int by_irq_index(const void *a, const void *b)
{
	uint32_t x = ((const struct dfd_irq *)a)->index, y = ((const struct dfd_irq *)b)->index;

	return (x > y) - (x < y);
}

int dfd_desc_build(struct dfd_desc_builder *b, const struct dfd_desc **out, struct dfd_error *err)
{
	int ret;

	if (!b)
		return dfd_error_set(err, -ENOMEM, "out of memory while describing a device");
	if (b->failed.code) {
		ret = dfd_error_set(err, b->failed.code, "%s", b->failed.text);
	} else {
		if (b->desc->num_regions)
			qsort(b->desc->regions, b->desc->num_regions, sizeof(*b->desc->regions),
			      by_region_index);
		if (b->desc->num_irqs)
			qsort(b->desc->irqs, b->desc->num_irqs, sizeof(*b->desc->irqs),
			      by_irq_index);
		ret = check(b->desc, err);
	}
	if (!ret) {
		*out = b->desc;
		b->desc = NULL;
	}
	dfd_desc_builder_free(b);
	return ret;
}
