/* SPDX-License-Identifier: MIT */
/* devfd bind, unbind and restore: which driver has a PCI function. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <devfd/bind.h>

#include "tool.h"
#include "verbs.h"

/**
 * struct move - one of the verbs
 * @group: it takes --group
 * @force: it takes --force
 * @all: without functions, it is about all of them
 */
struct move {
	const char *name;
	const char *usage;
	int (*run)(const struct dfd_bind_options *options, const char *const *names, size_t count,
		   struct dfd_error *err);
	bool group;
	bool force;
	bool all;
};

#define COMMON_HELP                                                                                \
	"  -n, --dry-run  change nothing; print what would be done, as shell\n"                    \
	"  -v, --verbose  print what is done\n"                                                    \
	"      --root=DIR DIR/sys in place of /sys, /proc, /dev and /run too; with --dry-run\n"    \
	"      --help     this text\n"

#define FORCE_HELP                                                                                 \
	"  -f, --force    also what the host needs: mounted disks, its network, its console\n"

static void tell(void *ctx, const char *line)
{
	(void)ctx;
	puts(line);
	/* Whoever follows it sees where it stands when the kernel takes its time. */
	fflush(stdout);
}

/* What lsvfio prints may be pasted. */
static const char *without_scheme(const char *name)
{
	static const char *const schemes[] = { "pci:", "sysfs:" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		if (!strncmp(name, schemes[i], strlen(schemes[i])))
			return name + strlen(schemes[i]);
	}
	return name;
}

static int move(const struct move *m, const struct dfd_bind_options *options, char **names,
		size_t count)
{
	struct dfd_error err;

	if (!count && !m->all)
		return tool_fail(TOOL_USAGE, "no function given; see devfd %s --help", m->name);
	if (options->root && !options->dry_run)
		return tool_fail(TOOL_USAGE, "--root: goes with --dry-run only");
	for (size_t i = 0; i < count; i++)
		names[i] = (char *)without_scheme(names[i]);
	if (m->run(options, (const char *const *)names, count, &err))
		return tool_fail(TOOL_FAILED, "%s", err.text);
	return TOOL_OK;
}

static int parse(const struct move *m, int argc, char **argv)
{
	enum { OPT_ROOT = 256, OPT_HELP };
	static const struct option longs[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "force", no_argument, NULL, 'f' },
		{ "group", no_argument, NULL, 'g' },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "root", required_argument, NULL, OPT_ROOT },
		{ "verbose", no_argument, NULL, 'v' },
		{ 0 },
	};
	static const char shorts[] = ":fgnv";
	struct dfd_bind_options options = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 'n')
			options.dry_run = true;
		else if (c == OPT_ROOT && !*optarg)
			return tool_fail(TOOL_USAGE, "--root=: names no directory");
		else if (c == OPT_ROOT)
			options.root = optarg;
		else if (c == 'f' && m->force)
			options.force = true;
		else if (c == 'g' && m->group)
			options.group = true;
		else if (c == OPT_HELP)
			return fputs(m->usage, stdout), TOOL_OK;
		else if (c == 'f' || c == 'g')
			return tool_fail(TOOL_USAGE, "--%s: not for this verb; see devfd %s --help",
					 c == 'f' ? "force" : "group", m->name);
		else if (c != 'v')
			return tool_bad_option(argv, shorts, c);
		if (c == 'v' || c == 'n')
			options.tell = tell;
	}
	return move(m, &options, argv + optind, (size_t)(argc - optind));
}

int devfd_bind(int argc, char **argv)
{
	static const struct move bind = {
		.name = "bind",
		.usage = "usage: devfd bind [-gfnv] BDF...\n"
			 "\n"
			 "Binds PCI functions to vfio-pci, all or none of them.\n"
			 "\n"
			 "  -g, --group    and all other functions of their IOMMU "
			 "groups\n" FORCE_HELP COMMON_HELP,
		.run = dfd_bind,
		.group = true,
		.force = true,
	};

	tool_start("devfd bind");
	return parse(&bind, argc, argv);
}

int devfd_unbind(int argc, char **argv)
{
	static const struct move unbind = {
		.name = "unbind",
		.usage = "usage: devfd unbind [-fnv] BDF...\n"
			 "\n"
			 "Takes PCI functions from their drivers, all or none of them.\n"
			 "\n" FORCE_HELP COMMON_HELP,
		.run = dfd_unbind,
		.force = true,
	};

	tool_start("devfd unbind");
	return parse(&unbind, argc, argv);
}

int devfd_restore(int argc, char **argv)
{
	static const struct move restore = {
		.name = "restore",
		.usage = "usage: devfd restore [-nv] [BDF...]\n"
			 "\n"
			 "Gives PCI functions back to the drivers that they had before the first\n"
			 "devfd bind or unbind; without BDF all of them.\n"
			 "\n" COMMON_HELP,
		.run = dfd_restore,
		.all = true,
	};

	tool_start("devfd restore");
	return parse(&restore, argc, argv);
}
