/* SPDX-License-Identifier: MIT */
/*
 * model:nvme, an NVMe 1.4 controller with one namespace in a file; for src/model/nvme/ alone.
 *
 * nvme.c makes the device, registers.c holds the state of the controller, queue.c takes commands
 * from queues and gives completions back, prp.c moves their data, doorbells.c lets drivers map the
 * doorbells, event.c tells of what happens by itself, admin.c, identify.c, features.c, log.c and
 * io.c are the commands, disk.c is the file.
 *
 * Theory of operation: a doorbell only arms a timer of 0 ns; nvme_work() then takes a bounded
 * number of commands, one queue after the other, and comes back if more are left. Each command
 * occupies a request of a fixed pool from being fetched until its completion is written. Memory of
 * the driver that is reached by pointer is copied at once; where it is reached by message the
 * request waits in its state, and the end of the DMA brings it on.
 *
 * DMA by message cannot be called back. A request whose queue goes away is therefore dropped: it
 * does nothing any more but wait for its DMA, and the reset or the deletion waits for it.
 *
 * Reads and writes of the file block the caller for as long as they take.
 */
#ifndef NVME_NVME_H
#define NVME_NVME_H

#include <stdatomic.h>
#include <sys/uio.h>

#include "model/model.h"
#include "model/nvme/spec.h"

#define NVME_PAGE	 4096u
#define NVME_BLOCK	 512u
#define NVME_MDTS	 5u /* as a power of two of pages */
#define NVME_MAX_DATA	 (NVME_PAGE << NVME_MDTS)
#define NVME_MAX_PAGES	 ((1u << NVME_MDTS) + 1)
#define NVME_QUEUES	 32u /* of each kind, admin included; as many MSI-X vectors */
#define NVME_QUEUE_LIMIT 1024u
#define NVME_ASYNC_LIMIT 4u
#define NVME_REQUESTS	 (32u + NVME_ASYNC_LIMIT)
#define NVME_ERRORS	 16u
#define NVME_SQE	 64u
#define NVME_BATCH	 16u /* commands that are fetched at a time */
#define NVME_CQE	 16u
#define NVME_SERIAL	 20u
#define NVME_KELVIN_27C	 300u /* as warm as it always is */

/** struct nvme_disk - the namespace: a file of whole blocks */
struct nvme_disk {
	int fd;
	bool read_only;
	uint64_t blocks;
};

/** struct nvme_doorbells - with doorbells=mapped: @page in the file @fd, and what was last seen */
struct nvme_doorbells {
	int fd;
	_Atomic uint32_t *page; /* NULL: doorbells are registers only */
	uint32_t seen[2 * NVME_QUEUES];
};

/** struct nvme_sq - a submission queue; @size 0: does not exist */
struct nvme_sq {
	uint64_t iova;
	uint32_t size, head, tail;
	uint16_t cqid;
	bool fetching; /* commands are on their way */
	bool deleting;
	uint32_t fetched; /* those from @head on that are here: the last ones of @batch_size */
	uint32_t batch_size;
	uint8_t batch[NVME_BATCH][NVME_SQE];
};

/** struct nvme_cq - a completion queue; @size 0: does not exist */
struct nvme_cq {
	uint64_t iova;
	uint32_t size, head, tail;
	uint16_t vector;
	bool interrupts;
	bool phase;
	bool notify; /* a completion was written that no message has told of */
};

/** struct nvme_command - a submission queue entry, decoded */
struct nvme_command {
	uint8_t opcode, flags;
	uint16_t cid;
	uint32_t nsid;
	uint64_t prp[2];
	uint32_t cdw[16]; /* 10 to 15 are used */
};

/** enum nvme_request_state - where a command is */
enum nvme_request_state {
	REQUEST_FREE,
	REQUEST_FETCHING,
	REQUEST_MOVING,	  /* its data; without pending DMA: no room for more, try again */
	REQUEST_HELD,	  /* asynchronous event request */
	REQUEST_DELETING, /* waits for the other requests of a submission queue */
	REQUEST_DONE,	  /* waits for room in the completion queue */
	REQUEST_POSTING,
};

/**
 * struct nvme_request - a command under way
 * @dropped: nobody wants its completion
 * @pending: DMA by message under way
 * @data: NVME_MAX_DATA bytes
 * @len: bytes of @data to move
 * @fill: called before, when the pages are known; NULL if @data is there already
 * @then: called when they have been moved
 * @pages: where they are in the driver's memory: the first with an offset, the others without
 * @num_pages: pages known so far; @next_page: the first that is not yet on its way
 * @list: where the next part of the PRP list is, 0 for none
 * @list_len: bytes of it that are being fetched
 */
struct nvme_request {
	struct nvme *n;
	enum nvme_request_state state;
	uint16_t sqid;
	bool dropped;
	unsigned int pending;
	struct nvme_command cmd;
	uint16_t status;
	uint32_t result;

	uint8_t *data;
	uint32_t len;
	bool to_driver;
	uint16_t (*fill)(struct nvme_request *r);
	void (*then)(struct nvme_request *r);
	uint64_t pages[NVME_MAX_PAGES];
	uint32_t num_pages, next_page;
	uint64_t list;
	uint32_t list_len;
	uint8_t entries[NVME_MAX_PAGES * 8];
};

/** struct nvme_error - an entry of the error log */
struct nvme_error {
	uint64_t count;
	uint16_t sqid, cid, status;
	uint64_t lba;
	uint32_t nsid;
};

/** struct nvme_stats - what SMART tells; survives a reset */
struct nvme_stats {
	uint64_t blocks_read, blocks_written, reads, writes, media_errors, errors;
	struct nvme_error log[NVME_ERRORS];
};

/* What asynchronous events tell of. */
enum nvme_event_type { NVME_EVENT_ERROR, NVME_EVENT_HEALTH, NVME_NUM_EVENTS };

enum nvme_event_info {
	NVME_EVENT_INVALID_DOORBELL = 0x00,
	NVME_EVENT_INVALID_DOORBELL_VALUE = 0x01,
	NVME_EVENT_TEMPERATURE = 0x01,
};

/** struct nvme_event - of one type: at most one waits, and none is told until its log page is read
 */
struct nvme_event {
	bool waits, told;
	uint8_t info;
};

/** struct nvme - one controller; what lies after @stats is cleared by a reset */
struct nvme {
	struct dfd_device *dev;
	struct nvme_disk disk;
	struct nvme_doorbells doorbells;
	char serial[NVME_SERIAL + 1];
	uint8_t uuid[16];
	uint8_t *buffers;
	struct nvme_request requests[NVME_REQUESTS];
	struct nvme_stats stats;

	uint32_t cc, csts, intms, aqa;
	uint64_t asq, acq;
	bool resetting; /* CC.EN was cleared, requests are still under way */
	bool stuck;	/* a completion queue is full */
	unsigned int next_sq;
	struct nvme_sq sq[NVME_QUEUES];
	struct nvme_cq cq[NVME_QUEUES];
	uint32_t features[NVME_NUM_FEATURES];
	uint32_t cold; /* the lower threshold of the temperature */
	uint8_t warnings;
	struct nvme_event events[NVME_NUM_EVENTS];
};

enum nvme_timer { NVME_TIMER_WORK, NVME_TIMER_DOORBELLS };

static inline struct dfd_host *nvme_host(const struct nvme *n)
{
	return dfd_device_host(n->dev);
}

/* registers.c */
uint32_t nvme_register_read(const struct nvme *n, uint64_t offset);
void nvme_register_write(struct nvme *n, uint64_t offset, uint32_t value);
/** All of the controller that a reset clears. */
void nvme_clear(struct nvme *n);
/** Go on with a change of CC.EN that waits for requests. */
void nvme_settle(struct nvme *n);
/** CSTS.CFS: only a reset helps; @why is said to people. */
void nvme_fatal(struct nvme *n, const char *why);
bool nvme_running(const struct nvme *n);

/* queue.c */
/** Have nvme_work() called soon. */
void nvme_kick(struct nvme *n);
void nvme_work(struct nvme *n);
void nvme_doorbell(struct nvme *n, uint32_t number, uint32_t value);
/** A command has ended. Its request is not to be touched after that. */
void nvme_complete(struct nvme_request *r, uint16_t status);
/** Ends a request that was dropped. Return: true if it was. */
bool nvme_request_gone(struct nvme_request *r);
/** Drop all requests, or those of one submission queue. */
void nvme_drop(struct nvme *n, const struct nvme_sq *sq);
/** Is any request under way, or any of one submission queue? */
bool nvme_busy(const struct nvme *n, const struct nvme_sq *sq);
/** INTx follows the completion queues. */
void nvme_update_line(struct nvme *n);

/* doorbells.c */
int nvme_doorbells_open(struct nvme_doorbells *d);
void nvme_doorbells_close(struct nvme_doorbells *d);
/** The page holds @value, and that is no news. */
void nvme_doorbells_set(struct nvme *n, uint32_t number, uint32_t value);
/** Look at the page now and from now on. */
void nvme_doorbells_poll(struct nvme *n);

/* prp.c */
/** Move the first @len bytes of r->data from or to the driver, then call @then. */
void nvme_transfer(struct nvme_request *r, uint32_t len, bool to_driver,
		   void (*then)(struct nvme_request *r));
void nvme_transfer_resume(struct nvme_request *r);
/** Give @len bytes of r->data, which the command has filled, to the driver; that ends it. */
void nvme_answer(struct nvme_request *r, uint32_t len);
/**
 * As nvme_answer(), but @fill is called for the bytes when the driver's pages are known. It fills
 * r->data, or the pages themselves and says so by r->next_page.
 */
void nvme_answer_later(struct nvme_request *r, uint32_t len,
		       uint16_t (*fill)(struct nvme_request *r));
/** Where the pages are; false if one of them is not memory of this process. */
bool nvme_pages_get(struct nvme_request *r, struct iovec pages[NVME_MAX_PAGES]);
void nvme_pages_put(struct nvme_request *r, const struct iovec pages[NVME_MAX_PAGES], bool written);

/* admin.c, io.c, and the admin commands with files of their own */
void nvme_admin(struct nvme_request *r);
void nvme_delete_sq_resume(struct nvme_request *r);
void nvme_io(struct nvme_request *r);
void nvme_identify(struct nvme_request *r);
void nvme_get_log_page(struct nvme_request *r);
void nvme_get_features(struct nvme_request *r);
void nvme_set_features(struct nvme_request *r);
void nvme_features_init(struct nvme *n);
/** Note a command that has failed. */
void nvme_log_error(struct nvme *n, const struct nvme_request *r, uint16_t status);
/** Note an error that no command has made. */
void nvme_log_other_error(struct nvme *n);

/* event.c */
/** Something has happened; a driver that has asked is told, or the next that asks. */
void nvme_event(struct nvme *n, enum nvme_event_type type, enum nvme_event_info info);
void nvme_event_request(struct nvme_request *r);
/** The driver has read a log page: that of an event, perhaps. */
void nvme_event_read(struct nvme *n, uint32_t log_page);
/** The temperature and its thresholds, as warnings for SMART and events. */
void nvme_check_temperature(struct nvme *n);

/* disk.c; 0 or a negative errno */
int nvme_disk_open(struct nvme_disk *disk, const char *path, uint64_t size, bool read_only,
		   struct dfd_error *err);
void nvme_disk_close(struct nvme_disk *disk);
int nvme_disk_read(const struct nvme_disk *disk, uint64_t block, void *buf, size_t len);
/** All of it at once; false if that was not possible. */
bool nvme_disk_readv(const struct nvme_disk *disk, uint64_t block, const struct iovec *pieces,
		     uint32_t count, size_t len);
int nvme_disk_write(const struct nvme_disk *disk, uint64_t block, const void *buf, size_t len);
/** What was written survives a loss of power. */
int nvme_disk_flush(const struct nvme_disk *disk);
int nvme_disk_zero(const struct nvme_disk *disk, uint64_t block, uint64_t count);
/** As nvme_disk_zero(), or nothing where the file cannot have holes. */
int nvme_disk_discard(const struct nvme_disk *disk, uint64_t block, uint64_t count);

#endif
