/* SPDX-License-Identifier: MIT */
/*
 * Saved devices: the table as design one gives it, and the configuration space as one more record.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/provider.h>
#include <devfd/save.h>
#include <devfd/table.h>

#include "file/image.h"
#include "file/saved.h"
#include "util/fileio.h"

/* The record around a saved configuration space: header, body and padding. */
#define RECORD_ROOM (IMAGE_MAX + 64)

/* ---- saving ---- */

/* Configuration space as far as it can be read: bytes, or a negative errno. */
static ssize_t read_config(struct dfd_device *dev, uint8_t *config)
{
	const struct dfd_region *r = dfd_desc_region(dfd_device_desc(dev), DFD_PCI_CONFIG);
	size_t len, got = 0;

	if (dfd_desc_bus(dfd_device_desc(dev)) != DFD_BUS_PCI || !r)
		return 0;
	len = r->size < IMAGE_MAX ? (size_t)r->size : IMAGE_MAX;
	while (got < len) {
		ssize_t n = dfd_region_read(dev, DFD_PCI_CONFIG, got, config + got, len - got);

		/* No contents at all, or none beyond what an unprivileged user may see. */
		if (n == -EOPNOTSUPP || n == -EACCES)
			break;
		if (n <= 0)
			return n ? n : -EIO;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* Fill @table, which has room for everything: its length, or a negative errno. */
static ssize_t make_table(struct dfd_device *dev, uint8_t *table, size_t room)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);
	uint8_t config[IMAGE_MAX];
	ssize_t config_len = read_config(dev, config);
	size_t len;

	if (config_len < 0)
		return config_len;
	len = dfd_table_read(desc, NULL, 0, table, dfd_table_size(desc));
	if (!config_len)
		return (ssize_t)len;
	return dfd_table_append_config(table, len, room, config, (size_t)config_len);
}

int dfd_save(struct dfd_device *dev, const char *path, struct dfd_error *err)
{
	size_t room = (size_t)dfd_table_size(dfd_device_desc(dev)) + RECORD_ROOM;
	uint8_t *table;
	ssize_t len;
	int ret;

	if (room > DFD_TABLE_MAX_SIZE)
		return dfd_error_set(err, -EFBIG, "%s: the table is larger than %u bytes", path,
				     DFD_TABLE_MAX_SIZE);
	table = malloc(room);
	len = table ? make_table(dev, table, room) : -ENOMEM;
	if (len < 0) {
		ret = (int)len;
		dfd_error_set(err, ret, "%s: not written: the device cannot be read: %s", path,
			      strerrordesc_np(-ret));
	} else {
		ret = dfd_replace_file(path, table, (size_t)len, err);
	}
	free(table);
	return ret;
}

/* ---- describing again ---- */

ssize_t image_read(const struct image *image, uint32_t index, uint64_t offset, void *buf,
		   size_t len)
{
	if (index != DFD_PCI_CONFIG || offset >= image->len)
		return -EOPNOTSUPP;
	if (len > image->len - offset)
		len = (size_t)(image->len - offset);
	memcpy(buf, image->bytes + offset, len);
	return (ssize_t)len;
}

static ssize_t saved_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			  size_t len)
{
	return image_read(dfd_device_priv(dev), index, offset, buf, len);
}

static void saved_close(struct dfd_device *dev)
{
	free(dfd_device_priv(dev));
}

static const struct dfd_device_ops saved_ops = {
	.size = sizeof(saved_ops),
	.name = "file",
	.region_read = saved_read,
	.close = saved_close,
};

static int new_device(const struct dfd_desc *desc, const uint8_t *table,
		      const struct dfd_table_extra *extra, struct dfd_device **out)
{
	bool pci = dfd_desc_bus(desc) == DFD_BUS_PCI;
	struct image *image = malloc(sizeof(*image) + extra->config_len);
	int ret;

	if (!image)
		return -ENOMEM;
	image->len = pci ? extra->config_len : 0;
	memcpy(image->bytes, table + extra->config, image->len);
	ret = dfd_device_new(desc, &saved_ops, image, false, out);
	if (ret)
		free(image);
	return ret;
}

int dfd_saved_open(const char *path, struct dfd_device **out, struct dfd_error *err)
{
	struct dfd_table_extra extra = { 0 };
	const struct dfd_desc *desc = NULL;
	struct dfd_error why;
	void *table;
	size_t len;
	int ret;

	if (!*path)
		return dfd_error_set(
			err, -EINVAL,
			"file: names no file: write file:NAME, the name of a saved table");
	ret = dfd_read_file(path, DFD_TABLE_MAX_SIZE, &table, &len, &why);
	if (ret)
		return dfd_error_set(err, ret, "file:%s", why.text);
	ret = dfd_table_parse(table, len, &desc, &extra, &why);
	if (ret)
		dfd_error_set(err, ret, "file:%s: %s", path, why.text);
	else
		ret = new_device(desc, table, &extra, out);
	dfd_desc_unref(desc);
	free(table);
	return ret;
}
