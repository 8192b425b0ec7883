/* SPDX-License-Identifier: MIT */
#include "model/model_test.h"

#define DR    0x000
#define RSR   0x004
#define FR    0x018
#define IBRD  0x024
#define FBRD  0x028
#define LCR_H 0x02c
#define CR    0x030
#define IFLS  0x034
#define IMSC  0x038
#define RIS   0x03c
#define MIS   0x040
#define ICR   0x044
#define DMACR 0x048

#define BUSY 0x08
#define RXFE 0x10
#define TXFF 0x20
#define RXFF 0x40
#define TXFE 0x80

#define INT_RX	    0x010
#define INT_TX	    0x020
#define INT_TIMEOUT 0x040
#define INT_BREAK   0x200
#define INT_OVERRUN 0x400

#define LOOPBACK 0x381 /* enabled, both directions, looped */
#define FIFO_8N1 0x70

/* What is written stays to be seen for that long at the lowest speed. */
#define CHARACTER_MS 436

/* @ibrd 1: a character takes 7 us. 65535: 437 ms */
static struct dfd_device *open_looped(uint32_t ibrd, uint32_t lcr_h)
{
	struct dfd_device *dev = open_model("pl011");

	put32(dev, IBRD, ibrd);
	put32(dev, LCR_H, lcr_h);
	put32(dev, CR, LOOPBACK);
	return dev;
}

static void test_description(void **state)
{
	struct dfd_device *dev = open_model("pl011");
	const struct dfd_desc *desc = dfd_device_desc(dev);
	const struct dfd_region *r = dfd_desc_region(desc, 0);
	const struct dfd_irq *irq = dfd_desc_irq(desc, 0);

	(void)state;
	assert_int_equal(dfd_desc_flags(desc), DFD_DEVICE_DT);
	assert_true(r->has_phys);
	assert_int_equal(r->phys_addr, 0x9000000);
	assert_string_equal(r->dt.path, "/bus@8000000/serial@1000000");
	assert_int_equal(r->dt.prop_type, DFD_DT_REG);
	assert_int_equal(irq->flags, DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE);
	assert_int_equal(irq->dt.prop_type, DFD_DT_INTERRUPTS);
	assert_int_equal(dfd_device_reset(dev), -EINVAL);
	dfd_device_close(dev);
}

static void test_power_on(void **state)
{
	static const uint32_t want[][2] = {
		{ DR, 0 },	 { RSR, 0 },	  { FR, TXFE | RXFE }, { IBRD, 0 },
		{ FBRD, 0 },	 { LCR_H, 0 },	  { CR, 0x300 },       { IFLS, 0x12 },
		{ IMSC, 0 },	 { RIS, 0 },	  { MIS, 0 },	       { ICR, 0 },
		{ DMACR, 0 },	 { 0x08, 0 },	  { 0xfdc, 0 },	       { 0xfe0, 0x11 },
		{ 0xfe4, 0x10 }, { 0xfe8, 0x14 }, { 0xfec, 0x00 },     { 0xff0, 0x0d },
		{ 0xff4, 0xf0 }, { 0xff8, 0x05 }, { 0xffc, 0xb1 },
	};
	struct dfd_device *dev = open_model("pl011");

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_int_equal(get32(dev, want[i][0]), want[i][1]);
	dfd_device_close(dev);
}

static void test_writable_bits(void **state)
{
	static const uint32_t want[][2] = {
		{ 0x20, 0xff },	 { IBRD, 0xffff }, { FBRD, 0x3f },  { LCR_H, 0xff },
		{ IFLS, 0x3f },	 { IMSC, 0x7ff },  { DMACR, 0x07 }, { FR, TXFE | RXFE },
		{ 0xfe0, 0x11 }, { RIS, 0 },	   { MIS, 0 },
	};
	struct dfd_device *dev = open_model("pl011");

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		put32(dev, want[i][0], 0xffffffff);
		assert_int_equal(get32(dev, want[i][0]), want[i][1]);
	}
	put32(dev, CR, 0xffffffff);
	assert_int_equal(get32(dev, CR), 0xff87);
	dfd_device_close(dev);
}

static void test_widths(void **state)
{
	static const struct {
		uint64_t offset;
		size_t len;
		ssize_t want;
	} cases[] = {
		{ FR, 1, 1 },	 { FR, 2, 2 },	      { FR, 4, 4 },	   { FR, 8, -EIO },
		{ FR, 3, -EIO }, { FR + 1, 1, -EIO }, { FR + 2, 2, -EIO }, { 0x1000, 4, -EINVAL },
	};
	struct dfd_device *dev = open_model("pl011");
	unsigned char buf[8] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(dfd_region_read(dev, 0, cases[i].offset, buf, cases[i].len),
				 cases[i].want);
		assert_int_equal(dfd_region_write(dev, 0, cases[i].offset, buf, cases[i].len),
				 cases[i].want);
	}
	dfd_device_close(dev);
}

static void test_loopback(void **state)
{
	struct dfd_device *dev = open_looped(1, FIFO_8N1);
	static const char text[] = "sixteen letters!";

	(void)state;
	for (unsigned int i = 0; i < 16; i++)
		put(dev, 0, DR, 1, (unsigned char)text[i]);
	wait_bits(dev, FR, BUSY | TXFE | RXFF, TXFE | RXFF);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(get32(dev, DR), text[i]);
	assert_int_equal(get32(dev, FR), TXFE | RXFE);
	dfd_device_close(dev);
}

/* Seven bits: the eighth is not on the wire. */
static void test_word_length(void **state)
{
	struct dfd_device *dev = open_looped(1, 0x50);

	(void)state;
	put32(dev, DR, 0xc1);
	wait_bits(dev, FR, RXFE, 0);
	assert_int_equal(get32(dev, DR), 0x41);
	dfd_device_close(dev);
}

static void test_without_loopback(void **state)
{
	struct dfd_device *dev = open_looped(1, FIFO_8N1);

	(void)state;
	put32(dev, CR, 0x301);
	put32(dev, DR, 'x');
	wait_bits(dev, FR, BUSY, 0);
	assert_int_equal(get32(dev, FR), TXFE | RXFE);
	dfd_device_close(dev);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* 16 characters at 24 MHz / 16 / 130, 11538 baud: not faster than the wire. */
static void test_speed(void **state)
{
	struct dfd_device *dev = open_looped(130, FIFO_8N1);
	int64_t start = now_us();

	(void)state;
	for (unsigned int i = 0; i < 16; i++)
		put32(dev, DR, i);
	wait_bits(dev, FR, BUSY, 0);
	assert_true(now_us() - start >= 13860);
	dfd_device_close(dev);
}

/*
 * Return: false when it took longer than a character, on a busy machine; then what was seen of the
 * first ones may be seen no more, and it has to be done again
 */
static bool in_time(void (*look)(struct dfd_device *dev, uint32_t *seen), uint32_t lcr_h,
		    uint32_t *seen)
{
	int64_t start = now_us();
	struct dfd_device *dev = open_looped(65535, lcr_h);

	look(dev, seen);
	dfd_device_close(dev);
	return now_us() - start < CHARACTER_MS * 1000;
}

static void test_disabled(void **state)
{
	struct dfd_device *dev = open_model("pl011");

	(void)state;
	put32(dev, LCR_H, FIFO_8N1);
	put32(dev, CR, LOOPBACK & ~1u);
	put32(dev, DR, 'x'); /* waits for the UART ... */
	assert_int_equal(get32(dev, FR), BUSY | RXFE);
	put32(dev, CR, LOOPBACK); /* ... and for a clock */
	assert_int_equal(get32(dev, FR), BUSY | RXFE);
	put32(dev, IBRD, 1);
	put32(dev, CR, LOOPBACK);
	wait_bits(dev, FR, RXFE, 0);
	assert_int_equal(get32(dev, DR), 'x');
	dfd_device_close(dev);
}

static void fill_up(struct dfd_device *dev, uint32_t seen[2])
{
	const uint32_t lcr_h = get32(dev, LCR_H);

	for (seen[0] = 0; !(get32(dev, FR) & TXFF) && seen[0] < 100; seen[0]++)
		put32(dev, DR, seen[0]);
	put32(dev, DR, 0xff); /* lost */
	put32(dev, LCR_H, lcr_h ^ 0x10);
	seen[1] = get32(dev, FR);
}

/* One in the shift register and sixteen behind it; one and one without FIFOs. */
static void test_depth(void **state)
{
	static const struct {
		uint32_t lcr_h, room;
	} cases[] = { { FIFO_8N1, 17 }, { 0x60, 2 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint32_t seen[2];

		while (!in_time(fill_up, cases[i].lcr_h, seen))
			;
		assert_int_equal(seen[0], cases[i].room);
		assert_int_equal(seen[1], BUSY | TXFE | RXFE);
	}
}

static void test_overrun(void **state)
{
	struct dfd_device *dev = open_looped(1, 0x60);

	(void)state;
	put32(dev, DR, 'a');
	wait_bits(dev, FR, RXFF, RXFF);
	put32(dev, DR, 'b');
	wait_bits(dev, RIS, INT_OVERRUN, INT_OVERRUN);
	assert_int_equal(get32(dev, RSR), 8);
	assert_int_equal(get32(dev, DR), 0x800 | 'a');
	put32(dev, RSR, 0);
	assert_int_equal(get32(dev, RSR), 0);
	put32(dev, ICR, INT_OVERRUN);
	assert_int_equal(get32(dev, RIS) & INT_OVERRUN, 0);
	dfd_device_close(dev);
}

static void test_break(void **state)
{
	struct dfd_device *dev = open_looped(1, FIFO_8N1);

	(void)state;
	put32(dev, LCR_H, FIFO_8N1 | 1);
	assert_int_equal(get32(dev, RIS) & INT_BREAK, INT_BREAK);
	assert_int_equal(get32(dev, DR), 0x400);
	assert_int_equal(get32(dev, RSR), 4);
	put32(dev, LCR_H, FIFO_8N1 | 1); /* goes on, is no second one */
	assert_int_equal(get32(dev, FR) & RXFE, RXFE);
	dfd_device_close(dev);
}

static void test_modem_lines(void **state)
{
	struct dfd_device *dev = open_looped(1, FIFO_8N1);

	(void)state;
	put32(dev, CR, LOOPBACK | 0x800);
	assert_int_equal(get32(dev, FR) & 0x107, 0x001);
	assert_int_equal(get32(dev, RIS), 0x002);
	put32(dev, ICR, 0x00f);
	put32(dev, CR, LOOPBACK | 0x3c00);
	assert_int_equal(get32(dev, FR) & 0x107, 0x107);
	assert_int_equal(get32(dev, RIS), 0x00d);
	put32(dev, CR, 0x3c00 | 0x301);
	assert_int_equal(get32(dev, FR) & 0x107, 0);
	dfd_device_close(dev);
}

/* ---- interrupts ---- */

static void test_rx_level(void **state)
{
	struct dfd_device *dev = open_looped(1, FIFO_8N1);

	(void)state;
	put32(dev, IFLS, 1 << 3); /* at 4 of 16 */
	for (unsigned int i = 0; i < 3; i++)
		put32(dev, DR, i);
	wait_bits(dev, FR, BUSY, 0);
	assert_int_equal(get32(dev, RIS) & INT_RX, 0);
	put32(dev, DR, 3);
	wait_bits(dev, RIS, INT_RX, INT_RX);
	assert_int_equal(get32(dev, MIS), 0);
	put32(dev, IMSC, INT_RX);
	assert_int_equal(get32(dev, MIS), INT_RX);
	get32(dev, DR);
	assert_int_equal(get32(dev, RIS) & INT_RX, 0);
	dfd_device_close(dev);
}

/* What is below the level is announced when nothing more comes. */
static void test_rx_timeout(void **state)
{
	struct dfd_device *dev = open_looped(1, FIFO_8N1);

	(void)state;
	put32(dev, DR, 'a');
	put32(dev, DR, 'b');
	wait_bits(dev, RIS, INT_TIMEOUT, INT_TIMEOUT);
	assert_int_equal(get32(dev, DR), 'a');
	assert_int_equal(get32(dev, RIS) & INT_TIMEOUT, INT_TIMEOUT);
	assert_int_equal(get32(dev, DR), 'b');
	assert_int_equal(get32(dev, RIS) & INT_TIMEOUT, 0);

	/* Thrown away with the FIFO. */
	put32(dev, DR, 'd');
	wait_bits(dev, RIS, INT_TIMEOUT, INT_TIMEOUT);
	put32(dev, LCR_H, 0x60);
	assert_int_equal(get32(dev, RIS) & INT_TIMEOUT, 0);
	dfd_device_close(dev);
}

/* A character takes 1.3 ms, the time-out 4.3 ms: what was read meanwhile is not announced. */
static void test_rx_before_timeout(void **state)
{
	struct dfd_device *dev = open_looped(200, FIFO_8N1);

	(void)state;
	put32(dev, DR, 'a');
	wait_bits(dev, FR, RXFE, 0);
	assert_int_equal(get32(dev, DR), 'a');
	nanosleep(&(struct timespec){ .tv_nsec = 6000000 }, NULL);
	assert_int_equal(get32(dev, RIS) & INT_TIMEOUT, 0);
	dfd_device_close(dev);
}

static void fill_to_level(struct dfd_device *dev, uint32_t seen[4])
{
	put32(dev, IFLS, 0); /* at 2 of 16 */
	seen[0] = get32(dev, RIS);
	put32(dev, DR, 0); /* goes on into the shift register */
	seen[1] = get32(dev, RIS);
	put32(dev, DR, 1);
	put32(dev, DR, 2);
	seen[2] = get32(dev, RIS);
	put32(dev, DR, 3);
	seen[3] = get32(dev, RIS);
}

/* Set when the FIFO falls to the level, not before anything was written. */
static void test_tx_level(void **state)
{
	static const uint32_t want[4] = { 0, INT_TX, INT_TX, 0 };
	uint32_t seen[4];

	(void)state;
	while (!in_time(fill_to_level, FIFO_8N1, seen))
		;
	assert_memory_equal(seen, want, sizeof(want));
}

static void test_level_interrupt(void **state)
{
	struct dfd_device *dev = open_looped(1, 0x60);

	(void)state;
	assert_int_equal(dfd_irq_enable(dev, 0, 1), 0);
	put32(dev, IMSC, INT_RX);
	put32(dev, DR, 'a');
	assert_int_equal(dfd_wait_irq(dev, 0, 0, 60000), 1);
	/* Still high: it comes again when unmasked, and not before. */
	assert_int_equal(dfd_wait_irq(dev, 0, 0, 0), 0);
	assert_int_equal(dfd_irq_unmask(dev, 0), 0);
	assert_int_equal(dfd_wait_irq(dev, 0, 0, 0), 1);
	assert_int_equal(get32(dev, DR), 'a');
	assert_int_equal(dfd_irq_unmask(dev, 0), 0);
	assert_int_equal(dfd_wait_irq(dev, 0, 0, 0), 0);
	put32(dev, DR, 'b');
	assert_int_equal(dfd_wait_irq(dev, 0, 0, 60000), 1);
	dfd_device_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_description),
		cmocka_unit_test(test_power_on),
		cmocka_unit_test(test_writable_bits),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_word_length),
		cmocka_unit_test(test_without_loopback),
		cmocka_unit_test(test_disabled),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_break),
		cmocka_unit_test(test_modem_lines),
		cmocka_unit_test(test_rx_level),
		cmocka_unit_test(test_rx_timeout),
		cmocka_unit_test(test_rx_before_timeout),
		cmocka_unit_test(test_tx_level),
		cmocka_unit_test(test_level_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
