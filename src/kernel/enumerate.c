/* SPDX-License-Identifier: MIT */
/*
 * The devices of a machine.
 *
 * Theory of operation: one directory of /sys/bus is read and sorted, then each entry is looked at
 * by itself. The first attribute of an entry that cannot be read although it should be there
 * becomes that entry's problem; links that are absent (no driver, no IOMMU group) are normal.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <devfd/enumerate.h>

#include "kernel/function.h"
#include "kernel/state.h"
#include "pci/caps.h"
#include "util/sysfs.h"

/* Where Linux keeps the flattened tree of the machine, and where the links of its nodes go. */
#define BLOB "/sys/firmware/fdt"
#define BASE "/firmware/devicetree/base"

/** struct entry - a device and the memory behind the strings of its struct dfd_found */
struct entry {
	struct dfd_found found;
	int dir;
	char driver[NAME_MAX + 1];
	char node[PATH_MAX];
	char path[PATH_MAX];
	char compatible[DFD_MAX_STRING + 1];
	char address[2 * PATH_MAX + sizeof(BLOB)];
	char problem[256];
	struct verdict verdict;
	char reset[64];
	char power[16];
	char physical[NAME_MAX + 1];
};

/** struct scan - what all entries are looked at with; @bus: directory of the bus, open */
struct scan {
	const char *root;
	int bus;
	struct holders holders;
	int (*fn)(void *ctx, const struct dfd_found *found);
	void *ctx;
};

static void set_problem(struct entry *e, const char *attribute, int error)
{
	if (e->found.problem)
		return;
	errno = -error;
	snprintf(e->problem, sizeof(e->problem), "%s cannot be read: %m", attribute);
	e->found.problem = e->problem;
}

/* A number from 0 to INT32_MAX; otherwise -1, which is also what sysfs says of no NUMA node. */
static int32_t number(struct entry *e, const char *attribute, bool required)
{
	int64_t value;
	int ret = dfd_sysfs_num(e->dir, attribute, &value);

	if (!ret)
		return value < 0 || value > INT32_MAX ? -1 : (int32_t)value;
	if (required || ret != -ENOENT)
		set_problem(e, attribute, ret);
	return -1;
}

/* The last component of where a link goes, or NULL. */
static const char *link_name(struct entry *e, const char *name, char *buf, size_t room)
{
	int ret = dfd_sysfs_link_name(e->dir, name, buf, room);

	if (ret && ret != -ENOENT)
		set_problem(e, name, ret);
	return ret ? NULL : buf;
}

static void look_at_links(struct entry *e)
{
	char group[NAME_MAX + 1];

	e->found.driver = link_name(e, "driver", e->driver, sizeof(e->driver));
	if (link_name(e, "iommu_group", group, sizeof(group)))
		e->found.iommu_group = atoi(group);
}

/* NUL-separated strings to one string. */
static void look_at_compatible(struct entry *e)
{
	int n = dfd_sysfs_text(e->dir, "of_node/compatible", e->compatible, sizeof(e->compatible));

	if (n < 0) {
		if (n != -ENOENT)
			set_problem(e, "of_node/compatible", n);
		return;
	}
	for (int i = 0; i + 1 < n; i++) {
		if (!e->compatible[i])
			e->compatible[i] = ' ';
	}
	e->found.compatible = e->compatible;
}

static void look_at_node(struct entry *e)
{
	char target[PATH_MAX];
	const char *path;

	if (dfd_sysfs_link(e->dir, "of_node", target, sizeof(target)))
		return;
	path = strstr(target, BASE);
	if (!path)
		return;
	snprintf(e->node, sizeof(e->node), "%s", path + strlen(BASE));
	e->found.dt_path = e->found.path = e->node;
	look_at_compatible(e);
}

/* ---- PCI functions ---- */

static int count_one(void *ctx, const struct member *m)
{
	(void)m;
	++*(uint32_t *)ctx;
	return 0;
}

/* Binding this one alone will not do. */
static void look_for_culprit(struct entry *e)
{
	struct member m;

	if (members_culprit(e->dir, &m))
		snprintf(e->verdict.why, sizeof(e->verdict.why), "shares with %.64s %.64s", m.name,
			 m.driver);
}

static void look_at_group(struct entry *e, const struct scan *scan)
{
	char driver[NAME_MAX + 1];
	int devices;

	e->verdict.state = DFD_STATE_NO_IOMMU;
	if (e->found.iommu_group >= 0) {
		e->verdict.state = state_of_member(driver_of(e->dir, driver), e->found.class_code);
		devices = openat(e->dir, "iommu_group/devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (devices >= 0) {
			members_walk(devices, count_one, &e->found.group_size);
			if (e->verdict.state == DFD_STATE_OK)
				state_of_group(scan->root, devices,
					       (unsigned int)e->found.iommu_group, &scan->holders,
					       &e->verdict);
			else if (e->verdict.state == DFD_STATE_IDLE)
				look_for_culprit(e);
			close(devices);
		}
	}
	if (e->verdict.state == DFD_STATE_OK && !strcmp(e->power, "D3cold"))
		e->verdict.state = DFD_STATE_D3COLD;
	e->found.state = e->verdict.state;
	e->found.why = e->verdict.why[0] ? e->verdict.why : NULL;
}

static void look_at_resources(struct entry *e)
{
	struct function_resource resources[FUNCTION_NUM_RESOURCES];

	if (function_resources(e->dir, resources, NULL))
		return;
	for (int i = 0; i < 6; i++)
		e->found.bars[i] = resources[i].size;
}

/* Without privilege the file ends before the capabilities. */
static void look_at_config(struct entry *e)
{
	uint8_t config[256];
	int fd = openat(e->dir, "config", O_RDONLY | O_CLOEXEC), vectors;
	ssize_t n;

	if (fd < 0)
		return;
	n = pread(fd, config, sizeof(config), 0);
	close(fd);
	vectors = n < 0 ? 0 : dfd_pci_msix_vectors(config, (size_t)n);
	if (vectors > 0)
		e->found.msix_vectors = vectors;
}

/* Linux before 5.15 only says whether there is a way. */
static void look_at_reset(struct entry *e)
{
	if (dfd_sysfs_text(e->dir, "reset_method", e->reset, sizeof(e->reset)) <= 0 &&
	    !faccessat(e->dir, "reset", F_OK, 0))
		strcpy(e->reset, "yes");
	e->found.reset = e->reset[0] ? e->reset : NULL;
}

static void look_at_power(struct entry *e)
{
	if (dfd_sysfs_text(e->dir, "power_state", e->power, sizeof(e->power)) <= 0)
		e->power[0] = '\0';
	e->found.power = e->power[0] ? e->power : NULL;
}

static void look_at_virtual(struct entry *e)
{
	e->found.physical = link_name(e, "physfn", e->physical, sizeof(e->physical));
	e->found.virtuals = number(e, "sriov_numvfs", false);
	e->found.max_virtuals = number(e, "sriov_totalvfs", false);
}

/* "0000:01" of "0000:01:00.0" */
static int bus_length(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? (int)(colon - name) : (int)strlen(name);
}

/*
 * The directory of a function lies below those of the bridges above it. Where a tree that was
 * copied has lost that, it sits on its own bus.
 */
static void look_at_path(struct entry *e, int bus)
{
	char target[PATH_MAX];
	const char *above = NULL;

	if (!dfd_sysfs_link(bus, e->found.name, target, sizeof(target)))
		above = strstr(target, "/pci");
	if (above)
		snprintf(e->path, sizeof(e->path), "%s", above + 1);
	else
		snprintf(e->path, sizeof(e->path), "pci%.*s/%s", bus_length(e->found.name),
			 e->found.name, e->found.name);
	e->found.path = e->path;
}

static bool look_at_pci(struct entry *e, const struct scan *scan)
{
	e->found.bus = DFD_BUS_PCI;
	look_at_path(e, scan->bus);
	e->found.vendor = number(e, "vendor", true);
	e->found.device = number(e, "device", true);
	e->found.class_code = number(e, "class", true);
	look_at_power(e);
	look_at_virtual(e);
	look_at_group(e, scan);
	look_at_resources(e);
	look_at_config(e);
	look_at_reset(e);
	snprintf(e->address, sizeof(e->address), "sysfs:%s", e->found.name);
	e->found.address = e->address;
	return true;
}

/* ---- device-tree devices ---- */

static bool look_at_platform(struct entry *e, const struct scan *scan)
{
	char blob[PATH_MAX];

	e->found.bus = DFD_BUS_DT;
	if (!e->found.dt_path)
		return false;
	if (e->found.iommu_group >= 0)
		look_at_group(e, scan);
	snprintf(blob, sizeof(blob), "%s" BLOB, scan->root);
	if (!access(blob, F_OK)) {
		snprintf(e->address, sizeof(e->address), "dtb:%s#%s", blob, e->node);
		e->found.address = e->address;
	}
	return true;
}

/** struct bus - a directory of /sys/bus; @look says whether the entry is one to report */
struct bus {
	const char *path;
	bool (*look)(struct entry *e, const struct scan *scan);
};

static const struct bus buses[] = {
	{ "/sys/bus/pci/devices", look_at_pci },
	{ "/sys/bus/platform/devices", look_at_platform },
	{ "/sys/bus/amba/devices", look_at_platform },
};

static int visit(const struct bus *bus, const struct scan *scan, const char *name)
{
	struct entry *e = calloc(1, sizeof(*e));
	int ret = 0;

	if (!e)
		return -ENOMEM;
	e->found = (struct dfd_found){ .name = name, .vendor = -1, .device = -1, .class_code = -1 };
	e->found.iommu_group = e->found.msix_vectors = -1;
	e->found.virtuals = e->found.max_virtuals = -1;
	e->dir = openat(scan->bus, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->dir < 0)
		set_problem(e, "its directory", -errno);
	look_at_links(e);
	look_at_node(e);
	e->found.numa_node = number(e, "numa_node", false);
	if (bus->look(e, scan))
		ret = scan->fn(scan->ctx, &e->found);
	if (e->dir >= 0)
		close(e->dir);
	free(e);
	return ret;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int visit_bus(const struct bus *bus, struct scan *scan)
{
	struct dirent **names;
	char path[PATH_MAX];
	int count, ret;

	snprintf(path, sizeof(path), "%s%s", scan->root, bus->path);
	scan->bus = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (scan->bus < 0)
		return errno == ENOENT ? 0 : -errno;
	count = scandirat(scan->bus, ".", &names, not_hidden, alphasort);
	ret = count < 0 ? -errno : 0;
	for (int i = 0; i < count; i++) {
		if (!ret)
			ret = visit(bus, scan, names[i]->d_name);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	close(scan->bus);
	return ret;
}

int dfd_enumerate(const char *root, int (*fn)(void *ctx, const struct dfd_found *found), void *ctx)
{
	struct scan scan = { .root = root ? root : "", .fn = fn, .ctx = ctx };
	int ret = 0;

	holders_find(scan.root, &scan.holders);
	for (size_t i = 0; i < sizeof(buses) / sizeof(buses[0]) && !ret; i++)
		ret = visit_bus(&buses[i], &scan);
	return ret;
}
