/* SPDX-License-Identifier: MIT */
/* devfd serve: a device for other processes, by the vfio-user protocol. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <devfd/open.h>
#include <devfd/serve.h>

#include "tool.h"
#include "verbs.h"

#define FIRST_PASSED_FD 3 /* of systemd */

/** struct served - a device and its socket; @socket NULL: passed by systemd */
struct served {
	const struct serve *serve;
	const char *address;
	const char *socket;
	struct dfd_device *dev;
	bool added;
};

/**
 * struct serve - what was asked for
 * @devices: @num_addresses of them have an address, @num_sockets a socket
 */
struct serve {
	struct served *devices;
	int num_addresses, num_sockets;
	mode_t mode;
	bool once;
	bool poll;
	enum dfd_serve_level level;
};

static struct dfd_server *server;

static int usage(FILE *out)
{
	fputs("usage: devfd serve ADDRESS --socket PATH [ADDRESS --socket PATH]... [--mode MODE]\n"
	      "                   [--once] [--poll] [--log LEVEL]\n"
	      "\n"
	      "Serves each device at its socket, by the vfio-user protocol: to QEMU's\n"
	      "vfio-user-pci, and to every program of devfd as user:PATH.\n"
	      "\n"
	      "  --socket PATH  where; not needed when systemd passes a socket for each device\n"
	      "  --mode MODE    who may connect, as for chmod; 0600 if not given\n"
	      "  --once         one client for each device; end when they have gone\n"
	      "  --poll         look for work all the time; takes a whole processor\n"
	      "  --log LEVEL    error, info (if not given) or debug\n"
	      "  --help         this text\n",
	      out);
	return out == stderr ? TOOL_USAGE : TOOL_OK;
}

static int get_mode(struct serve *serve, const char *text)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (*text < '0' || *text > '7' || *end || mode > 0777)
		return tool_fail(TOOL_USAGE, "--mode %s: write an octal mode such as 0660", text);
	serve->mode = (mode_t)mode;
	return 0;
}

static int get_level(struct serve *serve, const char *text)
{
	static const char *const names[] = { "error", "info", "debug" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(text, names[i])) {
			serve->level = (enum dfd_serve_level)i;
			return 0;
		}
	}
	return tool_fail(TOOL_USAGE, "--log %s: write error, info or debug", text);
}

static void log_line(void *ctx, enum dfd_serve_level level, const char *text)
{
	const struct serve *serve = ctx;

	if (level <= serve->level)
		fprintf(stderr, "devfd serve: %s\n", text);
}

static void log_device(void *ctx, const char *text)
{
	const struct served *d = ctx;

	if (d->serve->level >= DFD_SERVE_INFO)
		fprintf(stderr, "devfd serve: %s: %s\n", d->address, text);
}

static void on_signal(int number)
{
	(void)number;
	dfd_server_stop(server);
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Sockets that systemd listens on and passes to us, not to our parent. */
static long sockets_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	return pid && fds && atol(pid) == getpid() ? atol(fds) : 0;
}

/* Return: how many devices still wait for a client, or have one. */
static int retire(struct serve *serve)
{
	int left = 0;

	for (int i = 0; i < serve->num_addresses; i++) {
		struct served *d = &serve->devices[i];

		if (d->added && dfd_server_served(server, d->dev)) {
			dfd_server_remove(server, d->dev);
			d->added = false;
		}
		left += d->added;
	}
	return left;
}

static int run(struct serve *serve)
{
	int ret = 0;

	while (!ret && !(serve->once && !retire(serve)))
		ret = dfd_server_wait(server, -1);
	return ret && ret != -ECANCELED ? tool_fail(TOOL_FAILED, "%s", strerror(-ret)) : TOOL_OK;
}

static int add_device(struct served *d, int number)
{
	struct dfd_error err;
	int ret = dfd_open(d->address, &d->dev, &err);

	if (!ret && d->socket)
		ret = dfd_server_add(server, d->dev, d->socket, d->serve->mode, &err);
	else if (!ret)
		ret = dfd_server_add_fd(server, d->dev, FIRST_PASSED_FD + number, &err);
	if (ret)
		return tool_fail(TOOL_FAILED, "%s", err.text);
	dfd_device_watch_log(d->dev, log_device, d);
	d->added = true;
	return 0;
}

static int serve_devices(struct serve *serve)
{
	int ret = dfd_server_new(&server);

	if (ret)
		return tool_fail(TOOL_FAILED, "%s", strerror(-ret));
	dfd_server_set_poll(server, serve->poll);
	dfd_server_watch_log(server, log_line, serve);
	catch_signals();
	for (int i = 0; i < serve->num_addresses && !ret; i++)
		ret = add_device(&serve->devices[i], i);
	if (!ret)
		ret = run(serve);
	/* A late signal must not meet a server that is being freed. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	dfd_server_free(server);
	for (int i = 0; i < serve->num_addresses; i++)
		dfd_device_close(serve->devices[i].dev);
	return ret;
}

static int get_option(struct serve *serve, char **argv, const char *shorts, int c)
{
	switch (c) {
	case 256:
		serve->devices[serve->num_sockets++].socket = optarg;
		return 0;
	case 257:
		return get_mode(serve, optarg);
	case 258:
		serve->once = true;
		return 0;
	case 259:
		return get_level(serve, optarg);
	case 260:
		serve->poll = true;
		return 0;
	default:
		return tool_bad_option(argv, shorts, c);
	}
}

/* Each device needs a socket, the n-th the n-th. */
static int check_pairs(const struct serve *serve)
{
	int devices = serve->num_addresses, sockets = serve->num_sockets;
	long passed = sockets_passed();

	if (!devices)
		return tool_fail(TOOL_USAGE, "no ADDRESS; see devfd serve --help");
	if (!sockets && !passed)
		return tool_fail(TOOL_USAGE, "no --socket PATH; see devfd serve --help");
	if (!sockets && passed != devices)
		return tool_fail(TOOL_USAGE,
				 "devices: %d, sockets that systemd passes: %ld; each device needs "
				 "one",
				 devices, passed);
	if (sockets > devices)
		return tool_fail(TOOL_USAGE, "--socket %s: there is no ADDRESS for it",
				 serve->devices[devices].socket);
	if (sockets && sockets < devices)
		return tool_fail(TOOL_USAGE, "%s: no --socket PATH for it",
				 serve->devices[sockets].address);
	return 0;
}

static int parse(struct serve *serve, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "socket", required_argument, NULL, 256 },
		{ "mode", required_argument, NULL, 257 },
		{ "once", no_argument, NULL, 258 },
		{ "log", required_argument, NULL, 259 },
		{ "poll", no_argument, NULL, 260 },
		{ "help", no_argument, NULL, 261 },
		{ 0 },
	};
	int c, ret = 0;

	while (!ret && (c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (c == 261)
			return usage(stdout);
		ret = get_option(serve, argv, ":", c);
	}
	if (ret)
		return ret;
	for (; optind < argc; optind++)
		serve->devices[serve->num_addresses++].address = argv[optind];
	ret = check_pairs(serve);
	return ret ? ret : serve_devices(serve);
}

int devfd_serve(int argc, char **argv)
{
	struct serve serve = { .mode = 0600, .level = DFD_SERVE_INFO };
	int ret;

	tool_start("devfd serve");
	/* There are fewer devices, and fewer sockets, than arguments. */
	serve.devices = calloc((size_t)argc, sizeof(*serve.devices));
	if (!serve.devices)
		return tool_fail(TOOL_FAILED, "out of memory");
	for (int i = 0; i < argc; i++)
		serve.devices[i].serve = &serve;
	ret = parse(&serve, argc, argv);
	free(serve.devices);
	return ret;
}
