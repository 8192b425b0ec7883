/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>

#include <devfd/error.h>

int dfd_error_set(struct dfd_error *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return code;
}
