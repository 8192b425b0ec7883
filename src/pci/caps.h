/* SPDX-License-Identifier: MIT */
/* Capabilities in the bytes of a configuration space, of which only the first may be known. */
#ifndef PCI_CAPS_H
#define PCI_CAPS_H

#include <stddef.h>
#include <stdint.h>

#define DFD_PCI_CAP_MSI	 0x05
#define DFD_PCI_CAP_MSIX 0x11

/**
 * dfd_pci_next_cap() - the next capability of the list
 * @config: configuration space from its start
 * @len: bytes that are known
 * @before: what it was called with last; 0 for the first
 *
 * The list may run in a circle: the caller bounds it.
 *
 * Return: its offset; 0 at the end; -ENODATA when the list leaves the known bytes.
 */
int dfd_pci_next_cap(const uint8_t *config, size_t len, int before);

/** dfd_pci_next_extended_cap() - the same of those from 0x100 on, with headers of 4 bytes */
int dfd_pci_next_extended_cap(const uint8_t *config, size_t len, int before);

/**
 * dfd_pci_find_cap() - walk the capability list
 * @config: configuration space from its start
 * @len: bytes that are known
 * @id: capability id
 *
 * Ends on every input, a list that runs in a circle included.
 *
 * Return: offset of the capability; 0 when the function does not have it; -ENODATA when the list
 * leaves the known bytes before that is certain.
 */
int dfd_pci_find_cap(const uint8_t *config, size_t len, uint8_t id);

/**
 * dfd_pci_msi_vectors() - MSI vectors that the function can send
 *
 * Return: 0 without MSI, 1 to 32, or -ENODATA as dfd_pci_find_cap() and for a reserved encoding.
 */
int dfd_pci_msi_vectors(const uint8_t *config, size_t len);

/** dfd_pci_msix_vectors() - Return: MSI-X vectors, 0 to 2048, or -ENODATA */
int dfd_pci_msix_vectors(const uint8_t *config, size_t len);

/**
 * dfd_pci_msix_table() - where the MSI-X table is
 * @bar: receives the number of its BAR
 * @offset: receives its place in that BAR, in bytes
 *
 * Return: as dfd_pci_msix_vectors().
 */
int dfd_pci_msix_table(const uint8_t *config, size_t len, uint32_t *bar, uint32_t *offset);

#endif
