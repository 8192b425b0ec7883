/* SPDX-License-Identifier: MIT */
/* model:igb as a driver sees it: registers, frames that come back, and what a bad driver can do. */
#include "model/model_test.h"

#include <stdlib.h>

enum { CTRL = 0x0, STATUS = 0x8, EEC = 0x10, MDIC = 0x20, RCTL = 0x100, TCTL = 0x400 };
enum { GPIE = 0x1514, EICS = 0x1520, EIMS = 0x1524, EIMC = 0x1528, EIAC = 0x152c, EIAM = 0x1530 };
enum { EICR = 0x1580, IVAR0 = 0x1700, RAL = 0x5400, RX = 0xc000, TX = 0xe000 };
enum { BAL = 0x0, BAH = 0x4, LEN = 0x8, SRRCTL = 0xc, HEAD = 0x10, TAIL = 0x18, DCTL = 0x28 };

#define ENABLE	   0x02000000u
#define ADVANCED   0x02000000u
#define RCTL_ALL   0x0400801au /* enabled, promiscuous, broadcasts, without the FCS */
#define TCTL_PAD   0x0000000au
#define TXD	   0x22300000u /* advanced, data, with FCS */
#define TXD_EOP	   0x01000000u
#define TXD_RS	   0x08000000u
#define TXD_TSE	   0x80000000u
#define MSIX_MODE  0x10u
#define EIAME	   0x40000000u
#define IVAR_VALID 0x80u

#define RING	8u /* descriptors */
#define RX_RING 0x000u
#define TX_RING 0x100u
#define BUFFERS 0x1000u
#define FROM	0x10000u
#define BAD	0x7f0000000000u /* an address that is not mapped */
#define SIZE	0x40000u

struct nic {
	struct dfd_device *dev;
	struct dfd_dma_buf mem;
	unsigned char *bytes;
	uint32_t rx_tail, tx_tail;
};

static void put_phy(struct dfd_device *dev, uint32_t number, uint32_t at, uint16_t value)
{
	put32(dev, MDIC, 0x04000000u | number << 21 | at << 16 | value);
}

static uint32_t get_phy(struct dfd_device *dev, uint32_t number, uint32_t at)
{
	put32(dev, MDIC, 0x08000000u | number << 21 | at << 16);
	return get32(dev, MDIC);
}

static void set_up_queue(struct dfd_device *dev, uint32_t queue, uint64_t ring, uint32_t count)
{
	put32(dev, queue + BAL, (uint32_t)ring);
	put32(dev, queue + BAH, (uint32_t)(ring >> 32));
	put32(dev, queue + LEN, 16 * count);
	put32(dev, queue + HEAD, 0);
	put32(dev, queue + TAIL, 0);
	put32(dev, queue + DCTL, ENABLE);
}

static void start(struct nic *nic, uint32_t count)
{
	struct dfd_device *dev = nic->dev;

	set_command(dev, 6);
	put_phy(dev, 1, 0, 0x4140);
	put32(dev, CTRL, 0x40);
	set_up_queue(dev, RX, nic->mem.iova + RX_RING, count);
	set_up_queue(dev, TX, nic->mem.iova + TX_RING, count);
	put32(dev, RX + SRRCTL, ADVANCED);
	put32(dev, RCTL, RCTL_ALL);
	put32(dev, TCTL, TCTL_PAD);
	nic->rx_tail = nic->tx_tail = 0;
}

static struct nic open_nic(void)
{
	struct nic nic = { .dev = open_model("igb") };

	set_command(nic.dev, 6);
	assert_int_equal(dfd_dma_alloc(nic.dev, SIZE, UINT64_MAX, &nic.mem), 0);
	nic.bytes = nic.mem.addr;
	for (uint32_t i = 0; i < SIZE - FROM; i++)
		nic.bytes[FROM + i] = (unsigned char)(2 + 4 * (i % 61) + (i >> 12));
	start(&nic, RING);
	return nic;
}

static void close_nic(struct nic *nic)
{
	dfd_dma_free(nic->dev, &nic->mem);
	dfd_device_close(nic->dev);
}

static void put_desc(unsigned char *at, uint64_t address, uint32_t command)
{
	dfd_reg_store(at, 8, address);
	dfd_reg_store(at + 8, 8, command);
}

/* Offer buffer number @i of 4 KiB to the controller. */
static void offer(struct nic *nic, uint32_t i)
{
	put_desc(nic->bytes + RX_RING + 16 * (nic->rx_tail % RING),
		 nic->mem.iova + BUFFERS + 0x1000 * i, 0);
	nic->rx_tail = (nic->rx_tail + 1) % RING;
	put32(nic->dev, RX + TAIL, nic->rx_tail);
}

static void send(struct nic *nic, uint64_t address, uint32_t command)
{
	put_desc(nic->bytes + TX_RING + 16 * (nic->tx_tail % RING), address, TXD | command);
	nic->tx_tail = (nic->tx_tail + 1) % RING;
	put32(nic->dev, TX + TAIL, nic->tx_tail);
}

/* The status and length of receive descriptor @i. */
static uint64_t result(const struct nic *nic, uint32_t i)
{
	return dfd_reg_load(nic->bytes + RX_RING + 16 * i + 8, 8);
}

#define DONE(len, status) ((uint64_t)(len) << 32 | (status))

/* ---- registers ---- */

static void test_registers(void **state)
{
	struct dfd_device *dev = open_model("igb");
	unsigned char raw[8];

	(void)state;
	assert_int_equal(get(dev, DFD_PCI_CONFIG, 0, 4), 0x10c98086);
	assert_int_equal(dfd_desc_vectors(dfd_device_desc(dev), DFD_PCI_MSIX), 25);
	assert_int_equal(get32(dev, EEC), 0x300);
	assert_int_equal(get32(dev, RAL + 4) >> 31, 1);
	put32(dev, 0xc000, 0x1000); /* the first queue is at two places */
	assert_int_equal(get32(dev, 0x2800), 0x1000);
	put32(dev, 0x3818, 5);
	assert_int_equal(get32(dev, 0xe018), 5);
	put32(dev, 0x1fffc, 1);
	assert_int_equal(get32(dev, 0x1fffc), 0);
	for (uint32_t len = 1; len <= 8; len++) {
		if (len != 4)
			assert_int_equal(dfd_region_read(dev, 0, CTRL, raw, len), -EIO);
	}
	assert_int_equal(dfd_region_read(dev, 0, 2, raw, 4), -EIO);
	assert_int_equal(dfd_region_write(dev, 0, 2, raw, 4), -EIO);
	put(dev, 3, 0x3ffc, 4, 1);
	assert_int_equal(get(dev, 3, 0x3ffc, 4), 0);
	dfd_device_close(dev);
}

static void test_phy(void **state)
{
	struct dfd_device *dev = open_model("igb");

	(void)state;
	assert_int_equal(get_phy(dev, 1, 2) & 0xf000ffff, 0x100002a8);
	put_phy(dev, 1, 2, 0x1234);
	assert_int_equal(get_phy(dev, 1, 2) & 0xffff, 0x02a8);
	put_phy(dev, 1, 0, 0xffff); /* reset and restart end at once */
	assert_int_equal(get_phy(dev, 1, 0) & 0xffff, 0x7dff);
	put_phy(dev, 1, 31, 0xabcd);
	assert_int_equal(get_phy(dev, 1, 31) & 0xffff, 0xabcd);
	assert_int_equal(get_phy(dev, 2, 2) >> 28, 5); /* ready, error */
	assert_int_equal(dfd_device_reset(dev), 0);
	assert_int_equal(get_phy(dev, 1, 0) & 0xffff, 0x1140);
	dfd_device_close(dev);
}

static void test_link(void **state)
{
	struct dfd_device *dev = open_model("igb");

	(void)state;
	assert_int_equal(get32(dev, STATUS) & 2, 0);
	put32(dev, CTRL, 0x40);
	assert_int_equal(get32(dev, STATUS) & 2, 0);
	put_phy(dev, 1, 0, 0x4140);
	assert_int_equal(get32(dev, STATUS) & 0x83, 0x83);
	put32(dev, CTRL, 0x04000040); /* a reset of the MAC leaves the PHY alone */
	assert_int_equal(get32(dev, STATUS) & 2, 0);
	assert_int_equal(get32(dev, CTRL), 0);
	put32(dev, CTRL, 0x40);
	assert_int_equal(get32(dev, STATUS) & 2, 2);
	dfd_device_close(dev);
}

/* ---- frames ---- */

static void test_frame(void **state)
{
	struct nic nic = open_nic();

	(void)state;
	offer(&nic, 0);
	offer(&nic, 1);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 1000);
	assert_int_equal(result(&nic, 0), DONE(1000, 3));
	assert_int_equal(result(&nic, 1), 0);
	assert_memory_equal(nic.bytes + FROM, nic.bytes + BUFFERS, 1000);
	assert_int_equal(nic.bytes[BUFFERS + 1000], 0);
	assert_int_equal(get32(nic.dev, RX + HEAD), 1);
	assert_int_equal(get32(nic.dev, TX + HEAD), 1);
	/* Reported only where the descriptor asks for it. */
	assert_int_equal(dfd_reg_load(nic.bytes + TX_RING + 12, 4), 0);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | TXD_RS | 64);
	assert_int_equal(dfd_reg_load(nic.bytes + TX_RING + 16 + 12, 4), 1);
	assert_int_equal(result(&nic, 1), DONE(64, 3));
	close_nic(&nic);
}

/* Of several descriptors on both sides, with an offload's description between them. */
static void test_pieces(void **state)
{
	struct nic nic = open_nic();

	(void)state;
	put32(nic.dev, RCTL, RCTL_ALL | 0x20); /* long packets */
	put32(nic.dev, RX + SRRCTL, ADVANCED | 1);
	for (uint32_t i = 0; i < 4; i++)
		offer(&nic, i);
	send(&nic, nic.mem.iova + FROM, 1000);
	send(&nic, 0, 0x20200000 ^ TXD); /* a context descriptor */
	send(&nic, nic.mem.iova + FROM + 1000, 0);
	assert_int_equal(get32(nic.dev, TX + HEAD), 3);
	assert_int_equal(result(&nic, 0), 0);
	send(&nic, nic.mem.iova + FROM + 1000, TXD_EOP | 1500);
	assert_int_equal(result(&nic, 0), DONE(1024, 1));
	assert_int_equal(result(&nic, 1), DONE(1024, 1));
	assert_int_equal(result(&nic, 2), DONE(2500 - 2048, 3));
	for (uint32_t i = 0; i < 2500; i++)
		assert_int_equal(nic.bytes[BUFFERS + 0x1000 * (i / 1024) + i % 1024],
				 nic.bytes[FROM + i]);
	assert_int_equal(result(&nic, 3), 0);
	close_nic(&nic);
}

static void test_lost_frames(void **state)
{
	static const struct {
		uint32_t rctl, tctl, command, len;
		bool arrives;
	} cases[] = {
		{ RCTL_ALL, TCTL_PAD, TXD_EOP, 60, true },
		{ RCTL_ALL, TCTL_PAD, TXD_EOP, 1, true }, /* padded */
		{ RCTL_ALL, 2, TXD_EOP, 59, false },	  /* a runt */
		{ RCTL_ALL, 2, TXD_EOP, 60, true },
		{ RCTL_ALL, TCTL_PAD, TXD_EOP, 1518, true },
		{ RCTL_ALL, TCTL_PAD, TXD_EOP, 1519, false },
		{ RCTL_ALL | 0x20, TCTL_PAD, TXD_EOP, 9724, true },
		{ RCTL_ALL | 0x20, TCTL_PAD, TXD_EOP, 9725, false },
		{ RCTL_ALL | 0x20, TCTL_PAD, TXD_EOP, 65535, false },
		{ RCTL_ALL & ~2u, TCTL_PAD, TXD_EOP, 64, false },
		{ RCTL_ALL & ~8u, TCTL_PAD, TXD_EOP, 64, false },
		{ RCTL_ALL & ~0x8010u, TCTL_PAD, TXD_EOP, 64, true },
		{ RCTL_ALL, TCTL_PAD, TXD_EOP | TXD_TSE, 64, false },
		{ RCTL_ALL, 8, TXD_EOP, 64, false }, /* not sent at all */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nic nic = open_nic();

		for (uint32_t k = 0; k < 7; k++)
			offer(&nic, k);
		put32(nic.dev, RCTL, cases[i].rctl);
		put32(nic.dev, TCTL, cases[i].tctl);
		send(&nic, nic.mem.iova + FROM, cases[i].command | cases[i].len);
		assert_int_equal(result(&nic, 0) & 1, cases[i].arrives);
		assert_int_equal(get32(nic.dev, TX + HEAD), cases[i].tctl & 2 ? 1 : 0);
		/* The next one is not affected. */
		put32(nic.dev, RCTL, RCTL_ALL);
		put32(nic.dev, TCTL, TCTL_PAD);
		send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
		assert_int_not_equal(get32(nic.dev, RX + HEAD), 0);
		close_nic(&nic);
	}
}

static void test_addresses(void **state)
{
	static const struct {
		unsigned char to[6];
		uint32_t rctl;
		bool arrives;
	} cases[] = {
		{ { 0x02, 0x82, 0x57, 0x6e, 0x00, 0x01 }, 0, true },
		{ { 0x02, 0x82, 0x57, 0x6e, 0x00, 0x02 }, 0, false },
		{ { 0x02, 0x82, 0x57, 0x6e, 0x00, 0x02 }, 0x08, true },
		{ { 0x06, 0x01, 0x02, 0x03, 0x04, 0x05 }, 0, true }, /* in the last entry */
		{ { 0, 0, 0, 0, 0, 0 }, 0, false }, /* entries that are not valid */
		{ { 0x03, 0, 0, 0, 0, 0 }, 0x8008, false },
		{ { 0x03, 0, 0, 0, 0, 0 }, 0x10, true },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 0x18, false },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 0x8000, true },
	};
	struct nic nic = open_nic();

	(void)state;
	put32(nic.dev, RAL + 15 * 8, 0x03020106);
	put32(nic.dev, RAL + 15 * 8 + 4, 0x80000504);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t before = get32(nic.dev, RX + HEAD);

		offer(&nic, 0);
		memcpy(nic.bytes + FROM, cases[i].to, 6);
		put32(nic.dev, RCTL, 0x04000002 | cases[i].rctl);
		send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
		assert_int_equal(get32(nic.dev, RX + HEAD) != before, cases[i].arrives);
	}
	close_nic(&nic);
}

static void test_no_buffer(void **state)
{
	struct nic nic = open_nic();

	(void)state;
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(get32(nic.dev, TX + HEAD), 1);
	offer(&nic, 0);
	assert_int_equal(get32(nic.dev, RX + HEAD), 0);
	put32(nic.dev, RX + SRRCTL, 0); /* legacy descriptors are not known */
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(get32(nic.dev, RX + HEAD), 0);
	put32(nic.dev, RX + SRRCTL, ADVANCED);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(get32(nic.dev, RX + HEAD), 1);
	close_nic(&nic);
}

/* More than one run of the timer can do. */
static void test_many_frames(void **state)
{
	enum { MANY = 2048 };
	struct nic nic = open_nic();
	struct dfd_dma_buf rings;
	unsigned char *at;

	(void)state;
	assert_int_equal(dfd_dma_alloc(nic.dev, 32 * MANY, UINT64_MAX, &rings), 0);
	at = rings.addr;
	set_up_queue(nic.dev, RX, rings.iova, MANY);
	set_up_queue(nic.dev, TX, rings.iova + 16 * MANY, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		put_desc(at + 16 * i, nic.mem.iova + BUFFERS, 0);
		put_desc(at + 16 * (MANY + i), nic.mem.iova + FROM, TXD | TXD_EOP | 1024);
	}
	put32(nic.dev, RX + TAIL, MANY - 1);
	put32(nic.dev, TX + TAIL, MANY - 1);
	assert_int_not_equal(get32(nic.dev, TX + HEAD), MANY - 1);
	wait_bits(nic.dev, TX + HEAD, UINT32_MAX, MANY - 1);
	assert_int_equal(get32(nic.dev, RX + HEAD), MANY - 1);
	assert_int_equal(dfd_reg_load(at + 16 * (MANY - 2) + 8, 8), DONE(1024, 3));
	dfd_dma_free(nic.dev, &rings);
	close_nic(&nic);
}

/* ---- interrupts ---- */

static void test_msix(void **state)
{
	struct nic nic = open_nic();
	struct dfd_device *dev = nic.dev;

	(void)state;
	assert_int_equal(dfd_irq_enable(dev, DFD_PCI_MSIX, 25), 0);
	put32(dev, GPIE, MSIX_MODE | EIAME);
	put32(dev, EIAC, 1);
	put32(dev, EIAM, 1);
	put32(dev, IVAR0, (IVAR_VALID | 24) << 8 | IVAR_VALID);

	/* Not enabled: kept, and told of once it is. */
	put32(dev, EICS, 1);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 0, 0), 0);
	put32(dev, EIMS, 1 | 1u << 24);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 0, 0), 1);
	/* That has cleared the cause and the mask. */
	assert_int_equal(get32(dev, EIMS), 1u << 24);
	put32(dev, EICS, 1);
	put32(dev, EICR, 1); /* written ones clear */
	put32(dev, EIMS, 1);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 0, 0), 0);

	/* Receive queue 0 has vector 0, transmit queue 0 has 24, which clears nothing by itself. */
	offer(&nic, 0);
	offer(&nic, 1);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | TXD_RS | 64);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 0, 0), 1);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 24, 0), 1);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | TXD_RS | 64);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 0, 0), 0);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 24, 0), 0);
	assert_int_equal(get32(dev, EICR), 1 | 1u << 24); /* reading clears */
	assert_int_equal(get32(dev, EICR), 0);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | TXD_RS | 64);
	assert_int_equal(dfd_wait_irq(dev, DFD_PCI_MSIX, 24, 0), 1);
	close_nic(&nic);
}

static void test_other_interrupts(void **state)
{
	static const uint32_t indexes[] = { DFD_PCI_MSI, DFD_PCI_INTX };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct nic nic = open_nic();
		struct dfd_device *dev = nic.dev;

		assert_int_equal(dfd_irq_enable(dev, indexes[i], 1), 0);
		put32(dev, IVAR0, IVAR_VALID | 3);
		put32(dev, EIMS, 8);
		put32(dev, EIAM, 8);
		offer(&nic, 0);
		send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
		assert_int_equal(dfd_wait_irq(dev, indexes[i], 0, 0), 1);
		assert_int_equal(get32(dev, EICR), 8);
		assert_int_equal(get32(dev, EIMS), 0); /* masked by that read */
		if (indexes[i] == DFD_PCI_INTX)
			assert_int_equal(dfd_irq_unmask(dev, DFD_PCI_INTX), 0);
		assert_int_equal(dfd_wait_irq(dev, indexes[i], 0, 0), 0);
		put32(dev, EIMS, 8);
		put32(dev, EICS, 8);
		assert_int_equal(dfd_wait_irq(dev, indexes[i], 0, 0), 1);
		close_nic(&nic);
	}
}

/* ---- bad drivers ---- */

struct heard {
	unsigned int lines;
};

static void hear(void *ctx, const char *text)
{
	struct heard *heard = ctx;

	assert_non_null(strstr(text, "igb: halted, memory cannot be read"));
	heard->lines++;
}

static void test_memory_that_is_not_there(void **state)
{
	struct nic nic = open_nic();
	struct heard heard = { 0 };

	(void)state;
	dfd_device_watch_log(nic.dev, hear, &heard);
	/* A write that is lost is not noticed. */
	put_desc(nic.bytes + RX_RING, BAD, 0);
	nic.rx_tail = 1;
	put32(nic.dev, RX + TAIL, 1);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(result(&nic, 0), DONE(64, 3));
	assert_int_equal(heard.lines, 0);
	/* A read that fails is, and nothing moves any more. */
	offer(&nic, 0);
	send(&nic, BAD, TXD_EOP | 64);
	assert_int_equal(heard.lines, 1);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(get32(nic.dev, TX + HEAD), 1);
	assert_int_equal(heard.lines, 1);
	put32(nic.dev, CTRL, 0x04000000);
	start(&nic, RING);
	offer(&nic, 0);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(result(&nic, 0), DONE(64, 3));

	/* The rings themselves. */
	set_up_queue(nic.dev, RX, UINT64_MAX - 0x7f, RING);
	put32(nic.dev, RX + TAIL, 1);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(heard.lines, 2);
	assert_int_equal(dfd_device_reset(nic.dev), 0);
	start(&nic, RING);
	set_up_queue(nic.dev, TX, BAD, RING);
	put32(nic.dev, TX + TAIL, 1);
	assert_int_equal(heard.lines, 3);
	close_nic(&nic);
}

static void test_bus_master_off(void **state)
{
	struct nic nic = open_nic();

	(void)state;
	offer(&nic, 0);
	set_command(nic.dev, 2);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(result(&nic, 0), 0);
	set_command(nic.dev, 6);
	assert_int_equal(dfd_device_reset(nic.dev), 0);
	start(&nic, RING);
	offer(&nic, 0);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(result(&nic, 0), DONE(64, 3));
	close_nic(&nic);
}

/* Rings whose head or tail lie outside do not run, so that every ring ends. */
static void test_rings_outside(void **state)
{
	static const uint32_t cases[][3] = {
		/* length, head, tail */
		{ 0, 0, 1 },
		{ 128, 8, 1 },
		{ 128, 0, 8 },
		{ 128, 0, UINT32_MAX },
		{ 128, UINT32_MAX, 1 },
		{ UINT32_MAX, UINT32_MAX, 1 },
		{ 15, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (uint32_t queue = RX; queue <= TX; queue += TX - RX) {
			struct nic nic = open_nic();

			offer(&nic, 0);
			put32(nic.dev, queue + LEN, cases[i][0]);
			put32(nic.dev, queue + HEAD, cases[i][1]);
			put32(nic.dev, queue + TAIL, cases[i][2]);
			if (queue == RX)
				send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
			assert_int_equal(get32(nic.dev, queue + HEAD), cases[i][1]);
			assert_int_equal(result(&nic, 0), 0);
			close_nic(&nic);
		}
	}
}

/* A frame without an end: every descriptor is taken, none is kept. */
static void test_endless_frame(void **state)
{
	struct nic nic = open_nic();

	(void)state;
	offer(&nic, 0);
	for (uint32_t i = 0; i < 10 * RING; i++)
		send(&nic, nic.mem.iova + FROM, 5000);
	assert_int_equal(get32(nic.dev, TX + HEAD), nic.tx_tail);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(result(&nic, 0), 0);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(result(&nic, 0), DONE(64, 3));
	close_nic(&nic);
}

/* ---- DMA that is reached by message ---- */

struct peer {
	unsigned char bytes[SIZE];
	struct dfd_dma_token token;
	uint64_t offset;
	size_t len;
	bool waits;
};

static int peer_read(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	struct peer *peer = ctx;

	peer->token = token;
	peer->offset = offset;
	peer->len = len;
	peer->waits = true;
	return 0;
}

static int peer_write(void *ctx, uint64_t offset, const void *buf, size_t len,
		      struct dfd_dma_token token)
{
	struct peer *peer = ctx;

	memcpy(peer->bytes + offset, buf, len);
	dfd_dma_complete(token, 0, NULL, 0);
	return 0;
}

static void answer(struct nic *nic, struct peer *peer)
{
	assert_true(peer->waits);
	peer->waits = false;
	dfd_dma_complete(peer->token, 0, peer->bytes + peer->offset, peer->len);
	dfd_device_service(nic->dev);
}

static void test_by_message(void **state)
{
	static const struct dfd_dma_io io = { peer_read, peer_write };
	struct peer *peer = calloc(1, sizeof(*peer));
	struct nic nic = { .dev = open_model("igb"), .mem = { .iova = 0x100000 } };
	struct dfd_dma_map map = { .iova = nic.mem.iova,
				   .size = SIZE,
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_MESSAGE,
				   .io = &io,
				   .io_ctx = peer };

	(void)state;
	nic.bytes = peer->bytes;
	memset(peer->bytes + FROM, 0x40, 64);
	set_command(nic.dev, 6);
	assert_int_equal(dfd_dma_map(nic.dev, &map), 0);
	start(&nic, RING);
	offer(&nic, 0);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | TXD_RS | 64);
	for (int i = 0; i < 3; i++) /* the descriptor, the frame, the buffer's descriptor */
		answer(&nic, peer);
	for (int i = 0; i < 20; i++)
		dfd_device_service(nic.dev);
	assert_int_equal(result(&nic, 0), DONE(64, 3));
	assert_memory_equal(peer->bytes + BUFFERS, peer->bytes + FROM, 64);
	assert_int_equal(get32(nic.dev, TX + HEAD), 1);

	/* CTRL.RST does not wait for the answer, and its late coming changes nothing. */
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	put32(nic.dev, CTRL, 0x04000000);
	start(&nic, RING);
	offer(&nic, 0);
	memset(peer->bytes + RX_RING + 8, 0, 8);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	for (int i = 0; i < 4; i++)
		answer(&nic, peer);
	for (int i = 0; i < 20; i++)
		dfd_device_service(nic.dev);
	assert_int_equal(result(&nic, 0), DONE(64, 3));
	assert_int_equal(get32(nic.dev, TX + HEAD), 1);

	/* Nor do an unmap, which is a read that fails, and a reset of the function. */
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(dfd_dma_unmap(nic.dev, nic.mem.iova, SIZE, NULL), 0);
	assert_int_equal(dfd_dma_map(nic.dev, &map), 0);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(get32(nic.dev, TX + HEAD), 1);
	assert_int_equal(dfd_device_reset(nic.dev), 0);
	start(&nic, RING);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	assert_int_equal(dfd_device_reset(nic.dev), 0);
	dfd_dma_complete(peer->token, 0, peer->bytes, 16);
	start(&nic, RING);
	send(&nic, nic.mem.iova + FROM, TXD_EOP | 64);
	dfd_device_close(nic.dev);
	free(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_phy),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_lost_frames),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_no_buffer),
		cmocka_unit_test(test_many_frames),
		cmocka_unit_test(test_msix),
		cmocka_unit_test(test_other_interrupts),
		cmocka_unit_test(test_memory_that_is_not_there),
		cmocka_unit_test(test_bus_master_off),
		cmocka_unit_test(test_rings_outside),
		cmocka_unit_test(test_endless_frame),
		cmocka_unit_test(test_by_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
