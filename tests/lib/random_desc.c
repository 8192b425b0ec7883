/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "desc/fact.h"
#include "random_desc.h"

uint64_t dfd_random(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t dfd_random_below(uint64_t *seed, uint32_t n)
{
	return (uint32_t)(dfd_random(seed) >> 32) % n;
}

static bool one_in(uint64_t *seed, uint32_t n)
{
	return dfd_random_below(seed, n) == 0;
}

/* Strings of every length up to the limit, mostly short. */
static const char *random_string(uint64_t *seed, char *buf, const char *prefix)
{
	uint32_t max = one_in(seed, 50) ? DFD_MAX_STRING : 40;
	uint32_t len = dfd_random_below(seed, max), n = 0;

	while (*prefix)
		buf[n++] = *prefix++;
	while (n < len)
		buf[n++] = (char)('!' + dfd_random_below(seed, 94));
	buf[n] = 0;
	return buf;
}

static struct dfd_dt_ref random_dt(uint64_t *seed, char *path, uint32_t prop)
{
	return (struct dfd_dt_ref){ .path = random_string(seed, path, "/soc/"),
				    .prop_type = prop + dfd_random_below(seed, 2),
				    .prop_index = dfd_random_below(seed, 8) };
}

static uint32_t random_areas(uint64_t *seed, uint64_t size, struct dfd_area *areas)
{
	uint64_t pos = 0;
	uint32_t n = 0, max = one_in(seed, 20) ? DFD_MAX_AREAS : 3;

	while (n < max) {
		uint64_t gap = dfd_random_below(seed, 4), len = 1 + dfd_random_below(seed, 4);

		if (pos + (gap + len) * 0x1000 > size)
			break;
		areas[n++] = (struct dfd_area){ pos + gap * 0x1000, len * 0x1000 };
		pos += (gap + len) * 0x1000;
	}
	return n;
}

/* Never the capability that carries the areas (1). */
static struct dfd_cap random_cap(uint64_t *seed)
{
	static uint8_t data[128];
	uint32_t shift = dfd_random_below(seed, 64);

	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37);
	return (struct dfd_cap){ .id = (uint16_t)(2 + dfd_random_below(seed, 0xfffd)),
				 .version = (uint16_t)dfd_random_below(seed, 3),
				 .size = dfd_random_below(seed, 64),
				 .data = data + shift };
}

static uint32_t region_flags(uint64_t *seed, enum dfd_bus bus, uint32_t index)
{
	uint32_t flags = dfd_random_below(seed, 8);

	if (bus == DFD_BUS_PCI && index == DFD_PCI_CONFIG)
		flags &= ~DFD_REGION_MAPPABLE;
	if (bus == DFD_BUS_PCI && index >= DFD_PCI_ROM)
		flags &= ~DFD_REGION_IOPORT;
	return flags;
}

static void add_region(struct dfd_desc_builder *b, enum dfd_bus bus, uint32_t index, uint64_t *seed)
{
	struct dfd_region r = { .index = index, .flags = region_flags(seed, bus, index) };
	struct dfd_area areas[DFD_MAX_AREAS];
	struct dfd_cap caps[3];
	char path[DFD_MAX_STRING + 1];

	r.size = 1 + (dfd_random(seed) >> (24 + dfd_random_below(seed, 40)));
	if (one_in(seed, 2))
		r.size = UINT64_C(1) << dfd_random_below(seed, DFD_REGION_SHIFT + 1);
	if (one_in(seed, 4)) /* an unusual place, apart from all others */
		r.offset = (UINT64_C(2000) + index) << DFD_REGION_SHIFT;
	if (one_in(seed, 2)) {
		r.has_phys = true;
		r.phys_addr = dfd_random(seed) >> dfd_random_below(seed, 40);
	}
	if (bus == DFD_BUS_DT ? !one_in(seed, 4) : one_in(seed, 20))
		r.dt = random_dt(seed, path, DFD_DT_REG);
	if ((r.flags & DFD_REGION_MAPPABLE) && one_in(seed, 2)) {
		r.num_areas = random_areas(seed, r.size, areas);
		r.areas = areas;
	}
	r.num_caps = one_in(seed, 3) ? dfd_random_below(seed, 4) : 0;
	r.caps = caps;
	for (uint32_t i = 0; i < r.num_caps; i++)
		caps[i] = random_cap(seed);
	dfd_desc_add_region(b, &r);
}

static void add_regions(struct dfd_desc_builder *b, enum dfd_bus bus, uint64_t *seed)
{
	if (bus == DFD_BUS_PCI) {
		for (uint32_t i = 0; i < DFD_PCI_NUM_REGIONS; i++) {
			if (i == DFD_PCI_CONFIG || one_in(seed, 2))
				add_region(b, bus, i, seed);
		}
		if (one_in(seed, 4))
			add_region(b, bus, 9 + dfd_random_below(seed, 1015), seed);
		return;
	}
	for (uint32_t n = dfd_random_below(seed, 5), i = 0; n; n--, i++)
		add_region(b, bus, i += one_in(seed, 5), seed);
}

static void add_irqs(struct dfd_desc_builder *b, enum dfd_bus bus, uint64_t *seed)
{
	char path[DFD_MAX_STRING + 1];
	uint32_t n = bus == DFD_BUS_PCI ? dfd_random_below(seed, 2) : dfd_random_below(seed, 4);

	for (uint32_t i = 0; n; n--, i++) {
		struct dfd_irq irq = { .count = 1, .flags = dfd_random_below(seed, 4) };

		if (bus != DFD_BUS_PCI && one_in(seed, 5))
			i++; /* a number that is not in use */
		irq.index = i;
		if (bus != DFD_BUS_PCI && one_in(seed, 4))
			irq.count += dfd_random_below(seed, DFD_MAX_IRQ_COUNT);
		if (bus == DFD_BUS_DT ? !one_in(seed, 4) : one_in(seed, 20))
			irq.dt = random_dt(seed, path, DFD_DT_INTERRUPTS);
		dfd_desc_add_irq(b, &irq);
	}
}

/* One more than the largest value that such a fact can have. */
static uint64_t fact_range(enum dfd_fact fact)
{
	if (fact == DFD_FACT_MSI_VECTORS)
		return 33;
	if (fact == DFD_FACT_MSIX_VECTORS)
		return DFD_MAX_IRQ_COUNT + 1;
	if (dfd_fact_topic(fact) == DFD_TOPIC_NOTIFY_IRQ)
		return 2;
	if (dfd_fact_infos[fact].config_width)
		return UINT64_C(1) << (8 * dfd_fact_infos[fact].config_width);
	return dfd_fact_infos[fact].tell == DFD_TELL_YES ? UINT64_MAX : INT32_MAX;
}

static bool needs_pci(enum dfd_fact fact)
{
	enum dfd_topic topic = dfd_fact_topic(fact);

	return dfd_fact_infos[fact].config_width || topic == DFD_TOPIC_MESSAGE_IRQ ||
	       topic == DFD_TOPIC_NOTIFY_IRQ;
}

static void set_facts(struct dfd_desc_builder *b, enum dfd_bus bus, uint64_t *seed)
{
	char buf[DFD_MAX_STRING + 1];

	for (int f = 0; f < DFD_NUM_FACTS; f++) {
		enum dfd_fact fact = (enum dfd_fact)f;
		uint64_t least = dfd_fact_infos[f].tell == DFD_TELL_VALUE;

		if (one_in(seed, 2) || (bus != DFD_BUS_PCI && needs_pci(fact)))
			continue;
		if (dfd_fact_infos[f].kind == DFD_FACT_STR)
			dfd_desc_set_str(b, fact, random_string(seed, buf, ""));
		else
			dfd_desc_set_num(b, fact,
					 least + dfd_random(seed) % (fact_range(fact) - least));
	}
}

const struct dfd_desc *dfd_random_desc(uint64_t seed)
{
	enum dfd_bus bus = (enum dfd_bus)dfd_random_below(&seed, 3);
	struct dfd_desc_builder *b = dfd_desc_builder_new(bus);
	const struct dfd_desc *desc = NULL;
	struct dfd_error err;

	if (one_in(&seed, 2))
		dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	set_facts(b, bus, &seed);
	add_regions(b, bus, &seed);
	add_irqs(b, bus, &seed);
	for (uint32_t n = one_in(&seed, 3) ? dfd_random_below(&seed, 4) : 0; n; n--) {
		struct dfd_cap cap = random_cap(&seed);

		dfd_desc_add_cap(b, &cap);
	}
	if (dfd_desc_build(b, &desc, &err)) {
		fprintf(stderr, "the generator made an impossible description: %s\n", err.text);
		abort();
	}
	return desc;
}
