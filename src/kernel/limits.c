/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/limits.h"
#include "kernel/root.h"

#define LIMIT "Max locked memory"
/* Lines of /proc/PID/status. The first one is a name that anybody chooses. */
#define USER   "\nUid:"
#define LOCKED "\nVmLck:"
#define PINNED "\nVmPin:"

/* The number behind @name, or @word where a word is there, such as "unlimited". */
static bool number_of(const char *text, const char *name, uint64_t word, uint64_t *number)
{
	const char *at = strstr(text, name);
	char *end;

	if (!at)
		return false;
	at += strlen(name);
	at += strspn(at, " \t");
	*number = strtoull(at, &end, 10);
	if (end == at)
		*number = word;
	return true;
}

bool memlock_limit(const char *root, uint64_t *bytes)
{
	char text[4096];

	return root_text(root, "/proc/self/limits", text, sizeof(text)) >= 0 &&
	       number_of(text, LIMIT, UINT64_MAX, bytes);
}

/* A number of a process of @user, which the kernel tells in KiB. */
static bool status_of(const char *root, const char *process, const char *name, uint64_t user,
		      uint64_t *bytes)
{
	char path[NAME_MAX + 32], text[4096];
	uint64_t uid, kib;

	snprintf(path, sizeof(path), "/proc/%s/status", process);
	if (root_text(root, path, text, sizeof(text)) < 0 ||
	    !number_of(text, USER, UINT64_MAX, &uid) || uid != user ||
	    !number_of(text, name, 0, &kib))
		return false;
	*bytes = kib * 1024;
	return true;
}

bool memlock_used(const char *root, bool by_user, uint64_t *bytes)
{
	uint64_t user = getuid(), one;
	const struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	if (!status_of(root, "self", by_user ? PINNED : LOCKED, user, bytes))
		return false;
	if (!by_user)
		return true;
	snprintf(path, sizeof(path), "%s/proc", root);
	dir = opendir(path);
	if (!dir)
		return false;
	for (*bytes = 0; (entry = readdir(dir));) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    status_of(root, entry->d_name, PINNED, user, &one))
			*bytes += one;
	}
	closedir(dir);
	return true;
}
