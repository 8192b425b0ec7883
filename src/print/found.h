/* SPDX-License-Identifier: MIT */
/* Words for a device of a machine, as all its lists have them. */
#ifndef PRINT_FOUND_H
#define PRINT_FOUND_H

#include <devfd/enumerate.h>

#include "print/names.h"

#define FOUND_NAME_SIZE 256
#define FOUND_IDS_SIZE	32
/* Room for the names of a device. */
#define FOUND_WORDS_SIZE 1024

/** found_name() - its class, vendor or device in pci.ids. Return: @name, or NULL */
const char *found_name(struct dfd_names *names, const struct dfd_found *found,
		       enum dfd_names_kind kind, char name[FOUND_NAME_SIZE]);

/** found_ids() - Return: @ids with "1af4:1041", or NULL */
const char *found_ids(const struct dfd_found *found, char ids[FOUND_IDS_SIZE]);

/** found_group() - Return: @group with "5 (1)": the IOMMU group and how many are in it; or NULL */
const char *found_group(const struct dfd_found *found, char group[FOUND_IDS_SIZE]);

/** found_words() - "CLASS: VENDOR DEVICE", as far as they are known, or what it is compatible to;
 * then its problem. Return: @words */
const char *found_words(struct dfd_names *names, const struct dfd_found *found,
			char words[FOUND_WORDS_SIZE]);

#endif
