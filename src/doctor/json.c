/* SPDX-License-Identifier: MIT */
/* The steps as JSON, for programs. */
#include <errno.h>
#include <string.h>

#include <devfd/check.h>
#include <devfd/print.h>

#include "print/put.h"

/** struct report - @steps: what was found until now */
struct report {
	struct dfd_put put;
	json_object *steps;
};

static void note_step(void *ctx, const struct dfd_check *check)
{
	static const char *const results[] = {
		[DFD_CHECK_GOOD] = "ok",
		[DFD_CHECK_NOTE] = "note",
		[DFD_CHECK_BAD] = "fail",
	};
	struct report *r = ctx;
	json_object *step = json_object_new_object();

	dfd_put_num(&r->put, step, "step", check->step);
	dfd_put_str(&r->put, step, "name", dfd_check_name(check->step));
	dfd_put_str(&r->put, step, "result", results[check->result]);
	dfd_put_str(&r->put, step, "text", check->text);
	if (check->result == DFD_CHECK_BAD && check->call) {
		dfd_put_str(&r->put, step, "call", check->call);
		dfd_put_str(&r->put, step, "errno", strerrorname_np(-check->error));
	}
	dfd_put_item(&r->put, r->steps, step);
}

int dfd_print_check_json(FILE *out, const char *name, const char *root, const char *address,
			 bool open, struct dfd_error *err)
{
	struct report r = { .steps = json_object_new_array() };
	int step = dfd_check(root, address, open, note_step, &r, err), ret;
	json_object *object;

	if (step < 0) {
		json_object_put(r.steps);
		return step;
	}
	object = json_object_new_object();
	dfd_put_str(&r.put, object, "address", name);
	dfd_put_bool(&r.put, object, "usable", !step);
	if (step)
		dfd_put_num(&r.put, object, "fails", (uint64_t)step);
	dfd_put(&r.put, object, "steps", r.steps);
	ret = dfd_put_print(&r.put, object, out);
	if (ret)
		return dfd_error_set(err, ret, "%s: %s", name, strerror(-ret));
	return step;
}
