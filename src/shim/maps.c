/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "shim/maps.h"
#include "shim/mounts.h"

static bool parse(const char *line, struct mapping *m)
{
	unsigned int major_, minor_;
	uint64_t ino;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64, &m->first,
		   &m->end, m->prot, &m->offset, &major_, &minor_, &ino) != 7)
		return false;
	m->dev = makedev(major_, minor_);
	m->ino = (ino_t)ino;
	m->registers = !strncmp(m->prot, "---", 3) && strstr(line, "/memfd:" SHIM_MEMFD);
	return true;
}

static int look_through(FILE *maps, uint64_t vaddr, uint64_t last,
			int (*look)(void *ctx, const struct mapping *m), void *ctx)
{
	int ret = -EFAULT;
	char *line = NULL;
	size_t room = 0;
	struct mapping m = { .end = vaddr };

	while (m.end <= last && getline(&line, &room, maps) > 0) {
		if (!parse(line, &m) || m.end <= vaddr)
			continue;
		ret = m.first > vaddr ? -EFAULT : look(ctx, &m);
		if (ret < 0)
			break;
		vaddr = m.end;
	}
	free(line);
	return m.end > last ? ret : -EFAULT;
}

int maps_look_up(pid_t pid, uint64_t vaddr, uint64_t size,
		 int (*look)(void *ctx, const struct mapping *m), void *ctx)
{
	char path[32];
	FILE *maps;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return -EFAULT;
	ret = look_through(maps, vaddr, vaddr + (size - 1), look, ctx);
	fclose(maps);
	return ret;
}
