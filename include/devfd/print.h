/* SPDX-License-Identifier: MIT */
/*
 * Descriptions for people and programs.
 */
#ifndef DEVFD_PRINT_H
#define DEVFD_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include <devfd/device.h>
#include <devfd/dump.h>
#include <devfd/view.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * dfd_print_text() - one screen about a device
 * @out: where to print
 * @address: how the user named it, for the first line
 * @desc: what to print
 * @verbose: all that is known
 *
 * Return: 0 or -EIO when @out is in error.
 */
int dfd_print_text(FILE *out, const char *address, const struct dfd_desc *desc, bool verbose);

/** dfd_print_json() - the same as one JSON object; keys are documented in lsvfio(1) */
int dfd_print_json(FILE *out, const char *address, const struct dfd_desc *desc);

/**
 * dfd_print_view_text() - the same of what one view tells, silent on what it cannot tell
 * @view: as dfd_view_get() gave it
 */
int dfd_print_view_text(FILE *out, const char *address, const struct dfd_view *view, bool verbose);

/** dfd_print_view_json() - the same as one JSON object, without the keys that it cannot tell */
int dfd_print_view_json(FILE *out, const char *address, const struct dfd_view *view);

/**
 * dfd_print_abilities() - what an open device can do beyond its description
 *
 * What a display shows, what a hot reset would take along, and what can be mapped for DMA. A device
 * that has none of these prints nothing.
 *
 * Return: 0 or -EIO when @out is in error.
 */
int dfd_print_abilities(FILE *out, struct dfd_device *dev);

/**
 * dfd_print_features() - which features of VFIO_DEVICE_FEATURE a device has, found by probing
 *
 * All that are known here, and others that the device has by their number.
 */
int dfd_print_features(FILE *out, struct dfd_device *dev);

/**
 * dfd_print_config() - what the configuration space of a PCI function says of it
 *
 * Its capabilities by name, and where its MSI-X table is. A device without one prints nothing.
 */
int dfd_print_config(FILE *out, struct dfd_device *dev);

/**
 * dfd_print_place() - what sysfs says of a PCI function beyond its description
 * @origin: the machine
 * @bdf: "0000:01:00.0" or "01:00.0"
 *
 * Its driver, group and state, power, ways of reset, physical or virtual functions. One that is not
 * there prints nothing.
 */
int dfd_print_place(FILE *out, const struct dfd_origin *origin, const char *bdf);

/**
 * dfd_print_device_json() - all of the above about a device as one JSON object
 * @origin: the machine it is in, for dfd_print_place(), or NULL
 * @bdf: which function of it, or NULL
 *
 * With its configuration space, so that the object in an array is a dump; see <devfd/dump.h>.
 */
int dfd_print_device_json(FILE *out, const char *address, struct dfd_device *dev,
			  const struct dfd_origin *origin, const char *bdf);

/** enum dfd_machine_form - how the devices of a machine are listed */
enum dfd_machine_form {
	DFD_MACHINE_LIST,  /* in columns, below a line about the machine */
	DFD_MACHINE_TREE,  /* the same below their bridges, or by their paths in the device tree */
	DFD_MACHINE_LINES, /* for scripts: fields in quotes, as lspci -mm; see lsvfio(1) */
	DFD_MACHINE_JSON,  /* an array, which is a dump; keys are documented in lsvfio(1) */
};

/**
 * dfd_print_machine() - the devices of a machine
 * @out: where to print
 * @origin: the machine
 *
 * Without devices nothing is printed.
 *
 * Return: how many devices; -EIO when @out is in error; -ENOMEM; or as dfd_enumerate().
 */
int dfd_print_machine(FILE *out, const struct dfd_origin *origin, enum dfd_machine_form form);

/**
 * dfd_print_groups() - the IOMMU groups of a machine, and what is in each
 * @origin: the machine
 * @json: an array instead, which is a dump; keys are documented in lsvfio(1)
 *
 * Return: how many groups; -EIO when @out is in error; -ENOMEM; or as dfd_enumerate_groups().
 */
int dfd_print_groups(FILE *out, const struct dfd_origin *origin, bool json);

/**
 * dfd_print_check_json() - what dfd_check() finds, as one JSON object
 * @out: where to print
 * @name: how the user named the device
 *
 * The other parameters are those of dfd_check(). Keys are documented in lsvfio(1).
 *
 * Return: as dfd_check(); also -ENOMEM and -EIO with @err.
 */
int dfd_print_check_json(FILE *out, const char *name, const char *root, const char *address,
			 bool open, struct dfd_error *err);

/**
 * dfd_print_size() - a size in bytes for people, such as "1 MiB"
 * @buf: receives the text
 * @len: bytes in @buf, 16 are enough
 *
 * Return: @buf.
 */
char *dfd_print_size(char *buf, size_t len, uint64_t bytes);

#ifdef __cplusplus
}
#endif
#endif
