/* SPDX-License-Identifier: MIT */
/* What the making of one model has in common with that of another. */
#include <errno.h>

#include "model/model.h"

struct dfd_desc_builder *dfd_pci_builder(const struct dfd_pci_identity *id)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);

	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	dfd_desc_set_num(b, DFD_FACT_VENDOR_ID, id->vendor);
	dfd_desc_set_num(b, DFD_FACT_DEVICE_ID, id->device);
	dfd_desc_set_num(b, DFD_FACT_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor);
	dfd_desc_set_num(b, DFD_FACT_SUBSYSTEM_ID, id->subsystem);
	dfd_desc_set_num(b, DFD_FACT_CLASS_CODE, id->class_code);
	dfd_desc_set_num(b, DFD_FACT_REVISION_ID, id->revision);
	if (id->msi)
		dfd_desc_set_num(b, DFD_FACT_MSI_VECTORS, id->msi);
	if (id->msix)
		dfd_desc_set_num(b, DFD_FACT_MSIX_VECTORS, id->msix);
	dfd_desc_set_str(b, DFD_FACT_NAME, id->name);
	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_CONFIG, .size = 256 });
	dfd_desc_add_irq(b, &(struct dfd_irq){ .index = DFD_PCI_INTX,
					       .count = 1,
					       .flags = DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE });
	return b;
}

int dfd_model_build(struct dfd_desc_builder *b, const struct dfd_device_ops *ops, void *priv,
		    const struct dfd_pci_setup *pci, struct dfd_device **out, struct dfd_error *err)
{
	const struct dfd_desc *desc;
	int ret = dfd_desc_build(b, &desc, err);

	if (ret)
		return ret;
	ret = priv ? dfd_model_new(desc, ops, priv, pci, out, err)
		   : dfd_error_set(err, -ENOMEM, "out of memory");
	dfd_desc_unref(desc);
	return ret;
}
