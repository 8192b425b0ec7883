/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_IRQS_H
#define KERNEL_IRQS_H

#include <devfd/device.h>

#include "kernel/calls.h"

/**
 * irqs_set() - VFIO_DEVICE_SET_IRQS
 * @fd: the device
 * @why: receives the reason for people, where there is one that the errno does not tell; else ""
 *
 * A list of eventfds from the first vector on may always be longer than the last one was.
 *
 * Return: as dfd_set_irqs().
 */
int irqs_set(const struct kernel_calls *calls, int fd, const struct dfd_irq_set *set,
	     struct dfd_error *why);

/** irqs_flags() - as dfd_irq_flags() */
int irqs_flags(const struct kernel_calls *calls, int fd, uint32_t index, uint32_t *flags);

/**
 * irqs_forget_mask() - let an interrupt of a platform device that was switched off start unmasked
 *
 * As a PCI function's does. Otherwise one that came, and masked itself, before it was switched off
 * would never come again.
 */
void irqs_forget_mask(const struct kernel_calls *calls, int fd, uint32_t index);

#endif
