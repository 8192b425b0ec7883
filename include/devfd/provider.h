/* SPDX-License-Identifier: MIT */
/*
 * The waist, seen by implementers: two tables of functions, one in each direction.
 *
 * struct dfd_device_ops is what a driver may ask of a device; sources, models and filters implement
 * it. struct dfd_host_ops is what a model may ask of its surroundings: the driver's memory,
 * interrupts and time. A model does not know how it is reached.
 *
 * Rules for models: never sleep, own no thread, keep nothing that outlives close. Every function is
 * called with the device locked, one at a time. dfd_timer() brings control back later.
 */
#ifndef DEVFD_PROVIDER_H
#define DEVFD_PROVIDER_H

#include <devfd/device.h>
#include <devfd/display.h>
#include <devfd/iommu.h>
#include <devfd/reset.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dfd_host;

/**
 * struct dfd_doorbell - a write to a register for which an eventfd may stand
 * @value: what is written
 *
 * A write that says all by its coming, and the same whether it comes once or twice in a row: an
 * eventfd that is signalled again before anybody looked says no more than one that was signalled
 * once.
 */
struct dfd_doorbell {
	uint32_t region;
	uint32_t size; /* 1, 2, 4 or 8 bytes */
	uint64_t offset;
	uint64_t value;
};

/** enum dfd_dirty_op - what is asked of the account of written memory: see <devfd/iommu.h> */
enum dfd_dirty_op { DFD_DIRTY_START, DFD_DIRTY_STOP, DFD_DIRTY_GET, DFD_DIRTY_PEEK };

/**
 * struct dfd_device_ops - driver to device
 * @size: sizeof(struct dfd_device_ops), so that the table can grow
 * @name: what kind of device this is, for messages
 *
 * NULL means not supported. Before any function here is called the library has checked that the
 * region exists, that the range lies inside it (cut short at its end) and that a write does not go
 * to a read-only region. Reads and writes return the bytes moved or a negative errno and never
 * block. For a model, what is NULL of @set_irqs, @dma_map, @dma_unmap is the library's.
 */
struct dfd_device_ops {
	size_t size;
	const char *name;
	/** Serve @len bytes at @offset. A register of the wrong width: -EIO. */
	ssize_t (*region_read)(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			       size_t len);
	ssize_t (*region_write)(struct dfd_device *dev, uint32_t index, uint64_t offset,
				const void *buf, size_t len);
	/** The file behind the mappable areas: see dfd_region_backing(). The fd stays the device's.
	 * It is handed to clients of a server where it is a memfd sealed against shrinking.
	 */
	int (*region_map)(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset);
	/** Arguments are checked against the description; the fds may still not be eventfds. */
	int (*set_irqs)(struct dfd_device *dev, const struct dfd_irq_set *set);
	/** Sizes and wraps are checked. Must fill map->iova when it is DFD_IOVA_ANY. */
	int (*dma_map)(struct dfd_device *dev, struct dfd_dma_map *map);
	int (*dma_unmap)(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *unmapped);
	/** Only called when the description has DFD_DEVICE_RESET. For a model the library has
	 * cancelled pending DMA, stopped the timers and lowered the lines before.
	 */
	int (*reset)(struct dfd_device *dev);
	int (*feature)(struct dfd_device *dev, uint32_t flags, void *data, size_t len);
	/** Sources that need service: run what is due, without blocking. */
	int (*service)(struct dfd_device *dev);
	/** Sources that need service: an fd that polls readable when there is some. */
	int (*poll_fd)(struct dfd_device *dev);
	/** Models: the timer @id armed with dfd_timer() has run out. */
	void (*timer)(struct dfd_device *dev, unsigned int id);
	/** Free what the device owns, its private data included. */
	void (*close)(struct dfd_device *dev);
	/** Writes that may be signalled; a server offers them to clients. */
	const struct dfd_doorbell *doorbells;
	uint32_t num_doorbells;
	/** Kernel devices: see <devfd/reset.h>. */
	int (*hot_reset_info)(struct dfd_device *dev, struct dfd_hot_reset **out,
			      struct dfd_error *err);
	int (*hot_reset)(struct dfd_device *dev, struct dfd_error *err);
	/** Kernel devices: see <devfd/iommu.h>. */
	int (*dma_limits)(struct dfd_device *dev, struct dfd_dma_limits *out);
	int (*dirty)(struct dfd_device *dev, enum dfd_dirty_op op, uint64_t iova, uint64_t size,
		     uint64_t *bitmap);
	/** Kernel devices: see <devfd/display.h>; @kind NULL: only probe. */
	int (*plane)(struct dfd_device *dev, enum dfd_plane_way way,
		     const enum dfd_plane_kind *kind, struct dfd_plane *out);
	int (*plane_dmabuf)(struct dfd_device *dev, uint32_t where);
	/** Kernel devices: as dfd_irq_flags(). */
	int (*irq_flags)(struct dfd_device *dev, uint32_t index, uint32_t *flags);
};

/**
 * dfd_device_new() - make a device of a source or a filter
 * @desc: the description; a reference is taken
 * @ops: must outlive the device
 * @priv: for dfd_device_priv(); freed by ops->close
 * @locked: guard every operation with a mutex (false: the operations are thread-safe themselves)
 * @out: receives the device
 *
 * Return: 0; -ENOMEM; -EINVAL for @ops without a size; on failure @priv stays the caller's.
 */
int dfd_device_new(const struct dfd_desc *desc, const struct dfd_device_ops *ops, void *priv,
		   bool locked, struct dfd_device **out);

/** dfd_device_priv() - Return: the private data given at creation */
void *dfd_device_priv(const struct dfd_device *dev);

/**
 * dfd_device_log() - say what a driver did wrong and no register can tell
 * @fmt: printf format of one sentence without newline; cut after 511 bytes
 *
 * Goes to dfd_device_watch_log(), or nowhere. Call it with the device locked, if it has a lock.
 */
void dfd_device_log(struct dfd_device *dev, const char *fmt, ...)
#ifdef __GNUC__
	__attribute__((format(printf, 2, 3)))
#endif
	;

/** dfd_device_host() - Return: the host of a model, NULL for other devices */
struct dfd_host *dfd_device_host(const struct dfd_device *dev);

/**
 * struct dfd_pci_setup - what configuration space holds beyond the description
 * @bars_64bit: bit n: BAR n is a 64-bit BAR (and BAR n+1 has no region)
 * @prefetchable: bit n: BAR n is prefetchable
 * @msix_bar: BAR with the MSI-X table and pending bits; looked at if there are MSI-X vectors
 * @msix_table: offset of the table in that BAR, a multiple of 8
 * @msix_pba: offset of the pending bits in that BAR, a multiple of 8
 */
struct dfd_pci_setup {
	uint8_t bars_64bit;
	uint8_t prefetchable;
	uint8_t msix_bar;
	uint32_t msix_table;
	uint32_t msix_pba;
};

/**
 * dfd_model_new() - make a device of a model
 * @desc: the description; a reference is taken
 * @ops: the model; must outlive the device
 * @priv: for dfd_device_priv(); freed by ops->close
 * @pci: PCI only: NULL for all zero. The library serves region 7 (configuration space, built from
 *       the description), the MSI-X table and the pending bits; the model never sees those accesses
 * @out: receives the device
 * @err: optional
 *
 * Return: 0; -ENOMEM; -EMFILE; -EINVAL when description and setup contradict each other, and for
 * @ops without a size. On failure @priv stays the caller's.
 */
int dfd_model_new(const struct dfd_desc *desc, const struct dfd_device_ops *ops, void *priv,
		  const struct dfd_pci_setup *pci, struct dfd_device **out, struct dfd_error *err);

/* ---- what a model may ask of its host ---- */

/** dfd_dma_done - a DMA has ended; @status is 0 or a negative errno */
typedef void (*dfd_dma_done)(void *ctx, int status);

/**
 * struct dfd_host_ops - device to driver
 * @size: sizeof(struct dfd_host_ops)
 *
 * Each member is called by the function below that bears its name; see there.
 */
struct dfd_host_ops {
	size_t size;
	void *(*dma_get)(struct dfd_host *host, uint64_t iova, uint64_t len, uint32_t prot);
	void (*dma_put)(struct dfd_host *host, void *ptr, uint64_t written);
	int (*dma_read)(struct dfd_host *host, uint64_t iova, void *buf, size_t len,
			dfd_dma_done done, void *ctx);
	int (*dma_write)(struct dfd_host *host, uint64_t iova, const void *buf, size_t len,
			 dfd_dma_done done, void *ctx);
	void (*irq_level)(struct dfd_host *host, uint32_t index, bool asserted);
	void (*irq_message)(struct dfd_host *host, uint32_t index, uint32_t vector);
	bool (*irq_enabled)(struct dfd_host *host, uint32_t index);
	int (*timer)(struct dfd_host *host, unsigned int id, uint64_t ns);
};

/** struct dfd_host - the surroundings of a model; embedded in whoever implements it */
struct dfd_host {
	const struct dfd_host_ops *ops;
};

/* Timers of one model: ids 0 to DFD_MAX_TIMERS - 1. */
#define DFD_MAX_TIMERS 8u
/* Requests by message of one model that may be in flight. */
#define DFD_MAX_DMA_INFLIGHT 64u
/* Bytes of one dfd_dma_read() or dfd_dma_write(). */
#define DFD_MAX_DMA_LEN (UINT32_C(1) << 20)

/**
 * dfd_dma_get() - a pointer to the driver's memory
 * @iova: start, in bytes
 * @len: in bytes; must lie in one map
 * @prot: what the model will do: DFD_DMA_READ reads memory, DFD_DMA_WRITE writes it
 *
 * The pointer is good until dfd_dma_put(), which must come before the model's function returns.
 *
 * Return: the pointer, or NULL where the range is not mapped so, bus mastering is off, or memory is
 * reachable by message only.
 */
void *dfd_dma_get(struct dfd_host *host, uint64_t iova, uint64_t len, uint32_t prot);

/**
 * dfd_dma_put() - end the use of a pointer
 * @ptr: as dfd_dma_get() gave it; NULL is fine
 * @written: bytes written from @ptr on; exactly those are marked dirty
 */
void dfd_dma_put(struct dfd_host *host, void *ptr, uint64_t written);

/**
 * dfd_dma_read() - copy from the driver's memory
 * @iova: start, in bytes; the range may span maps only where all are reached by pointer
 * @buf: receives the bytes; must stay valid until the end
 * @len: in bytes, at most DFD_MAX_DMA_LEN
 * @done: runs once, later, if and only if 0 is returned; only from service, never inside this call
 * @ctx: for @done
 *
 * On reset, unmap of the range and close, @done runs with -ECANCELED before those act.
 *
 * Return: 1 finished, also by an answer inside the request; 0 @done will follow; -EFAULT not mapped
 * for reading; -EIO bus mastering is off; -EINVAL more than DFD_MAX_DMA_LEN; -EAGAIN
 * DFD_MAX_DMA_INFLIGHT requests are under way; -ECANCELED by message, inside a @done that runs
 * because of a cancellation; what the driver's struct dfd_dma_io says.
 */
int dfd_dma_read(struct dfd_host *host, uint64_t iova, void *buf, size_t len, dfd_dma_done done,
		 void *ctx);

/** dfd_dma_write() - copy to the driver's memory; as dfd_dma_read(). @buf is free on return */
int dfd_dma_write(struct dfd_host *host, uint64_t iova, const void *buf, size_t len,
		  dfd_dma_done done, void *ctx);

/**
 * dfd_irq_level() - drive the line of a wired interrupt
 * @index: the interrupt's index (PCI: 0, INTx)
 * @asserted: true while the device wants attention
 *
 * A level interrupt is masked on delivery; if the line is still asserted when it is unmasked, it is
 * delivered again. An edge interrupt is delivered when the line goes up.
 */
void dfd_irq_level(struct dfd_host *host, uint32_t index, bool asserted);

/**
 * dfd_irq_message() - send an MSI or MSI-X vector (or ERR, REQ)
 *
 * A masked vector becomes pending and is delivered once when it is unmasked. A vector that is not
 * enabled is lost, and so is MSI and MSI-X while bus mastering is off, as on hardware.
 */
void dfd_irq_message(struct dfd_host *host, uint32_t index, uint32_t vector);

/** dfd_irq_enabled() - Return: true when the driver has enabled that index */
bool dfd_irq_enabled(struct dfd_host *host, uint32_t index);

/**
 * dfd_timer() - have ops->timer called later
 * @id: below DFD_MAX_TIMERS; arming it again moves it
 * @ns: from now, in nanoseconds; 0 as soon as this call into the device has ended (deferred work);
 *      DFD_TIMER_OFF stops it
 *
 * Return: 0 or -EINVAL.
 */
int dfd_timer(struct dfd_host *host, unsigned int id, uint64_t ns);
#define DFD_TIMER_OFF UINT64_MAX

#ifdef __cplusplus
}
#endif
#endif
