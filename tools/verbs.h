/* SPDX-License-Identifier: MIT */
/* The verbs of devfd: one file each, one line each in devfd.c. */
#ifndef TOOLS_VERBS_H
#define TOOLS_VERBS_H

/**
 * struct verb - one verb
 * @name: as the user types it
 * @run: gets the arguments from the verb's name on and returns an exit code; must answer --help
 * @help: one line for `devfd help`
 */
struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

int devfd_bind(int argc, char **argv);
int devfd_restore(int argc, char **argv);
int devfd_run(int argc, char **argv);
int devfd_serve(int argc, char **argv);
int devfd_uml(int argc, char **argv);
int devfd_unbind(int argc, char **argv);

/** run_words() - devfd_run() for another verb, whose name messages have; optind is 0 */
int run_words(int argc, char **argv);

#endif
