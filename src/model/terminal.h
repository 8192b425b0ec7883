/* SPDX-License-Identifier: MIT */
/* A terminal for people and programs, with a device at its other end. */
#ifndef MODEL_TERMINAL_H
#define MODEL_TERMINAL_H

struct dfd_error;

/** struct terminal - @link leads to @slave, which keeps it alive while nobody else has it open */
struct terminal {
	int slave;
	char *link; /* NULL: there is none */
};

/**
 * terminal_open() - make a raw terminal
 * @link: a path that leads to it; one that nobody serves any more is replaced
 * @master: receives the device's end, non-blocking; stays the caller's, on failure too; or is -1
 *
 * Return: 0, or a negative errno with @err: -EBUSY @link leads to the terminal of another device.
 * After a failure, too, terminal_close() frees what there is.
 */
int terminal_open(struct terminal *t, const char *link, int *master, struct dfd_error *err);
void terminal_close(struct terminal *t);

#endif
