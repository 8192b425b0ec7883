/* SPDX-License-Identifier: MIT */
/* model:nvme as a device: its description, its regions, its options. See nvme.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/nvme/ids.h"
#include "model/nvme/nvme.h"

#define BAR_SIZE   0x4000u
#define MSIX_TABLE 0x2000u
#define MSIX_PBA   0x3000u
#define CLASS_NVME 0x010802u

/* ---- operations ---- */

static bool wrong_width(uint64_t offset, size_t len)
{
	return (len != 4 && len != 8) || offset % len;
}

static ssize_t bar_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			size_t len)
{
	const struct nvme *n = dfd_device_priv(dev);

	(void)index;
	if (wrong_width(offset, len))
		return -EIO;
	for (size_t i = 0; i < len; i += 4)
		dfd_reg_store((uint8_t *)buf + i, 4, nvme_register_read(n, offset + i));
	return (ssize_t)len;
}

static ssize_t bar_write(struct dfd_device *dev, uint32_t index, uint64_t offset, const void *buf,
			 size_t len)
{
	struct nvme *n = dfd_device_priv(dev);

	(void)index;
	if (wrong_width(offset, len))
		return -EIO;
	for (size_t i = 0; i < len && offset + i < MSIX_TABLE; i += 4)
		nvme_register_write(n, offset + i,
				    (uint32_t)dfd_reg_load((const uint8_t *)buf + i, 4));
	return (ssize_t)len;
}

static void timer(struct dfd_device *dev, unsigned int id)
{
	struct nvme *n = dfd_device_priv(dev);

	if (id == NVME_TIMER_DOORBELLS)
		nvme_doorbells_poll(n);
	else
		nvme_work(n);
}

static int bar_map(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset)
{
	const struct nvme *n = dfd_device_priv(dev);

	(void)index;
	*fd = n->doorbells.fd;
	*offset = 0;
	return *fd < 0 ? -EOPNOTSUPP : 0;
}

/* DMA was cancelled before, so that no request need be waited for. */
static int reset(struct dfd_device *dev)
{
	struct nvme *n = dfd_device_priv(dev);

	nvme_drop(n, NULL);
	nvme_clear(n);
	return 0;
}

static void nvme_free(struct nvme *n)
{
	nvme_disk_close(&n->disk);
	nvme_doorbells_close(&n->doorbells);
	free(n->buffers);
	free(n);
}

static void close_device(struct dfd_device *dev)
{
	nvme_free(dfd_device_priv(dev));
}

static const struct dfd_device_ops nvme_ops = {
	.size = sizeof(nvme_ops),
	.name = "nvme",
	.region_read = bar_read,
	.region_write = bar_write,
	.region_map = bar_map,
	.timer = timer,
	.reset = reset,
	.close = close_device,
};

/* ---- making one ---- */

enum nvme_option {
	OPTION_IMAGE,
	OPTION_SIZE,
	OPTION_SERIAL,
	OPTION_READONLY,
	OPTION_DOORBELLS,
	NUM_OPTIONS
};

static const struct dfd_model_option nvme_options[NUM_OPTIONS] = {
	[OPTION_IMAGE] = { "image", DFD_OPTION_TEXT, .help = "the file with the blocks; needed" },
	[OPTION_SIZE] = { "size", DFD_OPTION_NUMBER, 0, 0, UINT64_C(1) << 62,
			  "bytes of the image, as in 64M, made if it is not there; 0: as it is" },
	[OPTION_SERIAL] = { "serial", DFD_OPTION_TEXT,
			    .help = "serial number, up to 20 characters; else one made of "
				    "the path" },
	[OPTION_READONLY] = { "readonly", DFD_OPTION_BOOL, .help = "refuse to write" },
	[OPTION_DOORBELLS] = { "doorbells", DFD_OPTION_TEXT,
			       .help = "mapped: drivers may map them, service polls them; "
				       "registers" },
};

static struct dfd_desc_builder *describe(bool mapped)
{
	const struct dfd_area area = { .offset = NVME_DOORBELLS, .size = NVME_PAGE };
	struct dfd_desc_builder *b = dfd_pci_builder(
		&(struct dfd_pci_identity){ "nvme", NVME_VENDOR_ID, NVME_DEVICE_ID, NVME_VENDOR_ID,
					    NVME_DEVICE_ID, CLASS_NVME, 1, 0, NVME_QUEUES });

	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_BAR0,
						     .flags = mapped ? DFD_REGION_MAPPABLE : 0,
						     .size = BAR_SIZE,
						     .areas = mapped ? &area : NULL,
						     .num_areas = mapped });
	return b;
}

/* FNV-1a. */
static uint64_t hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	while (*text)
		h = (h ^ (uint8_t)*text++) * UINT64_C(0x100000001b3);
	return h;
}

static int check_serial(const char *serial, struct dfd_error *err)
{
	size_t len = strlen(serial);

	for (const char *c = serial; *c; c++)
		len = *c > ' ' && *c <= '~' ? len : 0;
	if (!len || len > NVME_SERIAL)
		return dfd_error_set(
			err, -EINVAL,
			"model:nvme: serial=%s is not 1 to %u visible ASCII characters", serial,
			NVME_SERIAL);
	return 0;
}

/* Two controllers of one machine must differ, and each must be the same tomorrow. */
static void set_identity(struct nvme *n, const char *serial, const char *path)
{
	char *full = realpath(path, NULL);

	if (serial)
		snprintf(n->serial, sizeof(n->serial), "%s", serial);
	else
		snprintf(n->serial, sizeof(n->serial), "%016" PRIX64, hash(full ? full : path));
	free(full);
	dfd_reg_store(n->uuid, 8, hash(n->serial));
	dfd_reg_store(n->uuid + 8, 8, ~hash(n->serial));
	n->uuid[6] = (uint8_t)(0x80 | (n->uuid[6] & 0x0f)); /* version 8: made our own way */
	n->uuid[8] = (uint8_t)(0x80 | (n->uuid[8] & 0x3f));
}

static int init_doorbells(struct nvme *n, const char *kind, struct dfd_error *err)
{
	int ret;

	if (!kind || !strcmp(kind, "registers"))
		return 0;
	if (strcmp(kind, "mapped") != 0)
		return dfd_error_set(err, -EINVAL,
				     "model:nvme: doorbells=%s is neither registers nor mapped",
				     kind);
	ret = nvme_doorbells_open(&n->doorbells);
	return ret ? dfd_error_set(err, ret, "model:nvme: memory for doorbells: %s", strerror(-ret))
		   : 0;
}

/* The buffers stay untouched pages until they are used. */
static int init(struct nvme *n, const union dfd_option_value *values, struct dfd_error *err)
{
	const char *path = values[OPTION_IMAGE].text, *serial = values[OPTION_SERIAL].text;
	int ret;

	if (!path)
		return dfd_error_set(err, -EINVAL, "model:nvme: say which file: image=FILE");
	ret = serial ? check_serial(serial, err) : 0;
	if (!ret)
		ret = init_doorbells(n, values[OPTION_DOORBELLS].text, err);
	if (ret)
		return ret;
	n->buffers = calloc(NVME_REQUESTS, NVME_MAX_DATA);
	if (!n->buffers)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < NVME_REQUESTS; i++) {
		n->requests[i].n = n;
		n->requests[i].data = n->buffers + (size_t)i * NVME_MAX_DATA;
	}
	nvme_clear(n);
	ret = nvme_disk_open(&n->disk, path, values[OPTION_SIZE].number,
			     values[OPTION_READONLY].number, err);
	if (!ret)
		set_identity(n, serial, path);
	return ret;
}

static int nvme_create(const union dfd_option_value *values, struct dfd_device **out,
		       struct dfd_error *err)
{
	const struct dfd_pci_setup setup = { .bars_64bit = 1,
					     .msix_table = MSIX_TABLE,
					     .msix_pba = MSIX_PBA };
	struct nvme *n = calloc(1, sizeof(*n));
	int ret;

	if (!n)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	n->disk.fd = n->doorbells.fd = -1;
	ret = init(n, values, err);
	if (!ret)
		ret = dfd_model_build(describe(n->doorbells.page), &nvme_ops, n, &setup, out, err);
	if (ret)
		nvme_free(n);
	else
		n->dev = *out;
	return ret;
}

const struct dfd_model_type dfd_model_nvme = {
	.name = "nvme",
	.help = "an NVMe 1.4 controller with one namespace in a file; MSI-X and INTx",
	.options = nvme_options,
	.num_options = NUM_OPTIONS,
	.create = nvme_create,
};
