/* SPDX-License-Identifier: MIT */
/* Several devices served by one event loop, until a signal. usage: many ADDRESS PATH... */
#include <signal.h>
#include <stdio.h>

#include <devfd/devfd.h>

#define MAX_DEVICES 8

static struct dfd_server *server;

static void on_signal(int number)
{
	(void)number;
	dfd_server_stop(server);
}

int main(int argc, char **argv)
{
	struct dfd_device *devs[MAX_DEVICES];
	int count = 0;
	struct dfd_error err;

	if (dfd_server_new(&server))
		return 1;
	for (; count < MAX_DEVICES && 2 * count + 2 < argc; count++) {
		if (dfd_open(argv[2 * count + 1], &devs[count], &err) ||
		    dfd_server_add(server, devs[count], argv[2 * count + 2], 0600, &err)) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
	}
	signal(SIGTERM, on_signal);
	while (!dfd_server_wait(server, -1))
		;
	signal(SIGTERM, SIG_IGN);
	dfd_server_free(server);
	while (count)
		dfd_device_close(devs[--count]);
	return 0;
}
