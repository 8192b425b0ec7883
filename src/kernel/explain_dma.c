/* SPDX-License-Identifier: MIT */
/* Why memory cannot be mapped for a device, and why nobody knows what it has written. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/explain.h"
#include "kernel/limits.h"
#include "kernel/root.h"

#define ENTRY_LIMIT "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"

static void list_ranges(const struct space *s, char *text, size_t room)
{
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < s->num_ranges && len < room; i++)
		len += (size_t)snprintf(text + len, room - len, "%s0x%" PRIx64 "-0x%" PRIx64,
					i ? ", " : "", s->ranges[i].start, s->ranges[i].last);
}

static void explain_map_value(const struct space *s, const struct dfd_dma_map *map,
			      struct dfd_error *err)
{
	uint64_t last = map->iova + (map->size - 1);
	char ranges[256];

	list_ranges(s, ranges, sizeof(ranges));
	if (map->iova != DFD_IOVA_ANY && !space_allows(s, map->iova, last))
		dfd_error_set(err, -EINVAL,
			      "DMA map of 0x%" PRIx64 "-0x%" PRIx64 ": outside of what the IOMMU "
			      "takes, which is %s; use DFD_IOVA_ANY or an address in there",
			      map->iova, last, ranges);
	else
		dfd_error_set(err, -EINVAL,
			      "DMA map of 0x%" PRIx64 " bytes: size, address and IOVA must be "
			      "multiples of the IOMMU's page, 0x%" PRIx64 " bytes, and the memory "
			      "must be plain memory of this process",
			      map->size, s->page);
}

/* A container counts what this process has locked, an iommufd what its user has. */
static void explain_memlock(const char *root, const struct space *s, const struct dfd_dma_map *map,
			    struct dfd_error *err)
{
	uint64_t limit;

	if (!memlock_limit(root, &limit) || limit == UINT64_MAX)
		dfd_error_set(err, -ENOMEM,
			      "DMA map of 0x%" PRIx64 " bytes: there is no memory to be had that "
			      "could be locked",
			      map->size);
	else
		dfd_error_set(
			err, -ENOMEM,
			"DMA map of 0x%" PRIx64 " bytes: %s may lock %" PRIu64
			" KiB of memory (RLIMIT_MEMLOCK), and memory for DMA is locked; raise "
			"it with ulimit -l or LimitMEMLOCK=, or give it CAP_IPC_LOCK",
			map->size,
			space_locks_by_user(s) ? "all processes of this user together"
					       : "this process",
			limit / 1024);
}

static void explain_memory(const struct dfd_dma_map *map, bool noiommu, int ret,
			   struct dfd_error *err)
{
	if (ret == -EFAULT)
		dfd_error_set(
			err, ret,
			"DMA map of 0x%" PRIx64 " bytes: there is no memory at that address "
			"that the device may use so: it is not mapped, is read-only, or is the "
			"registers of a device; use memory of dfd_dma_alloc()",
			map->size);
	else if (map->kind == DFD_DMA_FD && !noiommu)
		dfd_error_set(
			err, ret,
			"DMA map of 0x%" PRIx64 " bytes: the file %d is no memory that can be "
			"mapped here; a dma-buf of registers goes with an iommufd (?via=cdev) "
			"and a kernel that takes it there",
			map->size, map->fd);
	else
		dfd_error_set(
			err, ret,
			"DMA map of 0x%" PRIx64 " bytes: without an IOMMU the device needs "
			"memory that lies in one piece, and this does not; map it page by page",
			map->size);
}

static void explain_noiommu_map(const struct dfd_dma_map *map, int ret, struct dfd_error *err)
{
	if (ret == -EINVAL)
		dfd_error_set(err, ret,
			      "DMA map at 0x%" PRIx64 ": without an IOMMU memory has the address "
			      "that it has; use DFD_IOVA_ANY, and pages",
			      map->iova);
	else
		dfd_error_set(err, ret,
			      "DMA map of 0x%" PRIx64 " bytes: this memory is above 0x%" PRIx64
			      ", the highest address asked for, and without an IOMMU it cannot be "
			      "moved; try other memory",
			      map->size, map->max_iova);
}

static void explain_full(const char *root, struct space *s, const struct dfd_dma_map *map,
			 struct dfd_error *err)
{
	int64_t limit = 65535;

	if (map->iova == DFD_IOVA_ANY && !space_has_room(s, map)) {
		dfd_error_set(err, -ENOSPC,
			      "DMA map of 0x%" PRIx64 " bytes: no room is left between the other "
			      "maps below 0x%" PRIx64 ", the highest address asked for; unmap what "
			      "is not used",
			      map->size, map->max_iova ? map->max_iova : UINT64_MAX);
		return;
	}
	root_num(root, ENTRY_LIMIT, &limit);
	dfd_error_set(err, -ENOSPC,
		      "DMA map of 0x%" PRIx64 " bytes: all %" PRId64 " maps that a container can "
		      "have are in use; map fewer and larger pieces, or raise " ENTRY_LIMIT,
		      map->size, limit);
}

void explain_map(const char *root, struct space *s, const struct dfd_dma_map *map, int ret,
		 struct dfd_error *err)
{
	bool noiommu = s->via == VIA_NOIOMMU;

	switch (ret) {
	case -EINVAL:
		if (noiommu)
			explain_noiommu_map(map, ret, err);
		else
			explain_map_value(s, map, err);
		break;
	case -EEXIST:
		if (noiommu)
			dfd_error_set(err, ret,
				      "DMA map of 0x%" PRIx64 " bytes: this memory is mapped "
				      "already, and without an IOMMU it has one address; use that",
				      map->size);
		else
			dfd_error_set(err, ret,
				      "DMA map at 0x%" PRIx64 ": overlaps another map, of this "
				      "device or of one in its IOMMU group; unmap that first",
				      map->iova);
		break;
	case -ENOMEM:
		explain_memlock(root, s, map, err);
		break;
	case -ENOSPC:
		if (noiommu)
			explain_noiommu_map(map, ret, err);
		else
			explain_full(root, s, map, err);
		break;
	case -EFAULT:
	case -EOPNOTSUPP:
		explain_memory(map, noiommu, ret, err);
		break;
	default:
		dfd_error_set(err, ret, "DMA map of 0x%" PRIx64 " bytes: %s", map->size,
			      strerror(-ret));
	}
}

int explain_account(const struct space *s, struct dfd_error *err)
{
	const char *why =
		"the IOMMU does not tell what it lets through; a container does, of all that "
		"is mapped (?via=group), or the device itself, by dfd_dma_logging_start()";

	if (s->via == VIA_NOIOMMU)
		why = "without an IOMMU nobody does; a device may do so itself, by "
		      "dfd_dma_logging_start()";
	else if (s->account)
		why = "a container forgets what it has told; use dfd_dirty_get()";
	else if (s->via == VIA_GROUP)
		why = "this container does not: it is of type 1, version 1, or an iommufd plays "
		      "it; "
		      "use the device's own file (?via=cdev)";
	return dfd_error_set(err, -EOPNOTSUPP, "account of written memory: %s", why);
}
