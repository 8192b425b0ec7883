/* SPDX-License-Identifier: MIT */
/* A machine, whether it is looked at now or was dumped. As the functions of <devfd/enumerate.h>. */
#ifndef PRINT_ORIGIN_H
#define PRINT_ORIGIN_H

#include <devfd/dump.h>

int origin_enumerate(const struct dfd_origin *origin,
		     int (*fn)(void *ctx, const struct dfd_found *found), void *ctx);
int origin_groups(const struct dfd_origin *origin,
		  int (*fn)(void *ctx, const struct dfd_group *group), void *ctx);

/** origin_machine() - Return: false where a dump does not tell */
bool origin_machine(const struct dfd_origin *origin, struct dfd_machine *out);

#endif
