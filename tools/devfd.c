/* SPDX-License-Identifier: MIT */
/* devfd: the front of all verbs. */
#include <stdio.h>
#include <string.h>

#include "tool.h"
#include "verbs.h"

static int help(int argc, char **argv);

/* A new verb: its file, its prototype in verbs.h and a line here. */
static const struct verb verbs[] = {
	{ "bind", devfd_bind, "give PCI functions to VFIO" },
	{ "restore", devfd_restore, "give PCI functions back to the drivers they had" },
	{ "run", devfd_run, "run a program that finds devices at paths" },
	{ "serve", devfd_serve, "serve a device to other processes (vfio-user)" },
	{ "uml", devfd_uml, "run a Linux kernel that drives a device, as a process" },
	{ "unbind", devfd_unbind, "take PCI functions from their drivers" },
	{ "help", help, "list the verbs, or explain one" },
};
#define NUM_VERBS (sizeof(verbs) / sizeof(*verbs))

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < NUM_VERBS; i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	tool_fail(TOOL_USAGE, "%s: no such verb; \"devfd help\" lists them", name);
	return NULL;
}

static int list(void)
{
	puts("usage: devfd VERB [ARGUMENT]...\n");
	for (size_t i = 0; i < NUM_VERBS; i++)
		printf("  %-8s %s\n", verbs[i].name, verbs[i].help);
	puts("\n\"devfd help VERB\" explains one; see also devfd(1).");
	return TOOL_OK;
}

static int help(int argc, char **argv)
{
	char name[] = "--help", *args[] = { NULL, name, NULL };
	const struct verb *verb;

	if (argc < 2 || !strcmp(argv[1], "--help"))
		return list();
	if (argc > 2)
		return tool_fail(TOOL_USAGE, "%s: one verb at a time", argv[2]);
	verb = find(argv[1]);
	if (!verb)
		return TOOL_USAGE;
	args[0] = argv[1];
	return verb->run(2, args);
}

static int run(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2)
		return tool_fail(TOOL_USAGE, "no verb given; \"devfd help\" lists them");
	if (!strcmp(argv[1], "--help"))
		return list();
	if (!strcmp(argv[1], "--version"))
		return tool_version();
	if (argv[1][0] == '-')
		return tool_fail(TOOL_USAGE,
				 "%s: unknown option; a verb comes first, see devfd help", argv[1]);
	if (!*argv[1])
		return tool_fail(TOOL_USAGE, "the verb is empty; \"devfd help\" lists them");
	verb = find(argv[1]);
	return verb ? verb->run(argc - 1, argv + 1) : TOOL_USAGE;
}

int main(int argc, char **argv)
{
	tool_start("devfd");
	return tool_end(run(argc, argv));
}
