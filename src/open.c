/* SPDX-License-Identifier: MIT */
/* Address to device: the only file that knows every source. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <devfd/enumerate.h>
#include <devfd/open.h>

#include "file/dtb.h"
#include "file/saved.h"
#include "kernel/function.h"
#include "kernel/root.h"
#include "kernel/vfio.h"
#include "model/model.h"
#include "user/client.h"

/**
 * struct scheme - a kind of address
 * @prefix: what such an address starts with
 * @form, @meaning: for dfd_open_help() and messages
 * @open: gets what follows the prefix
 * @help: lists what there is, or NULL
 */
struct scheme {
	const char *prefix;
	const char *form;
	const char *meaning;
	int (*open)(const char *rest, struct dfd_device **out, struct dfd_error *err);
	void (*help)(void (*line)(void *ctx, const char *text), void *ctx);
};

static int open_sysfs(const char *rest, struct dfd_device **out, struct dfd_error *err)
{
	return dfd_sysfs_open(root_here(), rest, out, err);
}

static int open_pci(const char *rest, struct dfd_device **out, struct dfd_error *err)
{
	return dfd_vfio_open(NULL, "pci", rest, out, err);
}

static int open_platform(const char *rest, struct dfd_device **out, struct dfd_error *err)
{
	return dfd_vfio_open(NULL, "platform", rest, out, err);
}

static int open_mdev(const char *rest, struct dfd_device **out, struct dfd_error *err)
{
	return dfd_vfio_open(NULL, "mdev", rest, out, err);
}

static int open_cdev(const char *rest, struct dfd_device **out, struct dfd_error *err)
{
	return dfd_vfio_open(NULL, "cdev", rest, out, err);
}

static int open_fd(const char *rest, struct dfd_device **out, struct dfd_error *err)
{
	return dfd_vfio_open(NULL, "fd", rest, out, err);
}

static void vfio_help(void (*line)(void *ctx, const char *text), void *ctx)
{
	line(ctx, "pci:DOMAIN:BUS:DEVICE.FUNCTION, such as pci:0000:01:00.0; also just 01:00.0");
	line(ctx, "  The function has to be bound to vfio-pci. Opening it resets it, where it can");
	line(ctx, "  be reset, and clears bus mastering. lsvfio without an address lists what");
	line(ctx, "  there is and says what can be used.");
	line(ctx, "platform:NAME, mdev:UUID, cdev:vfio0, fd:3: other devices of VFIO. All of them");
	line(ctx, "take options, pci:0000:01:00.0?via=group,token=UUID:");
	line(ctx, "  via=cdev     by the device's own file, with an iommufd");
	line(ctx, "  via=group    by its IOMMU group, with a container");
	line(ctx, "  via=noiommu  without an IOMMU: the device's DMA can reach all memory");
	line(ctx, "  token=UUID   the VF token that the driver of the physical function has set");
	line(ctx, "  iommufd=4    an open /dev/iommu to use");
	line(ctx, "Without via= it is the device's own file where there is one, else the group.");
}

static void user_help(void (*line)(void *ctx, const char *text), void *ctx)
{
	line(ctx,
	     "user:PATH[,ring=off][,twin=off][,poll]: PATH is the socket of a vfio-user server.");
	line(ctx, "  Registers of a device that devfd serves are read and written by memory that");
	line(ctx, "  both processes share; ring=off lets them go by the socket, as with others.");
	line(ctx,
	     "  Other servers are offered a second socket for what they ask; twin=off does not.");
	line(ctx, "  poll looks for answers by the socket instead of sleeping.");
}

static const struct scheme schemes[] = {
	{ "model:", "model:NAME[,OPTION=VALUE]...", "a model in this process", dfd_model_open,
	  dfd_model_help },
	{ "pci:", "pci:0000:01:00.0", "a PCI function through VFIO; opening resets it", open_pci,
	  vfio_help },
	{ "platform:", "platform:NAME", "a platform device through VFIO", open_platform, NULL },
	{ "mdev:", "mdev:UUID", "a mediated device through VFIO", open_mdev, NULL },
	{ "cdev:", "cdev:/dev/vfio/devices/vfio0", "a device of VFIO by its file", open_cdev,
	  NULL },
	{ "fd:", "fd:3", "a device of VFIO that is open already", open_fd, NULL },
	{ "user:", "user:/run/x.sock", "a device that is served, see devfd serve", dfd_user_open,
	  user_help },
	{ "sysfs:", "sysfs:0000:01:00.0", "a PCI function as sysfs describes it", open_sysfs,
	  NULL },
	{ "dtb:", "dtb:FILE#/PATH/OF/NODE", "a node of a device tree blob", dfd_dtb_open, NULL },
	{ "file:", "file:NAME", "a saved table", dfd_saved_open, NULL },
};
#define NUM_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

static const struct scheme *find_scheme(const char *address)
{
	for (size_t i = 0; i < NUM_SCHEMES; i++) {
		if (!strncmp(address, schemes[i].prefix, strlen(schemes[i].prefix)))
			return &schemes[i];
	}
	return NULL;
}

static int unknown_scheme(const char *address, struct dfd_error *err)
{
	char known[400] = "";

	for (size_t i = 0; i < NUM_SCHEMES; i++) {
		strcat(known, i ? ", " : "");
		strcat(known, schemes[i].form);
	}
	return dfd_error_set(err, -EINVAL,
			     "\"%s\" is not the address of a device; those look like %s", address,
			     known);
}

int dfd_open(const char *address, struct dfd_device **out, struct dfd_error *err)
{
	const struct scheme *s = find_scheme(address);
	char bdf[FUNCTION_NAME_SIZE], name[FUNCTION_NAME_SIZE];

	/* A function's name, perhaps with options. */
	snprintf(bdf, sizeof(bdf), "%.*s", (int)strcspn(address, "?"), address);
	if (!s && function_parse(bdf, name, sizeof(name)))
		return open_pci(address, out, err);
	return s ? s->open(address + strlen(s->prefix), out, err) : unknown_scheme(address, err);
}

/* Two columns: what to write and what it is. */
static void list_schemes(void (*line)(void *ctx, const char *text), void *ctx)
{
	char text[80];

	for (size_t i = 0; i < NUM_SCHEMES; i++) {
		snprintf(text, sizeof(text), "%-32s%s", schemes[i].form, schemes[i].meaning);
		line(ctx, text);
	}
}

int dfd_open_help(const char *scheme, void (*line)(void *ctx, const char *text), void *ctx)
{
	const struct scheme *s = scheme ? find_scheme(scheme) : NULL;

	if (!scheme)
		list_schemes(line, ctx);
	else if (s && s->help && !strcmp(scheme, s->prefix))
		s->help(line, ctx);
	else
		return -ENOENT;
	return 0;
}
