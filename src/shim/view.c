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

void shim_view_set(const char *dir)
{
	view = *dir ? dir : NULL;
	view_len = strlen(dir);
}

/* Nearly every other path ends here. One that hides it behind "." or ".." at its start does, too.
 */
static bool may_be_below(const char *path)
{
	if (path[0] != '/')
		return false;
	if (path[1] == 's')
		return path[2] == 'y' && path[3] == 's' && path[4] == '/';
	return path[1] == 'd' && path[2] == 'e' && path[3] == 'v' && path[4] == '/' &&
	       (path[5] == 'v' || path[5] == '.' || path[5] == '/');
}

/* A string of known length; of those, a few loads tell. */
#define STARTS(path, len, text)                                                                    \
	((len) >= sizeof(text) - 1 && !memcmp((path), (text), sizeof(text) - 1))

/* A directory is meant with and without a slash at the end. */
#define IS_BELOW(path, len, dir)                                                                   \
	(STARTS(path, len, dir) && (!(path)[sizeof(dir) - 1] || (path)[sizeof(dir) - 1] == '/'))

/* The letter behind "/sys/" or "/dev/" leaves few to be compared with. */
static bool in_view(const char *path, size_t len)
{
	switch (len > 5 ? path[5] : '\0') {
	case 'b':
		return IS_BELOW(path, len, "/sys/bus/pci");
	case 'c':
		return IS_BELOW(path, len, "/sys/class/vfio") ||
		       IS_BELOW(path, len, "/sys/class/vfio-dev") ||
		       IS_BELOW(path, len, "/sys/class/iommu");
	case 'd':
		return STARTS(path, len, "/sys/devices/pci");
	case 'k':
		return IS_BELOW(path, len, "/sys/kernel/iommu_groups");
	case 'm':
		return IS_BELOW(path, len, "/sys/module/vfio") ||
		       IS_BELOW(path, len, "/sys/module/vfio_pci") ||
		       IS_BELOW(path, len, "/sys/module/vfio_iommu_type1");
	case 'v':
		return IS_BELOW(path, len, "/dev/vfio");
	default:
		return false;
	}
}

typedef uint8_t bytes __attribute__((vector_size(8)));

/* Those of 8 characters that the next one makes a detour of. */
static bytes detours(const char *path)
{
	bytes here, next;

	memcpy(&here, path, sizeof(here));
	memcpy(&next, path + 1, sizeof(next));
	return (bytes)((here == '/') & ((next == '.') | (next == '/')));
}

/* ".", ".." or "//", or at least a name that starts with a dot. */
static bool has_detours(const char *path, size_t len)
{
	char padded[16] = { 0 };
	bytes found = { 0 };
	uint64_t any;

	if (len < sizeof(found)) {
		path = memcpy(padded, path, len);
		len = sizeof(found);
	}
	for (size_t i = 0; i + sizeof(found) < len; i += sizeof(found))
		found |= detours(path + i);
	found |= detours(path + len - sizeof(found));
	memcpy(&any, &found, sizeof(any));
	return any;
}

/*
 * Whether a path that takes detours leads into the view. In it, what ".." means behind a link is
 * for the kernel to say.
 */
static bool winds_into_view(const char *path, size_t len, const char *in_tree)
{
	char absolute[PATH_MAX];
	int saved = errno;
	bool is_there;

	if (!shim_path_absolute("/", path, absolute, sizeof(absolute)))
		return false;
	if (may_be_below(absolute) && in_view(absolute, strlen(absolute)))
		return true;
	/* Into the view and, as far as the text tells, out of it again: by a link in it or not. */
	is_there = in_view(path, len) &&
		   !NEXT(faccessat)(AT_FDCWD, in_tree, F_OK, AT_SYMLINK_NOFOLLOW);
	errno = saved;
	return is_there;
}

static __attribute__((noinline)) const char *into_view(const char *path, size_t len, bool winds,
						       char buf[PATH_MAX])
{
	if (snprintf(buf, PATH_MAX, "%s%s", view, path) >= PATH_MAX ||
	    (winds && !winds_into_view(path, len, buf)))
		return path;
	return buf;
}

const char *shim_view(const char *path, char buf[PATH_MAX])
{
	size_t len;
	bool winds;

	if (!view || !path || !may_be_below(path))
		return path;
	len = strlen(path);
	winds = has_detours(path, len);
	return winds || in_view(path, len) ? into_view(path, len, winds, buf) : path;
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
