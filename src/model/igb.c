/* SPDX-License-Identifier: MIT */
/*
 * model:igb, the Intel 82576 network controller without a cable: it hears itself, by the loopback
 * of its PHY. Registers and fields are named as in chapters 7 and 8 of the datasheet.
 *
 * Theory of operation: registers are words; those without effect here are kept as written. One
 * engine moves one frame after the other. A step of it begins a DMA and names the next step, so
 * that an answer may come at once or by message; a timer runs a bounded number of them. A read that
 * fails (memory not mapped) halts it until a reset, as on hardware. Writes are posted.
 *
 * Only the first queue of each direction works, with advanced descriptors. Frames are received
 * without the FCS; one that asks for segmentation is dropped. Not here: ICR (all causes are those
 * of EICR), statistics, other offloads, hashed addresses, VLANs, split headers, write-back of the
 * head, moderation of interrupts, the words of the NVM, I/O ports, flash, virtual functions.
 */
#include <errno.h>
#include <stdlib.h>

#include "model/model.h"

enum { CTRL = 0x0, STATUS = 0x8, EEC = 0x10, MDIC = 0x20, RCTL = 0x100, TCTL = 0x400 };
enum { GPIE = 0x1514, EICS = 0x1520, EIMS = 0x1524, EIMC = 0x1528, EIAC = 0x152c };
enum { EIAM = 0x1530, EICR = 0x1580, IVAR0 = 0x1700, RAL = 0x5400, RAL_END = 0x5480 };
enum { RX = 0xc000, RX_ALIAS = 0x2800, TX = 0xe000, TX_ALIAS = 0x3800, QUEUE_SIZE = 0x40 };
/* The words of a queue; SRRCTL is of a receive queue. */
enum { BAL, BAH, LEN, SRRCTL, HEAD, TAIL = 6, DCTL = 10 };

enum { CTRL_SLU = 0x40, CTRL_RST = 0x4000000, STATUS_UP = 0x83, STATUS_IDLE = 0x280000 };
enum { EEC_READ = 0x300, IVAR_VALID = 0x80, MDIC_WRITE = 0x4000000, MDIC_READY = 0x10000000 };
enum { MDIC_ERROR = 0x40000000, EN = 2, UPE = 8, MPE = 0x10, LPE = 0x20, BAM = 0x8000, PSP = 8 };
enum { ENABLE = 0x2000000, DESCTYPE = 0xe000000, MSIX_MODE = 0x10, EIAME = 0x40000000 };
enum { TXD_TYPE = 0x20f00000, TXD_DATA = 0x20300000, TXD_EOP = 0x1000000, TXD_RS = 0x8000000 };
enum { PHY_LOOPBACK = 0x4000, PHY_SELF_CLEARING = 0x8200, PHY_READ_ONLY = 0x846e };
enum { VECTORS = 25, DESC = 16, MAX_FRAME = 9728, FCS = 4, STEPS = 256, MSIX_BAR = 3 };
enum { WRITE, READ };
#define TXD_TSE 0x80000000u
#define RAH_AV	0x80000000u

/* CTRL.RST clears @s; nothing begins before an answer that may still come, into @raw or @frame.
 * @told: enabled bits of EICR that were told of. @step: returns as dfd_dma_read(), or is NULL
 * between descriptors. @command, @status: of the transmit descriptor.
 */
struct igb {
	struct dfd_device *dev;
	struct dfd_host *host;
	uint16_t phy[32];
	uint8_t frame[MAX_FRAME], raw[DESC];
	bool pending, forget;
	struct igb_state {
		uint32_t reg[0x6000 / 4], rx[QUEUE_SIZE / 4], tx[QUEUE_SIZE / 4], told;
		int (*step)(struct igb *n);
		bool reading, halted, in_frame, dropped;
		uint32_t len, sent, part, command, status;
	} s;
};

static uint32_t *reg(struct igb *n, uint32_t offset)
{
	return &n->s.reg[offset / 4];
}

/* Tell of causes that are enabled and new; with MSI-X the bits of EICR are vectors. */
static void deliver(struct igb *n, uint32_t ivar_entry)
{
	bool msix = *reg(n, GPIE) & MSIX_MODE;
	uint32_t fresh;

	if (ivar_entry & IVAR_VALID)
		*reg(n, EICR) |= 1u << (ivar_entry & 31);
	fresh = *reg(n, EICR) & *reg(n, EIMS) & ~n->s.told;
	for (uint32_t v = 0; msix && v < VECTORS; v++) {
		if (fresh >> v & 1)
			dfd_irq_message(n->host, DFD_PCI_MSIX, v);
	}
	if (msix)
		*reg(n, EICR) &= ~(fresh & *reg(n, EIAC));
	else if (fresh)
		dfd_irq_message(n->host, DFD_PCI_MSI, 0);
	if (msix && *reg(n, GPIE) & EIAME)
		*reg(n, EIMS) &= ~(fresh & *reg(n, EIAM));
	n->s.told = *reg(n, EICR) & *reg(n, EIMS);
	dfd_irq_level(n->host, DFD_PCI_INTX, !msix && n->s.told);
}

static void acknowledge(struct igb *n, uint32_t bits)
{
	*reg(n, EICR) &= ~bits;
	if (!(*reg(n, GPIE) & EIAME))
		*reg(n, EIMS) &= ~*reg(n, EIAM);
	deliver(n, 0);
}

static bool link_up(struct igb *n)
{
	return *reg(n, CTRL) & CTRL_SLU && n->phy[0] & PHY_LOOPBACK;
}

static bool is_for_us(struct igb *n)
{
	const uint64_t mask = 0xffffffffffff, mac = dfd_reg_load(n->frame, 8) & mask;

	for (const uint32_t *ra = reg(n, RAL); ra < reg(n, RAL_END); ra += 2) {
		if (ra[1] & RAH_AV && (((uint64_t)ra[1] << 32 | ra[0]) & mask) == mac)
			return true;
	}
	return *reg(n, RCTL) & (mac == mask ? BAM : mac & 1 ? MPE : UPE);
}

/* The frame has left and comes back. Return: false when it is lost on the way. */
static bool loop_back(struct igb *n)
{
	uint32_t longest = *reg(n, RCTL) & LPE ? MAX_FRAME : 1522;

	while (*reg(n, TCTL) & PSP && n->s.len < 60)
		n->frame[n->s.len++] = 0;
	return n->s.len >= 60 && n->s.len + FCS <= longest && is_for_us(n);
}

static bool ready(struct igb *n, uint32_t control, const uint32_t *q)
{
	uint32_t count = q[LEN] / DESC;

	return *reg(n, control) & EN && q[DCTL] & ENABLE && q[HEAD] != q[TAIL] && q[HEAD] < count &&
	       q[TAIL] < count;
}

static uint64_t descriptor(const uint32_t *q)
{
	return ((uint64_t)q[BAH] << 32 | q[BAL]) + (uint64_t)q[HEAD] * DESC;
}

static void advance(uint32_t *q)
{
	q[HEAD] = q[HEAD] + 1 < q[LEN] / DESC ? q[HEAD] + 1 : 0;
}

static void ended(struct igb *n, int status)
{
	if (status >= 0 || !n->s.reading)
		return;
	dfd_device_log(n->dev, "igb: halted, memory cannot be read: %s", strerror(-status));
	n->s.halted = true;
}

static void done(void *ctx, int status)
{
	struct igb *n = ctx;

	if (!n->forget)
		ended(n, status);
	n->pending = n->forget = false;
	dfd_timer(n->host, 0, 0);
}

/* Return: as dfd_dma_read(). */
static int move(struct igb *n, bool reading, uint64_t iova, uint8_t *buf, uint32_t len,
		int (*then)(struct igb *))
{
	n->s.reading = reading;
	n->s.step = then;
	return reading ? dfd_dma_read(n->host, iova, buf, len, done, n)
		       : dfd_dma_write(n->host, iova, buf, len, done, n);
}

static int sent(struct igb *n)
{
	n->s.step = NULL;
	advance(n->s.tx);
	deliver(n, n->s.command & TXD_RS ? *reg(n, IVAR0) >> 8 : 0);
	return 1;
}

static int report_sent(struct igb *n)
{
	dfd_reg_store(n->raw, 4, n->s.status | 1);
	return n->s.command & TXD_RS ? move(n, WRITE, descriptor(n->s.tx) + 12, n->raw, 4, sent)
				     : sent(n);
}

static int take_buffer(struct igb *n);

static int received(struct igb *n)
{
	advance(n->s.rx);
	if (n->s.sent < n->s.len)
		return take_buffer(n);
	deliver(n, *reg(n, IVAR0));
	return report_sent(n);
}

/* A driver may be looking for the status, so it comes last: descriptor done, end of packet. */
static int report_received(struct igb *n)
{
	dfd_reg_store(n->raw, 4, n->s.sent < n->s.len ? 1 : 3);
	return move(n, WRITE, descriptor(n->s.rx) + 8, n->raw, 4, received);
}

static int describe_received(struct igb *n)
{
	memset(n->raw, 0, DESC);
	dfd_reg_store(n->raw + 12, 4, n->s.part);
	n->s.sent += n->s.part;
	return move(n, WRITE, descriptor(n->s.rx), n->raw, DESC, report_received);
}

static int fill_buffer(struct igb *n)
{
	uint32_t kib = n->s.rx[SRRCTL] & 0x7f, left = n->s.len - n->s.sent;
	uint32_t size = kib ? 1024 * kib : 2048u >> (*reg(n, RCTL) >> 16 & 3);

	n->s.part = left < size ? left : size;
	return move(n, WRITE, dfd_reg_load(n->raw, 8), n->frame + n->s.sent, n->s.part,
		    describe_received);
}

static int take_buffer(struct igb *n)
{
	if (!ready(n, RCTL, n->s.rx) || !(n->s.rx[SRRCTL] & DESCTYPE))
		return report_sent(n);
	return move(n, READ, descriptor(n->s.rx), n->raw, DESC, fill_buffer);
}

static int end_of_part(struct igb *n)
{
	n->s.len += n->s.part;
	n->s.in_frame = !(n->s.command & TXD_EOP);
	if (n->s.in_frame || n->s.dropped || !loop_back(n))
		return report_sent(n);
	return take_buffer(n);
}

/* Context descriptors are about offloads. */
static int decode(struct igb *n)
{
	struct igb_state *s = &n->s;

	s->command = (uint32_t)dfd_reg_load(n->raw + 8, 4);
	s->status = (uint32_t)dfd_reg_load(n->raw + 12, 4);
	if ((s->command & TXD_TYPE) != TXD_DATA)
		return report_sent(n);
	if (!s->in_frame)
		s->len = s->sent = s->dropped = 0;
	s->part = s->command & 0xffff;
	s->dropped |= s->command & TXD_TSE || s->part > MAX_FRAME - FCS - s->len;
	if (s->dropped)
		s->part = 0;
	return move(n, READ, dfd_reg_load(n->raw, 8), n->frame + s->len, s->part, end_of_part);
}

static void igb_timer(struct dfd_device *dev, unsigned int id)
{
	struct igb *n = dfd_device_priv(dev);
	int ret;

	for (unsigned int i = id; i < STEPS && !n->pending && !n->s.halted; i++) {
		if (!n->s.step && !(link_up(n) && ready(n, TCTL, n->s.tx)))
			return;
		ret = n->s.step ? n->s.step(n)
				: move(n, READ, descriptor(n->s.tx), n->raw, DESC, decode);
		n->pending = !ret;
		ended(n, ret);
	}
	dfd_timer(n->host, 0, n->pending || n->s.halted ? DFD_TIMER_OFF : 0);
}

/* The PHY is number 1. */
static uint32_t mdi(struct igb *n, uint32_t command)
{
	uint32_t at = command >> 16 & 31;

	if ((command >> 21 & 31) != 1)
		return command | MDIC_READY | MDIC_ERROR;
	if (command & MDIC_WRITE && !(PHY_READ_ONLY >> at & 1))
		n->phy[at] = (uint16_t)(at ? command : command & ~(uint32_t)PHY_SELF_CLEARING);
	return (command & 0xffff0000) | MDIC_READY | n->phy[at];
}

static void reset_mac(struct igb *n)
{
	n->forget = n->pending;
	n->s = (struct igb_state){ 0 };
	n->s.rx[DCTL] = n->s.tx[DCTL] = ENABLE;
	*reg(n, STATUS) = STATUS_IDLE;
	*reg(n, EEC) = EEC_READ;
	*reg(n, RAL) = 0x6e578202; /* 02:82:57:6e:00:01 */
	*reg(n, RAL + 4) = 0x0100 | RAH_AV;
}

/* Return: NULL where there is none: beside the MSI-X table there is nothing. */
static uint32_t *find(struct igb *n, uint32_t index, uint64_t offset)
{
	uint64_t at = offset % QUEUE_SIZE / 4, block = offset - offset % QUEUE_SIZE;

	if (index == MSIX_BAR)
		return NULL;
	if (block == RX || block == RX_ALIAS)
		return &n->s.rx[at];
	if (block == TX || block == TX_ALIAS)
		return &n->s.tx[at];
	return offset < sizeof(n->s.reg) ? &n->s.reg[offset / 4] : NULL;
}

static ssize_t igb_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			size_t len)
{
	struct igb *n = dfd_device_priv(dev);
	uint32_t *word = find(n, index, offset);

	if (len != 4 || offset % 4)
		return -EIO;
	dfd_reg_store(buf, 4, word ? *word : 0);
	if (word == reg(n, EICR))
		acknowledge(n, UINT32_MAX);
	return (ssize_t)len;
}

static void write_register(struct igb *n, uint32_t *word, uint32_t value)
{
	if (word == reg(n, CTRL) && value & CTRL_RST)
		reset_mac(n);
	else if (word == reg(n, MDIC))
		*word = mdi(n, value);
	else if (word == reg(n, EICR))
		acknowledge(n, value);
	else if (word == reg(n, EICS))
		*reg(n, EICR) |= value;
	else if (word == reg(n, EIMS))
		*word |= value;
	else if (word == reg(n, EIMC))
		*reg(n, EIMS) &= ~value;
	else if (word && word != reg(n, EEC))
		*word = value;
	*reg(n, STATUS) = STATUS_IDLE | (link_up(n) ? STATUS_UP : 0);
	deliver(n, 0);
	dfd_timer(n->host, 0, 0);
}

static ssize_t igb_write(struct dfd_device *dev, uint32_t index, uint64_t offset, const void *buf,
			 size_t len)
{
	struct igb *n = dfd_device_priv(dev);

	if (len != 4 || offset % 4)
		return -EIO;
	write_register(n, find(n, index, offset), (uint32_t)dfd_reg_load(buf, 4));
	return (ssize_t)len;
}

static int igb_reset(struct dfd_device *dev)
{
	static const uint16_t phy[32] = { 0x1140, 0x7949, 0x02a8, 0x0391, 0x01e1 };
	struct igb *n = dfd_device_priv(dev);

	n->dev = dev;
	n->host = dfd_device_host(dev);
	reset_mac(n);
	memcpy(n->phy, phy, sizeof(phy));
	return 0;
}

static void igb_close(struct dfd_device *dev)
{
	free(dfd_device_priv(dev));
}

static const struct dfd_device_ops igb_ops = {
	.size = sizeof(igb_ops),
	.name = "igb",
	.region_read = igb_read,
	.region_write = igb_write,
	.timer = igb_timer,
	.reset = igb_reset,
	.close = igb_close,
};

static int igb_create(const union dfd_option_value *values, struct dfd_device **out,
		      struct dfd_error *err)
{
	static const struct dfd_pci_setup setup = { .msix_bar = MSIX_BAR, .msix_pba = 0x2000 };
	struct igb *n = calloc(1, sizeof(*n));
	struct dfd_desc_builder *b = dfd_pci_builder(&(struct dfd_pci_identity){
		"igb", 0x8086, 0x10c9, 0x8086, 0xa03c, 0x020000, 1, 1, VECTORS });
	int ret;

	(void)values;
	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_BAR0, .size = 0x20000 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = MSIX_BAR, .size = 0x4000 });
	ret = dfd_model_build(b, &igb_ops, n, &setup, out, err);
	if (ret)
		free(n);
	else
		igb_reset(*out);
	return ret;
}

const struct dfd_model_type dfd_model_igb = {
	.name = "igb",
	.help = "the Intel 82576 network controller, looped back; MSI-X, MSI and INTx",
	.create = igb_create,
};
