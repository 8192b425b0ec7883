/* SPDX-License-Identifier: MIT */
/* Addresses that no DMA map of a group can have. */
#ifndef KERNEL_RESERVED_H
#define KERNEL_RESERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct reserved - addresses from @start to @last, and what they are for: "msi", "direct", ... */
struct reserved {
	uint64_t start;
	uint64_t last;
	char type[32];
};

/**
 * reserved_next() - take one line off the attribute reserved_regions
 * @text: moves on; lines that are none are passed over
 *
 * Return: is there one?
 */
bool reserved_next(char **text, struct reserved *out);

/**
 * reserved_read() - read the attribute of a group
 *
 * Return: is there one?
 */
bool reserved_read(const char *root, unsigned int group, char *text, size_t room);

/**
 * reserved_by_firmware() - does the firmware need DMA of a group's devices, mapped one to one?
 * @range: receives the first such range, "0xa0000-0xfffff"
 *
 * What it needs only until a driver comes (graphics, USB) has another type and is not meant.
 *
 * Return: then the kernel gives the DMA to nobody else.
 */
bool reserved_by_firmware(const char *root, unsigned int group, char *range, size_t room);

#endif
