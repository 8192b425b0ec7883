/* SPDX-License-Identifier: MIT */
/* Capabilities of a PCI function by name. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <devfd/device.h>
#include <devfd/print.h>

#include "pci/caps.h"

#define CONFIG_SIZE 4096u
#define WRAP_AT	    70

/* Names of PCI specifications, by id. */
static const char *const names[] = {
	[0x01] = "power management",
	[0x02] = "AGP",
	[0x03] = "VPD",
	[0x04] = "slot",
	[0x05] = "MSI",
	[0x06] = "hot swap",
	[0x07] = "PCI-X",
	[0x08] = "HyperTransport",
	[0x09] = "vendor's own",
	[0x0a] = "debug port",
	[0x0c] = "hot plug",
	[0x0d] = "subsystem",
	[0x0e] = "AGP 8x",
	[0x0f] = "secure device",
	[0x10] = "PCI Express",
	[0x11] = "MSI-X",
	[0x12] = "SATA",
	[0x13] = "AF",
	[0x14] = "enhanced allocation",
};

static const char *const extended_names[] = {
	[0x01] = "AER",
	[0x02] = "virtual channels",
	[0x03] = "serial number",
	[0x04] = "power budget",
	[0x05] = "root complex link",
	[0x07] = "root complex events",
	[0x08] = "multifunction virtual channels",
	[0x09] = "virtual channels",
	[0x0a] = "root complex registers",
	[0x0b] = "vendor's own",
	[0x0d] = "ACS",
	[0x0e] = "ARI",
	[0x0f] = "ATS",
	[0x10] = "SR-IOV",
	[0x11] = "MR-IOV",
	[0x12] = "multicast",
	[0x13] = "PRI",
	[0x15] = "resizable BARs",
	[0x16] = "power allocation",
	[0x17] = "TPH",
	[0x18] = "LTR",
	[0x19] = "secondary PCI Express",
	[0x1b] = "PASID",
	[0x1d] = "DPC",
	[0x1e] = "L1 substates",
	[0x1f] = "PTM",
	[0x22] = "FRS",
	[0x23] = "designated vendor's own",
	[0x24] = "virtual resizable BARs",
	[0x25] = "data link feature",
	[0x26] = "16 GT/s",
	[0x27] = "lane margining",
	[0x2a] = "32 GT/s",
	[0x2e] = "data object exchange",
	[0x31] = "64 GT/s",
};

/** struct list - the line that grows; @seen: a bit for every place where a capability was */
struct list {
	FILE *out;
	int column;
	uint8_t seen[CONFIG_SIZE / 4 / 8];
};

static void put_cap(struct list *l, int at, uint32_t id, const char *const *table, size_t known)
{
	const char *name = id < known ? table[id] : NULL;

	if (!l->column || l->column > WRAP_AT)
		l->column = fprintf(l->out, "%s  %-12s", l->column ? ",\n" : "",
				    l->column ? "" : "PCI");
	else
		l->column += fprintf(l->out, ", ");
	if (name)
		l->column += fprintf(l->out, "0x%02x %s", (unsigned int)at, name);
	else
		l->column += fprintf(l->out, "0x%02x id 0x%02" PRIx32, (unsigned int)at, id);
}

/* Return: was nothing of the list there before? Lists may run in a circle. */
static bool is_new(struct list *l, int at)
{
	uint8_t *byte = &l->seen[at / 4 / 8], bit = (uint8_t)(1u << at / 4 % 8);
	bool new = !(*byte & bit);

	*byte |= bit;
	return new;
}

static void list_caps(struct list *l, const uint8_t *config, size_t len)
{
	uint32_t header;
	int at = 0;

	for (at = dfd_pci_next_cap(config, len, 0); at > 0 && is_new(l, at);
	     at = dfd_pci_next_cap(config, len, at))
		put_cap(l, at, config[at], names, sizeof(names) / sizeof(*names));
	for (at = dfd_pci_next_extended_cap(config, len, 0); at > 0 && is_new(l, at);
	     at = dfd_pci_next_extended_cap(config, len, at)) {
		memcpy(&header, config + at, sizeof(header));
		put_cap(l, at, le32toh(header) & 0xffff, extended_names,
			sizeof(extended_names) / sizeof(*extended_names));
	}
	if (l->column)
		fputc('\n', l->out);
}

int dfd_print_config(FILE *out, struct dfd_device *dev)
{
	struct list l = { .out = out };
	uint8_t config[CONFIG_SIZE];
	uint32_t bar, offset;
	ssize_t n;
	int vectors;

	if (dfd_desc_bus(dfd_device_desc(dev)) != DFD_BUS_PCI)
		return 0;
	n = dfd_region_read(dev, DFD_PCI_CONFIG, 0, config, sizeof(config));
	if (n <= 0)
		return 0;
	list_caps(&l, config, (size_t)n);
	vectors = dfd_pci_msix_table(config, (size_t)n, &bar, &offset);
	if (vectors > 0)
		fprintf(out,
			"  %-12s%d vectors, table in BAR %" PRIu32 " at 0x%" PRIx32 "-0x%" PRIx32
			"\n",
			"MSI-X", vectors, bar, offset, offset + 16 * (uint32_t)vectors - 1);
	return ferror(out) ? -EIO : 0;
}
