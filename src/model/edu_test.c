/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "model/model_test.h"

#define ID	   0x00
#define LIVENESS   0x04
#define FACTORIAL  0x08
#define STATUS	   0x20
#define IRQ_STATUS 0x24
#define RAISE	   0x60
#define ACK	   0x64
#define DMA_SRC	   0x80
#define DMA_DST	   0x88
#define DMA_COUNT  0x90
#define DMA_CMD	   0x98
#define BUFFER	   0x40000
#define MASK_28	   0xfffffff

/* Long enough to be seen busy, whatever else the machine does. */
#define SLOW "edu,latency=60000000000"

static void test_identity(void **state)
{
	struct dfd_device *dev = open_model("edu");
	const struct dfd_region *bar = dfd_desc_region(dfd_device_desc(dev), DFD_PCI_BAR0);

	(void)state;
	assert_int_equal(bar->size, 1 << 20);
	assert_int_equal(bar->flags, 0);
	assert_int_equal(get(dev, DFD_PCI_CONFIG, 0, 4), 0x11e81234);
	assert_int_equal(get(dev, DFD_PCI_CONFIG, 8, 4), 0x00ff0010);
	assert_int_equal(dfd_desc_vectors(dfd_device_desc(dev), DFD_PCI_MSI), 1);
	assert_int_equal(dfd_desc_vectors(dfd_device_desc(dev), DFD_PCI_MSIX), 0);
	assert_int_equal(get32(dev, ID), 0x010000ed);
	put32(dev, ID, 0);
	assert_int_equal(get32(dev, ID), 0x010000ed);
	dfd_device_close(dev);
}

static void test_liveness(void **state)
{
	struct dfd_device *dev = open_model("edu");

	(void)state;
	put32(dev, LIVENESS, 0x12345678);
	assert_int_equal(get32(dev, LIVENESS), 0xedcba987);
	dfd_device_close(dev);
}

static void test_widths(void **state)
{
	static const struct {
		uint64_t offset;
		size_t len;
		ssize_t want;
	} cases[] = {
		{ 0x00, 4, 4 },	   { 0x00, 1, -EIO }, { 0x00, 2, -EIO },	{ 0x00, 8, -EIO },
		{ 0x00, 3, -EIO }, { 0x02, 4, -EIO }, { 0x7c, 4, 4 },		{ 0x78, 8, -EIO },
		{ 0x7c, 8, -EIO }, { 0x80, 4, 4 },    { 0x80, 8, 8 },		{ 0x84, 4, 4 },
		{ 0x84, 8, -EIO }, { 0x80, 2, -EIO }, { 0x80, 16, -EIO },	{ 0x40000, 8, 8 },
		{ 0xffff8, 8, 8 }, { 0xffffc, 8, 4 }, { 0x100000, 4, -EINVAL },
	};
	struct dfd_device *dev = open_model("edu");
	unsigned char buf[16] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(dfd_region_read(dev, 0, cases[i].offset, buf, cases[i].len),
				 cases[i].want);
		memset(buf, 0, sizeof(buf));
		assert_int_equal(dfd_region_write(dev, 0, cases[i].offset, buf, cases[i].len),
				 cases[i].want);
	}
	dfd_device_close(dev);
}

/* Nothing there, or nothing to read: all ones. */
static void test_no_register(void **state)
{
	static const uint64_t offsets[] = { 0x0c, 0x28, RAISE, ACK, 0x7c, 0xa0, BUFFER, 0xffffc };
	struct dfd_device *dev = open_model("edu");

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		put32(dev, offsets[i], 0);
		assert_int_equal(get32(dev, offsets[i]), 0xffffffff);
	}
	dfd_device_close(dev);
}

static void test_factorial_by_polling(void **state)
{
	static const uint32_t cases[][2] = {
		{ 0, 1 },	    { 1, 1 },		{ 5, 120 }, { 12, 479001600 },
		{ 13, 1932053504 }, { 33, 0x80000000 }, { 34, 0 },  { 0xffffffff, 0 },
	};
	struct dfd_device *dev = open_model("edu");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put32(dev, FACTORIAL, cases[i][0]);
		wait_bits(dev, STATUS, 1, 0);
		assert_int_equal(get32(dev, FACTORIAL), cases[i][1]);
	}
	assert_int_equal(get32(dev, IRQ_STATUS), 0);
	dfd_device_close(dev);
}

static void test_busy(void **state)
{
	struct dfd_device *dev = open_model(SLOW);

	(void)state;
	put32(dev, FACTORIAL, 5);
	assert_int_equal(get32(dev, STATUS), 0x01);
	put32(dev, FACTORIAL, 6);
	assert_int_equal(get32(dev, FACTORIAL), 5);
	put32(dev, STATUS, 0xff);
	assert_int_equal(get32(dev, STATUS), 0x81);
	put32(dev, STATUS, 0);
	assert_int_equal(get32(dev, STATUS), 0x01);

	put(dev, 0, DMA_COUNT, 8, 16);
	put32(dev, DMA_CMD, 6); /* without the start bit nothing starts and nothing is kept */
	assert_int_equal(get32(dev, DMA_CMD), 0);
	put32(dev, DMA_CMD, 7);
	assert_int_equal(get32(dev, DMA_CMD), 7);
	put(dev, 0, DMA_COUNT, 8, 32);
	put32(dev, DMA_CMD, 1);
	assert_int_equal(get(dev, 0, DMA_COUNT, 8), 16);
	assert_int_equal(get32(dev, DMA_CMD), 7);
	dfd_device_close(dev);
}

static void test_reset_while_busy(void **state)
{
	struct dfd_device *dev = open_model(SLOW);

	(void)state;
	put32(dev, LIVENESS, 1);
	put32(dev, RAISE, 0x30);
	put32(dev, STATUS, 0x80);
	put32(dev, FACTORIAL, 5);
	put(dev, 0, DMA_SRC, 8, 0x123456789);
	put32(dev, DMA_CMD, 5);
	assert_int_equal(dfd_device_reset(dev), 0);
	assert_int_equal(get32(dev, LIVENESS), 0);
	assert_int_equal(get32(dev, FACTORIAL), 0);
	assert_int_equal(get32(dev, STATUS), 0);
	assert_int_equal(get32(dev, IRQ_STATUS), 0);
	assert_int_equal(get(dev, 0, DMA_SRC, 8), 0);
	assert_int_equal(get(dev, 0, DMA_CMD, 8), 0);
	dfd_device_close(dev);
}

static void test_wide_registers(void **state)
{
	struct dfd_device *dev = open_model("edu");

	(void)state;
	put(dev, 0, DMA_DST, 8, 0x1122334455667788);
	assert_int_equal(get(dev, 0, DMA_DST, 8), 0x1122334455667788);
	assert_int_equal(get32(dev, DMA_DST), 0x55667788);
	assert_int_equal(get32(dev, DMA_DST + 4), 0xffffffff);
	put32(dev, DMA_DST, 1); /* 4 bytes set the whole register */
	assert_int_equal(get(dev, 0, DMA_DST, 8), 1);
	dfd_device_close(dev);
}

/* ---- interrupts ---- */

static void test_intx(void **state)
{
	struct dfd_device *dev = open_model("edu");

	(void)state;
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_INTX, 1), 0);
	put32(dev, STATUS, 0x80);
	put32(dev, FACTORIAL, 5);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 60000), 1);
	assert_int_equal(get32(dev, FACTORIAL), 120);
	assert_int_equal(get32(dev, IRQ_STATUS), 1);

	/* Masked on delivery: a further cause is seen in the status only. */
	put32(dev, RAISE, 0x10);
	assert_int_equal(get32(dev, IRQ_STATUS), 0x11);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0), 0);

	/* Unmasked while a cause is left: it comes again. */
	put32(dev, ACK, 1);
	assert_int_equal(dfd_irq_unmask(dev, DFD_PCI_INTX), 0);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0), 1);

	put32(dev, ACK, 0x10);
	assert_int_equal(dfd_irq_unmask(dev, DFD_PCI_INTX), 0);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0), 0);
	put32(dev, RAISE, 0); /* no cause, no interrupt */
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_INTX, 0, 0), 0);
	dfd_device_close(dev);
}

static void test_messages(void **state)
{
	static const struct {
		const char *spec;
		uint32_t index;
	} cases[] = { { "edu", DFD_PCI_MSI }, { "edu,msix=1", DFD_PCI_MSIX } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct dfd_device *dev = open_model(cases[i].spec);

		set_command(dev, 6);
		assert_int_equal(dfd_irq_enable(dev, cases[i].index, 1), 0);
		put32(dev, STATUS, 0x80);
		put32(dev, FACTORIAL, 3);
		assert_int_equal(dfd_wait_irq(dev, cases[i].index, 0, 60000), 1);
		/* Each cause sends a message, acknowledged or not. */
		put32(dev, RAISE, 2);
		put32(dev, RAISE, 4);
		assert_int_equal(dfd_wait_irq(dev, cases[i].index, 0, 0), 2);
		assert_int_equal(get32(dev, IRQ_STATUS), 7);
		put32(dev, ACK, 0xffffffff);
		assert_int_equal(get32(dev, IRQ_STATUS), 0);
		assert_int_equal(dfd_wait_irq(dev, cases[i].index, 0, 0), 0);
		dfd_device_close(dev);
	}
}

static void test_msix_bar(void **state)
{
	struct dfd_device *dev = open_model("edu,msix");
	unsigned char bytes[4];

	(void)state;
	assert_int_equal(dfd_desc_vectors(dfd_device_desc(dev), DFD_PCI_MSIX), 1);
	assert_int_equal(get(dev, 2, 0xff8, 8), 0);
	put(dev, 2, 0xff8, 8, 1);
	assert_int_equal(get(dev, 2, 0xff8, 8), 0);
	dfd_device_close(dev);

	dev = open_model("edu,msix=0");
	assert_int_equal(dfd_region_read(dev, 2, 0, bytes, 4), -EINVAL);
	dfd_device_close(dev);
}

/* ---- DMA ---- */

static void start_dma(struct dfd_device *dev, uint64_t src, uint64_t dst, uint64_t count,
		      uint32_t command)
{
	put(dev, 0, DMA_SRC, 8, src);
	put(dev, 0, DMA_DST, 8, dst);
	put(dev, 0, DMA_COUNT, 8, count);
	put32(dev, DMA_CMD, command);
}

static void run_dma(struct dfd_device *dev, uint64_t src, uint64_t dst, uint64_t count,
		    uint32_t command)
{
	start_dma(dev, src, dst, count, command);
	wait_bits(dev, DMA_CMD, 1, 0);
}

static void test_dma_both_ways(void **state)
{
	struct dfd_device *dev = open_model("edu");
	struct dfd_dma_buf buf;
	unsigned char *bytes;

	(void)state;
	set_command(dev, 6);
	assert_int_equal(dfd_dma_alloc(dev, 8192, MASK_28, &buf), 0);
	assert_true(buf.iova + buf.size - 1 <= MASK_28);
	bytes = buf.addr;
	for (unsigned int i = 0; i < 4096; i++)
		bytes[i] = (unsigned char)(i * 7 + (i >> 8));
	run_dma(dev, buf.iova, BUFFER, 4096, 1);
	assert_int_equal(get32(dev, IRQ_STATUS), 0);
	run_dma(dev, BUFFER, buf.iova + 4096, 4096, 1 | 2 | 4);
	assert_int_equal(get32(dev, IRQ_STATUS), 0x100);
	assert_memory_equal(bytes, bytes + 4096, 4096);
	/* The last byte alone, to another place. */
	run_dma(dev, BUFFER + 4095, buf.iova + 4096, 1, 1 | 2);
	assert_int_equal(bytes[4096], bytes[4095]);
	assert_int_equal(bytes[4097], bytes[1]);
	dfd_dma_free(dev, &buf);
	dfd_device_close(dev);
}

struct heard {
	unsigned int lines;
	char last[200];
};

static void hear(void *ctx, const char *text)
{
	struct heard *heard = ctx;

	heard->lines++;
	snprintf(heard->last, sizeof(heard->last), "%s", text);
}

static void test_dma_refused(void **state)
{
	static const struct {
		uint64_t inside, count;
	} cases[] = {
		{ BUFFER - 1, 1 },	     { BUFFER + 4096, 1 },   { BUFFER, 4097 },
		{ BUFFER + 1, 4096 },	     { BUFFER + 4095, 2 },   { 0, 16 },
		{ UINT64_MAX, 1 },	     { BUFFER, UINT64_MAX }, { BUFFER + 8, UINT64_MAX - 3 },
		{ (uint64_t)1 << 40, 4096 }, { BUFFER, 0 },
	};
	struct dfd_device *dev = open_model("edu,latency=0");
	struct heard heard = { 0 };
	struct dfd_dma_buf buf;

	(void)state;
	set_command(dev, 6);
	dfd_device_watch_log(dev, hear, &heard);
	assert_int_equal(dfd_dma_alloc(dev, 8192, MASK_28, &buf), 0);
	memset(buf.addr, 0x5a, 4096);
	run_dma(dev, buf.iova, BUFFER, 4096, 1);
	memset(buf.addr, 0xff, 4096);
	assert_int_equal(heard.lines, 0);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		run_dma(dev, buf.iova, cases[i].inside, cases[i].count, 1 | 4);
		assert_int_equal(heard.lines, 2 * i + 1);
		assert_int_equal(get32(dev, IRQ_STATUS), 0x100);
		put32(dev, ACK, 0x100);
		run_dma(dev, cases[i].inside, buf.iova, cases[i].count, 1 | 2);
		assert_int_equal(heard.lines, 2 * i + 2);
		for (unsigned int k = 0; k < 4096; k++)
			assert_int_equal(((unsigned char *)buf.addr)[k], 0xff);
	}
	run_dma(dev, BUFFER, buf.iova, 4096, 1 | 2);
	for (unsigned int k = 0; k < 4096; k++)
		assert_int_equal(((unsigned char *)buf.addr)[k], 0x5a);
	dfd_dma_free(dev, &buf);
	dfd_device_close(dev);
}

/* Address bits above the mask are lost; a transfer does not cross the mask. */
static void test_dma_mask(void **state)
{
	static unsigned char memory[8192] __attribute__((aligned(4096)));
	struct dfd_device *dev = open_model("edu,latency=0,dma_mask=0xffff");
	struct dfd_dma_map map = { .iova = 0xf000,
				   .size = sizeof(memory),
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_ADDRESS,
				   .addr = memory };

	(void)state;
	set_command(dev, 6);
	assert_int_equal(dfd_dma_map(dev, &map), 0);
	memset(memory, 1, sizeof(memory));
	run_dma(dev, 0x12340000f000, BUFFER, 16, 1);
	memset(memory, 2, sizeof(memory));
	run_dma(dev, BUFFER, 0xff10, 16, 1 | 2);
	assert_int_equal(memory[0xf0f], 2);
	assert_int_equal(memory[0xf10], 1);
	assert_int_equal(memory[0xf20], 2);
	run_dma(dev, BUFFER, 0xfff8, 16, 1 | 2);
	assert_int_equal(memory[0xff8], 2);
	dfd_device_close(dev);
}

static void test_bus_master_off(void **state)
{
	struct dfd_device *dev = open_model("edu,latency=0");
	struct heard heard = { 0 };
	struct dfd_dma_buf buf;

	(void)state;
	dfd_device_watch_log(dev, hear, &heard);
	assert_int_equal(dfd_dma_alloc(dev, 4096, MASK_28, &buf), 0);
	memset(buf.addr, 0x77, 4096);
	run_dma(dev, BUFFER, buf.iova, 4096, 1 | 2 | 4);
	assert_int_equal(((unsigned char *)buf.addr)[0], 0x77);
	assert_int_equal(get32(dev, IRQ_STATUS), 0x100); /* it ends, without data */
	assert_int_equal(heard.lines, 1);
	set_command(dev, 6);
	run_dma(dev, BUFFER, buf.iova, 4096, 1 | 2 | 4);
	assert_int_equal(((unsigned char *)buf.addr)[0], 0);
	/* A reset takes bus mastering away again. */
	assert_int_equal(dfd_device_reset(dev), 0);
	memset(buf.addr, 0x77, 4096);
	run_dma(dev, BUFFER, buf.iova, 4096, 1 | 2);
	assert_int_equal(((unsigned char *)buf.addr)[0], 0x77);
	dfd_dma_free(dev, &buf);
	dfd_device_close(dev);
}

static void test_decode_off(void **state)
{
	struct dfd_device *dev = open_model("edu");
	uint32_t value = 0;

	(void)state;
	set_command(dev, 4);
	assert_int_equal(dfd_region_read(dev, 0, ID, &value, 4), -EIO);
	assert_int_equal(dfd_region_write(dev, 0, LIVENESS, &value, 4), -EIO);
	assert_int_equal(dfd_device_reset(dev), 0);
	assert_int_equal(get32(dev, ID), 0x010000ed);
	dfd_device_close(dev);
}

/* ---- DMA that is reached by message ---- */

struct peer {
	struct dfd_dma_token token;
	unsigned int reads;
};

static int peer_read(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	struct peer *peer = ctx;

	(void)offset;
	(void)len;
	peer->token = token;
	peer->reads++;
	return 0;
}

static int peer_write(void *ctx, uint64_t offset, const void *buf, size_t len,
		      struct dfd_dma_token token)
{
	(void)ctx;
	(void)offset;
	(void)buf;
	(void)len;
	dfd_dma_complete(token, 0, NULL, 0);
	return 0;
}

static void test_dma_by_message(void **state)
{
	static const struct dfd_dma_io io = { peer_read, peer_write };
	struct dfd_device *dev = open_model("edu,latency=0");
	struct peer peer = { .reads = 0 };
	struct dfd_dma_map map = { .iova = 0,
				   .size = 4096,
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_MESSAGE,
				   .io = &io,
				   .io_ctx = &peer };

	(void)state;
	set_command(dev, 6);
	assert_int_equal(dfd_dma_map(dev, &map), 0);
	start_dma(dev, 0, BUFFER, 4, 1 | 4);
	assert_int_equal(peer.reads, 1);
	assert_int_equal(get32(dev, DMA_CMD), 5);
	dfd_dma_complete(peer.token, 0, "abcd", 4);
	assert_int_equal(get32(dev, DMA_CMD), 4);
	assert_int_equal(get32(dev, IRQ_STATUS), 0x100);
	put32(dev, ACK, 0x100);

	/* Cancelled by a reset: no interrupt, and a late answer changes nothing. */
	start_dma(dev, 0, BUFFER, 4, 1 | 4);
	assert_int_equal(peer.reads, 2);
	assert_int_equal(dfd_device_reset(dev), 0);
	dfd_dma_complete(peer.token, 0, "abcd", 4);
	assert_int_equal(get32(dev, DMA_CMD), 0);
	assert_int_equal(get32(dev, IRQ_STATUS), 0);

	/* Cancelled by unmapping: it ends, without an interrupt. */
	set_command(dev, 6);
	start_dma(dev, 0, BUFFER, 4, 1 | 4);
	assert_int_equal(dfd_dma_unmap(dev, 0, 4096, NULL), 0);
	assert_int_equal(get32(dev, DMA_CMD), 4);
	assert_int_equal(get32(dev, IRQ_STATUS), 0);
	assert_int_equal(dfd_dma_map(dev, &map), 0);

	/* Cancelled by close: nothing outlives it. */
	start_dma(dev, 0, BUFFER, 4, 1 | 4);
	assert_int_equal(peer.reads, 4);
	dfd_device_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_liveness),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_no_register),
		cmocka_unit_test(test_factorial_by_polling),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_reset_while_busy),
		cmocka_unit_test(test_wide_registers),
		cmocka_unit_test(test_intx),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_msix_bar),
		cmocka_unit_test(test_dma_both_ways),
		cmocka_unit_test(test_dma_refused),
		cmocka_unit_test(test_dma_mask),
		cmocka_unit_test(test_bus_master_off),
		cmocka_unit_test(test_decode_off),
		cmocka_unit_test(test_dma_by_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
