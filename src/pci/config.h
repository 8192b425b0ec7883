/* SPDX-License-Identifier: MIT */
/* Configuration space of a function that exists in software: pure functions over bytes. */
#ifndef PCI_CONFIG_H
#define PCI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DFD_PCI_CONFIG_MAX 4096u

/* Command register. */
#define DFD_PCI_COMMAND_IO	     0x001u
#define DFD_PCI_COMMAND_MEMORY	     0x002u
#define DFD_PCI_COMMAND_MASTER	     0x004u
#define DFD_PCI_COMMAND_INTX_DISABLE 0x400u

/** struct dfd_pci_bar - @size 0: none; otherwise a power of two */
struct dfd_pci_bar {
	uint64_t size;
	bool io;
	bool is_64bit;
	bool prefetchable;
};

/** struct dfd_pci_layout - what configuration space is built from */
struct dfd_pci_layout {
	uint32_t size; /* 256 or 4096 */
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code;
	uint8_t revision;
	bool intx;
	struct dfd_pci_bar bars[6];
	uint64_t rom_size;
	uint32_t msi_vectors;
	uint32_t msix_vectors;
	uint8_t msix_bar;
	uint32_t msix_table, msix_pba;
};

/**
 * struct dfd_pci_config - configuration space
 * @bytes: as a read sees it
 * @writable: mask of the bits that a write changes
 * @initial_command: command register after power-on and reset
 * @msi, @msix: offsets of the capabilities, 0 for none
 */
struct dfd_pci_config {
	uint32_t size;
	uint16_t initial_command;
	uint8_t msi, msix;
	uint8_t bytes[DFD_PCI_CONFIG_MAX];
	uint8_t writable[DFD_PCI_CONFIG_MAX];
};

/** dfd_pci_config_init() - build it, in the state after power-on */
void dfd_pci_config_init(struct dfd_pci_config *config, const struct dfd_pci_layout *layout);

/** dfd_pci_config_reset() - back to the state after power-on; memory decode on, bus mastering off
 */
void dfd_pci_config_reset(struct dfd_pci_config *config);

/** dfd_pci_config_read() - @offset and @len must lie inside */
void dfd_pci_config_read(const struct dfd_pci_config *config, uint32_t offset, void *buf,
			 size_t len);

/** dfd_pci_config_write() - changes the writable bits; @offset and @len must lie inside */
void dfd_pci_config_write(struct dfd_pci_config *config, uint32_t offset, const void *buf,
			  size_t len);

/** dfd_pci_config_command() - Return: the command register */
uint16_t dfd_pci_config_command(const struct dfd_pci_config *config);

/** dfd_pci_config_set_intx_status() - the interrupt status bit of the status register */
void dfd_pci_config_set_intx_status(struct dfd_pci_config *config, bool asserted);

/** dfd_pci_config_set_msi() - show MSI and MSI-X as enabled or not */
void dfd_pci_config_set_messages(struct dfd_pci_config *config, uint32_t msi_vectors, bool msix);

#endif
