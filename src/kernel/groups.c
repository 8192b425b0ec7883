/* SPDX-License-Identifier: MIT */
/* The IOMMU groups of a machine. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/reserved.h"
#include "kernel/state.h"
#include "util/sysfs.h"

#define GROUPS "/sys/kernel/iommu_groups"

/** struct gathering - a group and the memory behind its pointers */
struct gathering {
	struct dfd_group group;
	struct dfd_member members[DFD_MAX_MEMBERS];
	char *strings[2 * DFD_MAX_MEMBERS];
	struct verdict verdict;
	char shared[256];
	char reserved[512];
};

static int32_t number(int dir, const char *attribute)
{
	int64_t value;

	return dfd_sysfs_num(dir, attribute, &value) || value < 0 || value > INT32_MAX
		       ? -1
		       : (int32_t)value;
}

static int gather(void *ctx, const struct member *m)
{
	struct gathering *g = ctx;
	uint32_t i = g->group.count;
	struct dfd_member *to = &g->members[i];

	if (i == DFD_MAX_MEMBERS)
		return 0;
	g->strings[2 * i] = strdup(m->name);
	g->strings[2 * i + 1] = strdup(m->driver);
	g->group.count++;
	if (!g->strings[2 * i] || !g->strings[2 * i + 1])
		return -ENOMEM;
	to->name = g->strings[2 * i];
	to->driver = m->driver[0] ? g->strings[2 * i + 1] : NULL;
	to->vfio = m->kind == DRIVER_VFIO;
	to->vendor = number(m->dir, "vendor");
	to->device = number(m->dir, "device");
	to->class_code = number(m->dir, "class");
	to->state = state_of_member(m->kind, to->class_code);
	return 0;
}

/* ---- why they are together ---- */

/* Functions of one slot: the same up to the point. */
static bool same_slot(const char *a, const char *b)
{
	const char *point = strrchr(a, '.');

	return point && !strncmp(a, b, (size_t)(point - a) + 1);
}

/*
 * A bridge is in a group with what is below it when it cannot keep that apart, and functions of one
 * device are together when the device cannot.
 */
static void find_reason(struct gathering *g)
{
	const struct dfd_member *m = g->members;
	uint32_t count = g->group.count;

	g->shared[0] = '\0';
	for (uint32_t i = 0; i < count && count > 1 && !g->shared[0]; i++) {
		if (m[i].state == DFD_STATE_BRIDGE)
			snprintf(g->shared, sizeof(g->shared),
				 "bridge %.64s does not isolate what is below it (no ACS)",
				 m[i].name);
	}
	for (uint32_t i = 1; i < count && !g->shared[0]; i++) {
		if (same_slot(m[i - 1].name, m[i].name))
			snprintf(g->shared, sizeof(g->shared),
				 "functions of one device that does not isolate them "
				 "(multifunction without ACS)");
	}
	if (count > 1 && !g->shared[0])
		snprintf(g->shared, sizeof(g->shared), "nothing above them isolates them (no ACS)");
	g->group.shared = g->shared[0] ? g->shared : NULL;
}

static void list_reserved(struct gathering *g, const char *root)
{
	char text[4096], *next = text;
	struct reserved r;
	size_t len = 0;

	g->reserved[0] = '\0';
	if (!reserved_read(root, g->group.number, text, sizeof(text)))
		return;
	while (len < sizeof(g->reserved) && reserved_next(&next, &r))
		len += (size_t)snprintf(g->reserved + len, sizeof(g->reserved) - len,
					"%s0x%" PRIx64 "-0x%" PRIx64 " %s%s", len ? ", " : "",
					r.start, r.last, r.type,
					strcmp(r.type, "direct") ? "" : " (RMRR)");
	g->group.reserved = g->reserved[0] ? g->reserved : NULL;
}

/* ---- all of them ---- */

static int visit(const char *root, int parent, const char *name, const struct holders *holders,
		 int (*fn)(void *ctx, const struct dfd_group *group), void *ctx)
{
	struct gathering *g = calloc(1, sizeof(*g));
	int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int devices = openat(dir, "devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = -ENOMEM;

	if (g) {
		g->group.number = (uint32_t)strtoul(name, NULL, 10);
		g->group.members = g->members;
		ret = members_walk(devices, gather, g);
		state_of_group(root, devices, g->group.number, holders, &g->verdict);
		g->group.state = g->verdict.state;
		g->group.why = g->verdict.why[0] ? g->verdict.why : NULL;
		find_reason(g);
		list_reserved(g, root);
		/* A group that goes while it is looked at is none. */
		ret = ret == -ENOMEM ? ret : fn(ctx, &g->group);
		for (uint32_t i = 0; i < 2 * g->group.count; i++)
			free(g->strings[i]);
		free(g);
	}
	if (devices >= 0)
		close(devices);
	if (dir >= 0)
		close(dir);
	return ret;
}

static int is_number(const struct dirent *entry)
{
	return entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
}

int dfd_enumerate_groups(const char *root, int (*fn)(void *ctx, const struct dfd_group *group),
			 void *ctx)
{
	struct holders holders;
	struct dirent **names;
	char path[PATH_MAX];
	int parent, count, ret = 0;

	root = root ? root : "";
	snprintf(path, sizeof(path), "%s" GROUPS, root);
	parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return errno == ENOENT ? 0 : -errno;
	holders_find(root, &holders);
	count = scandirat(parent, ".", &names, is_number, versionsort);
	ret = count < 0 ? -errno : 0;
	for (int i = 0; i < count; i++) {
		if (!ret)
			ret = visit(root, parent, names[i]->d_name, &holders, fn, ctx);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	close(parent);
	return ret;
}
