/* SPDX-License-Identifier: MIT */
/* Info structs of today's VFIO, which a chain of capabilities may follow; for src/ioctl/ and
 * src/kernel/.
 */
#ifndef IOCTL_INFO_H
#define IOCTL_INFO_H

#include "ioctl/view.h"

/** struct dfd_info - an info struct with its chain; free(@buf) when done */
struct dfd_info {
	uint8_t *buf;
	uint32_t len;
};

/**
 * dfd_ask_info() - ask for an info struct and all of its capabilities
 * @head: the struct to ask with; it starts with argsz and flags
 * @size: bytes in @head
 * @caps_flag: the flag that says that there are capabilities
 * @info: zeroed; receives the answer, to be freed in every case
 *
 * Return: 0, -ENOMEM, -EBADMSG, or what the fd says.
 */
int dfd_ask_info(struct dfd_asker *a, unsigned long request, const void *head, uint32_t size,
		 uint32_t caps_flag, struct dfd_info *info);

/**
 * struct dfd_info_cap - one capability of a chain
 * @body, @len: without the header; memory of the struct dfd_info
 * @next: where the next one is, from the start of the info struct; 0: this is the last. Before the
 *        first call: where the chain starts, 0 without one
 * @end: where this one ends; before the first call: the size of the struct in front
 */
struct dfd_info_cap {
	uint16_t id;
	uint16_t version;
	uint32_t len;
	const uint8_t *body;
	uint32_t next;
	uint32_t end;
};

/** dfd_info_next_cap() - Return: 1 and the next capability; 0 at the end; -EBADMSG */
int dfd_info_next_cap(const struct dfd_info *info, struct dfd_info_cap *cap);

/** dfd_info_get32() - Return: the number that starts at @p */
uint32_t dfd_info_get32(const uint8_t *p);

#endif
