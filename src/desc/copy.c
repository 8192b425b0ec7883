/* SPDX-License-Identifier: MIT */
#include "desc/copy.h"

void dfd_desc_copy_rest(struct dfd_desc_builder *b, const struct dfd_desc *desc)
{
	uint32_t irqs, caps;
	const struct dfd_irq *irq = dfd_desc_irqs(desc, &irqs);
	const struct dfd_cap *cap = dfd_desc_caps(desc, &caps);
	uint64_t value;

	dfd_desc_add_flags(b, dfd_desc_flags(desc) & DFD_DEVICE_RESET);
	for (uint32_t i = 0; i < irqs; i++)
		dfd_desc_add_irq(b, &irq[i]);
	for (uint32_t i = 0; i < caps; i++)
		dfd_desc_add_cap(b, &cap[i]);
	for (int i = 0; i < DFD_NUM_FACTS; i++) {
		const char *text = dfd_desc_str(desc, (enum dfd_fact)i);

		if (text)
			dfd_desc_set_str(b, (enum dfd_fact)i, text);
		else if (dfd_desc_num(desc, (enum dfd_fact)i, &value))
			dfd_desc_set_num(b, (enum dfd_fact)i, value);
	}
}
