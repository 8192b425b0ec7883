/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kernel/function.h"
#include "util/sysfs.h"

#define DIRECTORY "/sys/bus/pci/devices/"

/* Flags of a line of `resource`, from the kernel's ioport.h. */
#define RESOURCE_IO	  UINT64_C(0x100)
#define RESOURCE_MEM	  UINT64_C(0x200)
#define RESOURCE_DISABLED UINT64_C(0x10000000)
#define RESOURCE_UNSET	  UINT64_C(0x20000000)

bool function_parse(const char *bdf, char *name, size_t room)
{
	unsigned int domain = 0, bus, device, function;
	int end = -1;

	if (sscanf(bdf, "%8x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) != 4) {
		domain = 0;
		end = -1;
		sscanf(bdf, "%2x:%2x.%1x%n", &bus, &device, &function, &end);
	}
	if (end < 0 || bdf[end] || device > 0x1f || function > 7 ||
	    bdf[strspn(bdf, "0123456789abcdefABCDEF:.")])
		return false;
	snprintf(name, room, "%04x:%02x:%02x.%x", domain, bus, device, function);
	return true;
}

int function_refuse(const char *scheme, const char *bdf, struct dfd_error *err)
{
	return dfd_error_set(err, -EINVAL,
			     "%s:%s is not a PCI function: write DOMAIN:BUS:DEVICE.FUNCTION "
			     "in hexadecimal, such as 0000:01:00.0, or 01:00.0",
			     scheme, bdf);
}

int function_open(const char *scheme, const char *root, const char *bdf, char *name,
		  struct dfd_error *err)
{
	char path[PATH_MAX];
	int n, fd;

	if (!function_parse(bdf, name, FUNCTION_NAME_SIZE))
		return function_refuse(scheme, bdf, err);
	n = snprintf(path, sizeof(path), "%s" DIRECTORY "%s", root ? root : "", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return dfd_error_set(err, -ENAMETOOLONG, "%s:%s: the path is too long", scheme,
				     name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return dfd_error_set(err, -ENOENT,
				     "%s:%s: there is no such PCI function in %s" DIRECTORY
				     "; lsvfio without an address lists those there are",
				     scheme, name, root ? root : "");
	return dfd_error_set(err, -errno, "%s:%s: its directory cannot be opened: %m", scheme,
			     name);
}

static struct function_resource take_resource(uint64_t start, uint64_t end, uint64_t flags)
{
	struct function_resource r = { 0 };

	if (!(flags & (RESOURCE_IO | RESOURCE_MEM)) || !end || end < start)
		return r;
	r.size = end - start + 1;
	r.io = flags & RESOURCE_IO;
	if (!r.io && !(flags & (RESOURCE_UNSET | RESOURCE_DISABLED)))
		r.phys = start;
	return r;
}

int function_resources(int dir, struct function_resource resources[FUNCTION_NUM_RESOURCES],
		       struct dfd_error *err)
{
	char text[4096], *line = text, *rest;
	int ret = dfd_sysfs_text(dir, "resource", text, sizeof(text));

	if (ret < 0) {
		errno = -ret;
		return dfd_error_set(err, ret, "`resource` cannot be read: %m");
	}
	memset(resources, 0, FUNCTION_NUM_RESOURCES * sizeof(*resources));
	for (int i = 0; i < FUNCTION_NUM_RESOURCES && *line; i++, line = rest) {
		uint64_t start, end, flags;

		rest = line + strcspn(line, "\n");
		if (*rest)
			*rest++ = '\0';
		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64, &start, &end, &flags) != 3)
			return dfd_error_set(err, -EBADMSG,
					     "line %d of `resource` is not three numbers", i);
		resources[i] = take_resource(start, end, flags);
	}
	return 0;
}
