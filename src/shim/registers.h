/* SPDX-License-Identifier: MIT */
/* Accesses of few bytes by the ring of a process. */
#ifndef SHIM_REGISTERS_H
#define SHIM_REGISTERS_H

#include "ring/ring.h"

/**
 * registers_serve() - do what is asked for, if something is, and answer
 *
 * Return: 1, 0 when there was nothing, or -EPROTO: the process does not keep to the layout.
 */
int registers_serve(struct ring *r);

#endif
