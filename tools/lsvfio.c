/* SPDX-License-Identifier: MIT */
/* lsvfio: what is behind an address. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lsvfio.h"
#include "tool.h"

#define SHORTS ":vxJgh"

enum action { LIST, TABLE, SAVE, COMPARE, CHECK, DUMP };

struct options {
	enum action action;
	unsigned int verbose; /* how many v */
	unsigned int dump;    /* how many x */
	bool json;
	bool groups;
	bool open;
	const char *fd;	  /* number of an open file, or NULL */
	const char *via;  /* name of a view, or NULL */
	const char *save; /* file */
	const char *root; /* directory in front of /sys */
	unsigned int printed;
};

enum { OPT_TABLE = 0x100, OPT_CHECK, OPT_FD, OPT_OPEN, OPT_VIA, OPT_SAVE, OPT_ROOT, OPT_VERSION };

static const struct option longs[] = {
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "fd", required_argument, NULL, OPT_FD },
	{ "groups", no_argument, NULL, 'g' },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'J' },
	{ "open", no_argument, NULL, OPT_OPEN },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "save", required_argument, NULL, OPT_SAVE },
	{ "table", no_argument, NULL, OPT_TABLE },
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
	"  -J, --json      a JSON array; keys are in lsvfio(1)\n"
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

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	puts(line);
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

static int open_device(const struct options *opt, const char *address, struct dfd_device **dev)
{
	const char *bdf = lsvfio_function(address);
	struct dfd_error err;

	if (!opt->root && !dfd_open(address, dev, &err))
		return TOOL_OK;
	if (opt->root && (!bdf || strncmp(address, "sysfs:", 6) != 0))
		return tool_fail(TOOL_USAGE,
				 "%s: has no sysfs; --root goes with functions such as 01:00.0",
				 address);
	if (opt->root && !dfd_sysfs_open(opt->root, bdf, dev, &err))
		return TOOL_OK;
	return tool_fail(TOOL_FAILED, "%s", err.text);
}

static int save(struct dfd_device *dev, const char *path)
{
	struct dfd_error err;

	if (dfd_save(dev, path, &err))
		return tool_fail(TOOL_FAILED, "%s", err.text);
	return TOOL_OK;
}

/* What stands in front of one device of a list. */
static void print_between(struct options *opt)
{
	if (opt->json)
		fputs(opt->printed ? ",\n" : "[\n", stdout);
	else if (opt->printed)
		putchar('\n');
	opt->printed++;
}

static int print_view(struct options *opt, const char *address, const struct dfd_view *view)
{
	int ret;

	print_between(opt);
	if (!opt->json)
		ret = dfd_print_view_text(stdout, address, view, opt->verbose > 0);
	else
		ret = dfd_print_view_json(stdout, address, view);
	return ret ? TOOL_FAILED : TOOL_OK;
}

static int list_device(struct options *opt, const char *address, struct dfd_device *dev)
{
	struct dfd_view view = { .desc = dfd_device_desc(dev), .topics = ~UINT32_C(0) };
	enum dfd_view_kind kind = 0;
	int status;

	if (!opt->via && opt->json) {
		print_between(opt);
		return dfd_print_device_json(stdout, address, dev) ? TOOL_FAILED : TOOL_OK;
	}
	if (!opt->via) {
		status = print_view(opt, address, &view);
		return status ? status : lsvfio_more(opt->root, address, dev, opt->verbose);
	}
	while (strcmp(opt->via, dfd_view_name(kind)) != 0)
		kind++;
	status = lsvfio_learn(address, dev, kind, &view);
	if (status)
		return status;
	status = print_view(opt, address, &view);
	dfd_desc_unref(view.desc);
	return status;
}

/* A scheme alone is listed, for people. */
static bool print_scheme(const struct options *opt, const char *address)
{
	const size_t len = strlen(address);

	return opt->action == LIST && !opt->json && !opt->via && len && address[len - 1] == ':' &&
	       !dfd_open_help(address, print_line, NULL);
}

static void print_not_opened(const struct options *opt, const struct lsvfio_address *address)
{
	if (!address->looked_at || opt->action != LIST || opt->json || opt->via)
		return;
	if (!opt->verbose)
		dfd_print_place(stdout, opt->root, lsvfio_function(address->text));
	puts("  <not opened>  the rest needs --open, which resets it");
}

static int do_action(struct options *opt, const char *address, struct dfd_device *dev)
{
	switch (opt->action) {
	case LIST:
		return list_device(opt, address, dev);
	case TABLE:
		return lsvfio_table(address, dev);
	case SAVE:
		return save(dev, opt->save);
	case COMPARE:
		return lsvfio_compare(address, dev);
	case DUMP:
		return lsvfio_dump(address, dev, opt->dump);
	case CHECK: /* opens it itself, if at all */
		break;
	}
	return TOOL_OK;
}

static int show(struct options *opt, const char *given)
{
	struct lsvfio_address address;
	struct dfd_device *dev = NULL;
	int status;

	if (print_scheme(opt, given))
		return TOOL_OK;
	status = lsvfio_address(given, opt->open, &address);
	if (status)
		return status;
	if (opt->action == CHECK)
		return lsvfio_check(opt->root, given, address.text, opt->open);
	status = open_device(opt, address.text, &dev);
	if (status)
		return status;
	status = do_action(opt, address.text, dev);
	if (!status)
		print_not_opened(opt, &address);
	dfd_device_close(dev);
	return status;
}

static int show_all(struct options *opt, char **addresses)
{
	char fd[32];
	int status = TOOL_OK;

	if (opt->fd) {
		snprintf(fd, sizeof(fd), "fd:%s", opt->fd);
		status = show(opt, fd);
	}
	for (; *addresses; addresses++) {
		int one = show(opt, *addresses);

		if (one > status)
			status = one;
	}
	if (opt->json && opt->printed)
		puts("]");
	return status;
}

static int show_machine(const struct options *opt)
{
	int ret = dfd_print_machine(stdout, opt->root, opt->json);

	if (ret > 0)
		return TOOL_OK;
	if (ret < 0)
		return tool_fail(TOOL_FAILED, "%s/sys/bus: %s", opt->root ? opt->root : "",
				 strerror(-ret));
	return tool_fail(TOOL_FAILED, "%s/sys/bus: lists no PCI function and no device-tree device",
			 opt->root ? opt->root : "");
}

static int show_groups(const struct options *opt)
{
	int ret = dfd_print_groups(stdout, opt->root);

	if (ret > 0)
		return TOOL_OK;
	if (ret < 0)
		return tool_fail(TOOL_FAILED, "%s/sys/kernel/iommu_groups: %s",
				 opt->root ? opt->root : "", strerror(-ret));
	return tool_fail(TOOL_FAILED, "%s/sys/kernel/iommu_groups: holds no IOMMU group",
			 opt->root ? opt->root : "");
}

static bool is_view(const char *name)
{
	for (int i = 0; i < DFD_NUM_VIEWS; i++) {
		if (!strcmp(name, dfd_view_name((enum dfd_view_kind)i)))
			return true;
	}
	return false;
}

/* Table, saved file and comparison print in a way of their own: one of them, and without -J. */
static int set_action(struct options *opt, enum action action, const char *name)
{
	if (opt->action != LIST && opt->action != action)
		return tool_fail(
			TOOL_USAGE,
			"%s: only one of --table, --save, --check, -x and --via=both at a time",
			name);
	opt->action = action;
	return TOOL_OK;
}

static int set_via(struct options *opt, const char *name)
{
	if (!strcmp(name, "both"))
		return set_action(opt, COMPARE, "--via=both");
	if (!is_view(name))
		return tool_fail(TOOL_USAGE, "--via=%s: is not table, ioctl, vfio or both", name);
	opt->via = name;
	return TOOL_OK;
}

static int set_option(struct options *opt, int c)
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
	case 'J':
		opt->json = true;
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

static int check_options(const struct options *opt, int addresses)
{
	const char *name = opt->action == TABLE	    ? "--table"
			   : opt->action == SAVE    ? "--save"
			   : opt->action == COMPARE ? "--via=both"
			   : opt->action == CHECK   ? "--check"
			   : opt->action == DUMP    ? "-x"
			   : opt->via		    ? "--via"
						    : NULL;

	if (opt->groups && (addresses || name || opt->json))
		return tool_fail(TOOL_USAGE, "-g: goes with --root alone, not with %s",
				 opt->fd     ? "--fd"
				 : addresses ? "addresses"
				 : name	     ? name
					     : "-J");
	if (name && !addresses)
		return tool_fail(TOOL_USAGE, "%s: needs an address, such as %s", name,
				 opt->action == CHECK ? "01:00.0" : "model:edu");
	if (opt->action != LIST && opt->json)
		return tool_fail(TOOL_USAGE, "%s: has no JSON form; leave -J out", name);
	if (opt->action != LIST && opt->via)
		return tool_fail(TOOL_USAGE, "%s: does not go with --via=%s", name, opt->via);
	if (opt->open && opt->root)
		return tool_fail(TOOL_USAGE,
				 "--open: what is below --root is no device that can be opened; "
				 "leave one of them out");
	if (opt->open && !addresses)
		return tool_fail(TOOL_USAGE, "--open: needs an address, such as 01:00.0");
	if (opt->action == SAVE && addresses > 1)
		return tool_fail(TOOL_USAGE, "--save: one device for one file, %d given",
				 addresses);
	return TOOL_OK;
}

static int run(int argc, char **argv)
{
	struct options opt = { 0 };
	int c, status;

	while ((c = getopt_long(argc, argv, SHORTS, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			return tool_bad_option(argv, SHORTS, c);
		if (c == 'h')
			return print_help();
		if (c == OPT_VERSION)
			return tool_version();
		status = set_option(&opt, c);
		if (status)
			return status;
	}
	status = check_options(&opt, argc - optind + (opt.fd ? 1 : 0));
	if (status)
		return status;
	if (optind < argc || opt.fd)
		return show_all(&opt, argv + optind);
	return opt.groups ? show_groups(&opt) : show_machine(&opt);
}

int main(int argc, char **argv)
{
	tool_start("lsvfio");
	return tool_end(run(argc, argv));
}
