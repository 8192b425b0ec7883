/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/reserved.h"
#include "kernel/root.h"

bool reserved_next(char **text, struct reserved *out)
{
	while (**text) {
		char *line = *text;

		*text += strcspn(line, "\n");
		if (**text)
			*(*text)++ = '\0';
		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %31s", &out->start, &out->last,
			   out->type) == 3)
			return true;
	}
	return false;
}

bool reserved_read(const char *root, unsigned int group, char *text, size_t room)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%u/reserved_regions", group);
	return root_text(root, path, text, room) >= 0;
}

bool reserved_by_firmware(const char *root, unsigned int group, char *range, size_t room)
{
	char text[4096], *next = text;
	struct reserved r;

	if (!reserved_read(root, group, text, sizeof(text)))
		return false;
	while (reserved_next(&next, &r)) {
		if (strcmp(r.type, "direct") != 0)
			continue;
		snprintf(range, room, "0x%" PRIx64 "-0x%" PRIx64, r.start, r.last);
		return true;
	}
	return false;
}
