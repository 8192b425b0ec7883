/* SPDX-License-Identifier: MIT */
/* Get Features and Set Features. Nothing is saved: a reset brings the initial values back. */
#include "model/nvme/nvme.h"

#define SAVE UINT32_C(0x80000000)
/* Of the temperature: the sensor, of which there is only 0; which threshold, 0: the upper one. */
#define SENSOR		0x000f0000u
#define THRESHOLD_UNDER 0x00300000u

/* The bits of each feature that can be set; 0: none, or the feature does not exist. */
static const uint32_t settable[NVME_NUM_FEATURES] = {
	[NVME_FEATURE_ARBITRATION] = 0xffffff07,    [NVME_FEATURE_TEMPERATURE] = 0x0000ffff,
	[NVME_FEATURE_ERROR_RECOVERY] = 0x0000ffff, [NVME_FEATURE_WRITE_CACHE] = 0x00000001,
	[NVME_FEATURE_COALESCING] = 0x0000ffff,	    [NVME_FEATURE_ATOMICITY] = 0x00000001,
	[NVME_FEATURE_ASYNC_EVENT] = 0x000007ff,
};

void nvme_features_init(struct nvme *n)
{
	memset(n->features, 0, sizeof(n->features));
	n->features[NVME_FEATURE_ARBITRATION] = 0x7; /* no limit of a burst */
	n->features[NVME_FEATURE_TEMPERATURE] = 343;
	n->cold = 0;
	n->warnings = 0;
	n->features[NVME_FEATURE_WRITE_CACHE] = 1;
	n->features[NVME_FEATURE_QUEUES] = (NVME_QUEUES - 2) << 16 | (NVME_QUEUES - 2);
}

static bool exists(uint32_t id)
{
	return id && id < NVME_NUM_FEATURES && id != 0x03; /* 0x03: LBA ranges */
}

static uint16_t get(struct nvme_request *r)
{
	uint32_t id = r->cmd.cdw[10] & 0xff, arg = r->cmd.cdw[11];

	if (!exists(id) || r->cmd.cdw[10] >> 8 & 7) /* only the current value */
		return NVME_INVALID_FIELD;
	r->result = r->n->features[id];
	if (id == NVME_FEATURE_TEMPERATURE && arg & SENSOR)
		r->result = arg & THRESHOLD_UNDER ? 0 : 0xffff;
	else if (id == NVME_FEATURE_TEMPERATURE && arg & THRESHOLD_UNDER)
		r->result = r->n->cold;
	if (id == NVME_FEATURE_VECTOR) {
		if ((arg & 0xffff) >= NVME_QUEUES)
			return NVME_INVALID_FIELD;
		r->result = (arg & 0xffff) | 0x10000; /* coalescing is off */
	}
	return NVME_OK;
}

void nvme_get_features(struct nvme_request *r)
{
	nvme_complete(r, get(r));
}

static bool has_io_queues(const struct nvme *n)
{
	for (unsigned int i = 1; i < NVME_QUEUES; i++) {
		if (n->sq[i].size || n->cq[i].size)
			return true;
	}
	return false;
}

/* Fewer may be asked for; what is allocated stays the same. */
static uint16_t set_queues(struct nvme_request *r)
{
	uint32_t arg = r->cmd.cdw[11];

	if ((arg & 0xffff) == 0xffff || arg >> 16 == 0xffff)
		return NVME_INVALID_FIELD;
	if (has_io_queues(r->n))
		return NVME_SEQUENCE_ERROR;
	r->result = r->n->features[NVME_FEATURE_QUEUES];
	return NVME_OK;
}

static uint16_t set_threshold(struct nvme *n, uint32_t arg)
{
	if (arg & SENSOR)
		return NVME_OK;
	if (arg & THRESHOLD_UNDER)
		n->cold = arg & 0xffff;
	else
		n->features[NVME_FEATURE_TEMPERATURE] = arg & 0xffff;
	nvme_check_temperature(n);
	return NVME_OK;
}

static uint16_t set(struct nvme_request *r)
{
	uint32_t id = r->cmd.cdw[10] & 0xff, arg = r->cmd.cdw[11];

	if (!exists(id))
		return NVME_INVALID_FIELD;
	if (r->cmd.cdw[10] & SAVE)
		return NVME_NOT_SAVEABLE;
	if (id == NVME_FEATURE_QUEUES)
		return set_queues(r);
	if (id == NVME_FEATURE_POWER) /* there is one power state */
		return arg & 0x1f ? NVME_INVALID_FIELD : NVME_OK;
	if (id == NVME_FEATURE_VECTOR)
		return (arg & 0xffff) < NVME_QUEUES ? NVME_OK : NVME_INVALID_FIELD;
	if (id == NVME_FEATURE_TEMPERATURE)
		return set_threshold(r->n, arg);
	if (id == NVME_FEATURE_WRITE_CACHE && !(arg & 1) && nvme_disk_flush(&r->n->disk))
		return NVME_WRITE_FAULT;
	r->n->features[id] = arg & settable[id];
	return NVME_OK;
}

void nvme_set_features(struct nvme_request *r)
{
	nvme_complete(r, set(r));
}
