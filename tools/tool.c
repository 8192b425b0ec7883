/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char *tool_name = "devfd";

/*
 * A file that is opened takes the lowest free number, and a disk image that is number 1 would be
 * printed into. Whoever is executed finds these closed, as they were.
 */
static void hold_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void tool_start(const char *name)
{
	hold_standard_files();
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
	char text[8192]; /* a path and what is to be said of it */

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

/* What was refused earlier is refused again, and says why. */
static int why_lost(void)
{
	return write(STDOUT_FILENO, "\n", 1) < 0 ? errno : EIO;
}

int tool_end(int status)
{
	int lost = ferror(stdout) ? why_lost() : 0;

	if (fclose(stdout) && !lost)
		lost = errno;
	if (lost)
		return tool_fail(TOOL_FAILED, "standard output: %s", strerror(lost));
	return status;
}
