/* SPDX-License-Identifier: MIT */
/*
 * The kernel's VFIO, played by this process: /dev/vfio in front of a model.
 *
 * One container, one iommufd, one group, and devices that are all the same model. Regions lie at
 * index << 40, from 0 on, as vfio-pci has them. Any call can be made to fail.
 */
#ifndef TESTS_FAKE_KERNEL_H
#define TESTS_FAKE_KERNEL_H

#include <stdbool.h>
#include <sys/types.h>

#include "abi/vfio.h"
#include "kernel/calls.h"

struct dfd_device;

#define FAKE_MAX_FAILURES 4

/**
 * struct fake_failure - a call that is to fail
 * @request: an ioctl; or 0 and @path, the end of the name of a file that is opened
 * @ret: what it returns, without doing anything
 * @times: how often, then it works; -1: always
 */
struct fake_failure {
	unsigned long request;
	const char *path;
	int ret;
	int times;
};

/** struct fake_chain - the capabilities of the container */
struct fake_chain {
	struct vfio_info_cap_header avail;
	uint64_t number;
	struct vfio_info_cap_header ranges;
	uint32_t count, reserved;
	struct vfio_iova_range list[2];
};

/**
 * struct fake_kernel - what it shall do and what it has seen
 * @model: the device behind
 * @not_viable: what the status of the group says
 * @mmap: regions with a bit here can be mapped
 * @resettable: the device says that it can be reset
 * @msix_mappable: BAR 2 says that its MSI-X table can be mapped
 * @msix_table: not 0: what configuration space says of the MSI-X table, offset | BAR
 * @dead: configuration space reads as all ones
 * @no_ranges: the container lists no ranges
 * @compat: an iommufd plays the container
 * @spoil: not NULL: gets the chain of the container's answer, to make nonsense of it
 * @page_sizes: pages of the IOMMU, a bit for each size
 * @iommu_types: what a container offers, a bit for each type
 * @num_ranges: not 0: ranges that an iommufd lists
 * @map_file: an iommufd maps files
 * @locks_by_process: an iommufd counts locked memory as a container does
 * @counts_writes: its page tables can keep account of what is written
 * @written: pages that were, a bit for each from address 0 on
 * @noresize: interrupts, a bit for each index, that keep the number of vectors they start with
 * @masked: as the platform's driver has it: interrupts, a bit for each index, whose mask outlasts
 *          their eventfd; @automasks: it does that for wired ones, and a trigger by hand masks
 * @phys: where all memory is, for a device without an IOMMU; 0: there is an IOMMU
 * @contiguous: bytes there in one piece
 * @short_unmap: unmapping leaves a page behind
 * @feature_gets, @feature_sets: features by their number, and the directions they have
 * @feature_ret: what a feature answers
 * @planes: not 0: where the primary plane has its pixels, VFIO_GFX_PLANE_TYPE_*; it shows 640x480,
 *          the others are off
 * @reset_devices, @reset_count: what a hot reset affects; 0: there is none
 * @reset_flags: of the list for a device by its own file
 * @entries: maps that the container can have
 * @fail_at: number of the call that fails with -EIO, from 1 on; 0: none
 * @calls: calls so far
 * @open: files open
 * @irq_argsz, @irq_flags: of the last VFIO_DEVICE_SET_IRQS
 * @feature_flags, @feature_body: of the last VFIO_DEVICE_FEATURE
 * @dirty_flags: of the last VFIO_IOMMU_DIRTY_PAGES
 * @dirty_gets: how often the kernel was asked what was written
 * @counting: an iommufd keeps account
 * @hot_resets: how many there were
 * @reset_groups: groups that the last one named
 * @maps: DMA maps there are
 * @mapped_files: how often a file was mapped
 * @name: of the last VFIO_GROUP_GET_DEVICE_FD
 * @token: of the last VFIO_DEVICE_BIND_IOMMUFD
 */
struct fake_kernel {
	struct dfd_device *model;
	bool not_viable;
	uint32_t mmap;
	bool resettable;
	bool msix_mappable;
	uint32_t msix_table;
	bool dead;
	bool no_ranges;
	bool compat;
	void (*spoil)(struct fake_chain *chain);
	uint64_t page_sizes;
	uint32_t iommu_types;
	uint32_t num_ranges;
	bool map_file;
	bool locks_by_process;
	bool counts_writes;
	uint64_t written;
	uint32_t noresize;
	uint32_t masked;
	bool automasks;
	uint64_t phys;
	uint64_t contiguous;
	bool short_unmap;
	uint64_t feature_gets;
	uint64_t feature_sets;
	int feature_ret;
	uint32_t planes;
	struct vfio_pci_dependent_device reset_devices[4];
	uint32_t reset_count;
	uint32_t reset_flags;
	unsigned int entries;
	struct fake_failure failures[FAKE_MAX_FAILURES];
	unsigned int fail_at;
	unsigned int calls;
	int open;
	uint32_t irq_argsz;
	uint32_t irq_flags;
	uint32_t feature_flags;
	uint8_t feature_body[64];
	uint32_t dirty_flags;
	unsigned int dirty_gets;
	bool counting;
	unsigned int hot_resets;
	uint32_t reset_groups;
	unsigned int maps;
	unsigned int mapped_files;
	char name[128];
	uint8_t token[16];
};

extern struct fake_kernel fake;
extern const struct kernel_calls fake_calls;

/* What the fake vfio-pci lists in the container. */
#define FAKE_RANGES                                                                                \
	{ 0, 0xfedfffff },                                                                         \
	{                                                                                          \
		0xfef00000, 0xffffffffffff                                                         \
	}

/* Devices are 0000:01:00.0 to .7, and these. */
#define FAKE_UUID     "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
#define FAKE_PLATFORM "9000000.serial"

/** fake_start() - everything as it should be, in front of a model such as "edu" */
void fake_start(const char *model);

/** fake_iommu() - Return: the type of IOMMU that the container was given, or 0 */
unsigned int fake_iommu(void);

/** fake_file() - open a file as somebody else than the library */
int fake_file(const char *path);

/** fake_stop() - close the model */
void fake_stop(void);

#endif
