/* SPDX-License-Identifier: MIT */
/* The Identify command: what the controller and its namespace are. */
#include <stdio.h>

#include "model/nvme/ids.h"
#include "model/nvme/nvme.h"

enum identify_cns {
	CNS_NAMESPACE = 0x00,
	CNS_CONTROLLER = 0x01,
	CNS_ACTIVE_NAMESPACES = 0x02,
	CNS_DESCRIPTORS = 0x03,
};

#define IDENTIFY_SIZE 4096u
#define UUID_TYPE     3u

static void put(struct nvme_request *r, size_t offset, size_t width, uint64_t value)
{
	dfd_reg_store(r->data + offset, width, value);
}

/* ASCII fields are padded with spaces and have no NUL. */
static void put_text(struct nvme_request *r, size_t offset, size_t width, const char *text)
{
	size_t len = strlen(text);

	memset(r->data + offset, ' ', width);
	memcpy(r->data + offset, text, len < width ? len : width);
}

static void controller(struct nvme_request *r)
{
	put(r, 0, 2, NVME_VENDOR_ID);
	put(r, 2, 2, NVME_VENDOR_ID);
	put_text(r, 4, 20, r->n->serial);
	put_text(r, 24, 40, NVME_MODEL_NUMBER);
	put_text(r, 64, 8, NVME_FIRMWARE);
	put(r, 77, 1, NVME_MDTS);
	put(r, 80, 4, NVME_VERSION_1_4);
	put(r, 111, 1, 1); /* an I/O controller */
	put(r, 258, 1, 3); /* aborts at a time, less 1 */
	put(r, 259, 1, NVME_ASYNC_LIMIT - 1);
	put(r, 260, 1, 0x03); /* one firmware slot, read-only */
	put(r, 261, 1, 0x04); /* log pages have an offset */
	put(r, 262, 1, NVME_ERRORS - 1);
	put(r, 266, 2, 343); /* warning and critical temperature in kelvins */
	put(r, 268, 2, 353);
	put(r, 512, 1, 0x66); /* queue entries of 64 and 16 bytes */
	put(r, 513, 1, 0x44);
	put(r, 516, 4, 1);    /* namespaces */
	put(r, 520, 2, 0x0d); /* compare, dataset management, write zeroes */
	put(r, 525, 1, 1);    /* the page cache of the host is a volatile write cache */
	snprintf((char *)r->data + 768, 256, "nqn.2014.08.org.nvmexpress:%04x%04x%-20s%-40s",
		 NVME_VENDOR_ID, NVME_VENDOR_ID, r->n->serial, NVME_MODEL_NUMBER);
}

static void namespace(struct nvme_request *r)
{
	const struct nvme_disk *disk = &r->n->disk;

	put(r, 0, 8, disk->blocks);
	put(r, 8, 8, disk->blocks);
	put(r, 16, 8, disk->blocks);
	put(r, 33, 1, 0x09); /* deallocated blocks read as zeros; write zeroes deallocates */
	put(r, 99, 1, disk->read_only);
	put(r, 130, 1, 9); /* the one format: blocks of 2^9 bytes */
}

static void active_namespaces(struct nvme_request *r)
{
	if (r->cmd.nsid < 1)
		put(r, 0, 4, 1);
}

static void descriptors(struct nvme_request *r)
{
	put(r, 0, 1, UUID_TYPE);
	put(r, 1, 1, sizeof(r->n->uuid));
	memcpy(r->data + 4, r->n->uuid, sizeof(r->n->uuid));
}

static uint16_t fill(struct nvme_request *r)
{
	uint32_t nsid = r->cmd.nsid;

	memset(r->data, 0, IDENTIFY_SIZE);
	switch (r->cmd.cdw[10] & 0xff) {
	case CNS_NAMESPACE:
		if (nsid != 1)
			return NVME_INVALID_NAMESPACE;
		namespace(r);
		return NVME_OK;
	case CNS_CONTROLLER:
		controller(r);
		return NVME_OK;
	case CNS_ACTIVE_NAMESPACES:
		if (nsid >= NVME_ALL_NAMESPACES - 1)
			return NVME_INVALID_NAMESPACE;
		active_namespaces(r);
		return NVME_OK;
	case CNS_DESCRIPTORS:
		if (nsid != 1)
			return NVME_INVALID_NAMESPACE;
		descriptors(r);
		return NVME_OK;
	default:
		return NVME_INVALID_FIELD;
	}
}

void nvme_identify(struct nvme_request *r)
{
	uint16_t status = fill(r);

	if (status)
		nvme_complete(r, status);
	else
		nvme_answer(r, IDENTIFY_SIZE);
}
