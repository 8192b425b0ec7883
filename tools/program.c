/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "program.h"
#include "tool.h"

/* As deep as the kernel follows interpreters of interpreters. */
#define MAX_DEPTH 5

/* ---- finding ---- */

static int try_path(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno == EACCES ? PROGRAM_REFUSED : PROGRAM_NOT_FOUND;
	return S_ISREG(st.st_mode) && !access(path, X_OK) ? 0 : PROGRAM_REFUSED;
}

/* A directory of $PATH that is closed to the caller says nothing about the program. */
static bool may_search(const char *path)
{
	struct stat st;

	return !stat(path, &st) || errno != EACCES;
}

/* An empty component of $PATH is the working directory. */
static int search(const char *name, char *path, size_t size)
{
	const char *dirs = getenv("PATH");
	int worst = PROGRAM_NOT_FOUND;

	for (dirs = dirs ? dirs : "/usr/bin:/bin"; dirs;) {
		const char *end = strchrnul(dirs, ':');
		int n = snprintf(path, size, "%.*s%s%s", (int)(end - dirs), dirs,
				 end > dirs ? "/" : "./", name);
		int ret = n < (int)size && may_search(path) ? try_path(path) : PROGRAM_NOT_FOUND;

		if (!ret)
			return 0;
		if (ret == PROGRAM_REFUSED)
			worst = ret;
		dirs = *end ? end + 1 : NULL;
	}
	return worst;
}

int program_find(const char *name, char *path, size_t size)
{
	if (!strchr(name, '/'))
		return *name ? search(name, path, size) : PROGRAM_NOT_FOUND;
	return snprintf(path, size, "%s", name) < (int)size ? try_path(name) : PROGRAM_NOT_FOUND;
}

/* Why what is there cannot be executed, and what helps. */
static const char *why_refused(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return "lies in a directory that this user may not look into";
	if (S_ISDIR(st.st_mode))
		return "is a directory; name a program in it";
	if (!S_ISREG(st.st_mode))
		return "is no file; name a program";
	return "may not be executed by this user; if it is a program, chmod +x makes it one";
}

static int find(const char *name, char *path, size_t size)
{
	int ret = program_find(name, path, size);

	if (ret == PROGRAM_NOT_FOUND)
		tool_fail(0,
			  strchr(name, '/') ? "%s: program not found"
			  : *name	    ? "%s: program not found in $PATH; write ./%s for one "
					      "that is here"
					    : "\"\": program not found; the name is empty",
			  name, name);
	else if (ret)
		tool_fail(0, "%s: %s", name, why_refused(path));
	return ret;
}

/* ---- judging ---- */

static int refuse(const char *path, const char *why)
{
	tool_fail(0, "%s: %s", path, why);
	return PROGRAM_REFUSED;
}

/* Programs that run with more rights than their caller are started without preloaded libraries. */
static int check_rights(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st))
		return refuse(path, strerror(errno));
	if (((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
	    ((st.st_mode & S_ISGID) && st.st_gid != getgid()))
		return refuse(path, "is a setuid or setgid program, into which nothing can be "
				    "preloaded; run a copy of it");
	if (geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return refuse(path, "has file capabilities, so nothing can be preloaded into it; "
				    "run a copy of it");
	return 0;
}

/* Return: 0, or PROGRAM_STATIC when nothing can be preloaded, or PROGRAM_REFUSED */
static int check_elf(int fd, const char *path)
{
	Elf64_Ehdr head, mine;
	Elf64_Phdr part;
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool same = pread(self, &mine, sizeof(mine), 0) == sizeof(mine);

	close(self);
	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		return refuse(path, "is cut short");
	if (same &&
	    (head.e_ident[EI_CLASS] != mine.e_ident[EI_CLASS] ||
	     head.e_ident[EI_DATA] != mine.e_ident[EI_DATA] || head.e_machine != mine.e_machine))
		return refuse(path, "is built for another kind of machine than devfd");
	for (unsigned int i = 0; i < head.e_phnum; i++) {
		off_t at = (off_t)(head.e_phoff + (uint64_t)i * head.e_phentsize);

		if (pread(fd, &part, sizeof(part), at) == sizeof(part) && part.p_type == PT_INTERP)
			return 0;
	}
	return PROGRAM_STATIC;
}

/* Return: as program_check(), or -1 with the interpreter of a script in @next. */
static int check_file(const char *path, char next[256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;
	ssize_t n;

	/* Executable but not readable: the kernel will know. */
	if (fd < 0)
		return 0;
	n = pread(fd, next, 255, 0);
	next[n > 0 ? n : 0] = '\0';
	if (n >= SELFMAG && !memcmp(next, ELFMAG, SELFMAG)) {
		ret = check_rights(fd, path);
		ret = ret ? ret : check_elf(fd, path);
	} else {
		ret = !strncmp(next, "#!", 2) ? -1 : 0; /* without: for the shell */
	}
	close(fd);
	return ret;
}

int program_judge(const char *name, char *path, size_t size)
{
	char file[4096], head[256];
	int ret = find(name, path, size);

	snprintf(file, sizeof(file), "%s", path);
	for (int depth = 0; !ret && depth < MAX_DEPTH; depth++) {
		const char *start;

		ret = check_file(file, head);
		if (ret >= 0)
			return ret;
		ret = 0;
		start = head + 2 + strspn(head + 2, " \t");
		snprintf(file, sizeof(file), "%.*s", (int)strcspn(start, " \t\n"), start);
		if (try_path(file)) {
			tool_fail(0, "%s: its interpreter %s cannot be executed", name, file);
			return PROGRAM_NOT_FOUND;
		}
	}
	return ret;
}

int program_check(const char *name, char *path, size_t size)
{
	int ret = program_judge(name, path, size);

	if (ret != PROGRAM_STATIC)
		return ret;
	return refuse(path, "is statically linked, so nothing can be preloaded into it; use a "
			    "dynamically linked build of it");
}
