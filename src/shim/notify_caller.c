/* SPDX-License-Identifier: MIT */
/*
 * Whose call it is: the kernel names a thread, and what is wanted is its process and its memory.
 *
 * Processes are remembered, because a DMA map keeps its caller and many maps are to keep one. A
 * number may be another process's by now, or the process have executed another program; then the
 * memory that was remembered has gone, and where the calling thread runs nothing can be read of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/notify.h"

#define MAX_KNOWN 32u

static struct shim_caller *processes[MAX_KNOWN];
static unsigned int next; /* to be forgotten */

static bool is_current(const struct shim_caller *c, uint64_t code)
{
	char byte;

	return pread(c->mem, &byte, 1, (off_t)code) == 1;
}

static bool has_thread(const struct shim_caller *c, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)c->process.pid, (int)tid);
	return !access(path, F_OK);
}

/* Return: the place of the process of a thread, or MAX_KNOWN. Most calls come from first threads.
 */
static unsigned int find(pid_t tid)
{
	unsigned int i;

	for (i = 0; i < MAX_KNOWN; i++) {
		if (processes[i] && processes[i]->process.pid == tid)
			return i;
	}
	for (i = 0; i < MAX_KNOWN; i++) {
		if (processes[i] && has_thread(processes[i], tid))
			break;
	}
	return i;
}

static pid_t process_of(pid_t tid)
{
	char path[32], text[512];
	const char *line;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "\nTgid:");
	return line ? (pid_t)strtol(line + strlen("\nTgid:"), NULL, 10) : tid;
}

static struct shim_caller *remember(unsigned int i, pid_t process)
{
	shim_caller_put(processes[i]);
	processes[i] = NULL;
	return shim_caller_new(process, &processes[i]) ? NULL : processes[i];
}

void notify_forget(void)
{
	for (unsigned int i = 0; i < MAX_KNOWN; i++) {
		shim_caller_put(processes[i]);
		processes[i] = NULL;
	}
}

struct shim_caller *notify_caller(pid_t tid, uint64_t code, bool *known)
{
	unsigned int i = find(tid);

	*known = i < MAX_KNOWN && is_current(processes[i], code);
	if (*known)
		return processes[i];
	if (i == MAX_KNOWN)
		i = next = (next + 1) % MAX_KNOWN;
	return remember(i, process_of(tid));
}
