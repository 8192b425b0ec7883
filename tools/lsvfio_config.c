/* SPDX-License-Identifier: MIT */
/* Configuration space as lspci -x prints it, and as lspci -F reads it. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lsvfio.h"
#include "tool.h"

#define ROW 16u

static void print_rows(const uint8_t *bytes, size_t len, const char *indent)
{
	for (size_t at = 0; at < len; at += ROW) {
		printf("%s%02zx:", indent, at);
		for (size_t i = at; i < at + ROW && i < len; i++)
			printf(" %02x", bytes[i]);
		putchar('\n');
	}
}

static ssize_t read_config(const char *address, struct dfd_device *dev, uint8_t *bytes, size_t len)
{
	ssize_t n;

	if (!dfd_desc_region(dfd_device_desc(dev), DFD_PCI_CONFIG) ||
	    dfd_desc_bus(dfd_device_desc(dev)) != DFD_BUS_PCI) {
		tool_fail(TOOL_FAILED,
			  "%s: has no configuration space; only PCI functions have one", address);
		return -1;
	}
	n = dfd_region_read(dev, DFD_PCI_CONFIG, 0, bytes, len);
	if (n < 0)
		tool_fail(TOOL_FAILED, "%s: its configuration space cannot be read: %s", address,
			  strerror((int)-n));
	return n;
}

int lsvfio_dump(const char *address, struct dfd_device *dev, unsigned int level)
{
	static unsigned int devices;
	static const size_t sizes[] = { 64, 64, 256, LSVFIO_CONFIG_SIZE };
	const char *bdf = lsvfio_function(address);
	uint8_t bytes[LSVFIO_CONFIG_SIZE];
	ssize_t n = read_config(address, dev, bytes, sizes[level > 4 ? 3 : level - 1]);

	if (n < 0)
		return TOOL_FAILED;
	/* Whoever reads that back wants the name of a function, and a space behind it. */
	if (bdf)
		printf("%s %s\n", bdf, address);
	else
		printf("00:%02x.0 %s\n", devices++ & 0x1f, address);
	print_rows(bytes, (size_t)n, "");
	putchar('\n');
	return TOOL_OK;
}

void lsvfio_print_bytes(const struct dfd_cap *cap, const char *of)
{
	printf("  capability id %u of %s\n", cap->id, of);
	print_rows(cap->data, cap->size, "    ");
}

int lsvfio_print_config(const char *address, struct dfd_device *dev)
{
	uint8_t bytes[LSVFIO_CONFIG_SIZE];
	ssize_t n;

	if (dfd_desc_bus(dfd_device_desc(dev)) != DFD_BUS_PCI)
		return TOOL_OK;
	n = read_config(address, dev, bytes, sizeof(bytes));
	if (n < 0)
		return TOOL_FAILED;
	puts("  configuration space");
	print_rows(bytes, (size_t)n, "    ");
	return TOOL_OK;
}
