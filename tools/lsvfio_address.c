/* SPDX-License-Identifier: MIT */
/*
 * What users write for a device.
 *
 * Theory of operation: people have a function's name from lspci, or a path from find or from
 * another program's message. These become addresses here. A function's name alone only looks: to
 * open it would reset it.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lsvfio.h"
#include "tool.h"

static bool is_function(const char *text)
{
	return strchr(text, '.') && strchr(text, ':') &&
	       !text[strspn(text, "0123456789abcdefABCDEF:.")];
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static void put(struct lsvfio_address *out, const char *scheme, const char *rest)
{
	snprintf(out->text, sizeof(out->text), "%s%s", scheme, rest);
}

/* A function: opened only when that was asked for. */
static void put_function(struct lsvfio_address *out, const char *bdf, bool open)
{
	put(out, open ? "pci:" : "sysfs:", bdf);
}

/* A directory of sysfs: name and bus are where its links lead. */
static int put_directory(struct lsvfio_address *out, const char *given, bool open)
{
	char path[PATH_MAX], subsystem[PATH_MAX + 16], link[PATH_MAX];
	const char *name, *bus;
	ssize_t len;

	if (!realpath(given, path))
		return tool_fail(TOOL_FAILED,
				 "%s: %m; name the directory of a device, such as "
				 "/sys/bus/pci/devices/0000:01:00.0",
				 given);
	snprintf(subsystem, sizeof(subsystem), "%s/subsystem", path);
	len = readlink(subsystem, link, sizeof(link) - 1);
	link[len < 0 ? 0 : len] = '\0';
	bus = strrchr(link, '/') ? strrchr(link, '/') + 1 : "";
	name = strrchr(path, '/') + 1;
	if (!strcmp(bus, "pci"))
		put_function(out, name, open);
	else if (!strcmp(bus, "platform") || !strcmp(bus, "amba"))
		put(out, "platform:", name);
	else if (!strcmp(bus, "mdev"))
		put(out, "mdev:", name);
	else
		return tool_fail(TOOL_FAILED,
				 "%s: is no device of PCI, of a device tree or mediated; "
				 "lsvfio without an address lists those there are",
				 given);
	return TOOL_OK;
}

/* The name of a file alone: there are several kinds of them. */
static int refuse_file(const char *given, const struct stat *st)
{
	if (S_ISSOCK(st->st_mode))
		return tool_fail(TOOL_FAILED, "%s: is a socket; write user:%s", given, given);
	return tool_fail(TOOL_FAILED,
			 "%s: is a file; write file:%s for a saved table, dtb:%s#/PATH for a "
			 "device tree, or -F %s for what -J has printed",
			 given, given, given, given);
}

int lsvfio_address(const char *given, bool open, struct lsvfio_address *out)
{
	struct stat st;

	*out = (struct lsvfio_address){ 0 };
	if (is_function(given))
		put_function(out, given, open);
	else if (open && starts(given, "sysfs:"))
		put_function(out, given + strlen("sysfs:"), open);
	else if (starts(given, "/sys/"))
		return put_directory(out, given, open);
	else if (starts(given, "/dev/vfio/devices/"))
		put(out, "cdev:", given);
	else if (starts(given, "/dev/vfio/"))
		return tool_fail(TOOL_FAILED,
				 "%s: is not the file of a device but of a group or a container; "
				 "lsvfio -g lists the groups and the devices in each",
				 given);
	else if (starts(given, "vfio-user:"))
		put(out, "user:", given + strlen("vfio-user:"));
	else if (!strchr(given, ':') && !stat(given, &st) &&
		 (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode)))
		return refuse_file(given, &st);
	else
		put(out, "", given);
	return TOOL_OK;
}

bool lsvfio_looked_at(const char *address)
{
	return starts(address, "sysfs:");
}

const char *lsvfio_function(const char *address)
{
	const char *bdf = starts(address, "sysfs:") ? address + strlen("sysfs:")
			  : starts(address, "pci:") ? address + strlen("pci:")
						    : address;

	return is_function(bdf) ? bdf : NULL;
}
