/* SPDX-License-Identifier: MIT */
/*
 * model:pl011, the ARM PrimeCell UART (ARM DDI 0183), on a bus that the device tree translates.
 *
 * Theory of operation: characters go from the transmit FIFO into the shift register, one at a time,
 * and leave it when their time on the wire has passed, as the baud-rate divisors say. The wire ends
 * nowhere; in loopback it ends in the receive FIFO.
 * Raw interrupt bits are set when a FIFO passes its trigger level, when characters lie in the
 * receive FIFO for 32 bit times, on overrun, break and change of a modem line. The line is high
 * while an unmasked raw bit is set. There is no reset: such a UART has none but power.
 */
#include <errno.h>
#include <stdlib.h>

#include "model/model.h"

#define NODE	   "/bus@8000000/serial@1000000"
#define PHYS_ADDR  UINT64_C(0x9000000)
#define SIZE	   UINT64_C(0x1000)
#define CLOCK_HZ   UINT64_C(24000000)
#define FIFO_DEPTH 16u

enum pl011_register {
	REG_DR = 0x000,
	REG_RSR = 0x004, /* written: ECR */
	REG_FR = 0x018,
	REG_ILPR = 0x020,
	REG_IBRD = 0x024,
	REG_FBRD = 0x028,
	REG_LCR_H = 0x02c,
	REG_CR = 0x030,
	REG_IFLS = 0x034,
	REG_IMSC = 0x038,
	REG_RIS = 0x03c,
	REG_MIS = 0x040,
	REG_ICR = 0x044,
	REG_DMACR = 0x048,
	REG_PERIPH_ID = 0xfe0, /* eight identification registers up to the end */
};

#define DR_BREAK    0x400u
#define DR_OVERRUN  0x800u
#define FR_CTS	    0x001u
#define FR_DSR	    0x002u
#define FR_DCD	    0x004u
#define FR_BUSY	    0x008u
#define FR_RXFE	    0x010u
#define FR_TXFF	    0x020u
#define FR_RXFF	    0x040u
#define FR_TXFE	    0x080u
#define FR_RI	    0x100u
#define LCR_BREAK   0x01u
#define LCR_PARITY  0x02u
#define LCR_2STOP   0x08u
#define LCR_FIFO    0x10u
#define CR_ENABLE   0x0001u
#define CR_LOOPBACK 0x0080u
#define CR_TX	    0x0100u
#define CR_RX	    0x0200u
#define CR_DTR	    0x0400u
#define CR_RTS	    0x0800u
#define CR_OUT1	    0x1000u
#define CR_OUT2	    0x2000u
#define CR_WRITABLE 0xff87u
#define INT_RI	    0x001u
#define INT_CTS	    0x002u
#define INT_DCD	    0x004u
#define INT_DSR	    0x008u
#define INT_RX	    0x010u
#define INT_TX	    0x020u
#define INT_TIMEOUT 0x040u
#define INT_BREAK   0x200u
#define INT_OVERRUN 0x400u
#define INT_ALL	    0x7ffu

enum pl011_timer { TIMER_SHIFT, TIMER_RX_TIMEOUT };

struct fifo {
	uint16_t data[FIFO_DEPTH];
	uint32_t head;
	uint32_t count;
};

struct pl011 {
	struct fifo tx, rx;
	bool shifting; /* @shifter holds a character */
	uint32_t shifter;
	uint32_t rsr, ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr;
};

static void update_line(struct dfd_device *dev)
{
	const struct pl011 *u = dfd_device_priv(dev);

	dfd_irq_level(dfd_device_host(dev), 0, u->ris & u->imsc);
}

/* ---- FIFOs; without LCR_H.FEN they are one character deep ---- */

static uint32_t depth(const struct pl011 *u)
{
	return u->lcr_h & LCR_FIFO ? FIFO_DEPTH : 1;
}

static void push(struct fifo *f, uint32_t c)
{
	f->data[(f->head + f->count++) % FIFO_DEPTH] = (uint16_t)c;
}

static uint32_t pop(struct fifo *f)
{
	uint32_t c = f->data[f->head];

	f->head = (f->head + 1) % FIFO_DEPTH;
	f->count--;
	return c;
}

/* The trigger level in field @shift of IFLS: 1/8, 1/4, 1/2, 3/4 or 7/8 of the FIFO. */
static uint32_t trigger_level(const struct pl011 *u, unsigned int shift)
{
	static const uint8_t levels[8] = { 2, 4, 8, 12, 14, 14, 14, 14 };

	return levels[u->ifls >> shift & 7];
}

static bool tx_wants_more(const struct pl011 *u)
{
	return u->tx.count <= (u->lcr_h & LCR_FIFO ? trigger_level(u, 0) : 0);
}

static bool rx_has_enough(const struct pl011 *u)
{
	return u->rx.count >= (u->lcr_h & LCR_FIFO ? trigger_level(u, 3) : 1);
}

/* ---- the wire ---- */

/* The divisor is in units of 1/64, and a bit has 16 periods of the divided clock. */
static uint64_t bit_ns(const struct pl011 *u)
{
	return (64 * (uint64_t)u->ibrd + u->fbrd) * 16 * 1000000000 / (64 * CLOCK_HZ);
}

static unsigned int data_bits(const struct pl011 *u)
{
	return 5 + (u->lcr_h >> 5 & 3);
}

static uint64_t character_ns(const struct pl011 *u)
{
	unsigned int parity = u->lcr_h & LCR_PARITY ? 1 : 0, stop = u->lcr_h & LCR_2STOP ? 2 : 1;

	return bit_ns(u) * (1 + data_bits(u) + parity + stop);
}

/* Put the next character on the wire, if there is one and the transmitter runs. */
static void shift_next(struct dfd_device *dev)
{
	struct pl011 *u = dfd_device_priv(dev);
	uint32_t running = CR_ENABLE | CR_TX;

	/* A divisor of 0 gives no clock. */
	if (u->shifting || !u->tx.count || (u->cr & running) != running || !u->ibrd)
		return;
	u->shifting = true;
	u->shifter = pop(&u->tx) & ((1u << data_bits(u)) - 1);
	if (tx_wants_more(u))
		u->ris |= INT_TX;
	dfd_timer(dfd_device_host(dev), TIMER_SHIFT, character_ns(u));
}

static void receive(struct dfd_device *dev, uint32_t c)
{
	struct pl011 *u = dfd_device_priv(dev);
	uint32_t running = CR_ENABLE | CR_RX;

	if ((u->cr & running) != running)
		return;
	if (u->rx.count == depth(u)) {
		u->rsr |= DR_OVERRUN >> 8;
		u->ris |= INT_OVERRUN;
		return;
	}
	push(&u->rx, c);
	if (c & DR_BREAK)
		u->ris |= INT_BREAK;
	if (rx_has_enough(u))
		u->ris |= INT_RX;
	dfd_timer(dfd_device_host(dev), TIMER_RX_TIMEOUT, 32 * bit_ns(u));
}

static void shift_done(struct dfd_device *dev)
{
	struct pl011 *u = dfd_device_priv(dev);

	u->shifting = false;
	if (u->cr & CR_LOOPBACK)
		receive(dev, u->shifter);
	shift_next(dev);
}

static void pl011_timer(struct dfd_device *dev, unsigned int id)
{
	struct pl011 *u = dfd_device_priv(dev);

	if (id == TIMER_SHIFT)
		shift_done(dev);
	else if (u->rx.count)
		u->ris |= INT_TIMEOUT;
	update_line(dev);
}

/* ---- registers ---- */

/* In loopback the modem inputs are the outputs; otherwise nothing is connected. */
static uint32_t modem_lines(const struct pl011 *u)
{
	if (!(u->cr & CR_LOOPBACK))
		return 0;
	return (u->cr & CR_RTS ? FR_CTS : 0) | (u->cr & CR_DTR ? FR_DSR : 0) |
	       (u->cr & CR_OUT1 ? FR_DCD : 0) | (u->cr & CR_OUT2 ? FR_RI : 0);
}

static uint32_t flags(const struct pl011 *u)
{
	return modem_lines(u) | (u->shifting || u->tx.count ? FR_BUSY : 0) |
	       (u->tx.count ? 0 : FR_TXFE) | (u->tx.count == depth(u) ? FR_TXFF : 0) |
	       (u->rx.count ? 0 : FR_RXFE) | (u->rx.count == depth(u) ? FR_RXFF : 0);
}

static uint32_t read_data(struct pl011 *u)
{
	uint32_t c;

	if (!u->rx.count)
		return 0;
	c = pop(&u->rx);
	u->rsr = (u->rsr & DR_OVERRUN >> 8) | c >> 8;
	if (!rx_has_enough(u))
		u->ris &= ~INT_RX;
	if (!u->rx.count)
		u->ris &= ~INT_TIMEOUT;
	return c | (u->rsr << 8 & DR_OVERRUN);
}

static void write_data(struct dfd_device *dev, uint32_t c)
{
	struct pl011 *u = dfd_device_priv(dev);

	if (u->tx.count == depth(u))
		return;
	push(&u->tx, c & 0xff);
	if (!tx_wants_more(u))
		u->ris &= ~INT_TX;
	shift_next(dev);
}

static void write_control(struct dfd_device *dev, uint32_t value)
{
	struct pl011 *u = dfd_device_priv(dev);
	uint32_t before = modem_lines(u), changed;

	u->cr = value & CR_WRITABLE;
	changed = before ^ modem_lines(u);
	u->ris |= (changed & FR_CTS ? INT_CTS : 0) | (changed & FR_DSR ? INT_DSR : 0) |
		  (changed & FR_DCD ? INT_DCD : 0) | (changed & FR_RI ? INT_RI : 0);
	shift_next(dev);
}

static void write_line_control(struct dfd_device *dev, uint32_t value)
{
	struct pl011 *u = dfd_device_priv(dev);
	uint32_t changed = u->lcr_h ^ value;

	u->lcr_h = value & 0xff;
	if (changed & LCR_FIFO) {
		u->tx.count = u->rx.count = 0;
		u->ris &= ~(INT_RX | INT_TIMEOUT);
	}
	if (changed & value & LCR_BREAK && u->cr & CR_LOOPBACK)
		receive(dev, DR_BREAK);
}

static uint32_t identification(uint64_t offset)
{
	/* Part 011, designer 41, revision 1 (FIFOs of 16), and the PrimeCell mark. */
	static const uint8_t ids[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

	return ids[(offset - REG_PERIPH_ID) / 4];
}

static uint32_t read_register(struct pl011 *u, uint64_t offset)
{
	switch (offset) {
	case REG_DR:
		return read_data(u);
	case REG_RSR:
		return u->rsr;
	case REG_FR:
		return flags(u);
	case REG_ILPR:
		return u->ilpr;
	case REG_IBRD:
		return u->ibrd;
	case REG_FBRD:
		return u->fbrd;
	case REG_LCR_H:
		return u->lcr_h;
	case REG_CR:
		return u->cr;
	case REG_IFLS:
		return u->ifls;
	case REG_IMSC:
		return u->imsc;
	case REG_RIS:
		return u->ris;
	case REG_MIS:
		return u->ris & u->imsc;
	case REG_DMACR:
		return u->dmacr;
	default:
		return offset >= REG_PERIPH_ID ? identification(offset) : 0;
	}
}

static void write_register(struct dfd_device *dev, uint64_t offset, uint32_t value)
{
	struct pl011 *u = dfd_device_priv(dev);

	switch (offset) {
	case REG_DR:
		write_data(dev, value);
		break;
	case REG_RSR:
		u->rsr = 0;
		break;
	case REG_ILPR:
		u->ilpr = value & 0xff;
		break;
	case REG_IBRD:
		u->ibrd = value & 0xffff;
		break;
	case REG_FBRD:
		u->fbrd = value & 0x3f;
		break;
	case REG_LCR_H:
		write_line_control(dev, value);
		break;
	case REG_CR:
		write_control(dev, value);
		break;
	case REG_IFLS:
		u->ifls = value & 0x3f;
		break;
	case REG_IMSC:
		u->imsc = value & INT_ALL;
		break;
	case REG_ICR:
		u->ris &= ~value;
		break;
	case REG_DMACR:
		u->dmacr = value & 7;
		break;
	}
}

/* Registers lie 4 bytes apart; drivers use 1, 2 or 4 of them. */
static bool wrong_width(uint64_t offset, size_t len)
{
	return (len != 1 && len != 2 && len != 4) || offset % 4;
}

static ssize_t pl011_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			  size_t len)
{
	(void)index;
	if (wrong_width(offset, len))
		return -EIO;
	dfd_reg_store(buf, len, read_register(dfd_device_priv(dev), offset));
	update_line(dev);
	return (ssize_t)len;
}

static ssize_t pl011_write(struct dfd_device *dev, uint32_t index, uint64_t offset, const void *buf,
			   size_t len)
{
	(void)index;
	if (wrong_width(offset, len))
		return -EIO;
	write_register(dev, offset, (uint32_t)dfd_reg_load(buf, len));
	update_line(dev);
	return (ssize_t)len;
}

static void pl011_close(struct dfd_device *dev)
{
	free(dfd_device_priv(dev));
}

static const struct dfd_device_ops pl011_ops = {
	.size = sizeof(pl011_ops),
	.name = "pl011",
	.region_read = pl011_read,
	.region_write = pl011_write,
	.timer = pl011_timer,
	.close = pl011_close,
};

/* ---- making one ---- */

static int describe(const struct dfd_desc **desc, struct dfd_error *err)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_DT);

	dfd_desc_set_str(b, DFD_FACT_NAME, "pl011");
	dfd_desc_set_str(b, DFD_FACT_COMPATIBLE, "arm,pl011");
	dfd_desc_add_region(b, &(struct dfd_region){ .size = SIZE,
						     .has_phys = true,
						     .phys_addr = PHYS_ADDR,
						     .dt = { NODE, DFD_DT_REG, 0 } });
	dfd_desc_add_irq(b, &(struct dfd_irq){ .count = 1,
					       .flags = DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE,
					       .dt = { NODE, DFD_DT_INTERRUPTS, 0 } });
	return dfd_desc_build(b, desc, err);
}

static int pl011_create(const union dfd_option_value *values, struct dfd_device **out,
			struct dfd_error *err)
{
	struct pl011 *u = calloc(1, sizeof(*u));
	const struct dfd_desc *desc;
	int ret;

	(void)values;
	if (!u)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	u->cr = CR_TX | CR_RX;
	u->ifls = 0x12;
	ret = describe(&desc, err);
	if (!ret) {
		ret = dfd_model_new(desc, &pl011_ops, u, NULL, out, err);
		dfd_desc_unref(desc);
	}
	if (ret)
		free(u);
	return ret;
}

const struct dfd_model_type dfd_model_pl011 = {
	.name = "pl011",
	.help = "an ARM UART on a translated device-tree bus: level interrupt, loopback, no reset",
	.create = pl011_create,
};
