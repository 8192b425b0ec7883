/* SPDX-License-Identifier: MIT */
/*
 * A driver for the educational PCI device, wherever it is.
 *
 * usage: edu ADDRESS N [SEED], such as edu model:edu 10
 *
 * Computes N! twice, by polling and by interrupt, and moves 4 KiB through the DMA engine and back;
 * SEED chooses which bytes.
 * Nothing here depends on the kind of address.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/devfd.h>

enum {
	ID = 0x00,
	LIVENESS = 0x04,
	FACTORIAL = 0x08,
	STATUS = 0x20,
	IRQ_STATUS = 0x24,
	IRQ_ACK = 0x64,
	DMA_SRC = 0x80,
	DMA_DST = 0x88,
	DMA_COUNT = 0x90,
	DMA_COMMAND = 0x98,
};

#define STATUS_BUSY   0x01u
#define STATUS_IRQ    0x80u
#define DMA_START     1u
#define DMA_TO_MEMORY 2u
#define DMA_IRQ	      4u
#define DMA_BUFFER    0x40000u
#define DMA_SIZE      4096u
#define DMA_PIECE     2048u /* QEMU 7.2 takes no transfer that ends where the buffer does */
#define DMA_MASK      0xfffffffu
#define GONE	      UINT32_MAX /* what a register reads when no device answers */

/* Why the device does not do what was asked of it. */
static void log_line(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "edu: %s\n", text);
}

static void fail(const char *what)
{
	fprintf(stderr, "edu: %s\n", what);
	exit(1);
}

static uint32_t get(struct dfd_device *dev, uint64_t reg)
{
	uint32_t value;

	if (dfd_region_read(dev, DFD_PCI_BAR0, reg, &value, 4) != 4)
		fail("a register cannot be read");
	return le32toh(value);
}

static void put(struct dfd_device *dev, uint64_t reg, uint32_t value)
{
	value = htole32(value);
	if (dfd_region_write(dev, DFD_PCI_BAR0, reg, &value, 4) != 4)
		fail("a register cannot be written");
}

static void put64(struct dfd_device *dev, uint64_t reg, uint64_t value)
{
	value = htole64(value);
	if (dfd_region_write(dev, DFD_PCI_BAR0, reg, &value, 8) != 8)
		fail("a register cannot be written");
}

/* Memory decode is on when a device is opened, bus mastering is not. */
static void enable_bus_master(struct dfd_device *dev)
{
	uint16_t command;

	if (dfd_region_read(dev, DFD_PCI_CONFIG, 4, &command, 2) != 2)
		fail("configuration space cannot be read");
	command = htole16(le16toh(command) | 4);
	if (dfd_region_write(dev, DFD_PCI_CONFIG, 4, &command, 2) != 2)
		fail("configuration space cannot be written");
}

/* The best kind of interrupt that the device has. */
static uint32_t enable_irq(struct dfd_device *dev, const char **name)
{
	static const struct {
		uint32_t index;
		const char *name;
	} kinds[] = { { DFD_PCI_MSIX, "MSI-X" }, { DFD_PCI_MSI, "MSI" }, { DFD_PCI_INTX, "INTx" } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!dfd_desc_vectors(dfd_device_desc(dev), kinds[i].index))
			continue;
		*name = kinds[i].name;
		if (dfd_irq_enable(dev, kinds[i].index, 1))
			fail("the interrupt cannot be enabled");
		return kinds[i].index;
	}
	fail("the device has no interrupt");
	return 0;
}

static void wait_for(struct dfd_device *dev, uint32_t irq, uint32_t cause)
{
	if (dfd_wait_irq(dev, irq, 0, 5000) <= 0)
		fail("no interrupt came");
	if (get(dev, IRQ_STATUS) != cause)
		fail("an interrupt with a wrong cause came");
	put(dev, IRQ_ACK, cause);
	if (irq == DFD_PCI_INTX)
		dfd_irq_unmask(dev, irq);
}

static uint32_t factorial_by_polling(struct dfd_device *dev, uint32_t n)
{
	uint32_t status;

	put(dev, FACTORIAL, n);
	do {
		status = get(dev, STATUS);
		if (status == GONE)
			fail("the device is gone");
	} while (status & STATUS_BUSY);
	return get(dev, FACTORIAL);
}

static uint32_t factorial_by_irq(struct dfd_device *dev, uint32_t irq, uint32_t n)
{
	put(dev, STATUS, STATUS_IRQ);
	put(dev, FACTORIAL, n);
	wait_for(dev, irq, 1);
	put(dev, STATUS, 0);
	return get(dev, FACTORIAL);
}

static void dma_piece(struct dfd_device *dev, uint32_t irq, uint64_t src, uint64_t dst,
		      uint32_t command)
{
	put64(dev, DMA_SRC, src);
	put64(dev, DMA_DST, dst);
	put64(dev, DMA_COUNT, DMA_PIECE);
	put(dev, DMA_COMMAND, DMA_START | DMA_IRQ | command);
	wait_for(dev, irq, 0x100);
}

static void fill(unsigned char *bytes, uint32_t seed)
{
	for (unsigned int i = 0; i < DMA_SIZE; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (unsigned char)(seed >> 24);
	}
}

/* FNV-1a. */
static uint32_t hash(const unsigned char *bytes)
{
	uint32_t h = 0x811c9dc5;

	for (unsigned int i = 0; i < DMA_SIZE; i++)
		h = (h ^ bytes[i]) * 0x01000193;
	return h;
}

/* From the first half of a buffer into the device, and back into the second half. */
static void dma_there_and_back(struct dfd_device *dev, uint32_t irq, uint32_t seed)
{
	struct dfd_dma_buf buf;
	unsigned char *bytes;

	if (dfd_dma_alloc(dev, UINT64_C(2) * DMA_SIZE, DMA_MASK, &buf))
		fail("there is no memory that the device can reach");
	bytes = buf.addr;
	fill(bytes, seed);
	for (uint64_t at = buf.iova; at < buf.iova + DMA_SIZE; at += DMA_PIECE) {
		dma_piece(dev, irq, at, DMA_BUFFER, 0);
		dma_piece(dev, irq, DMA_BUFFER, at + DMA_SIZE, DMA_TO_MEMORY);
	}
	if (memcmp(bytes, bytes + DMA_SIZE, DMA_SIZE) != 0)
		fail("DMA brought back other bytes");
	printf("DMA: %u bytes to the device and back, the same, hash 0x%08" PRIx32 "\n", DMA_SIZE,
	       hash(bytes + DMA_SIZE));
	dfd_dma_free(dev, &buf);
}

static void drive(struct dfd_device *dev, uint32_t n, uint32_t seed)
{
	uint32_t id = get(dev, ID), irq;
	const char *irq_name;

	if ((id & 0xff) != 0xed)
		fail("this is not the educational device");
	printf("identification 0x%08" PRIx32 ", version %" PRIu32 ".%" PRIu32 "\n", id, id >> 24,
	       id >> 16 & 0xff);
	put(dev, LIVENESS, 0x12345678);
	printf("liveness 0x12345678 -> 0x%08" PRIx32 "\n", get(dev, LIVENESS));
	printf("%" PRIu32 "! by polling: %" PRIu32 "\n", n, factorial_by_polling(dev, n));
	enable_bus_master(dev); /* DMA needs it, and messages are DMA as well */
	irq = enable_irq(dev, &irq_name);
	printf("%" PRIu32 "! by %s: %" PRIu32 "\n", n, irq_name, factorial_by_irq(dev, irq, n));
	dma_there_and_back(dev, irq, seed);
}

static uint32_t number(const char *text)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || value > UINT32_MAX) {
		fprintf(stderr, "edu: %s is no number of 32 bits\n", text);
		exit(2);
	}
	return (uint32_t)value;
}

int main(int argc, char **argv)
{
	struct dfd_device *dev;
	uint32_t n, seed;
	struct dfd_error err;

	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: edu ADDRESS N [SEED]\n");
		return 2;
	}
	n = number(argv[2]);
	seed = argc == 4 ? number(argv[3]) : 1;
	if (dfd_open(argv[1], &dev, &err))
		fail(err.text);
	dfd_device_watch_log(dev, log_line, NULL);
	drive(dev, n, seed);
	dfd_device_close(dev);
	if (fflush(stdout))
		fail("standard output cannot be written");
	return 0;
}
