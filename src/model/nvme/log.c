/* SPDX-License-Identifier: MIT */
/* Get Log Page: errors, SMART, firmware slot. */
#include "model/nvme/ids.h"
#include "model/nvme/nvme.h"

#define ERROR_SIZE 64u
#define LOG_SIZE   (ERROR_SIZE * NVME_ERRORS)
#define NO_COMMAND 0xffffu /* in the place of a queue and a command */
#define RETAIN	   0x8000u /* the event stays as it is */

void nvme_log_error(struct nvme *n, const struct nvme_request *r, uint16_t status)
{
	uint64_t count = ++n->stats.errors;
	bool has_lba = r->sqid && r->cmd.opcode != NVME_FLUSH;

	n->stats.media_errors += status == NVME_WRITE_FAULT || status == NVME_READ_ERROR;
	n->stats.log[count % NVME_ERRORS] = (struct nvme_error){
		.count = count,
		.sqid = r->sqid,
		.cid = r->cmd.cid,
		.status = (uint16_t)(status << 1),
		.lba = has_lba ? r->cmd.cdw[10] | (uint64_t)r->cmd.cdw[11] << 32 : 0,
		.nsid = r->cmd.nsid,
	};
}

void nvme_log_other_error(struct nvme *n)
{
	uint64_t count = ++n->stats.errors;

	n->stats.log[count % NVME_ERRORS] =
		(struct nvme_error){ .count = count, .sqid = NO_COMMAND, .cid = NO_COMMAND };
}

/* The newest first. */
static void fill_errors(const struct nvme *n, uint8_t *page)
{
	for (unsigned int i = 0; i < NVME_ERRORS && i < n->stats.errors; i++) {
		const struct nvme_error *e = &n->stats.log[(n->stats.errors - i) % NVME_ERRORS];
		uint8_t *to = page + (size_t)i * ERROR_SIZE;

		dfd_reg_store(to, 8, e->count);
		dfd_reg_store(to + 8, 2, e->sqid);
		dfd_reg_store(to + 10, 2, e->cid);
		dfd_reg_store(to + 12, 2, e->status);
		dfd_reg_store(to + 14, 2, 0xffff); /* which parameter is not told */
		dfd_reg_store(to + 16, 8, e->lba);
		dfd_reg_store(to + 24, 4, e->nsid);
	}
}

/* Data is counted in thousands of 512 bytes, rounded up. */
static void fill_smart(const struct nvme *n, uint8_t *page)
{
	const struct nvme_stats *s = &n->stats;

	page[0] = n->warnings;
	dfd_reg_store(page + 1, 2, NVME_KELVIN_27C);
	dfd_reg_store(page + 3, 1, 100); /* percent of spare blocks, and from where on to warn */
	dfd_reg_store(page + 4, 1, 10);
	dfd_reg_store(page + 32, 8, (s->blocks_read + 999) / 1000);
	dfd_reg_store(page + 48, 8, (s->blocks_written + 999) / 1000);
	dfd_reg_store(page + 64, 8, s->reads);
	dfd_reg_store(page + 80, 8, s->writes);
	dfd_reg_store(page + 112, 8, 1); /* power cycles */
	dfd_reg_store(page + 160, 8, s->media_errors);
	dfd_reg_store(page + 176, 8, s->errors);
}

static void fill_firmware(uint8_t *page)
{
	page[0] = 1; /* the active slot */
	memset(page + 8, ' ', 8);
	memcpy(page + 8, NVME_FIRMWARE, sizeof(NVME_FIRMWARE) - 1);
}

static uint16_t fill(const struct nvme_request *r, uint8_t page[LOG_SIZE], uint64_t *size)
{
	uint32_t nsid = r->cmd.nsid;

	*size = 512;
	switch (r->cmd.cdw[10] & 0xff) {
	case NVME_LOG_ERRORS:
		fill_errors(r->n, page);
		*size = LOG_SIZE;
		return NVME_OK;
	case NVME_LOG_SMART:
		if (nsid && nsid != NVME_ALL_NAMESPACES)
			return NVME_INVALID_FIELD; /* not for one namespace */
		fill_smart(r->n, page);
		return NVME_OK;
	case NVME_LOG_FIRMWARE:
		fill_firmware(page);
		return NVME_OK;
	default:
		return NVME_INVALID_LOG_PAGE;
	}
}

/* Beyond the end of a page there are zeros. */
void nvme_get_log_page(struct nvme_request *r)
{
	const uint32_t *cdw = r->cmd.cdw;
	uint64_t dwords = ((uint64_t)(cdw[11] & 0xffff) << 16 | cdw[10] >> 16) + 1;
	uint64_t offset = cdw[12] | (uint64_t)cdw[13] << 32, len = 4 * dwords, size;
	uint8_t page[LOG_SIZE] = { 0 };
	uint16_t status = fill(r, page, &size);

	if (!status && (offset % 4 || offset > size || len > NVME_MAX_DATA))
		status = NVME_INVALID_FIELD;
	if (status) {
		nvme_complete(r, status);
		return;
	}
	if (!(cdw[10] & RETAIN))
		nvme_event_read(r->n, cdw[10] & 0xff);
	memset(r->data, 0, len);
	memcpy(r->data, page + offset, size - offset < len ? size - offset : len);
	nvme_answer(r, (uint32_t)len);
}
