/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous events: the driver leaves requests with the controller, which ends one to tell.
 *
 * An event that finds no request waits for one. Once told, its type is silent until the driver has
 * read the log page that says more; reading it also takes back an event that still waits.
 */
#include "model/nvme/nvme.h"

static const uint8_t log_pages[NVME_NUM_EVENTS] = {
	[NVME_EVENT_ERROR] = NVME_LOG_ERRORS,
	[NVME_EVENT_HEALTH] = NVME_LOG_SMART,
};

static struct nvme_request *held_request(struct nvme *n)
{
	for (unsigned int i = 0; i < NVME_REQUESTS; i++) {
		if (n->requests[i].state == REQUEST_HELD && !n->requests[i].dropped)
			return &n->requests[i];
	}
	return NULL;
}

static void tell(struct nvme *n)
{
	for (unsigned int type = 0; type < NVME_NUM_EVENTS; type++) {
		struct nvme_event *e = &n->events[type];
		struct nvme_request *r = e->waits ? held_request(n) : NULL;

		if (!r)
			continue;
		e->waits = false;
		e->told = true;
		r->result = (uint32_t)log_pages[type] << 16 | (uint32_t)e->info << 8 | type;
		nvme_complete(r, NVME_OK);
		nvme_kick(n);
	}
}

void nvme_event(struct nvme *n, enum nvme_event_type type, enum nvme_event_info info)
{
	struct nvme_event *e = &n->events[type];

	if (e->waits || e->told)
		return;
	e->waits = true;
	e->info = (uint8_t)info;
	tell(n);
}

void nvme_event_request(struct nvme_request *r)
{
	unsigned int held = 0;

	for (unsigned int i = 0; i < NVME_REQUESTS; i++)
		held += r->n->requests[i].state == REQUEST_HELD;
	if (held == NVME_ASYNC_LIMIT) {
		nvme_complete(r, NVME_ASYNC_EVENT_LIMIT);
		return;
	}
	r->state = REQUEST_HELD;
	tell(r->n);
}

void nvme_event_read(struct nvme *n, uint32_t log_page)
{
	for (unsigned int type = 0; type < NVME_NUM_EVENTS; type++) {
		if (log_pages[type] == log_page)
			n->events[type] = (struct nvme_event){ 0 };
	}
}

void nvme_check_temperature(struct nvme *n)
{
	const uint32_t now = NVME_KELVIN_27C;
	bool wrong = now >= n->features[NVME_FEATURE_TEMPERATURE] || now <= n->cold;
	bool was = n->warnings & NVME_WARNING_TEMPERATURE;

	n->warnings = wrong ? NVME_WARNING_TEMPERATURE : 0;
	if (wrong && !was && n->features[NVME_FEATURE_ASYNC_EVENT] & NVME_WARNING_TEMPERATURE)
		nvme_event(n, NVME_EVENT_HEALTH, NVME_EVENT_TEMPERATURE);
}
