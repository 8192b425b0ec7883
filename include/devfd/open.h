/* SPDX-License-Identifier: MIT */
/*
 * Addresses: one spelling for every device.
 *
 *   model:NAME[,OPTION=VALUE]...    a model in this process ("model:" alone lists them)
 *   pci:0000:01:00.0                a PCI function through the kernel's VFIO; also just 01:00.0.
 *                                   Opening resets it, where it can be reset, and clears bus
 *                                   mastering
 *   platform:NAME                   a platform or AMBA device through the kernel's VFIO
 *   mdev:UUID                       a mediated device through the kernel's VFIO
 *   cdev:/dev/vfio/devices/vfio0    a device of the kernel's VFIO by its own file
 *   fd:3                            one that is open: an fd of VFIO_GROUP_GET_DEVICE_FD, or such a
 *                                   file; it is duplicated
 *   user:/run/x.sock                a device that another process serves (vfio-user; "devfd serve")
 *   sysfs:0000:01:00.0              a PCI function as sysfs describes it; nothing is opened
 *   dtb:FILE#/PATH/OF/NODE          a node of a device tree blob
 *   file:NAME                       a saved table
 *
 * What the kernel's VFIO has takes options, such as pci:0000:01:00.0?via=group,token=UUID:
 *
 *   via=cdev|group|noiommu          the interface; without it the device's own file with an iommufd
 *                                   where there is one, else its group. noiommu is only ever taken
 *                                   when it is asked for: the device's DMA can reach all memory
 *   token=UUID                      the VF token that the driver of the physical function has set
 *   iommufd=N                       an open /dev/iommu of the caller's, which is duplicated
 *
 * Devices of one IOMMU group that are open in one process share one address space: an IOVA that one
 * of them has mapped is taken for the others, and what one maps all can reach.
 */
#ifndef DEVFD_OPEN_H
#define DEVFD_OPEN_H

#include <devfd/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * dfd_open() - open the device at an address
 * @address: as above
 * @out: receives the device; give it back with dfd_device_close()
 * @err: optional; says what is wrong with the address and what would be right
 *
 * May block on files. Thread-safe.
 *
 * Return: 0; -EINVAL for an address that is not well formed or an unknown option; -ENOENT for a
 * model, file, node or function that does not exist; -EBADMSG for a file that is corrupt; other
 * errors of open() and read(). For a device of the kernel's VFIO also: -EOPNOTSUPP without an IOMMU
 * and without the interface asked for; -ENODEV when it is not bound to a driver of VFIO or has
 * gone; -EPERM when its IOMMU group is not viable or the kernel wants interrupt remapping; -EBUSY
 * when it or its group is open elsewhere; -EACCES; -ENOTTY for an fd of something else. For a
 * device that is served: -ECONNREFUSED when the server has ended; -EBUSY when another client has
 * it; -EPROTO; -ETIMEDOUT.
 */
int dfd_open(const char *address, struct dfd_device **out, struct dfd_error *err);

/**
 * dfd_open_help() - what a scheme offers
 * @scheme: "model:" lists the models with their options; "pci:" tells of VFIO; NULL lists
 *          the forms of addresses
 * @line: called for each line of text, without newline
 *
 * Return: 0, or -ENOENT for a scheme that has nothing to list.
 */
int dfd_open_help(const char *scheme, void (*line)(void *ctx, const char *text), void *ctx);

#ifdef __cplusplus
}
#endif
#endif
