/* SPDX-License-Identifier: MIT */
/* The parts of <devfd/bind.h>: what drivers have, what is remembered, what the host needs. */
#ifndef KERNEL_BIND_H
#define KERNEL_BIND_H

#include <devfd/bind.h>
#include <limits.h>
#include <stdint.h>

#include "kernel/function.h"
#include "kernel/members.h"

#define VFIO_PCI "vfio-pci"

/* ---- drivers (bind_move.c) ---- */

/** struct bind_calls - what changes the machine, each returning 0 or a negative errno */
struct bind_calls {
	int (*write)(const char *path, const char *text);
	int (*load)(const char *module);
	void (*pause)(unsigned int ms);
};

extern const struct bind_calls bind_calls;

/**
 * struct bind_env - where, how, and whom to tell
 * @root: never NULL
 * @changes: writes that have succeeded
 * @loaded: the driver whose module was loaded last
 */
struct bind_env {
	const char *root;
	const struct bind_calls *calls;
	const struct dfd_bind_options *options;
	unsigned int changes;
	char loaded[NAME_MAX + 1];
};

/** struct placement - who has a function, and who may have it; "" for nobody and for anybody */
struct placement {
	char driver[NAME_MAX + 1];
	char override[NAME_MAX + 1];
};

/** placement_read() - what sysfs says; @dir: of the function. Return: 0 or a negative errno */
int placement_read(int dir, struct placement *out);

/**
 * placement_set() - bring a function there from where it is
 *
 * Return: 0; -ENOENT for a function or driver that is not there; -ETIMEDOUT; or what the kernel
 * says. After a failure the function may be anywhere in between.
 */
int placement_set(struct bind_env *env, const char *name, const struct placement *to,
		  struct dfd_error *err);

/** bind_tell() - a line for the caller */
void bind_tell(const struct bind_env *env, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- what is remembered (bind_state.c) ---- */

#define BIND_STATE "/run/devfd/drivers"

/** struct remembered - a function that was changed, and where it was */
struct remembered {
	char name[FUNCTION_NAME_SIZE];
	uint32_t id;
	struct placement was;
};

/** struct memory - all of them, in the order in which they were changed */
struct memory {
	struct remembered *list;
	size_t count;
};

/** memory_lock() - keep other processes out. Return: an fd to close, -EBUSY or another errno */
int memory_lock(const struct bind_env *env, struct dfd_error *err);

/** memory_load() - Return: 0, also without a file; -EBADMSG; -ENOMEM; or what open() says */
int memory_load(const char *root, struct memory *m, struct dfd_error *err);

/** memory_save() - replace the file at once, or not at all. Return: 0 or a negative errno */
int memory_save(const char *root, const struct memory *m, struct dfd_error *err);

void memory_free(struct memory *m);

/** memory_find() - Return: what is remembered of a function, or NULL */
struct remembered *memory_find(const struct memory *m, const char *name);

/** memory_add() - Return: 0 or -ENOMEM */
int memory_add(struct memory *m, const struct remembered *entry);

void memory_remove(struct memory *m, const char *name);

/* ---- what the host needs (bind_host.c, bind_net.c) ---- */

/** struct bind_function - a function that is to be changed */
struct bind_function {
	char name[FUNCTION_NAME_SIZE];
	uint32_t id;
	int32_t class_code;
	int group; /* or -1 */
	struct placement before;
	struct placement after;
	bool vfio; /* a driver of VFIO has it */
};

/** struct bind_set - all that are to be changed */
struct bind_set {
	struct bind_function *list;
	size_t count;
};

/** set_has() - is a function in it? */
bool set_has(const struct bind_set *set, const char *name);

/** set_owns() - Return: the function that a directory of /sys/devices lies below, or NULL */
const char *set_owns(const struct bind_set *set, const char *path);

/** host_check() - does the host need one of them? Return: 0, or -EBUSY and a sentence */
int host_check(const char *root, const struct bind_set *set, struct dfd_error *err);

/** host_check_net() - the part of it that is about networks */
int host_check_net(const char *root, const struct bind_set *set, struct dfd_error *err);

/* ---- the whole (bind.c) ---- */

/**
 * struct bind_run - one bind, unbind or restore
 * @set: what it is about
 * @holders: who uses which group
 * @lock: an fd, or -1
 */
struct bind_run {
	struct bind_env env;
	struct bind_set set;
	struct memory memory;
	struct holders holders;
	int lock;
};

/** bind_add() - look at a function and put it into the set, once */
int bind_add(struct bind_run *run, const char *bdf, struct dfd_error *err);

int bind_functions(const struct bind_calls *calls, const struct dfd_bind_options *options,
		   const char *const *names, size_t count, struct dfd_error *err);
int unbind_functions(const struct bind_calls *calls, const struct dfd_bind_options *options,
		     const char *const *names, size_t count, struct dfd_error *err);
int restore_functions(const struct bind_calls *calls, const struct dfd_bind_options *options,
		      const char *const *names, size_t count, struct dfd_error *err);

/* ---- what keeps it from being done (bind_check.c) ---- */

/** function_changes() - is there anything to do for it? */
bool function_changes(const struct bind_function *f);

/** complete_groups() - take the whole groups, if that is asked for. Return: 0 or -EBUSY */
int complete_groups(struct bind_run *run, struct dfd_error *err);

/** check_bridge() - Return: 0, or -EINVAL for a bridge */
int check_bridge(const struct bind_function *f, struct dfd_error *err);

/** check_iommu() - Return: 0, or -EOPNOTSUPP for what vfio-pci would not take */
int check_iommu(const struct bind_run *run, const struct bind_function *f, struct dfd_error *err);

/** check_holder() - Return: 0, or -EBUSY while a process uses it */
int check_holder(const struct bind_run *run, const struct bind_function *f, struct dfd_error *err);

/** check_set() - all that can be overruled, and check_holder(). Return: 0 or -EBUSY */
int check_set(struct bind_run *run, struct dfd_error *err);

#endif
