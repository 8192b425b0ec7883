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

/* Of those that begin like this, other ones differ in the next letter. */
static bool in_view(const char *path)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		if (path[5] == prefixes[i][5] && below(path, prefixes[i]))
			return true;
	}
	return false;
}

/* ".", ".." or "//", or at least a name that starts with a dot. */
static bool has_detours(const char *path)
{
	for (; *path; path++) {
		if (path[0] == '/' && (path[1] == '.' || path[1] == '/'))
			return true;
	}
	return false;
}

/*
 * Whether a path that takes detours leads into the view. In it, what ".." means behind a link is
 * for the kernel to say.
 */
static bool winds_into_view(const char *path, const char *in_tree)
{
	char absolute[PATH_MAX];
	int saved = errno;
	bool is_there;

	if (!shim_path_absolute("/", path, absolute, sizeof(absolute)))
		return false;
	if (may_be_below(absolute) && in_view(absolute))
		return true;
	/* Into the view and, as far as the text tells, out of it again: by a link in it or not. */
	is_there = in_view(path) && !NEXT(faccessat)(AT_FDCWD, in_tree, F_OK, AT_SYMLINK_NOFOLLOW);
	errno = saved;
	return is_there;
}

const char *shim_view(const char *path, char buf[PATH_MAX])
{
	bool winds;

	if (!view || !path || !may_be_below(path))
		return path;
	winds = has_detours(path);
	if (!winds && !in_view(path))
		return path;
	if (snprintf(buf, PATH_MAX, "%s%s", view, path) >= PATH_MAX ||
	    (winds && !winds_into_view(path, buf)))
		return path;
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
