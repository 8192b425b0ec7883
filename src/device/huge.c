/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "device/huge.h"
#include "util/sysfs.h"

#define POOLS "/sys/kernel/mm/hugepages"
#define POOL  POOLS "/hugepages-%" PRIu64 "kB"

/* The sizes that this kernel has. Return: the length of the list */
static int list_sizes(const char *root, char *text, size_t room)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	size_t len = 0;
	uint64_t kib;
	DIR *dir;

	text[0] = '\0';
	snprintf(path, sizeof(path), "%s" POOLS, root);
	dir = opendir(path);
	while (dir && len < room && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "hugepages-%" SCNu64 "kB", &kib) == 1)
			len += (size_t)snprintf(text + len, room - len, "%s%" PRIu64 " KiB",
						len ? ", " : "", kib);
	}
	if (dir)
		closedir(dir);
	return (int)len;
}

int huge_explain_size(const char *root, uint64_t page, int ret, struct dfd_error *err)
{
	char sizes[128];

	if (!list_sizes(root, sizes, sizeof(sizes)))
		return dfd_error_set(err, ret,
				     "memory on huge pages: this kernel has none; take ordinary "
				     "memory (dfd_dma_alloc()), or a kernel with CONFIG_HUGETLBFS");
	if (ret == -ENODEV || ret == -EINVAL)
		return dfd_error_set(err, -EINVAL,
				     "memory on huge pages of %" PRIu64 " KiB: this kernel has no "
				     "such pages, but of %s",
				     page / 1024, sizes);
	return dfd_error_set(err, ret, "memory on huge pages: %s", strerror(-ret));
}

/* What the pool of pages of one size says; nothing is 0. */
static uint64_t pool(const char *root, uint64_t page, const char *what)
{
	char path[PATH_MAX];
	int64_t value = 0;

	snprintf(path, sizeof(path), "%s" POOL "/%s", root, page / 1024, what);
	return dfd_sysfs_num(AT_FDCWD, path, &value) || value < 0 ? 0 : (uint64_t)value;
}

int huge_explain_lack(const char *root, uint64_t page, uint64_t count, int ret,
		      struct dfd_error *err)
{
	uint64_t all = pool(root, page, "nr_hugepages");
	uint64_t idle = pool(root, page, "free_hugepages");
	uint64_t promised = pool(root, page, "resv_hugepages");

	if (ret != -ENOSPC && ret != -ENOMEM)
		return dfd_error_set(err, ret, "memory on huge pages: %s", strerror(-ret));
	idle -= promised < idle ? promised : idle;
	if (idle >= count)
		return dfd_error_set(err, -ENOMEM,
				     "memory on huge pages: of %" PRIu64 " of %" PRIu64 " KiB this "
				     "process does not get %" PRIu64 ", by a limit of its cgroup "
				     "(hugetlb.*.max) or of its NUMA nodes; raise that",
				     idle, page / 1024, count);
	return dfd_error_set(err, -ENOMEM,
			     "memory on huge pages: %" PRIu64 " of %" PRIu64 " KiB are needed, and "
			     "%" PRIu64 " of %" PRIu64
			     " are free; use less, or let there be more, as "
			     "root: echo %" PRIu64 " >" POOL "/nr_hugepages",
			     count, page / 1024, idle, all, all + (count - idle), page / 1024);
}
