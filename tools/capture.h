/* SPDX-License-Identifier: MIT */
/* What a program prints. */
#ifndef TOOLS_CAPTURE_H
#define TOOLS_CAPTURE_H

/**
 * capture() - run a program and keep its standard output; its standard error is dropped
 * @argv: name, looked for in $PATH, and arguments; ends with NULL
 * @text: receives what it has printed, for free()
 *
 * Return: as waitpid() tells of it, or -1 with errno when it could not be run.
 */
int capture(const char *const argv[], char **text);

#endif
