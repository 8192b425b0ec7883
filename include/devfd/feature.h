/* SPDX-License-Identifier: MIT */
/*
 * Features of VFIO_DEVICE_FEATURE: what a device can do beyond regions, interrupts and DMA.
 *
 * Numbers and meanings are those of linux/vfio.h. Every call works on every device: one that has
 * not the feature answers -ENOTTY.
 */
#ifndef DEVFD_FEATURE_H
#define DEVFD_FEATURE_H

#include <devfd/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/** enum dfd_feature - the numbers */
enum dfd_feature {
	DFD_FEATURE_PCI_VF_TOKEN,
	DFD_FEATURE_MIGRATION,
	DFD_FEATURE_MIG_DEVICE_STATE,
	DFD_FEATURE_LOW_POWER_ENTRY,
	DFD_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
	DFD_FEATURE_LOW_POWER_EXIT,
	DFD_FEATURE_DMA_LOGGING_START,
	DFD_FEATURE_DMA_LOGGING_STOP,
	DFD_FEATURE_DMA_LOGGING_REPORT,
	DFD_FEATURE_MIG_DATA_SIZE,
	DFD_FEATURE_BUS_MASTER,
	DFD_FEATURE_DMA_BUF,
	DFD_FEATURE_MIG_PRECOPY_INFO_V2,
	DFD_FEATURE_ZPCI_ERROR,
	DFD_NUM_FEATURES
};

/* What dfd_device_feature() takes beside the number. */
#define DFD_FEATURE_GET	  (UINT32_C(1) << 16)
#define DFD_FEATURE_SET	  (UINT32_C(1) << 17)
#define DFD_FEATURE_PROBE (UINT32_C(1) << 18)

/* Numbers that dfd_feature_probe() asks for: all that there are, and room for new ones. */
#define DFD_FEATURE_LIMIT 64u

/** dfd_feature_name() - Return: the name in linux/vfio.h without its prefix, NULL if unknown */
const char *dfd_feature_name(uint32_t number);

/**
 * dfd_feature_probe() - ask for every feature whether the device has it; nothing is done
 * @fn: called for each that it has, ascending, with DFD_FEATURE_GET and DFD_FEATURE_SET as they
 *      go; a non-zero return stops
 *
 * Return: 0 or what @fn returned.
 */
int dfd_feature_probe(struct dfd_device *dev,
		      int (*fn)(void *ctx, uint32_t number, uint32_t directions), void *ctx);

/* ---- each of them; all return 0, -ENOTTY for a device without it, or what the device says ---- */

/**
 * dfd_set_vf_token() - let only those who know it open the virtual functions of this one
 * @uuid: 16 bytes, in the order in which a UUID is written
 */
int dfd_set_vf_token(struct dfd_device *dev, const uint8_t uuid[16]);

/** dfd_set_bus_master() - switch DMA of a device that has no configuration space on or off */
int dfd_set_bus_master(struct dfd_device *dev, bool on);

/**
 * dfd_low_power() - let the device sleep until it is accessed, or woken
 * @wakeup: an eventfd that is signalled when it wakes by itself, or -1
 *
 * Mapped regions must not be touched meanwhile: that is SIGBUS.
 */
int dfd_low_power(struct dfd_device *dev, int wakeup);

/** dfd_low_power_end() - wake it */
int dfd_low_power_end(struct dfd_device *dev);

/**
 * dfd_region_dmabuf() - a part of a region as a dma-buf, which other devices can be given
 * @index: region index
 * @areas, @count: parts in multiples of pages, one after the other in the dma-buf; 1 to 64
 *
 * Return: an fd, the caller's; -EOPNOTSUPP or -ENOTTY where the device cannot; -ENODEV for a region
 * that is no BAR; -EINVAL.
 */
int dfd_region_dmabuf(struct dfd_device *dev, uint32_t index, const struct dfd_area *areas,
		      uint32_t count);

/**
 * dfd_zpci_error() - the next error that the platform has reported of a function (s390)
 * @report: receives it, as the platform writes it
 * @len: bytes of @report
 *
 * Return: bytes that were written; -ENOMSG when there is none; -EINVAL when @report is too small,
 * or the device does not say how long a report is.
 */
int dfd_zpci_error(struct dfd_device *dev, void *report, size_t len);

/* ---- migration ---- */

#define DFD_MIGRATION_STOP_COPY UINT64_C(1)
#define DFD_MIGRATION_P2P	UINT64_C(2)
#define DFD_MIGRATION_PRE_COPY	UINT64_C(4)

/** enum dfd_migration_state - where a device is between two machines */
enum dfd_migration_state {
	DFD_MIGRATION_ERROR,
	DFD_MIGRATION_STOP,
	DFD_MIGRATION_RUNNING,
	DFD_MIGRATION_STATE_STOP_COPY,
	DFD_MIGRATION_RESUMING,
	DFD_MIGRATION_RUNNING_P2P,
	DFD_MIGRATION_STATE_PRE_COPY,
	DFD_MIGRATION_PRE_COPY_P2P,
	DFD_NUM_MIGRATION_STATES
};

/** dfd_migration_state_name() - Return: "RUNNING", ..., or "?" */
const char *dfd_migration_state_name(uint32_t state);

/** dfd_migration_flags() - what the device can: @flags receives DFD_MIGRATION_* */
int dfd_migration_flags(struct dfd_device *dev, uint64_t *flags);

/** dfd_migration_get() - @state receives where the device is, as it says */
int dfd_migration_get(struct dfd_device *dev, uint32_t *state);

/**
 * dfd_migration_set() - go to a state
 * @data_fd: receives an fd that the state of the device is read from or written to, the caller's;
 *           -1 where this state has none
 */
int dfd_migration_set(struct dfd_device *dev, enum dfd_migration_state state, int *data_fd);

/** dfd_migration_size() - @bytes receives about how much there will be to read */
int dfd_migration_size(struct dfd_device *dev, uint64_t *bytes);

/**
 * struct dfd_precopy - what can be read while the device still runs
 * @initial: bytes, of what is better read before it stops
 * @dirty: bytes, of what has changed since it was read
 * @again: @initial has started anew; only after dfd_migration_precopy_again()
 */
struct dfd_precopy {
	uint64_t initial;
	uint64_t dirty;
	bool again;
};

/**
 * dfd_migration_precopy() - how much can be read now
 * @data_fd: as dfd_migration_set() gave it for PRE_COPY
 *
 * Return: 0; -EINVAL when the device is not in PRE_COPY; -ENOTTY for another file.
 */
int dfd_migration_precopy(int data_fd, struct dfd_precopy *out);

/** dfd_migration_precopy_again() - let the device start anew with what is read first, if it must */
int dfd_migration_precopy_again(struct dfd_device *dev);

/* ---- which memory a device has written, as the device itself knows ---- */

/** struct dfd_dma_range - addresses of a device */
struct dfd_dma_range {
	uint64_t iova;
	uint64_t size;
};

/**
 * dfd_dma_logging_start() - have the device keep account of what it writes
 * @page: bytes for each bit, a power of two, 4096 or more
 * @ranges, @count: where; at most 256
 */
int dfd_dma_logging_start(struct dfd_device *dev, uint64_t page, const struct dfd_dma_range *ranges,
			  uint32_t count);

/** dfd_dma_logging_stop() */
int dfd_dma_logging_stop(struct dfd_device *dev);

/**
 * dfd_dma_logging_report() - what was written since the last report
 * @page: as started
 * @bitmap: bit n is set for a page that was written, the others are left as they are; room for
 *          @range->size / @page bits in words of 64
 */
int dfd_dma_logging_report(struct dfd_device *dev, const struct dfd_dma_range *range, uint64_t page,
			   uint64_t *bitmap);

#ifdef __cplusplus
}
#endif
#endif
