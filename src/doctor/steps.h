/* SPDX-License-Identifier: MIT */
/* The steps of dfd_check(), for check.c. */
#ifndef DOCTOR_STEPS_H
#define DOCTOR_STEPS_H

#include <devfd/check.h>

#include "kernel/target.h"

/**
 * struct look - what is looked at
 * @t: the device, once it was found
 * @scheme, @rest: its address, as dfd_vfio_open() takes it
 * @note: the step is good, but there is something to know
 * @text: what was found, or why the step fails
 */
struct look {
	struct kernel_target t;
	const struct kernel_env *env;
	char scheme[16];
	const char *rest;
	bool note;
	struct dfd_error text;
};

/** doctor_check() - dfd_check() of the machine @env */
int doctor_check(const struct kernel_env *env, const char *address, bool open,
		 void (*fn)(void *ctx, const struct dfd_check *check), void *ctx,
		 struct dfd_error *err);

/* Each returns 0, or a negative errno with the reason in @text. */
int look_iommu(struct look *l);
int look_driver(struct look *l);
int look_group(struct look *l);
int look_firmware(struct look *l);
int look_interrupts(struct look *l);
int look_files(struct look *l);
int look_access(struct look *l);
int look_free(struct look *l);
int look_token(struct look *l);
int look_power(struct look *l);
int look_reset(struct look *l);
int look_memory(struct look *l);
int look_open(struct look *l);

/** look_found() - say what was found. Return: 0 */
int look_found(struct look *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
