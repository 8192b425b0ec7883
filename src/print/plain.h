/* SPDX-License-Identifier: MIT */
/* Strings from outside, made fit for a terminal and for JSON. */
#ifndef PRINT_PLAIN_H
#define PRINT_PLAIN_H

#include <devfd/desc.h>

/* Enough for every string of a description. */
#define DFD_PLAIN_SIZE (4 * DFD_MAX_STRING + 1)

/**
 * dfd_plain() - copy a string, spelling what is not printable UTF-8 as \xNN
 * @buf: receives the copy
 * @len: bytes in @buf, more than 0; a longer copy is cut
 *
 * Return: @buf.
 */
const char *dfd_plain(char *buf, size_t len, const char *s);

#endif
