/* SPDX-License-Identifier: MIT */
/* The contracts of the waist, on a small model made for the purpose. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/ioctl.h>
#include <devfd/provider.h>

#include "device/device.h"
#include "device/process.h"

/*
 * BAR0: 16 words of RAM; a write to word 0 raises or drops INTx, word 1 sends an MSI-X vector, word
 * 2 arms timer 0 in ns, word 3 defers. BAR2: MSI-X. Region 9 has no contents.
 */
struct probe {
	uint32_t ram[16];
	atomic_uint timers;
	unsigned int deferred, dones, resets;
	int last_status;
	bool in_call;
	bool done_in_call;
	uint8_t buf[64];
	bool raises; /* INTx, from timer 0 */
	int inheritable;
};

/* Return: how many fds a program would get that is executed now */
static int inheritable(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) == 0;
	return count;
}

static ssize_t probe_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			  size_t len)
{
	struct probe *p = dfd_device_priv(dev);

	if (index != 0 || len != 4)
		return -EIO;
	memcpy(buf, &p->ram[offset / 4], 4);
	return 4;
}

static ssize_t probe_write(struct dfd_device *dev, uint32_t index, uint64_t offset, const void *buf,
			   size_t len)
{
	struct probe *p = dfd_device_priv(dev);
	struct dfd_host *host = dfd_device_host(dev);
	uint32_t value;

	if (index != 0 || len != 4)
		return -EIO;
	memcpy(&value, buf, 4);
	p->ram[offset / 4] = value;
	p->in_call = true;
	if (offset == 0)
		dfd_irq_level(host, 0, value);
	if (offset == 4)
		dfd_irq_message(host, DFD_PCI_MSIX, value);
	if (offset == 8)
		dfd_timer(host, 0, value);
	if (offset == 12)
		dfd_timer(host, 1, 0);
	p->in_call = false;
	return 4;
}

static void probe_timer(struct dfd_device *dev, unsigned int id)
{
	struct probe *p = dfd_device_priv(dev);

	if (id == 0)
		p->timers++;
	else
		p->deferred++;
	if (!p->raises)
		return;
	p->inheritable = inheritable();
	dfd_irq_level(dfd_device_host(dev), 0, true);
}

static int probe_reset(struct dfd_device *dev)
{
	((struct probe *)dfd_device_priv(dev))->resets++;
	return 0;
}

static const struct dfd_device_ops probe_ops = {
	.size = sizeof(probe_ops),
	.name = "probe",
	.region_read = probe_read,
	.region_write = probe_write,
	.reset = probe_reset,
	.timer = probe_timer,
};

struct fixture {
	struct probe p;
	struct dfd_device *dev;
};

static const struct dfd_desc *probe_desc(void)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
	const struct dfd_desc *desc = NULL;

	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	dfd_desc_set_num(b, DFD_FACT_VENDOR_ID, 0x1234);
	dfd_desc_set_num(b, DFD_FACT_MSI_VECTORS, 3);
	dfd_desc_set_num(b, DFD_FACT_MSIX_VECTORS, 4);
	dfd_desc_set_num(b, DFD_FACT_NUMA_NODE, 0);
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 0, .size = 64 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 2, .size = 4096 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = 7, .size = 256 });
	dfd_desc_add_region(
		b, &(struct dfd_region){ .index = 9, .size = 16, .flags = DFD_REGION_READ_ONLY });
	dfd_desc_add_irq(
		b, &(struct dfd_irq){ .count = 1, .flags = DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE });
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	return desc;
}

static int setup(void **state)
{
	static const struct dfd_pci_setup pci = { .msix_bar = 2,
						  .msix_table = 0,
						  .msix_pba = 0x800 };
	struct fixture *f = calloc(1, sizeof(*f));
	const struct dfd_desc *desc = probe_desc();
	struct dfd_error err;

	if (dfd_model_new(desc, &probe_ops, &f->p, &pci, &f->dev, &err))
		fail_msg("%s", err.text);
	dfd_desc_unref(desc);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	dfd_device_close(f->dev);
	free(f);
	return 0;
}

static void write32(struct dfd_device *dev, uint32_t index, uint64_t offset, uint32_t value)
{
	assert_int_equal(dfd_region_write(dev, index, offset, &value, 4), 4);
}

static uint32_t read32(struct dfd_device *dev, uint32_t index, uint64_t offset)
{
	uint32_t value = 0;

	assert_int_equal(dfd_region_read(dev, index, offset, &value, 4), 4);
	return value;
}

static void set_command(struct dfd_device *dev, uint16_t command)
{
	assert_int_equal(dfd_region_write(dev, DFD_PCI_CONFIG, 4, &command, 2), 2);
}

static void test_ranges(void **state)
{
	struct fixture *f = *state;
	uint8_t buf[300];

	assert_int_equal(dfd_region_read(f->dev, 1, 0, buf, 4), -EINVAL);
	assert_int_equal(dfd_region_read(f->dev, 0, 64, buf, 4), -EINVAL);
	assert_int_equal(dfd_region_read(f->dev, 0, UINT64_MAX, buf, 4), -EINVAL);
	assert_int_equal(dfd_region_read(f->dev, 0, 0, buf, 0), 0);
	assert_int_equal(dfd_region_read(f->dev, 0, 0, buf, 2), -EIO);
	assert_int_equal(dfd_region_read(f->dev, 7, 0, buf, sizeof(buf)), 256);
	assert_int_equal(dfd_region_read(f->dev, 7, 250, buf, 16), 6);
	assert_int_equal(dfd_region_write(f->dev, 9, 0, buf, 4), -EINVAL);
	assert_int_equal(dfd_region_mmap(f->dev, 0, 0, 64, PROT_READ, &(void *){ NULL }), -EINVAL);
	assert_int_equal(dfd_device_feature(f->dev, 1, NULL, 0), -ENOTTY);
}

static void test_state_after_open_and_reset(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read32(f->dev, 7, 0) & 0xffff, 0x1234);
	assert_int_equal(read32(f->dev, 7, 4) & 0xffff, 2);
	write32(f->dev, 0, 32, 5);
	set_command(f->dev, 4);
	assert_int_equal(dfd_region_read(f->dev, 0, 32, &(uint32_t){ 0 }, 4), -EIO);
	assert_int_equal(dfd_region_write(f->dev, 0, 32, &(uint32_t){ 0 }, 4), -EIO);
	assert_int_equal(dfd_device_reset(f->dev), 0);
	assert_int_equal(f->p.resets, 1);
	assert_int_equal(dfd_device_resets(f->dev), 1);
	assert_int_equal(read32(f->dev, 7, 4) & 0xffff, 2);
	assert_int_equal(read32(f->dev, 0, 32), 5);
}

static void test_bar_sizing(void **state)
{
	struct fixture *f = *state;

	write32(f->dev, 7, 0x18, UINT32_MAX);
	assert_int_equal(read32(f->dev, 7, 0x18), 0xfffff000);
	write32(f->dev, 7, 0x14, UINT32_MAX);
	assert_int_equal(read32(f->dev, 7, 0x14), 0);
}

static void test_time(void **state)
{
	struct fixture *f = *state;
	unsigned int timers;
	struct pollfd p;

	write32(f->dev, 0, 12, 1);
	assert_int_equal(f->p.deferred, 1); /* as soon as the call has ended */
	write32(f->dev, 0, 8, 1000000);
	assert_int_equal(f->p.timers, 0);
	p = (struct pollfd){ .fd = dfd_device_poll_fd(f->dev), .events = POLLIN };
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(f->p.timers, 0);
	assert_int_equal(dfd_device_service(f->dev), 0);
	assert_int_equal(f->p.timers, 1);
	assert_int_equal(poll(&p, 1, 0), 0);
	/* A driver that only polls a register sees progress, too. */
	write32(f->dev, 0, 8, 1000000);
	while (f->p.timers == 1)
		read32(f->dev, 0, 32);
	write32(f->dev, 0, 8, 1000000);
	assert_int_equal(dfd_device_reset(f->dev), 0);
	timers = f->p.timers; /* it may have run out before that */
	usleep(2000);
	dfd_device_service(f->dev);
	assert_int_equal(f->p.timers, timers); /* a reset stops timers */
}

static int set(struct dfd_device *dev, uint32_t flags, uint32_t index, uint32_t start,
	       uint32_t count, const int32_t *fds)
{
	return dfd_set_irqs(dev, &(struct dfd_irq_set){ flags, index, start, count, fds, NULL });
}

/* Somebody else executes a program while this thread waits. */
static void test_waiting_leaves_no_fd(void **state)
{
	struct fixture *f = *state;
	int before = inheritable();

	f->p.raises = true;
	assert_int_equal(dfd_irq_enable(f->dev, 0, 1), 0);
	write32(f->dev, 0, 8, 1000000);
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, -1), 1);
	assert_int_equal(f->p.inheritable, before);
}

static void test_intx(void **state)
{
	struct fixture *f = *state;

	write32(f->dev, 0, 0, 1); /* the line is up before anybody listens */
	assert_int_equal(read32(f->dev, 7, 4) >> 16 & 8, 8);
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), -EINVAL);
	assert_int_equal(dfd_irq_enable(f->dev, 0, 1), 0);
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), 1);
	assert_int_equal(dfd_irq_unmask(f->dev, 0), 0); /* still up: comes again */
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), 1);
	write32(f->dev, 0, 0, 0);
	assert_int_equal(dfd_irq_unmask(f->dev, 0), 0);
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), 0);
	write32(f->dev, 0, 0, 1);
	write32(f->dev, 0, 0, 0);
	write32(f->dev, 0, 0, 1); /* masked on delivery: no second one */
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), 1);
	assert_int_equal(dfd_irq_disable(f->dev, 0), 0);
	assert_int_equal(dfd_irq_unmask(f->dev, 0), -EINVAL);
}

static void test_intx_disable_bit(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(dfd_irq_enable(f->dev, 0, 1), 0);
	set_command(f->dev, 0x402);
	write32(f->dev, 0, 0, 1);
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), 0);
	set_command(f->dev, 0x002);
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), 1);
}

static void test_resample(void **state)
{
	const uint32_t unmask = DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_UNMASK;
	struct fixture *f = *state;
	int32_t fd = eventfd(0, 0), none = -1, file = open("/dev/null", O_RDWR);
	struct pollfd p = { .fd = dfd_device_poll_fd(f->dev), .events = POLLIN };

	assert_int_equal(set(f->dev, unmask, 0, 0, 1, &fd), -EINVAL); /* not enabled */
	assert_int_equal(dfd_irq_enable(f->dev, 0, 1), 0);
	assert_int_equal(set(f->dev, unmask, 0, 0, 1, &file), -EINVAL);
	assert_int_equal(set(f->dev, unmask, 0, 0, 1, &fd), 0);
	write32(f->dev, 0, 0, 1);
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), 1);
	assert_int_equal(eventfd_write(fd, 1), 0);
	assert_int_equal(poll(&p, 1, 0), 1); /* who waits on the poll fd hears of it */
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), 1);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(set(f->dev, unmask, 0, 0, 1, &none), 0);
	assert_int_equal(eventfd_write(fd, 1), 0);
	assert_int_equal(dfd_wait_irq(f->dev, 0, 0, 0), 0);
	close(fd);
	close(file);
}

static void test_msix(void **state)
{
	const uint32_t mask = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_MASK;
	const uint32_t unmask = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_UNMASK;
	struct fixture *f = *state;

	write32(f->dev, 0, 4, 1); /* lost: not enabled */
	assert_int_equal(dfd_irq_enable(f->dev, DFD_PCI_MSIX, 3), 0);
	assert_int_equal(dfd_wait_irq(f->dev, DFD_PCI_MSIX, 1, 0), 0);
	assert_int_equal(read32(f->dev, 7, 0x40) >> 31, 1);
	write32(f->dev, 0, 4, 1); /* lost: bus mastering is off */
	assert_int_equal(dfd_wait_irq(f->dev, DFD_PCI_MSIX, 1, 0), 0);
	set_command(f->dev, 6);
	write32(f->dev, 0, 4, 1);
	write32(f->dev, 0, 4, 1);
	write32(f->dev, 0, 4, 3); /* beyond what is enabled */
	write32(f->dev, 0, 4, 99);
	assert_int_equal(dfd_wait_irq(f->dev, DFD_PCI_MSIX, 1, 0), 2);
	assert_int_equal(dfd_wait_irq(f->dev, DFD_PCI_MSIX, 0, 0), 0);
	assert_int_equal(dfd_wait_irq(f->dev, DFD_PCI_MSIX, 3, 0), -EINVAL);

	assert_int_equal(set(f->dev, mask, DFD_PCI_MSIX, 2, 1, NULL), 0);
	write32(f->dev, 0, 4, 2);
	write32(f->dev, 0, 4, 2);
	assert_int_equal(dfd_wait_irq(f->dev, DFD_PCI_MSIX, 2, 0), 0);
	assert_int_equal(read32(f->dev, 2, 0x800), 1 << 2);
	assert_int_equal(set(f->dev, unmask, DFD_PCI_MSIX, 2, 1, NULL), 0);
	assert_int_equal(dfd_wait_irq(f->dev, DFD_PCI_MSIX, 2, 0), 1);
	assert_int_equal(read32(f->dev, 2, 0x800), 0);

	/* The table is the host's: reads as ones, takes no writes. */
	write32(f->dev, 2, 0, 0);
	assert_int_equal(read32(f->dev, 2, 0), UINT32_MAX);
	assert_int_equal(dfd_irq_disable(f->dev, DFD_PCI_MSIX), 0);
	assert_int_equal(read32(f->dev, 7, 0x40) >> 31, 0);
}

static void test_irq_errors(void **state)
{
	const uint32_t trigger = DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER;
	struct fixture *f = *state;
	int good = eventfd(0, 0), file = open("/dev/null", O_RDWR);
	int32_t fds[2] = { good, file }, more[4] = { good, -1, good, good };
	uint64_t value;

	assert_int_equal(set(f->dev, trigger | DFD_IRQ_DATA_NONE, 0, 0, 1, fds), -EINVAL);
	assert_int_equal(set(f->dev, DFD_IRQ_DATA_EVENTFD, 0, 0, 1, fds), -EINVAL);
	assert_int_equal(set(f->dev, trigger | 64, 0, 0, 1, fds), -EINVAL);
	assert_int_equal(set(f->dev, trigger, 0, 0, 2, fds), -EINVAL);
	assert_int_equal(set(f->dev, trigger, 0, 1, 0, fds), -EINVAL);
	assert_int_equal(set(f->dev, trigger, 9, 0, 1, fds), -EINVAL);
	assert_int_equal(dfd_irq_enable(f->dev, 0, 1), 0);
	assert_int_equal(set(f->dev, DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_MASK, 0, 0, 0, NULL),
			 -EINVAL); /* count 0 means something to TRIGGER alone */
	assert_int_equal(dfd_irq_disable(f->dev, 0), 0);
	assert_int_equal(set(f->dev, trigger, DFD_PCI_REQ, 0, 1, fds),
			 -EINVAL); /* not implemented */
	assert_int_equal(set(f->dev, trigger, DFD_PCI_MSIX, 2, UINT32_MAX, fds), -EINVAL);
	/* All or nothing. */
	assert_int_equal(set(f->dev, trigger, DFD_PCI_MSIX, 0, 2, fds), -EINVAL);
	assert_false(dfd_irq_enabled(dfd_device_host(f->dev), DFD_PCI_MSIX));
	assert_int_equal(set(f->dev, trigger, DFD_PCI_MSIX, 0, 4, more), 0);
	/* One kind at a time. */
	assert_int_equal(dfd_irq_enable(f->dev, DFD_PCI_MSI, 1), -EINVAL);
	assert_int_equal(dfd_irq_enable(f->dev, DFD_PCI_INTX, 1), -EINVAL);
	assert_int_equal(
		set(f->dev, DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER, DFD_PCI_MSIX, 2, 1, NULL),
		0);
	assert_int_equal(read(good, &value, 8), 8);
	assert_int_equal(value, 1);
	assert_int_equal(dfd_irq_disable(f->dev, DFD_PCI_MSIX), 0);
	assert_int_equal(dfd_irq_enable(f->dev, DFD_PCI_MSI, 3), 0);
	assert_int_equal(read32(f->dev, 7, 0x4c) >> 16 & 0x71, 0x21); /* enabled, 4 messages */
	close(good);
	close(file);
}

/* ---- DMA ---- */

static void note_done(void *ctx, int status)
{
	struct probe *p = ctx;

	p->dones++;
	p->last_status = status;
	p->done_in_call |= p->in_call;
}

struct wire {
	struct dfd_dma_token tokens[DFD_MAX_DMA_INFLIGHT + 1];
	unsigned int count;
	bool at_once;
	int status;
	uint8_t data[64];
};

static int wire_read(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	struct wire *w = ctx;

	if (w->at_once)
		dfd_dma_complete(token, w->status, w->data + offset, len);
	else
		w->tokens[w->count++] = token;
	return 0;
}

static int wire_write(void *ctx, uint64_t offset, const void *buf, size_t len,
		      struct dfd_dma_token token)
{
	struct wire *w = ctx;

	memcpy(w->data + offset, buf, len);
	if (w->at_once)
		dfd_dma_complete(token, w->status, NULL, 0);
	else
		w->tokens[w->count++] = token;
	return 0;
}

static const struct dfd_dma_io wire_io = { wire_read, wire_write };

static void map_wire(struct dfd_device *dev, struct wire *w)
{
	struct dfd_dma_map map = { .iova = 0x100000,
				   .size = 64,
				   .prot = 3,
				   .kind = DFD_DMA_MESSAGE,
				   .io = &wire_io,
				   .io_ctx = w };

	assert_int_equal(dfd_dma_map(dev, &map), 0);
	set_command(dev, 6);
}

static void test_dma_maps(void **state)
{
	struct fixture *f = *state;
	static uint8_t mem[8192];
	struct dfd_dma_map map = {
		.iova = DFD_IOVA_ANY, .max_iova = 0xfff, .size = 4096, .prot = 3, .addr = mem
	};
	uint64_t unmapped;

	assert_int_equal(dfd_dma_map(f->dev, &map), -ENOSPC);
	map.max_iova = 0x1fff;
	assert_int_equal(dfd_dma_map(f->dev, &map), 0);
	assert_int_equal(map.iova, 0x1000);
	assert_int_equal(dfd_dma_map(f->dev, &map), -EEXIST);
	map.iova = 0x1800;
	assert_int_equal(dfd_dma_map(f->dev, &map), -EEXIST);
	map.iova = UINT64_MAX - 4094;
	assert_int_equal(dfd_dma_map(f->dev, &map), -EOVERFLOW);
	map.iova = UINT64_MAX - 4095;
	assert_int_equal(dfd_dma_map(f->dev, &map), 0);
	map.prot = 0;
	assert_int_equal(dfd_dma_map(f->dev, &map), -EINVAL);
	map.prot = 4;
	assert_int_equal(dfd_dma_map(f->dev, &map), -EINVAL);
	assert_int_equal(dfd_dma_unmap(f->dev, 0x1000, 0x800, &unmapped), -EINVAL);
	assert_int_equal(dfd_dma_unmap(f->dev, 0x5000, 0x800, &unmapped), 0);
	assert_int_equal(unmapped, 0);
	assert_int_equal(dfd_dma_unmap(f->dev, 1, UINT64_MAX, &unmapped), 0);
	assert_int_equal(unmapped, 8192);
	assert_int_equal(dfd_dma_unmap(f->dev, 1, 0, &unmapped), -EINVAL);
}

static uint64_t dirty_start, dirty_len;

static void note_dirty(void *ctx, uint64_t iova, uint64_t len)
{
	(void)ctx;
	dirty_start = iova;
	dirty_len = len;
}

static int claims_to_have_moved(void *ctx, uint64_t offset, size_t len, struct dfd_dma_token token)
{
	(void)ctx;
	(void)offset;
	(void)token;
	return (int)len;
}

static void test_dma_wrong_arguments(void **state)
{
	static const struct dfd_dma_io io = { claims_to_have_moved, wire_write };
	struct fixture *f = *state;
	struct dfd_dma_map map = { .iova = DFD_IOVA_ANY, .size = 16, .prot = 3 };
	int pipes[2];

	map.kind = (enum dfd_dma_kind)77;
	assert_int_equal(dfd_dma_map(f->dev, &map), -EINVAL);
	map.kind = DFD_DMA_ADDRESS;
	map.addr = (void *)(UINTPTR_MAX - 14);
	assert_int_equal(dfd_dma_map(f->dev, &map), -EOVERFLOW);
	/* What fails leaves the question as it was, so that it can be asked in another way. */
	assert_int_equal(pipe(pipes), 0);
	map.kind = DFD_DMA_FD;
	map.fd = pipes[0];
	assert_int_equal(dfd_dma_map(f->dev, &map), -EOPNOTSUPP);
	assert_true(map.iova == DFD_IOVA_ANY);
	/* Moved is not what these callbacks may say. */
	map.kind = DFD_DMA_MESSAGE;
	map.io = &io;
	assert_int_equal(dfd_dma_map(f->dev, &map), 0);
	set_command(f->dev, 6);
	assert_int_equal(
		dfd_dma_read(dfd_device_host(f->dev), map.iova, f->p.buf, 1, note_done, &f->p),
		-EPROTO);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_dma_by_pointer(void **state)
{
	struct fixture *f = *state;
	struct dfd_host *host = dfd_device_host(f->dev);
	struct dfd_dma_buf buf;
	uint8_t *ptr;

	assert_int_equal(dfd_dma_alloc(f->dev, 5000, 0xfffffff, &buf), 0);
	assert_int_equal(buf.size, 8192);
	assert_int_equal(ftruncate(buf.fd, 0), -1);
	assert_null(dfd_dma_get(host, buf.iova, 4, DFD_DMA_READ)); /* bus mastering is off */
	assert_int_equal(dfd_dma_write(host, buf.iova, "hi", 2, note_done, &f->p), -EIO);
	set_command(f->dev, 6);
	assert_int_equal(dfd_dma_watch(f->dev, note_dirty, NULL), 0);
	ptr = dfd_dma_get(host, buf.iova + 8, 100, DFD_DMA_WRITE);
	assert_non_null(ptr);
	memcpy(ptr, "hello", 5);
	dfd_dma_put(host, ptr, 5);
	assert_int_equal(dirty_start, buf.iova + 8);
	assert_int_equal(dirty_len, 5);
	assert_memory_equal((char *)buf.addr + 8, "hello", 5);
	assert_null(dfd_dma_get(host, buf.iova + 8000, 193, DFD_DMA_READ));
	assert_null(dfd_dma_get(host, buf.iova, UINT64_MAX, DFD_DMA_READ));
	assert_int_equal(dfd_dma_write(host, buf.iova, "HE", 2, note_done, &f->p), 1);
	assert_int_equal(dfd_dma_read(host, buf.iova, f->p.buf, 16, note_done, &f->p), 1);
	assert_memory_equal(f->p.buf, "HE\0\0\0\0\0\0hello", 13);
	assert_int_equal(dfd_dma_read(host, buf.iova + 8190, f->p.buf, 3, note_done, &f->p),
			 -EFAULT);
	dfd_dma_free(f->dev, &buf);
	assert_int_equal(dfd_dma_read(host, 0x1000, f->p.buf, 3, note_done, &f->p), -EFAULT);
	dfd_dma_free(f->dev, &buf);
	assert_int_equal(f->p.dones, 0);
}

static void test_dma_pieces_and_rights(void **state)
{
	struct fixture *f = *state;
	struct dfd_host *host = dfd_device_host(f->dev);
	static uint8_t a[4096], b[4096];
	struct dfd_dma_map map = { .iova = 0x1000, .size = 4096, .prot = DFD_DMA_READ, .addr = a };

	set_command(f->dev, 6);
	assert_int_equal(dfd_dma_map(f->dev, &map), 0);
	map.iova = 0x2000;
	map.addr = b;
	map.prot = DFD_DMA_READ | DFD_DMA_WRITE;
	assert_int_equal(dfd_dma_map(f->dev, &map), 0);
	a[4095] = 1;
	b[0] = 2;
	assert_int_equal(dfd_dma_read(host, 0x1fff, f->p.buf, 2, note_done, &f->p), 1);
	assert_memory_equal(f->p.buf, "\1\2", 2);
	assert_int_equal(dfd_dma_write(host, 0x1fff, "xx", 2, note_done, &f->p), -EFAULT);
	assert_int_equal(a[4095] | b[0] << 8, 0x201); /* nothing half done */
	assert_null(dfd_dma_get(host, 0x1000, 1, DFD_DMA_WRITE));
	assert_non_null(dfd_dma_get(host, 0x1000, 1, DFD_DMA_READ));
}

/* A file that its owner may cut short must never be reached by pointer. */
static void test_dma_unsealed_file(void **state)
{
	struct fixture *f = *state;
	struct dfd_host *host = dfd_device_host(f->dev);
	int fd = memfd_create("unsealed", MFD_CLOEXEC);
	struct dfd_dma_map map = {
		.iova = 0x1000, .size = 4096, .prot = 3, .kind = DFD_DMA_FD, .fd = fd
	};

	set_command(f->dev, 6);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(dfd_dma_map(f->dev, &map), 0);
	assert_null(dfd_dma_get(host, 0x1000, 4, DFD_DMA_READ));
	assert_int_equal(dfd_dma_write(host, 0x1010, "data", 4, note_done, &f->p), 1);
	assert_int_equal(pread(fd, f->p.buf, 4, 0x10), 4);
	assert_memory_equal(f->p.buf, "data", 4);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(dfd_dma_read(host, 0x1010, f->p.buf, 4, note_done, &f->p), -EFAULT);
	close(fd);
	map.iova = 0x8000;
	map.fd = open("/dev/null", O_RDWR);
	assert_int_equal(dfd_dma_map(f->dev, &map), -EOPNOTSUPP);
	close(map.fd);
}

static void test_dma_by_message(void **state)
{
	struct fixture *f = *state;
	struct dfd_host *host = dfd_device_host(f->dev);
	struct wire w = { .data = "over the wire" };
	struct pollfd p = { .fd = dfd_device_poll_fd(f->dev), .events = POLLIN };

	map_wire(f->dev, &w);
	assert_null(dfd_dma_get(host, 0x100000, 4, DFD_DMA_READ));
	assert_int_equal(dfd_dma_read(host, 0x100005, f->p.buf, 8, note_done, &f->p), 0);
	assert_int_equal(dfd_dma_read(host, 0x10003f, f->p.buf, 2, note_done, &f->p), -EFAULT);
	dfd_dma_complete(w.tokens[0], 0, w.data + 5, 8);
	assert_int_equal(f->p.dones, 0); /* only from service */
	assert_int_equal(poll(&p, 1, 0), 1);
	dfd_device_service(f->dev);
	assert_int_equal(f->p.dones, 1);
	assert_int_equal(f->p.last_status, 0);
	assert_memory_equal(f->p.buf, "the wire", 8);
	assert_int_equal(poll(&p, 1, 0), 0);
	dfd_dma_complete(w.tokens[0], 0, w.data, 8); /* a second answer */
	dfd_device_service(f->dev);
	assert_int_equal(f->p.dones, 1);

	/* After an answer inside the request nothing is left to be done. */
	w.at_once = true;
	memset(f->p.buf, 0, 8);
	assert_int_equal(dfd_dma_read(host, 0x100000, f->p.buf, 8, note_done, &f->p), 1);
	assert_memory_equal(f->p.buf, "over the", 8);
	assert_int_equal(dfd_dma_watch(f->dev, note_dirty, NULL), 0);
	dirty_len = 0;
	assert_int_equal(dfd_dma_write(host, 0x100000, "OVER", 4, note_done, &f->p), 1);
	assert_int_equal(dirty_len, 4);
	w.status = -EFAULT;
	assert_int_equal(dfd_dma_write(host, 0x100000, "OVER", 4, note_done, &f->p), -EFAULT);
	assert_int_equal(dirty_len, 4);
	assert_int_equal(poll(&p, 1, 0), 0);
	dfd_device_service(f->dev);
	assert_int_equal(f->p.dones, 1);
	w.at_once = false;
	w.count = 0;
	assert_int_equal(dfd_dma_write(host, 0x100001, "XY", 2, note_done, &f->p), 0);
	dfd_dma_complete(w.tokens[0], -EIO, NULL, 0);
	dirty_len = 0;
	dfd_device_service(f->dev);
	assert_int_equal(f->p.last_status, -EIO);
	assert_int_equal(dirty_len, 0);
	/* A short answer is no answer. */
	assert_int_equal(dfd_dma_read(host, 0x100000, f->p.buf, 8, note_done, &f->p), 0);
	dfd_dma_complete(w.tokens[1], 0, w.data, 7);
	dfd_device_service(f->dev);
	assert_int_equal(f->p.last_status, -EPROTO);
}

static void test_dma_cancel(void **state)
{
	struct fixture *f = *state;
	struct dfd_host *host = dfd_device_host(f->dev);
	struct wire w = { 0 };

	map_wire(f->dev, &w);
	for (unsigned int i = 0; i < DFD_MAX_DMA_INFLIGHT; i++)
		assert_int_equal(dfd_dma_read(host, 0x100000, f->p.buf, 8, note_done, &f->p), 0);
	assert_int_equal(dfd_dma_read(host, 0x100000, f->p.buf, 8, note_done, &f->p), -EAGAIN);
	dfd_dma_complete(w.tokens[3], 0, w.data, 8);
	assert_int_equal(dfd_device_reset(f->dev), 0);
	assert_int_equal(f->p.dones, DFD_MAX_DMA_INFLIGHT);
	assert_int_equal(f->p.last_status, -ECANCELED);
	set_command(f->dev, 6); /* a reset keeps the map, not bus mastering */
	assert_int_equal(dfd_dma_read(host, 0x100000, f->p.buf, 8, note_done, &f->p), 0);
	memset(f->p.buf, 7, 8);
	assert_int_equal(dfd_dma_unmap(f->dev, 0x100000, 64, NULL), 0);
	assert_int_equal(f->p.dones, DFD_MAX_DMA_INFLIGHT + 1);
	dfd_dma_complete(w.tokens[DFD_MAX_DMA_INFLIGHT], 0, w.data, 8); /* late: dropped */
	dfd_device_service(f->dev);
	assert_int_equal(f->p.dones, DFD_MAX_DMA_INFLIGHT + 1);
	assert_int_equal(f->p.buf[0], 7);
}

static void test_cancel_on_close(void **state)
{
	struct probe p = { 0 };
	static const struct dfd_pci_setup pci = { .msix_bar = 2, .msix_pba = 0x800 };
	const struct dfd_desc *desc = probe_desc();
	struct dfd_device *dev;
	struct wire w = { 0 };

	(void)state;
	assert_int_equal(dfd_model_new(desc, &probe_ops, &p, &pci, &dev, NULL), 0);
	map_wire(dev, &w);
	assert_int_equal(dfd_dma_read(dfd_device_host(dev), 0x100000, p.buf, 8, note_done, &p), 0);
	dfd_device_close(dev);
	assert_int_equal(p.dones, 1);
	assert_int_equal(p.last_status, -ECANCELED);
	dfd_desc_unref(desc);
	dfd_device_close(NULL);
}

static void test_service_thread(void **state)
{
	struct fixture *f = *state;
	int32_t fd = eventfd(0, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(dfd_service_thread(f->dev), 0);
	assert_int_equal(dfd_service_thread(f->dev), 0);
	assert_int_equal(set(f->dev, DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER, 0, 0, 1, &fd),
			 0);
	assert_int_equal(set(f->dev, DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_UNMASK, 0, 0, 1,
			     (int32_t[]){ eventfd(1, 0) }),
			 0);
	write32(f->dev, 0, 0, 1);
	assert_int_equal(poll(&p, 1, 60000), 1);
	write32(f->dev, 0, 8, 1000);
	while (!f->p.timers)
		usleep(100);
	close(fd);
}

/* Return: whether a timer of 1 ms is run by a service thread. */
static bool timer_is_served(struct fixture *f)
{
	const atomic_uint *timers = &f->p.timers;
	const uint32_t ns = 1000000;
	unsigned int before = *timers;

	if (dfd_service_thread(f->dev) || dfd_region_write(f->dev, 0, 8, &ns, 4) != 4)
		return false;
	for (int i = 0; i < 60000 && *timers == before; i++)
		usleep(1000);
	return *timers != before;
}

static void test_fork(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	assert_true(timer_is_served(f));
	device_fork_prepare(f->dev);
	pid = fork();
	if (!pid) {
		device_fork_child(f->dev);
		_exit(timer_is_served(f) ? 0 : 1);
	}
	device_fork_parent(f->dev);
	assert_true(timer_is_served(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(timer_is_served(f));
}

static void test_extensions(void **state)
{
	static const struct {
		uint32_t id;
		int answer;
	} rows[] = {
		{ 0, 0 },
		{ VFIO_DEVICE_EXT_TABLE, 1 },
		{ VFIO_DEVICE_EXT_RESET, 1 },
		{ VFIO_DEVICE_EXT_PCI_RESET, 1 },
		{ VFIO_DEVICE_EXT_PHYS_ADDR, 0 },
		{ VFIO_DEVICE_EXT_DT, 0 },
		{ VFIO_DEVICE_EXT_IRQ_EVENTFD, 1 },
		{ VFIO_DEVICE_EXT_UNMASK, 1 },
		{ VFIO_DEVICE_EXT_UNMASK_EVENTFD, 1 },
		{ VFIO_DEVICE_EXT_VFIO, 1 },
		{ VFIO_DEVICE_EXT_DMA, 1 },
		{ VFIO_DEVICE_EXT_MSI_VECTORS, 3 },
		{ VFIO_DEVICE_EXT_MSIX_VECTORS, 4 },
		{ 0x10a, 1 }, /* NUMA node 0 */
		{ 0x104, 1 },
		{ 0x105, 0 },
		{ UINT32_MAX, 0 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(dfd_check_extension(f->dev, rows[i].id), rows[i].answer);
	assert_int_equal(dfd_device_resets(f->dev), 0);
}

/* A description without contents: everything is refused, nothing crashes. */
static void test_described(void **state)
{
	static const struct dfd_device_ops none = { .size = sizeof(none) };
	const struct dfd_desc *desc = probe_desc();
	struct dfd_device *dev;
	struct dfd_dma_buf buf;

	(void)state;
	assert_int_equal(dfd_device_new(desc, &none, NULL, false, &dev), 0);
	dfd_desc_unref(desc);
	assert_int_equal(dfd_region_read(dev, 0, 0, &(int){ 0 }, 4), -EOPNOTSUPP);
	assert_int_equal(dfd_region_write(dev, 0, 0, &(int){ 0 }, 4), -EOPNOTSUPP);
	assert_int_equal(dfd_irq_enable(dev, 0, 1), -EOPNOTSUPP);
	assert_int_equal(dfd_dma_alloc(dev, 1, 0, &buf), -EOPNOTSUPP);
	assert_int_equal(dfd_dma_unmap(dev, 0, 1, NULL), -EOPNOTSUPP);
	assert_int_equal(dfd_device_reset(dev), -EOPNOTSUPP);
	assert_int_equal(dfd_device_poll_fd(dev), -EOPNOTSUPP);
	assert_int_equal(dfd_device_service(dev), 0);
	assert_int_equal(dfd_service_thread(dev), 0);
	assert_int_equal(dfd_check_extension(dev, VFIO_DEVICE_EXT_DMA), 0);
	assert_int_equal(dfd_check_extension(dev, VFIO_DEVICE_EXT_IRQ_EVENTFD), 0);
	assert_null(dfd_device_host(dev));
	dfd_device_close(dev);
}

/* What configuration space cannot express is refused with a sentence. */
static void test_setup_refused(void **state)
{
	static const struct {
		struct dfd_region region;
		struct dfd_pci_setup setup;
		uint64_t msix;
		const char *says;
	} rows[] = {
		{ .region = { .index = 0, .size = 48 }, .says = "not a power of two" },
		{ .region = { .index = 0, .size = UINT64_C(1) << 32 },
		  .says = "need a 64-bit BAR" },
		{ .region = { .index = 5, .size = 16 },
		  .setup = { .bars_64bit = 32 },
		  .says = "takes two memory BARs" },
		{ .region = { .index = 6, .size = 16 }, .says = "ROM: size" },
		{ .region = { .index = 0, .size = 64 },
		  .msix = 5,
		  .says = "do not fit into BAR 0" },
		{ .region = { .index = 0, .size = 64 }, .msix = 3, .says = "overlap" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
		const struct dfd_desc *desc;
		struct dfd_device *dev = NULL;
		struct dfd_error err;

		dfd_desc_add_region(b, &rows[i].region);
		dfd_desc_add_region(b, &(struct dfd_region){ .index = 7, .size = 256 });
		if (rows[i].msix)
			dfd_desc_set_num(b, DFD_FACT_MSIX_VECTORS, rows[i].msix);
		assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
		assert_int_equal(dfd_model_new(desc, &probe_ops, NULL, &rows[i].setup, &dev, &err),
				 -EINVAL);
		if (!strstr(err.text, rows[i].says))
			fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].says);
		dfd_desc_unref(desc);
	}
}

#define WITH_DEVICE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DEVICE(test_ranges),
		WITH_DEVICE(test_state_after_open_and_reset),
		WITH_DEVICE(test_bar_sizing),
		WITH_DEVICE(test_time),
		WITH_DEVICE(test_waiting_leaves_no_fd),
		WITH_DEVICE(test_intx),
		WITH_DEVICE(test_intx_disable_bit),
		WITH_DEVICE(test_resample),
		WITH_DEVICE(test_msix),
		WITH_DEVICE(test_irq_errors),
		WITH_DEVICE(test_dma_maps),
		WITH_DEVICE(test_dma_wrong_arguments),
		WITH_DEVICE(test_dma_by_pointer),
		WITH_DEVICE(test_dma_pieces_and_rights),
		WITH_DEVICE(test_dma_unsealed_file),
		WITH_DEVICE(test_dma_by_message),
		WITH_DEVICE(test_dma_cancel),
		WITH_DEVICE(test_service_thread),
		WITH_DEVICE(test_fork),
		WITH_DEVICE(test_extensions),
		cmocka_unit_test(test_cancel_on_close),
		cmocka_unit_test(test_described),
		cmocka_unit_test(test_setup_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
