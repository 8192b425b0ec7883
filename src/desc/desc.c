/* SPDX-License-Identifier: MIT */
/* Look-ups in a finished description. */
#include <stdlib.h>

#include "desc/desc.h"
#include "desc/fact.h"

const struct dfd_fact_info dfd_fact_infos[DFD_NUM_FACTS] = {
#define FACT_INFO(name, num, kind_, tell_, sysfs_, offset, width, key_, meaning_)                  \
	[DFD_FACT_##name] = { .number = (num),                                                     \
			      .kind = DFD_FACT_##kind_,                                            \
			      .tell = DFD_TELL_##tell_,                                            \
			      .sysfs = (sysfs_),                                                   \
			      .config_offset = (offset),                                           \
			      .config_width = (width),                                             \
			      .key = (key_),                                                       \
			      .meaning = (meaning_) },
	DFD_FACTS(FACT_INFO)
#undef FACT_INFO
};

int dfd_fact_by_number(uint32_t number)
{
	for (int i = 0; i < DFD_NUM_FACTS; i++) {
		if (dfd_fact_infos[i].number == number)
			return i;
	}
	return -1;
}

enum dfd_topic dfd_fact_topic(enum dfd_fact fact)
{
	if (fact == DFD_FACT_MSI_VECTORS || fact == DFD_FACT_MSIX_VECTORS)
		return DFD_TOPIC_MESSAGE_IRQ;
	if (fact == DFD_FACT_ERR_VECTORS || fact == DFD_FACT_REQ_VECTORS)
		return DFD_TOPIC_NOTIFY_IRQ;
	if (dfd_fact_infos[fact].config_width)
		return DFD_TOPIC_IDENTITY;
	return dfd_fact_infos[fact].tell == DFD_TELL_YES ? DFD_TOPIC_STRING : DFD_TOPIC_NUMBER;
}

static void free_caps(struct dfd_cap *caps, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		free((void *)(uintptr_t)caps[i].data);
	free(caps);
}

void dfd_desc_free(struct dfd_desc *desc)
{
	for (uint32_t i = 0; i < desc->num_regions; i++) {
		struct dfd_region *r = &desc->regions[i];

		free((void *)(uintptr_t)r->dt.path);
		free((void *)(uintptr_t)r->areas);
		free_caps((struct dfd_cap *)(uintptr_t)r->caps, r->num_caps);
	}
	free(desc->regions);
	for (uint32_t i = 0; i < desc->num_irqs; i++)
		free((void *)(uintptr_t)desc->irqs[i].dt.path);
	free(desc->irqs);
	free_caps(desc->caps, desc->num_caps);
	for (int f = 0; f < DFD_NUM_FACTS; f++) {
		if (dfd_fact_infos[f].kind == DFD_FACT_STR)
			free(desc->facts[f].str);
	}
	free(desc);
}

const struct dfd_desc *dfd_desc_ref(const struct dfd_desc *desc)
{
	/* The reference count is the one part of a description that changes. */
	atomic_fetch_add(&((struct dfd_desc *)(uintptr_t)desc)->refs, 1);
	return desc;
}

void dfd_desc_unref(const struct dfd_desc *desc)
{
	struct dfd_desc *d = (struct dfd_desc *)(uintptr_t)desc;

	if (d && atomic_fetch_sub(&d->refs, 1) == 1)
		dfd_desc_free(d);
}

enum dfd_bus dfd_desc_bus(const struct dfd_desc *desc)
{
	return desc->bus;
}

uint32_t dfd_desc_flags(const struct dfd_desc *desc)
{
	return desc->flags;
}

static bool knows(const struct dfd_desc *desc, enum dfd_fact fact)
{
	return fact < DFD_NUM_FACTS && (desc->known >> fact & 1);
}

bool dfd_desc_num(const struct dfd_desc *desc, enum dfd_fact fact, uint64_t *value)
{
	if (!knows(desc, fact) || dfd_fact_infos[fact].kind == DFD_FACT_STR)
		return false;
	if (value)
		*value = desc->facts[fact].num;
	return true;
}

const char *dfd_desc_str(const struct dfd_desc *desc, enum dfd_fact fact)
{
	if (!knows(desc, fact) || dfd_fact_infos[fact].kind != DFD_FACT_STR)
		return NULL;
	return desc->facts[fact].str;
}

const struct dfd_region *dfd_desc_regions(const struct dfd_desc *desc, uint32_t *count)
{
	*count = desc->num_regions;
	return desc->regions;
}

const struct dfd_region *dfd_desc_region(const struct dfd_desc *desc, uint32_t index)
{
	for (uint32_t i = 0; i < desc->num_regions && desc->regions[i].index <= index; i++) {
		if (desc->regions[i].index == index)
			return &desc->regions[i];
	}
	return NULL;
}

const struct dfd_irq *dfd_desc_irqs(const struct dfd_desc *desc, uint32_t *count)
{
	*count = desc->num_irqs;
	return desc->irqs;
}

const struct dfd_irq *dfd_desc_irq(const struct dfd_desc *desc, uint32_t index)
{
	for (uint32_t i = 0; i < desc->num_irqs && desc->irqs[i].index <= index; i++) {
		if (desc->irqs[i].index == index)
			return &desc->irqs[i];
	}
	return NULL;
}

const struct dfd_cap *dfd_desc_caps(const struct dfd_desc *desc, uint32_t *count)
{
	*count = desc->num_caps;
	return desc->caps;
}

uint32_t dfd_desc_vectors(const struct dfd_desc *desc, uint32_t index)
{
	static const enum dfd_fact messages[DFD_PCI_NUM_IRQS] = {
		[DFD_PCI_MSI] = DFD_FACT_MSI_VECTORS,
		[DFD_PCI_MSIX] = DFD_FACT_MSIX_VECTORS,
		[DFD_PCI_ERR] = DFD_FACT_ERR_VECTORS,
		[DFD_PCI_REQ] = DFD_FACT_REQ_VECTORS,
	};
	const struct dfd_irq *irq;
	uint64_t count = 0;

	if (desc->bus == DFD_BUS_PCI && index != DFD_PCI_INTX) {
		if (index < DFD_PCI_NUM_IRQS)
			dfd_desc_num(desc, messages[index], &count);
		return (uint32_t)count;
	}
	irq = dfd_desc_irq(desc, index);
	return irq ? irq->count : 0;
}

uint32_t dfd_desc_region_limit(const struct dfd_desc *desc)
{
	uint32_t limit = desc->num_regions ? desc->regions[desc->num_regions - 1].index + 1 : 0;

	if (desc->bus == DFD_BUS_PCI && limit < DFD_PCI_NUM_REGIONS)
		return DFD_PCI_NUM_REGIONS;
	return limit;
}

uint32_t dfd_desc_irq_limit(const struct dfd_desc *desc)
{
	if (desc->bus == DFD_BUS_PCI)
		return DFD_PCI_NUM_IRQS;
	return desc->num_irqs ? desc->irqs[desc->num_irqs - 1].index + 1 : 0;
}
