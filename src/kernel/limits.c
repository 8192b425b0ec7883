/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "kernel/limits.h"
#include "kernel/root.h"

#define LINE "Max locked memory"

bool memlock_limit(const char *root, uint64_t *bytes)
{
	char text[4096], *at, *end;

	if (root_text(root, "/proc/self/limits", text, sizeof(text)) < 0)
		return false;
	at = strstr(text, LINE);
	if (!at)
		return false;
	at += strlen(LINE);
	at += strspn(at, " ");
	*bytes = strtoull(at, &end, 10);
	if (end == at)
		*bytes = UINT64_MAX;
	return true;
}
