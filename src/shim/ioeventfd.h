/* SPDX-License-Identifier: MIT */
/* Eventfds that write to a register when they are signalled. */
#ifndef SHIM_IOEVENTFD_H
#define SHIM_IOEVENTFD_H

#include "shim/core.h"

/** ioeventfd_ioctl() - VFIO_DEVICE_IOEVENTFD. Return: 0 or a negative errno */
int ioeventfd_ioctl(struct shim_mount *m, const void *arg);

/** ioeventfd_run() - do the writes of what was signalled; locked, with m->bells */
void ioeventfd_run(struct shim_mount *m);

/** ioeventfd_release() - a device, locked, is not used any more */
void ioeventfd_release(struct shim_mount *m);

/** ioeventfd_forked() - this is a new process */
void ioeventfd_forked(struct shim_mount *m);

#endif
