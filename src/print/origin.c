/* SPDX-License-Identifier: MIT */
#include "print/origin.h"

int origin_enumerate(const struct dfd_origin *origin,
		     int (*fn)(void *ctx, const struct dfd_found *found), void *ctx)
{
	return origin->dump ? dfd_dump_enumerate(origin->dump, fn, ctx)
			    : dfd_enumerate(origin->root, fn, ctx);
}

int origin_groups(const struct dfd_origin *origin,
		  int (*fn)(void *ctx, const struct dfd_group *group), void *ctx)
{
	return origin->dump ? dfd_dump_enumerate_groups(origin->dump, fn, ctx)
			    : dfd_enumerate_groups(origin->root, fn, ctx);
}

bool origin_machine(const struct dfd_origin *origin, struct dfd_machine *out)
{
	if (origin->dump)
		return dfd_dump_machine(origin->dump, out);
	dfd_machine_get(origin->root, out);
	return true;
}
