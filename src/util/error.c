/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <devfd/error.h>

/* Room for a path of any length and what is to be said of it. */
#define FULL_SIZE 8192
#define DOTS	  " ... "

/* What is wrong comes last, and the object of the sentence can be long: it is cut in its middle. */
static void cut_middle(char *out, size_t size, const char *full)
{
	const size_t len = strlen(full), head = size / 3;
	const size_t tail = size - 1 - head - strlen(DOTS);

	snprintf(out, size, "%.*s" DOTS "%s", (int)head, full, full + len - tail);
}

int dfd_error_set(struct dfd_error *err, int code, const char *fmt, ...)
{
	char full[FULL_SIZE];
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, fmt);
	vsnprintf(full, sizeof(full), fmt, args);
	va_end(args);
	if (strlen(full) < sizeof(err->text))
		strcpy(err->text, full);
	else
		cut_middle(err->text, sizeof(err->text), full);
	return code;
}
