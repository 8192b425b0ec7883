/* SPDX-License-Identifier: MIT */
/* What a region or interrupt is for, in the terms of its bus. */
#ifndef PRINT_ROLES_H
#define PRINT_ROLES_H

#include <devfd/desc.h>

/** dfd_bus_key() - Return: "pci", "dt" or "other" */
const char *dfd_bus_key(enum dfd_bus bus);

/** dfd_dt_prop_name() - Return: "reg", "ranges", ... */
const char *dfd_dt_prop_name(uint32_t prop_type);

/**
 * dfd_region_role() - BAR0, ROM, config, ...; on a device tree: property and entry
 * @buf: room for the answer, 32 bytes are enough
 * @len: bytes in @buf
 *
 * Return: the role, or NULL where the index says nothing.
 */
const char *dfd_region_role(char *buf, size_t len, const struct dfd_desc *desc,
			    const struct dfd_region *region);

/** dfd_irq_role() - INTx, MSI, ... by VFIO interrupt index; as dfd_region_role() */
const char *dfd_irq_role(char *buf, size_t len, const struct dfd_desc *desc, uint32_t index);

#endif
