/* SPDX-License-Identifier: MIT */
/* A complete device: a PCI function whose BAR 0 counts how often it was read. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <devfd/devfd.h>

static ssize_t read_counter(struct dfd_device *dev, uint32_t region, uint64_t offset, void *buf,
			    size_t len)
{
	uint32_t *reads = dfd_device_priv(dev), value;

	(void)region;
	if (offset || len != sizeof(value))
		return -EIO;
	value = htole32(++*reads);
	memcpy(buf, &value, sizeof(value));
	return sizeof(value);
}

static const struct dfd_device_ops ops = { .size = sizeof(ops), .region_read = read_counter };

int main(void)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
	const struct dfd_desc *desc;
	struct dfd_device *dev;
	uint32_t reads = 0, value;

	dfd_desc_set_num(b, DFD_FACT_VENDOR_ID, 0x1234);
	dfd_desc_set_num(b, DFD_FACT_DEVICE_ID, 0xcafe);
	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_BAR0,
						     .flags = DFD_REGION_READ_ONLY,
						     .size = 4096 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_CONFIG, .size = 256 });
	if (dfd_desc_build(b, &desc, NULL) || dfd_model_new(desc, &ops, &reads, NULL, &dev, NULL))
		return 1;
	dfd_print_text(stdout, "hello-device", desc, false);
	for (int i = 0; i < 3; i++) {
		if (dfd_region_read(dev, DFD_PCI_BAR0, 0, &value, 4) != 4)
			return 1;
		printf("read number %u\n", le32toh(value));
	}
	dfd_device_close(dev);
	dfd_desc_unref(desc);
	return 0;
}
