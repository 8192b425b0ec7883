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

/** struct serve - what was asked for */
struct serve {
	const char *address;
	const char *socket;
	mode_t mode;
	bool once;
	bool poll;
	enum dfd_serve_level level;
};

static struct dfd_server *server;

static int usage(FILE *out)
{
	fputs("usage: devfd serve ADDRESS --socket PATH [--mode MODE] [--once] [--poll]\n"
	      "                           [--log LEVEL]\n"
	      "\n"
	      "Serves the device of ADDRESS at a socket, by the vfio-user protocol: to QEMU's\n"
	      "vfio-user-pci, and to every program of devfd as user:PATH.\n"
	      "\n"
	      "  --socket PATH  where; not needed when systemd passes a socket\n"
	      "  --mode MODE    who may connect, as for chmod; 0600 if not given\n"
	      "  --once         end when the first client has gone\n"
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
	log_line(ctx, DFD_SERVE_INFO, text);
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

/* systemd passes a socket that it listens on, to us and not to our parent. */
static bool socket_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	return pid && fds && atol(pid) == getpid() && !strcmp(fds, "1");
}

static int run(const struct serve *serve)
{
	int ret = 0;

	while (!ret && !(serve->once && dfd_server_served(server)))
		ret = dfd_server_wait(server, -1);
	return ret && ret != -ECANCELED ? tool_fail(TOOL_FAILED, "%s", strerror(-ret)) : TOOL_OK;
}

static int serve_device(struct serve *serve, struct dfd_device *dev)
{
	struct dfd_error err;
	int ret = dfd_server_new(&server);

	if (ret)
		return tool_fail(TOOL_FAILED, "%s", strerror(-ret));
	dfd_server_set_poll(server, serve->poll);
	dfd_server_watch_log(server, log_line, serve);
	dfd_device_watch_log(dev, log_device, serve);
	catch_signals();
	if (serve->socket)
		ret = dfd_server_add(server, dev, serve->socket, serve->mode, &err);
	else
		ret = dfd_server_add_fd(server, dev, FIRST_PASSED_FD, &err);
	ret = ret ? tool_fail(TOOL_FAILED, "%s", err.text) : run(serve);
	/* A late signal must not meet a server that is being freed. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	dfd_server_free(server);
	return ret;
}

static int serve_address(struct serve *serve)
{
	struct dfd_device *dev;
	struct dfd_error err;
	int ret;

	if (dfd_open(serve->address, &dev, &err))
		return tool_fail(TOOL_FAILED, "%s", err.text);
	ret = serve_device(serve, dev);
	dfd_device_close(dev);
	return ret;
}

static int get_option(struct serve *serve, char **argv, const char *shorts, int c)
{
	switch (c) {
	case 256:
		serve->socket = optarg;
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

int devfd_serve(int argc, char **argv)
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
	struct serve serve = { .mode = 0600, .level = DFD_SERVE_INFO };
	int c, ret = 0;

	tool_start("devfd serve");
	while (!ret && (c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (c == 261)
			return usage(stdout);
		ret = get_option(&serve, argv, ":", c);
	}
	if (ret)
		return ret;
	if (optind == argc)
		return tool_fail(TOOL_USAGE, "no ADDRESS; see devfd serve --help");
	if (argc - optind > 1)
		return tool_fail(TOOL_USAGE, "%s: one device at a time", argv[optind + 1]);
	if (!serve.socket && !socket_passed())
		return tool_fail(TOOL_USAGE, "no --socket PATH; see devfd serve --help");
	serve.address = argv[optind];
	return serve_address(&serve);
}
