/* SPDX-License-Identifier: MIT */
/*
 * The description of a device: its layout, never its contents.
 *
 * A description is built once and never changes after that. It is reference counted and may be
 * shared between threads without a lock. The table, both generations of ioctls, text and JSON
 * are views of it.
 */
#ifndef DEVFD_DESC_H
#define DEVFD_DESC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <devfd/error.h>
#include <devfd/facts.h>

#ifdef __cplusplus
extern "C" {
#endif

/** enum dfd_bus - the bus a device sits on; decides how its regions and interrupts are numbered */
enum dfd_bus {
	DFD_BUS_OTHER,
	DFD_BUS_PCI, /* regions 0-5 BARs, 6 ROM, 7 configuration space, 8 VGA; linux/vfio.h */
	DFD_BUS_DT,  /* regions and interrupts in the order of the node's properties */
};

/* Flags of a device: the bits of VFIO_DEVICE_GET_FLAGS (2011). */
#define DFD_DEVICE_PCI	 UINT32_C(1) /* follows from DFD_BUS_PCI */
#define DFD_DEVICE_DT	 UINT32_C(2) /* follows from DFD_BUS_DT */
#define DFD_DEVICE_RESET UINT32_C(4) /* the device can be reset */

/* Flags of a region: the bits of VFIO_DEVICE_GET_REGION_FLAGS (2011). */
#define DFD_REGION_MAPPABLE  UINT32_C(1)
#define DFD_REGION_READ_ONLY UINT32_C(2)
#define DFD_REGION_IOPORT    UINT32_C(4)

/* Flags of an interrupt. */
#define DFD_IRQ_LEVEL	 UINT32_C(1) /* level triggered: masked on delivery until unmasked */
#define DFD_IRQ_MASKABLE UINT32_C(2)

/* Region and interrupt indexes of a PCI function; as in linux/vfio.h. */
enum dfd_pci_region {
	DFD_PCI_BAR0 = 0,
	DFD_PCI_ROM = 6,
	DFD_PCI_CONFIG = 7,
	DFD_PCI_VGA = 8,
	DFD_PCI_NUM_REGIONS = 9, /* device-specific regions follow */
};
enum dfd_pci_irq {
	DFD_PCI_INTX,
	DFD_PCI_MSI,
	DFD_PCI_MSIX,
	DFD_PCI_ERR,
	DFD_PCI_REQ,
	DFD_PCI_NUM_IRQS,
};

/** enum dfd_dt_prop - the device-tree property that a region or interrupt comes from */
enum dfd_dt_prop {
	DFD_DT_REG = 1,
	DFD_DT_RANGES = 2,
	DFD_DT_INTERRUPTS = 3,
	DFD_DT_INTERRUPT_MAP = 4,
};

/* Limits that keep every description bounded, wherever it came from. */
#define DFD_MAX_REGION_INDEX 1023u
#define DFD_MAX_IRQ_INDEX    1023u
#define DFD_MAX_IRQ_COUNT    2048u /* vectors of one index; what MSI-X can have */
#define DFD_MAX_AREAS	     64u
#define DFD_MAX_CAPS	     64u
#define DFD_MAX_CAP_SIZE     4096u
#define DFD_MAX_STRING	     1023u	  /* bytes of a path or name, without the NUL */
#define DFD_MAX_DETAILS	     (768u << 10) /* bytes of all paths, areas and capabilities together */
/* A region's window in the file: region i starts at (i + 1) << 40 unless its table says otherwise.
 */
#define DFD_REGION_SHIFT 40

/**
 * struct dfd_dt_ref - the place in the device tree
 * @path: full path of the node, or NULL where there is none
 * @prop_type: enum dfd_dt_prop, 0 where there is no node
 * @prop_index: which entry of that property, counted in entries and not in bytes
 */
struct dfd_dt_ref {
	const char *path;
	uint32_t prop_type;
	uint32_t prop_index;
};

/** struct dfd_area - a part of a region, in bytes from the region's start */
struct dfd_area {
	uint64_t offset;
	uint64_t size;
};

/**
 * struct dfd_cap - a VFIO capability that the description passes through
 * @id: number, private to the call it hangs on (device info or region info; linux/vfio.h)
 * @version: version of the body
 * @size: bytes of @data, at most DFD_MAX_CAP_SIZE; a builder rounds it up to a multiple of 8 and
 *        pads with zeros, because a capability chain tells where the next one starts but no length
 * @data: the body, without struct vfio_info_cap_header
 */
struct dfd_cap {
	uint16_t id;
	uint16_t version;
	uint32_t size;
	const void *data;
};

/**
 * struct dfd_region - an addressable region
 * @index: its number, at most DFD_MAX_REGION_INDEX
 * @flags: DFD_REGION_*
 * @offset: where it starts in the device's file; 0 given to a builder: (@index + 1) << 40
 * @size: in bytes, never 0 (an absent region has no entry)
 * @has_phys: @phys_addr is known
 * @phys_addr: physical address of the first byte, as the CPU sees it
 * @dt: place in the device tree
 * @areas: where the region can be mapped; with DFD_REGION_MAPPABLE and no areas: everywhere
 * @num_areas: entries of @areas, in ascending order and without overlap
 * @caps: further capabilities of VFIO_DEVICE_GET_REGION_INFO; never SPARSE_MMAP (that is @areas)
 * @num_caps: entries of @caps
 */
struct dfd_region {
	uint32_t index;
	uint32_t flags;
	uint64_t offset;
	uint64_t size;
	bool has_phys;
	uint64_t phys_addr;
	struct dfd_dt_ref dt;
	const struct dfd_area *areas;
	uint32_t num_areas;
	const struct dfd_cap *caps;
	uint32_t num_caps;
};

/**
 * struct dfd_irq - a wired interrupt
 * @index: the number that SET_IRQ_EVENTFD takes; PCI has one: 0, INTx
 * @count: interrupts under that index, never 0
 * @flags: DFD_IRQ_*
 * @dt: place in the device tree
 *
 * MSI, MSI-X, ERR and REQ are facts (DFD_FACT_MSI_VECTORS, ...), as in 2011.
 */
struct dfd_irq {
	uint32_t index;
	uint32_t count;
	uint32_t flags;
	struct dfd_dt_ref dt;
};

struct dfd_desc;
struct dfd_desc_builder;

/* ---- building ---- */

/**
 * dfd_desc_builder_new() - start a description
 * @bus: the bus; sets DFD_DEVICE_PCI or DFD_DEVICE_DT
 *
 * A builder remembers the first failure and dfd_desc_build() reports it, so that the calls in
 * between need no checks. Not thread-safe.
 *
 * Return: a builder, or NULL when memory is short (every call below accepts NULL).
 */
struct dfd_desc_builder *dfd_desc_builder_new(enum dfd_bus bus);

/** dfd_desc_add_flags() - set flags of the device; only DFD_DEVICE_RESET can be set here */
void dfd_desc_add_flags(struct dfd_desc_builder *b, uint32_t flags);

/** dfd_desc_set_num() - set an optional fact that is a number; a later call replaces it */
void dfd_desc_set_num(struct dfd_desc_builder *b, enum dfd_fact fact, uint64_t value);

/** dfd_desc_set_str() - set an optional fact that is a string; copied */
void dfd_desc_set_str(struct dfd_desc_builder *b, enum dfd_fact fact, const char *value);

/** dfd_desc_add_region() - add a region; everything it points to is copied */
void dfd_desc_add_region(struct dfd_desc_builder *b, const struct dfd_region *region);

/** dfd_desc_add_irq() - add a wired interrupt; copied */
void dfd_desc_add_irq(struct dfd_desc_builder *b, const struct dfd_irq *irq);

/** dfd_desc_add_cap() - add a capability of VFIO_DEVICE_GET_INFO; copied */
void dfd_desc_add_cap(struct dfd_desc_builder *b, const struct dfd_cap *cap);

/**
 * dfd_desc_build() - check what was added and make the description
 * @b: the builder; freed in every case
 * @out: receives the description with one reference, owned by the caller
 * @err: optional; names the offending part
 *
 * Regions and interrupts may have been added in any order.
 *
 * Return: 0; -ENOMEM; -EINVAL for a value that no device can have (duplicate or too large index,
 * a region of size 0 or larger than its window, overlapping windows, an area outside its region,
 * unknown flag bits, a wired interrupt above 0 on PCI, a string that is too long, ...).
 */
int dfd_desc_build(struct dfd_desc_builder *b, const struct dfd_desc **out, struct dfd_error *err);

/** dfd_desc_builder_free() - give a builder up without building; NULL is fine */
void dfd_desc_builder_free(struct dfd_desc_builder *b);

/** dfd_desc_ref() - take a further reference. Return: @desc */
const struct dfd_desc *dfd_desc_ref(const struct dfd_desc *desc);

/** dfd_desc_unref() - drop a reference; the last one frees; NULL is fine */
void dfd_desc_unref(const struct dfd_desc *desc);

/* ---- looking up; all are thread-safe, allocate nothing and return memory of the description ----
 */

/** dfd_desc_bus() - Return: the bus */
enum dfd_bus dfd_desc_bus(const struct dfd_desc *desc);

/** dfd_desc_flags() - Return: DFD_DEVICE_* */
uint32_t dfd_desc_flags(const struct dfd_desc *desc);

/** dfd_desc_num() - Return: true and the value in @value (optional) when the fact is known */
bool dfd_desc_num(const struct dfd_desc *desc, enum dfd_fact fact, uint64_t *value);

/** dfd_desc_str() - Return: the string, or NULL when it is not known */
const char *dfd_desc_str(const struct dfd_desc *desc, enum dfd_fact fact);

/** dfd_desc_regions() - Return: all regions by ascending index; @count (required) receives how many
 */
const struct dfd_region *dfd_desc_regions(const struct dfd_desc *desc, uint32_t *count);

/** dfd_desc_region() - Return: the region of that index, or NULL where there is none */
const struct dfd_region *dfd_desc_region(const struct dfd_desc *desc, uint32_t index);

/** dfd_desc_irqs() - Return: all wired interrupts by ascending index; @count receives how many */
const struct dfd_irq *dfd_desc_irqs(const struct dfd_desc *desc, uint32_t *count);

/** dfd_desc_irq() - Return: the wired interrupt of that index, or NULL */
const struct dfd_irq *dfd_desc_irq(const struct dfd_desc *desc, uint32_t index);

/** dfd_desc_caps() - Return: capabilities of the device; @count receives how many */
const struct dfd_cap *dfd_desc_caps(const struct dfd_desc *desc, uint32_t *count);

/**
 * dfd_desc_vectors() - how many vectors a VFIO interrupt index has
 * @index: PCI: enum dfd_pci_irq; otherwise the index of a wired interrupt
 *
 * Return: the number, 0 where the index is not implemented.
 */
uint32_t dfd_desc_vectors(const struct dfd_desc *desc, uint32_t index);

/** dfd_desc_region_limit() - Return: one more than the highest region index; PCI: at least 9 */
uint32_t dfd_desc_region_limit(const struct dfd_desc *desc);

/** dfd_desc_irq_limit() - Return: one more than the highest interrupt index; PCI: 5 */
uint32_t dfd_desc_irq_limit(const struct dfd_desc *desc);

/* ---- walking and comparing ---- */

/** enum dfd_topic - what a statement is about; decides which view can tell it */
enum dfd_topic {
	DFD_TOPIC_LAYOUT, /* flags, number, size, offset and flags of the regions; wired interrupts
			   */
	DFD_TOPIC_EXTRA_REGION, /* a PCI region above 7 */
	DFD_TOPIC_IOPORT,	/* whether a region is I/O ports */
	DFD_TOPIC_IRQ_TRIGGER,	/* level or edge, maskable, how many under an index */
	DFD_TOPIC_DEVICE_TREE,	/* path, property, index */
	DFD_TOPIC_PHYS_ADDR,	/* physical address of a region */
	DFD_TOPIC_AREAS,	/* which parts can be mapped */
	DFD_TOPIC_CAPS,		/* VFIO capabilities */
	DFD_TOPIC_MESSAGE_IRQ,	/* MSI and MSI-X vectors */
	DFD_TOPIC_NOTIFY_IRQ,	/* ERR and REQ */
	DFD_TOPIC_IDENTITY,	/* facts that PCI configuration space holds */
	DFD_TOPIC_NUMBER,	/* other facts that are numbers */
	DFD_TOPIC_STRING,	/* facts that no ioctl can answer: strings, wide numbers */
	DFD_NUM_TOPICS
};

/** dfd_topic_name() - Return: a few words for people, such as "physical addresses" */
const char *dfd_topic_name(enum dfd_topic topic);

/**
 * struct dfd_statement - one fact of a description, spelled out
 * @topic: what it is about
 * @key: stable name, such as "region 0 size"
 * @value: value as text, such as "0x100000"
 * @needs: bit t: only a view that can tell about enum dfd_topic t can make the statement; the bit
 *         of @topic, and of DFD_TOPIC_EXTRA_REGION for anything about such a region
 */
struct dfd_statement {
	enum dfd_topic topic;
	const char *key;
	const char *value;
	uint32_t needs;
};

/**
 * dfd_desc_walk() - call @fn for every fact of a description, in a fixed order
 * @fn: gets @ctx and the statement, whose strings live only during the call; a non-zero return
 *      stops the walk
 *
 * Return: 0, or what @fn returned.
 */
int dfd_desc_walk(const struct dfd_desc *desc,
		  int (*fn)(void *ctx, const struct dfd_statement *statement), void *ctx);

/**
 * dfd_desc_equal() - compare two descriptions fact by fact
 * @why: optional; the first difference in words, code -EBADMSG
 *
 * Return: true when every fact is the same.
 */
bool dfd_desc_equal(const struct dfd_desc *a, const struct dfd_desc *b, struct dfd_error *why);

#ifdef __cplusplus
}
#endif
#endif
