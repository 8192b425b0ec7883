/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "shim/env.h"

/* Append the components of @path to the @len bytes in @out. */
static bool append(const char *path, char *out, size_t size, size_t *len)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (*len && out[--*len] != '/')
				;
		} else if (n && !(n == 1 && path[0] == '.')) {
			if (n + 2 > size - *len)
				return false;
			out[(*len)++] = '/';
			memcpy(out + *len, path, n);
			*len += n;
		}
		path += n;
		path += *path == '/';
	}
	out[*len] = '\0';
	return true;
}

bool shim_path_absolute(const char *base, const char *path, char *out, size_t size)
{
	size_t len = 0;

	if (path[0] != '/' && !append(base, out, size, &len))
		return false;
	return append(path, out, size, &len);
}
