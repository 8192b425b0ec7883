/* SPDX-License-Identifier: MIT */
/*
 * The kernel's VFIO, played by this process: /dev/vfio in front of a model.
 *
 * One container, one group, one device. Regions lie at index << 40, from 0 on, as vfio-pci has
 * them. Any call can be made to fail.
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
 * @msix_mappable: BAR 2 says that its MSI-X table can be mapped
 * @msix_table: not 0: what configuration space says of the MSI-X table, offset | BAR
 * @dead: configuration space reads as all ones
 * @no_ranges: the container lists no ranges
 * @spoil: not NULL: gets the chain of the container's answer, to make nonsense of it
 * @page_sizes: pages of the IOMMU, a bit for each size
 * @entries: maps that the container can have
 * @fail_at: number of the call that fails with -EIO, from 1 on; 0: none
 * @calls: calls so far
 * @open: files open
 * @irq_argsz, @irq_flags: of the last VFIO_DEVICE_SET_IRQS
 * @feature_flags: of the last VFIO_DEVICE_FEATURE
 * @maps: DMA maps there are
 */
struct fake_kernel {
	struct dfd_device *model;
	bool not_viable;
	uint32_t mmap;
	bool msix_mappable;
	uint32_t msix_table;
	bool dead;
	bool no_ranges;
	void (*spoil)(struct fake_chain *chain);
	uint64_t page_sizes;
	unsigned int entries;
	struct fake_failure failures[FAKE_MAX_FAILURES];
	unsigned int fail_at;
	unsigned int calls;
	int open;
	uint32_t irq_argsz;
	uint32_t irq_flags;
	uint32_t feature_flags;
	unsigned int maps;
};

extern struct fake_kernel fake;
extern const struct kernel_calls fake_calls;

/* What the fake vfio-pci lists in the container. */
#define FAKE_RANGES                                                                                \
	{ 0, 0xfedfffff },                                                                         \
	{                                                                                          \
		0xfef00000, 0xffffffffffff                                                         \
	}

/* The device has two names: 0000:01:00.0 and this one. */
#define FAKE_UUID "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"

/** fake_start() - everything as it should be, in front of a model such as "edu" */
void fake_start(const char *model);

/** fake_stop() - close the model */
void fake_stop(void);

#endif
