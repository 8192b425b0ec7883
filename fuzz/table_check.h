/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_TABLE_CHECK_H
#define FUZZ_TABLE_CHECK_H

#include <stddef.h>
#include <stdint.h>

/**
 * dfd_check_table() - what must hold for the reader on any bytes
 * @buf: bytes from anywhere, in memory of exactly @len bytes
 *
 * A refusal names an offset inside the table; the hexdump comes to the same verdict; what was
 * accepted can be written and read again, and is the same. Aborts where that does not hold.
 *
 * Return: what dfd_table_parse() returned.
 */
int dfd_check_table(const uint8_t *buf, size_t len);

#endif
