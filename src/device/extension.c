/* SPDX-License-Identifier: MIT */
/* What a device can do beyond what every device can: the answers of CHECK_EXTENSION. */
#include <devfd/ioctl.h>
#include <devfd/table.h>

#include "desc/fact.h"
#include "device/device.h"

static int tell_fact(const struct dfd_desc *desc, enum dfd_fact fact)
{
	uint64_t value;

	if (dfd_desc_str(desc, fact))
		return 1;
	if (!dfd_desc_num(desc, fact, &value))
		return 0;
	switch (dfd_fact_infos[fact].tell) {
	case DFD_TELL_VALUE:
		return (int)value;
	case DFD_TELL_PLUS1:
		return (int)value + 1;
	case DFD_TELL_YES:
		break;
	}
	return 1;
}

static bool any_phys(const struct dfd_desc *desc)
{
	uint32_t count;
	const struct dfd_region *r = dfd_desc_regions(desc, &count);

	/* For PCI, GET_REGION_PHYS_ADDR never answers. */
	for (uint32_t i = 0; i < count && dfd_desc_bus(desc) != DFD_BUS_PCI; i++) {
		if (r[i].has_phys)
			return true;
	}
	return false;
}

static bool any_dt(const struct dfd_desc *desc)
{
	uint32_t regions, irqs;
	const struct dfd_region *r = dfd_desc_regions(desc, &regions);
	const struct dfd_irq *irq = dfd_desc_irqs(desc, &irqs);

	for (uint32_t i = 0; i < regions; i++) {
		if (r[i].dt.path)
			return true;
	}
	for (uint32_t i = 0; i < irqs; i++) {
		if (irq[i].dt.path)
			return true;
	}
	return false;
}

/* Wired interrupts that can be routed: all, or those that can be masked. */
static int count_irqs(const struct dfd_device *dev, bool maskable)
{
	uint32_t irqs;
	const struct dfd_irq *irq = dfd_desc_irqs(dev->desc, &irqs);
	int count = 0;

	if (!dev->model && !dev->ops->set_irqs)
		return 0;
	for (uint32_t i = 0; i < irqs; i++) {
		if (!maskable || (irq[i].flags & DFD_IRQ_MASKABLE))
			count++;
	}
	return count;
}

int dfd_check_extension(struct dfd_device *dev, uint32_t id)
{
	const struct dfd_desc *desc = dev->desc;
	uint32_t flags = dfd_desc_flags(desc);
	int fact = dfd_fact_by_number(id);

	if (fact >= 0)
		return tell_fact(desc, (enum dfd_fact)fact);
	switch (id) {
	case VFIO_DEVICE_EXT_TABLE:
		return DFD_TABLE_VERSION;
	case VFIO_DEVICE_EXT_RESET:
		return !!(flags & DFD_DEVICE_RESET);
	case VFIO_DEVICE_EXT_PCI_RESET:
		return (flags & DFD_DEVICE_RESET) && (flags & DFD_DEVICE_PCI);
	case VFIO_DEVICE_EXT_PHYS_ADDR:
		return any_phys(desc);
	case VFIO_DEVICE_EXT_DT:
		return any_dt(desc);
	case VFIO_DEVICE_EXT_IRQ_EVENTFD:
		return count_irqs(dev, false);
	case VFIO_DEVICE_EXT_UNMASK:
	case VFIO_DEVICE_EXT_UNMASK_EVENTFD:
		return count_irqs(dev, true) > 0;
	case VFIO_DEVICE_EXT_VFIO:
		return 1;
	case VFIO_DEVICE_EXT_DMA:
		return dev->model || dev->ops->dma_map;
	default:
		return 0;
	}
}
