/* SPDX-License-Identifier: MIT */
/*
 * Registers by the ring, where the devices are. The bytes are in the request and the answer, so the
 * memory of the process is not touched. A request is that of a stranger, and a copy.
 *
 * What a process has closed before is not looked for: who accesses a register has it open, and what
 * others have closed does not change what it is.
 */
#include "shim/core.h"
#include "shim/protocol.h"
#include "shim/registers.h"

/* What a bus moves at once. */
#define WIDEST 8u

static int64_t move(const struct ring_request *q, uint8_t *data)
{
	struct shim_mount *m = core_mount(q->object);

	return m ? core_move(m, q->object, q->command == SHIM_WRITE, data, q->access.count,
			     q->access.offset)
		 : -ENODEV;
}

static int64_t reach(const struct ring_request *q, uint8_t *data)
{
	const struct ring_access *a = &q->access;
	struct shim_mount *m = shim_mount_number(q->object);
	int ret = -EINVAL;

	if (m && shim_mount_maps(m) && a->count <= WIDEST)
		ret = core_access(m, a->region, a->offset, data, a->count,
				  q->command == SHIM_STORE);
	return ret ? ret : (int64_t)a->count;
}

static int64_t access_registers(const struct ring_request *q, uint8_t *data)
{
	if (q->access.count > RING_MAX_DATA)
		return -EINVAL;
	switch (q->command) {
	case SHIM_READ:
	case SHIM_WRITE:
		return move(q, data);
	case SHIM_LOAD:
	case SHIM_STORE:
		return reach(q, data);
	default:
		return -EINVAL;
	}
}

int registers_serve(struct ring *r)
{
	struct ring_response a = { 0 };
	struct ring_request q;
	int ret = ring_asked(r, &q);
	int64_t n;

	if (ret <= 0)
		return ret;
	memcpy(a.data, q.data, sizeof(a.data));
	n = access_registers(&q, a.data);
	a.error = n < 0 ? (uint16_t)-n : 0;
	a.moved = n < 0 ? 0 : (uint64_t)n;
	ring_answer(r, &a,
		    q.command == SHIM_READ || q.command == SHIM_LOAD ? (uint32_t)a.moved : 0);
	return 1;
}
