/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/limits.h"
#include "util/sysfs.h"

#define LINE "Max locked memory"

bool memlock_limit(const char *root, uint64_t *bytes)
{
	char path[PATH_MAX], text[4096], *at, *end;

	snprintf(path, sizeof(path), "%s/proc/self/limits", root);
	if (dfd_sysfs_text(AT_FDCWD, path, text, sizeof(text)) < 0)
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
