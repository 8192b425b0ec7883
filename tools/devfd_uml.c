/* SPDX-License-Identifier: MIT */
/*
 * devfd uml: a stock Linux kernel as a process, with devices as its PCI functions.
 *
 * Theory of operation: a child becomes `devfd run`, which becomes the kernel. It gets pipes,
 * because it makes what it is given non-blocking, which would be the terminal of all others, too.
 * Its console 0 is what the script sees, and is copied to standard output. On console 1 are its own
 * messages, which go to standard error until the script has ended. On console 2 init tells how that
 * was (uml_root.c). The kernel and its processes are one process group, which is killed in the end,
 * whatever the end was.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "program.h"
#include "shim/env.h"
#include "tool.h"
#include "uml_root.h"
#include "verbs.h"

/* As timeout(1) exits. */
#define TIMED_OUT 124

/* Where users' kernels are named, and what distributions call theirs. */
#define KERNEL_ENV     "DEVFD_UML_KERNEL"
#define KERNEL_DEFAULT "linux.uml"

#define MIB	   (UINT64_C(1) << 20)
#define BASE_MIB   128u
#define FIRST_SLOT 4u

/** struct uml - what is to be run */
struct uml {
	const char *devices[SHIM_MAX_DEVICES];
	unsigned int num_devices;
	const char *kernel;
	struct uml_root root;
	char dir[PATH_MAX];
	unsigned int timeout_s;
	bool verbose;
	char **more;	  /* arguments for the kernel */
	int archive;	  /* fd */
	unsigned int mib; /* memory of the guest */
};

/**
 * struct guest - a kernel that runs
 * @process: tells of its end
 * @in, @out, @kernel, @report: our ends of its consoles
 * @said: what has come by @report, a string
 */
struct guest {
	pid_t pid;
	int process;
	int in, out, kernel, report;
	char said[128];
};

static int usage(FILE *out)
{
	fputs("usage: devfd uml [-v] [--device ADDRESS]... [--kernel LINUX] [--init SCRIPT]\n"
	      "       [--rootfs DIR] [--with PROGRAM]... [--timeout S] [--] [ARGUMENT]...\n"
	      "\n"
	      "Runs a Linux kernel that is built for User Mode Linux, as a process, with the\n"
	      "devices as its PCI functions, and in it SCRIPT, or else a shell.\n"
	      "\n"
	      "  --device ADDRESS  a PCI device for the kernel's own driver\n"
	      "  --kernel LINUX    the kernel; else that of $" KERNEL_ENV ", else " KERNEL_DEFAULT
	      "\n"
	      "  --init SCRIPT     what to run; its exit status is that of the command\n"
	      "  --rootfs DIR      run it in DIR, which is not written to, instead of with "
	      "busybox\n"
	      "  --with PROGRAM    take a program of this machine along\n"
	      "  --timeout S       end everything after S seconds, with status 124\n"
	      "  -v, --verbose     show what the kernel says\n"
	      "  --help            this text\n"
	      "\n"
	      "ARGUMENTs go to the kernel, such as mem=1G.\n",
	      out);
	return out == stderr ? TOOL_USAGE : TOOL_OK;
}

/* ---- what the kernel can do ---- */

static bool has(const char *config, const char *option)
{
	const char *found = strstr(config, option);

	return found && !strncmp(found + strlen(option), "=y\n", 3);
}

static int check_config(struct uml *uml, const char *path, const char *config)
{
	if (!has(config, "\nCONFIG_UML"))
		return tool_fail(TOOL_FAILED,
				 "%s: not a kernel for User Mode Linux; one is built with ARCH=um",
				 path);
	if (uml->num_devices && !has(config, "\nCONFIG_UML_PCI_OVER_VFIO"))
		return tool_fail(TOOL_FAILED,
				 "%s: built without UML_PCI_OVER_VFIO, so it finds no devices; "
				 "devfd-uml(1) says how to build one with it",
				 path);
	if (!has(config, "\nCONFIG_BLK_DEV_INITRD"))
		return tool_fail(TOOL_FAILED,
				 "%s: built without BLK_DEV_INITRD, which is how its "
				 "first file system comes",
				 path);
	uml->root.hostfs = has(config, "\nCONFIG_HOSTFS");
	return 0;
}

static int check_kernel(struct uml *uml)
{
	const char *named = getenv(KERNEL_ENV);
	const char *given = uml->kernel ? uml->kernel : named && *named ? named : NULL;
	const char *argv[] = { NULL, "--showconfig", NULL };
	static char path[PATH_MAX];
	char *config;
	int ret;

	uml->kernel = path;
	if (given && !*given)
		return tool_fail(TOOL_USAGE, "--kernel: names no file; it can also be left out");
	if (!given && program_find(KERNEL_DEFAULT, path, sizeof(path)))
		return tool_fail(TOOL_FAILED, "no kernel: there is no " KERNEL_DEFAULT
					      " in $PATH; name one with --kernel or $" KERNEL_ENV
					      ", devfd-uml(1) says how to build one");
	ret = program_check(given ? given : path, path, sizeof(path));
	if (ret)
		return ret;
	argv[0] = path;
	if (capture(argv, &config) < 0)
		return tool_fail(TOOL_FAILED, "%s: %s", path, strerror(errno));
	ret = check_config(uml, path, config);
	free(config);
	return ret;
}

/* ---- the child: devfd run, then the kernel ---- */

/** struct words - arguments, in the order of a command line; never freed, they are good until exec
 */
struct words {
	char *list[4 * SHIM_MAX_DEVICES + 64];
	int count;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void word(struct words *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (w->count + 1 == sizeof(w->list) / sizeof(*w->list) ||
	    vasprintf(&w->list[w->count], format, args) < 0)
		w->failed = true;
	else
		w->count++;
	va_end(args);
}

static void make_words(struct words *w, const struct uml *uml, int kernel, int report)
{
	word(w, "run");
	word(w, "--in-process"); /* its memory and its signals are one process's own */
	word(w, "--view=paths");
	if (uml->verbose)
		word(w, "-v");
	for (unsigned int i = 0; i < uml->num_devices; i++)
		word(w, "--device=0000:00:%02x.0=%s", FIRST_SLOT + i, uml->devices[i]);
	word(w, "--");
	word(w, "%s", uml->kernel);
	word(w, "mem=%uM", uml->mib);
	word(w, "initrd=/proc/self/fd/%d", uml->archive);
	word(w, "con=null");
	word(w, "con0=fd:0,fd:1");
	word(w, "con1=null,fd:%d", kernel);
	word(w, "con2=null,fd:%d", report);
	word(w, "console=tty1");
	for (unsigned int i = 0; i < uml->num_devices; i++)
		word(w, "vfio_uml.device=0000:00:%02x.0", FIRST_SLOT + i);
	if (!uml->verbose) {
		word(w, "quiet");
		word(w, "loglevel=3");
	}
	for (char **more = uml->more; *more; more++)
		word(w, "%s", *more);
}

/* devfd run wants a device; without one the kernel is executed as it is. */
static int run_kernel(const struct uml *uml, int kernel, int report)
{
	static struct words w;
	int first = 0;

	make_words(&w, uml, kernel, report);
	if (w.failed)
		return tool_fail(TOOL_USAGE, "too many arguments for the kernel");
	optind = 0; /* the options of devfd run are another command line */
	if (uml->num_devices)
		return run_words(w.count, w.list);
	while (strcmp(w.list[first++], "--") != 0)
		;
	execv(uml->kernel, w.list + first);
	return tool_fail(TOOL_FAILED, "%s: %s", uml->kernel, strerror(errno));
}

/* Never returns. Where there is no kernel, the child says it in its place: "failed STATUS". */
static void child(const struct uml *uml, int in, int out, int kernel, int report)
{
	int status;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	status = run_kernel(uml, kernel, report);
	dprintf(report, "failed %d\n", status);
	_exit(status);
}

/* All are closed on exec, but for the ends that are the kernel's. */
static int start(const struct uml *uml, struct guest *g)
{
	int in[2], out[2], kernel[2], report[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(kernel, O_CLOEXEC) ||
	    pipe2(report, O_CLOEXEC))
		return tool_fail(TOOL_FAILED, "pipes for the consoles: %s", strerror(errno));
	fcntl(kernel[1], F_SETFD, 0);
	fcntl(report[1], F_SETFD, 0);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(kernel[0], F_SETFL, O_NONBLOCK);
	fcntl(report[0], F_SETFL, O_NONBLOCK);
	fflush(NULL);
	g->pid = fork();
	if (g->pid < 0)
		return tool_fail(TOOL_FAILED, "a process for the kernel: %s", strerror(errno));
	if (!g->pid)
		child(uml, in[0], out[1], kernel[1], report[1]);
	setpgid(g->pid, g->pid);
	close(in[0]);
	close(out[1]);
	close(kernel[1]);
	close(report[1]);
	g->said[0] = '\0';
	g->process = (int)syscall(SYS_pidfd_open, g->pid, 0);
	g->in = in[1];
	g->out = out[0];
	g->kernel = kernel[0];
	g->report = report[0];
	return 0;
}

/* ---- copying, until the kernel ends ---- */

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = signal;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int lost; /* why standard output has taken no more, an errno */

/* Return: bytes; 0 at the end of @from or when @to takes no more, -1 when there is nothing now. */
static ssize_t copy(int from, int to)
{
	char piece[65536];
	ssize_t n = read(from, piece, sizeof(piece)), done = 0;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? -1 : 0;
	while (done < n) {
		ssize_t m = write(to, piece + done, (size_t)(n - done));

		if (m < 0 && errno != EINTR) {
			if (to == STDOUT_FILENO)
				lost = errno;
			return 0;
		}
		done += m > 0 ? m : 0;
	}
	return n;
}

/* Return: what init has said so far. */
static const char *report(struct guest *g)
{
	size_t len = strlen(g->said);
	ssize_t n = read(g->report, g->said + len, sizeof(g->said) - 1 - len);

	g->said[len + (size_t)(n > 0 ? n : 0)] = '\0';
	return g->said;
}

/* Init reports before the kernel says that it powers off, which nobody wants to know. */
static ssize_t copy_kernel(const struct uml *uml, struct guest *g)
{
	char dropped[4096];

	if (uml->verbose || !strstr(report(g), "exit "))
		return copy(g->kernel, STDERR_FILENO);
	return read(g->kernel, dropped, sizeof(dropped));
}

/* The end of the input is a key of the guest's terminal: without input it would hang up. */
static ssize_t copy_keys(int keyboard, struct guest *g)
{
	ssize_t n = copy(keyboard, g->in);

	return n ? n : write(g->in, "\4", 1) - 1;
}

/* Return: false when the time is over or a signal has come. */
static bool converse(const struct uml *uml, struct guest *g, int keyboard)
{
	const uint64_t end = now_ms() + UINT64_C(1000) * uml->timeout_s;
	struct pollfd fds[] = { { .fd = g->process, .events = POLLIN },
				{ .fd = g->out, .events = POLLIN },
				{ .fd = g->kernel, .events = POLLIN },
				{ .fd = g->report, .events = POLLIN },
				{ .fd = -1, .events = POLLIN } };

	while (!fds[0].revents) {
		uint64_t now = now_ms();

		if (stopped || (uml->timeout_s && now >= end))
			return false;
		if (poll(fds, 5, uml->timeout_s ? (int)(end - now) : -1) <= 0)
			continue;
		if (fds[1].revents && !copy(g->out, STDOUT_FILENO))
			fds[1].fd = -1;
		if (fds[2].revents && !copy_kernel(uml, g))
			fds[2].fd = -1;
		if (fds[3].revents) {
			/* Before, keys would be echoed between the messages. */
			fds[4].fd = strstr(report(g), "ready") ? keyboard : -1;
			fds[3].fd = fds[4].fd < 0 ? g->report : -1;
		}
		if (fds[4].revents && !copy_keys(keyboard, g))
			fds[4].fd = -1;
	}
	while (copy(g->out, STDOUT_FILENO) > 0)
		;
	while (copy_kernel(uml, g) > 0)
		;
	return true;
}

/* The guest has a terminal of its own, which echoes and makes signals of keys. */
static bool make_raw(struct termios *before)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, before))
		return false;
	raw = *before;
	cfmakeraw(&raw);
	return !tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

/* ---- how it ended ---- */

static int verdict(const struct uml *uml, struct guest *g)
{
	const char *said = report(g), *end = strstr(said, "exit ");
	unsigned int found;
	int status;

	if (end && sscanf(end, "exit found %u", &found) == 1)
		return tool_fail(TOOL_FAILED,
				 "%s: the kernel has found %u of %u devices; it takes those that "
				 "have MSI-X, and no more than 8%s",
				 uml->kernel, found, uml->num_devices,
				 uml->verbose ? "" : "; -v shows what it says");
	if (!end)
		end = strstr(said, "failed ");
	if (end && sscanf(end, "%*s %d", &status) == 1)
		return status;
	return tool_fail(TOOL_FAILED, "%s: the kernel ended before %s did%s", uml->kernel,
			 uml->root.script ? uml->root.script : "the shell",
			 uml->verbose ? "" : "; -v shows what it says");
}

static int wait_for(const struct uml *uml, struct guest *g)
{
	const struct sigaction act = { .sa_handler = stop };
	bool shell = !uml->root.script, raw, over;
	struct termios before;
	int status;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	raw = shell && make_raw(&before);
	over = converse(uml, g, shell ? STDIN_FILENO : -1);
	kill(-g->pid, SIGKILL);
	waitpid(g->pid, &status, 0);
	if (raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	/* A reader that has gone has seen what it wanted. */
	if (lost && lost != EPIPE)
		return tool_fail(TOOL_FAILED, "standard output: %s", strerror(lost));
	if (over)
		return verdict(uml, g);
	if (stopped)
		return 128 + stopped;
	return tool_fail(TIMED_OUT, "ended after %u s, as --timeout says", uml->timeout_s);
}

/* ---- the command line ---- */

static int run(struct uml *uml)
{
	struct guest g;
	uint64_t size;
	int ret = check_kernel(uml);

	uml->root.terminal = isatty(STDIN_FILENO);
	uml->root.devices = uml->num_devices;
	if (!ret)
		ret = uml_root_make(&uml->root, &uml->archive, &size);
	if (ret)
		return ret;
	/* As packed, as unpacked, and something to work with. */
	uml->mib = BASE_MIB + 2 * (unsigned int)(size / MIB);
	ret = start(uml, &g);
	return ret ? ret : wait_for(uml, &g);
}

static int add_device(struct uml *uml, const char *address)
{
	if (!*address)
		return tool_fail(TOOL_USAGE, "--device: names no device; write an address, such as "
					     "model:edu,msix=1");
	if (uml->num_devices == SHIM_MAX_DEVICES)
		return tool_fail(TOOL_USAGE, "--device %s: at most %u devices", address,
				 SHIM_MAX_DEVICES);
	uml->devices[uml->num_devices++] = address;
	return 0;
}

static int add_program(struct uml_root *root, const char *name)
{
	if (root->num_programs == UML_MAX_PROGRAMS)
		return tool_fail(TOOL_USAGE, "--with %s: at most %u programs", name,
				 UML_MAX_PROGRAMS);
	root->programs[root->num_programs++] = name;
	return 0;
}

static int set_dir(struct uml *uml, const char *dir)
{
	if (!realpath(dir, uml->dir))
		return tool_fail(TOOL_FAILED, "--rootfs %s: %s", dir, strerror(errno));
	uml->root.dir = strcmp(uml->dir, "/") ? uml->dir : "";
	return 0;
}

static int set_timeout(struct uml *uml, const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < 1 || value > INT_MAX / 1000)
		return tool_fail(TOOL_USAGE, "--timeout %s: not a number of seconds from 1 on",
				 text);
	uml->timeout_s = (unsigned int)value;
	return 0;
}

int devfd_uml(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "kernel", required_argument, NULL, 'k' },
		{ "init", required_argument, NULL, 'i' },
		{ "rootfs", required_argument, NULL, 'r' },
		{ "timeout", required_argument, NULL, 't' },
		{ "with", required_argument, NULL, 'w' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static const char shorts[] = "+:v";
	static struct uml uml;
	int c, ret = 0;

	tool_start("devfd uml");
	while (!ret && (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (c) {
		case 'd':
			ret = add_device(&uml, optarg);
			break;
		case 'w':
			ret = add_program(&uml.root, optarg);
			break;
		case 'k':
			uml.kernel = optarg;
			break;
		case 'i':
			uml.root.script = optarg;
			break;
		case 'r':
			ret = set_dir(&uml, optarg);
			break;
		case 't':
			ret = set_timeout(&uml, optarg);
			break;
		case 'v':
			uml.verbose = true;
			break;
		case 'h':
			return usage(stdout);
		default:
			ret = tool_bad_option(argv, shorts, c);
		}
	}
	uml.more = argv + optind;
	return ret ? ret : run(&uml);
}
