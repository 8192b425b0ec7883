/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "pci/caps.h"

#define STATUS		0x06
#define STATUS_CAP_LIST 0x10
#define HEADER_TYPE	0x0e
#define HEADER_CARDBUS	2
#define CAP_POINTER	0x34
#define CARDBUS_POINTER 0x14
/* Capabilities lie above the header, on 4-byte boundaries, in the first 256 bytes. */
#define FIRST_CAP 0x40
#define MAX_CAPS  ((256 - FIRST_CAP) / 4)
/* Behind them, with headers of 4 bytes. */
#define FIRST_EXTENDED_CAP 0x100

int dfd_pci_next_cap(const uint8_t *config, size_t len, int before)
{
	size_t at;

	if (len < FIRST_CAP)
		return -ENODATA;
	if (!(config[STATUS] & STATUS_CAP_LIST))
		return 0;
	if (before)
		at = config[before + 1];
	else if ((config[HEADER_TYPE] & 0x7f) == HEADER_CARDBUS)
		at = config[CARDBUS_POINTER];
	else
		at = config[CAP_POINTER];
	at &= 0xfc;
	if (at < FIRST_CAP)
		return 0;
	return at + 2 > len ? -ENODATA : (int)at;
}

int dfd_pci_next_extended_cap(const uint8_t *config, size_t len, int before)
{
	uint32_t header, at = FIRST_EXTENDED_CAP;

	if (before) {
		memcpy(&header, config + before, sizeof(header));
		at = le32toh(header) >> 20 & 0xffc;
	}
	if (at < FIRST_EXTENDED_CAP)
		return 0;
	if (at + sizeof(header) > len)
		return -ENODATA;
	memcpy(&header, config + at, sizeof(header));
	/* An empty list is a header of zeros, or of ones where nothing answers. */
	return header && header != UINT32_MAX ? (int)at : 0;
}

int dfd_pci_find_cap(const uint8_t *config, size_t len, uint8_t id)
{
	int at = 0;

	for (int i = 0; i < MAX_CAPS; i++) {
		at = dfd_pci_next_cap(config, len, at);
		if (at <= 0)
			return at;
		if (config[at] == id)
			return at;
	}
	return 0;
}

/* The message control word, which both kinds have at the same place; 0 without the capability. */
static int message_control(const uint8_t *config, size_t len, uint8_t id, uint16_t *control)
{
	int at = dfd_pci_find_cap(config, len, id);

	if (at <= 0)
		return at;
	if ((size_t)at + 4 > len)
		return -ENODATA;
	*control = (uint16_t)(config[at + 2] | config[at + 3] << 8);
	return at;
}

int dfd_pci_msi_vectors(const uint8_t *config, size_t len)
{
	uint16_t control;
	int at = message_control(config, len, DFD_PCI_CAP_MSI, &control);
	int log2;

	if (at <= 0)
		return at;
	log2 = control >> 1 & 7;
	return log2 <= 5 ? 1 << log2 : -ENODATA;
}

int dfd_pci_msix_vectors(const uint8_t *config, size_t len)
{
	uint16_t control;
	int at = message_control(config, len, DFD_PCI_CAP_MSIX, &control);

	return at <= 0 ? at : (control & 0x7ff) + 1;
}

int dfd_pci_msix_table(const uint8_t *config, size_t len, uint32_t *bar, uint32_t *offset)
{
	int at = dfd_pci_find_cap(config, len, DFD_PCI_CAP_MSIX);
	const uint8_t *p;

	if (at <= 0)
		return at;
	if ((size_t)at + 8 > len)
		return -ENODATA;
	p = config + at + 4;
	*bar = p[0] & 7;
	*offset = (uint32_t)(p[0] & 0xf8) | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		  (uint32_t)p[3] << 24;
	return dfd_pci_msix_vectors(config, len);
}
