/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/process.h"
#include "shim/backing.h"
#include "shim/core.h"
#include "shim/dirty.h"
#include "shim/space.h"
#include "shim/way.h"

const struct dfd_iova shim_space_ranges[SPACE_NUM_RANGES] = {
	{ 0, 0xfedfffff },
	{ 0xfef00000, 0xffffffffffff },
};

bool shim_space_in_ranges(uint64_t first, uint64_t last)
{
	for (int i = 0; i < SPACE_NUM_RANGES; i++) {
		if (first >= shim_space_ranges[i].start && last <= shim_space_ranges[i].last)
			return true;
	}
	return false;
}

uint32_t shim_space_usable(const struct shim_space *s, const struct dfd_iova **list)
{
	static const struct dfd_iova all = { 0, UINT64_MAX }, translated = { 0, 0xffffffffffff };

	*list = s->num_devices ? shim_space_ranges : s->tables ? &translated : &all;
	return s->num_devices ? SPACE_NUM_RANGES : 1;
}

bool shim_space_has(const struct shim_space *s, uint64_t first, uint64_t last)
{
	const struct dfd_iova *list;
	uint32_t count = shim_space_usable(s, &list);

	for (uint32_t i = 0; i < count; i++) {
		if (first >= list[i].start && last <= list[i].last)
			return true;
	}
	return false;
}

/* ---- the memory, as a device reaches it ---- */

static int map_read(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	const struct space_map *map = ctx;
	uint8_t piece[4096], *buf = len <= sizeof(piece) ? piece : malloc(len);
	int ret = -ENOMEM;

	if (buf)
		ret = shim_caller_read(map->caller, map->vaddr + offset, buf, len);
	dfd_dma_complete(token, ret, buf, len);
	if (buf != piece)
		free(buf);
	return 0;
}

static int map_write(void *ctx, uint64_t offset, const void *buf, size_t len,
		     struct dfd_dma_token token)
{
	const struct space_map *map = ctx;

	dfd_dma_complete(token, shim_caller_write(map->caller, map->vaddr + offset, buf, len), NULL,
			 0);
	return 0;
}

static const struct dfd_dma_io map_io = { .read = map_read, .write = map_write };

/* ---- devices ---- */

/*
 * A device in another process gets memory as a file where it is one: what it refuses as that, it
 * may take by message. Files are those of the process that calls. Return: as dfd_dma_map(); -ENOENT
 * where there is no file.
 */
static int map_file(struct shim_mount *m, const struct space_map *map, struct dfd_dma_map *arg)
{
	int ret = -ENOENT;

	if (!device_is_served(m->dev) || map->caller != shim_caller_current())
		return ret;
	arg->fd = backing_find((uintptr_t)arg->addr, arg->size, arg->prot, &arg->fd_offset);
	if (arg->fd >= 0) {
		arg->kind = DFD_DMA_FD;
		ret = dfd_dma_map(m->dev, arg);
		close(arg->fd);
	}
	shim_say_memory(m->name, arg, ret ? "by message" : "shared as a file");
	return ret;
}

static int map_part(struct shim_mount *m, const struct space_map *map, struct dfd_dma_map *arg)
{
	arg->kind = DFD_DMA_FD;
	arg->fd = map->file;
	arg->fd_offset = map->vaddr;
	return dfd_dma_map(m->dev, arg);
}

static int device_map(struct shim_mount *m, struct space_map *map)
{
	struct dfd_dma_map arg = {
		.iova = map->range.start,
		.size = map->range.last - map->range.start + 1,
		.prot = map->prot,
		.addr = (void *)(uintptr_t)map->vaddr,
		.io = &map_io,
		.io_ctx = map,
	};
	int ret = core_lock(m);

	if (ret)
		return ret;
	ret = map->is_file ? map_part(m, map, &arg) : map_file(m, map, &arg);
	if (ret && !map->is_file) {
		arg.kind = DFD_DMA_MESSAGE;
		ret = dfd_dma_map(m->dev, &arg);
	}
	if (ret == -EOPNOTSUPP && !map->is_file && map->caller->mem < 0) {
		arg.kind = DFD_DMA_ADDRESS;
		ret = dfd_dma_map(m->dev, &arg);
	}
	core_unlock(m);
	/* A device that is only described does no DMA. */
	return ret == -EOPNOTSUPP ? 0 : ret;
}

static void device_unmap(struct shim_mount *m, const struct space_map *map)
{
	if (core_lock(m))
		return;
	dfd_dma_unmap(m->dev, map->range.start, map->range.last - map->range.start + 1, NULL);
	core_unlock(m);
}

static struct space_map *first_map(const struct shim_space *s, uint64_t from)
{
	return (struct space_map *)dfd_iovamap_next(&s->maps, from);
}

/* The map behind another one, or NULL. */
static struct space_map *next_map(const struct shim_space *s, const struct space_map *map)
{
	return map->range.last == UINT64_MAX ? NULL : first_map(s, map->range.last + 1);
}

int shim_space_attach(struct shim_space *s, struct shim_mount *m)
{
	int ret = s->num_devices == SHIM_MAX_DEVICES ? -ENOMEM : 0;

	for (struct space_map *map = first_map(s, 0); map && !ret; map = next_map(s, map))
		ret = device_map(m, map);
	if (!ret)
		s->devices[s->num_devices++] = m;
	else
		for (struct space_map *map = first_map(s, 0); map; map = next_map(s, map))
			device_unmap(m, map);
	return ret;
}

void shim_space_detach(struct shim_space *s, struct shim_mount *m)
{
	uint32_t i = 0;

	while (i < s->num_devices && s->devices[i] != m)
		i++;
	if (i == s->num_devices)
		return;
	s->devices[i] = s->devices[--s->num_devices];
	for (struct space_map *map = first_map(s, 0); map; map = next_map(s, map))
		device_unmap(m, map);
}

/* ---- page tables ---- */

bool shim_space_aligned(const struct shim_space *s)
{
	for (const struct space_map *map = first_map(s, 0); map; map = next_map(s, map)) {
		if ((map->range.start | (map->range.last + 1) | map->vaddr) & (SPACE_PAGE - 1))
			return false;
	}
	return true;
}

bool shim_space_is_files(const struct shim_space *s)
{
	const struct space_map *map = first_map(s, 0);

	while (map && map->is_file)
		map = next_map(s, map);
	return !map;
}

int shim_space_check(const struct shim_space *s)
{
	for (const struct space_map *map = first_map(s, 0); map; map = next_map(s, map)) {
		if (!shim_space_in_ranges(map->range.start, map->range.last))
			return -EADDRINUSE;
	}
	for (uint32_t i = 0; i < s->num_allowed; i++) {
		if (!shim_space_in_ranges(s->allowed[i].start, s->allowed[i].last))
			return -EADDRINUSE;
	}
	return 0;
}

/* Only what is memory can be held, and it has to be there. */
static int check_file(int fd, uint64_t start, uint64_t size)
{
	struct stat st;

	if (NEXT(fcntl)(fd, F_GET_SEALS) < 0 || fstat(fd, &st))
		return -EINVAL;
	return start > (uint64_t)st.st_size || size > (uint64_t)st.st_size - start ? -EINVAL : 0;
}

/* Registers of devices: type 1 maps them, and an iommufd cannot hold their pages. */
static int pin(const struct shim_space *s, const struct space_map *map)
{
	uint64_t size = map->range.last - map->range.start + 1;
	int ret;

	if (map->is_file)
		return check_file(map->file, map->vaddr, size);
	ret = shim_caller_check(map->caller, map->vaddr, size, map->prot);
	if (ret == SHIM_CALLER_REGISTERS)
		ret = s->iommufd ? -EFAULT : 0;
	return ret;
}

int shim_space_add_table(struct shim_space *s)
{
	const struct space_map *last = (const struct space_map *)first_map(s, 0);
	int ret = 0;

	if (!shim_space_aligned(s))
		return -EADDRINUSE;
	for (const struct space_map *map = last; map; map = next_map(s, map)) {
		if (map->range.last > shim_space_ranges[SPACE_NUM_RANGES - 1].last)
			return -EADDRINUSE;
	}
	for (const struct space_map *map = last; map && !ret && !s->tables; map = next_map(s, map))
		ret = pin(s, map);
	s->tables += !ret;
	return ret;
}

/* ---- maps ---- */

static void free_map(struct space_map *map)
{
	if (map->is_file)
		NEXT(close)(map->file);
	shim_caller_put(map->caller);
	free(map);
}

/* @map: becomes the space's, or is gone where that does not work. */
static int add_map(struct shim_space *s, struct space_map *map)
{
	uint32_t done = 0;
	int ret = dfd_iovamap_add(&s->maps, &map->range);

	if (ret) {
		free_map(map);
		return ret;
	}
	if (s->tables)
		ret = pin(s, map);
	while (!ret && done < s->num_devices) {
		ret = device_map(s->devices[done], map);
		done += !ret;
	}
	if (!ret)
		return 0;
	while (done)
		device_unmap(s->devices[--done], map);
	dfd_iovamap_remove(&s->maps, &map->range);
	free_map(map);
	return ret;
}

int shim_space_map(struct shim_space *s, uint64_t iova, uint64_t vaddr, uint64_t size,
		   uint32_t prot)
{
	struct space_map *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	*map = (struct space_map){ .range = { iova, iova + (size - 1) },
				   .vaddr = vaddr,
				   .prot = prot,
				   .caller = shim_caller_get(shim_caller_current()) };
	return add_map(s, map);
}

/* An fd of our own, away from those that the program expects to get. */
static int own_file(int fd)
{
	int mine = NEXT(fcntl)(fd, F_DUPFD_CLOEXEC, SHIM_LOW_FDS);

	return mine < 0 ? -errno : mine;
}

int shim_space_map_file(struct shim_space *s, uint64_t iova, int fd, uint64_t start, uint64_t size,
			uint32_t prot)
{
	const struct space_map as = { .vaddr = start, .is_file = true, .file = fd };

	return shim_space_copy(s, iova, &as, 0, size, prot);
}

int shim_space_copy(struct shim_space *s, uint64_t iova, const struct space_map *from,
		    uint64_t within, uint64_t size, uint32_t prot)
{
	struct space_map *map = malloc(sizeof(*map));
	int ret;

	if (!map)
		return -ENOMEM;
	*map = *from;
	map->range = (struct dfd_iova){ iova, iova + (size - 1) };
	map->vaddr += within;
	map->prot = prot;
	if (map->is_file) {
		ret = own_file(from->file);
		if (ret < 0) {
			free(map);
			return ret;
		}
		map->file = ret;
	}
	shim_caller_get(map->caller);
	return add_map(s, map);
}

/* Half of a map that was cut; it is gone where that does not work. */
static int put_half(struct shim_space *s, struct space_map *map)
{
	int ret = dfd_iovamap_add(&s->maps, &map->range);

	if (ret) {
		free_map(map);
		return ret;
	}
	for (uint32_t i = 0; i < s->num_devices && !ret; i++)
		ret = device_map(s->devices[i], map);
	return ret;
}

int shim_space_cut(struct shim_space *s, uint64_t iova)
{
	struct space_map *map = (struct space_map *)dfd_iovamap_find(&s->maps, iova), *rest;
	int ret;

	if (!map || map->range.start == iova)
		return 0;
	rest = malloc(sizeof(*rest));
	if (!rest)
		return -ENOMEM;
	*rest = *map;
	if (map->is_file)
		rest->file = own_file(map->file);
	if (map->is_file && rest->file < 0) {
		free(rest);
		return -ENOMEM;
	}
	shim_caller_get(rest->caller);
	rest->vaddr += iova - map->range.start;
	rest->range.start = iova;
	for (uint32_t i = 0; i < s->num_devices; i++)
		device_unmap(s->devices[i], map);
	dfd_iovamap_remove(&s->maps, &map->range);
	map->range.last = iova - 1;
	ret = put_half(s, rest);
	return put_half(s, map) ? -ENOMEM : ret;
}

void shim_space_move(struct space_map *map, uint64_t vaddr)
{
	struct shim_caller *old = map->caller;

	map->caller = shim_caller_get(shim_caller_current());
	map->vaddr = vaddr;
	shim_caller_put(old);
}

uint64_t shim_space_unmap(struct shim_space *s, uint64_t first, uint64_t last)
{
	struct space_map *map;
	uint64_t bytes = 0;

	while ((map = first_map(s, first)) && map->range.start <= last) {
		for (uint32_t i = 0; i < s->num_devices; i++)
			device_unmap(s->devices[i], map);
		dfd_iovamap_remove(&s->maps, &map->range);
		bytes += map->range.last - map->range.start + 1;
		dirty_unmapped(s, map->range.start, map->range.last);
		free_map(map);
	}
	return bytes;
}

bool shim_space_covers(const struct shim_space *s, uint64_t first, uint64_t last)
{
	const struct space_map *map = first_map(s, first);

	while (map && map->range.start <= first && map->range.last < last) {
		first = map->range.last + 1;
		map = first_map(s, first);
	}
	return map && map->range.start <= first;
}

void shim_space_free(struct shim_space *s)
{
	if (!s)
		return;
	shim_space_unmap(s, 0, UINT64_MAX);
	dfd_iovamap_clear(&s->maps, NULL, NULL);
	free(s->allowed);
	free(s);
}
