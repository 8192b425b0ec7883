/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "driver.h"

void end_with(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	exit(1);
}

struct dfd_device *open_one(const char *address)
{
	struct dfd_device *dev = NULL;
	struct dfd_error err;

	if (dfd_open(address, &dev, &err))
		end_with(err.text);
	return dev;
}
