/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"

/* More than a program that is asked for a list or a configuration has to say. */
#define MAX_OUTPUT (1u << 20)

static int start(const char *const argv[], int out, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int ret = posix_spawn_file_actions_init(&actions);

	if (ret)
		return ret;
	ret = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (!ret)
		ret = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (!ret)
		ret = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return ret;
}

int capture(const char *const argv[], char **text)
{
	int ends[2], ret, status = -1;
	char *out = malloc(MAX_OUTPUT + 1);
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (!out || pipe2(ends, O_CLOEXEC)) {
		free(out);
		return -1;
	}
	ret = start(argv, ends[1], &pid);
	close(ends[1]);
	while (!ret && len < MAX_OUTPUT && (n = read(ends[0], out + len, MAX_OUTPUT - len)) > 0)
		len += (size_t)n;
	close(ends[0]);
	out[len] = '\0';
	if (!ret && waitpid(pid, &status, 0) < 0)
		ret = errno;
	if (ret)
		free(out);
	*text = ret ? NULL : out;
	errno = ret;
	return ret ? -1 : status;
}
