/* SPDX-License-Identifier: MIT */
/* The life of the controller: registers, interrupts, resets, and memory that answers late. */
#include <sys/mman.h>

#include "model/nvme/nvme_test.h"

static const struct command flush = { .opcode = NVME_FLUSH, .nsid = 1 };
static const struct command read_one = { .opcode = NVME_READ,
					 .nsid = 1,
					 .prp1 = MEMORY_IOVA + DATA };

static void test_registers(void **state)
{
	struct rig *g = rig_new("");
	uint8_t raw[8];

	(void)state;
	assert_int_equal(get(g->dev, DFD_PCI_CONFIG, 8, 4), 0x01080201);
	assert_int_equal(get(g->dev, 0, NVME_CAP, 8), UINT64_C(0x20140103ff));
	assert_int_equal(get32(g->dev, NVME_CAP + 4), 0x20);
	assert_int_equal(get32(g->dev, NVME_VS), 0x10400);
	assert_int_equal(get32(g->dev, NVME_CSTS), 0);
	put(g->dev, 0, NVME_ASQ, 8, 0x123456789abcdfff);
	assert_int_equal(get(g->dev, 0, NVME_ASQ, 8), 0x123456789abcd000);
	put32(g->dev, NVME_ACQ + 4, 7);
	assert_int_equal(get(g->dev, 0, NVME_ACQ, 8), UINT64_C(7) << 32);
	put32(g->dev, NVME_INTMS, 0xf0);
	put32(g->dev, NVME_INTMC, 0x30);
	assert_int_equal(get32(g->dev, NVME_INTMS), 0xc0);
	assert_int_equal(get32(g->dev, 0x40), 0);
	assert_int_equal(get32(g->dev, NVME_DOORBELLS), 0);
	assert_int_equal(dfd_region_read(g->dev, 0, NVME_CC, raw, 2), -EIO);
	assert_int_equal(dfd_region_read(g->dev, 0, NVME_CC + 2, raw, 4), -EIO);
	assert_int_equal(dfd_region_write(g->dev, 0, NVME_CC, raw, 8), -EIO);
	put32(g->dev, NVME_DOORBELLS, 3); /* no queue yet */
	put32(g->dev, NVME_DOORBELLS + 0xffc, 0);
	rig_free(g);
}

static void test_bad_enable(void **state)
{
	static const struct {
		uint32_t cc, aqa;
	} cases[] = {
		{ ENABLE | 0x10, 0xf000f },
		{ ENABLE | 0x80, 0xf000f },
		{ ENABLE | 0x800, 0xf000f },
		{ 0x00450001, 0xf000f },
		{ 0x00360001, 0xf000f },
		{ ENABLE, 0xf0000 },
		{ ENABLE, 0xf },
	};
	struct rig *g = rig_new("");

	(void)state;
	rig_map(g, false);
	set_command(g->dev, 6);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put32(g->dev, NVME_AQA, cases[i].aqa);
		put32(g->dev, NVME_CC, cases[i].cc);
		assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_CFS);
		put32(g->dev, NVME_CC, 0);
		assert_int_equal(get32(g->dev, NVME_CSTS), 0);
	}
	enable(g);
	rig_free(g);
}

/* Queues that are not memory stop the controller, and a reset brings it back. */
static void test_fatal(void **state)
{
	static const uint64_t bad[][2] = {
		{ 0x1000, MEMORY_IOVA + ACQ },
		{ MEMORY_IOVA + ASQ, 0x1000 },
		{ UINT64_MAX - 4095, MEMORY_IOVA + ACQ },
	};
	struct rig *g = rig_new("");

	(void)state;
	rig_map(g, false);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		enable(g);
		put32(g->dev, NVME_CC, 0);
		put(g->dev, 0, NVME_ASQ, 8, bad[i][0]);
		put(g->dev, 0, NVME_ACQ, 8, bad[i][1]);
		put32(g->dev, NVME_CC, ENABLE);
		put32(g->dev, NVME_DOORBELLS, 5);
		dfd_device_service(g->dev);
		assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
		put32(g->dev, NVME_CC, 0);
		assert_int_equal(get32(g->dev, NVME_CSTS), 0);
	}
	enable(g);
	set_command(g->dev, 2); /* no bus mastering, no commands */
	put32(g->dev, NVME_DOORBELLS, 1);
	assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
	rig_free(g);
}

static void test_shutdown(void **state)
{
	struct rig *g = rig_ready("", false);
	uint16_t cid, status;

	(void)state;
	put32(g->dev, NVME_CC, ENABLE | 0x4000);
	assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY | NVME_CSTS_SHST_COMPLETE);
	submit(g, &g->io, &flush);
	dfd_device_service(g->dev);
	assert_false(reap(g, &g->io, &cid, &status));
	put32(g->dev, NVME_CC, 0);
	assert_int_equal(get32(g->dev, NVME_CSTS), 0);
	enable(g);
	create_io_queue(g);
	assert_int_equal(io(g, flush), NVME_OK);
	rig_free(g);
}

/* A reset of the controller keeps the registers of the admin queue, one of the function does not.
 */
static void test_resets(void **state)
{
	struct rig *g = rig_ready("", false);

	(void)state;
	put32(g->dev, NVME_CC, 0);
	assert_int_equal(get32(g->dev, NVME_AQA), (DEPTH - 1) << 16 | (DEPTH - 1));
	assert_int_equal(get(g->dev, 0, NVME_ACQ, 8), MEMORY_IOVA + ACQ);
	enable(g);
	submit(g, &g->admin, &(struct command){ .opcode = NVME_ASYNC_EVENT });
	assert_int_equal(dfd_device_reset(g->dev), 0);
	assert_int_equal(get32(g->dev, NVME_CC), 0);
	assert_int_equal(get32(g->dev, NVME_CSTS), 0);
	assert_int_equal(get32(g->dev, NVME_AQA), 0);
	enable(g);
	create_io_queue(g);
	assert_int_equal(io(g, flush), NVME_OK);
	rig_free(g);
}

/* ---- interrupts ---- */

static void test_msix(void **state)
{
	struct rig *g = rig_ready("", false);

	(void)state;
	assert_int_equal(dfd_irq_enable(g->dev, DFD_PCI_MSIX, 4), 0);
	assert_int_equal(io(g, flush), NVME_OK);
	assert_int_equal(dfd_wait_irq(g->dev, DFD_PCI_MSIX, 1, 1000), 1);
	assert_int_equal(dfd_wait_irq(g->dev, DFD_PCI_MSIX, 0, 0), 0);
	admin(g, (struct command){ .opcode = NVME_GET_FEATURES, .cdw10 = 6 });
	assert_int_equal(dfd_wait_irq(g->dev, DFD_PCI_MSIX, 0, 1000), 1);
	assert_int_equal(dfd_wait_irq(g->dev, DFD_PCI_MSIX, 1, 0), 0);
	rig_free(g);
}

/* The line is up while a completion queue that interrupts has entries, and INTMS does not mask. */
static void test_intx(void **state)
{
	struct rig *g = rig_ready("", false);
	uint16_t cid, status;

	(void)state;
	assert_int_equal(dfd_irq_enable(g->dev, DFD_PCI_INTX, 1), 0);
	submit(g, &g->admin, &(struct command){ .opcode = NVME_GET_FEATURES, .cdw10 = 6 });
	assert_int_equal(dfd_wait_irq(g->dev, DFD_PCI_INTX, 0, 1000), 1);
	put32(g->dev, NVME_INTMS, 1);
	assert_int_equal(dfd_irq_unmask(g->dev, DFD_PCI_INTX), 0);
	assert_int_equal(dfd_wait_irq(g->dev, DFD_PCI_INTX, 0, 0), 0);
	put32(g->dev, NVME_INTMC, 1);
	assert_int_equal(dfd_wait_irq(g->dev, DFD_PCI_INTX, 0, 0), 1);
	assert_true(reap(g, &g->admin, &cid, &status));
	assert_int_equal(dfd_irq_unmask(g->dev, DFD_PCI_INTX), 0);
	assert_int_equal(dfd_wait_irq(g->dev, DFD_PCI_INTX, 0, 0), 0);
	rig_free(g);
}

/* ---- queues ---- */

/* More commands than the completion queue has room for wait until there is some. */
static void test_full_completion_queue(void **state)
{
	struct rig *g = rig_ready("", false);
	struct command small_cq = { .opcode = NVME_CREATE_CQ,
				    .prp1 = MEMORY_IOVA + DATA,
				    .cdw10 = 2 << 16 | 2,
				    .cdw11 = 1 };
	struct command sq = { .opcode = NVME_CREATE_SQ,
			      .prp1 = MEMORY_IOVA + DATA + 4096,
			      .cdw10 = (DEPTH - 1) << 16 | 2,
			      .cdw11 = 2 << 16 | 1 };
	struct queue q = { 2, DATA + 4096, DATA, 0, 0, 1 };
	unsigned int phase = 1, head = 0;

	(void)state;
	assert_int_equal(admin(g, small_cq), NVME_OK);
	assert_int_equal(admin(g, sq), NVME_OK);
	for (int i = 0; i < 10; i++)
		submit(g, &q, &flush);
	for (int i = 0; i < 10; i++) {
		const uint8_t *entry = g->memory + DATA + 16 * head;

		dfd_device_service(g->dev);
		assert_int_equal(dfd_reg_load(entry + 14, 2), phase);
		head = (head + 1) % 3;
		phase ^= !head;
		put32(g->dev, NVME_DOORBELLS + 8 * 2 + 4, head);
	}
	assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY);
	assert_int_equal(io(g, flush), NVME_OK);
	rig_free(g);
}

static void test_bad_doorbells(void **state)
{
	struct rig *g = rig_ready("", false);

	(void)state;
	put32(g->dev, NVME_DOORBELLS, DEPTH);
	put32(g->dev, NVME_DOORBELLS + 4, 0xffffffff);
	put32(g->dev, NVME_DOORBELLS + 8 * 2, 1);
	put32(g->dev, NVME_DOORBELLS + 8 * 31 + 4, 1);
	put32(g->dev, NVME_DOORBELLS + 8 * 32, 0);
	put32(g->dev, NVME_DOORBELLS + 0xffc, 0);
	assert_int_equal(io(g, flush), NVME_OK);
	rig_free(g);
}

/* The driver writes to memory, and the next service sees it. */
static void test_mapped_doorbells(void **state)
{
	struct rig *g = rig_ready(",doorbells=mapped", false);
	volatile uint32_t *page;
	uint16_t cid, status;
	struct dfd_error err;
	void *addr;

	(void)state;
	assert_int_equal(dfd_region_mmap(g->dev, 0, 0, 4096, PROT_READ, &addr), -EINVAL);
	assert_int_equal(
		dfd_region_mmap(g->dev, 0, NVME_DOORBELLS, 4096, PROT_READ | PROT_WRITE, &addr), 0);
	page = addr;
	assert_int_equal(io(g, flush), NVME_OK);
	assert_int_equal(le32toh(page[2]), 1);
	memcpy(g->memory + IOSQ + 64, g->memory + IOSQ, 64);
	page[2] = htole32(2);
	dfd_device_service(g->dev);
	dfd_device_service(g->dev);
	assert_true(reap(g, &g->io, &cid, &status));
	assert_int_equal(status, NVME_OK);
	page[2] = page[3] = page[1000] = 0xffffffff; /* nonsense is refused as in registers */
	dfd_device_service(g->dev);
	assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY);
	put32(g->dev, NVME_CC, 0);
	assert_int_equal(page[2], 0);
	enable(g);
	create_io_queue(g);
	assert_int_equal(io(g, flush), NVME_OK);
	munmap(addr, 4096);
	assert_int_equal(dfd_model_open("nvme,image=x,doorbells=rung", &g->dev, &err), -EINVAL);
	assert_string_equal(err.text, "model:nvme: doorbells=rung is neither registers nor mapped");
	rig_free(g);
}

/* ---- memory by message that answers late ---- */

static void serve(struct rig *g, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		answer_all(g);
		assert_int_equal(dfd_device_service(g->dev), 0);
	}
}

static void test_late_answers(void **state)
{
	struct rig *g = rig_ready("", true);
	struct command c = read_one;
	uint16_t cid, status;
	int done = 0;

	(void)state;
	for (uint32_t i = 0; i < 31; i++)
		dfd_reg_store(g->memory + LIST + 8 * i, 8, iova_of(DATA + 4096 * (i + 1)));
	c.prp2 = iova_of(LIST);
	c.cdw12 = 255;
	g->hold = true;
	for (int i = 0; i < 10; i++) /* ten times 32 pages: more than can be in flight */
		submit(g, &g->io, &c);
	for (int i = 0; i < 200 && done < 10; i++) {
		serve(g, 1);
		while (reap(g, &g->io, &cid, &status)) {
			assert_int_equal(status, NVME_OK);
			done++;
		}
	}
	assert_int_equal(done, 10);
	rig_free(g);
}

/* What a queue holds is fetched at once, up to the end of its memory; each completion is a message.
 */
static void test_batch(void **state)
{
	static const unsigned int messages[] = { 1 + 10, 2 + 10, 1 + 10 };
	struct rig *g = rig_ready("", true);
	uint16_t cid, status, first;

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		uint8_t raw[64] = { NVME_FLUSH };
		unsigned int before = g->num_messages;

		first = g->next_cid;
		raw[4] = 1;
		for (unsigned int j = 0; j < 10; j++) {
			dfd_reg_store(raw + 2, 2, g->next_cid++);
			memcpy(g->memory + IOSQ + 64 * g->io.tail, raw, 64);
			g->io.tail = (g->io.tail + 1) % DEPTH;
		}
		put32(g->dev, NVME_DOORBELLS + 8, g->io.tail);
		for (int round = 0; round < 20; round++)
			dfd_device_service(g->dev);
		assert_int_equal(g->num_messages - before, messages[i]);
		for (unsigned int j = 0; j < 10; j++) {
			assert_true(reap(g, &g->io, &cid, &status));
			assert_int_equal(cid, first + j);
			assert_int_equal(status, NVME_OK);
		}
	}
	rig_free(g);
}

/* CSTS.RDY stays until no DMA is under way any more: it could still write. */
static void test_reset_waits(void **state)
{
	struct rig *g = rig_ready("", true);

	(void)state;
	g->hold = true;
	submit(g, &g->io, &read_one);
	serve(g, 1); /* the command has come, the data is on its way */
	assert_int_equal(g->num_waiting, 1);
	put32(g->dev, NVME_CC, 0);
	assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY);
	serve(g, 2);
	assert_int_equal(get32(g->dev, NVME_CSTS), 0);
	g->hold = false;
	enable(g);
	create_io_queue(g);
	assert_int_equal(io(g, read_one), NVME_OK);
	rig_free(g);
}

static void test_enable_during_reset(void **state)
{
	struct rig *g = rig_ready("", true);

	(void)state;
	g->hold = true;
	submit(g, &g->io, &read_one);
	serve(g, 1);
	put32(g->dev, NVME_CC, 0);
	put32(g->dev, NVME_CC, ENABLE);
	serve(g, 2);
	assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY);
	g->hold = false;
	memset(g->memory, 0, LIST);
	g->admin = (struct queue){ 0, ASQ, ACQ, 0, 0, 1 };
	g->io = (struct queue){ 1, IOSQ, IOCQ, 0, 0, 1 };
	create_io_queue(g);
	assert_int_equal(io(g, read_one), NVME_OK);
	rig_free(g);
}

/* A reset of the function cancels what is under way; answers that come later are dropped. */
static void test_cancel_by_reset(void **state)
{
	struct rig *g = rig_ready("", true);

	(void)state;
	for (int held = 0; held < 3; held++) {
		g->hold = true;
		submit(g, &g->io, &read_one);
		serve(g, held);
		assert_int_equal(g->num_waiting, 1);
		assert_int_equal(dfd_device_reset(g->dev), 0);
		assert_int_equal(get32(g->dev, NVME_CSTS), 0);
		serve(g, 1);
		g->hold = false;
		enable(g);
		create_io_queue(g);
		assert_int_equal(io(g, read_one), NVME_OK);
	}
	g->hold = true;
	submit(g, &g->io, &read_one);
	rig_free(g); /* and closing does, too */
}

/* Unmapping the data ends the command with an error, unmapping the queues stops the controller. */
static void test_unmap(void **state)
{
	struct rig *g = rig_ready("", true);
	struct dfd_dma_map more = { .iova = 0x1000000,
				    .size = 4096,
				    .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				    .kind = DFD_DMA_MESSAGE,
				    .io = &message_io,
				    .io_ctx = g };
	struct command c = read_one;
	uint16_t cid, status;

	(void)state;
	assert_int_equal(dfd_dma_map(g->dev, &more), 0);
	c.prp1 = more.iova;
	g->hold = true;
	submit(g, &g->io, &c);
	serve(g, 1);
	assert_int_equal(g->num_waiting, 1);
	assert_int_equal(dfd_dma_unmap(g->dev, more.iova, more.size, NULL), 0);
	serve(g, 3);
	assert_true(reap(g, &g->io, &cid, &status));
	assert_int_equal(status, NVME_TRANSFER_ERROR);
	submit(g, &g->io, &read_one);
	assert_int_equal(dfd_dma_unmap(g->dev, MEMORY_IOVA, MEMORY_SIZE, NULL), 0);
	assert_int_equal(get32(g->dev, NVME_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
	rig_free(g);
}

/* A queue is gone when nothing of it is under way any more. */
static void test_delete_queue_waits(void **state)
{
	struct rig *g = rig_ready("", true);
	struct command delete_sq = { .opcode = NVME_DELETE_SQ, .cdw10 = 1 };
	uint16_t cid, status;
	unsigned int kept;

	(void)state;
	g->hold = true;
	submit(g, &g->io, &read_one);
	serve(g, 1);
	kept = g->num_waiting;
	assert_int_equal(kept, 1);
	g->hold = false;
	g->num_waiting = 0;
	submit(g, &g->admin, &delete_sq);
	for (int i = 0; i < 5; i++)
		dfd_device_service(g->dev);
	assert_false(reap(g, &g->admin, &cid, &status));
	g->num_waiting = kept;
	serve(g, 4);
	assert_true(reap(g, &g->admin, &cid, &status));
	assert_int_equal(status, NVME_OK);
	assert_false(reap(g, &g->io, &cid, &status));
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_bad_enable),
		cmocka_unit_test(test_fatal),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_msix),
		cmocka_unit_test(test_intx),
		cmocka_unit_test(test_full_completion_queue),
		cmocka_unit_test(test_bad_doorbells),
		cmocka_unit_test(test_mapped_doorbells),
		cmocka_unit_test(test_late_answers),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_reset_waits),
		cmocka_unit_test(test_enable_during_reset),
		cmocka_unit_test(test_cancel_by_reset),
		cmocka_unit_test(test_unmap),
		cmocka_unit_test(test_delete_queue_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
