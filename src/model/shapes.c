/* SPDX-License-Identifier: MIT */
/*
 * model:shapes, a PCI function with everything awkward that a device can have.
 *
 *  BAR 0     64 KiB, 64 bit, prefetchable: a page of registers, then memory of which two areas can
 *            be mapped; the MSI-X table and pending bits lie between them
 *  BAR 1     upper half of BAR 0: no region
 *  BAR 2     32 I/O ports
 *  BAR 3-5   unused
 *  ROM       2 KiB, less than a page, read-only
 *  region 8  (VGA) absent
 *  region 9  device-specific: 100 bytes, which is no multiple of anything, described by a
 * capability no INTx; MSI with 4 vectors, MSI-X with 5, ERR and REQ
 *
 * The registers: 0x00 identification; 0x04 written: send that vector of whichever of MSI-X and MSI
 * is on; 0x08 scratch. 4-byte accesses only.
 *
 * The memory of BAR 0 is a memfd, sealed against shrinking, so that a reader by pointer cannot be
 * killed by truncation. The device uses the same memory: what a driver stores through its map is
 * what region_read sees. A reset clears memory, ports and scratch; maps stay.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/model.h"

#define BAR_SIZE      0x10000u
#define REGISTERS_END 0x1000u
#define MSIX_TABLE    0x8000u
#define MSIX_PBA      0x8800u
#define PORTS_BAR     2
#define NUM_PORTS     32u
#define ROM_SIZE      2048u
#define EXTRA_REGION  DFD_PCI_NUM_REGIONS
#define EXTRA_SIZE    100u

#define REG_ID	    0x0
#define REG_MESSAGE 0x4
#define REG_SCRATCH 0x8
#define SHAPES_ID   0x53484150u

/* Of VFIO_DEVICE_GET_REGION_INFO; linux/vfio.h. */
#define CAP_TYPE	   2
#define TYPE_OF_PCI_VENDOR UINT32_C(0x80000000)

struct shapes {
	int fd;
	unsigned char *memory; /* BAR 0, from the memfd */
	uint32_t scratch;
	unsigned char ports[NUM_PORTS];
	unsigned char rom[ROM_SIZE];
	unsigned char extra[EXTRA_SIZE];
};

static uint64_t read_register(const struct shapes *s, uint64_t offset)
{
	switch (offset) {
	case REG_ID:
		return SHAPES_ID;
	case REG_SCRATCH:
		return s->scratch;
	default:
		return 0;
	}
}

static void write_register(struct dfd_device *dev, uint64_t offset, uint32_t value)
{
	struct shapes *s = dfd_device_priv(dev);
	struct dfd_host *host = dfd_device_host(dev);
	uint32_t index = dfd_irq_enabled(host, DFD_PCI_MSIX) ? DFD_PCI_MSIX : DFD_PCI_MSI;

	if (offset == REG_MESSAGE)
		dfd_irq_message(host, index, value);
	else if (offset == REG_SCRATCH)
		s->scratch = value;
}

/* Every region but the registers is memory of one kind or another. */
static unsigned char *memory_of(struct shapes *s, uint32_t index)
{
	switch (index) {
	case DFD_PCI_BAR0:
		return s->memory;
	case PORTS_BAR:
		return s->ports;
	case DFD_PCI_ROM:
		return s->rom;
	default:
		return s->extra;
	}
}

static bool is_register(uint32_t index, uint64_t offset)
{
	return index == DFD_PCI_BAR0 && offset < REGISTERS_END;
}

static ssize_t shapes_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			   size_t len)
{
	struct shapes *s = dfd_device_priv(dev);

	if (!is_register(index, offset))
		memcpy(buf, memory_of(s, index) + offset, len);
	else if (len != 4 || offset % 4)
		return -EIO;
	else
		dfd_reg_store(buf, len, read_register(s, offset));
	return (ssize_t)len;
}

static ssize_t shapes_write(struct dfd_device *dev, uint32_t index, uint64_t offset,
			    const void *buf, size_t len)
{
	struct shapes *s = dfd_device_priv(dev);

	if (!is_register(index, offset))
		memcpy(memory_of(s, index) + offset, buf, len);
	else if (len != 4 || offset % 4)
		return -EIO;
	else
		write_register(dev, offset, (uint32_t)dfd_reg_load(buf, len));
	return (ssize_t)len;
}

static int shapes_map(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset)
{
	const struct shapes *s = dfd_device_priv(dev);

	(void)index; /* only BAR 0 is mappable */
	*fd = s->fd;
	*offset = 0;
	return 0;
}

static int shapes_reset(struct dfd_device *dev)
{
	struct shapes *s = dfd_device_priv(dev);

	memset(s->memory, 0, BAR_SIZE);
	memset(s->ports, 0, sizeof(s->ports));
	memset(s->extra, 0, sizeof(s->extra));
	s->scratch = 0;
	return 0;
}

static void shapes_free(struct shapes *s)
{
	if (s->memory)
		munmap(s->memory, BAR_SIZE);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static void shapes_close(struct dfd_device *dev)
{
	shapes_free(dfd_device_priv(dev));
}

static const struct dfd_device_ops shapes_ops = {
	.size = sizeof(shapes_ops),
	.name = "shapes",
	.region_read = shapes_read,
	.region_write = shapes_write,
	.region_map = shapes_map,
	.reset = shapes_reset,
	.close = shapes_close,
};

/* ---- making one ---- */

static void add_bar0(struct dfd_desc_builder *b)
{
	static const struct dfd_area areas[] = { { 0x1000, 0x3000 }, { 0xa000, 0x6000 } };

	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_BAR0,
						     .flags = DFD_REGION_MAPPABLE,
						     .size = BAR_SIZE,
						     .areas = areas,
						     .num_areas = 2 });
}

static void add_extra(struct dfd_desc_builder *b)
{
	const uint32_t type[2] = { TYPE_OF_PCI_VENDOR | 0x1234, 1 };
	const struct dfd_cap caps[] = {
		{ .id = CAP_TYPE, .version = 1, .size = sizeof(type), .data = type },
	};

	dfd_desc_add_region(b, &(struct dfd_region){ .index = EXTRA_REGION,
						     .size = EXTRA_SIZE,
						     .caps = caps,
						     .num_caps = 1 });
}

static int describe(const struct dfd_desc **desc, struct dfd_error *err)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);

	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	dfd_desc_set_num(b, DFD_FACT_VENDOR_ID, 0x1234);
	dfd_desc_set_num(b, DFD_FACT_DEVICE_ID, 0x5a9e);
	dfd_desc_set_num(b, DFD_FACT_SUBSYSTEM_VENDOR_ID, 0x1234);
	dfd_desc_set_num(b, DFD_FACT_SUBSYSTEM_ID, 0x0001);
	dfd_desc_set_num(b, DFD_FACT_CLASS_CODE, 0xff0000);
	dfd_desc_set_num(b, DFD_FACT_REVISION_ID, 0);
	dfd_desc_set_num(b, DFD_FACT_MSI_VECTORS, 4);
	dfd_desc_set_num(b, DFD_FACT_MSIX_VECTORS, 5);
	dfd_desc_set_num(b, DFD_FACT_ERR_VECTORS, 1);
	dfd_desc_set_num(b, DFD_FACT_REQ_VECTORS, 1);
	dfd_desc_set_num(b, DFD_FACT_NUMA_NODE, 0);
	dfd_desc_set_str(b, DFD_FACT_NAME, "shapes");
	add_bar0(b);
	dfd_desc_add_region(b, &(struct dfd_region){ .index = PORTS_BAR,
						     .flags = DFD_REGION_IOPORT,
						     .size = NUM_PORTS });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_ROM,
						     .flags = DFD_REGION_READ_ONLY,
						     .size = ROM_SIZE });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_CONFIG, .size = 4096 });
	add_extra(b);
	return dfd_desc_build(b, desc, err);
}

/* An expansion ROM of one image without code: header, pointer, data structure, text. */
static void fill_rom(unsigned char rom[ROM_SIZE])
{
	static const unsigned char header[] = { 0x55, 0xaa, ROM_SIZE / 512 };
	static const unsigned char pcir[] = {
		'P', 'C', 'I',	'R', 0x34,	     0x12, 0x9e, 0x5a, 0, 0,	24, 0,
		0,   0,	  0xff, 0,   ROM_SIZE / 512, 0,	   0,	 0,    0, 0x80, 0,  0,
	};
	static const char text[] = "shapes: nothing to boot here";

	memcpy(rom, header, sizeof(header));
	rom[0x18] = 0x1c; /* where the data structure is */
	memcpy(rom + 0x1c, pcir, sizeof(pcir));
	memcpy(rom + 0x40, text, sizeof(text));
}

static int make_memory(struct shapes *s)
{
	void *map;

	s->fd = memfd_create("shapes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->fd < 0 || ftruncate(s->fd, BAR_SIZE) ||
	    fcntl(s->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	map = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	s->memory = map;
	return 0;
}

static int make_device(struct shapes *s, struct dfd_device **out, struct dfd_error *err)
{
	const struct dfd_pci_setup setup = {
		.bars_64bit = 1 << DFD_PCI_BAR0,
		.prefetchable = 1 << DFD_PCI_BAR0,
		.msix_bar = DFD_PCI_BAR0,
		.msix_table = MSIX_TABLE,
		.msix_pba = MSIX_PBA,
	};
	const struct dfd_desc *desc;
	int ret = describe(&desc, err);

	if (!ret) {
		ret = dfd_model_new(desc, &shapes_ops, s, &setup, out, err);
		dfd_desc_unref(desc);
	}
	return ret;
}

static int shapes_create(const union dfd_option_value *values, struct dfd_device **out,
			 struct dfd_error *err)
{
	struct shapes *s = calloc(1, sizeof(*s));
	int ret;

	(void)values;
	if (!s)
		return dfd_error_set(err, -ENOMEM, "out of memory");
	fill_rom(s->rom);
	ret = make_memory(s);
	if (ret)
		dfd_error_set(err, ret, "model shapes: its memory: %s", strerror(-ret));
	else
		ret = make_device(s, out, err);
	if (ret)
		shapes_free(s);
	return ret;
}

const struct dfd_model_type dfd_model_shapes = {
	.name = "shapes",
	.help = "a PCI function with everything awkward: I/O ports, 64-bit BAR, ROM, MSI-X, areas",
	.create = shapes_create,
};
