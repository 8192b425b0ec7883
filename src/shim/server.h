/* SPDX-License-Identifier: MIT */
/*
 * The loop of a supervisor: it has the devices, answers the programs that use them, and serves the
 * devices. One thread, which never waits for a program.
 */
#ifndef SHIM_SERVER_H
#define SHIM_SERVER_H

#include <stdbool.h>

/**
 * struct shim_watch - an fd that is looked at
 * @ready: called when there is something to read, or nothing will come any more
 * @readable: there is something
 */
struct shim_watch {
	int fd;
	void (*ready)(struct shim_watch *w);
	bool readable;
};

/**
 * shim_server_probe() - may a process have the devices of its children here?
 *
 * Kernels and sandboxes differ in what of it they allow, so it is tried. Return: 0 or a negative
 * errno.
 */
int shim_server_probe(void);

/** shim_server_start() - listen at the path of a socket. Return: 0 or a negative errno */
int shim_server_start(const char *path);

/** shim_server_watch() - Return: 0 or a negative errno */
int shim_server_watch(struct shim_watch *w);
void shim_server_forget(struct shim_watch *w);

/** shim_server_settle() - see what was closed before the call was made that is answered next */
void shim_server_settle(void);

/** shim_server_wait() - wait, and do the next thing. Return: 0 or a negative errno */
int shim_server_wait(void);

#endif
