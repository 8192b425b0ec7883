/* SPDX-License-Identifier: MIT */
/* What the commands share: exit codes, messages, options, standard output. */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

/** enum tool_status - exit codes of every command */
enum tool_status {
	TOOL_OK = 0,
	TOOL_FAILED = 1, /* a device, a file or the output failed, or views differ */
	TOOL_USAGE = 2,	 /* the command line is wrong */
};

/**
 * tool_start() - prepare a command
 * @name: starts every message: "lsvfio", "devfd run"
 */
void tool_start(const char *name);

/**
 * tool_fail() - print one sentence on standard error
 * @status: what to return
 * @fmt: "OBJECT: cause; remedy" without a full stop
 *
 * Return: @status.
 */
int tool_fail(enum tool_status status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** tool_say() - print a line on standard error, for -v */
void tool_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * tool_bad_option() - say what is wrong with an option that getopt_long() refused
 * @argv: the arguments
 * @shorts: the short options as given to getopt_long(), starting with ':' (or "+:")
 * @c: what getopt_long() returned: '?' or ':'
 *
 * Return: TOOL_USAGE.
 */
int tool_bad_option(char **argv, const char *shorts, int c);

/** tool_version() - print name and version. Return: TOOL_OK */
int tool_version(void);

/**
 * tool_end() - close standard output
 * @status: what the command came to
 *
 * Return: @status, or TOOL_FAILED with a message when something that was printed got lost.
 */
int tool_end(int status);

#endif
