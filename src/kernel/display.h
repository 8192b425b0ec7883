/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_DISPLAY_H
#define KERNEL_DISPLAY_H

#include <devfd/display.h>

#include "kernel/calls.h"

/** display_plane() - dfd_plane_get() of a device fd; @kind NULL: dfd_plane_probe() */
int display_plane(const struct kernel_calls *calls, int fd, enum dfd_plane_way way,
		  const enum dfd_plane_kind *kind, struct dfd_plane *out);

/** display_dmabuf() - dfd_plane_dmabuf() of a device fd */
int display_dmabuf(const struct kernel_calls *calls, int fd, uint32_t where);

#endif
