/* SPDX-License-Identifier: MIT */
/* A program, and beside it the process that has its devices. */
#ifndef TOOLS_DEVFD_SUPERVISE_H
#define TOOLS_DEVFD_SUPERVISE_H

#include <stdbool.h>

/**
 * struct supervision - what is particular to the program
 * @start: open the devices, in the process that will have them. Return: 0 or a code for exit()
 * @program: become the program. Return: a code for exit()
 * @talks: the devices go on using standard error
 */
struct supervision {
	int (*start)(void *ctx);
	int (*program)(void *ctx);
	bool talks;
	void *ctx;
};

/** supervise() - run it. Return: a code for exit(); does not return when a signal ended it */
int supervise(const struct supervision *s);

#endif
