/* SPDX-License-Identifier: MIT */
/*
 * The host of a model: what stands between the waist and a model, for src/device/ alone.
 *
 * host.c has time and dispatch, host_irq.c interrupts, host_dma.c memory, dma_file.c the files
 * behind it.
 */
#ifndef DEVICE_HOST_H
#define DEVICE_HOST_H

#include <stdatomic.h>

#include <devfd/provider.h>

#include "device/device.h"
#include "device/dma_file.h"
#include "device/dma_requests.h"
#include "pci/config.h"
#include "util/eventfd.h"
#include "util/iovamap.h"

/** struct vector - one vector of an interrupt index; @fd -1: nobody listens */
struct vector {
	int fd;
	bool masked;
	bool pending;
};

/**
 * struct host_irq - one interrupt index
 * @count: vectors that @vectors has room for: all that the description gives
 * @enabled: vectors routed by the driver, 0 for off
 * @asserted: state of the line, for a wired interrupt
 * @unmask_fd: an eventfd that unmasks, or -1
 */
struct host_irq {
	uint32_t flags; /* DFD_IRQ_* */
	uint32_t count;
	uint32_t enabled;
	bool asserted;
	int unmask_fd;
	struct vector *vectors;
};

/** struct dma_use - a pointer given out by dfd_dma_get() */
struct dma_use {
	void *ptr;
	uint64_t iova;
	uint64_t len;
};

#define MAX_DMA_USES 40u

/**
 * struct model_host - the host of one model
 * @deadlines: CLOCK_MONOTONIC in ns; DEADLINE_OFF, or DEADLINE_NOW for deferred work
 * @next_deadline: the earliest of them
 * @epoll_fd: the poll fd, with @timer_fd, the kick of @requests and all unmask eventfds inside; all
 *            three are -1 until somebody asks for it
 * @armed: deadline that @timer_fd is set to
 * @signaller: of eventfds, where drivers are strangers; NULL elsewhere
 * @requests: DMA by message
 */
struct model_host {
	struct dfd_host base;
	struct dfd_device *dev;

	uint64_t deadlines[DFD_MAX_TIMERS], next_deadline;
	int epoll_fd, timer_fd;
	uint64_t armed;

	bool is_pci;
	struct dfd_pci_setup setup;
	struct dfd_pci_config config;

	uint32_t num_irqs;
	struct host_irq *irqs;
	uint32_t unmask_fds; /* of all of them */
	const struct dfd_signaller *signaller;

	struct dfd_iovamap maps;
	struct dma_files files;
	struct dma_use uses[MAX_DMA_USES];
	void (*dirty)(void *ctx, uint64_t iova, uint64_t len);
	void *dirty_ctx;
	struct dma_requests requests;
};

/* host.c: called from device.c with the device locked, except for the last two */
void model_host_run_due(struct model_host *h);
void model_host_run_deferred(struct model_host *h);
void model_host_drain(struct model_host *h);
/** Nothing is due, under way or listened to. */
bool model_host_quiet(struct model_host *h);
int model_host_poll_fd(struct model_host *h);
void model_host_close_poll_fds(struct model_host *h);
ssize_t model_host_read(struct model_host *h, uint32_t index, uint64_t offset, void *buf,
			size_t len);
ssize_t model_host_write(struct model_host *h, uint32_t index, uint64_t offset, const void *buf,
			 size_t len);
void model_host_before_reset(struct model_host *h);
void model_host_shutdown(struct model_host *h);
void model_host_free(struct model_host *h);

/* host.c, for its neighbours */
int host_timer(struct dfd_host *host, unsigned int id, uint64_t ns);

/* host_irq.c */
int host_irq_init(struct model_host *h);
void host_irq_finish(struct model_host *h);
int host_set_irqs(struct model_host *h, const struct dfd_irq_set *set);
void host_irq_level(struct dfd_host *host, uint32_t index, bool asserted);
void host_irq_message(struct dfd_host *host, uint32_t index, uint32_t vector);
bool host_irq_enabled(struct dfd_host *host, uint32_t index);
void host_irq_reset(struct model_host *h);
/** Look at the unmask eventfds of interrupts that are masked. */
void host_irq_poll_unmask(struct model_host *h);
/** The INTx-disable bit of the command register may have changed. */
void host_irq_command_changed(struct model_host *h);
/** One byte of the pending-bit array of MSI-X. */
uint8_t host_irq_pending_byte(const struct model_host *h, uint64_t offset);
/** Put all unmask eventfds into a new epoll fd. */
int host_irq_watch_all(struct model_host *h);

/* host_dma.c */
int host_dma_map(struct model_host *h, struct dfd_dma_map *map);
int host_dma_unmap(struct model_host *h, uint64_t iova, uint64_t size, uint64_t *unmapped);
/** May the device write to memory? Always, unless it is a PCI function with bus mastering off. */
bool host_bus_master(const struct model_host *h);
void *host_dma_get(struct dfd_host *host, uint64_t iova, uint64_t len, uint32_t prot);
void host_dma_put(struct dfd_host *host, void *ptr, uint64_t written);
int host_dma_read(struct dfd_host *host, uint64_t iova, void *buf, size_t len, dfd_dma_done done,
		  void *ctx);
int host_dma_write(struct dfd_host *host, uint64_t iova, const void *buf, size_t len,
		   dfd_dma_done done, void *ctx);
/** A write by message has succeeded. */
void host_dma_written(struct dfd_device *dev, uint64_t iova, uint64_t len);
void host_dma_finish(struct model_host *h);

#endif
