/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of a model: lines, messages, masks, and the driver's eventfds.
 *
 * Theory of operation: each index has as many vectors as the description gives. A wired interrupt
 * has a line (`asserted`); a vector of MSI or MSI-X has none. `deliver` is the one place that
 * signals an eventfd on behalf of the device. What cannot be delivered because of a mask becomes
 * pending and is delivered once when the mask goes. A level interrupt masks itself on delivery; its
 * pending state is simply the line.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "device/host.h"
#include "util/eventfd.h"

static struct model_host *from_base(struct dfd_host *host)
{
	return (struct model_host *)host;
}

static struct host_irq *find(struct model_host *h, uint32_t index)
{
	return index < h->num_irqs && h->irqs[index].count ? &h->irqs[index] : NULL;
}

static bool is_wired(const struct model_host *h, const struct host_irq *irq)
{
	return !h->is_pci || irq == &h->irqs[DFD_PCI_INTX];
}

/* @num_irqs counts those that are whole, so that host_irq_finish() is right after any failure. */
int host_irq_init(struct model_host *h)
{
	const struct dfd_desc *desc = h->dev->desc;
	uint32_t limit = dfd_desc_irq_limit(desc);

	h->irqs = calloc(limit ? limit : 1, sizeof(*h->irqs));
	if (!h->irqs)
		return -ENOMEM;
	for (; h->num_irqs < limit; h->num_irqs++) {
		struct host_irq *irq = &h->irqs[h->num_irqs];
		const struct dfd_irq *wired = dfd_desc_irq(desc, h->num_irqs);
		uint32_t count = dfd_desc_vectors(desc, h->num_irqs);

		irq->unmask_fd = -1;
		irq->flags = wired ? wired->flags : DFD_IRQ_MASKABLE;
		irq->vectors = calloc(count ? count : 1, sizeof(*irq->vectors));
		if (!irq->vectors)
			return -ENOMEM;
		irq->count = count;
		for (uint32_t v = 0; v < count; v++)
			irq->vectors[v].fd = -1;
	}
	return 0;
}

/* ---- delivery ---- */

static bool intx_disabled(const struct model_host *h, const struct host_irq *irq)
{
	return h->is_pci && is_wired(h, irq) &&
	       (dfd_pci_config_command(&h->config) & DFD_PCI_COMMAND_INTX_DISABLE);
}

static void deliver(struct model_host *h, struct host_irq *irq, uint32_t vector)
{
	struct vector *v = &irq->vectors[vector];

	if (v->masked || intx_disabled(h, irq)) {
		v->pending = true;
		return;
	}
	v->pending = false;
	if (vector >= irq->enabled)
		return;
	if (irq->flags & DFD_IRQ_LEVEL)
		v->masked = true;
	if (v->fd >= 0)
		dfd_signal(h->signaller, v->fd);
}

/* A mask has gone: deliver what waited for that. */
static void deliver_waiting(struct model_host *h, struct host_irq *irq, uint32_t vector)
{
	bool waits = irq->flags & DFD_IRQ_LEVEL ? irq->asserted : irq->vectors[vector].pending;

	if (waits && !irq->vectors[vector].masked)
		deliver(h, irq, vector);
}

void host_irq_level(struct dfd_host *host, uint32_t index, bool asserted)
{
	struct model_host *h = from_base(host);
	struct host_irq *irq = find(h, index);
	bool was;

	if (!irq || !is_wired(h, irq))
		return;
	was = irq->asserted;
	irq->asserted = asserted;
	if (h->is_pci)
		dfd_pci_config_set_intx_status(&h->config, asserted);
	for (uint32_t v = 0; asserted && !was && v < irq->count; v++)
		deliver(h, irq, v);
}

/* MSI and MSI-X are writes to memory: with bus mastering off they go nowhere. */
static bool can_send(const struct model_host *h, uint32_t index)
{
	bool is_write = h->is_pci && (index == DFD_PCI_MSI || index == DFD_PCI_MSIX);

	return !is_write || host_bus_master(h);
}

void host_irq_message(struct dfd_host *host, uint32_t index, uint32_t vector)
{
	struct model_host *h = from_base(host);
	struct host_irq *irq = find(h, index);

	/* A vector that the driver has not enabled is lost, unless its mask keeps it. */
	if (irq && !is_wired(h, irq) && vector < irq->enabled && can_send(h, index))
		deliver(h, irq, vector);
}

bool host_irq_enabled(struct dfd_host *host, uint32_t index)
{
	struct host_irq *irq = find(from_base(host), index);

	return irq && irq->enabled;
}

uint8_t host_irq_pending_byte(const struct model_host *h, uint64_t offset)
{
	const struct host_irq *irq = &h->irqs[DFD_PCI_MSIX];
	uint8_t bits = 0;

	for (uint32_t bit = 0; bit < 8; bit++) {
		uint64_t v = 8 * offset + bit;

		if (v < irq->count && irq->vectors[v].pending)
			bits |= (uint8_t)(1u << bit);
	}
	return bits;
}

void host_irq_command_changed(struct model_host *h)
{
	struct host_irq *irq = find(h, DFD_PCI_INTX);

	if (irq && !intx_disabled(h, irq))
		deliver_waiting(h, irq, 0);
}

/* ---- routing ---- */

static void unwatch(struct model_host *h, struct host_irq *irq)
{
	if (irq->unmask_fd < 0)
		return;
	if (h->epoll_fd >= 0)
		epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, irq->unmask_fd, NULL);
	close(irq->unmask_fd);
	irq->unmask_fd = -1;
	h->unmask_fds--;
}

static int watch(const struct model_host *h, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (h->epoll_fd < 0)
		return 0;
	return epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int host_irq_watch_all(struct model_host *h)
{
	int ret = 0;

	for (uint32_t i = 0; i < h->num_irqs && !ret; i++) {
		if (h->irqs[i].unmask_fd >= 0)
			ret = watch(h, h->irqs[i].unmask_fd);
	}
	return ret;
}

static void disable(struct model_host *h, struct host_irq *irq)
{
	unwatch(h, irq);
	for (uint32_t v = 0; v < irq->count; v++) {
		if (irq->vectors[v].fd >= 0)
			close(irq->vectors[v].fd);
		irq->vectors[v] = (struct vector){ .fd = -1 };
	}
	irq->enabled = 0;
}

/* INTx, MSI and MSI-X exclude each other. */
static bool other_enabled(const struct model_host *h, uint32_t index)
{
	if (!h->is_pci || index > DFD_PCI_MSIX)
		return false;
	for (uint32_t i = DFD_PCI_INTX; i <= DFD_PCI_MSIX; i++) {
		if (i != index && h->irqs[i].enabled)
			return true;
	}
	return false;
}

static void show_messages(struct model_host *h)
{
	if (h->is_pci)
		dfd_pci_config_set_messages(&h->config, h->irqs[DFD_PCI_MSI].enabled,
					    h->irqs[DFD_PCI_MSIX].enabled != 0);
}

static void close_all(int32_t *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(fds);
}

/* All or nothing: every fd is duplicated before the first is used. */
static int dup_all(const int32_t *fds, uint32_t count, int32_t **out)
{
	int32_t *mine = calloc(count ? count : 1, sizeof(*mine));

	if (!mine)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		mine[i] = fds[i] < 0 ? -1 : dfd_eventfd_dup(fds[i]);
		if (fds[i] >= 0 && mine[i] < 0) {
			int ret = mine[i];

			close_all(mine, i);
			return ret;
		}
	}
	*out = mine;
	return 0;
}

static int route(struct model_host *h, struct host_irq *irq, const struct dfd_irq_set *set)
{
	bool was_off = !irq->enabled;
	int32_t *fds;
	int ret;

	if (!set->count || other_enabled(h, set->index))
		return -EINVAL;
	ret = dup_all(set->fds, set->count, &fds);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < set->count; i++) {
		struct vector *v = &irq->vectors[set->start + i];

		if (v->fd >= 0)
			close(v->fd);
		v->fd = fds[i];
	}
	free(fds);
	if (irq->enabled < set->start + set->count)
		irq->enabled = set->start + set->count;
	show_messages(h);
	/* A line that is up already when the driver starts to listen is an interrupt. */
	for (uint32_t v = 0; was_off && is_wired(h, irq) && v < irq->enabled; v++)
		deliver_waiting(h, irq, v);
	return 0;
}

static bool selected(const struct dfd_irq_set *set, uint32_t i)
{
	return !(set->flags & DFD_IRQ_DATA_BOOL) || set->bools[i];
}

static int trigger(struct model_host *h, struct host_irq *irq, const struct dfd_irq_set *set)
{
	if (set->flags & DFD_IRQ_DATA_EVENTFD)
		return route(h, irq, set);
	if ((set->flags & DFD_IRQ_DATA_NONE) && !set->count) {
		disable(h, irq);
		show_messages(h);
		return 0;
	}
	if (!irq->enabled)
		return -EINVAL;
	/* Loopback: the eventfd is signalled as a test, past all masks. */
	for (uint32_t i = 0; i < set->count; i++) {
		if (selected(set, i) && irq->vectors[set->start + i].fd >= 0)
			dfd_signal(h->signaller, irq->vectors[set->start + i].fd);
	}
	return 0;
}

static int set_unmask_fd(struct model_host *h, struct host_irq *irq, int32_t fd)
{
	int mine = -1, ret = 0;

	if (fd >= 0) {
		mine = dfd_eventfd_dup(fd);
		if (mine < 0)
			return mine;
		ret = watch(h, mine);
		if (ret) {
			close(mine);
			return ret;
		}
	}
	unwatch(h, irq);
	irq->unmask_fd = mine;
	h->unmask_fds += mine >= 0;
	return 0;
}

static int mask(struct model_host *h, struct host_irq *irq, const struct dfd_irq_set *set)
{
	bool on = set->flags & DFD_IRQ_ACTION_MASK;

	if (!(irq->flags & DFD_IRQ_MASKABLE))
		return -EINVAL;
	if (!irq->enabled)
		return -EINVAL;
	if (set->flags & DFD_IRQ_DATA_EVENTFD) {
		if (on || !is_wired(h, irq))
			return -ENOTTY;
		return set->count == 1 ? set_unmask_fd(h, irq, set->fds[0]) : -EINVAL;
	}
	for (uint32_t i = 0; i < set->count; i++) {
		uint32_t v = set->start + i;

		if (!selected(set, i))
			continue;
		irq->vectors[v].masked = on;
		if (!on)
			deliver_waiting(h, irq, v);
	}
	return 0;
}

int host_set_irqs(struct model_host *h, const struct dfd_irq_set *set)
{
	struct host_irq *irq = find(h, set->index);

	if (!irq)
		return -EINVAL;
	if (set->flags & DFD_IRQ_ACTION_TRIGGER)
		return trigger(h, irq, set);
	if (h->is_pci && set->index > DFD_PCI_MSIX)
		return -ENOTTY; /* ERR and REQ have no mask */
	return mask(h, irq, set);
}

/* Polled because the eventfd is the driver's: nobody calls in when it is signalled. */
void host_irq_poll_unmask(struct model_host *h)
{
	for (uint32_t i = 0; i < h->num_irqs; i++) {
		struct host_irq *irq = &h->irqs[i];

		if (irq->unmask_fd < 0 || !dfd_eventfd_take(irq->unmask_fd))
			continue;
		for (uint32_t v = 0; v < irq->count; v++) {
			irq->vectors[v].masked = false;
			deliver_waiting(h, irq, v);
		}
	}
}

void host_irq_reset(struct model_host *h)
{
	for (uint32_t i = 0; i < h->num_irqs; i++) {
		h->irqs[i].asserted = false;
		for (uint32_t v = 0; v < h->irqs[i].count; v++)
			h->irqs[i].vectors[v].pending = false;
	}
}

void host_irq_finish(struct model_host *h)
{
	for (uint32_t i = 0; i < h->num_irqs; i++) {
		disable(h, &h->irqs[i]);
		free(h->irqs[i].vectors);
	}
	free(h->irqs);
}
