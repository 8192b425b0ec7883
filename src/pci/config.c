/* SPDX-License-Identifier: MIT */
/*
 * Configuration space of a function that exists in software.
 *
 * Offsets and bits are those of the PCI Local Bus Specification 3.0, chapter 6, as
 * linux/pci_regs.h names them. What vfio-pci keeps for itself is read-only here too: the enable
 * bits of MSI and MSI-X follow the driver's SET_IRQS and not its writes.
 */
#include <string.h>

#include "pci/config.h"

enum {
	VENDOR_ID = 0x00,
	DEVICE_ID = 0x02,
	COMMAND = 0x04,
	STATUS = 0x06,
	REVISION = 0x08,
	CLASS = 0x09,
	CACHE_LINE = 0x0c,
	LATENCY = 0x0d,
	BAR0 = 0x10,
	SUBSYSTEM_VENDOR = 0x2c,
	SUBSYSTEM = 0x2e,
	ROM = 0x30,
	CAPABILITIES = 0x34,
	INT_LINE = 0x3c,
	INT_PIN = 0x3d,
	FIRST_CAP = 0x40,
};

#define STATUS_INTX	    0x08u
#define STATUS_CAPABILITIES 0x10u
#define CAP_MSI		    0x05
#define CAP_MSIX	    0x11
#define MSI_ENABLE	    0x01u
#define MSI_64BIT	    0x80u
#define MSIX_ENABLE_HIGH    0x80u

static void put(uint8_t *at, uint64_t value, unsigned int width)
{
	for (unsigned int i = 0; i < width; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint8_t log2_rounded_up(uint32_t n)
{
	uint8_t log = 0;

	while ((UINT32_C(1) << log) < n)
		log++;
	return log;
}

static void build_bar(struct dfd_pci_config *c, unsigned int n, const struct dfd_pci_bar *bar)
{
	uint8_t *at = c->bytes + BAR0 + 4 * n, *mask = c->writable + BAR0 + 4 * n;
	uint64_t low = bar->io ? 3 : 15;

	if (!bar->size)
		return;
	put(at, bar->io ? 1 : (bar->is_64bit ? 4u : 0u) | (bar->prefetchable ? 8u : 0u), 4);
	put(mask, ~(bar->size - 1) & ~low, bar->is_64bit ? 8 : 4);
	c->initial_command |= bar->io ? DFD_PCI_COMMAND_IO : DFD_PCI_COMMAND_MEMORY;
}

/* Hook a capability of @len bytes into the list. Return: its offset. */
static uint8_t add_cap(struct dfd_pci_config *c, uint8_t *next, uint8_t id, uint8_t len)
{
	uint8_t at = *next;

	c->bytes[at] = id;
	c->bytes[at + 1] = c->bytes[CAPABILITIES];
	c->bytes[CAPABILITIES] = at;
	c->bytes[STATUS] |= STATUS_CAPABILITIES;
	*next = (uint8_t)(at + ((len + 3) & ~3));
	return at;
}

static void build_caps(struct dfd_pci_config *c, const struct dfd_pci_layout *l)
{
	uint8_t next = FIRST_CAP;

	if (l->msix_vectors) {
		c->msix = add_cap(c, &next, CAP_MSIX, 12);
		put(c->bytes + c->msix + 2, l->msix_vectors - 1, 2);
		put(c->bytes + c->msix + 4, l->msix_table | l->msix_bar, 4);
		put(c->bytes + c->msix + 8, l->msix_pba | l->msix_bar, 4);
	}
	if (l->msi_vectors) {
		c->msi = add_cap(c, &next, CAP_MSI, 14);
		c->bytes[c->msi + 2] =
			(uint8_t)(MSI_64BIT | (unsigned int)log2_rounded_up(l->msi_vectors) << 1);
		put(c->writable + c->msi + 4, 0xfffffffffffffffc, 8);
		put(c->writable + c->msi + 12, 0xffff, 2);
	}
}

void dfd_pci_config_init(struct dfd_pci_config *c, const struct dfd_pci_layout *l)
{
	memset(c, 0, sizeof(*c));
	c->size = l->size;
	put(c->bytes + VENDOR_ID, l->vendor, 2);
	put(c->bytes + DEVICE_ID, l->device, 2);
	put(c->bytes + CLASS, l->class_code, 3);
	c->bytes[REVISION] = l->revision;
	put(c->bytes + SUBSYSTEM_VENDOR, l->subsystem_vendor, 2);
	put(c->bytes + SUBSYSTEM, l->subsystem, 2);
	c->bytes[INT_PIN] = l->intx;
	c->writable[INT_LINE] = 0xff;
	c->writable[CACHE_LINE] = 0xff;
	c->writable[LATENCY] = 0xff;
	for (unsigned int n = 0; n < 6; n++)
		build_bar(c, n, &l->bars[n]);
	if (l->rom_size) {
		put(c->writable + ROM, ~(l->rom_size - 1) | 1, 4);
		c->initial_command |= DFD_PCI_COMMAND_MEMORY;
	}
	put(c->writable + COMMAND,
	    c->initial_command | DFD_PCI_COMMAND_MASTER | DFD_PCI_COMMAND_INTX_DISABLE, 2);
	build_caps(c, l);
	put(c->bytes + COMMAND, c->initial_command, 2);
}

void dfd_pci_config_reset(struct dfd_pci_config *c)
{
	bool was_msi = c->msi && (c->bytes[c->msi + 2] & MSI_ENABLE);
	uint8_t log = was_msi ? c->bytes[c->msi + 2] >> 4 & 7 : 0;

	/* Type and size bits of the BARs are constant and not writable: they stay. */
	for (uint32_t i = 0; i < c->size; i++)
		c->bytes[i] &= (uint8_t)~c->writable[i];
	put(c->bytes + COMMAND, c->initial_command, 2);
	c->bytes[STATUS] &= (uint8_t)~STATUS_INTX;
	/* The driver's eventfds outlive a reset, and with them what is enabled. */
	dfd_pci_config_set_messages(c, was_msi ? UINT32_C(1) << log : 0,
				    c->msix && (c->bytes[c->msix + 3] & MSIX_ENABLE_HIGH));
}

void dfd_pci_config_read(const struct dfd_pci_config *c, uint32_t offset, void *buf, size_t len)
{
	memcpy(buf, c->bytes + offset, len);
}

void dfd_pci_config_write(struct dfd_pci_config *c, uint32_t offset, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	for (size_t i = 0; i < len; i++) {
		uint8_t mask = c->writable[offset + i], *at = &c->bytes[offset + i];

		*at = (uint8_t)((*at & ~mask) | (from[i] & mask));
	}
}

uint16_t dfd_pci_config_command(const struct dfd_pci_config *c)
{
	return (uint16_t)(c->bytes[COMMAND] | c->bytes[COMMAND + 1] << 8);
}

void dfd_pci_config_set_intx_status(struct dfd_pci_config *c, bool asserted)
{
	if (asserted)
		c->bytes[STATUS] |= STATUS_INTX;
	else
		c->bytes[STATUS] &= (uint8_t)~STATUS_INTX;
}

void dfd_pci_config_set_messages(struct dfd_pci_config *c, uint32_t msi_vectors, bool msix)
{
	if (c->msi) {
		uint8_t *control = &c->bytes[c->msi + 2];

		*control &= (uint8_t) ~(0x70u | MSI_ENABLE);
		if (msi_vectors)
			*control |= (uint8_t)(MSI_ENABLE |
					      (unsigned int)log2_rounded_up(msi_vectors) << 4);
	}
	if (c->msix) {
		uint8_t *control = &c->bytes[c->msix + 3];

		*control &= (uint8_t)~MSIX_ENABLE_HIGH;
		if (msix)
			*control |= MSIX_ENABLE_HIGH;
	}
}
