/* SPDX-License-Identifier: MIT */
/* Reset of all that is on a slot or a bus. */
#ifndef KERNEL_HOT_RESET_H
#define KERNEL_HOT_RESET_H

#include <devfd/reset.h>

#include "kernel/link.h"

/** hot_reset_info() - as dfd_hot_reset_info(); @env: where the devices are */
int hot_reset_info(const struct kernel_env *env, const struct kernel_link *link,
		   struct dfd_hot_reset **out, struct dfd_error *err);

/** hot_reset() - as dfd_hot_reset() */
int hot_reset(const struct kernel_env *env, const struct kernel_link *link, struct dfd_error *err);

#endif
