/* SPDX-License-Identifier: MIT */
/*
 * The layout of a device's file: the table at 0, every region where the description says.
 *
 * Below the first region the file is the table and its end is an end of file. From there on every
 * offset belongs to a region or to nobody. A description may come from a saved file, so a region
 * may lie anywhere; where one hides behind the table, the table wins.
 */
#include <errno.h>
#include <stdlib.h>

#include <devfd/file.h>
#include <devfd/table.h>

/** struct dfd_file - @table_size: measured once, because it costs a walk over the description */
struct dfd_file {
	struct dfd_device *dev;
	struct dfd_table_cursor cursor;
	uint32_t table_size;
};

struct dfd_file *dfd_file_new(struct dfd_device *dev)
{
	struct dfd_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->dev = dev;
	file->table_size = dfd_table_size(dfd_device_desc(dev));
	return file;
}

void dfd_file_free(struct dfd_file *file)
{
	free(file);
}

/* No table reaches 4 GiB, so an access to a region need not measure it. */
static bool in_table(const struct dfd_desc *desc, uint64_t offset)
{
	return offset <= UINT32_MAX && offset < dfd_table_size(desc);
}

int dfd_file_locate(const struct dfd_desc *desc, uint64_t offset, uint32_t *index, uint64_t *within)
{
	uint32_t count;
	const struct dfd_region *regions = dfd_desc_regions(desc, &count);

	for (uint32_t i = 0; i < count; i++) {
		const struct dfd_region *r = &regions[i];

		if (offset < r->offset || offset - r->offset >= r->size)
			continue;
		if (in_table(desc, offset))
			return -EINVAL;
		*index = r->index;
		*within = offset - r->offset;
		return 0;
	}
	return -EINVAL;
}

uint64_t dfd_file_end(const struct dfd_desc *desc)
{
	uint32_t count;
	const struct dfd_region *regions = dfd_desc_regions(desc, &count);
	uint64_t end = dfd_table_size(desc);

	for (uint32_t i = 0; i < count; i++) {
		if (regions[i].offset + regions[i].size > end)
			end = regions[i].offset + regions[i].size;
	}
	return end;
}

/* Is @offset below all regions? */
static bool before_regions(const struct dfd_desc *desc, uint64_t offset)
{
	uint32_t count;
	const struct dfd_region *regions = dfd_desc_regions(desc, &count);

	for (uint32_t i = 0; i < count; i++) {
		if (regions[i].offset <= offset)
			return false;
	}
	return true;
}

ssize_t dfd_file_pread(struct dfd_file *file, void *buf, size_t len, uint64_t offset)
{
	const struct dfd_desc *desc = dfd_device_desc(file->dev);
	uint64_t within;
	uint32_t index;

	if (offset < file->table_size)
		return (ssize_t)dfd_table_read(desc, &file->cursor, offset, buf, len);
	if (!dfd_file_locate(desc, offset, &index, &within))
		return dfd_region_read(file->dev, index, within, buf, len);
	return before_regions(desc, offset) ? 0 : -EINVAL;
}

ssize_t dfd_file_pwrite(struct dfd_file *file, const void *buf, size_t len, uint64_t offset)
{
	uint64_t within;
	uint32_t index;
	int ret = dfd_file_locate(dfd_device_desc(file->dev), offset, &index, &within);

	return ret ? ret : dfd_region_write(file->dev, index, within, buf, len);
}

int dfd_file_mmap(struct dfd_file *file, uint64_t offset, size_t len, int prot, void **addr)
{
	uint64_t within;
	uint32_t index;
	int ret = dfd_file_locate(dfd_device_desc(file->dev), offset, &index, &within);

	return ret ? ret : dfd_region_mmap(file->dev, index, within, len, prot, addr);
}

int dfd_file_ioctl(struct dfd_file *file, unsigned long request, void *arg)
{
	return dfd_ioctl(file->dev, request, arg);
}
