/* SPDX-License-Identifier: MIT */
/*
 * Functions go to VFIO and come back.
 *
 * Theory of operation: first everything is looked at that can be known: the functions, their
 * groups, who uses them, what the host needs. Then where each function was is written down, before
 * the first change, and one function after the other is moved. Where one does not go, those before
 * it go back, and what was written down for nothing is struck out. What was written down first
 * stays: two binds later, restoring still means the host's driver.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/bind.h"
#include "kernel/state.h"
#include "util/sysfs.h"

/* The name of no driver: the kernel's documentation has it so. */
#define NOBODY "none"

static struct bind_run *run_new(const struct bind_calls *calls,
				const struct dfd_bind_options *options)
{
	static const struct dfd_bind_options plain;
	struct bind_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->set.list = calloc(DFD_MAX_MEMBERS, sizeof(*run->set.list));
	if (!run->set.list) {
		free(run);
		return NULL;
	}
	options = options ? options : &plain;
	run->env = (struct bind_env){ .root = options->root ? options->root : "",
				      .calls = calls,
				      .options = options };
	run->lock = -1;
	return run;
}

static void run_free(struct bind_run *run)
{
	if (run->lock >= 0)
		close(run->lock);
	memory_free(&run->memory);
	free(run->set.list);
	free(run);
}

/* ---- looking ---- */

static uint32_t id_of(int dir)
{
	int64_t vendor, device;

	if (dfd_sysfs_num(dir, "vendor", &vendor) || dfd_sysfs_num(dir, "device", &device))
		return 0;
	return (uint32_t)(vendor << 16 | (device & 0xffff));
}

static int look_at(struct bind_function *f, int dir, struct dfd_error *err)
{
	char text[NAME_MAX + 1];
	int64_t class_code;
	int ret = placement_read(dir, &f->before);

	if (ret)
		return dfd_error_set(err, ret, "%s: its driver cannot be read: %s", f->name,
				     strerror(-ret));
	f->after = f->before;
	f->id = id_of(dir);
	f->class_code = dfd_sysfs_num(dir, "class", &class_code) ? -1 : (int32_t)class_code;
	f->group = dfd_sysfs_link_name(dir, "iommu_group", text, sizeof(text)) ? -1 : atoi(text);
	f->vfio = driver_of(dir, text) == DRIVER_VFIO;
	return 0;
}

int bind_add(struct bind_run *run, const char *bdf, struct dfd_error *err)
{
	struct bind_function *f = &run->set.list[run->set.count];
	int dir, ret;

	if (run->set.count == DFD_MAX_MEMBERS)
		return dfd_error_set(err, -E2BIG, "%s: at most %u functions at a time", bdf,
				     DFD_MAX_MEMBERS);
	dir = function_open("pci", run->env.root, bdf, f->name, err);
	if (dir < 0)
		return dir;
	ret = set_has(&run->set, f->name) ? 0 : look_at(f, dir, err);
	if (!ret && !set_has(&run->set, f->name))
		run->set.count++;
	close(dir);
	return ret;
}

static int add_all(struct bind_run *run, const char *const *names, size_t count,
		   struct dfd_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++)
		ret = bind_add(run, names[i], err);
	return ret;
}

/* ---- changing ---- */

static const char *shown(const char *driver)
{
	return *driver ? driver : "no driver";
}

static int move(struct bind_run *run, const struct bind_function *f, struct dfd_error *err)
{
	char group[32] = "";

	if (f->group >= 0)
		snprintf(group, sizeof(group), ", IOMMU group %d", f->group);
	if (strcmp(f->before.driver, f->after.driver) != 0)
		bind_tell(&run->env, "# %s: from %s to %s%s", f->name, shown(f->before.driver),
			  shown(f->after.driver), group);
	return placement_set(&run->env, f->name, &f->after, err);
}

static int move_back(struct bind_run *run, const struct bind_function *f, struct dfd_error *err)
{
	bind_tell(&run->env, "# %s: back to %s", f->name, shown(f->before.driver));
	return placement_set(&run->env, f->name, &f->before, err);
}

/* Is what is remembered of a function still about that function, and not about another card? */
static struct remembered *recall(const struct bind_run *run, const struct bind_function *f)
{
	struct remembered *entry = memory_find(&run->memory, f->name);

	return entry && entry->id == f->id ? entry : NULL;
}

/* Who is not in the memory yet gets there, and into @fresh. */
static int remember(struct bind_run *run, bool *fresh, struct dfd_error *err)
{
	for (size_t i = 0; i < run->set.count; i++) {
		const struct bind_function *f = &run->set.list[i];
		struct remembered entry = { .id = f->id, .was = f->before };

		fresh[i] = function_changes(f) && !recall(run, f);
		if (!fresh[i])
			continue;
		memcpy(entry.name, f->name, sizeof(entry.name));
		memory_remove(&run->memory, f->name);
		if (memory_add(&run->memory, &entry))
			return dfd_error_set(err, -ENOMEM, "out of memory");
		bind_tell(&run->env, "# %s: %s is remembered in " BIND_STATE, f->name,
			  shown(f->before.driver));
	}
	return run->env.options->dry_run ? 0 : memory_save(run->env.root, &run->memory, err);
}

/* From the last that was touched to the first. What cannot be undone stays remembered. */
static void undo(struct bind_run *run, size_t count, const bool *fresh, struct dfd_error *err)
{
	const bool any = run->env.changes > 0;
	bool all = true;
	struct dfd_error first = *err, why;

	for (size_t i = run->set.count; i-- > 0;) {
		const struct bind_function *f = &run->set.list[i];
		int ret = 0;

		if (any && i < count && function_changes(f))
			ret = move_back(run, f, &why);
		if (ret && all)
			dfd_error_set(err, first.code,
				      "%.220s; and %.220s: devfd restore %s tries again",
				      first.text, why.text, f->name);
		if (ret)
			all = false;
		else if (fresh[i])
			memory_remove(&run->memory, f->name);
	}
	if (all)
		dfd_error_set(err, first.code, "%s; %s", first.text,
			      any ? "all was put back" : "nothing was changed");
	memory_save(run->env.root, &run->memory, NULL);
}

static int change_all(struct bind_run *run, struct dfd_error *err)
{
	bool fresh[DFD_MAX_MEMBERS] = { false };
	struct dfd_error why;
	int ret = remember(run, fresh, err);
	size_t i = 0;

	for (; i < run->set.count && !ret; i++) {
		const struct bind_function *f = &run->set.list[i];

		if (!function_changes(f))
			continue;
		ret = move(run, f, &why);
	}
	if (i && ret) {
		undo(run, i, fresh, &why);
		dfd_error_set(err, ret, "%s", why.text);
	}
	return ret;
}

/* Nothing is locked for a look: there may not even be a right to. */
static int prepare(struct bind_run *run, struct dfd_error *err)
{
	if (!run->env.options->dry_run) {
		run->lock = memory_lock(&run->env, err);
		if (run->lock < 0)
			return run->lock;
	}
	holders_find(run->env.root, &run->holders);
	return memory_load(run->env.root, &run->memory, err);
}

/* ---- binding ---- */

static int do_bind(struct bind_run *run, const char *const *names, size_t count,
		   struct dfd_error *err)
{
	int ret = add_all(run, names, count, err);

	for (size_t i = 0; i < run->set.count && !ret; i++) {
		ret = check_bridge(&run->set.list[i], err);
		if (!ret)
			ret = check_iommu(run, &run->set.list[i], err);
	}
	if (!ret)
		ret = complete_groups(run, err);
	for (size_t i = 0; i < run->set.count && !ret; i++) {
		struct bind_function *f = &run->set.list[i];

		if (!f->vfio)
			f->after = (struct placement){ VFIO_PCI, VFIO_PCI };
	}
	if (!ret)
		ret = check_set(run, err);
	return ret ? ret : change_all(run, err);
}

/* ---- unbinding ---- */

static int do_unbind(struct bind_run *run, const char *const *names, size_t count,
		     struct dfd_error *err)
{
	int ret = add_all(run, names, count, err);

	for (size_t i = 0; i < run->set.count && !ret; i++) {
		struct bind_function *f = &run->set.list[i];

		ret = check_bridge(f, err);
		f->after = (struct placement){ "", NOBODY };
	}
	if (!ret)
		ret = check_set(run, err);
	return ret ? ret : change_all(run, err);
}

/* ---- restoring ---- */

static void forget(struct bind_run *run, const char *name)
{
	memory_remove(&run->memory, name);
	if (!run->env.options->dry_run)
		memory_save(run->env.root, &run->memory, NULL);
}

static int restore_one(struct bind_run *run, const struct remembered *entry, struct dfd_error *err)
{
	struct bind_function f = { .before.driver = "" };
	int dir = function_open("pci", run->env.root, entry->name, f.name, err), ret;

	if (dir == -ENOENT) {
		bind_tell(&run->env, "# %s: has gone; forgotten", entry->name);
		return 0;
	}
	if (dir < 0)
		return dir;
	ret = look_at(&f, dir, err);
	close(dir);
	if (ret)
		return ret;
	if (f.id != entry->id) {
		bind_tell(&run->env, "# %s: is another card now; forgotten", entry->name);
		return 0;
	}
	f.after = entry->was;
	ret = check_holder(run, &f, err);
	return ret ? ret : move(run, &f, err);
}

/* A copy of what is to be restored: entries go while it is worked through. */
static int choose(const struct bind_run *run, const char *const *names, size_t count,
		  struct memory *out, struct dfd_error *err)
{
	char name[FUNCTION_NAME_SIZE];
	int ret = 0;

	*out = (struct memory){ 0 };
	for (size_t i = 0; i < run->memory.count && !count && !ret; i++)
		ret = memory_add(out, &run->memory.list[i]);
	for (size_t i = 0; i < count && !ret; i++) {
		const struct remembered *entry;

		if (!function_parse(names[i], name, sizeof(name)))
			return function_refuse("pci", names[i], err);
		entry = memory_find(&run->memory, name);
		if (!entry)
			return dfd_error_set(err, -ENOENT,
					     "%s: nothing is remembered of it; devfd has not "
					     "changed its driver since the machine started, or has "
					     "restored it",
					     names[i]);
		ret = memory_find(out, name) ? 0 : memory_add(out, entry);
	}
	return ret ? dfd_error_set(err, ret, "out of memory") : 0;
}

/* The last that was changed is the first to go back. */
static int do_restore(struct bind_run *run, const char *const *names, size_t count,
		      struct dfd_error *err)
{
	struct memory chosen = { 0 };
	struct dfd_error why;
	int ret = choose(run, names, count, &chosen, err);

	for (size_t i = ret ? 0 : chosen.count; i-- > 0;) {
		int one = restore_one(run, &chosen.list[i], &why);

		if (!one)
			forget(run, chosen.list[i].name);
		else if (!ret)
			ret = dfd_error_set(err, one, "%s", why.text);
	}
	memory_free(&chosen);
	return ret;
}

/* ---- all three ---- */

typedef int verb(struct bind_run *run, const char *const *names, size_t count,
		 struct dfd_error *err);

static int do_verb(verb *fn, const struct bind_calls *calls, const struct dfd_bind_options *options,
		   const char *const *names, size_t count, struct dfd_error *err)
{
	struct bind_run *run = run_new(calls, options);
	int ret;

	if (!run)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	ret = prepare(run, err);
	if (!ret)
		ret = fn(run, names, count, err);
	run_free(run);
	return ret;
}

int bind_functions(const struct bind_calls *calls, const struct dfd_bind_options *options,
		   const char *const *names, size_t count, struct dfd_error *err)
{
	return do_verb(do_bind, calls, options, names, count, err);
}

int unbind_functions(const struct bind_calls *calls, const struct dfd_bind_options *options,
		     const char *const *names, size_t count, struct dfd_error *err)
{
	return do_verb(do_unbind, calls, options, names, count, err);
}

int restore_functions(const struct bind_calls *calls, const struct dfd_bind_options *options,
		      const char *const *names, size_t count, struct dfd_error *err)
{
	return do_verb(do_restore, calls, options, names, count, err);
}

/* ---- this machine ---- */

int dfd_bind(const struct dfd_bind_options *options, const char *const *names, size_t count,
	     struct dfd_error *err)
{
	return bind_functions(&bind_calls, options, names, count, err);
}

int dfd_unbind(const struct dfd_bind_options *options, const char *const *names, size_t count,
	       struct dfd_error *err)
{
	return unbind_functions(&bind_calls, options, names, count, err);
}

int dfd_restore(const struct dfd_bind_options *options, const char *const *names, size_t count,
		struct dfd_error *err)
{
	return restore_functions(&bind_calls, options, names, count, err);
}
