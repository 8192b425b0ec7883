/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "print/found.h"
#include "print/plain.h"

const char *found_name(struct dfd_names *names, const struct dfd_found *found,
		       enum dfd_names_kind kind, char name[FOUND_NAME_SIZE])
{
	uint32_t id[2] = { (uint32_t)found->vendor, (uint32_t)found->device };

	if (kind == DFD_NAMES_CLASS)
		id[0] = (uint32_t)found->class_code >> 8;
	if (kind == DFD_NAMES_CLASS ? found->class_code < 0 : found->vendor < 0)
		return NULL;
	if (kind == DFD_NAMES_DEVICE && found->device < 0)
		return NULL;
	return dfd_names_find(names, name, FOUND_NAME_SIZE, kind, id);
}

const char *found_ids(const struct dfd_found *found, char ids[FOUND_IDS_SIZE])
{
	if (found->vendor < 0 || found->device < 0)
		return NULL;
	snprintf(ids, FOUND_IDS_SIZE, "%04" PRIx32 ":%04" PRIx32, (uint32_t)found->vendor,
		 (uint32_t)found->device);
	return ids;
}

const char *found_group(const struct dfd_found *found, char group[FOUND_IDS_SIZE])
{
	if (found->iommu_group < 0)
		return NULL;
	snprintf(group, FOUND_IDS_SIZE, "%" PRId32 " (%" PRIu32 ")", found->iommu_group,
		 found->group_size);
	return group;
}

static size_t add(char words[FOUND_WORDS_SIZE], size_t len, const char *before, const char *text)
{
	char plain[FOUND_WORDS_SIZE];

	if (len >= FOUND_WORDS_SIZE)
		return len;
	return len + (size_t)snprintf(words + len, FOUND_WORDS_SIZE - len, "%s%s", before,
				      dfd_plain(plain, sizeof(plain), text));
}

const char *found_words(struct dfd_names *names, const struct dfd_found *found,
			char words[FOUND_WORDS_SIZE])
{
	char name[FOUND_NAME_SIZE];
	const char *part = found_name(names, found, DFD_NAMES_CLASS, name);
	size_t len = 0;

	words[0] = '\0';
	if (part)
		len = add(words, len, "", part);
	part = found_name(names, found, DFD_NAMES_VENDOR, name);
	if (part)
		len = add(words, len, len ? ": " : "", part);
	part = found_name(names, found, DFD_NAMES_DEVICE, name);
	if (part)
		len = add(words, len, " ", part);
	if (found->bus != DFD_BUS_PCI && found->compatible)
		len = add(words, len, "", found->compatible);
	if (found->problem) {
		len = add(words, len, len ? "  <" : "<", found->problem);
		add(words, len, "", ">");
	}
	return words;
}
