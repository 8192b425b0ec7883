/* SPDX-License-Identifier: MIT */
/* lsvfio: what is behind an address. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lsvfio.h"
#include "tool.h"

/** struct show - @printed: devices until now; @origin: this machine, another one's tree or a dump
 */
struct show {
	struct lsvfio_options opt;
	struct dfd_origin origin;
	unsigned int printed;
};

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	puts(line);
}

static int open_device(const struct show *s, const char *address, struct dfd_device **dev)
{
	const char *bdf = lsvfio_function(address), *root = s->opt.root;
	struct dfd_error err;

	if (!root && !dfd_open(address, dev, &err))
		return TOOL_OK;
	if (root && (!bdf || !lsvfio_looked_at(address)))
		return tool_fail(TOOL_USAGE,
				 "%s: has no sysfs; --root goes with functions such as 01:00.0",
				 address);
	if (root && !dfd_sysfs_open(root, bdf, dev, &err))
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
static void print_between(struct show *s)
{
	if (s->opt.json)
		fputs(s->printed ? ",\n" : "[\n", stdout);
	else if (s->printed)
		putchar('\n');
	s->printed++;
}

static int print_view(struct show *s, const char *address, const struct dfd_view *view)
{
	int ret;

	print_between(s);
	if (!s->opt.json)
		ret = dfd_print_view_text(stdout, address, view, s->opt.verbose > 0);
	else
		ret = dfd_print_view_json(stdout, address, view);
	return ret ? TOOL_FAILED : TOOL_OK;
}

static void print_not_opened(const struct show *s, const char *address, bool resettable)
{
	if (!s->opt.verbose)
		dfd_print_place(stdout, &s->origin, lsvfio_function(address));
	printf("  <not opened>  the rest needs --open%s; --check says whether that works\n",
	       resettable ? ", which resets it" : "");
}

static int list_device(struct show *s, const char *address, struct dfd_device *dev)
{
	struct dfd_view view = { .desc = dfd_device_desc(dev), .topics = ~UINT32_C(0) };
	int status;

	if (s->opt.json) {
		print_between(s);
		return dfd_print_device_json(stdout, address, dev, &s->origin,
					     lsvfio_function(address))
			       ? TOOL_FAILED
			       : TOOL_OK;
	}
	status = print_view(s, address, &view);
	if (!status)
		status = lsvfio_more(&s->origin, address, dev, s->opt.verbose);
	if (!status && lsvfio_looked_at(address))
		print_not_opened(s, address, dfd_desc_flags(view.desc) & DFD_DEVICE_RESET);
	return status;
}

static int list_view(struct show *s, const char *address, struct dfd_device *dev)
{
	enum dfd_view_kind kind = 0;
	struct dfd_view view;
	int status;

	while (strcmp(s->opt.via, dfd_view_name(kind)) != 0)
		kind++;
	status = lsvfio_learn(address, dev, kind, &view);
	if (status)
		return status;
	status = print_view(s, address, &view);
	dfd_desc_unref(view.desc);
	return status;
}

/* A scheme alone is listed, for people. */
static bool print_scheme(const struct show *s, const char *address)
{
	const size_t len = strlen(address);

	return s->opt.action == LIST && !s->opt.json && !s->opt.via && len &&
	       address[len - 1] == ':' && !dfd_open_help(address, print_line, NULL);
}

static int do_action(struct show *s, const char *address, struct dfd_device *dev)
{
	switch (s->opt.action) {
	case LIST:
		return s->opt.via ? list_view(s, address, dev) : list_device(s, address, dev);
	case TABLE:
		return lsvfio_table(address, dev);
	case SAVE:
		return save(dev, s->opt.save);
	case COMPARE:
		return lsvfio_compare(address, dev);
	case DUMP:
		return lsvfio_dump(address, dev, s->opt.dump);
	case CHECK: /* opens it itself, if at all */
		break;
	}
	return TOOL_OK;
}

static int check(struct show *s, const char *given, const char *address)
{
	char *text = NULL;
	size_t len;
	FILE *out;
	int status;

	if (!s->opt.json)
		return lsvfio_check(s->opt.root, given, address, s->opt.open);
	out = open_memstream(&text, &len);
	if (!out)
		return tool_fail(TOOL_FAILED, "%s: out of memory", given);
	status = lsvfio_check_json(out, s->opt.root, given, address, s->opt.open);
	fclose(out);
	/* Without one the array has no item. */
	if (text && *text) {
		print_between(s);
		fputs(text, stdout);
	}
	free(text);
	return status;
}

static int show(struct show *s, const char *given)
{
	struct lsvfio_address address;
	struct dfd_device *dev = NULL;
	int status;

	if (print_scheme(s, given))
		return TOOL_OK;
	status = lsvfio_address(given, s->opt.open, &address);
	if (status)
		return status;
	if (s->opt.action == CHECK)
		return check(s, given, address.text);
	status = open_device(s, address.text, &dev);
	if (status)
		return status;
	status = do_action(s, address.text, dev);
	dfd_device_close(dev);
	return status;
}

static int show_all(struct show *s, char **addresses)
{
	char fd[32];
	int status = TOOL_OK;

	if (s->opt.fd) {
		snprintf(fd, sizeof(fd), "fd:%s", s->opt.fd);
		status = show(s, fd);
	}
	for (; *addresses; addresses++) {
		int one = show(s, *addresses);

		if (one > status)
			status = one;
	}
	if (s->opt.json && s->printed)
		puts("]");
	return status;
}

/* ---- the machine ---- */

static int none(const struct show *s, const char *where, int ret, const char *what)
{
	if (ferror(stdout)) /* which is said in the end */
		return TOOL_FAILED;
	if (s->origin.dump)
		return tool_fail(TOOL_FAILED, "%s: %s", s->opt.file, what);
	return tool_fail(TOOL_FAILED, "%s%s: %s", s->opt.root ? s->opt.root : "", where,
			 ret < 0 ? strerror(-ret) : what);
}

static int show_machine(const struct show *s)
{
	enum dfd_machine_form form = s->opt.tree    ? DFD_MACHINE_TREE
				     : s->opt.lines ? DFD_MACHINE_LINES
				     : s->opt.json  ? DFD_MACHINE_JSON
						    : DFD_MACHINE_LIST;
	int ret = dfd_print_machine(stdout, &s->origin, form);

	return ret > 0 ? TOOL_OK
		       : none(s, "/sys/bus", ret,
			      "lists no PCI function and no device-tree device");
}

static int show_groups(const struct show *s)
{
	int ret = dfd_print_groups(stdout, &s->origin, s->opt.json);

	return ret > 0 ? TOOL_OK
		       : none(s, "/sys/kernel/iommu_groups", ret,
			      "holds no IOMMU group; lsvfio --check ADDRESS says what a device "
			      "needs");
}

/* ---- a dump ---- */

static bool is_named(const char *given, const char *address)
{
	struct lsvfio_address as_address;

	return !strcmp(given, address) ||
	       (!lsvfio_address(given, false, &as_address) && !strcmp(as_address.text, address));
}

/* What is done with the devices that are named so, or with all of them. */
static int show_dumped(struct show *s, const char *given)
{
	const struct dfd_dump *dump = s->origin.dump;
	int status = TOOL_OK, one;
	bool any = false;

	for (uint32_t i = 0; i < dfd_dump_count(dump); i++) {
		const char *address = dfd_dump_address(dump, i);

		if (given && !is_named(given, address))
			continue;
		any = true;
		one = do_action(s, address, dfd_dump_device(dump, i));
		if (one > status)
			status = one;
	}
	if (!any)
		return tool_fail(TOOL_FAILED,
				 "%s: describes no %s; lsvfio -F without an address shows what "
				 "is in it",
				 s->opt.file, given);
	return status;
}

static int show_all_dumped(struct show *s, char **addresses)
{
	uint32_t count = dfd_dump_count(s->origin.dump);
	int status = TOOL_OK;

	if (!*addresses && !count && s->opt.action == LIST && !s->opt.via)
		return show_machine(s);
	if (!count)
		return tool_fail(TOOL_FAILED,
				 "%s: is a list and describes no device; lsvfio -J ADDRESS makes "
				 "one that does",
				 s->opt.file);
	if (s->opt.action == SAVE && !*addresses && count > 1)
		return tool_fail(TOOL_USAGE, "--save: one device for one file, %u in %s", count,
				 s->opt.file);
	if (!*addresses)
		status = show_dumped(s, NULL);
	for (; *addresses; addresses++) {
		int one = show_dumped(s, *addresses);

		if (one > status)
			status = one;
	}
	if (s->opt.json && s->printed)
		puts("]");
	return status;
}

static int show_dump(struct show *s, char **addresses)
{
	struct dfd_dump *dump;
	struct dfd_error err;
	int status;

	if (dfd_dump_open(s->opt.file, &dump, &err))
		return tool_fail(TOOL_FAILED, "%s", err.text);
	s->origin.dump = dump;
	if (s->opt.groups)
		status = show_groups(s);
	else if (s->opt.tree || s->opt.lines)
		status = show_machine(s);
	else
		status = show_all_dumped(s, addresses);
	dfd_dump_close(dump);
	return status;
}

static int run(int argc, char **argv)
{
	struct show s = { 0 };
	bool done;
	int status = lsvfio_options(argc, argv, &s.opt, &done);

	if (status || done)
		return status;
	s.origin.root = s.opt.root;
	if (s.opt.file)
		return show_dump(&s, argv + optind);
	if (optind < argc || s.opt.fd)
		return show_all(&s, argv + optind);
	return s.opt.groups ? show_groups(&s) : show_machine(&s);
}

int main(int argc, char **argv)
{
	tool_start("lsvfio");
	return tool_end(run(argc, argv));
}
