/* SPDX-License-Identifier: MIT */
/*
 * What has to be so before a device can be used through the kernel's VFIO, looked at step by step.
 */
#ifndef DEVFD_CHECK_H
#define DEVFD_CHECK_H

#include <stdbool.h>

#include <devfd/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** enum dfd_check_step - the steps, in their order */
enum dfd_check_step {
	DFD_CHECK_DEVICE = 1, /* it is there */
	DFD_CHECK_IOMMU,      /* it is in an IOMMU group */
	DFD_CHECK_DRIVER,     /* a driver of VFIO has it */
	DFD_CHECK_GROUP,      /* no driver of the host has another device of its group */
	DFD_CHECK_FIRMWARE,   /* the firmware does not need its DMA */
	DFD_CHECK_INTERRUPTS, /* it cannot forge interrupts, or that is allowed */
	DFD_CHECK_FILES,      /* the kernel has files to open it by */
	DFD_CHECK_ACCESS,     /* this user may open them */
	DFD_CHECK_FREE,	      /* nobody else has it */
	DFD_CHECK_TOKEN,      /* the VF token is known, where one is needed */
	DFD_CHECK_POWER,      /* it answers */
	DFD_CHECK_RESET,      /* it can be reset */
	DFD_CHECK_MEMORY,     /* memory can be locked for its DMA */
	DFD_CHECK_OPEN,	      /* it opens; only where asked for */
	DFD_NUM_CHECKS
};

/** dfd_check_name() - Return: "device", "IOMMU", ... */
const char *dfd_check_name(enum dfd_check_step step);

/** enum dfd_check_result - what a step came to */
enum dfd_check_result {
	DFD_CHECK_GOOD,
	DFD_CHECK_NOTE, /* it can be used, but there is something to know */
	DFD_CHECK_BAD,
};

/**
 * struct dfd_check - one step
 * @text: what was found; of DFD_CHECK_BAD a sentence with the cause and the remedy
 * @call: of DFD_CHECK_BAD: the call that fails otherwise, such as "VFIO_GROUP_SET_CONTAINER", or
 *        NULL where there is none
 * @error: of DFD_CHECK_BAD: what it answers, a negative errno
 *
 * Lives only during the call that hands it over.
 */
struct dfd_check {
	enum dfd_check_step step;
	enum dfd_check_result result;
	const char *text;
	const char *call;
	int error;
};

/**
 * dfd_check() - look at a device step by step, up to the first that fails
 * @root: directory in front of /sys, /proc and /dev, or NULL
 * @address: "pci:", "platform:", "mdev:" or "cdev:" with options, a bare "01:00.0", or "sysfs:"
 * @open: in the end open the device, which resets it and takes its group; not with @root
 * @fn: called for each step
 *
 * Sentences do not repeat the address. Needs no privilege, and opens nothing unless @open.
 *
 * Return: 0 when all is well, the number of the step that fails, or -EINVAL with @err for another
 * kind of address.
 */
int dfd_check(const char *root, const char *address, bool open,
	      void (*fn)(void *ctx, const struct dfd_check *check), void *ctx,
	      struct dfd_error *err);

#ifdef __cplusplus
}
#endif
#endif
