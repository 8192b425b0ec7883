/* SPDX-License-Identifier: MIT */
/* VFIO capabilities in words. */
#ifndef PRINT_CAPS_H
#define PRINT_CAPS_H

#include <devfd/desc.h>

/** enum dfd_cap_of - the call that a capability hangs on; each has its own numbers */
enum dfd_cap_of { DFD_CAP_OF_DEVICE, DFD_CAP_OF_REGION };

/** dfd_cap_name() - Return: the name in linux/vfio.h without its prefix, or NULL */
const char *dfd_cap_name(enum dfd_cap_of of, uint16_t id);

#define DFD_CAP_MEANING_SIZE 384

/**
 * dfd_cap_meaning() - what the body says
 * @buf: receives the words
 * @len: bytes in @buf, DFD_CAP_MEANING_SIZE are enough
 *
 * Return: @buf, or NULL where the body is empty, too short or not known.
 */
const char *dfd_cap_meaning(char *buf, size_t len, enum dfd_cap_of of, const struct dfd_cap *cap);

#endif
