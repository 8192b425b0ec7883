/* SPDX-License-Identifier: MIT */
#include "device/process.h"
#include "shim/way.h"

/* What vfio-pci maps: BARs with memory. Of other devices: every region. */
static bool may_be_mapped(const struct dfd_desc *desc, const struct dfd_region *r)
{
	if (r->flags & DFD_REGION_IOPORT)
		return false;
	return dfd_desc_bus(desc) != DFD_BUS_PCI || r->index < DFD_PCI_ROM;
}

bool shim_may_trap(const struct dfd_device *dev, const struct dfd_region *r)
{
	return SHIM_TRAPS && device_has_contents(dev) && may_be_mapped(dfd_device_desc(dev), r);
}
