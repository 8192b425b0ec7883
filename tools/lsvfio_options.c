/* SPDX-License-Identifier: MIT */
/* The command line of lsvfio. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lsvfio.h"
#include "tool.h"

#define SHORTS ":vxJgtmF:h"

enum { OPT_TABLE = 0x100, OPT_CHECK, OPT_FD, OPT_OPEN, OPT_VIA, OPT_SAVE, OPT_ROOT, OPT_VERSION };

static const struct option longs[] = {
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "fd", required_argument, NULL, OPT_FD },
	{ "file", required_argument, NULL, 'F' },
	{ "groups", no_argument, NULL, 'g' },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'J' },
	{ "open", no_argument, NULL, OPT_OPEN },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "save", required_argument, NULL, OPT_SAVE },
	{ "table", no_argument, NULL, OPT_TABLE },
	{ "tree", no_argument, NULL, 't' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "via", required_argument, NULL, OPT_VIA },
	{ 0 },
};

static const char help_text[] =
	"usage: lsvfio [OPTION]... [ADDRESS]...\n"
	"\n"
	"Describe devices; without an address, list those of this machine.\n"
	"\n"
	"  -v, --verbose   more: capabilities, reset, DMA; -vv: also features; -vvv: all bytes\n"
	"  -x              configuration space as lspci -x prints it; -xxx and -xxxx: more of it\n"
	"  -g, --groups    list the IOMMU groups of this machine\n"
	"  -t, --tree      the devices of this machine as a tree\n"
	"  -mm             the devices of this machine for scripts: a line each, fields in quotes\n"
	"  -J, --json      a JSON array; keys are in lsvfio(1)\n"
	"  -F, --file=DUMP what -J has printed, of this or another machine, in place of this one\n"
	"      --check     step by step: can it be used through VFIO, and if not, why not\n"
	"      --open      open functions that would only be looked at; that resets them\n"
	"      --fd=N      a device of VFIO that is open already, as fd:N\n"
	"      --table     hexdump of the device's table, record by record\n"
	"      --via=VIEW  what one way of asking tells: table, ioctl (2011), vfio (today);\n"
	"                  both: hold all three against each other\n"
	"      --save=FILE write the table to a file that \"file:FILE\" describes again\n"
	"      --root=DIR  DIR/sys in place of /sys; with a list or --check also /proc, /dev\n"
	"      --help, --version\n"
	"\n"
	"addresses:\n";

static void print_indented(void *ctx, const char *line)
{
	(void)ctx;
	printf("  %s\n", line);
}

static int print_help(void)
{
	fputs(help_text, stdout);
	dfd_open_help(NULL, print_indented, NULL);
	fputs("\nExit status: 0 good, 1 a device failed or views differ, 2 wrong usage;\n"
	      "with --check, 11 and up: the step that fails, see lsvfio(1).\n",
	      stdout);
	return TOOL_OK;
}

static bool is_view(const char *name)
{
	for (int i = 0; i < DFD_NUM_VIEWS; i++) {
		if (!strcmp(name, dfd_view_name((enum dfd_view_kind)i)))
			return true;
	}
	return false;
}

/* Each of them prints in a way of its own. */
static int set_action(struct lsvfio_options *opt, enum lsvfio_action action, const char *name)
{
	if (opt->action != LIST && opt->action != action)
		return tool_fail(
			TOOL_USAGE,
			"%s: only one of --table, --save, --check, -x and --via=both at a time",
			name);
	opt->action = action;
	return TOOL_OK;
}

static int set_via(struct lsvfio_options *opt, const char *name)
{
	if (!strcmp(name, "both"))
		return set_action(opt, COMPARE, "--via=both");
	if (!is_view(name))
		return tool_fail(TOOL_USAGE, "--via=%s: is not table, ioctl, vfio or both", name);
	opt->via = name;
	return TOOL_OK;
}

static int set_option(struct lsvfio_options *opt, int c)
{
	switch (c) {
	case 'v':
		opt->verbose++;
		return TOOL_OK;
	case 'x':
		opt->dump++;
		return set_action(opt, DUMP, "-x");
	case 'g':
		opt->groups = true;
		return TOOL_OK;
	case 't':
		opt->tree = true;
		return TOOL_OK;
	case 'm':
		opt->lines = true;
		return TOOL_OK;
	case 'J':
		opt->json = true;
		return TOOL_OK;
	case 'F':
		if (!*optarg)
			return tool_fail(TOOL_USAGE, "-F: names no file");
		opt->file = optarg;
		return TOOL_OK;
	case OPT_CHECK:
		return set_action(opt, CHECK, "--check");
	case OPT_FD:
		opt->fd = optarg;
		return TOOL_OK;
	case OPT_OPEN:
		opt->open = true;
		return TOOL_OK;
	case OPT_ROOT:
		if (!*optarg)
			return tool_fail(TOOL_USAGE, "--root=: names no directory");
		opt->root = optarg;
		return TOOL_OK;
	case OPT_TABLE:
		return set_action(opt, TABLE, "--table");
	case OPT_SAVE:
		if (!*optarg)
			return tool_fail(TOOL_USAGE, "--save=: names no file");
		opt->save = optarg;
		return set_action(opt, SAVE, "--save");
	case OPT_VIA:
		return set_via(opt, optarg);
	}
	return TOOL_USAGE;
}

static const char *action_name(const struct lsvfio_options *opt)
{
	static const char *const names[] = {
		[LIST] = NULL,	     [TABLE] = "--table",
		[SAVE] = "--save",   [COMPARE] = "--via=both",
		[CHECK] = "--check", [DUMP] = "-x",
	};

	return opt->action == LIST && opt->via ? "--via" : names[opt->action];
}

/* Of the machine as a whole. */
static int check_forms(const struct lsvfio_options *opt, int addresses)
{
	const char *form = opt->groups ? "-g" : opt->tree ? "-t" : opt->lines ? "-mm" : NULL;
	const char *other = opt->fd				       ? "--fd"
			    : addresses				       ? "addresses"
			    : action_name(opt)			       ? action_name(opt)
			    : opt->groups && opt->tree		       ? "-t"
			    : opt->lines && (opt->groups || opt->tree) ? "-mm"
			    : opt->json && !opt->groups		       ? "-J"
								       : NULL;

	if (form && other)
		return tool_fail(TOOL_USAGE,
				 "%s: lists what is in a machine and does not go with %s", form,
				 other);
	return TOOL_OK;
}

/* A dump stands for the machine. */
static int check_dump(const struct lsvfio_options *opt)
{
	const char *other = opt->action == CHECK ? "--check"
			    : opt->open		 ? "--open"
			    : opt->fd		 ? "--fd"
			    : opt->root		 ? "--root"
						 : NULL;

	if (opt->file && other)
		return tool_fail(TOOL_USAGE,
				 "%s: looks at a machine, not at a dump; leave it or -F out",
				 other);
	return TOOL_OK;
}

static int check_action(const struct lsvfio_options *opt, int addresses)
{
	const char *name = action_name(opt);

	if (name && !addresses && !opt->file)
		return tool_fail(TOOL_USAGE, "%s: needs an address, such as %s", name,
				 opt->action == CHECK ? "01:00.0" : "model:edu");
	if (opt->action != LIST && opt->action != CHECK && opt->json)
		return tool_fail(TOOL_USAGE, "%s: has no JSON form; leave -J out", name);
	if (opt->action != LIST && opt->via)
		return tool_fail(TOOL_USAGE, "%s: does not go with --via=%s", name, opt->via);
	if (opt->action == SAVE && addresses > 1)
		return tool_fail(TOOL_USAGE, "--save: one device for one file, %d given",
				 addresses);
	return TOOL_OK;
}

static int check_options(const struct lsvfio_options *opt, int addresses)
{
	int status = check_forms(opt, addresses);

	if (!status)
		status = check_dump(opt);
	if (!status)
		status = check_action(opt, addresses);
	if (status)
		return status;
	if (opt->open && opt->root)
		return tool_fail(TOOL_USAGE,
				 "--open: what is below --root is no device that can be opened; "
				 "leave one of them out");
	if (opt->open && !addresses)
		return tool_fail(TOOL_USAGE, "--open: needs an address, such as 01:00.0");
	return TOOL_OK;
}

int lsvfio_options(int argc, char **argv, struct lsvfio_options *out, bool *done)
{
	int c, status;

	*out = (struct lsvfio_options){ 0 };
	*done = false;
	while ((c = getopt_long(argc, argv, SHORTS, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			return tool_bad_option(argv, SHORTS, c);
		*done = c == 'h' || c == OPT_VERSION;
		if (*done)
			return c == 'h' ? print_help() : tool_version();
		status = set_option(out, c);
		if (status)
			return status;
	}
	return check_options(out, argc - optind + (out->fd ? 1 : 0));
}
