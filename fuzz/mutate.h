/* SPDX-License-Identifier: MIT */
/* Damage to a file of bytes, decided by a seed: for readers of any format made of u32. */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/**
 * dfd_mutate() - damage some bytes
 * @buf: the bytes
 * @len: how many, at least 1
 * @room: how many @buf can hold
 * @seed: decides what happens; moves on
 *
 * Return: the new length, 0 to @room.
 */
size_t dfd_mutate(uint8_t *buf, size_t len, size_t room, uint64_t *seed);

#endif
