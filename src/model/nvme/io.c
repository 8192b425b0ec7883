/* SPDX-License-Identifier: MIT */
/* Commands on the namespace. */
#include <errno.h>

#include "model/nvme/nvme.h"

#define FORCE_UNIT_ACCESS 0x40000000u
#define PROTECTION	  0x3c000000u /* there is none to check */
#define DEALLOCATE	  0x4u
#define RANGE_SIZE	  16u

static uint64_t first_block(const struct nvme_request *r)
{
	return r->cmd.cdw[10] | (uint64_t)r->cmd.cdw[11] << 32;
}

static uint32_t num_blocks(const struct nvme_request *r)
{
	return (r->cmd.cdw[12] & 0xffff) + 1;
}

static bool in_range(const struct nvme_disk *disk, uint64_t first, uint64_t count)
{
	return count <= disk->blocks && first <= disk->blocks - count;
}

static uint16_t write_status(int ret)
{
	if (!ret)
		return NVME_OK;
	return ret == -ENOSPC || ret == -EDQUOT ? NVME_CAPACITY_EXCEEDED : NVME_WRITE_FAULT;
}

/* Durable where the command or the driver's choice of a write cache asks for it. */
static uint16_t end_write(const struct nvme_request *r, int ret)
{
	bool cached = r->n->features[NVME_FEATURE_WRITE_CACHE];

	if (!ret && (!cached || r->cmd.cdw[12] & FORCE_UNIT_ACCESS))
		ret = nvme_disk_flush(&r->n->disk);
	return write_status(ret);
}

static void write_ready(struct nvme_request *r)
{
	struct nvme_stats *s = &r->n->stats;
	int ret = nvme_disk_write(&r->n->disk, first_block(r), r->data, r->len);

	s->writes++;
	s->blocks_written += ret ? 0 : num_blocks(r);
	nvme_complete(r, end_write(r, ret));
}

static void compare_ready(struct nvme_request *r)
{
	uint8_t block[NVME_PAGE];

	for (uint32_t at = 0; at < r->len; at += NVME_PAGE) {
		uint32_t len = r->len - at < NVME_PAGE ? r->len - at : NVME_PAGE;

		if (nvme_disk_read(&r->n->disk, first_block(r) + at / NVME_BLOCK, block, len)) {
			nvme_complete(r, NVME_READ_ERROR);
			return;
		}
		if (memcmp(block, r->data + at, len) != 0) {
			nvme_complete(r, NVME_COMPARE_FAILURE);
			return;
		}
	}
	nvme_complete(r, NVME_OK);
}

/* From the file into the driver's pages without a copy between. */
static bool read_straight(struct nvme_request *r)
{
	struct iovec pages[NVME_MAX_PAGES];
	bool done;

	if (!nvme_pages_get(r, pages))
		return false;
	done = nvme_disk_readv(&r->n->disk, first_block(r), pages, r->num_pages, r->len);
	nvme_pages_put(r, pages, true);
	if (done)
		r->next_page = r->num_pages;
	return done;
}

static uint16_t read_blocks(struct nvme_request *r)
{
	struct nvme_stats *s = &r->n->stats;

	s->reads++;
	if (!read_straight(r) && nvme_disk_read(&r->n->disk, first_block(r), r->data, r->len))
		return NVME_READ_ERROR;
	s->blocks_read += num_blocks(r);
	return NVME_OK;
}

static void write_zeroes(struct nvme_request *r)
{
	nvme_complete(r, end_write(r, nvme_disk_zero(&r->n->disk, first_block(r), num_blocks(r))));
}

/* ---- dataset management ---- */

static uint16_t discard(struct nvme_request *r)
{
	const struct nvme_disk *disk = &r->n->disk;

	for (uint32_t at = 0; at < r->len; at += RANGE_SIZE) {
		if (!in_range(disk, dfd_reg_load(r->data + at + 8, 8),
			      dfd_reg_load(r->data + at + 4, 4)))
			return NVME_LBA_OUT_OF_RANGE;
	}
	for (uint32_t at = 0; r->cmd.cdw[11] & DEALLOCATE && at < r->len; at += RANGE_SIZE) {
		int ret = nvme_disk_discard(disk, dfd_reg_load(r->data + at + 8, 8),
					    dfd_reg_load(r->data + at + 4, 4));

		if (ret)
			return write_status(ret);
	}
	return NVME_OK;
}

static void ranges_ready(struct nvme_request *r)
{
	nvme_complete(r, discard(r));
}

/* ---- dispatch ---- */

/* What commands with a range of blocks have in common. */
static uint16_t check_blocks(const struct nvme_request *r)
{
	if (r->cmd.cdw[12] & PROTECTION)
		return NVME_INVALID_FIELD;
	if (!in_range(&r->n->disk, first_block(r), num_blocks(r)))
		return NVME_LBA_OUT_OF_RANGE;
	if (r->cmd.opcode != NVME_WRITE_ZEROES && num_blocks(r) > NVME_MAX_DATA / NVME_BLOCK)
		return NVME_INVALID_FIELD;
	return NVME_OK;
}

static uint16_t check(const struct nvme_request *r)
{
	uint8_t opcode = r->cmd.opcode;
	bool writes = opcode == NVME_WRITE || opcode == NVME_WRITE_ZEROES ||
		      opcode == NVME_DATASET_MANAGEMENT;

	switch (opcode) {
	case NVME_FLUSH:
		return r->cmd.nsid == 1 || r->cmd.nsid == NVME_ALL_NAMESPACES
			       ? NVME_OK
			       : NVME_INVALID_NAMESPACE;
	case NVME_WRITE:
	case NVME_READ:
	case NVME_COMPARE:
	case NVME_WRITE_ZEROES:
	case NVME_DATASET_MANAGEMENT:
		break;
	default:
		return NVME_INVALID_OPCODE;
	}
	if (r->cmd.nsid != 1)
		return NVME_INVALID_NAMESPACE;
	if (writes && r->n->disk.read_only)
		return NVME_WRITE_PROTECTED;
	return opcode == NVME_DATASET_MANAGEMENT ? NVME_OK : check_blocks(r);
}

void nvme_io(struct nvme_request *r)
{
	uint16_t status = check(r);
	uint32_t len = status ? 0 : num_blocks(r) * NVME_BLOCK;

	if (status) {
		nvme_complete(r, status);
		return;
	}
	switch (r->cmd.opcode) {
	case NVME_FLUSH:
		nvme_complete(r, write_status(nvme_disk_flush(&r->n->disk)));
		break;
	case NVME_WRITE:
		nvme_transfer(r, len, false, write_ready);
		break;
	case NVME_READ:
		nvme_answer_later(r, len, read_blocks);
		break;
	case NVME_COMPARE:
		nvme_transfer(r, len, false, compare_ready);
		break;
	case NVME_WRITE_ZEROES:
		write_zeroes(r);
		break;
	default:
		len = ((r->cmd.cdw[10] & 0xff) + 1) * RANGE_SIZE;
		nvme_transfer(r, len, false, ranges_ready);
	}
}
