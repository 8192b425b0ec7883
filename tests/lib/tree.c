/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree.h"

#define TEMPLATE "/tmp/devfd-tree-XXXXXX"

char tree_root[] = TEMPLATE;

/* A tree that cannot be made is no test's subject. */
static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(99);
}

void tree_start(void)
{
	strcpy(tree_root, TEMPLATE);
	must(mkdtemp(tree_root) != NULL, tree_root);
}

void tree_stop(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", tree_root);
	must(!system(command), command);
}

static const char *full_path(const char *path, char *full, size_t room)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(full, room, "%s/%.*s", tree_root, (int)(slash - path), path);
		must(!mkdir(full, 0777) || errno == EEXIST, full);
	}
	snprintf(full, room, "%s/%s", tree_root, path);
	return full;
}

void tree_put(const char *path, const void *data, size_t len)
{
	char full[512];
	int fd = open(full_path(path, full, sizeof(full)), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		      0666);

	must(fd >= 0, full);
	must(write(fd, data, len) == (ssize_t)len, full);
	close(fd);
}

void tree_text(const char *path, const char *text)
{
	tree_put(path, text, strlen(text));
}

void tree_link(const char *path, const char *target)
{
	char full[512];

	tree_remove(path);
	must(!symlink(target, full_path(path, full, sizeof(full))), full);
}

void tree_remove(const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", tree_root, path);
	must(!remove(full) || errno == ENOENT, full);
}

void tree_chmod(const char *path, unsigned int mode)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", tree_root, path);
	must(!chmod(full, mode), full);
}
