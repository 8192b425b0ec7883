/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "print/roles.h"

const char *dfd_bus_key(enum dfd_bus bus)
{
	return bus == DFD_BUS_PCI ? "pci" : bus == DFD_BUS_DT ? "dt" : "other";
}

const char *dfd_dt_prop_name(uint32_t prop_type)
{
	static const char *const names[] = {
		[DFD_DT_REG] = "reg",
		[DFD_DT_RANGES] = "ranges",
		[DFD_DT_INTERRUPTS] = "interrupts",
		[DFD_DT_INTERRUPT_MAP] = "interrupt-map",
	};

	return names[prop_type];
}

static const char *dt_role(char *buf, size_t len, const struct dfd_dt_ref *dt)
{
	if (!dt->path)
		return NULL;
	snprintf(buf, len, "%s %" PRIu32, dfd_dt_prop_name(dt->prop_type), dt->prop_index);
	return buf;
}

const char *dfd_region_role(char *buf, size_t len, const struct dfd_desc *desc,
			    const struct dfd_region *region)
{
	if (dfd_desc_bus(desc) != DFD_BUS_PCI)
		return dt_role(buf, len, &region->dt);
	switch (region->index) {
	case DFD_PCI_ROM:
		return "ROM";
	case DFD_PCI_CONFIG:
		return "config";
	case DFD_PCI_VGA:
		return "VGA";
	}
	if (region->index > DFD_PCI_VGA)
		return "device-specific";
	snprintf(buf, len, "BAR%" PRIu32, region->index);
	return buf;
}

const char *dfd_irq_role(char *buf, size_t len, const struct dfd_desc *desc, uint32_t index)
{
	static const char *const names[DFD_PCI_NUM_IRQS] = { "INTx", "MSI", "MSI-X", "ERR", "REQ" };
	const struct dfd_irq *irq;

	if (dfd_desc_bus(desc) == DFD_BUS_PCI)
		return index < DFD_PCI_NUM_IRQS ? names[index] : NULL;
	irq = dfd_desc_irq(desc, index);
	return irq ? dt_role(buf, len, &irq->dt) : NULL;
}
