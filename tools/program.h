/* SPDX-License-Identifier: MIT */
/* A program that shall be run with a library preloaded: finding it, and seeing whether that works.
 */
#ifndef TOOLS_PROGRAM_H
#define TOOLS_PROGRAM_H

#include <stddef.h>

/* Of program_judge(): no code for exit(). */
#define PROGRAM_STATIC 1

/* As shells exit. */
#define PROGRAM_REFUSED	  126
#define PROGRAM_NOT_FOUND 127

/** program_find() - as program_check(), but without a message and without a look into the file */
int program_find(const char *name, char *path, size_t size);

/**
 * program_judge() - look for a program and at what would start it
 * @name: as typed: a path, or a name that is looked for in $PATH
 * @path: receives the path
 * @size: bytes of @path
 *
 * A script is judged by its interpreter. Prints a sentence on failure.
 *
 * Return: 0, PROGRAM_STATIC when it is statically linked, PROGRAM_REFUSED or PROGRAM_NOT_FOUND.
 */
int program_judge(const char *name, char *path, size_t size);

/** program_check() - the same for who has to preload: what is statically linked is refused */
int program_check(const char *name, char *path, size_t size);

#endif
