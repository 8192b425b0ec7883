/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: an archive is made anew for each run, in memory: busybox, a few programs of
 * this machine with the libraries that they ask for, the script, and an init that prepares what
 * every program expects. It reports on a console that nothing else writes to: "exit N", or "exit
 * found N" where the kernel has not found all devices.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "cpio.h"
#include "program.h"
#include "tool.h"
#include "uml_root.h"

/* Where the script is, and the directory of --rootfs. */
#define SCRIPT_DIR "run/devfd"
#define ROOT_DIR   "mnt"

#define MAX_LIBRARIES 256u

/* Busybox has no journal to make, nor a check of one. */
static const char *const file_systems[] = { "mkfs.ext4", "e2fsck" };

static const char init[] =
	"#!/bin/busybox sh\n"
	"export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/\n"
	"/bin/busybox --install -s\n"
	"mount -t proc proc /proc\n"
	"mount -t sysfs sysfs /sys\n"
	"mount -t devtmpfs devtmpfs /dev\n"
	"mkdir -p /dev/pts /dev/shm\n"
	"mount -t devpts devpts /dev/pts\n"
	"ln -s /proc/self/fd /dev/fd\n"
	"found=$(ls /sys/bus/pci/devices 2>/dev/null | wc -l)\n"
	"if [ -e /etc/devices ] && [ $found -lt \"$(cat /etc/devices)\" ]; then\n"
	"	echo \"exit found $found\" >/dev/tty2\n"
	"	poweroff -f\n"
	"fi\n"
	"root=\n"
	"[ ! -e /etc/hostfs ] || mount -t hostfs -o \"ro,$(cat /etc/hostfs)\" hostfs /" ROOT_DIR
	"\n"
	"if [ -d /" ROOT_DIR "/proc ]; then\n"
	"	for dir in proc sys dev tmp run; do mount -o bind /$dir /" ROOT_DIR "/$dir; done\n"
	"	root='chroot /" ROOT_DIR "'\n"
	"fi\n"
	"exec </dev/tty0 >/dev/tty0 2>&1\n"
	"set -- /" SCRIPT_DIR "/*\n"
	"[ -e /etc/terminal ] || stty -onlcr -echo\n"
	"echo ready >/dev/tty2\n"
	"if [ -e \"$1\" ]; then\n"
	"	$root \"$1\" </dev/null\n"
	"elif [ -e /etc/terminal ]; then\n"
	"	setsid -c $root sh -i\n"
	"else\n"
	"	$root sh /dev/tty0\n"
	"fi\n"
	"echo \"exit $?\" >/dev/tty2\n"
	"poweroff -f\n";

/* ---- programs ---- */

/**
 * struct packing - the archive being made
 * @programs: what needs libraries, behind the name of the program that tells them
 */
struct packing {
	struct cpio c;
	const char *programs[UML_MAX_PROGRAMS + 8];
	unsigned int count;
};

static int copy(struct packing *p, const char *path, const char *from)
{
	char real[PATH_MAX];
	int ret;

	/* A link would lead to what is not there. */
	if (!realpath(from, real))
		return tool_fail(TOOL_FAILED, "%s: %s", from, strerror(errno));
	ret = cpio_copy(&p->c, path, real);
	if (ret == EFBIG)
		return tool_fail(TOOL_FAILED,
				 "%s: is too large for the first file system of a guest, which has "
				 "2 GiB at most; --rootfs has others",
				 from);
	return ret ? tool_fail(TOOL_FAILED, "%s: %s", from, strerror(ret)) : 0;
}

/* At the same path, since programs look at their name, and links tell them what to be. */
static int copy_program(struct packing *p, const char *path)
{
	char *absolute = path[0] == '/' ? strdup(path) : realpath(path, NULL);

	if (!absolute)
		return tool_fail(TOOL_FAILED, "%s: %s", path, strerror(errno));
	p->programs[p->count++] = absolute;
	return copy(p, absolute + 1, absolute);
}

/* The lines of ldd are "NAME => PATH (ADDRESS)" and "PATH (ADDRESS)". */
static int copy_libraries(struct packing *p)
{
	char *text, *rest, *line, *seen[MAX_LIBRARIES];
	unsigned int count = 0;
	int ret = 0;

	/* It fails where a program is static, and goes on. */
	if (capture(p->programs, &text) < 0)
		return tool_fail(TOOL_FAILED, "ldd, which tells what programs need: %s",
				 strerror(errno));
	rest = text;
	while (!ret && count < MAX_LIBRARIES && (line = strsep(&rest, "\n"))) {
		char *path = strchr(line, '/'), *end = path ? strstr(path, " (0x") : NULL;
		unsigned int i = 0;

		if (!end)
			continue;
		*end = '\0';
		while (i < count && strcmp(seen[i], path) != 0)
			i++;
		if (i < count)
			continue;
		seen[count++] = path;
		ret = copy(p, path + 1, path);
	}
	free(text);
	return ret;
}

/* Programs for administrators need not be in the $PATH of others. */
static bool find(const char *name, char path[PATH_MAX])
{
	if (!program_find(name, path, PATH_MAX))
		return true;
	if (strchr(name, '/'))
		return false;
	snprintf(path, PATH_MAX, "/usr/sbin/%s", name);
	return !access(path, X_OK);
}

static int refuse_program(const char *name)
{
	if (strchr(name, '/'))
		return tool_fail(TOOL_FAILED,
				 "--with %s: is no program that this user may execute; name one",
				 name);
	return tool_fail(TOOL_FAILED,
			 "--with %s: no program of that name in $PATH; write ./%s for one that is "
			 "here",
			 name, name);
}

static int add_programs(struct packing *p, const struct uml_root *root)
{
	char path[PATH_MAX];
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(file_systems) / sizeof(*file_systems); i++)
		ret = find(file_systems[i], path) ? copy_program(p, path) : 0;
	for (unsigned int i = 0; !ret && i < root->num_programs; i++) {
		if (!find(root->programs[i], path))
			return refuse_program(root->programs[i]);
		ret = copy_program(p, path);
	}
	return ret;
}

static int add_busybox(struct packing *p)
{
	char path[PATH_MAX];

	if (!find("busybox", path))
		return tool_fail(TOOL_FAILED, "busybox: program not found, and the guest needs it; "
					      "on Debian it is in the package busybox-static");
	p->programs[p->count++] = strdup(path);
	return copy(p, "bin/busybox", path);
}

/* ---- the script ---- */

/* Busybox is the shell; another interpreter comes along. */
static int add_interpreter(struct packing *p, const char *script)
{
	char head[256], *path;
	FILE *in = fopen(script, "re");
	size_t n = in ? fread(head, 1, sizeof(head) - 1, in) : 0;

	if (in)
		fclose(in);
	head[n] = '\0';
	if (!strncmp(head, "\177ELF", 4))
		p->programs[p->count++] = script;
	if (strncmp(head, "#!", 2) != 0)
		return 0;
	path = head + 2 + strspn(head + 2, " \t");
	path[strcspn(path, " \t\n")] = '\0';
	if (!strcmp(path, "/bin/sh") || !strcmp(path, "/bin/busybox") ||
	    !strcmp(path, "/usr/bin/env"))
		return 0;
	if (access(path, X_OK))
		return tool_fail(TOOL_FAILED, "%s: its interpreter %s: %s", script, path,
				 strerror(errno));
	return copy_program(p, path);
}

static int add_script(struct packing *p, const struct uml_root *root)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), SCRIPT_DIR "/%s", basename(root->script));
	if (!stat(root->script, &st) && !S_ISREG(st.st_mode))
		return tool_fail(TOOL_FAILED,
				 "--init %s: is no file that can be run; name a script",
				 root->script);
	if (access(root->script, X_OK))
		return tool_fail(TOOL_FAILED, "--init %s: %s%s", root->script, strerror(errno),
				 errno == EACCES ? "; has it been made executable?" : "");
	if (copy(p, path, root->script))
		return TOOL_FAILED;
	return root->dir ? 0 : add_interpreter(p, root->script);
}

/* ---- the directory ---- */

/* nftw() passes nothing on. */
static struct {
	struct cpio *c;
	size_t skip;
} pack;

static int pack_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char to[PATH_MAX];
	int ret;

	(void)st;
	(void)ftw;
	if (snprintf(to, sizeof(to), ROOT_DIR "/%s", path + pack.skip) >= (int)sizeof(to))
		return ENAMETOOLONG;
	ret = type == FTW_DNR || type == FTW_NS ? EACCES : cpio_copy(pack.c, to, path);
	return ret ? tool_fail(TOOL_FAILED, "%s: %s", path, strerror(ret)) : 0;
}

static int add_dir(struct cpio *c, const struct uml_root *root)
{
	static const char *const mounted[] = { "proc", "sys", "dev", "tmp", "run" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(mounted) / sizeof(*mounted); i++) {
		snprintf(path, sizeof(path), "%s/%s", root->dir, mounted[i]);
		if (root->hostfs && access(path, F_OK))
			return tool_fail(TOOL_FAILED, "%s: %s; the guest mounts something there",
					 path, strerror(errno));
		snprintf(path, sizeof(path), ROOT_DIR "/%s", mounted[i]);
		if (!root->hostfs)
			cpio_bytes(c, path, S_IFDIR | 0755, NULL, 0);
	}
	if (root->hostfs) {
		cpio_bytes(c, "etc/hostfs", S_IFREG | 0644, root->dir, strlen(root->dir));
		return 0;
	}
	pack.c = c;
	pack.skip = strlen(root->dir) + 1;
	return nftw(root->dir, pack_one, 16, FTW_PHYS);
}

/* ---- all of it ---- */

static void add_number(struct cpio *c, const char *name, unsigned int number)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u\n", number);

	cpio_bytes(c, name, S_IFREG | 0644, text, (size_t)len);
}

static int fill(struct packing *p, const struct uml_root *root)
{
	static const char *const dirs[] = { "dev", "proc", "sys",     "tmp",	 "run",
					    "mnt", "sbin", "usr/bin", "usr/sbin" };
	int ret;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		cpio_bytes(&p->c, dirs[i], S_IFDIR | 0755, NULL, 0);
	cpio_bytes(&p->c, "init", S_IFREG | 0755, init, sizeof(init) - 1);
	if (root->terminal && !root->script)
		cpio_bytes(&p->c, "etc/terminal", S_IFREG | 0644, NULL, 0);
	if (root->devices)
		add_number(&p->c, "etc/devices", root->devices);
	ret = add_busybox(p);
	if (!ret)
		ret = add_programs(p, root);
	if (!ret && root->script)
		ret = add_script(p, root);
	if (!ret && root->dir)
		ret = add_dir(&p->c, root);
	return ret ? ret : copy_libraries(p);
}

int uml_root_make(const struct uml_root *root, int *fd, uint64_t *size)
{
	static struct packing p = { .programs = { "ldd" }, .count = 1 };
	int ret;

	p.c.fd = memfd_create("devfd-uml-root", 0);
	if (p.c.fd < 0)
		return tool_fail(TOOL_FAILED, "the guest's file system: %s", strerror(errno));
	ret = fill(&p, root);
	if (!ret && cpio_end(&p.c))
		ret = tool_fail(TOOL_FAILED, "the guest's file system: %s", strerror(p.c.failed));
	*fd = p.c.fd;
	*size = p.c.size;
	return ret;
}
