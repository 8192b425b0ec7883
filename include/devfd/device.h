/* SPDX-License-Identifier: MIT */
/*
 * The waist, seen by drivers: one device, wherever it lives.
 *
 * Threads: any thread may call any function here on any device, but dfd_device_close() must be the
 * last call. A device in this process is guarded by one mutex; kernel devices and mapped memory by
 * none.
 *
 * Service: a device in this process has no thread of its own. Every call below first runs what is
 * due (timers, deferred work, finished DMA), so a driver that polls a register sees progress. Who
 * waits elsewhere polls dfd_device_poll_fd() and calls dfd_device_service(), or starts
 * dfd_service_thread().
 *
 * State: after opening and after a reset a PCI function has memory decode on and bus mastering off,
 * as vfio-pci hands it over. Access to a BAR with decode off is -EIO. A reset keeps DMA maps and
 * eventfds.
 */
#ifndef DEVFD_DEVICE_H
#define DEVFD_DEVICE_H

#include <sys/types.h>

#include <devfd/desc.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dfd_device;

/**
 * dfd_device_desc() - Return: the description; lives as long as the device
 */
const struct dfd_desc *dfd_device_desc(const struct dfd_device *dev);

/**
 * dfd_device_close() - give the device up
 *
 * Stops a service thread, ends pending DMA with -ECANCELED, unmaps what is still mapped and closes
 * every fd the library opened for it. NULL is fine.
 */
void dfd_device_close(struct dfd_device *dev);

/* ---- regions ---- */

/**
 * dfd_region_read() - read registers or memory of a region
 * @index: region index
 * @offset: in bytes from the region's start
 * @buf: receives @len bytes as they lie in the region (little-endian for PCI)
 * @len: bytes; a register wants its own width
 *
 * Does not block on anything but the device.
 *
 * Return: bytes read, short at the end of the region; -EINVAL for an absent region or an offset at
 * or past its end; -EIO when the device does not answer (memory decode off, unknown register
 * width); -EOPNOTSUPP for a device that is only described and has no contents.
 */
ssize_t dfd_region_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			size_t len);

/** dfd_region_write() - as dfd_region_read(); -EINVAL also for a read-only region */
ssize_t dfd_region_write(struct dfd_device *dev, uint32_t index, uint64_t offset, const void *buf,
			 size_t len);

/**
 * dfd_region_mmap() - map a part of a region as plain memory
 * @index: region index
 * @offset: in bytes; a multiple of the page size
 * @len: in bytes; the part, up to the end of its last page, must lie in a mappable area or go past
 *       the end of the region
 * @prot: PROT_READ and/or PROT_WRITE
 * @addr: receives the address; give it back with munmap()
 *
 * Return: 0; -EINVAL for a part that cannot be mapped; -EOPNOTSUPP where the source has nothing to
 * map; or what mmap() says.
 */
int dfd_region_mmap(struct dfd_device *dev, uint32_t index, uint64_t offset, size_t len, int prot,
		    void **addr);

/**
 * dfd_region_backing() - the file behind the mappable areas of a region
 * @fd: receives an fd that stays the device's; do not close it
 * @offset: receives where the region's first byte lies in that file
 *
 * Return: 0, -EINVAL or -EOPNOTSUPP as dfd_region_mmap().
 */
int dfd_region_backing(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset);

/* ---- interrupts ---- */

/* Flags of struct dfd_irq_set: one DATA and one ACTION; the values of linux/vfio.h. */
#define DFD_IRQ_DATA_NONE      UINT32_C(1)
#define DFD_IRQ_DATA_BOOL      UINT32_C(2)
#define DFD_IRQ_DATA_EVENTFD   UINT32_C(4)
#define DFD_IRQ_ACTION_MASK    UINT32_C(8)
#define DFD_IRQ_ACTION_UNMASK  UINT32_C(0x10)
#define DFD_IRQ_ACTION_TRIGGER UINT32_C(0x20)

/**
 * struct dfd_irq_set - the arguments of VFIO_DEVICE_SET_IRQS of linux/vfio.h
 * @flags: one DFD_IRQ_DATA_* and one DFD_IRQ_ACTION_*
 * @index: interrupt index
 * @start: first vector
 * @count: vectors; with TRIGGER, DATA_NONE and @start 0, 0 disables the index
 * @fds: with DATA_EVENTFD: @count eventfds, -1 for none. They stay the caller's; the library
 *       duplicates what it keeps
 * @bools: with DATA_BOOL: @count bytes, acts on those that are not 0
 */
struct dfd_irq_set {
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
	const int32_t *fds;
	const uint8_t *bools;
};

/**
 * dfd_set_irqs() - mask, unmask, trigger or route interrupts to eventfds
 *
 * Return: 0; a positive number of vectors that are available where a kernel device cannot give as
 * many as asked; -EINVAL for a bad index, range or flag, for an fd that is no eventfd, and when
 * INTx, MSI and MSI-X would be on together; -EBADF for an fd that is not open; -ENOTTY for an
 * action that the index does not have; -EMFILE; -ENOMEM; -EOPNOTSUPP for a device that is only
 * described.
 */
int dfd_set_irqs(struct dfd_device *dev, const struct dfd_irq_set *set);

/* What dfd_irq_flags() tells, as VFIO_DEVICE_GET_IRQ_INFO does. */
#define DFD_IRQ_HAS_EVENTFD UINT32_C(1)
#define DFD_IRQ_HAS_MASK    UINT32_C(2)
#define DFD_IRQ_AUTOMASKS   UINT32_C(4)
#define DFD_IRQ_NORESIZE    UINT32_C(8) /* the number of vectors stays while it is enabled */

/**
 * dfd_irq_flags() - what the kernel's VFIO can do with an interrupt of its device
 * @flags: receives DFD_IRQ_HAS_EVENTFD and so on
 *
 * Return: 0; -EOPNOTSUPP for a device that is not the kernel's; what the kernel says.
 */
int dfd_irq_flags(struct dfd_device *dev, uint32_t index, uint32_t *flags);

/**
 * dfd_irq_enable() - route the first @count vectors of an index to eventfds of the library
 * @index: interrupt index (PCI: enum dfd_pci_irq)
 * @count: 1 to dfd_desc_vectors()
 *
 * MSI and MSI-X are writes of the device, so that none come before the driver has switched bus
 * mastering on: bit 2 at offset 4 of configuration space.
 *
 * Return: 0, -EMFILE, -ENOMEM, or as dfd_set_irqs().
 */
int dfd_irq_enable(struct dfd_device *dev, uint32_t index, uint32_t count);

/** dfd_irq_disable() - undo dfd_irq_enable(). Return: 0 or as dfd_set_irqs() */
int dfd_irq_disable(struct dfd_device *dev, uint32_t index);

/** dfd_irq_unmask() - let a level interrupt, masked on delivery, come again. Return: as
 * dfd_set_irqs() */
int dfd_irq_unmask(struct dfd_device *dev, uint32_t index);

/**
 * dfd_wait_irq() - wait for an interrupt enabled with dfd_irq_enable()
 * @index: interrupt index
 * @vector: vector of that index
 * @timeout_ms: in milliseconds; 0 only looks, -1 waits for ever
 *
 * Serves the device while it waits.
 *
 * Return: how many interrupts have come since the last call, 0 on time-out, -EINVAL when the vector
 * is not enabled, -EINTR on a signal, -EMFILE, or as dfd_device_service().
 */
int dfd_wait_irq(struct dfd_device *dev, uint32_t index, uint32_t vector, int timeout_ms);

/* ---- DMA ---- */

#define DFD_DMA_READ  UINT32_C(1) /* the device may read */
#define DFD_DMA_WRITE UINT32_C(2) /* the device may write */

/* Ask dfd_dma_map() to choose an IOVA. */
#define DFD_IOVA_ANY UINT64_MAX

/** struct dfd_dma_token - names one request by message; opaque */
struct dfd_dma_token {
	struct dfd_device *dev;
	uint64_t id;
};

/**
 * struct dfd_dma_io - memory that is reached by message only
 * @read: fetch @len bytes from @offset of the map. The answer goes to
 *        dfd_dma_complete(), at once or later, from any thread. Return 0 or a negative errno.
 * @write: store @len bytes, which are valid during the call only; answer as @read.
 *
 * Called with the device locked: they must not call back into the device except for
 * dfd_dma_complete().
 */
struct dfd_dma_io {
	int (*read)(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token);
	int (*write)(void *ctx, uint64_t offset, const void *buf, size_t len,
		     struct dfd_dma_token token);
};

/** enum dfd_dma_kind - what is behind a DMA map */
enum dfd_dma_kind {
	DFD_DMA_ADDRESS, /* memory of this process; must stay valid until unmapped */
	DFD_DMA_FD,	 /* a part of a file; used by pointer only if sealed against shrinking */
	DFD_DMA_MESSAGE, /* callbacks; not for devices behind the kernel's VFIO */
};

/**
 * struct dfd_dma_map - make memory reachable for the device
 * @iova: start in the device's address space in bytes, or DFD_IOVA_ANY; receives the choice
 * @max_iova: highest address the device can reach, inclusive; looked at with DFD_IOVA_ANY; 0: any
 * @size: in bytes; page-sized pieces for kernel devices
 * @prot: DFD_DMA_READ and/or DFD_DMA_WRITE
 * @kind: which of the following is meant
 * @addr: DFD_DMA_ADDRESS
 * @fd: DFD_DMA_FD; duplicated
 * @fd_offset: DFD_DMA_FD: where the memory starts in the file, in bytes
 * @io: DFD_DMA_MESSAGE; must stay valid until unmapped
 * @io_ctx: first argument of @io
 */
struct dfd_dma_map {
	uint64_t iova;
	uint64_t max_iova;
	uint64_t size;
	uint32_t prot;
	enum dfd_dma_kind kind;
	void *addr;
	int fd;
	uint64_t fd_offset;
	const struct dfd_dma_io *io;
	void *io_ctx;
};

/**
 * dfd_dma_map() - map memory for the device
 *
 * On failure @map is as before.
 *
 * Return: 0; -EINVAL for size 0, no or unknown @prot, an unknown kind, no address or callbacks;
 * -EOVERFLOW when a range wraps; -EEXIST on overlap with another map; -ENOSPC when no room is left
 * below @max_iova; -EOPNOTSUPP when the source cannot use that kind of memory; -ENOMEM; -EMFILE;
 * what fstat() and mmap() say about the file.
 */
int dfd_dma_map(struct dfd_device *dev, struct dfd_dma_map *map);

/**
 * dfd_dma_unmap() - undo maps
 * @iova: start of a map
 * @size: in bytes; must cover whole maps
 * @unmapped: optional; receives how many bytes were unmapped
 *
 * DMA by message on the range ends with -ECANCELED before this returns.
 *
 * Return: 0, also when nothing was mapped there (@unmapped is then 0, as the kernel does);
 * -EINVAL for size 0 and when a map would be cut in two; -EOVERFLOW when the range wraps;
 * -EOPNOTSUPP for a device without DMA.
 */
int dfd_dma_unmap(struct dfd_device *dev, uint64_t iova, uint64_t size, uint64_t *unmapped);

/**
 * dfd_dma_complete() - answer a request by message
 * @token: as given to struct dfd_dma_io
 * @status: 0 or a negative errno
 * @data: for a read that succeeded: the bytes, copied during the call
 * @len: bytes in @data
 *
 * An answer to a request that was cancelled meanwhile is dropped. Never runs code of the device:
 * that happens in the next service. Thread-safe, also inside a struct dfd_dma_io callback.
 */
void dfd_dma_complete(struct dfd_dma_token token, int status, const void *data, size_t len);

/**
 * struct dfd_dma_buf - memory for a driver and its device
 * @addr: for the driver
 * @iova: for the device
 * @size: in bytes, rounded up to pages
 * @fd: the memfd behind it, sealed against shrinking and growing
 */
struct dfd_dma_buf {
	void *addr;
	uint64_t iova;
	uint64_t size;
	int fd;
};

/**
 * dfd_dma_alloc() - zeroed memory that both the driver and the device can use
 * @size: in bytes, more than 0
 * @max_iova: highest address the device can reach, inclusive (edu: 0xfffffff); 0: any
 * @out: receives the buffer; give it back with dfd_dma_free(). dfd_device_close() unmaps it from
 * the device, but only dfd_dma_free() gives the memory back
 *
 * A PCI function reaches it once bus mastering is on.
 *
 * Return: 0, -EINVAL for size 0, -ENOMEM, -EMFILE, or as dfd_dma_map().
 */
int dfd_dma_alloc(struct dfd_device *dev, uint64_t size, uint64_t max_iova,
		  struct dfd_dma_buf *out);

/**
 * dfd_dma_alloc_huge() - the same on huge pages
 * @size: in bytes, more than 0; rounded up to @page
 * @page: size of a page in bytes, such as 2 MiB; 0: what the kernel takes by default
 * @err: optional; receives why it failed
 *
 * Large pages are few entries for an IOMMU, and each is in one piece for a device without one. The
 * kernel sets them aside before: /proc/sys/vm/nr_hugepages. Where there are none this fails, and
 * the caller may take dfd_dma_alloc(). Touches all of the memory.
 *
 * Return: 0; -EINVAL for size 0 and for pages that the kernel does not have; -ENOMEM when there are
 * too few; -EMFILE; what memfd_create() says; or as dfd_dma_map().
 */
int dfd_dma_alloc_huge(struct dfd_device *dev, uint64_t size, uint64_t max_iova, uint64_t page,
		       struct dfd_dma_buf *out, struct dfd_error *err);

/** dfd_dma_free() - undo either of them; a zeroed or NULL buffer is fine */
void dfd_dma_free(struct dfd_device *dev, struct dfd_dma_buf *buf);

/**
 * dfd_dma_watch() - be told which bytes a device in this process writes
 * @dirty: called with the device locked, for exactly the bytes written; NULL ends it
 *
 * Return: 0; -EOPNOTSUPP for a device elsewhere.
 */
int dfd_dma_watch(struct dfd_device *dev, void (*dirty)(void *ctx, uint64_t iova, uint64_t len),
		  void *ctx);

/* ---- the rest ---- */

/**
 * dfd_device_watch_log() - be told what a device has to say to people
 * @line: one sentence without newline, such as why a DMA that the driver asked for was refused, or
 *        why memory cannot be mapped and what to do; NULL ends it
 *
 * Called with a device of this process locked, so it must not call back into that; for a kernel
 * device in the thread whose call has failed. Set it before other threads use the device.
 */
void dfd_device_watch_log(struct dfd_device *dev, void (*line)(void *ctx, const char *text),
			  void *ctx);

/**
 * dfd_device_reset() - reset the device
 *
 * Return: 0; -EINVAL where the description lacks DFD_DEVICE_RESET; -EOPNOTSUPP for a device that is
 * only described; -EAGAIN or -EIO from a kernel device.
 */
int dfd_device_reset(struct dfd_device *dev);

/**
 * dfd_device_feature() - VFIO_DEVICE_FEATURE of linux/vfio.h; <devfd/feature.h> has each by name
 * @flags: feature number and VFIO_DEVICE_FEATURE_GET, SET or PROBE
 * @data: the feature's body, without struct vfio_device_feature
 * @len: bytes of @data
 *
 * Return: 0 or positive; -ENOTTY for a feature that the device does not have; -EINVAL for a wrong
 * direction or size.
 */
int dfd_device_feature(struct dfd_device *dev, uint32_t flags, void *data, size_t len);

/**
 * dfd_check_extension() - ask for an optional ability or fact
 * @id: VFIO_DEVICE_EXT_* of <devfd/ioctl.h>, or the number of a fact (<devfd/facts.h>)
 *
 * Return: 0 for unknown or absent; 1 for yes; or the number asked for.
 */
int dfd_check_extension(struct dfd_device *dev, uint32_t id);

/**
 * dfd_device_poll_fd() - an fd that polls readable when dfd_device_service() has work
 *
 * Return: an fd that stays the device's; -EOPNOTSUPP for a device that needs no service; -EMFILE;
 * -ENOMEM.
 */
int dfd_device_poll_fd(struct dfd_device *dev);

/**
 * dfd_device_service() - run what is due; never blocks. Return: 0 or what the source reports
 */
int dfd_device_service(struct dfd_device *dev);

/**
 * dfd_service_thread() - start a thread that serves the device until it is closed
 *
 * The only thread the library ever starts; all signals are blocked in it. For drivers that block
 * on eventfds of their own. Starting it again does nothing, and so does starting it for a device
 * that needs no service. Once the device reports an error it only waits for the end.
 *
 * Return: 0, -EAGAIN, -ENOMEM, -EMFILE.
 */
int dfd_service_thread(struct dfd_device *dev);

#ifdef __cplusplus
}
#endif
#endif
