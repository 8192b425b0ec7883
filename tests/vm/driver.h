/* SPDX-License-Identifier: MIT */
/*
 * What the drivers of the guests share: they end at the first thing that is not as it must be, and
 * say which.
 */
#ifndef TESTS_VM_DRIVER_H
#define TESTS_VM_DRIVER_H

#include <devfd/devfd.h>

/** must() - end the program with exit status 1, saying @what, unless @ok */
void must(bool ok, const char *what);

/** open_one() - Return: the device; the program ends where it cannot be opened */
struct dfd_device *open_one(const char *address);

#endif
