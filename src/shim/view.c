/* SPDX-License-Identifier: MIT */
/*
 * What a program sees of sysfs and of /dev/vfio: a directory tree that `devfd run` has written.
 *
 * Paths below a few prefixes lead there, by their text. All links in the tree are relative, so a
 * program that has come in stays in, and one that asks where it is gets the name it came by.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/shim.h"

static const char *view;
static size_t view_len;

/* Directories; the last is the start of the names of several. */
static const char *const prefixes[] = {
	"/sys/bus/pci/",
	"/sys/kernel/iommu_groups/",
	"/sys/class/vfio/",
	"/sys/class/vfio-dev/",
	"/sys/class/iommu/",
	"/sys/module/vfio/",
	"/sys/module/vfio_pci/",
	"/sys/module/vfio_iommu_type1/",
	"/dev/vfio/",
	"/sys/devices/pci",
};

void shim_view_set(const char *dir)
{
	view = *dir ? dir : NULL;
	view_len = strlen(dir);
}

/* A directory is meant with and without a slash at the end. */
static bool below(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	return !strncmp(path, prefix, len) || (!strncmp(path, prefix, len - 1) && !path[len - 1]);
}

/* Nearly every other path ends here. One that hides it behind "." or ".." at its start does, too.
 */
static bool may_be_below(const char *path)
{
	if (path[0] != '/')
		return false;
	if (path[1] == 's')
		return !strncmp(path, "/sys/", 5);
	return path[1] == 'd' && !strncmp(path, "/dev/", 5) &&
	       (path[5] == 'v' || path[5] == '.' || path[5] == '/');
}

static bool in_view(const char *absolute)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		if (below(absolute, prefixes[i]))
			return true;
	}
	return false;
}

/* What ".." means behind a link is for the kernel to say, so the path stays as it is. */
const char *shim_view(const char *path, char buf[PATH_MAX])
{
	char absolute[PATH_MAX];
	bool by_text;
	int saved = errno;

	if (!view || !path || !may_be_below(path) ||
	    !shim_path_absolute("/", path, absolute, sizeof(absolute)))
		return path;
	by_text = in_view(absolute);
	if ((!by_text && !in_view(path)) || snprintf(buf, PATH_MAX, "%s%s", view, path) >= PATH_MAX)
		return path;
	/* Into the view and, as far as the text tells, out of it again: by a link in it or not. */
	if (!by_text && NEXT(faccessat)(AT_FDCWD, buf, F_OK, AT_SYMLINK_NOFOLLOW)) {
		errno = saved;
		return path;
	}
	return buf;
}

size_t shim_view_start(const char *path)
{
	bool inside = view && path && !strncmp(path, view, view_len) && path[view_len] == '/';

	return inside ? view_len : 0;
}

char *shim_unview(char *path)
{
	size_t start = shim_view_start(path);

	if (start)
		memmove(path, path + start, strlen(path + start) + 1);
	return path;
}

size_t shim_unview_bytes(char *text, size_t len)
{
	if (!view || len <= view_len || memcmp(text, view, view_len) != 0 || text[view_len] != '/')
		return len;
	memmove(text, text + view_len, len - view_len);
	return len - view_len;
}
