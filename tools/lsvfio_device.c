/* SPDX-License-Identifier: MIT */
/* All that is known of a device, as far as it was asked for. */
#include <stdio.h>

#include "lsvfio.h"
#include "tool.h"

/* Bodies of capabilities, also of those that have words above. */
static void print_caps(struct dfd_device *dev)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	uint32_t count, caps;
	const struct dfd_region *regions = dfd_desc_regions(desc, &count);
	const struct dfd_cap *cap = dfd_desc_caps(desc, &caps);
	char of[32];

	for (uint32_t i = 0; i < caps; i++)
		lsvfio_print_bytes(&cap[i], "the device");
	for (uint32_t i = 0; i < count; i++) {
		snprintf(of, sizeof(of), "region %u", regions[i].index);
		for (uint32_t k = 0; k < regions[i].num_caps; k++)
			lsvfio_print_bytes(&regions[i].caps[k], of);
	}
}

int lsvfio_more(const struct dfd_origin *origin, const char *address, struct dfd_device *dev,
		unsigned int level)
{
	const char *bdf = lsvfio_function(address);

	if (level >= 1) {
		dfd_print_config(stdout, dev);
		if (bdf)
			dfd_print_place(stdout, origin, bdf);
		dfd_print_abilities(stdout, dev);
	}
	if (level >= 2)
		dfd_print_features(stdout, dev);
	if (level < 3)
		return TOOL_OK;
	print_caps(dev);
	return lsvfio_print_config(address, dev);
}
