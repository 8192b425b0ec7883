/* SPDX-License-Identifier: MIT */
/* The line about the machine, and words for states. */
#ifndef PRINT_HOST_H
#define PRINT_HOST_H

#include <stdio.h>

#include <devfd/dump.h>

/** dfd_print_host() - one line, or none where a dump does not tell */
void dfd_print_host(FILE *out, const struct dfd_origin *origin);

/* Room for a state and what there is more about it. */
#define STATE_SIZE 256

/** dfd_state_words() - "NOT VIABLE: 0000:00:1f.2 (ahci)", "idle"; @why may be NULL. Return: @buf */
const char *dfd_state_words(char *buf, size_t len, enum dfd_state state, const char *why);

#endif
