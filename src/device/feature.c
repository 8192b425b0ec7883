/* SPDX-License-Identifier: MIT */
/* Features by name: each puts its body together and has the device do it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <devfd/feature.h>

#include "abi/vfio.h"
#include "device/device.h"

#define MAX_RANGES 256u

_Static_assert(DFD_FEATURE_PROBE == VFIO_DEVICE_FEATURE_PROBE, "the values of linux/vfio.h");
_Static_assert(sizeof(struct dfd_dma_range) == 16, "struct vfio_device_feature_dma_logging_range");

/**
 * struct known - a feature
 * @plain: its body is nothing but numbers: it holds no address and no fd of this process
 */
static const struct known {
	const char *name;
	bool plain;
} known[] = {
	[DFD_FEATURE_PCI_VF_TOKEN] = { "PCI_VF_TOKEN", true },
	[DFD_FEATURE_MIGRATION] = { "MIGRATION", true },
	[DFD_FEATURE_MIG_DEVICE_STATE] = { "MIG_DEVICE_STATE", false },
	[DFD_FEATURE_LOW_POWER_ENTRY] = { "LOW_POWER_ENTRY", true },
	[DFD_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP] = { "LOW_POWER_ENTRY_WITH_WAKEUP", false },
	[DFD_FEATURE_LOW_POWER_EXIT] = { "LOW_POWER_EXIT", true },
	[DFD_FEATURE_DMA_LOGGING_START] = { "DMA_LOGGING_START", false },
	[DFD_FEATURE_DMA_LOGGING_STOP] = { "DMA_LOGGING_STOP", true },
	[DFD_FEATURE_DMA_LOGGING_REPORT] = { "DMA_LOGGING_REPORT", false },
	[DFD_FEATURE_MIG_DATA_SIZE] = { "MIG_DATA_SIZE", true },
	[DFD_FEATURE_BUS_MASTER] = { "BUS_MASTER", true },
	[DFD_FEATURE_DMA_BUF] = { "DMA_BUF", false },
	[DFD_FEATURE_MIG_PRECOPY_INFO_V2] = { "MIG_PRECOPY_INFOv2", true },
	[DFD_FEATURE_ZPCI_ERROR] = { "ZPCI_ERROR", false },
};

_Static_assert(sizeof(known) / sizeof(*known) == DFD_NUM_FEATURES, "one name each");

const char *dfd_feature_name(uint32_t number)
{
	return number < DFD_NUM_FEATURES ? known[number].name : NULL;
}

bool device_feature_is_plain(uint32_t flags)
{
	uint32_t number = flags & VFIO_DEVICE_FEATURE_MASK;

	return number < DFD_NUM_FEATURES && known[number].plain;
}

/* Asking for a direction that it has not is -EINVAL. */
int dfd_feature_probe(struct dfd_device *dev,
		      int (*fn)(void *ctx, uint32_t number, uint32_t directions), void *ctx)
{
	static const uint32_t asked[] = { DFD_FEATURE_GET, DFD_FEATURE_SET };
	int ret = 0;

	for (uint32_t n = 0; n < DFD_FEATURE_LIMIT && !ret; n++) {
		uint32_t directions = 0;

		for (int i = 0; i < 2; i++) {
			if (dfd_device_feature(dev, n | asked[i] | DFD_FEATURE_PROBE, NULL, 0) >= 0)
				directions |= asked[i];
		}
		if (directions)
			ret = fn(ctx, n, directions);
	}
	return ret;
}

/* Every feature but DMA_BUF answers 0. */
static int do_feature(struct dfd_device *dev, uint32_t flags, void *body, size_t len)
{
	int ret = dfd_device_feature(dev, flags, body, len);

	return ret < 0 ? ret : 0;
}

static int get(struct dfd_device *dev, enum dfd_feature number, void *body, size_t len)
{
	return do_feature(dev, number | DFD_FEATURE_GET, body, len);
}

static int set(struct dfd_device *dev, enum dfd_feature number, void *body, size_t len)
{
	return do_feature(dev, number | DFD_FEATURE_SET, body, len);
}

/* What cannot be right is -EINVAL, but a device without the feature has none, whatever is asked. */
static int refuse(struct dfd_device *dev, uint32_t feature)
{
	int ret = dfd_device_feature(dev, feature | DFD_FEATURE_PROBE, NULL, 0);

	return ret < 0 ? ret : -EINVAL;
}

int dfd_set_vf_token(struct dfd_device *dev, const uint8_t uuid[16])
{
	uint8_t body[16];

	memcpy(body, uuid, sizeof(body));
	return set(dev, DFD_FEATURE_PCI_VF_TOKEN, body, sizeof(body));
}

int dfd_set_bus_master(struct dfd_device *dev, bool on)
{
	struct vfio_device_feature_bus_master body = { .op = on };

	return set(dev, DFD_FEATURE_BUS_MASTER, &body, sizeof(body));
}

int dfd_low_power(struct dfd_device *dev, int wakeup)
{
	struct vfio_device_low_power_entry_with_wakeup body = { .wakeup_eventfd = wakeup };

	if (wakeup < 0)
		return set(dev, DFD_FEATURE_LOW_POWER_ENTRY, NULL, 0);
	return set(dev, DFD_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, &body, sizeof(body));
}

int dfd_low_power_end(struct dfd_device *dev)
{
	return set(dev, DFD_FEATURE_LOW_POWER_EXIT, NULL, 0);
}

int dfd_region_dmabuf(struct dfd_device *dev, uint32_t index, const struct dfd_area *areas,
		      uint32_t count)
{
	struct {
		struct vfio_device_feature_dma_buf head;
		struct vfio_region_dma_range ranges[DFD_MAX_AREAS];
	} body = { .head = { .region_index = index,
			     .open_flags = O_RDWR | O_CLOEXEC,
			     .nr_ranges = count } };

	if (!count || count > DFD_MAX_AREAS)
		return refuse(dev, DFD_FEATURE_DMA_BUF | DFD_FEATURE_GET);
	for (uint32_t i = 0; i < count; i++)
		body.ranges[i] = (struct vfio_region_dma_range){ areas[i].offset, areas[i].size };
	return dfd_device_feature(dev, DFD_FEATURE_DMA_BUF | DFD_FEATURE_GET, &body,
				  sizeof(body.head) + count * sizeof(*body.ranges));
}

/* Not before version 3 of its capability does a function say how much the kernel writes. */
int dfd_zpci_error(struct dfd_device *dev, void *report, size_t len)
{
	struct vfio_device_feature_zpci_err body = { .data = (uintptr_t)report };
	uint32_t count, size = UINT32_MAX;
	const struct dfd_cap *caps = dfd_desc_caps(dev->desc, &count);
	int ret;

	for (uint32_t i = 0; i < count; i++) {
		if (caps[i].id == VFIO_DEVICE_INFO_CAP_ZPCI_BASE &&
		    caps[i].size >= VFIO_ZPCI_BASE_ERR_LENGTH + sizeof(size))
			memcpy(&size, (const char *)caps[i].data + VFIO_ZPCI_BASE_ERR_LENGTH,
			       sizeof(size));
	}
	if (size > len || size > INT32_MAX)
		return -EINVAL;
	ret = get(dev, DFD_FEATURE_ZPCI_ERROR, &body, sizeof(body));
	return ret ? ret : (int)size;
}

/* ---- migration ---- */

const char *dfd_migration_state_name(uint32_t state)
{
	static const char *const names[] = {
		"ERROR",    "STOP",	   "RUNNING",  "STOP_COPY",
		"RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P"
	};

	_Static_assert(sizeof(names) / sizeof(*names) == DFD_NUM_MIGRATION_STATES, "one each");
	return state < DFD_NUM_MIGRATION_STATES ? names[state] : "?";
}

int dfd_migration_flags(struct dfd_device *dev, uint64_t *flags)
{
	struct vfio_device_feature_migration body = { 0 };
	int ret = get(dev, DFD_FEATURE_MIGRATION, &body, sizeof(body));

	*flags = body.flags;
	return ret;
}

int dfd_migration_get(struct dfd_device *dev, uint32_t *state)
{
	struct vfio_device_feature_mig_state body = { 0 };
	int ret = get(dev, DFD_FEATURE_MIG_DEVICE_STATE, &body, sizeof(body));

	*state = body.device_state;
	return ret;
}

int dfd_migration_set(struct dfd_device *dev, enum dfd_migration_state state, int *data_fd)
{
	struct vfio_device_feature_mig_state body = { .device_state = state, .data_fd = -1 };
	int ret = do_feature(dev, DFD_FEATURE_MIG_DEVICE_STATE | DFD_FEATURE_SET, &body,
			     sizeof(body));

	*data_fd = ret ? -1 : body.data_fd;
	return ret;
}

int dfd_migration_size(struct dfd_device *dev, uint64_t *bytes)
{
	struct vfio_device_feature_mig_data_size body = { 0 };
	int ret = get(dev, DFD_FEATURE_MIG_DATA_SIZE, &body, sizeof(body));

	*bytes = body.stop_copy_length;
	return ret;
}

int dfd_migration_precopy(int data_fd, struct dfd_precopy *out)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };

	if (ioctl(data_fd, VFIO_MIG_GET_PRECOPY_INFO, &info))
		return -errno;
	*out = (struct dfd_precopy){ info.initial_bytes, info.dirty_bytes,
				     info.flags & VFIO_PRECOPY_INFO_REINIT };
	return 0;
}

int dfd_migration_precopy_again(struct dfd_device *dev)
{
	return set(dev, DFD_FEATURE_MIG_PRECOPY_INFO_V2, NULL, 0);
}

/* ---- what the device has written ---- */

/* The kernel leaves some of that to the device's driver. */
static bool is_page(uint64_t page)
{
	return page >= 4096 && !(page & (page - 1));
}

int dfd_dma_logging_start(struct dfd_device *dev, uint64_t page, const struct dfd_dma_range *ranges,
			  uint32_t count)
{
	struct vfio_device_feature_dma_logging_control body = { .page_size = page,
								.num_ranges = count,
								.ranges = (uintptr_t)ranges };

	if (!count || count > MAX_RANGES || !is_page(page))
		return refuse(dev, DFD_FEATURE_DMA_LOGGING_START | DFD_FEATURE_SET);
	return set(dev, DFD_FEATURE_DMA_LOGGING_START, &body, sizeof(body));
}

int dfd_dma_logging_stop(struct dfd_device *dev)
{
	return set(dev, DFD_FEATURE_DMA_LOGGING_STOP, NULL, 0);
}

int dfd_dma_logging_report(struct dfd_device *dev, const struct dfd_dma_range *range, uint64_t page,
			   uint64_t *bitmap) /* NOLINT(readability-*): written to */
{
	struct vfio_device_feature_dma_logging_report body = { .iova = range->iova,
							       .length = range->size,
							       .page_size = page,
							       .bitmap = (uintptr_t)bitmap };

	if (!range->size || !is_page(page))
		return refuse(dev, DFD_FEATURE_DMA_LOGGING_REPORT | DFD_FEATURE_GET);
	return get(dev, DFD_FEATURE_DMA_LOGGING_REPORT, &body, sizeof(body));
}
