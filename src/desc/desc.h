/* SPDX-License-Identifier: MIT */
/* The inside of a description, for src/desc/ alone. */
#ifndef DESC_DESC_H
#define DESC_DESC_H

#include <stdatomic.h>

#include <devfd/desc.h>

/** union fact_value - DFD_FACTS kinds NUM and HEX use @num, STR uses @str */
union fact_value {
	uint64_t num;
	char *str;
};

/*
 * Arrays are sorted by index. Every pointer inside is memory of its own, so that a description can
 * be built from parts that the caller throws away.
 */
struct dfd_desc {
	atomic_uint refs;
	enum dfd_bus bus;
	uint32_t flags;
	struct dfd_region *regions;
	struct dfd_irq *irqs;
	struct dfd_cap *caps;
	uint32_t num_regions, num_irqs, num_caps;
	uint32_t known; /* bit f: fact f has a value */
	union fact_value facts[DFD_NUM_FACTS];
};

_Static_assert(DFD_NUM_FACTS <= 32, "struct dfd_desc.known has a bit for each fact");

/** dfd_desc_free() - free a description and all its parts */
void dfd_desc_free(struct dfd_desc *desc);

#endif
