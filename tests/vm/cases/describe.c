/* SPDX-License-Identifier: MIT */
/* Opening a device, what it says of itself, and its regions. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "cases.h"

#define INTERRUPT_LINE 0x3c /* of configuration space: a byte that means nothing to the device */

/* ---- opening and describing ---- */

static const char *describe(void)
{
	uint32_t count;
	const struct dfd_region *r = dfd_desc_regions(dfd_device_desc(dev), &count);

	for (uint32_t i = 0; i < count; i++) {
		if (!r[i].size || r[i].offset != (r[i].index + UINT64_C(1)) << DFD_REGION_SHIFT)
			return "bad region";
	}
	return count ? "ok" : "no region";
}

/* Table and both generations of ioctls say the same. */
static const char *views(void)
{
	struct dfd_file *file = dfd_file_new(dev);
	struct dfd_view v[DFD_NUM_VIEWS] = { 0 };
	struct dfd_view_report report = { 0 };
	int ret = file ? 0 : -ENOMEM;

	for (int i = 0; i < DFD_NUM_VIEWS && !ret; i++)
		ret = dfd_view_get((enum dfd_view_kind)i, &dfd_fd_file, file, &v[i], NULL);
	if (!ret)
		ret = dfd_view_compare(v, NULL, NULL, NULL, &report);
	for (int i = 0; i < DFD_NUM_VIEWS; i++)
		dfd_desc_unref(v[i].desc);
	dfd_file_free(file);
	return report.differences ? "differ" : result(ret);
}

static const char *master_off(void)
{
	int command = is_pci() ? command_register() : -1;

	if (!is_pci())
		return NONE;
	if (command < 0)
		return "cannot be read";
	return command & 4 ? "on" : "ok";
}

static const char *open_again(void)
{
	struct dfd_device *other = NULL;
	int ret = dfd_open(address, &other, NULL);

	dfd_device_close(other);
	return result(ret);
}

static const char *open_reopened(void)
{
	return result(reopen());
}

/* What the last driver has left on is off for the next one. */
static const char *open_after_master(void)
{
	if (!is_pci())
		return NONE;
	set_master(true);
	return reopen() ? "cannot be opened again" : master_off();
}

const struct test open_tests[] = {
	{ "describe", "ok", describe },
	{ "views", "ok", views },
	{ "master-off", "ok", master_off },
	{ "open-again", "EBUSY", open_again },
	{ "reopen", "ok", open_reopened },
	{ "reopen-master-off", "ok", open_after_master },
	{ 0 },
};

/* ---- regions ---- */

/* Calls @one for each region; the first answer that is no success, or the last. */
static const char *each_region(const char *(*one)(const struct dfd_region *r))
{
	uint32_t count;
	const struct dfd_region *r = dfd_desc_regions(dfd_device_desc(dev), &count);
	const char *told = NONE;

	for (uint32_t i = 0; i < count; i++) {
		const char *answer = one(&r[i]);

		if (strcmp(answer, NONE) != 0)
			told = answer;
		if (strcmp(answer, "ok") != 0 && strcmp(answer, NONE) != 0)
			break;
	}
	return told;
}

/* A register of the usual width, or the one byte that there is. */
static size_t width(const struct dfd_region *r)
{
	return r->size < 4 ? 1 : 4;
}

static const char *read_one(const struct dfd_region *r)
{
	uint32_t value;
	ssize_t n = dfd_region_read(dev, r->index, 0, &value, width(r));

	return n == (ssize_t)width(r) ? "ok" : result(n);
}

static const char *past_one(const struct dfd_region *r)
{
	uint32_t value;

	return dfd_region_read(dev, r->index, r->size, &value, 4) == -EINVAL ? "ok" : "no EINVAL";
}

static const char *short_one(const struct dfd_region *r)
{
	uint64_t value;

	if (r->size < 8)
		return NONE;
	return dfd_region_read(dev, r->index, r->size - 4, &value, 8) == 4 ? "ok" : "not 4";
}

/* What was read, which changes least; in configuration space a byte that others may write. */
static const char *write_one(const struct dfd_region *r)
{
	bool config = is_pci() && r->index == DFD_PCI_CONFIG;
	uint64_t at = config ? INTERRUPT_LINE : 0;
	size_t len = config ? 1 : width(r);
	uint32_t value = 0;
	ssize_t n;

	if (r->flags & DFD_REGION_READ_ONLY)
		return NONE;
	n = dfd_region_read(dev, r->index, at, &value, len);
	if (n == (ssize_t)len)
		n = dfd_region_write(dev, r->index, at, &value, len);
	return n == (ssize_t)len ? "ok" : result(n);
}

static const char *write_past_one(const struct dfd_region *r)
{
	const uint32_t value = 0;

	return dfd_region_write(dev, r->index, r->size, &value, 4) == -EINVAL ? "ok" : "no EINVAL";
}

static const char *readonly_one(const struct dfd_region *r)
{
	uint8_t byte = 0;

	if (!(r->flags & DFD_REGION_READ_ONLY))
		return NONE;
	return dfd_region_write(dev, r->index, 0, &byte, 1) == -EINVAL ? "ok" : "no EINVAL";
}

static const char *map_one(const struct dfd_region *r)
{
	uint64_t offset = r->num_areas ? r->areas[0].offset : 0;
	uint32_t seen, read_back = 0;
	void *addr;
	int ret;

	if (!(r->flags & DFD_REGION_MAPPABLE))
		return dfd_region_mmap(dev, r->index, 0, PAGE, PROT_READ, &addr) == -EINVAL
			       ? NONE
			       : "mapped";
	ret = dfd_region_mmap(dev, r->index, offset, PAGE, PROT_READ, &addr);
	if (ret)
		return result(ret);
	memcpy(&seen, addr, sizeof(seen));
	munmap(addr, PAGE);
	dfd_region_read(dev, r->index, offset, &read_back, sizeof(read_back));
	return seen == read_back ? "ok" : "other bytes";
}

/* Every area to its end, and not a page more. */
static const char *map_areas_one(const struct dfd_region *r)
{
	const struct dfd_area whole = { 0, r->size };
	uint32_t count = r->num_areas ? r->num_areas : 1;
	void *addr;

	if (!(r->flags & DFD_REGION_MAPPABLE))
		return NONE;
	for (uint32_t i = 0; i < count; i++) {
		const struct dfd_area *a = r->num_areas ? &r->areas[i] : &whole;
		size_t pages = (size_t)((a->size + PAGE - 1) / PAGE * PAGE);
		int ret = dfd_region_mmap(dev, r->index, a->offset, pages, PROT_READ, &addr);

		if (ret)
			return result(ret);
		munmap(addr, pages);
		if (!dfd_region_mmap(dev, r->index, a->offset, pages + PAGE, PROT_READ, &addr))
			return "a page more";
		if (!dfd_region_mmap(dev, r->index, a->offset + 1, PAGE, PROT_READ, &addr))
			return "off pages";
	}
	return "ok";
}

static const char *read_regions(void)
{
	return each_region(read_one);
}

static const char *read_past(void)
{
	return each_region(past_one);
}

static const char *read_short(void)
{
	return each_region(short_one);
}

static const char *read_absent(void)
{
	uint8_t byte;

	return result(dfd_region_read(dev, 900, 0, &byte, 1));
}

static const char *write_regions(void)
{
	return each_region(write_one);
}

static const char *write_past(void)
{
	return each_region(write_past_one);
}

static const char *write_readonly(void)
{
	return each_region(readonly_one);
}

static const char *map_regions(void)
{
	return each_region(map_one);
}

static const char *map_areas(void)
{
	return each_region(map_areas_one);
}

static const char *map_absent(void)
{
	void *addr;

	return result(dfd_region_mmap(dev, 900, 0, PAGE, PROT_READ, &addr));
}

/* A function whose memory decode is off does not answer. */
static const char *decode_off(void)
{
	int command = is_pci() ? command_register() : -1;
	uint16_t value = (uint16_t)(command & ~2);
	const struct dfd_region *bar = dfd_desc_region(dfd_device_desc(dev), 0);
	uint32_t reg;
	ssize_t n;

	if (command < 0 || !bar || (bar->flags & DFD_REGION_IOPORT))
		return NONE;
	dfd_region_write(dev, DFD_PCI_CONFIG, 4, &value, 2);
	n = dfd_region_read(dev, 0, 0, &reg, 4);
	value = (uint16_t)command;
	dfd_region_write(dev, DFD_PCI_CONFIG, 4, &value, 2);
	return result(n);
}

const struct test region_tests[] = {
	{ "read-regions", "ok", read_regions },
	{ "read-past-end", "ok", read_past },
	{ "read-short", "ok", read_short },
	{ "read-absent", "EINVAL", read_absent },
	{ "write-regions", "ok", write_regions },
	{ "write-past-end", "ok", write_past },
	{ "write-read-only", "ok", write_readonly },
	{ "map-regions", "ok", map_regions },
	{ "map-areas", "ok", map_areas },
	{ "map-absent", "EINVAL", map_absent },
	{ "decode-off", "EIO", decode_off },
	{ 0 },
};
