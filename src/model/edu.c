/* SPDX-License-Identifier: MIT */
/*
 * model:edu, the educational PCI device that QEMU documents (docs/specs/edu).
 *
 * Theory of operation: two jobs run beside the driver, each with a timer of its own: the factorial
 * and the DMA engine. A write to a register starts a job and sets its busy bit, the timer does the
 * work and clears the bit. The interrupt line follows `irq_status != 0`; in message mode each new
 * cause sends a message instead.
 *
 * What the document leaves open: a DMA that leaves the 4 KiB buffer or the address mask moves
 * nothing and is logged; it ends like any other, so that a driver does not wait for ever. So does
 * one that the host refuses (memory not mapped, bus mastering off). One that is cancelled ends
 * without an interrupt. The buffer is reached by DMA only. Registers that do not exist read as all
 * ones and ignore writes; an access of a wrong width or alignment is -EIO.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "model/model.h"

enum edu_register {
	REG_ID = 0x00,
	REG_LIVENESS = 0x04,
	REG_FACTORIAL = 0x08,
	REG_STATUS = 0x20,
	REG_IRQ_STATUS = 0x24,
	REG_IRQ_RAISE = 0x60,
	REG_IRQ_ACK = 0x64,
	REG_DMA_SRC = 0x80,
	REG_DMA_DST = 0x88,
	REG_DMA_COUNT = 0x90,
	REG_DMA_COMMAND = 0x98,
};

#define EDU_ID		0x010000edu
#define STATUS_BUSY	0x01u
#define STATUS_IRQ	0x80u
#define IRQ_FACTORIAL	0x001u
#define IRQ_DMA		0x100u
#define DMA_RUN		1u
#define DMA_TO_MEMORY	2u
#define DMA_IRQ		4u
#define DMA_BUFFER	0x40000u
#define DMA_BUFFER_SIZE 4096u
#define WIDE_REGISTERS	0x80u /* from here on 8 bytes may be accessed at once */
#define MSIX_BAR	2
#define MSIX_BAR_SIZE	4096u
#define MSIX_PBA	2048u

enum edu_timer { TIMER_FACTORIAL, TIMER_DMA };

/* Everything that a reset clears. */
struct edu_state {
	uint32_t liveness;
	uint32_t factorial;
	uint32_t status;
	uint32_t irq_status;
	uint64_t dma_src;
	uint64_t dma_dst;
	uint64_t dma_count;
	uint64_t dma_command;
	unsigned char dma_buffer[DMA_BUFFER_SIZE];
};

struct edu {
	uint64_t dma_mask;
	uint64_t latency_ns;
	struct edu_state s;
};

static void raise_irq(struct dfd_device *dev, uint32_t cause)
{
	struct edu *e = dfd_device_priv(dev);
	struct dfd_host *host = dfd_device_host(dev);

	e->s.irq_status |= cause;
	if (!e->s.irq_status)
		return;
	dfd_irq_level(host, DFD_PCI_INTX, true);
	if (dfd_irq_enabled(host, DFD_PCI_MSIX))
		dfd_irq_message(host, DFD_PCI_MSIX, 0);
	else if (dfd_irq_enabled(host, DFD_PCI_MSI))
		dfd_irq_message(host, DFD_PCI_MSI, 0);
}

static void lower_irq(struct dfd_device *dev, uint32_t cause)
{
	struct edu *e = dfd_device_priv(dev);

	e->s.irq_status &= ~cause;
	dfd_irq_level(dfd_device_host(dev), DFD_PCI_INTX, e->s.irq_status != 0);
}

/* ---- the factorial ---- */

/* In 32 bits; from 34 on nothing is left of it. */
static uint32_t factorial(uint32_t n)
{
	uint32_t product = 1;

	while (n > 1 && product)
		product *= n--;
	return product;
}

static void factorial_start(struct dfd_device *dev, uint32_t n)
{
	struct edu *e = dfd_device_priv(dev);

	if (e->s.status & STATUS_BUSY)
		return;
	e->s.factorial = n;
	e->s.status |= STATUS_BUSY;
	dfd_timer(dfd_device_host(dev), TIMER_FACTORIAL, e->latency_ns);
}

static void factorial_run(struct dfd_device *dev)
{
	struct edu *e = dfd_device_priv(dev);

	e->s.factorial = factorial(e->s.factorial);
	e->s.status &= ~STATUS_BUSY;
	if (e->s.status & STATUS_IRQ)
		raise_irq(dev, IRQ_FACTORIAL);
}

/* ---- the DMA engine ---- */

static void dma_done(void *ctx, int status)
{
	struct dfd_device *dev = ctx;
	struct edu *e = dfd_device_priv(dev);

	e->s.dma_command &= ~(uint64_t)DMA_RUN;
	if (status && status != -ECANCELED)
		dfd_device_log(dev, "edu: DMA of 0x%" PRIx64 " bytes failed: %s", e->s.dma_count,
			       strerror(-status));
	if (status != -ECANCELED && e->s.dma_command & DMA_IRQ)
		raise_irq(dev, IRQ_DMA);
}

static bool dma_in_bounds(const struct edu *e, uint64_t inside, uint64_t iova)
{
	uint64_t count = e->s.dma_count;

	return count && count <= DMA_BUFFER_SIZE && inside >= DMA_BUFFER &&
	       inside - DMA_BUFFER <= DMA_BUFFER_SIZE - count && iova <= e->dma_mask - (count - 1);
}

/* Address lines above the mask do not exist, so that those bits are lost. */
static void dma_run(struct dfd_device *dev)
{
	struct edu *e = dfd_device_priv(dev);
	struct dfd_host *host = dfd_device_host(dev);
	bool to_memory = e->s.dma_command & DMA_TO_MEMORY;
	uint64_t inside = to_memory ? e->s.dma_src : e->s.dma_dst;
	uint64_t iova = (to_memory ? e->s.dma_dst : e->s.dma_src) & e->dma_mask;
	unsigned char *buf;
	int ret;

	if (!dma_in_bounds(e, inside, iova)) {
		dma_done(dev, -ERANGE);
		return;
	}
	buf = e->s.dma_buffer + (inside - DMA_BUFFER);
	if (to_memory)
		ret = dfd_dma_write(host, iova, buf, e->s.dma_count, dma_done, dev);
	else
		ret = dfd_dma_read(host, iova, buf, e->s.dma_count, dma_done, dev);
	if (ret)
		dma_done(dev, ret < 0 ? ret : 0);
}

static void dma_write_register(struct dfd_device *dev, uint64_t offset, uint64_t value)
{
	struct edu *e = dfd_device_priv(dev);

	if (e->s.dma_command & DMA_RUN)
		return;
	if (offset == REG_DMA_SRC)
		e->s.dma_src = value;
	else if (offset == REG_DMA_DST)
		e->s.dma_dst = value;
	else if (offset == REG_DMA_COUNT)
		e->s.dma_count = value;
	else if (offset == REG_DMA_COMMAND && value & DMA_RUN) {
		e->s.dma_command = value & (DMA_RUN | DMA_TO_MEMORY | DMA_IRQ);
		dfd_timer(dfd_device_host(dev), TIMER_DMA, e->latency_ns);
	}
}

/* ---- registers ---- */

static uint64_t read_register(const struct edu_state *s, uint64_t offset)
{
	switch (offset) {
	case REG_ID:
		return EDU_ID;
	case REG_LIVENESS:
		return s->liveness;
	case REG_FACTORIAL:
		return s->factorial;
	case REG_STATUS:
		return s->status;
	case REG_IRQ_STATUS:
		return s->irq_status;
	case REG_DMA_SRC:
		return s->dma_src;
	case REG_DMA_DST:
		return s->dma_dst;
	case REG_DMA_COUNT:
		return s->dma_count;
	case REG_DMA_COMMAND:
		return s->dma_command;
	default:
		return UINT64_MAX;
	}
}

static void write_register(struct dfd_device *dev, uint64_t offset, uint64_t value)
{
	struct edu *e = dfd_device_priv(dev);
	uint32_t low = (uint32_t)value;

	switch (offset) {
	case REG_LIVENESS:
		e->s.liveness = ~low;
		break;
	case REG_FACTORIAL:
		factorial_start(dev, low);
		break;
	case REG_STATUS:
		e->s.status = (e->s.status & STATUS_BUSY) | (low & STATUS_IRQ);
		break;
	case REG_IRQ_RAISE:
		raise_irq(dev, low);
		break;
	case REG_IRQ_ACK:
		lower_irq(dev, low);
		break;
	default:
		dma_write_register(dev, offset, value);
	}
}

static bool wrong_width(uint64_t offset, size_t len)
{
	return !(len == 4 || (len == 8 && offset >= WIDE_REGISTERS)) || offset % len;
}

static ssize_t edu_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			size_t len)
{
	const struct edu *e = dfd_device_priv(dev);

	if (index == MSIX_BAR) {
		/* Beside the table and the pending bits there is nothing. */
		memset(buf, 0, len);
		return (ssize_t)len;
	}
	if (wrong_width(offset, len))
		return -EIO;
	dfd_reg_store(buf, len, read_register(&e->s, offset));
	return (ssize_t)len;
}

static ssize_t edu_write(struct dfd_device *dev, uint32_t index, uint64_t offset, const void *buf,
			 size_t len)
{
	if (index == MSIX_BAR)
		return (ssize_t)len;
	if (wrong_width(offset, len))
		return -EIO;
	write_register(dev, offset, dfd_reg_load(buf, len));
	return (ssize_t)len;
}

static void edu_timer(struct dfd_device *dev, unsigned int id)
{
	if (id == TIMER_FACTORIAL)
		factorial_run(dev);
	else
		dma_run(dev);
}

/* The library has stopped the timers and lowered the line. */
static int edu_reset(struct dfd_device *dev)
{
	struct edu *e = dfd_device_priv(dev);

	e->s = (struct edu_state){ 0 };
	return 0;
}

static void edu_close(struct dfd_device *dev)
{
	free(dfd_device_priv(dev));
}

/* Start the DMA engine, with an interrupt at the end; while it runs it is not started again. */
static const struct dfd_doorbell edu_doorbells[] = {
	{ DFD_PCI_BAR0, 8, REG_DMA_COMMAND, DMA_RUN | DMA_IRQ },
	{ DFD_PCI_BAR0, 8, REG_DMA_COMMAND, DMA_RUN | DMA_IRQ | DMA_TO_MEMORY },
};

static const struct dfd_device_ops edu_ops = {
	.size = sizeof(edu_ops),
	.name = "edu",
	.region_read = edu_read,
	.region_write = edu_write,
	.timer = edu_timer,
	.reset = edu_reset,
	.close = edu_close,
	.doorbells = edu_doorbells,
	.num_doorbells = sizeof(edu_doorbells) / sizeof(*edu_doorbells),
};

/* ---- making one ---- */

enum edu_option { OPTION_DMA_MASK, OPTION_LATENCY, OPTION_MSIX, NUM_OPTIONS };

static const struct dfd_model_option edu_options[NUM_OPTIONS] = {
	[OPTION_DMA_MASK] = { "dma_mask", DFD_OPTION_HEX, 0xfffffff, 0xfff, UINT64_MAX,
			      "address bits that the DMA engine drives" },
	[OPTION_LATENCY] = { "latency", DFD_OPTION_NUMBER, 100000, 0, UINT64_C(60000000000),
			     "nanoseconds that a factorial or a DMA takes" },
	[OPTION_MSIX] = { "msix", DFD_OPTION_BOOL, .help = "one MSI-X vector, its table in BAR 2" },
};

static int edu_create(const union dfd_option_value *values, struct dfd_device **out,
		      struct dfd_error *err)
{
	static const struct dfd_pci_setup setup = { .msix_bar = MSIX_BAR, .msix_pba = MSIX_PBA };
	bool msix = values[OPTION_MSIX].number;
	struct edu *e = calloc(1, sizeof(*e));
	struct dfd_desc_builder *b = dfd_pci_builder(&(struct dfd_pci_identity){
		"edu", 0x1234, 0x11e8, 0x1af4, 0x1100, 0x00ff00, 0x10, 1, msix });
	int ret;

	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_BAR0, .size = 1 << 20 });
	if (msix)
		dfd_desc_add_region(
			b, &(struct dfd_region){ .index = MSIX_BAR, .size = MSIX_BAR_SIZE });
	ret = dfd_model_build(b, &edu_ops, e, &setup, out, err);
	if (ret) {
		free(e);
		return ret;
	}
	e->dma_mask = values[OPTION_DMA_MASK].number;
	e->latency_ns = values[OPTION_LATENCY].number;
	return 0;
}

const struct dfd_model_type dfd_model_edu = {
	.name = "edu",
	.help = "the educational PCI device of QEMU: factorials, a DMA engine, INTx and MSI",
	.options = edu_options,
	.num_options = NUM_OPTIONS,
	.create = edu_create,
};
