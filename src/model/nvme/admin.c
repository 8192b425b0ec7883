/* SPDX-License-Identifier: MIT */
/* Admin commands: queues, abort, asynchronous events; the others have files of their own. */
#include "model/nvme/nvme.h"

static uint16_t low(uint32_t dword)
{
	return (uint16_t)dword;
}

static uint32_t high(uint32_t dword)
{
	return dword >> 16;
}

static bool is_io_queue(uint32_t id)
{
	return id && id < NVME_QUEUES;
}

/* ---- queues ---- */

/* What creating queues of both kinds has in common. */
static uint16_t check_queue(const struct nvme_request *r, uint32_t existing_size, uint32_t entry)
{
	const struct nvme_command *c = &r->cmd;
	uint32_t size = high(c->cdw[10]);

	if (existing_size)
		return NVME_INVALID_QUEUE_ID;
	if (!size || size >= NVME_QUEUE_LIMIT)
		return NVME_INVALID_QUEUE_SIZE;
	if (!(c->cdw[11] & 1)) /* not contiguous */
		return NVME_INVALID_FIELD;
	if (c->prp[0] % NVME_PAGE)
		return NVME_INVALID_PRP_OFFSET;
	return 1u << entry == NVME_SQE || 1u << entry == NVME_CQE ? NVME_OK : NVME_INVALID_FIELD;
}

static uint16_t create_cq(struct nvme_request *r)
{
	struct nvme *n = r->n;
	const struct nvme_command *c = &r->cmd;
	uint16_t id = low(c->cdw[10]), status;

	if (!is_io_queue(id))
		return NVME_INVALID_QUEUE_ID;
	status = check_queue(r, n->cq[id].size, NVME_CC_IOCQES(n->cc));
	if (status)
		return status;
	if (high(c->cdw[11]) >= NVME_QUEUES)
		return NVME_INVALID_VECTOR;
	nvme_doorbells_set(n, 2u * id + 1, 0);
	n->cq[id] = (struct nvme_cq){
		.iova = c->prp[0],
		.size = high(c->cdw[10]) + 1,
		.vector = (uint16_t)high(c->cdw[11]),
		.interrupts = c->cdw[11] & 2,
		.phase = true,
	};
	return NVME_OK;
}

static uint16_t create_sq(struct nvme_request *r)
{
	struct nvme *n = r->n;
	const struct nvme_command *c = &r->cmd;
	uint16_t id = low(c->cdw[10]), status;
	uint32_t cqid = high(c->cdw[11]);

	if (!is_io_queue(id) || !is_io_queue(cqid))
		return NVME_INVALID_QUEUE_ID;
	status = check_queue(r, n->sq[id].size, NVME_CC_IOSQES(n->cc));
	if (status)
		return status;
	if (!n->cq[cqid].size)
		return NVME_INVALID_CQ;
	nvme_doorbells_set(n, 2u * id, 0);
	n->sq[id] = (struct nvme_sq){
		.iova = c->prp[0],
		.size = high(c->cdw[10]) + 1,
		.cqid = (uint16_t)cqid,
	};
	return NVME_OK;
}

static uint16_t delete_cq(struct nvme_request *r)
{
	struct nvme *n = r->n;
	uint16_t id = low(r->cmd.cdw[10]);

	if (!is_io_queue(id) || !n->cq[id].size)
		return NVME_INVALID_QUEUE_ID;
	for (unsigned int i = 1; i < NVME_QUEUES; i++) {
		if (n->sq[i].size && n->sq[i].cqid == id)
			return NVME_INVALID_QUEUE_DELETION;
	}
	n->cq[id] = (struct nvme_cq){ 0 };
	nvme_update_line(n);
	return NVME_OK;
}

void nvme_delete_sq_resume(struct nvme_request *r)
{
	struct nvme_sq *sq = &r->n->sq[low(r->cmd.cdw[10])];

	if (nvme_busy(r->n, sq))
		return;
	*sq = (struct nvme_sq){ 0 };
	nvme_complete(r, NVME_OK);
}

/* What is still under way there ends without a completion. */
static void delete_sq(struct nvme_request *r)
{
	struct nvme *n = r->n;
	uint16_t id = low(r->cmd.cdw[10]);

	if (!is_io_queue(id) || !n->sq[id].size || n->sq[id].deleting) {
		nvme_complete(r, NVME_INVALID_QUEUE_ID);
		return;
	}
	n->sq[id].deleting = true;
	nvme_drop(n, &n->sq[id]);
	r->state = REQUEST_DELETING;
	nvme_delete_sq_resume(r);
}

/* ---- abort ---- */

/* Commands run to their end at once; only an event request can be caught waiting. */
static uint16_t abort_command(struct nvme_request *r)
{
	struct nvme *n = r->n;
	uint32_t sqid = low(r->cmd.cdw[10]), cid = high(r->cmd.cdw[10]);

	if (sqid >= NVME_QUEUES || !n->sq[sqid].size)
		return NVME_INVALID_FIELD;
	r->result = 1;
	for (unsigned int i = 0; i < NVME_REQUESTS; i++) {
		struct nvme_request *other = &n->requests[i];

		if (other->state != REQUEST_HELD || other->sqid != sqid || other->cmd.cid != cid)
			continue;
		nvme_complete(other, NVME_ABORT_REQUESTED);
		nvme_kick(n);
		r->result = 0;
	}
	return NVME_OK;
}

void nvme_admin(struct nvme_request *r)
{
	switch (r->cmd.opcode) {
	case NVME_DELETE_SQ:
		delete_sq(r);
		break;
	case NVME_CREATE_SQ:
		nvme_complete(r, create_sq(r));
		break;
	case NVME_GET_LOG_PAGE:
		nvme_get_log_page(r);
		break;
	case NVME_DELETE_CQ:
		nvme_complete(r, delete_cq(r));
		break;
	case NVME_CREATE_CQ:
		nvme_complete(r, create_cq(r));
		break;
	case NVME_IDENTIFY:
		nvme_identify(r);
		break;
	case NVME_ABORT:
		nvme_complete(r, abort_command(r));
		break;
	case NVME_SET_FEATURES:
		nvme_set_features(r);
		break;
	case NVME_GET_FEATURES:
		nvme_get_features(r);
		break;
	case NVME_ASYNC_EVENT:
		nvme_event_request(r);
		break;
	default:
		nvme_complete(r, NVME_INVALID_OPCODE);
	}
}
