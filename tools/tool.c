/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

static const char *tool_name = "devfd";

void tool_start(const char *name)
{
	tool_name = name;
	opterr = 0;
}

/* Names may hold anything: a terminal gets no control characters, C1 ones in UTF-8 included. */
static void print_plain(const unsigned char *s)
{
	for (; *s; s++) {
		bool c1 = s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0;

		if (*s >= 0x20 && *s != 0x7f && !c1)
			fputc(*s, stderr);
		else
			fprintf(stderr, "\\x%02x", *s);
	}
}

static void say(const char *fmt, va_list args)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, args);
	fflush(stdout); /* in the order of events where both go to one terminal */
	fprintf(stderr, "%s: ", tool_name);
	print_plain((const unsigned char *)text);
	fputc('\n', stderr);
}

int tool_fail(enum tool_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	return (int)status;
}

void tool_say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

int tool_bad_option(char **argv, const char *shorts, int c)
{
	const char *arg = argv[optind - 1];

	if (c == ':')
		return tool_fail(TOOL_USAGE, "%s: needs a value; see %s --help", arg, tool_name);
	if (!optopt)
		return tool_fail(TOOL_USAGE, "%s: unknown option; see %s --help", arg, tool_name);
	/* Options without a short form have values above any character. */
	if (optopt > 0xff || strchr(shorts, optopt))
		return tool_fail(TOOL_USAGE, "%s: takes no value; see %s --help", arg, tool_name);
	return tool_fail(TOOL_USAGE, "-%c: unknown option; see %s --help", optopt, tool_name);
}

int tool_version(void)
{
	printf("%s " DEVFD_VERSION "\n", tool_name);
	return TOOL_OK;
}

int tool_end(int status)
{
	int lost = ferror(stdout);

	errno = 0;
	if (fclose(stdout) || lost)
		return tool_fail(TOOL_FAILED, "standard output: %s",
				 errno ? strerror(errno) : "could not be written");
	return status;
}
