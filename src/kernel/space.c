/* SPDX-License-Identifier: MIT */
/*
 * Address spaces, one behaviour above all of the kernel's interfaces.
 *
 * Theory of operation: what is mapped is kept here as well, so that the answers do not depend on
 * who would give them: unmapping nothing is 0 bytes, cutting a map in two is refused, and a device
 * that leaves a space takes its own maps with it and no others. The kernel does not choose
 * addresses either: the lowest free place inside the ranges that it reports is taken, and for
 * memory that can fill large pages of the IOMMU the lowest one that is a multiple of these. What it
 * reserves, such as the window of message interrupts on x86, is outside these ranges.
 *
 * Spaces are in a list of this process, because a group can be open once: the second device of a
 * group finds its space there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/iommufd.h"
#include "device/dma_pages.h"
#include "kernel/limits.h"
#include "kernel/space.h"

/**
 * struct mapping - one DMA map
 * @file: what to munmap(), or NULL
 * @owner: the device
 */
struct mapping {
	struct dfd_iova range;
	void *file;
	const void *owner;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct space *list;

static struct mapping *mapping_of(struct dfd_iova *range)
{
	return (struct mapping *)range;
}

static uint64_t length(const struct dfd_iova *range)
{
	return range->last - range->start + 1;
}

/* ---- the list ---- */

void spaces_lock(void)
{
	pthread_mutex_lock(&list_lock);
}

void spaces_unlock(void)
{
	pthread_mutex_unlock(&list_lock);
}

struct space *space_find(const struct kernel_target *t)
{
	for (struct space *s = list; s && t->group >= 0; s = s->next) {
		if (s->group == t->group && s->env.calls == t->env->calls &&
		    !strcmp(s->env.root, t->env->root))
			return s;
	}
	return NULL;
}

/* Without files and users, in the list. */
static struct space *space_new(const struct kernel_target *t, enum kernel_via via)
{
	struct space *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->env = *t->env;
	s->group = t->group;
	s->via = via;
	s->fd = s->group_fd = -1;
	s->page = s->page_sizes = s->low = 4096;
	s->ranges[0] = (struct dfd_iova_range){ 0, UINT64_MAX };
	s->num_ranges = 1;
	pthread_mutex_init(&s->lock, NULL);
	s->next = list;
	list = s;
	return s;
}

int space_join(const struct kernel_target *t, enum kernel_via via,
	       int (*make)(const struct kernel_target *t, struct space *s, struct dfd_error *err),
	       struct space **out, struct dfd_error *err)
{
	struct space *s = space_find(t);
	bool is_new = !s;

	if (is_new)
		s = space_new(t, via);
	*out = s;
	if (!s)
		return dfd_error_set(err, -ENOMEM, "%s: out of memory", t->address);
	s->users++;
	return is_new ? make(t, s, err) : 0;
}

static void forget(struct mapping *m)
{
	if (m->file)
		munmap(m->file, (size_t)length(&m->range));
	free(m);
}

static void forget_range(void *ctx, struct dfd_iova *range)
{
	(void)ctx;
	forget(mapping_of(range));
}

static void space_free(struct space *s)
{
	struct space **at = &list;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (s->ops && s->ops->finish)
		s->ops->finish(s);
	/* The group first: a container with groups keeps what is mapped. */
	if (s->group_fd >= 0)
		s->env.calls->close(s->group_fd);
	if (s->fd >= 0)
		s->env.calls->close(s->fd);
	dfd_iovamap_clear(&s->maps, forget_range, NULL);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void space_put(struct space *s, const void *owner)
{
	struct dfd_iova *range;
	uint64_t at = 0;

	if (!--s->users) {
		space_free(s);
		return;
	}
	pthread_mutex_lock(&s->lock);
	while ((range = dfd_iovamap_next(&s->maps, at))) {
		uint64_t unmapped;

		at = range->last + 1;
		if (mapping_of(range)->owner == owner &&
		    !s->ops->unmap(s, range->start, length(range), &unmapped)) {
			dfd_iovamap_remove(&s->maps, range);
			forget(mapping_of(range));
		}
		if (!at)
			break;
	}
	s->low = s->page;
	pthread_mutex_unlock(&s->lock);
}

/* ---- choosing addresses ---- */

bool space_allows(const struct space *s, uint64_t iova, uint64_t last)
{
	for (uint32_t i = 0; i < s->num_ranges; i++) {
		if (iova >= s->ranges[i].start && last <= s->ranges[i].last)
			return true;
	}
	return false;
}

/* Address 0 is below @low: too many drivers take it for no address. */
static int choose_multiple(struct space *s, struct dfd_dma_map *map, uint64_t page)
{
	uint64_t max = map->max_iova ? map->max_iova : UINT64_MAX - 1;

	for (uint32_t i = 0; i < s->num_ranges; i++) {
		uint64_t min = s->ranges[i].start, last = s->ranges[i].last;

		if (min < s->low)
			min = s->low;
		if (!dfd_iovamap_gap(&s->maps, min, last < max ? last : max, map->size, page,
				     &map->iova))
			return 0;
	}
	return -ENOSPC;
}

static int choose(struct space *s, struct dfd_dma_map *map)
{
	uint64_t page, pages = dma_pages(map, s->page_sizes);
	int ret = -ENOSPC;

	while (ret && (page = dma_pages_largest(pages))) {
		ret = choose_multiple(s, map, page);
		pages &= ~page;
	}
	return ret;
}

bool space_has_room(struct space *s, const struct dfd_dma_map *map)
{
	struct dfd_dma_map copy = *map;
	int ret;

	pthread_mutex_lock(&s->lock);
	ret = choose(s, &copy);
	pthread_mutex_unlock(&s->lock);
	return !ret;
}

static int find_place(struct space *s, struct dfd_dma_map *map, void *addr)
{
	if (s->ops->place)
		return s->ops->place(s, map, addr);
	return map->iova == DFD_IOVA_ANY ? choose(s, map) : 0;
}

/* ---- mapping ---- */

/*
 * The file in memory. It must be writable there where the device shall write. A file that is no
 * memory, such as a dma-buf of registers, says so in one of two ways.
 */
static int map_file(const struct dfd_dma_map *map, void **addr)
{
	int prot = PROT_READ | (map->prot & DFD_DMA_WRITE ? PROT_WRITE : 0);

	*addr = mmap(NULL, (size_t)map->size, prot, MAP_SHARED, map->fd, (off_t)map->fd_offset);
	if (*addr != MAP_FAILED)
		return 0;
	return errno == EINVAL || errno == ENODEV ? -EOPNOTSUPP : -errno;
}

/* Into the list and into the kernel; @m->file is what was mapped of a file, or NULL. */
static int enter(struct space *s, struct mapping *m, struct dfd_dma_map *map, bool direct)
{
	int ret = find_place(s, map, m->file ? m->file : map->addr);

	if (ret)
		return ret;
	m->range = (struct dfd_iova){ map->iova, map->iova + (map->size - 1) };
	ret = dfd_iovamap_add(&s->maps, &m->range);
	if (ret)
		return ret;
	ret = direct ? s->ops->map_file(s, map)
		     : s->ops->map(s, map, m->file ? m->file : map->addr);
	if (ret)
		dfd_iovamap_remove(&s->maps, &m->range);
	else if (map->iova == s->low && map->size < UINT64_MAX - s->low)
		s->low += map->size;
	return ret;
}

static int map_locked(struct space *s, const void *owner, struct dfd_dma_map *map)
{
	struct mapping *m = calloc(1, sizeof(*m));
	int ret = -EOPNOTSUPP;

	if (!m)
		return -ENOMEM;
	m->owner = owner;
	if (map->kind == DFD_DMA_FD) {
		if (s->ops->map_file)
			ret = enter(s, m, map, true);
		if (ret == -EOPNOTSUPP)
			ret = map_file(map, &m->file);
		else
			goto done;
		if (ret) {
			m->file = NULL;
			goto done;
		}
	}
	ret = enter(s, m, map, false);
	if (ret && m->file)
		munmap(m->file, (size_t)map->size);
done:
	if (ret)
		free(m);
	return ret;
}

static bool in_pages(const struct space *s, const struct dfd_dma_map *map)
{
	uint64_t bits = map->size;

	if (map->iova != DFD_IOVA_ANY)
		bits |= map->iova;
	if (map->kind == DFD_DMA_ADDRESS)
		bits |= (uintptr_t)map->addr;
	else
		bits |= map->fd_offset;
	return !(bits % s->page);
}

int space_map(struct space *s, const void *owner, struct dfd_dma_map *map)
{
	uint64_t wanted = map->iova;
	int ret;

	if (map->kind == DFD_DMA_MESSAGE)
		return -EOPNOTSUPP;
	if (!in_pages(s, map) || (map->kind == DFD_DMA_FD && map->fd_offset > INT64_MAX))
		return -EINVAL;
	if (wanted != DFD_IOVA_ANY && !space_allows(s, wanted, wanted + (map->size - 1)))
		return -EINVAL;
	pthread_mutex_lock(&s->lock);
	ret = map_locked(s, owner, map);
	pthread_mutex_unlock(&s->lock);
	if (ret)
		map->iova = wanted;
	return ret;
}

/* ---- unmapping ---- */

/**
 * struct run - maps of one device with nothing of others between them: one call for the kernel
 * @bytes: mapped; gaps do not count
 */
struct run {
	struct dfd_iova range;
	uint64_t bytes;
};

/* The next run of @owner in [at, last]. Return: is there one? */
static bool next_run(const struct space *s, const void *owner, uint64_t at, uint64_t last,
		     struct run *run)
{
	struct dfd_iova *r = dfd_iovamap_next(&s->maps, at);

	*run = (struct run){ 0 };
	for (; r && r->start <= last; r = dfd_iovamap_next(&s->maps, r->last + 1)) {
		if (mapping_of(r)->owner == owner) {
			if (!run->bytes)
				run->range.start = r->start;
			run->range.last = r->last;
			run->bytes += length(r);
		} else if (run->bytes) {
			break;
		}
		if (r->last == UINT64_MAX)
			break;
	}
	return run->bytes;
}

/* Would a map of @owner be cut in two? */
static bool cuts(const struct space *s, const void *owner, uint64_t iova, uint64_t last)
{
	struct dfd_iova *first = dfd_iovamap_next(&s->maps, iova);
	struct dfd_iova *end = dfd_iovamap_next(&s->maps, last);

	return (first && first->start < iova && mapping_of(first)->owner == owner) ||
	       (end && end->start <= last && end->last > last && mapping_of(end)->owner == owner);
}

static void forget_run(struct space *s, const struct run *run)
{
	dfd_iovamap_take_out(&s->maps, run->range.start, run->range.last, forget_range, NULL);
	if (run->range.start < s->low)
		s->low = run->range.start > s->page ? run->range.start : s->page;
}

static int unmap_locked(struct space *s, const void *owner, uint64_t iova, uint64_t last,
			uint64_t *unmapped)
{
	struct run run;

	*unmapped = 0;
	if (cuts(s, owner, iova, last))
		return -EINVAL;
	while (next_run(s, owner, iova, last, &run)) {
		uint64_t bytes = 0;
		int ret = s->ops->unmap(s, run.range.start, length(&run.range), &bytes);

		/* What the kernel has not unmapped the device may still reach. */
		if (!ret && bytes != run.bytes)
			ret = -EBADMSG;
		if (ret)
			return ret;
		*unmapped += bytes;
		forget_run(s, &run);
		if (run.range.last >= last)
			break;
		iova = run.range.last + 1;
	}
	return 0;
}

int space_unmap(struct space *s, const void *owner, uint64_t iova, uint64_t size,
		uint64_t *unmapped)
{
	int ret;

	pthread_mutex_lock(&s->lock);
	ret = unmap_locked(s, owner, iova, iova + (size - 1), unmapped);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

/* ---- what can be mapped ---- */

/* An iommufd says so, also one that plays a container; who gave it to us may have set that. */
bool space_locks_by_user(const struct space *s)
{
	struct iommu_option mode = { .size = sizeof(mode),
				     .option_id = IOMMU_OPTION_RLIMIT_MODE,
				     .op = IOMMU_OPTION_OP_GET };

	if (s->env.calls->ioctl(s->fd, IOMMU_OPTION, &mode))
		return s->via != VIA_GROUP;
	return !mode.val64;
}

int space_limits(struct space *s, struct dfd_dma_limits *out)
{
	int ret = 0;

	*out = (struct dfd_dma_limits){ .maps_left = UINT64_MAX,
					.locked = UINT64_MAX,
					.lockable = UINT64_MAX,
					.lockable_by_user = space_locks_by_user(s) };
	memlock_limit(s->env.root, &out->lockable);
	memlock_used(s->env.root, out->lockable_by_user, &out->locked);
	pthread_mutex_lock(&s->lock);
	out->page = s->page;
	/* Those of an iommufd are only thought to be. */
	out->page_sizes = s->via == VIA_GROUP ? s->page_sizes : s->page;
	out->num_ranges = s->num_ranges;
	memcpy(out->ranges, s->ranges, sizeof(out->ranges));
	if (s->ops->maps_left)
		ret = s->ops->maps_left(s, &out->maps_left);
	pthread_mutex_unlock(&s->lock);
	return ret;
}
