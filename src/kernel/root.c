/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "kernel/root.h"
#include "util/sysfs.h"

static const char *here = "";

void root_set_here(const char *dir)
{
	here = dir;
}

const char *root_here(void)
{
	return here;
}

bool root_exists(const char *root, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return !access(path, F_OK);
}

int root_text(const char *root, const char *name, char *buf, size_t room)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return dfd_sysfs_text(AT_FDCWD, path, buf, room);
}

int root_num(const char *root, const char *name, int64_t *value)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return dfd_sysfs_num(AT_FDCWD, path, value);
}
