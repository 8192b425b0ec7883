/* SPDX-License-Identifier: MIT */
/* The registers of the controller, and what CC makes of its state. */
#include "model/nvme/nvme.h"

#define CAP_MQES  ((uint64_t)(NVME_QUEUE_LIMIT - 1))
#define CAP_CQR	  (UINT64_C(1) << 16)  /* queues are contiguous */
#define CAP_TO	  (UINT64_C(20) << 24) /* 10 s for CSTS.RDY to follow CC.EN */
#define CAP_NVM	  (UINT64_C(1) << 37)  /* the NVM command set */
#define CAP_VALUE (CAP_MQES | CAP_CQR | CAP_TO | CAP_NVM)

#define CC_WRITABLE 0x00fffff1u
#define AQA_MASK    0x0fff0fffu

bool nvme_running(const struct nvme *n)
{
	return n->csts & NVME_CSTS_RDY && !n->resetting && !(n->csts & NVME_CSTS_CFS) &&
	       !(n->csts & NVME_CSTS_SHST);
}

void nvme_fatal(struct nvme *n, const char *why)
{
	if (!(n->csts & NVME_CSTS_CFS))
		dfd_device_log(n->dev, "nvme: %s; the controller stops until it is reset", why);
	n->csts |= NVME_CSTS_CFS;
}

void nvme_clear(struct nvme *n)
{
	n->cc = n->csts = n->intms = n->aqa = 0;
	n->asq = n->acq = 0;
	n->resetting = false;
	n->next_sq = 0;
	memset(n->sq, 0, sizeof(n->sq));
	memset(n->cq, 0, sizeof(n->cq));
	memset(n->events, 0, sizeof(n->events));
	for (uint32_t i = 0; i < 2 * NVME_QUEUES; i++)
		nvme_doorbells_set(n, i, 0);
	nvme_features_init(n);
}

static const char *refuse_enable(const struct nvme *n)
{
	uint32_t sqes = NVME_CC_IOSQES(n->cc), cqes = NVME_CC_IOCQES(n->cc);

	if (NVME_CC_CSS(n->cc) || NVME_CC_AMS(n->cc) || NVME_CC_MPS(n->cc))
		return "CC asks for a command set, an arbitration or a page size that CAP lacks";
	if ((sqes && sqes != 6) || (cqes && cqes != 4))
		return "CC asks for queue entries of other sizes than 64 and 16 bytes";
	if (!(n->aqa & 0xfff) || !(n->aqa >> 16))
		return "AQA has an admin queue of less than 2 entries";
	return NULL;
}

static void enable(struct nvme *n)
{
	const char *why = refuse_enable(n);

	if (why) {
		nvme_fatal(n, why);
		return;
	}
	n->sq[0] = (struct nvme_sq){ .iova = n->asq, .size = (n->aqa & 0xfff) + 1 };
	n->cq[0] = (struct nvme_cq){
		.iova = n->acq, .size = (n->aqa >> 16) + 1, .interrupts = true, .phase = true
	};
	n->csts |= NVME_CSTS_RDY;
	nvme_doorbells_poll(n);
}

/* A controller reset keeps the admin queue's registers. */
static void disable(struct nvme *n)
{
	uint32_t cc = n->cc, aqa = n->aqa;
	uint64_t asq = n->asq, acq = n->acq;

	nvme_clear(n);
	n->cc = cc;
	n->aqa = aqa;
	n->asq = asq;
	n->acq = acq;
	nvme_update_line(n);
}

void nvme_settle(struct nvme *n)
{
	if (n->resetting && !nvme_busy(n, NULL))
		disable(n);
	if (!n->resetting && n->cc & NVME_CC_EN && !(n->csts & (NVME_CSTS_RDY | NVME_CSTS_CFS)))
		enable(n);
}

static void shut_down(struct nvme *n)
{
	if (nvme_disk_flush(&n->disk))
		dfd_device_log(n->dev, "nvme: the image cannot be flushed on shutdown");
	n->csts = (n->csts & ~NVME_CSTS_SHST) | NVME_CSTS_SHST_COMPLETE;
}

static void write_cc(struct nvme *n, uint32_t value)
{
	uint32_t old = n->cc;

	n->cc = value & CC_WRITABLE;
	if (old & NVME_CC_EN && !(n->cc & NVME_CC_EN)) {
		n->resetting = true;
		nvme_drop(n, NULL);
	}
	nvme_settle(n);
	if (NVME_CC_SHN(n->cc) && !NVME_CC_SHN(old))
		shut_down(n);
}

static uint64_t with_half(uint64_t old, uint64_t offset, uint32_t value)
{
	if (offset & 4)
		return (old & UINT32_MAX) | (uint64_t)value << 32;
	return (old & ~(uint64_t)UINT32_MAX) | (value & ~(NVME_PAGE - 1));
}

uint32_t nvme_register_read(const struct nvme *n, uint64_t offset)
{
	switch (offset) {
	case NVME_CAP:
		return (uint32_t)CAP_VALUE;
	case NVME_CAP + 4:
		return CAP_VALUE >> 32;
	case NVME_VS:
		return NVME_VERSION_1_4;
	case NVME_INTMS:
	case NVME_INTMC:
		return n->intms;
	case NVME_CC:
		return n->cc;
	case NVME_CSTS:
		return n->csts;
	case NVME_AQA:
		return n->aqa;
	case NVME_ASQ:
	case NVME_ASQ + 4:
		return (uint32_t)(n->asq >> (offset & 4) * 8);
	case NVME_ACQ:
	case NVME_ACQ + 4:
		return (uint32_t)(n->acq >> (offset & 4) * 8);
	default:
		return 0;
	}
}

void nvme_register_write(struct nvme *n, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case NVME_INTMS:
		n->intms |= value;
		nvme_update_line(n);
		break;
	case NVME_INTMC:
		n->intms &= ~value;
		nvme_update_line(n);
		break;
	case NVME_CC:
		write_cc(n, value);
		break;
	case NVME_AQA:
		n->aqa = value & AQA_MASK;
		break;
	case NVME_ASQ:
	case NVME_ASQ + 4:
		n->asq = with_half(n->asq, offset, value);
		break;
	case NVME_ACQ:
	case NVME_ACQ + 4:
		n->acq = with_half(n->acq, offset, value);
		break;
	default:
		if (offset >= NVME_DOORBELLS) {
			uint32_t number = (uint32_t)(offset - NVME_DOORBELLS) / 4;

			nvme_doorbells_set(n, number, value);
			nvme_doorbell(n, number, value);
		}
	}
}
