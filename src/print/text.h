/* SPDX-License-Identifier: MIT */
/* One screen about a device, in the making. */
#ifndef PRINT_TEXT_H
#define PRINT_TEXT_H

#include "print/columns.h"
#include "print/names.h"

#include <devfd/desc.h>

/**
 * struct dfd_text - what is printed, and how far
 * @c: the lines
 * @desc: the device
 * @topics: bit t: what @desc says about enum dfd_topic t was told
 * @names: or NULL
 * @verbose: all that is known
 * @titled: bit f: fact f stands in the title
 * @shown: bit f: in the title or on a line above
 * @has_id: the first two of @id are known
 * @id: vendor, device, and the same of the subsystem
 * @node: device-tree node of the device, or NULL
 */
struct dfd_text {
	struct dfd_columns c;
	const struct dfd_desc *desc;
	uint32_t topics;
	struct dfd_names *names;
	bool verbose;
	uint32_t titled;
	uint32_t shown;
	bool has_id;
	uint32_t id[4];
	const char *node;
};

/** dfd_text_caps() - a line for each capability of the device */
void dfd_text_caps(struct dfd_text *t);

/** dfd_text_regions() - a line for each region, and what else there is to say about it */
void dfd_text_regions(struct dfd_text *t);

/** dfd_text_irqs() - a line for each interrupt index that has interrupts */
void dfd_text_irqs(struct dfd_text *t);

#endif
