/* SPDX-License-Identifier: MIT */
/*
 * Prints what devfd bind, unbind and restore do and say on a made-up machine, whose drivers
 * tests/lib/fake_drivers.h plays: plans, refusals, failures half-way.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_drivers.h"
#include "tree.h"

#define BRIDGE	"0000:00:01.0"
#define ROOT	"0000:00:02.0"
#define DISK	"0000:00:03.0"
#define FREE	"0000:00:05.0"
#define SHARED	"0000:00:05.1"
#define HELD	"0000:00:06.0"
#define ALONE	"0000:00:07.0"
#define DISPLAY "0000:00:08.0"
#define PF	"0000:00:09.0"
#define NIC	"0000:01:00.0"

typedef int verb(const struct bind_calls *calls, const struct dfd_bind_options *options,
		 const char *const *names, size_t count, struct dfd_error *err);

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	printf("  %s\n", line);
}

static struct dfd_bind_options options = { .root = tree_root, .tell = print_line };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void title(const char *text)
{
	printf("%s\n", text);
}

/* Where the machine lies differs from run to run. */
static void print_error(int ret, const char *text)
{
	const char *root = strstr(text, tree_root);
	int before = root ? (int)(root - text) : (int)strlen(text);

	printf("  %s: %.*s%s\n", strerrorname_np(-ret), before, text,
	       root ? root + strlen(tree_root) : "");
}

/* @names: separated by spaces */
static int call(verb *fn, const char *names)
{
	char copy[256], *rest = copy;
	const char *list[8];
	struct dfd_error err;
	size_t count = 0;
	int ret;

	snprintf(copy, sizeof(copy), "%s", names);
	while (*names && rest)
		list[count++] = strsep(&rest, " ");
	ret = fn(&fake_bind_calls, &options, list, count, &err);
	if (ret)
		print_error(ret, err.text);
	return ret;
}

/* What has changed since fake_machine(). */
static void print_changed(const char *before)
{
	char now[2048], *line = now, *end;

	fake_drivers_now(now, sizeof(now));
	for (; (end = strchr(line, '\n')); line = end + 1, before = strchr(before, '\n') + 1) {
		if (strncmp(before, line, (size_t)(end - line) + 1) != 0)
			printf("  = %.*s\n", (int)(end - line), line);
	}
}

static char initial[2048];

static void fresh(void)
{
	tree_start();
	fake_machine();
	options = (struct dfd_bind_options){ .root = tree_root, .tell = print_line };
	fake_drivers_now(initial, sizeof(initial));
}

static void done(void)
{
	tree_stop();
}

static void one(const char *name, verb *fn, const char *names, int want)
{
	title(name);
	must(call(fn, names) == want, name);
	print_changed(initial);
}

static void refused(const char *name, verb *fn, const char *names, int want)
{
	char now[2048];

	title(name);
	must(call(fn, names) == want, name);
	must(!strcmp(initial, fake_drivers_now(now, sizeof(now))), name);
}

/* ---- plans ---- */

static void plans(void)
{
	char now[2048];

	fresh();
	options.dry_run = true;
	one("dry run of a bind", bind_functions, DISK, 0);
	one("by the short name, twice", bind_functions, "00:03.0 " DISK, 0);
	options.group = true;
	one("dry run of a bind with the whole group", bind_functions, FREE, 0);
	one("dry run of an unbind", unbind_functions, DISK, 0);
	tree_remove("sys/bus/pci/drivers/vfio-pci/bind");
	tree_remove("sys/bus/pci/drivers/vfio-pci/unbind");
	tree_remove("sys/bus/pci/drivers/vfio-pci");
	one("dry run without the module", bind_functions, DISK, 0);
	one("dry run of restoring nothing", restore_functions, "", 0);
	must(!strcmp(initial, fake_drivers_now(now, sizeof(now))) && !fake_drivers.writes,
	     "a dry run changes nothing");
	done();
}

static void whole_life(void)
{
	fresh();
	one("bind", bind_functions, DISK, 0);
	one("bind again", bind_functions, DISK, 0);
	one("unbind what was bound", unbind_functions, DISK, 0);
	one("unbind another", unbind_functions, SHARED, 0);
	options.dry_run = true;
	one("dry run of a restore", restore_functions, "", 0);
	options.dry_run = false;
	one("restore one", restore_functions, DISK, 0);
	one("restore all", restore_functions, "", 0);
	one("restore what is not remembered", restore_functions, DISK, -ENOENT);
	done();
}

/* ---- refusals ---- */

static void refusals(void)
{
	fresh();
	refused("not a function", bind_functions, "eth0", -EINVAL);
	refused("no such function", bind_functions, "0000:7f:00.0", -ENOENT);
	refused("a bridge", bind_functions, BRIDGE, -EINVAL);
	refused("no IOMMU group", bind_functions, ALONE, -EOPNOTSUPP);
	refused("a group that would stay not viable", bind_functions, FREE, -EBUSY);
	refused("the disk with the root file system", bind_functions, ROOT, -EBUSY);
	refused("the same, unbound, beside another", unbind_functions, DISK " " ROOT, -EBUSY);
	tree_text("proc/self/mountinfo", "");
	refused("the disk with swap space", bind_functions, ROOT, -EBUSY);
	refused("the network card with the default route", bind_functions, NIC, -EBUSY);
	refused("the display", bind_functions, DISPLAY, -EBUSY);
	refused("a physical function with virtual ones", bind_functions, PF, -EBUSY);
	refused("in use through VFIO", unbind_functions, HELD, -EBUSY);
	tree_text("run/devfd/drivers", "devfd drivers 1\n0000:00:06.0\t8086:10d3\t../x\t-\n");
	refused("a state file with nonsense in it", restore_functions, "", -EBADMSG);
	tree_text("run/devfd/drivers", "devfd drivers 1\n0000:00:06.0\t8086:10d3\te1000e\t-\n");
	refused("restoring what is in use through VFIO", restore_functions, "", -EBUSY);
	tree_remove("run/devfd/drivers");
	options.force = true;
	refused("in use through VFIO, not even by force", unbind_functions, HELD, -EBUSY);
	one("forced", bind_functions, ROOT " " NIC " " DISPLAY " " PF, 0);
	done();
}

/* ---- failures ---- */

static void failures(void)
{
	fresh();
	fake_drivers.broken = "vfio-pci";
	one("vfio-pci takes no function", bind_functions, DISK, -EINVAL);
	fake_drivers.broken = NULL;
	fake_drivers.slow = "vfio-pci";
	fake_drivers.pauses = 3;
	one("vfio-pci takes it late", bind_functions, DISK, 0);
	fake_drivers.pauses = 1000;
	one("vfio-pci takes the next never", bind_functions, FREE " " SHARED, -ETIMEDOUT);
	fake_drivers.slow = NULL;
	fake_drivers.broken = "nvme";
	one("the driver of the host does not take it back", restore_functions, "", -EINVAL);
	fake_drivers.broken = NULL;
	one("tried again", restore_functions, "", 0);
	tree_remove("sys/bus/pci/drivers/e1000/unbind");
	one("a driver that does not let go", bind_functions, DISK " " FREE " " SHARED, -EBUSY);
	tree_text("sys/bus/pci/drivers/e1000/unbind", "");
	fake_drivers.writes = 0;
	fake_drivers.fail_from = 5;
	one("nothing can be written any more, half-way", bind_functions, FREE " " SHARED, -EIO);
	fake_drivers.fail_from = 0;
	one("restored when it can", restore_functions, "", 0);
	tree_remove("sys/bus/pci/drivers/vfio-pci/bind");
	tree_remove("sys/bus/pci/drivers/vfio-pci/unbind");
	tree_remove("sys/bus/pci/drivers/vfio-pci");
	one("no vfio-pci and no module", bind_functions, DISK, -ENOENT);
	fake_drivers.module = "vfio-pci";
	one("the module is loaded", bind_functions, DISK, 0);
	tree_text("sys/devices/pci0000:00/" DISK "/device", "0x1234\n");
	one("another card is in the slot", restore_functions, "", 0);
	done();
}

int main(void)
{
	plans();
	whole_life();
	refusals();
	failures();
	return 0;
}
