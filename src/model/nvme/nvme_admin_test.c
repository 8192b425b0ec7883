/* SPDX-License-Identifier: MIT */
#include "model/nvme/nvme_test.h"

#define AT(offset) .prp1 = MEMORY_IOVA + (offset)

static struct command on_data(struct command c)
{
	c.prp1 = iova_of(DATA);
	return c;
}

static uint64_t data(const struct rig *g, size_t offset, size_t width)
{
	return dfd_reg_load(g->memory + DATA + offset, width);
}

static uint16_t identify(struct rig *g, uint32_t cns, uint32_t nsid)
{
	memset(g->memory + DATA, 0xee, 8192);
	return admin(g, on_data((struct command){
				.opcode = NVME_IDENTIFY, .nsid = nsid, .cdw10 = cns }));
}

static void test_identify(void **state)
{
	struct rig *g = rig_ready(",serial=ABC-1", false);

	(void)state;
	assert_int_equal(identify(g, 1, 0), NVME_OK);
	assert_memory_equal(g->memory + DATA + 4, "ABC-1               ", 20);
	assert_memory_equal(g->memory + DATA + 24, "devfd NVMe controller  ", 23);
	assert_int_equal(data(g, 77, 1), 5);
	assert_int_equal(data(g, 80, 4), 0x10400);
	assert_int_equal(data(g, 516, 4), 1);
	assert_memory_equal(g->memory + DATA + 768, "nqn.2014.08.org.nvmexpress:12341234ABC-1 ",
			    41);
	assert_int_equal(data(g, 4096, 1), 0xee);

	assert_int_equal(identify(g, 0, 1), NVME_OK);
	assert_int_equal(data(g, 0, 8), DISK_BLOCKS);
	assert_int_equal(data(g, 128, 4), 9 << 16);
	assert_int_equal(identify(g, 2, 0), NVME_OK);
	assert_int_equal(data(g, 0, 8), 1);
	assert_int_equal(identify(g, 2, 1), NVME_OK);
	assert_int_equal(data(g, 0, 8), 0);
	assert_int_equal(identify(g, 3, 1), NVME_OK);
	assert_int_equal(data(g, 0, 4), 0x1003); /* 16 bytes of UUID */
	assert_true(data(g, 4, 8) && data(g, 12, 8));
	assert_int_equal(data(g, 20, 4), 0);
	rig_free(g);
}

/* Two images are two devices, and each is the same tomorrow. */
static void test_serials(void **state)
{
	struct rig *g = rig_ready("", false), *other = rig_ready("", false);
	uint8_t serial[20];

	(void)state;
	assert_int_equal(identify(g, 1, 0), NVME_OK);
	assert_int_equal(identify(other, 1, 0), NVME_OK);
	memcpy(serial, g->memory + DATA + 4, 20);
	assert_memory_not_equal(serial, other->memory + DATA + 4, 20);
	rig_free(g);
	rig_free(other);
}

static void test_refused(void **state)
{
	static const struct {
		struct command c;
		uint16_t want;
	} cases[] = {
		{ { 0x03 }, NVME_INVALID_OPCODE },
		{ { 0x0d }, NVME_INVALID_OPCODE },
		{ { 0x80 }, NVME_INVALID_OPCODE },
		{ { 0xff }, NVME_INVALID_OPCODE },
		{ { NVME_IDENTIFY, 0x02, 1, AT(DATA) }, NVME_INVALID_FIELD },
		{ { NVME_IDENTIFY, 0x80, 1, AT(DATA) }, NVME_INVALID_FIELD },
		{ { NVME_IDENTIFY, 0, 0, AT(DATA) }, NVME_INVALID_NAMESPACE },
		{ { NVME_IDENTIFY, 0, 2, AT(DATA) }, NVME_INVALID_NAMESPACE },
		{ { NVME_IDENTIFY, 0, 0xffffffff, AT(DATA) }, NVME_INVALID_NAMESPACE },
		{ { NVME_IDENTIFY, 0, 0xffffffff, AT(DATA), .cdw10 = 2 }, NVME_INVALID_NAMESPACE },
		{ { NVME_IDENTIFY, 0, 2, AT(DATA), .cdw10 = 3 }, NVME_INVALID_NAMESPACE },
		{ { NVME_IDENTIFY, 0, 1, AT(DATA), .cdw10 = 4 }, NVME_INVALID_FIELD },
		{ { NVME_IDENTIFY, 0, 1, AT(DATA), .cdw10 = 0x10 }, NVME_INVALID_FIELD },
		{ { NVME_IDENTIFY, 0, 1, AT(DATA + 1) }, NVME_INVALID_PRP_OFFSET },
		{ { NVME_IDENTIFY, 0, 1, AT(DATA + 4), MEMORY_IOVA + 4 }, NVME_INVALID_PRP_OFFSET },
		{ { NVME_IDENTIFY, 0, 1, 0x1000 }, NVME_TRANSFER_ERROR },
		/* queue ids, sizes, flags, addresses, vectors */
		{ { NVME_CREATE_CQ, .cdw10 = 0xf0000, .cdw11 = 1 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_CREATE_CQ, .cdw10 = 0xf0001, .cdw11 = 1 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_CREATE_CQ, .cdw10 = 0xf0020, .cdw11 = 1 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_CREATE_CQ, .cdw10 = 0xfffff, .cdw11 = 1 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_CREATE_CQ, .cdw10 = 0x00002, .cdw11 = 1 }, NVME_INVALID_QUEUE_SIZE },
		{ { NVME_CREATE_CQ, .cdw10 = 0x4000002, .cdw11 = 1 }, NVME_INVALID_QUEUE_SIZE },
		{ { NVME_CREATE_CQ, .cdw10 = 0xf0002, .cdw11 = 0 }, NVME_INVALID_FIELD },
		{ { NVME_CREATE_CQ, 0, 0, AT(8), .cdw10 = 0xf0002, .cdw11 = 1 },
		  NVME_INVALID_PRP_OFFSET },
		{ { NVME_CREATE_CQ, .cdw10 = 0xf0002, .cdw11 = 0x200003 }, NVME_INVALID_VECTOR },
		{ { NVME_CREATE_SQ, .cdw10 = 0xf0000, .cdw11 = 0x10001 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_CREATE_SQ, .cdw10 = 0xf0001, .cdw11 = 0x10001 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_CREATE_SQ, .cdw10 = 0xf0002, .cdw11 = 0x00001 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_CREATE_SQ, .cdw10 = 0xf0002, .cdw11 = 0x200001 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_CREATE_SQ, .cdw10 = 0xf0002, .cdw11 = 0x20001 }, NVME_INVALID_CQ },
		{ { NVME_CREATE_SQ, .cdw10 = 0x00002, .cdw11 = 0x10001 }, NVME_INVALID_QUEUE_SIZE },
		{ { NVME_CREATE_SQ, .cdw10 = 0xf0002, .cdw11 = 0x10000 }, NVME_INVALID_FIELD },
		{ { NVME_DELETE_SQ, .cdw10 = 0 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_DELETE_SQ, .cdw10 = 2 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_DELETE_SQ, .cdw10 = 0xffff }, NVME_INVALID_QUEUE_ID },
		{ { NVME_DELETE_CQ, .cdw10 = 0 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_DELETE_CQ, .cdw10 = 3 }, NVME_INVALID_QUEUE_ID },
		{ { NVME_DELETE_CQ, .cdw10 = 1 }, NVME_INVALID_QUEUE_DELETION },
		/* features */
		{ { NVME_GET_FEATURES, .cdw10 = 0x00 }, NVME_INVALID_FIELD },
		{ { NVME_GET_FEATURES, .cdw10 = 0x03 }, NVME_INVALID_FIELD },
		{ { NVME_GET_FEATURES, .cdw10 = 0x0c }, NVME_INVALID_FIELD },
		{ { NVME_GET_FEATURES, .cdw10 = 0xff }, NVME_INVALID_FIELD },
		{ { NVME_GET_FEATURES, .cdw10 = 0x106 }, NVME_INVALID_FIELD },
		{ { NVME_GET_FEATURES, .cdw10 = 0x09, .cdw11 = 32 }, NVME_INVALID_FIELD },
		{ { NVME_SET_FEATURES, .cdw10 = 0x03 }, NVME_INVALID_FIELD },
		{ { NVME_SET_FEATURES, .cdw10 = 0x10 }, NVME_INVALID_FIELD },
		{ { NVME_SET_FEATURES, .cdw10 = 0x80000006 }, NVME_NOT_SAVEABLE },
		{ { NVME_SET_FEATURES, .cdw10 = 0x02, .cdw11 = 1 }, NVME_INVALID_FIELD },
		{ { NVME_SET_FEATURES, .cdw10 = 0x07, .cdw11 = 0x10001 },
		  NVME_SEQUENCE_ERROR }, /* queues exist */
		{ { NVME_SET_FEATURES, .cdw10 = 0x07, .cdw11 = 0xffff }, NVME_INVALID_FIELD },
		/* log pages */
		{ { NVME_GET_LOG_PAGE, 0, 0, AT(DATA), .cdw10 = 0x7f0000 }, NVME_INVALID_LOG_PAGE },
		{ { NVME_GET_LOG_PAGE, 0, 0, AT(DATA), .cdw10 = 0x7f0080 }, NVME_INVALID_LOG_PAGE },
		{ { NVME_GET_LOG_PAGE, 0, 1, AT(DATA), .cdw10 = 0x7f0002 }, NVME_INVALID_FIELD },
		{ { NVME_GET_LOG_PAGE, 0, 0, AT(DATA), .cdw10 = 0x7f0002, .cdw11 = 1 },
		  NVME_INVALID_FIELD },
		{ { NVME_GET_LOG_PAGE, 0, 0, AT(DATA), .cdw10 = 0x7f0002, .cdw12 = 2 },
		  NVME_INVALID_FIELD },
		{ { NVME_GET_LOG_PAGE, 0, 0, AT(DATA), .cdw10 = 0x7f0002, .cdw12 = 516 },
		  NVME_INVALID_FIELD },
		{ { NVME_GET_LOG_PAGE, 0, 0, AT(DATA), .cdw10 = 0x7f0002, .cdw13 = 1 },
		  NVME_INVALID_FIELD },
		{ { NVME_ABORT, .cdw10 = 0x00000007 }, NVME_INVALID_FIELD },
		{ { NVME_ABORT, .cdw10 = 0x0000ffff }, NVME_INVALID_FIELD },
	};
	struct rig *g = rig_ready("", false);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint16_t status = admin(g, cases[i].c);

		if (status != cases[i].want)
			fail_msg("case %zu: status 0x%x, not 0x%x", i, status, cases[i].want);
	}
	assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY);
	rig_free(g);
}

static void test_queues_come_and_go(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command delete_cq = { .opcode = NVME_DELETE_CQ, .cdw10 = 1 };
	struct command delete_sq = { .opcode = NVME_DELETE_SQ, .cdw10 = 1 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(io(g, (struct command){ .opcode = NVME_FLUSH, .nsid = 1 }), 0);
		assert_int_equal(admin(g, delete_cq), NVME_INVALID_QUEUE_DELETION);
		assert_int_equal(admin(g, delete_sq), NVME_OK);
		assert_int_equal(admin(g, delete_sq), NVME_INVALID_QUEUE_ID);
		assert_int_equal(admin(g, delete_cq), NVME_OK);
		assert_int_equal(admin(g, delete_cq), NVME_INVALID_QUEUE_ID);
		memset(g->memory + IOCQ, 0, 4096);
		g->io = (struct queue){ 1, IOSQ, IOCQ, 0, 0, 1 };
		create_io_queue(g);
	}
	rig_free(g);
}

static void test_features(void **state)
{
	static const uint32_t cases[][3] = {
		/* number, initial, after 0x12345678 was set */
		{ 0x01, 0x07, 0x12345600 },
		{ 0x02, 0x00, 0 },
		{ 0x04, 343, 343 },
		{ 0x05, 0, 0x5678 },
		{ 0x06, 1, 0 },
		{ 0x08, 0, 0x5678 },
		{ 0x0a, 0, 0 },
		{ 0x0b, 0, 0x12345678 & 0x7ff },
	};
	struct rig *g = rig_ready("", false);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct command c = { .opcode = NVME_GET_FEATURES, .cdw10 = cases[i][0] };

		assert_int_equal(admin(g, c), NVME_OK);
		assert_int_equal(g->result, cases[i][1]);
		c.opcode = NVME_SET_FEATURES;
		c.cdw11 = 0x12345678;
		assert_int_equal(admin(g, c), cases[i][0] == 2 ? NVME_INVALID_FIELD : NVME_OK);
		c.opcode = NVME_GET_FEATURES;
		c.cdw11 = 0;
		assert_int_equal(admin(g, c), NVME_OK);
		assert_int_equal(g->result, cases[i][2]);
	}
	rig_free(g);

	g = rig_new("");
	rig_map(g, false);
	enable(g);
	assert_int_equal(admin(g, (struct command){ .opcode = NVME_SET_FEATURES,
						    .cdw10 = 7,
						    .cdw11 = 0x30003 }),
			 NVME_OK);
	assert_int_equal(g->result, 0x1e001e);
	rig_free(g);
}

static uint16_t log_page(struct rig *g, uint32_t id, uint32_t len, uint32_t offset)
{
	memset(g->memory + DATA, 0xee, 8192);
	return admin(g, on_data((struct command){ .opcode = NVME_GET_LOG_PAGE,
						  .nsid = NVME_ALL_NAMESPACES,
						  .cdw10 = (len / 4 - 1) << 16 | id,
						  .cdw12 = offset }));
}

static void test_logs(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command bad = { .opcode = NVME_READ, .nsid = 1, .cdw10 = 5000, .cdw11 = 1 };

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(io(g, bad), NVME_LBA_OUT_OF_RANGE);
	assert_int_equal(io(g, on_data((struct command){ .opcode = NVME_READ, .nsid = 1 })), 0);
	assert_int_equal(log_page(g, 1, 1024 + 64, 0), NVME_OK);
	assert_int_equal(data(g, 0, 8), 20); /* the newest first */
	assert_int_equal(data(g, 8, 2), 1);
	assert_int_equal(data(g, 12, 2), NVME_LBA_OUT_OF_RANGE << 1 & 0xffff);
	assert_int_equal(data(g, 16, 8), 0x100001388);
	assert_int_equal(data(g, 24, 4), 1);
	assert_int_equal(data(g, (size_t)15 * 64, 8), 5);
	assert_int_equal(data(g, 1024, 8), 0);
	assert_int_equal(data(g, 1024 + 64, 1), 0xee);
	assert_int_equal(log_page(g, 1, 8, 64), NVME_OK);
	assert_int_equal(data(g, 0, 8), 19);

	assert_int_equal(log_page(g, 2, 512, 0), NVME_OK);
	assert_int_equal(data(g, 1, 2), 300);
	assert_int_equal(data(g, 32, 8), 1);
	assert_int_equal(data(g, 64, 8), 1);
	assert_int_equal(data(g, 176, 8), 20);
	assert_int_equal(log_page(g, 3, 16, 0), NVME_OK);
	assert_int_equal(data(g, 0, 8), 1);
	assert_memory_equal(g->memory + DATA + 8, "1       ", 8);
	rig_free(g);
}

/* Held until it is aborted; one too many is refused. */
static void test_async_events(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command event = { .opcode = NVME_ASYNC_EVENT };
	uint16_t cids[4], cid, status;

	(void)state;
	for (int i = 0; i < 4; i++)
		cids[i] = submit(g, &g->admin, &event);
	assert_false(reap(g, &g->admin, &cid, &status));
	assert_int_equal(admin(g, event), NVME_ASYNC_EVENT_LIMIT);

	submit(g, &g->admin,
	       &(struct command){ .opcode = NVME_ABORT, .cdw10 = (uint32_t)cids[2] << 16 });
	dfd_device_service(g->dev);
	assert_true(reap(g, &g->admin, &cid, &status));
	assert_int_equal(status, NVME_OK);
	assert_int_equal(g->result, 0);
	assert_true(reap(g, &g->admin, &cid, &status));
	assert_int_equal(cid, cids[2]);
	assert_int_equal(status, NVME_ABORT_REQUESTED);
	assert_int_equal(admin(g, (struct command){ .opcode = NVME_ABORT, .cdw10 = 0x77770000 }),
			 NVME_OK);
	assert_int_equal(g->result, 1);
	rig_free(g);
}

#define TEMPERATURE_EVENT 0x020101u /* type, information, log page */
#define DOORBELL_EVENT	  0x010000u
#define VALUE_EVENT	  0x010100u

static void get_log(struct rig *g, uint32_t page)
{
	assert_int_equal(admin(g, (struct command){ .opcode = NVME_GET_LOG_PAGE,
						    .prp1 = iova_of(DATA),
						    .cdw10 = 127 << 16 | page }),
			 NVME_OK);
}

static bool told(struct rig *g, uint32_t what)
{
	uint16_t cid, status;

	dfd_device_service(g->dev);
	return reap(g, &g->admin, &cid, &status) && status == NVME_OK && g->result == what;
}

static void set_feature(struct rig *g, uint32_t id, uint32_t value)
{
	assert_int_equal(
		admin(g,
		      (struct command){ .opcode = NVME_SET_FEATURES, .cdw10 = id, .cdw11 = value }),
		NVME_OK);
}

/* Each type is told once, until its log page is read; without a request it waits for one. */
static void test_error_events(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command event = { .opcode = NVME_ASYNC_EVENT };

	(void)state;
	submit(g, &g->admin, &event);
	put32(g->dev, NVME_DOORBELLS + 8 * 2, 1); /* there is no such queue */
	assert_true(told(g, DOORBELL_EVENT));
	submit(g, &g->admin, &event);
	put32(g->dev, NVME_DOORBELLS + 8, DEPTH);
	assert_false(told(g, VALUE_EVENT));
	get_log(g, NVME_LOG_ERRORS | 0x8000); /* the event is retained */
	put32(g->dev, NVME_DOORBELLS + 8, DEPTH);
	assert_false(told(g, VALUE_EVENT));
	get_log(g, NVME_LOG_ERRORS);
	assert_int_equal(data(g, 0, 8), 3);
	assert_int_equal(data(g, 8, 4), 0xffffffff); /* of no command */
	put32(g->dev, NVME_DOORBELLS + 8, DEPTH);
	assert_true(told(g, VALUE_EVENT));
	get_log(g, NVME_LOG_ERRORS);
	put32(g->dev, NVME_DOORBELLS + 8 + 4, 1); /* takes what is not there */
	assert_false(told(g, VALUE_EVENT));
	submit(g, &g->admin, &event);
	assert_true(told(g, VALUE_EVENT));
	rig_free(g);
}

static void test_health_events(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command event = { .opcode = NVME_ASYNC_EVENT };

	(void)state;
	submit(g, &g->admin, &event);
	set_feature(g, NVME_FEATURE_TEMPERATURE, 300);
	assert_false(told(g, TEMPERATURE_EVENT)); /* nobody wants to know */
	get_log(g, NVME_LOG_SMART);
	assert_int_equal(data(g, 0, 1), NVME_WARNING_TEMPERATURE);
	set_feature(g, NVME_FEATURE_TEMPERATURE, 301);
	set_feature(g, NVME_FEATURE_ASYNC_EVENT, NVME_WARNING_TEMPERATURE);
	set_feature(g, NVME_FEATURE_TEMPERATURE, 1 << 20 | 299);
	assert_false(told(g, TEMPERATURE_EVENT)); /* not as cold as that */
	get_log(g, NVME_LOG_SMART);
	assert_int_equal(data(g, 0, 1), 0);
	set_feature(g, NVME_FEATURE_TEMPERATURE, 1 << 20 | 300);
	assert_true(told(g, TEMPERATURE_EVENT));
	rig_free(g);
}

/* A reset ends the requests without an answer, and takes back what waits. */
static void test_events_after_reset(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command event = { .opcode = NVME_ASYNC_EVENT };

	(void)state;
	for (int i = 0; i < 3; i++) {
		put32(g->dev, NVME_DOORBELLS + 8 * 2, 1); /* finds no request */
		put32(g->dev, NVME_CC, 0);
		enable(g);
		for (int j = 0; j < 4; j++)
			submit(g, &g->admin, &event);
		assert_false(told(g, DOORBELL_EVENT));
	}
	rig_free(g);
}

/* The id of a command that is still held. */
static void test_id_conflict(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command event = { .opcode = NVME_ASYNC_EVENT };
	uint16_t held = submit(g, &g->admin, &event);

	(void)state;
	g->next_cid = held;
	assert_int_equal(identify(g, 1, 0), NVME_ID_CONFLICT);
	assert_int_equal(identify(g, 1, 0), NVME_OK);
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_queues_come_and_go),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_async_events),
		cmocka_unit_test(test_error_events),
		cmocka_unit_test(test_health_events),
		cmocka_unit_test(test_events_after_reset),
		cmocka_unit_test(test_id_conflict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
