/* SPDX-License-Identifier: MIT */
/*
 * What the drivers of the guests share: they end at the first thing that is not as it must be, and
 * say which.
 */
#ifndef TESTS_VM_DRIVER_H
#define TESTS_VM_DRIVER_H

#include <devfd/devfd.h>

/** end_with() - end the program with exit status 1, saying @what */
_Noreturn void end_with(const char *what);

/** must() - end the program unless @ok; here, so that checkers see that it ends */
static inline void must(bool ok, const char *what)
{
	if (!ok)
		end_with(what);
}

/** open_one() - Return: the device; the program ends where it cannot be opened */
struct dfd_device *open_one(const char *address);

#endif
