/* SPDX-License-Identifier: MIT */
/*
 * Device-tree nodes in sysfs.
 *
 * Theory of operation: each node is a directory, each property a file with its bytes, numbers are
 * cells of 32 bits in big-endian order. How many cells make an address says the node above, so the
 * walk goes upwards from directory to directory, as many levels as the path has names. At each bus
 * `ranges` takes an address to the next level; a bus without it is not seen by the CPU.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/ofnode.h"
#include "util/sysfs.h"

/* Where the links of nodes go, below /sys. */
#define BASE "/firmware/devicetree/base"

#define MAX_CELLS 1024u

/** struct cells - a property made of cells */
struct cells {
	uint32_t count;
	uint32_t data[MAX_CELLS];
};

/** struct shape - how many cells an address and a size have below a node */
struct shape {
	uint32_t addr;
	uint32_t size;
};

static ssize_t read_property(int dir, const char *name, void *buf, size_t room)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = pread(fd, buf, room, 0);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

int ofnode_path(int dir, char *path, size_t room)
{
	char target[PATH_MAX];
	const char *at;
	int n;

	if (dfd_sysfs_link(dir, "of_node", target, sizeof(target)))
		return -ENOENT;
	at = strstr(target, BASE);
	if (!at)
		return -ENOENT;
	n = snprintf(path, room, "%s", at + strlen(BASE));
	return n < 0 || (size_t)n >= room ? -ENAMETOOLONG : 0;
}

int ofnode_compatible(int dir, char *text, size_t room)
{
	ssize_t n = read_property(dir, "of_node/compatible", text, room);

	if (n < 0)
		return (int)n;
	if (!n || text[n - 1])
		return (size_t)n == room ? -ENAMETOOLONG : -EBADMSG;
	for (ssize_t i = 0; i < n - 1; i++) {
		if (!text[i])
			text[i] = ' ';
		else if (text[i] <= ' ' || text[i] > '~')
			return -EBADMSG;
	}
	return 0;
}

/* ---- addresses ---- */

static int read_cells(int dir, const char *name, struct cells *out)
{
	ssize_t n;

	memset(out, 0, sizeof(*out));
	n = read_property(dir, name, out->data, sizeof(out->data));
	if (n < 0)
		return (int)n;
	if (n % 4)
		return -EBADMSG;
	out->count = (uint32_t)n / 4;
	for (uint32_t i = 0; i < out->count; i++)
		out->data[i] = be32toh(out->data[i]);
	return 0;
}

static uint32_t read_one(int dir, const char *name, uint32_t otherwise)
{
	struct cells cells;

	return read_cells(dir, name, &cells) || cells.count != 1 ? otherwise : cells.data[0];
}

/* Addresses of more than two cells are not numbers but those of PCI. */
static int read_shape(int node, struct shape *out)
{
	out->addr = read_one(node, "#address-cells", 2);
	out->size = read_one(node, "#size-cells", 1);
	return !out->addr || out->addr > 2 || out->size > 2 ? -ENOENT : 0;
}

static uint64_t number(const struct cells *cells, uint32_t at, uint32_t count)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < count; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.*): there are only whole entries */
		value = value << 32 | cells->data[at + i];
	}
	return value;
}

/* Take an address from below a bus to above it; an empty `ranges` changes nothing. */
static int translate(int bus, const struct shape *below, const struct shape *above, uint64_t size,
		     uint64_t *addr)
{
	uint32_t entry = below->addr + above->addr + below->size;
	struct cells ranges;
	int ret = read_cells(bus, "ranges", &ranges);

	if (ret || !ranges.count)
		return ret;
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): read_shape() has refused 0 */
	if (ranges.count % entry)
		return -EBADMSG;
	for (uint32_t at = 0; at < ranges.count; at += entry) {
		uint64_t from = number(&ranges, at, below->addr);
		uint64_t to = number(&ranges, at + below->addr, above->addr);
		uint64_t len = number(&ranges, at + below->addr + above->addr, below->size);

		if (*addr < from || *addr - from >= len)
			continue;
		if (size > len - (*addr - from) || to > UINT64_MAX - (*addr - from))
			return -EBADMSG;
		*addr = to + (*addr - from);
		return 0;
	}
	return -ENOENT;
}

static unsigned int depth_of(const char *path)
{
	unsigned int depth = 0;

	for (; *path; path++)
		depth += *path == '/' && path[1];
	return depth;
}

/* From @bus, whose children have @shape, up to the root; @bus is closed. */
static int climb(int bus, unsigned int levels, struct shape shape, uint64_t size, uint64_t *addr)
{
	int ret = 0;

	for (; levels && !ret; levels--) {
		int up = openat(bus, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct shape above = { 0 };

		ret = up < 0 ? -errno : read_shape(up, &above);
		if (!ret)
			ret = translate(bus, &shape, &above, size, addr);
		close(bus);
		bus = up;
		shape = above;
	}
	if (bus >= 0)
		close(bus);
	return ret;
}

int ofnode_reg(int dir, const char *path, uint32_t index, uint64_t *addr, uint64_t *size)
{
	unsigned int depth = depth_of(path);
	struct shape shape = { 0 };
	struct cells reg;
	uint64_t at;
	int bus, ret = read_cells(dir, "of_node/reg", &reg);

	if (ret || !depth)
		return ret ? ret : -ENOENT;
	bus = openat(dir, "of_node/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bus < 0)
		return -errno;
	ret = read_shape(bus, &shape);
	at = (uint64_t)index * (shape.addr + shape.size);
	if (!ret && at + shape.addr + shape.size > reg.count)
		ret = -ENOENT;
	if (ret) {
		close(bus);
		return ret;
	}
	*addr = number(&reg, (uint32_t)at, shape.addr);
	*size = number(&reg, (uint32_t)at + shape.addr, shape.size);
	return climb(bus, depth - 1, shape, *size, addr);
}
