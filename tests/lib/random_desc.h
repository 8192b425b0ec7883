/* SPDX-License-Identifier: MIT */
/* Descriptions out of thin air, for tests that want many. */
#ifndef TESTS_RANDOM_DESC_H
#define TESTS_RANDOM_DESC_H

#include <devfd/desc.h>

/** dfd_random() - Return: the next number of the sequence that starts with *@seed (SplitMix64) */
uint64_t dfd_random(uint64_t *seed);

/** dfd_random_below() - Return: a random number from 0 to @n - 1; @n is not 0 */
uint32_t dfd_random_below(uint64_t *seed, uint32_t n);

/**
 * dfd_random_desc() - a description that uses everything a description can say
 * @seed: decides all of it
 *
 * All three buses come up. PCI descriptions may have regions above 7.
 *
 * Return: one reference; never NULL (aborts where memory is short or the generator is wrong).
 */
const struct dfd_desc *dfd_random_desc(uint64_t seed);

#endif
