/* SPDX-License-Identifier: MIT */
/* devfd run: a program that finds devices at paths. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "devfd_supervise.h"
#include "devfd_view.h"
#include "program.h"
#include "shim/core.h"
#include "shim/notify.h"
#include "shim/server.h"
#include "shim/way.h"
#include "tool.h"
#include "verbs.h"

#define SHIM_NAME "libdevfd-shim.so"

/** struct run - what is to be run, and with what */
struct run {
	char paths[SHIM_MAX_MOUNTS][SHIM_MAX_PATH];
	char *addresses[SHIM_MAX_MOUNTS]; /* never freed: they are good until exec */
	unsigned int count;
	char names[SHIM_MAX_DEVICES][16]; /* of PCI functions */
	char *behind[SHIM_MAX_DEVICES];
	unsigned int devices;
	enum { VIEW_BEST, VIEW_MOUNT, VIEW_PATHS } way;
	char view[PATH_MAX];
	bool mounted;
	char machine[PATH_MAX + 16]; /* its own /sys and /dev are there then */
	char socket[PATH_MAX];
	bool verbose;
	bool in_process;
	bool asked;    /* for notified calls, by --static */
	bool notified; /* the kernel notifies of calls */
	char **argv;
	char path[PATH_MAX]; /* of the program, for messages */
};

static int usage(FILE *out)
{
	fputs("usage: devfd run [-v] [--in-process|--static] [--device NAME=ADDRESS]...\n"
	      "       [--at PATH=ADDRESS]... [--] PROGRAM [ARGUMENT]...\n"
	      "\n"
	      "Runs a program that finds the device of ADDRESS as the PCI function NAME, by "
	      "Linux's\n"
	      "VFIO and sysfs, or at PATH: open, read, lseek, pread, pwrite, mmap, ioctl, poll, "
	      "dup\n"
	      "and close work on it.\n"
	      "\n"
	      "  --device NAME=ADDRESS\n"
	      "                     put a device behind VFIO; NAME is such as 0000:00:04.0\n"
	      "  --at PATH=ADDRESS  put a device at a path, which need not exist\n"
	      "  --view mount|paths\n"
	      "                     how the program comes to see what --device puts into sysfs:\n"
	      "                     mounted for it, or by its calls of the C library\n"
	      "  --in-process       have the devices in the process of the program, for one that\n"
	      "                     neither forks nor executes others\n"
	      "  --static           the program starts others that are statically linked, or that\n"
	      "                     call the kernel themselves\n"
	      "  -v, --verbose      say what is put where\n"
	      "  --help             this text\n",
	      out);
	return out == stderr ? TOOL_USAGE : TOOL_OK;
}

/* ---- what to put where ---- */

static int add_path(struct run *run, const char *text, size_t len)
{
	char *out = run->paths[run->count], path[PATH_MAX], cwd[PATH_MAX];

	if (len >= sizeof(path) || snprintf(path, sizeof(path), "%.*s", (int)len, text) == 0)
		return tool_fail(TOOL_USAGE, "--at %s: PATH is empty or too long", text);
	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return tool_fail(TOOL_FAILED, "the working directory: %s", strerror(errno));
	if (!shim_path_absolute(cwd, path, out, SHIM_MAX_PATH))
		return tool_fail(TOOL_USAGE, "%s: a path may have at most %u bytes", path,
				 SHIM_MAX_PATH - 1);
	if (!*out)
		return tool_fail(TOOL_USAGE, "%s: the root directory cannot be a device", path);
	for (unsigned int i = 0; i < run->count; i++) {
		if (!strcmp(run->paths[i], out))
			return tool_fail(TOOL_USAGE, "%s: has two devices; give each its own path",
					 out);
	}
	return 0;
}

/* The program may have gone to another directory when it opens the device. */
static int copy_address(char **out, const char *text)
{
	static const char *const named_by_files[] = { "file:", "dtb:", "user:" };
	char cwd[PATH_MAX] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(named_by_files) / sizeof(*named_by_files); i++) {
		if (!strncmp(text, named_by_files[i], strlen(named_by_files[i])))
			len = strlen(named_by_files[i]);
	}
	if (!len || text[len] == '/' || !text[len])
		len = 0;
	else if (!getcwd(cwd, sizeof(cwd) - 1))
		return tool_fail(TOOL_FAILED, "the working directory: %s", strerror(errno));
	if (asprintf(out, "%.*s%s%s%s", (int)len, text, cwd, len ? "/" : "", text + len) < 0)
		return tool_fail(TOOL_FAILED, "out of memory");
	return 0;
}

static int add_device(struct run *run, const char *text)
{
	const char *equals = strchr(text, '=');
	char *out, name[16];

	if (!equals)
		return tool_fail(TOOL_USAGE,
				 "--device %s: has no \"=\"; write --device NAME=ADDRESS", text);
	if (strchr(text, '\n'))
		return tool_fail(TOOL_USAGE, "--device %s: a newline is not allowed here", text);
	if (run->devices == SHIM_MAX_DEVICES)
		return tool_fail(TOOL_USAGE, "--device %s: at most %u devices", text,
				 SHIM_MAX_DEVICES);
	out = run->names[run->devices];
	snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
	if (equals - text > 15 || !view_name(name, out))
		return tool_fail(TOOL_USAGE,
				 "--device %s: NAME is not a PCI function; write one such as "
				 "0000:00:04.0",
				 text);
	for (unsigned int i = 0; i < run->devices; i++) {
		if (!strcmp(run->names[i], out))
			return tool_fail(TOOL_USAGE,
					 "--device %s: is there twice; give each its own name",
					 out);
	}
	if (!equals[1])
		return tool_fail(TOOL_USAGE, "--device %s: names no device after the \"=\"", text);
	return copy_address(&run->behind[run->devices++], equals + 1);
}

static int add_at(struct run *run, const char *text)
{
	const char *equals = strchr(text, '=');
	int ret;

	if (!equals)
		return tool_fail(TOOL_USAGE, "--at %s: has no \"=\"; write --at PATH=ADDRESS",
				 text);
	if (strchr(text, '\n'))
		return tool_fail(TOOL_USAGE, "--at %s: a newline is not allowed here", text);
	if (run->count == SHIM_MAX_MOUNTS)
		return tool_fail(TOOL_USAGE, "--at %s: at most %u devices", text, SHIM_MAX_MOUNTS);
	if (!equals[1])
		return tool_fail(TOOL_USAGE, "--at %s: names no device after the \"=\"", text);
	ret = add_path(run, text, (size_t)(equals - text));
	return ret ? ret : copy_address(&run->addresses[run->count++], equals + 1);
}

/* ---- opening ---- */

/* The program would only see an errno: open each device here and say what is wrong. */
static int open_device(struct shim_mount *m)
{
	struct dfd_error err;

	return core_start(m, &err) ? tool_fail(TOOL_FAILED, "%s", err.text) : 0;
}

static int table_file(const struct run *run, const char *path, char out[PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s/table%" PRIu32, run->view,
			shim_mount_path(path)->number) < PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

/* Whose calls are notified finds a file with the table at the path, unless it opens it to write. */
static int write_table(const struct run *run, const struct shim_mount *m)
{
	char path[PATH_MAX];
	int fd = -1, ret = table_file(run, m->path, path);
	off_t from = 0;
	struct stat st;

	if (!ret)
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (!ret && (fd < 0 || fstat(m->memfd, &st) ||
		     sendfile(fd, m->memfd, &from, (size_t)st.st_size) != st.st_size))
		ret = -errno;
	if (fd >= 0)
		close(fd);
	if (!ret)
		ret = notify_stands_for(path, m->path);
	return ret ? tool_fail(TOOL_FAILED, "%s: %s", path, strerror(-ret)) : 0;
}

static int open_path(const struct run *run, const char *path)
{
	struct shim_mount *m = shim_mount_path(path);
	int ret = open_device(m);

	if (!ret && run->notified)
		ret = write_table(run, m);
	if (ret || !run->verbose)
		return ret;
	tool_say("%s is %s", m->path, m->address);
	shim_say_ways(m->path, m->dev);
	return 0;
}

/* Whose calls are notified finds registers behind files of sysfs that it opens to write. */
static int note_registers(const struct run *run, const struct shim_mount *device)
{
	char path[PATH_MAX + SHIM_MAX_PATH];
	const struct shim_mount *m;
	int ret = 0;

	for (uint32_t i = 0; !ret && (m = shim_mount_file(i)); i++) {
		if (m->device != device)
			continue;
		snprintf(path, sizeof(path), "%s%s", run->view, m->path);
		ret = notify_stands_for(path, m->path);
		if (ret == -ENOENT)
			ret = 0; /* not every function has all of them */
	}
	return ret ? tool_fail(TOOL_FAILED, "%s: %s", device->name, strerror(-ret)) : 0;
}

/* The same for those behind VFIO, and what the program sees of them in sysfs. */
static int open_function(const struct run *run, unsigned int i)
{
	struct shim_mount *m;
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%u", i);
	m = shim_mount_path(path);
	ret = open_device(m);
	if (!ret && dfd_desc_bus(dfd_device_desc(m->dev)) != DFD_BUS_PCI)
		ret = tool_fail(TOOL_FAILED,
				"%s: is no PCI function, and nothing else can be behind VFIO; "
				"devfd run --at puts others at a path",
				m->address);
	if (!ret)
		ret = view_add(run->view, m->name, i, m->device->index, m->dev);
	if (!ret && run->notified)
		ret = note_registers(run, m);
	if (ret || !run->verbose)
		return ret;
	tool_say("%s is %s, %s and %s", m->name, m->address, m->device->path, m->path);
	shim_say_ways(m->name, m->dev);
	return 0;
}

static int open_devices(struct run *run)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < run->count; i++)
		ret = open_path(run, run->paths[i]);
	for (unsigned int i = 0; !ret && i < run->devices; i++)
		ret = open_function(run, i);
	return ret;
}

/* ---- the view of the program ---- */

/* Without the kernel's notifications there is no way to such a program. */
static int refuse_static(const struct run *run, const char *why, int error)
{
	const char *reason = error ? strerror(-error) : "", *colon = error ? ": " : "";

	if (run->asked)
		return tool_fail(TOOL_USAGE, "--static: %s%s%s", why, colon, reason);
	tool_fail(0, "%s: is statically linked, and %s%s%s; use a dynamically linked build of it",
		  run->path, why, colon, reason);
	return PROGRAM_REFUSED;
}

static void say_view(const struct run *run, int ret)
{
	const bool tried = run->way != VIEW_PATHS;
	const char *colon = tried ? "; mounting it: " : "", *why = tried ? strerror(-ret) : "";

	if (run->devices && !ret)
		tool_say("the view of sysfs is mounted");
	else if (run->devices)
		tool_say("the view of sysfs is %s, for calls of the C library%s%s", run->view,
			 colon, why);
	else if (ret)
		tool_say("a path is found by who opens it to write%s%s", colon, why);
}

/* Mounted where the system allows that, so that everybody sees it. */
static int mount_view(struct run *run)
{
	int ret = run->way == VIEW_PATHS
			  ? -ENOTSUP
			  : view_mount(run->view, run->in_process ? run->machine : NULL);

	if (ret < 0 && run->way == VIEW_MOUNT)
		return tool_fail(TOOL_FAILED, "--view=mount: %s; --view=paths needs no mount",
				 strerror(-ret));
	if (ret < 0 && run->notified && run->devices)
		return refuse_static(run, "the view of sysfs cannot be mounted for it", ret);
	run->mounted = !ret;
	if (ret <= 0 && run->verbose)
		say_view(run, ret);
	return ret > 0 ? ret : 0;
}

/* ---- what to run it with ---- */

/* Installed, the library has its place relative to ours; built, too. */
static int find_shim(char *out, size_t size)
{
	static const char *const places[] = { DEVFD_SHIM_DIR, "../src/shim" };
	char self[PATH_MAX], path[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return tool_fail(TOOL_FAILED, "/proc/self/exe: %s; is /proc mounted?",
				 strerror(errno));
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), "%s/%s/" SHIM_NAME, self, places[i]);
		if (shim_path_absolute("/", path, out, size) && !access(out, R_OK))
			return 0;
	}
	return tool_fail(TOOL_FAILED, SHIM_NAME ": not found beside %s; is devfd fully installed?",
			 self);
}

static int set_preload(const struct run *run)
{
	const char *others = getenv("LD_PRELOAD");
	char shim[PATH_MAX], *value = NULL;
	int ret = find_shim(shim, sizeof(shim));

	if (ret)
		return ret;
	/* They separate entries of LD_PRELOAD, and nothing quotes them. */
	if (strpbrk(shim, " :"))
		return tool_fail(TOOL_FAILED,
				 "%s: cannot be preloaded from a path with a space or colon", shim);
	if (asprintf(&value, "%s%s%s", shim, others ? ":" : "", others ? others : "") < 0 ||
	    setenv("LD_PRELOAD", value, 1))
		ret = tool_fail(TOOL_FAILED, "out of memory");
	free(value);
	if (!ret && run->verbose)
		tool_say("preloading %s", shim);
	return ret;
}

static void put_address(const struct run *run, const char *address, FILE *out)
{
	if (*run->socket)
		fprintf(out, "=@%s", run->socket);
	else
		fprintf(out, "=%s", address);
}

static void put_paths(const struct run *run, FILE *out)
{
	for (unsigned int i = 0; i < run->count; i++) {
		fputs(run->paths[i], out);
		put_address(run, run->addresses[i], out);
		fputc('\n', out);
	}
}

static void put_devices(const struct run *run, FILE *out)
{
	fputs(run->mounted ? "" : run->view, out);
	for (unsigned int i = 0; i < run->devices; i++) {
		fprintf(out, "\n%s", run->names[i]);
		put_address(run, run->behind[i], out);
	}
}

/* Return: the lines, to be freed, or NULL when there is no memory */
static char *lines(const struct run *run, void (*put)(const struct run *run, FILE *out),
		   const char *last)
{
	char *value = NULL;
	size_t size;
	FILE *out = open_memstream(&value, &size);

	if (!out)
		return NULL;
	put(run, out);
	fputs(last, out);
	return fclose(out) ? NULL : value;
}

static int set_lines(const char *variable, const struct run *run,
		     void (*put)(const struct run *run, FILE *out), const char *last)
{
	char *value = lines(run, put, last);
	int ret =
		!value || setenv(variable, value, 1) ? tool_fail(TOOL_FAILED, "out of memory") : 0;

	free(value);
	return ret;
}

/* Where nothing is mounted, a name by which nothing is led to the view. Not that of an outer devfd
 * run. */
static int set_machine(const struct run *run)
{
	if (!run->in_process || !run->devices)
		unsetenv(SHIM_ENV_MACHINE);
	else if (setenv(SHIM_ENV_MACHINE, run->mounted ? run->machine : "/proc/self/root", 1))
		return tool_fail(TOOL_FAILED, "out of memory");
	return 0;
}

/* Inside another devfd run, its devices stay, behind our own; there is one view of sysfs. */
static int set_devices(const struct run *run)
{
	const char *others = getenv(SHIM_ENV);
	int ret = run->count ? set_lines(SHIM_ENV, run, put_paths, others ? others : "") : 0;

	if (!ret && run->devices)
		ret = set_lines(SHIM_ENV_VFIO, run, put_devices, "");
	return ret ? ret : set_machine(run);
}

static int choose_view(struct run *run, const char *text)
{
	if (strcmp(text, "mount") != 0 && strcmp(text, "paths") != 0)
		return tool_fail(TOOL_USAGE, "--view %s: is neither \"mount\" nor \"paths\"", text);
	run->way = *text == 'm' ? VIEW_MOUNT : VIEW_PATHS;
	return 0;
}

/* ---- running ---- */

/* The list of devices, as this process opens them; it stays for good. */
static int list_devices(const struct run *run)
{
	char *at = run->count ? lines(run, put_paths, "") : NULL;
	char *vfio = run->devices ? lines(run, put_devices, "") : NULL;

	if ((run->count && !at) || (run->devices && !vfio))
		return tool_fail(TOOL_FAILED, "out of memory");
	shim_mounts_set(at, vfio);
	return 0;
}

static int listen_for_programs(struct run *run)
{
	int n = snprintf(run->socket, sizeof(run->socket), "%s/devices", run->view);
	int ret = n < (int)sizeof(run->socket) ? shim_server_start(run->socket) : -ENAMETOOLONG;

	if (!ret)
		return 0;
	return tool_fail(TOOL_FAILED, "%s/devices: cannot be listened at: %s%s", run->view,
			 strerror(-ret),
			 ret == -ENAMETOOLONG ? "; set TMPDIR to a shorter path" : "");
}

static int await_notifications(void)
{
	int ret = notify_start();

	return ret ? tool_fail(TOOL_FAILED, "waiting for calls: %s", strerror(-ret)) : 0;
}

/* The last thing before the program: a call of ours is one of its. */
static int be_notified(const struct run *run)
{
	int ret = notify_enter();

	return ret ? tool_fail(TOOL_FAILED, "%s: its calls cannot be notified: %s", run->path,
			       strerror(-ret))
		   : 0;
}

/* A path that is not there and that nothing can be put at is found by who opens it to write. */
static int show_tables(const struct run *run)
{
	char file[PATH_MAX];
	int ret = 0;

	for (unsigned int i = 0; !ret && i < run->count; i++) {
		ret = table_file(run, run->paths[i], file);
		if (!ret)
			ret = view_show(file, run->paths[i]);
		if (ret && ret != -ENOENT)
			return tool_fail(TOOL_FAILED, "%s: %s", run->paths[i], strerror(-ret));
		ret = 0;
	}
	return 0;
}

/* In the process that has the devices. */
static int start(void *ctx)
{
	struct run *run = ctx;
	int ret = view_start(run->view, sizeof(run->view));

	if (!ret)
		ret = list_devices(run);
	if (!ret)
		ret = listen_for_programs(run);
	if (!ret)
		ret = open_devices(run);
	return ret || !run->notified ? ret : await_notifications();
}

static int become_program(void *ctx)
{
	struct run *run = ctx;
	int ret = run->devices || run->notified ? mount_view(run) : 0;

	if (!ret && run->notified && run->mounted)
		ret = show_tables(run);
	if (!ret)
		ret = set_devices(run);
	if (!ret)
		ret = set_preload(run);
	if (!ret && run->notified)
		ret = be_notified(run);
	if (ret)
		return ret;
	execvp(run->argv[0], run->argv);
	tool_fail(0, "%s: %s", run->path, strerror(errno));
	return PROGRAM_REFUSED;
}

/* A kernel device reaches the memory of the process that has it open, and no other. */
static bool wants_in_process(const char *address, bool dma)
{
	static const char *const kernel[] = { "fd:", "pci:", "platform:", "mdev:", "cdev:" };

	for (size_t i = 0; i < (dma ? sizeof(kernel) / sizeof(*kernel) : 1); i++) {
		if (!strncmp(address, kernel[i], strlen(kernel[i])))
			return true;
	}
	return false;
}

static void choose_place(struct run *run)
{
	for (unsigned int i = 0; i < run->count; i++)
		run->in_process |= wants_in_process(run->addresses[i], false);
	for (unsigned int i = 0; i < run->devices; i++)
		run->in_process |= wants_in_process(run->behind[i], true);
	if (!run->in_process && shim_server_probe()) {
		run->in_process = true;
		if (run->verbose)
			tool_say("this system does not let a process reach its children");
	}
	if (run->in_process && run->verbose)
		tool_say("the devices are in the process of the program");
}

/* The program opens its devices itself; here it is only found out what would be wrong. */
static int run_alone(struct run *run)
{
	int ret = run->devices ? view_start(run->view, sizeof(run->view)) : 0;

	snprintf(run->machine, sizeof(run->machine), "%s/machine", run->view);
	if (!ret)
		ret = list_devices(run);
	if (!ret)
		ret = open_devices(run);
	return ret ? ret : become_program(run);
}

static int check_notified(const struct run *run)
{
	int ret;

	if (run->in_process)
		return refuse_static(run, "the devices would be in the process of the program", 0);
	if (run->devices && run->way == VIEW_PATHS)
		return refuse_static(run, "--view=paths is for calls of the C library", 0);
	ret = notify_probe();
	if (ret)
		return refuse_static(
			run, "this system does not notify of system calls as Linux 5.14 does", ret);
	ret = notify_probe_map();
	shim_trap_nothing(!ret);
	if (run->verbose && ret)
		tool_say("the kernel notifies of calls; nothing can be mapped: ptrace: %s",
			 strerror(-ret));
	else if (run->verbose)
		tool_say("the kernel notifies of calls; only shared memory can be mapped");
	return 0;
}

static int run_program(struct run *run, char **argv)
{
	const struct supervision supervision = {
		.start = start, .program = become_program, .talks = run->verbose, .ctx = run
	};
	int ret = program_judge(argv[0], run->path, sizeof(run->path));

	run->notified = run->asked || ret == PROGRAM_STATIC;
	if (ret == PROGRAM_STATIC)
		ret = 0;
	if (!ret && run->verbose && setenv(SHIM_ENV_SAY, "1", 1))
		ret = tool_fail(TOOL_FAILED, "out of memory");
	if (ret)
		return ret;
	run->argv = argv;
	choose_place(run);
	ret = run->notified ? check_notified(run) : 0;
	if (ret)
		return ret;
	return run->in_process ? run_alone(run) : supervise(&supervision);
}

int run_words(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "at", required_argument, NULL, 256 },
		{ "device", required_argument, NULL, 258 },
		{ "view", required_argument, NULL, 259 },
		{ "in-process", no_argument, NULL, 260 },
		{ "static", no_argument, NULL, 261 },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 257 },
		{ 0 },
	};
	static const char shorts[] = "+:v";
	static struct run run;
	int c, ret = 0;

	while (!ret && (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 256)
			ret = add_at(&run, optarg);
		else if (c == 258)
			ret = add_device(&run, optarg);
		else if (c == 257)
			return usage(stdout);
		else if (c == 259)
			ret = choose_view(&run, optarg);
		else if (c == 260)
			run.in_process = true;
		else if (c == 261)
			run.asked = true;
		else if (c == 'v')
			run.verbose = true;
		else
			ret = tool_bad_option(argv, shorts, c);
	}
	if (ret)
		return ret;
	if (!run.count && !run.devices)
		return tool_fail(TOOL_USAGE, "no --device NAME=ADDRESS and no --at PATH=ADDRESS; "
					     "see devfd run --help");
	if (optind == argc)
		return tool_fail(TOOL_USAGE, "no program to run; see devfd run --help");
	return run_program(&run, argv + optind);
}

int devfd_run(int argc, char **argv)
{
	tool_start("devfd run");
	return run_words(argc, argv);
}
