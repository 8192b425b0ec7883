/* SPDX-License-Identifier: MIT */
/*
 * Asks an edu for every form of interrupt and of DMA map, and prints what it answers: on the model
 * and behind the kernel the same.
 *
 * usage: vm-ask ADDRESS         all of that
 *        vm-ask ADDRESS IOVA    one DMA map of a page there, "any" lets the library choose; exit 1
 *                               if it is refused, with the reason
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/devfd.h>

#define RAISE	0x60
#define ACK	0x64
#define PAGE	4096u
#define LONG_MS 5000 /* until what should come has come */
#define WAIT_MS 100  /* until what should not come would have come */

static struct dfd_device *dev;
static int event, resample;

static void show(const char *what, const char *answer)
{
	printf("%-44s %s\n", what, answer);
}

static const char *result(int ret)
{
	return ret < 0 ? strerrorname_np(-ret) : "ok";
}

static void put(uint64_t reg, uint32_t value)
{
	if (dfd_region_write(dev, DFD_PCI_BAR0, reg, &value, 4) != 4)
		show("a register cannot be written", "");
}

/* ---- interrupts ---- */

static int set(uint32_t flags, uint32_t index, uint32_t count, int fd, uint8_t flag)
{
	const int32_t fds[] = { fd };
	const uint8_t bools[] = { flag };
	const struct dfd_irq_set s = {
		.flags = flags,
		.index = index,
		.count = count,
		.fds = fds,
		.bools = bools,
	};

	return dfd_set_irqs(dev, &s);
}

/* How often the eventfd was signalled; a model works only while it is served. */
static const char *came(bool expected)
{
	static char text[32];
	struct pollfd wait = { .fd = event, .events = POLLIN };
	uint64_t count;

	for (int ms = 0; ms < (expected ? LONG_MS : WAIT_MS); ms += 10) {
		dfd_device_service(dev);
		if (poll(&wait, 1, 10) == 1)
			break;
	}
	if (read(event, &count, sizeof(count)) != sizeof(count))
		return "nothing came";
	snprintf(text, sizeof(text), "came %" PRIu64 " x", count);
	return text;
}

static void enable(uint32_t index)
{
	show("enable with an eventfd",
	     result(set(DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER, index, 1, event, 0)));
}

static void disable(uint32_t index)
{
	show("disable", result(set(DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER, index, 0, -1, 0)));
	put(RAISE, 1);
	show("raised while disabled", came(false));
	put(ACK, 1);
}

static void loop_back(uint32_t index)
{
	int ret = set(DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER, index, 1, -1, 0);

	show("trigger by hand", result(ret));
	show("  then", came(true));
	ret = set(DFD_IRQ_DATA_BOOL | DFD_IRQ_ACTION_TRIGGER, index, 1, -1, 1);
	show("trigger by hand, bool 1", result(ret));
	show("  then", came(true));
	ret = set(DFD_IRQ_DATA_BOOL | DFD_IRQ_ACTION_TRIGGER, index, 1, -1, 0);
	show("trigger by hand, bool 0", result(ret));
	show("  then", came(false));
}

static int unmask(void)
{
	return set(DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_UNMASK, DFD_PCI_INTX, 1, -1, 0);
}

/* Level-triggered: masked when it comes, and comes again when unmasked while raised. */
static void ask_intx(void)
{
	const uint64_t one = 1;

	puts("INTx");
	enable(DFD_PCI_INTX);
	put(RAISE, 1);
	show("raised", came(true));
	show("still raised", came(false));
	show("unmask", result(unmask()));
	show("  then", came(true));
	put(ACK, 1);
	show("unmask after acknowledging", result(unmask()));
	show("  then", came(false));
	show("mask, bool 1",
	     result(set(DFD_IRQ_DATA_BOOL | DFD_IRQ_ACTION_MASK, DFD_PCI_INTX, 1, -1, 1)));
	put(RAISE, 1);
	show("raised while masked", came(false));
	show("unmask by eventfd: set it", result(set(DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_UNMASK,
						     DFD_PCI_INTX, 1, resample, 0)));
	if (write(resample, &one, sizeof(one)) != sizeof(one))
		show("the eventfd cannot be written", "");
	show("unmask by eventfd: signal it", came(true));
	put(ACK, 1);
	unmask();
	show("MSI beside it",
	     result(set(DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER, DFD_PCI_MSI, 1, event, 0)));
	loop_back(DFD_PCI_INTX);
	disable(DFD_PCI_INTX);
}

/* Nothing about masking: models can mask messages, the kernel answers ENOTTY. */
static void ask_msi(void)
{
	puts("MSI");
	enable(DFD_PCI_MSI);
	put(RAISE, 1);
	show("raised", came(true));
	put(ACK, 1);
	put(RAISE, 1);
	show("raised again", came(true));
	put(ACK, 1);
	loop_back(DFD_PCI_MSI);
	disable(DFD_PCI_MSI);
}

/* ---- DMA ---- */

static int map(uint64_t iova, uint64_t size, uint32_t prot, void *addr)
{
	struct dfd_dma_map m = { .iova = iova, .size = size, .prot = prot, .addr = addr };

	return dfd_dma_map(dev, &m);
}

static void unmap(const char *what, uint64_t iova, uint64_t size)
{
	uint64_t bytes = 0;
	int ret = dfd_dma_unmap(dev, iova, size, &bytes);
	char text[64];

	snprintf(text, sizeof(text), "%s, 0x%" PRIx64 " bytes", result(ret), bytes);
	show(what, text);
}

static void ask_dma(void *page)
{
	const uint32_t both = DFD_DMA_READ | DFD_DMA_WRITE;

	puts("DMA");
	show("map two pages at 0x100000", result(map(0x100000, UINT64_C(2) * PAGE, both, page)));
	show("map one of them again", result(map(0x101000, PAGE, both, page)));
	show("map nothing", result(map(0x200000, 0, both, page)));
	show("map without a direction", result(map(0x200000, PAGE, 0, page)));
	show("map at the end of all addresses",
	     result(map(UINT64_MAX - PAGE + 1, UINT64_C(2) * PAGE, both, page)));
	unmap("unmap one of two", 0x100000, PAGE);
	unmap("unmap what is not mapped", 0x300000, PAGE);
	unmap("unmap both", 0x100000, UINT64_C(2) * PAGE);
	unmap("unmap both again", 0x100000, UINT64_C(2) * PAGE);
}

static void log_line(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "vm-ask: %s\n", text);
}

static int map_one(const char *where, void *page)
{
	uint64_t iova = strcmp(where, "any") != 0 ? strtoull(where, NULL, 0) : DFD_IOVA_ANY;
	int ret;

	dfd_device_watch_log(dev, log_line, NULL);
	ret = map(iova, PAGE, DFD_DMA_READ, page);
	show("map", result(ret));
	return ret < 0;
}

/* Off whatever the last driver has left, which in the guest had it on. */
static void enable_bus_master(void)
{
	uint16_t command = 0;

	dfd_region_read(dev, DFD_PCI_CONFIG, 4, &command, 2);
	show("memory decode after opening", command & 2 ? "on" : "off");
	show("bus mastering after opening", command & 4 ? "on" : "off");
	command |= 4;
	dfd_region_write(dev, DFD_PCI_CONFIG, 4, &command, 2);
}

static int ask(void *page)
{
	enable_bus_master();
	ask_intx();
	ask_msi();
	ask_dma(page);
	return 0;
}

int main(int argc, char **argv)
{
	struct dfd_error err;
	void *page;
	int status;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: vm-ask ADDRESS [IOVA]\n");
		return 2;
	}
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	page = mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (event < 0 || resample < 0 || page == MAP_FAILED)
		return 2;
	if (dfd_open(argv[1], &dev, &err)) {
		fprintf(stderr, "vm-ask: %s\n", err.text);
		return 2;
	}
	status = argc == 3 ? map_one(argv[2], page) : ask(page);
	dfd_device_close(dev);
	return status;
}
