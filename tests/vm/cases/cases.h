/* SPDX-License-Identifier: MIT */
/*
 * The cases of the matrix: each asks one thing of the device under test and answers in a word.
 */
#ifndef TESTS_VM_MATRIX_CASES_H
#define TESTS_VM_MATRIX_CASES_H

#include <stddef.h>

#include <devfd/devfd.h>

#define PAGE	4096u
#define WAIT_MS 2000
#define SOON_MS 50
#define NONE	"none" /* there is nothing to try it on */

/** struct test - a case; a list of them ends with one that has no name */
struct test {
	const char *name;
	const char *expected;
	const char *(*run)(void);
};

extern const struct test open_tests[], region_tests[], irq_tests[], dma_tests[], huge_tests[],
	limit_tests[], reset_tests[], feature_tests[], migration_tests[];

/* The device under test; NULL where it could not be opened again. */
extern struct dfd_device *dev;
extern const char *address;

/** result() - Return: "ok", a positive number or the name of an errno */
const char *result(int64_t ret);

/** reopen() - Return: what opening it again has given; its maps and interrupts are gone */
int reopen(void);

bool is_pci(void);

/* ---- configuration space ---- */

/** command_register() - Return: the command register of a PCI function, or -1 */
int command_register(void);

/** set_master() - bus mastering on or off */
void set_master(bool on);

/* ---- interrupts, in irqs.c ---- */

#define ROUTE	 (DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER)
#define LOOPBACK (DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER)

/** set_irq() - dfd_set_irqs() from vector 0 on, with one eventfd; @count 0 switches it off */
int set_irq(uint32_t flags, uint32_t index, uint32_t count, int fd);

/** came() - Return: was the eventfd signalled within @ms? It is not afterwards */
bool came(int fd, int ms);

/** new_eventfd() - Return: one that does not block */
int new_eventfd(void);

/* ---- DMA, in dma.c ---- */

#define IOVA  UINT64_C(0x100000)
#define PAGES 4u

/* Memory for DMA, by its address and as a file. */
extern uint8_t *memory;

/** make_memory() - once, before the first case. Return: is there any? */
bool make_memory(void);

bool has_dma(void);

/** map_memory() - map by address. Return: as dfd_dma_map() */
int map_memory(uint64_t iova, uint64_t size, uint32_t prot, const void *addr);

/** map_file() - map from the start of the file that @memory is */
int map_file(uint64_t iova, uint64_t size);

/** unmap() - Return: how many bytes, or a negative errno */
int64_t unmap(uint64_t iova, uint64_t size);

void unmap_all(void);

/* ---- limits, in limits.c ---- */

/** limits() - what the IOMMU can map. Return: false where there is no IOMMU that says so */
bool limits(struct dfd_dma_limits *l);

/** with_little_memlock() - Return: what @run returns where this process may lock next to nothing */
const char *with_little_memlock(const char *(*run)(void));

#endif
