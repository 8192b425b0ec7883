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
#include "kernel/members.h"
#include "kernel/root.h"
#include "kernel/state.h"
#include "util/sysfs.h"

#define VFIO_PCI "vfio-pci"
/* The name of no driver: the kernel's documentation has it so. */
#define NOBODY "none"

/** struct run - one call of this file's functions */
struct run {
	struct bind_env env;
	struct bind_set set;
	struct memory memory;
	struct holders holders;
	int lock;
};

static struct run *run_new(const struct bind_calls *calls, const struct dfd_bind_options *options)
{
	static const struct dfd_bind_options plain;
	struct run *run = calloc(1, sizeof(*run));

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

static void run_free(struct run *run)
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

/* Once, however often it is named. */
static int add(struct run *run, const char *bdf, struct dfd_error *err)
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

static int add_all(struct run *run, const char *const *names, size_t count, struct dfd_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++)
		ret = add(run, names[i], err);
	return ret;
}

static int open_group(const struct run *run, int group)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys/kernel/iommu_groups/%d/devices", run->env.root, group);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- the group ---- */

/** struct gathering - the functions of a group that are not in the set */
struct gathering {
	struct run *run;
	struct dfd_error *err;
	char missing[256];
};

/* Bridges stay where they are; so do stubs, which were put there on purpose. */
static int add_member(void *ctx, const struct member *m)
{
	struct gathering *g = ctx;
	char name[FUNCTION_NAME_SIZE];
	int64_t class_code;

	if (m->kind == DRIVER_HARMLESS || dfd_sysfs_num(m->dir, "class", &class_code) ||
	    state_of_member(m->kind, (int32_t)class_code) == DFD_STATE_BRIDGE ||
	    !function_parse(m->name, name, sizeof(name)))
		return 0;
	return add(g->run, m->name, g->err);
}

static int note_missing(void *ctx, const struct member *m)
{
	struct gathering *g = ctx;
	size_t len = strlen(g->missing);

	if (m->kind == DRIVER_FOREIGN && !set_has(&g->run->set, m->name))
		snprintf(g->missing + len, sizeof(g->missing) - len, "%s%.40s (%.40s)",
			 len ? ", " : "", m->name, m->driver);
	return 0;
}

static int each_group(struct run *run, struct gathering *g,
		      int (*fn)(void *ctx, const struct member *m), struct dfd_error *err)
{
	size_t count = run->set.count;
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++) {
		const struct bind_function *f = &run->set.list[i];
		int devices = open_group(run, f->group);

		if (devices < 0)
			continue;
		ret = members_walk(devices, fn, g);
		close(devices);
		if (!ret && g->missing[0])
			ret = dfd_error_set(err, -EBUSY,
					    "%s: IOMMU group %d can be used only as a whole, and "
					    "%s would stay in it with a driver of the host; name "
					    "all of them, or use --group",
					    f->name, f->group, g->missing);
	}
	return ret;
}

static int complete_groups(struct run *run, struct dfd_error *err)
{
	struct gathering g = { .run = run, .err = err };
	int ret = 0;

	if (run->env.options->group)
		ret = each_group(run, &g, add_member, err);
	return ret ? ret : each_group(run, &g, note_missing, err);
}

/* ---- refusals ---- */

static bool changes(const struct bind_function *f)
{
	return strcmp(f->before.driver, f->after.driver) != 0 ||
	       strcmp(f->before.override, f->after.override) != 0;
}

static int check_bridge(const struct bind_function *f, struct dfd_error *err)
{
	if (state_of_member(DRIVER_NONE, f->class_code) != DFD_STATE_BRIDGE)
		return 0;
	return dfd_error_set(err, -EINVAL,
			     "%s: is a bridge, which VFIO does not take and which never stands in "
			     "the way; leave it where it is",
			     f->name);
}

static int check_iommu(const struct run *run, const struct bind_function *f, struct dfd_error *err)
{
	char noiommu[8];

	if (f->group >= 0 || f->vfio)
		return 0;
	if (root_text(run->env.root, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
		      noiommu, sizeof(noiommu)) > 0 &&
	    noiommu[0] == 'Y')
		return 0;
	return dfd_error_set(err, -EOPNOTSUPP,
			     "%s: is in no IOMMU group, so " VFIO_PCI " would not take it; lsvfio "
			     "tells whether this machine has an IOMMU at all",
			     f->name);
}

/*
 * The kernel would wait for whoever has the function, and a driver of the host cannot come into a
 * group that is in use.
 */
static int check_holder(const struct run *run, const struct bind_function *f, struct dfd_error *err)
{
	const struct holder *h;

	if (f->group < 0 || !strcmp(f->before.driver, f->after.driver))
		return 0;
	h = holders_of(&run->holders, (unsigned int)f->group);
	if (!h || (!f->vfio && (!f->after.driver[0] || !strcmp(f->after.driver, VFIO_PCI))))
		return 0;
	return dfd_error_set(err, -EBUSY,
			     "%s: process %d (%s) uses its IOMMU group %d, and the kernel would "
			     "wait for it; end that process first",
			     f->name, h->pid, h->name, f->group);
}

/* Virtual functions go with the driver of their physical function. */
static int check_virtual(const struct run *run, const struct bind_function *f,
			 struct dfd_error *err)
{
	char path[128];
	int64_t count;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_numvfs", f->name);
	if (!f->before.driver[0] || !strcmp(f->before.driver, f->after.driver) ||
	    root_num(run->env.root, path, &count) || count <= 0)
		return 0;
	return dfd_error_set(err, -EBUSY,
			     "%s: its %d virtual functions would go; remove them first, with "
			     "echo 0 >%s, or use --force",
			     f->name, (int)count, path);
}

static int check(struct run *run, struct dfd_error *err)
{
	struct bind_set moving = { .list = calloc(DFD_MAX_MEMBERS, sizeof(*moving.list)) };
	int ret = 0;

	if (!moving.list)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < run->set.count && !ret; i++) {
		const struct bind_function *f = &run->set.list[i];

		if (!changes(f))
			continue;
		ret = check_holder(run, f, err);
		if (!ret && !run->env.options->force)
			ret = check_virtual(run, f, err);
		moving.list[moving.count++] = *f;
	}
	if (!ret && !run->env.options->force)
		ret = host_check(run->env.root, &moving, err);
	free(moving.list);
	return ret;
}

/* ---- changing ---- */

static const char *shown(const char *driver)
{
	return *driver ? driver : "no driver";
}

static int move(struct run *run, const struct bind_function *f, struct dfd_error *err)
{
	char group[32] = "";

	if (f->group >= 0)
		snprintf(group, sizeof(group), ", IOMMU group %d", f->group);
	if (strcmp(f->before.driver, f->after.driver) != 0)
		bind_tell(&run->env, "# %s: from %s to %s%s", f->name, shown(f->before.driver),
			  shown(f->after.driver), group);
	return placement_set(&run->env, f->name, &f->after, err);
}

static int move_back(struct run *run, const struct bind_function *f, struct dfd_error *err)
{
	bind_tell(&run->env, "# %s: back to %s", f->name, shown(f->before.driver));
	return placement_set(&run->env, f->name, &f->before, err);
}

/* Is what is remembered of a function still about that function, and not about another card? */
static struct remembered *recall(const struct run *run, const struct bind_function *f)
{
	struct remembered *entry = memory_find(&run->memory, f->name);

	return entry && entry->id == f->id ? entry : NULL;
}

/* Who is not in the memory yet gets there, and into @fresh. */
static int remember(struct run *run, bool *fresh, struct dfd_error *err)
{
	for (size_t i = 0; i < run->set.count; i++) {
		const struct bind_function *f = &run->set.list[i];
		struct remembered entry = { .id = f->id, .was = f->before };

		fresh[i] = changes(f) && !recall(run, f);
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
static void undo(struct run *run, size_t count, const bool *fresh, struct dfd_error *err)
{
	const bool any = run->env.changes > 0;
	bool all = true;
	struct dfd_error first = *err, why;

	for (size_t i = run->set.count; i-- > 0;) {
		const struct bind_function *f = &run->set.list[i];
		int ret = 0;

		if (any && i < count && changes(f))
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

static int change_all(struct run *run, struct dfd_error *err)
{
	bool fresh[DFD_MAX_MEMBERS] = { false };
	struct dfd_error why;
	int ret = remember(run, fresh, err);
	size_t i = 0;

	for (; i < run->set.count && !ret; i++) {
		const struct bind_function *f = &run->set.list[i];

		if (!changes(f))
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
static int prepare(struct run *run, struct dfd_error *err)
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

static int bind_run(struct run *run, const char *const *names, size_t count, struct dfd_error *err)
{
	int ret = prepare(run, err);

	if (!ret)
		ret = add_all(run, names, count, err);
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
		ret = check(run, err);
	return ret ? ret : change_all(run, err);
}

int bind_functions(const struct bind_calls *calls, const struct dfd_bind_options *options,
		   const char *const *names, size_t count, struct dfd_error *err)
{
	struct run *run = run_new(calls, options);
	int ret;

	if (!run)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	ret = bind_run(run, names, count, err);
	run_free(run);
	return ret;
}

/* ---- unbinding ---- */

static int unbind_run(struct run *run, const char *const *names, size_t count,
		      struct dfd_error *err)
{
	int ret = prepare(run, err);

	if (!ret)
		ret = add_all(run, names, count, err);
	for (size_t i = 0; i < run->set.count && !ret; i++) {
		struct bind_function *f = &run->set.list[i];

		ret = check_bridge(f, err);
		f->after = (struct placement){ "", NOBODY };
	}
	if (!ret)
		ret = check(run, err);
	return ret ? ret : change_all(run, err);
}

int unbind_functions(const struct bind_calls *calls, const struct dfd_bind_options *options,
		     const char *const *names, size_t count, struct dfd_error *err)
{
	struct run *run = run_new(calls, options);
	int ret;

	if (!run)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	ret = unbind_run(run, names, count, err);
	run_free(run);
	return ret;
}

/* ---- restoring ---- */

static void forget(struct run *run, const char *name)
{
	memory_remove(&run->memory, name);
	if (!run->env.options->dry_run)
		memory_save(run->env.root, &run->memory, NULL);
}

static int restore_one(struct run *run, const struct remembered *entry, struct dfd_error *err)
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
static int choose(const struct run *run, const char *const *names, size_t count, struct memory *out,
		  struct dfd_error *err)
{
	char name[FUNCTION_NAME_SIZE];
	int ret = 0;

	*out = (struct memory){ 0 };
	for (size_t i = 0; i < run->memory.count && !count && !ret; i++)
		ret = memory_add(out, &run->memory.list[i]);
	for (size_t i = 0; i < count && !ret; i++) {
		const struct remembered *entry = function_parse(names[i], name, sizeof(name))
							 ? memory_find(&run->memory, name)
							 : NULL;

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
static int restore_run(struct run *run, const char *const *names, size_t count,
		       struct dfd_error *err)
{
	struct memory chosen = { 0 };
	struct dfd_error why;
	int ret = prepare(run, err);

	if (!ret)
		ret = choose(run, names, count, &chosen, err);
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

int restore_functions(const struct bind_calls *calls, const struct dfd_bind_options *options,
		      const char *const *names, size_t count, struct dfd_error *err)
{
	struct run *run = run_new(calls, options);
	int ret;

	if (!run)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	ret = restore_run(run, names, count, err);
	run_free(run);
	return ret;
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
