/* SPDX-License-Identifier: MIT */
/* What stands between a device and its use through VFIO, step by step. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <devfd/check.h>

#include "lsvfio.h"
#include "tool.h"

/* Exit codes from here on name the step that fails. */
#define TOOL_CHECK 10

static const char *const words[] = {
	[DFD_CHECK_GOOD] = "ok",
	[DFD_CHECK_NOTE] = "note",
	[DFD_CHECK_BAD] = "FAIL",
};

/** struct report - @heading: the address, until it was printed */
struct report {
	const char *heading;
	unsigned int notes;
};

static void print_step(void *ctx, const struct dfd_check *check)
{
	struct report *r = ctx;

	if (r->heading)
		printf("%s\n", r->heading);
	r->heading = NULL;
	r->notes += check->result == DFD_CHECK_NOTE;
	printf("  %-4s  %-10s  %s\n", words[check->result], dfd_check_name(check->step),
	       check->text);
	if (check->result == DFD_CHECK_BAD && check->call)
		printf("  %-4s  %-10s  until then %s answers %s (%s)\n", "", "", check->call,
		       strerrorname_np(-check->error), strerror(-check->error));
}

int lsvfio_check(const char *root, const char *given, const char *address, bool open)
{
	struct report r = { given, 0 };
	struct dfd_error err;
	int step = dfd_check(root, address, open, print_step, &r, &err);

	if (step < 0)
		return tool_fail(TOOL_USAGE, "%s", err.text);
	if (step) {
		printf("  step %d of %d fails; those behind it were not looked at\n", step,
		       DFD_NUM_CHECKS - 1);
		return TOOL_CHECK + step;
	}
	printf("  %s%s\n", open ? "it can be used" : "nothing stands in its way",
	       r.notes ? ", see the notes" : "");
	return TOOL_OK;
}

int lsvfio_check_json(FILE *out, const char *root, const char *given, const char *address,
		      bool open)
{
	struct dfd_error err;
	int step = dfd_print_check_json(out, given, root, address, open, &err);

	if (step < 0)
		return tool_fail(step == -EINVAL ? TOOL_USAGE : TOOL_FAILED, "%s", err.text);
	return step ? TOOL_CHECK + step : TOOL_OK;
}
