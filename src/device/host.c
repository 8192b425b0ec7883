/* SPDX-License-Identifier: MIT */
/*
 * The host of a model: time, the poll fd, and the accesses that the model never sees.
 *
 * Theory of operation: a model owns no thread, so time passes only when somebody calls in. Every
 * operation on the device first runs what is due (model_host_run_due) and last what it deferred
 * (model_host_run_deferred). For those who wait instead of calling, an epoll fd bundles a timerfd
 * at the next deadline, an eventfd for answers to DMA by message and the driver's unmask eventfds.
 * It is made when it is first asked for, so that a driver that only polls registers pays no system
 * call for it.
 *
 * PCI: configuration space, the MSI-X table and the pending bits are served here, as vfio-pci does:
 * the table reads as ones and ignores writes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "device/host.h"
#include "util/eventfd.h"

#define DEADLINE_NOW UINT64_C(0)
#define DEADLINE_OFF UINT64_MAX

static struct model_host *from_base(struct dfd_host *host)
{
	return (struct model_host *)host; /* base is the first member */
}

/* ---- time ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void set_deadline(struct model_host *h, unsigned int id, uint64_t deadline)
{
	h->deadlines[id] = deadline;
	h->next_deadline = DEADLINE_OFF;
	for (unsigned int i = 0; i < DFD_MAX_TIMERS; i++) {
		if (h->deadlines[i] < h->next_deadline)
			h->next_deadline = h->deadlines[i];
	}
}

int host_timer(struct dfd_host *host, unsigned int id, uint64_t ns)
{
	struct model_host *h = from_base(host);
	uint64_t now;

	if (id >= DFD_MAX_TIMERS)
		return -EINVAL;
	if (ns == DFD_TIMER_OFF || !ns) {
		set_deadline(h, id, ns ? DEADLINE_OFF : DEADLINE_NOW);
		return 0;
	}
	now = now_ns();
	set_deadline(h, id, ns < DEADLINE_OFF - now ? now + ns : DEADLINE_OFF - 1);
	return 0;
}

/* Run each timer that is due at @now once, earliest first; what they arm waits for the next time.
 */
static void run_timers(struct model_host *h, uint64_t now)
{
	uint64_t due[DFD_MAX_TIMERS];

	memcpy(due, h->deadlines, sizeof(due));
	for (;;) {
		unsigned int first = DFD_MAX_TIMERS;

		for (unsigned int i = 0; i < DFD_MAX_TIMERS; i++) {
			if (due[i] <= now && (first == DFD_MAX_TIMERS || due[i] < due[first]))
				first = i;
		}
		if (first == DFD_MAX_TIMERS)
			return;
		/* One that ran before may have stopped or moved this one. */
		if (h->deadlines[first] == due[first]) {
			set_deadline(h, first, DEADLINE_OFF);
			if (h->dev->ops->timer)
				h->dev->ops->timer(h->dev, first);
		}
		due[first] = DEADLINE_OFF;
	}
}

/* Keep the timerfd at the next deadline, if anybody polls it. */
static void rearm(struct model_host *h)
{
	uint64_t next = h->next_deadline;
	struct itimerspec at = { 0 };

	if (h->files.dying && h->files.due < next)
		next = h->files.due;
	if (h->timer_fd < 0 || next == h->armed)
		return;
	h->armed = next;
	if (next != DEADLINE_OFF) {
		/* All zero would disarm; 1 ns has long passed. */
		uint64_t when = next == DEADLINE_NOW ? 1 : next;

		at.it_value.tv_sec = (time_t)(when / 1000000000);
		at.it_value.tv_nsec = (long)(when % 1000000000);
	}
	timerfd_settime(h->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void model_host_run_due(struct model_host *h)
{
	dma_requests_run(&h->requests);
	if (h->unmask_fds)
		host_irq_poll_unmask(h);
	if (h->next_deadline != DEADLINE_OFF)
		run_timers(h, now_ns());
}

void model_host_run_deferred(struct model_host *h)
{
	if (h->next_deadline == DEADLINE_NOW)
		run_timers(h, DEADLINE_NOW);
	rearm(h);
}

/* ---- the poll fd ---- */

static int add_to_epoll(struct model_host *h, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void model_host_close_poll_fds(struct model_host *h)
{
	int *fds[] = { &h->epoll_fd, &h->timer_fd, &h->requests.kick_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int open_poll_fds(struct model_host *h)
{
	int ret;

	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	h->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	h->armed = DEADLINE_OFF;
	pthread_mutex_lock(&h->requests.lock); /* dfd_dma_complete() reads kick_fd */
	h->requests.kick_fd =
		eventfd(atomic_load(&h->requests.answers) ? 1 : 0, EFD_NONBLOCK | EFD_CLOEXEC);
	pthread_mutex_unlock(&h->requests.lock);
	if (h->epoll_fd < 0 || h->timer_fd < 0 || h->requests.kick_fd < 0)
		return -errno;
	ret = add_to_epoll(h, h->timer_fd);
	if (!ret)
		ret = add_to_epoll(h, h->requests.kick_fd);
	return ret ? ret : host_irq_watch_all(h);
}

int model_host_poll_fd(struct model_host *h)
{
	if (h->epoll_fd < 0) {
		int ret = open_poll_fds(h);

		if (ret) {
			pthread_mutex_lock(&h->requests.lock);
			model_host_close_poll_fds(h);
			pthread_mutex_unlock(&h->requests.lock);
			return ret;
		}
	}
	return h->epoll_fd;
}

/*
 * The due work itself was done on entering; here the fds become unreadable again. An answer that
 * came meanwhile may have been the kick, so it is looked for once more.
 */
void model_host_drain(struct model_host *h)
{
	uint64_t value;

	if (dma_files_are_due(&h->files))
		dma_files_tear(&h->files);
	if (h->epoll_fd < 0)
		return;
	if (dfd_eventfd_take(h->requests.kick_fd))
		dma_requests_run(&h->requests);
	if (read(h->timer_fd, &value, sizeof(value)) == (ssize_t)sizeof(value))
		h->armed = DEADLINE_OFF;
}

bool model_host_quiet(struct model_host *h)
{
	return h->next_deadline == DEADLINE_OFF && !h->files.dying && !h->unmask_fds &&
	       !atomic_load(&h->requests.under_way);
}

/* ---- accesses ---- */

/* Is the decode bit on that this region answers to? */
static bool decoded(const struct model_host *h, const struct dfd_region *r)
{
	uint16_t bit = r->flags & DFD_REGION_IOPORT ? DFD_PCI_COMMAND_IO : DFD_PCI_COMMAND_MEMORY;

	if (!h->is_pci || r->index > DFD_PCI_ROM)
		return true;
	return dfd_pci_config_command(&h->config) & bit;
}

/* What serves a piece of a BAR. */
enum owner { OWNER_MODEL, OWNER_TABLE, OWNER_PBA };

/* Who serves @offset of a BAR, and up to where. */
static enum owner owner_at(const struct model_host *h, uint32_t index, uint64_t offset,
			   uint64_t *end)
{
	const uint64_t table = h->setup.msix_table, pba = h->setup.msix_pba;
	const uint64_t vectors = h->is_pci ? h->irqs[DFD_PCI_MSIX].count : 0;
	const struct {
		enum owner owner;
		uint64_t start, end;
	} parts[] = {
		{ OWNER_TABLE, table, table + 16 * vectors },
		{ OWNER_PBA, pba, pba + 8 * ((vectors + 63) / 64) },
	};

	*end = UINT64_MAX;
	if (!vectors || index != h->setup.msix_bar)
		return OWNER_MODEL;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (offset >= parts[i].start && offset < parts[i].end) {
			*end = parts[i].end;
			return parts[i].owner;
		}
		if (offset < parts[i].start && parts[i].start < *end)
			*end = parts[i].start;
	}
	return OWNER_MODEL;
}

static ssize_t read_piece(struct model_host *h, enum owner owner, uint32_t index, uint64_t offset,
			  uint8_t *buf, size_t len)
{
	if (owner == OWNER_MODEL) {
		if (!h->dev->ops->region_read)
			return -EOPNOTSUPP;
		return h->dev->ops->region_read(h->dev, index, offset, buf, len);
	}
	if (owner == OWNER_TABLE) {
		memset(buf, 0xff, len);
	} else {
		for (size_t i = 0; i < len; i++)
			buf[i] = host_irq_pending_byte(h, offset + i - h->setup.msix_pba);
	}
	return (ssize_t)len;
}

static ssize_t write_piece(struct model_host *h, enum owner owner, uint32_t index, uint64_t offset,
			   const uint8_t *buf, size_t len)
{
	if (owner != OWNER_MODEL)
		return (ssize_t)len;
	if (!h->dev->ops->region_write)
		return -EOPNOTSUPP;
	return h->dev->ops->region_write(h->dev, index, offset, buf, len);
}

static ssize_t config_access(struct model_host *h, uint64_t offset, void *in, const void *out,
			     size_t len)
{
	if (in) {
		dfd_pci_config_read(&h->config, (uint32_t)offset, in, len);
	} else {
		dfd_pci_config_write(&h->config, (uint32_t)offset, out, len);
		host_irq_command_changed(h);
	}
	return (ssize_t)len;
}

/* One of @in and @out is NULL. Pieces with different owners are served one by one. */
static ssize_t host_access(struct model_host *h, uint32_t index, uint64_t offset, uint8_t *in,
			   const uint8_t *out, size_t len)
{
	size_t moved = 0;

	if (h->is_pci && index == DFD_PCI_CONFIG)
		return config_access(h, offset, in, out, len);
	if (!decoded(h, dfd_desc_region(h->dev->desc, index)))
		return -EIO;
	while (moved < len) {
		uint64_t at = offset + moved, end;
		enum owner owner = owner_at(h, index, at, &end);
		size_t piece = end - at < len - moved ? (size_t)(end - at) : len - moved;
		ssize_t ret = in ? read_piece(h, owner, index, at, in + moved, piece)
				 : write_piece(h, owner, index, at, out + moved, piece);

		if (ret < 0)
			return moved ? (ssize_t)moved : ret;
		moved += (size_t)ret;
		if ((size_t)ret < piece)
			break;
	}
	return (ssize_t)moved;
}

ssize_t model_host_read(struct model_host *h, uint32_t index, uint64_t offset, void *buf,
			size_t len)
{
	return host_access(h, index, offset, buf, NULL, len);
}

ssize_t model_host_write(struct model_host *h, uint32_t index, uint64_t offset, const void *buf,
			 size_t len)
{
	return host_access(h, index, offset, NULL, buf, len);
}

/* What the model has begun: DMA first, because its end may arm a timer. */
static void stop_all(struct model_host *h)
{
	dma_requests_cancel(&h->requests, 0, UINT64_MAX);
	for (unsigned int i = 0; i < DFD_MAX_TIMERS; i++)
		set_deadline(h, i, DEADLINE_OFF);
}

void model_host_before_reset(struct model_host *h)
{
	stop_all(h);
	host_irq_reset(h);
	if (h->is_pci)
		dfd_pci_config_reset(&h->config);
}

/* ---- life ---- */

static const struct dfd_host_ops host_ops = {
	.size = sizeof(host_ops),
	.dma_get = host_dma_get,
	.dma_put = host_dma_put,
	.dma_read = host_dma_read,
	.dma_write = host_dma_write,
	.irq_level = host_irq_level,
	.irq_message = host_irq_message,
	.irq_enabled = host_irq_enabled,
	.timer = host_timer,
};

static uint32_t number(const struct dfd_desc *desc, enum dfd_fact fact)
{
	uint64_t value = 0;

	dfd_desc_num(desc, fact, &value);
	return (uint32_t)value;
}

static bool power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* Fill what configuration space says about one BAR. */
static int layout_bar(const struct dfd_desc *desc, const struct dfd_pci_setup *setup, uint32_t n,
		      struct dfd_pci_bar *bar, struct dfd_error *err)
{
	const struct dfd_region *r = dfd_desc_region(desc, n);

	if (!r)
		return 0;
	bar->size = r->size;
	bar->io = r->flags & DFD_REGION_IOPORT;
	bar->is_64bit = setup->bars_64bit >> n & 1;
	bar->prefetchable = setup->prefetchable >> n & 1;
	if (!power_of_two(r->size) || r->size < (bar->io ? 4 : 16))
		return dfd_error_set(err, -EINVAL,
				     "BAR %" PRIu32 ": size 0x%" PRIx64
				     " is not a power of two from %d up",
				     n, r->size, bar->io ? 4 : 16);
	if (!bar->is_64bit && r->size > UINT64_C(1) << 31)
		return dfd_error_set(err, -EINVAL,
				     "BAR %" PRIu32 ": 0x%" PRIx64 " bytes need a 64-bit BAR", n,
				     r->size);
	if (bar->is_64bit && (bar->io || n == 5 || dfd_desc_region(desc, n + 1)))
		return dfd_error_set(
			err, -EINVAL,
			"BAR %" PRIu32 " cannot be a 64-bit BAR: it takes two memory BARs", n);
	return 0;
}

static int check_msix(const struct dfd_desc *desc, const struct dfd_pci_setup *setup,
		      struct dfd_error *err)
{
	uint64_t vectors = dfd_desc_vectors(desc, DFD_PCI_MSIX), pba = 8 * ((vectors + 63) / 64);
	const struct dfd_region *r = dfd_desc_region(desc, setup->msix_bar);
	uint64_t table_end = setup->msix_table + 16 * vectors, pba_end = setup->msix_pba + pba;

	if (!vectors)
		return 0;
	if (setup->msix_bar > 5 || !r || setup->msix_table % 8 || setup->msix_pba % 8 ||
	    table_end > r->size || pba_end > r->size)
		return dfd_error_set(err, -EINVAL,
				     "MSI-X: table and pending bits do not fit into BAR %u",
				     setup->msix_bar);
	if (setup->msix_table < pba_end && setup->msix_pba < table_end)
		return dfd_error_set(err, -EINVAL,
				     "MSI-X: table and pending bits overlap in BAR %u",
				     setup->msix_bar);
	return 0;
}

static int build_config(struct model_host *h, const struct dfd_desc *desc, struct dfd_error *err)
{
	const struct dfd_region *config = dfd_desc_region(desc, DFD_PCI_CONFIG);
	const struct dfd_region *rom = dfd_desc_region(desc, DFD_PCI_ROM);
	struct dfd_pci_layout layout = {
		.size = config ? (uint32_t)config->size : 0,
		.vendor = (uint16_t)number(desc, DFD_FACT_VENDOR_ID),
		.device = (uint16_t)number(desc, DFD_FACT_DEVICE_ID),
		.subsystem_vendor = (uint16_t)number(desc, DFD_FACT_SUBSYSTEM_VENDOR_ID),
		.subsystem = (uint16_t)number(desc, DFD_FACT_SUBSYSTEM_ID),
		.class_code = number(desc, DFD_FACT_CLASS_CODE),
		.revision = (uint8_t)number(desc, DFD_FACT_REVISION_ID),
		.intx = dfd_desc_vectors(desc, DFD_PCI_INTX) != 0,
		.rom_size = rom ? rom->size : 0,
		.msi_vectors = dfd_desc_vectors(desc, DFD_PCI_MSI),
		.msix_vectors = dfd_desc_vectors(desc, DFD_PCI_MSIX),
		.msix_bar = h->setup.msix_bar,
		.msix_table = h->setup.msix_table,
		.msix_pba = h->setup.msix_pba,
	};
	int ret = 0;

	if (!config || (config->size != 256 && config->size != 4096))
		return dfd_error_set(
			err, -EINVAL,
			"a PCI model needs region 7, configuration space, of 256 or 4096 bytes");
	if (rom && (!power_of_two(rom->size) || rom->size < 2048 || rom->size > UINT64_C(1) << 31))
		return dfd_error_set(err, -EINVAL,
				     "ROM: size 0x%" PRIx64 " is not a power of two from 2048 up",
				     rom->size);
	for (uint32_t n = 0; n < 6 && !ret; n++)
		ret = layout_bar(desc, &h->setup, n, &layout.bars[n], err);
	if (!ret)
		ret = check_msix(desc, &h->setup, err);
	if (!ret)
		dfd_pci_config_init(&h->config, &layout);
	return ret;
}

static int host_new(struct dfd_device *dev, const struct dfd_pci_setup *pci, struct dfd_error *err)
{
	struct model_host *h = calloc(1, sizeof(*h));
	int ret = 0;

	if (!h)
		return dfd_error_set(err, -ENOMEM, "out of memory for a device model");
	h->base.ops = &host_ops;
	h->dev = dev;
	h->epoll_fd = h->timer_fd = -1;
	for (unsigned int i = 0; i < DFD_MAX_TIMERS; i++)
		set_deadline(h, i, DEADLINE_OFF);
	dma_requests_init(&h->requests);
	dma_requests_attach(&h->requests, dev);
	h->requests.written = host_dma_written;
	h->is_pci = dfd_desc_bus(dev->desc) == DFD_BUS_PCI;
	if (pci)
		h->setup = *pci;
	dev->model = h;
	if (h->is_pci)
		ret = build_config(h, dev->desc, err);
	if (!ret && host_irq_init(h))
		ret = dfd_error_set(err, -ENOMEM, "out of memory for a device model");
	return ret;
}

int dfd_model_new(const struct dfd_desc *desc, const struct dfd_device_ops *ops, void *priv,
		  const struct dfd_pci_setup *pci, struct dfd_device **out, struct dfd_error *err)
{
	static const struct dfd_device_ops nothing = { .size = sizeof(nothing) };
	struct dfd_device *dev;
	int ret;

	if (!device_ops_valid(ops))
		return dfd_error_set(
			err, -EINVAL,
			"struct dfd_device_ops has a size of %zu; set .size to its sizeof",
			ops->size);
	ret = dfd_device_new(desc, &nothing, priv, true, &dev);
	if (ret)
		return dfd_error_set(err, ret, "out of memory for a device model");
	ret = host_new(dev, pci, err);
	if (ret) {
		dfd_device_close(dev); /* with no ops yet: priv stays the caller's */
		return ret;
	}
	dev->ops = ops;
	*out = dev;
	return 0;
}

void model_host_shutdown(struct model_host *h)
{
	device_enter(h->dev);
	stop_all(h);
	device_leave(h->dev);
}

void model_host_free(struct model_host *h)
{
	host_irq_finish(h);
	host_dma_finish(h);
	model_host_close_poll_fds(h);
	dma_requests_finish(&h->requests);
	free(h);
}

/* ---- the functions of provider.h: each goes through the table, so that a host can be another ----
 */

int dfd_timer(struct dfd_host *host, unsigned int id, uint64_t ns)
{
	return host->ops->timer(host, id, ns);
}

void *dfd_dma_get(struct dfd_host *host, uint64_t iova, uint64_t len, uint32_t prot)
{
	return host->ops->dma_get(host, iova, len, prot);
}

void dfd_dma_put(struct dfd_host *host, void *ptr, uint64_t written)
{
	host->ops->dma_put(host, ptr, written);
}

int dfd_dma_read(struct dfd_host *host, uint64_t iova, void *buf, size_t len, dfd_dma_done done,
		 void *ctx)
{
	return host->ops->dma_read(host, iova, buf, len, done, ctx);
}

int dfd_dma_write(struct dfd_host *host, uint64_t iova, const void *buf, size_t len,
		  dfd_dma_done done, void *ctx)
{
	return host->ops->dma_write(host, iova, buf, len, done, ctx);
}

void dfd_irq_level(struct dfd_host *host, uint32_t index, bool asserted)
{
	host->ops->irq_level(host, index, asserted);
}

void dfd_irq_message(struct dfd_host *host, uint32_t index, uint32_t vector)
{
	host->ops->irq_message(host, index, vector);
}

bool dfd_irq_enabled(struct dfd_host *host, uint32_t index)
{
	return host->ops->irq_enabled(host, index);
}
