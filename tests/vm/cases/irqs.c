/* SPDX-License-Identifier: MIT */
/* Interrupts: every kind, routed, triggered by hand, masked, and used in the wrong way. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cases.h"

#define MAX_VECTORS 8u
#define MASK	    (DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_MASK)
#define UNMASK	    (DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_UNMASK)
#define RESAMPLE    (DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_UNMASK)

/* An edu, which can be made to raise its line. */
#define EDU_ID	  0x010000edu
#define EDU_RAISE 0x60
#define EDU_CLEAR 0x64

int new_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static int set_from(uint32_t flags, uint32_t index, uint32_t start, uint32_t count,
		    const int32_t *fds)
{
	static const uint8_t ones[MAX_VECTORS] = { 1, 1, 1, 1, 1, 1, 1, 1 };

	return dfd_set_irqs(dev, &(struct dfd_irq_set){ .flags = flags,
							.index = index,
							.start = start,
							.count = count,
							.fds = fds,
							.bools = ones });
}

int set_irq(uint32_t flags, uint32_t index, uint32_t count, int fd)
{
	const int32_t fds[] = { fd };

	return set_from(flags, index, 0, count, fds);
}

static void off(uint32_t index)
{
	set_irq(LOOPBACK, index, 0, -1);
}

bool came(int fd, int ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	uint64_t count;

	for (int left = ms; left > 0; left -= 10) {
		dfd_device_service(dev);
		if (poll(&wait, 1, 10) == 1)
			return read(fd, &count, sizeof(count)) == sizeof(count);
	}
	return false;
}

static uint32_t vectors(uint32_t index)
{
	return dfd_desc_vectors(dfd_device_desc(dev), index);
}

/* A wired interrupt that has a mask. */
static bool has_level(void)
{
	const struct dfd_irq *wired = dfd_desc_irq(dfd_device_desc(dev), 0);

	return wired && (wired->flags & DFD_IRQ_LEVEL);
}

/* Which kind of messages there is, MSI-X before MSI; -1: none. */
static int message_index(void)
{
	if (!is_pci())
		return -1;
	if (vectors(DFD_PCI_MSIX))
		return DFD_PCI_MSIX;
	return vectors(DFD_PCI_MSI) ? DFD_PCI_MSI : -1;
}

/* ---- each kind ---- */

/* What @act answers while the interrupt is routed to an eventfd, which it gets; then it is off. */
static const char *while_routed(uint32_t index, uint32_t flags,
				const char *(*act)(uint32_t index, uint32_t flags, int fd))
{
	int fd = new_eventfd(), ret = set_irq(ROUTE, index, 1, fd);
	const char *answer = ret ? result(ret) : act(index, flags, fd);

	ret = set_irq(LOOPBACK, index, 0, -1);
	close(fd);
	return ret && !strcmp(answer, "ok") ? "not off" : answer;
}

static const char *act_trigger(uint32_t index, uint32_t flags, int fd)
{
	int ret = set_irq(flags, index, 1, -1);

	return ret ? result(ret) : came(fd, WAIT_MS) ? "ok" : "nothing came";
}

/* Triggered by hand, with @flags. */
static const char *trigger(uint32_t index, uint32_t flags)
{
	return vectors(index) ? while_routed(index, flags, act_trigger) : NONE;
}

static const char *irq_wired(void)
{
	return trigger(0, LOOPBACK);
}

static const char *irq_wired_bool(void)
{
	return trigger(0, DFD_IRQ_DATA_BOOL | DFD_IRQ_ACTION_TRIGGER);
}

static const char *irq_msi(void)
{
	return is_pci() ? trigger(DFD_PCI_MSI, LOOPBACK) : NONE;
}

static const char *irq_msix(void)
{
	return is_pci() ? trigger(DFD_PCI_MSIX, LOOPBACK) : NONE;
}

static const char *irq_err(void)
{
	return is_pci() ? trigger(DFD_PCI_ERR, LOOPBACK) : NONE;
}

static const char *irq_req(void)
{
	return is_pci() ? trigger(DFD_PCI_REQ, LOOPBACK) : NONE;
}

/* ---- many vectors ---- */

/* Only the last one is triggered, so that only the last one comes. */
static const char *last_of(const int32_t *fds, uint32_t index, uint32_t count)
{
	int ret = set_from(ROUTE, index, 0, count, fds);

	if (!ret)
		ret = set_from(LOOPBACK, index, count - 1, 1, NULL);
	if (ret)
		return result(ret);
	if (!came(fds[count - 1], WAIT_MS))
		return "nothing came";
	for (uint32_t v = 0; v + 1 < count; v++) {
		if (came(fds[v], 10))
			return "another came";
	}
	return "ok";
}

static const char *irq_vectors(void)
{
	int32_t fds[MAX_VECTORS];
	int index = message_index();
	uint32_t count = index < 0 ? 0 : vectors((uint32_t)index);
	const char *answer;

	if (count < 2)
		return NONE;
	if (count > MAX_VECTORS)
		count = MAX_VECTORS;
	for (uint32_t v = 0; v < count; v++)
		fds[v] = new_eventfd();
	answer = last_of(fds, (uint32_t)index, count);
	off((uint32_t)index);
	for (uint32_t v = 0; v < count; v++)
		close(fds[v]);
	return answer;
}

static const char *irq_past_vectors(void)
{
	int index = message_index(), fd = new_eventfd(), ret;

	if (index >= 0)
		ret = set_from(ROUTE, (uint32_t)index, vectors((uint32_t)index), 1,
			       (const int32_t[]){ fd });
	else
		ret = set_from(ROUTE, 0, vectors(0), 1, (const int32_t[]){ fd });
	close(fd);
	return result(ret);
}

static const char *act_unroute(uint32_t index, uint32_t flags, int fd)
{
	int ret = set_irq(flags, index, 1, -1);

	if (!ret)
		ret = set_irq(LOOPBACK, index, 1, -1);
	return !ret && came(fd, SOON_MS) ? "still comes" : result(ret);
}

/* Routed to nothing: it is still on, and triggering it does no harm. */
static const char *irq_unrouted(void)
{
	int index = message_index();

	return index < 0 ? NONE : while_routed((uint32_t)index, ROUTE, act_unroute);
}

/* ---- masks ---- */

static const char *act_unmask(uint32_t index, uint32_t flags, int fd)
{
	int ret = set_irq(flags, index, 1, -1);

	(void)fd;
	return result(ret ? ret : set_irq(UNMASK, index, 1, -1));
}

static const char *irq_mask(void)
{
	return has_level() ? while_routed(0, MASK, act_unmask) : NONE;
}

static const char *act_masked(uint32_t index, uint32_t flags, int fd)
{
	int ret = set_irq(flags, index, 1, -1);

	if (!ret)
		ret = set_irq(LOOPBACK, index, 1, -1);
	return ret ? result(ret) : came(fd, SOON_MS) ? "came" : "nothing came";
}

/* A trigger by hand is a test of the eventfd, which no mask keeps back. */
static const char *irq_masked(void)
{
	return has_level() ? while_routed(0, MASK, act_masked) : NONE;
}

static const char *irq_mask_off(void)
{
	return has_level() ? result(set_irq(MASK, 0, 1, -1)) : NONE;
}

static const char *act_with_another(uint32_t index, uint32_t flags, int fd)
{
	int other = new_eventfd(), ret = set_irq(flags, index, 1, other);

	(void)fd;
	close(other);
	return result(ret);
}

/* @flags, with an eventfd, for an interrupt that is on. */
static const char *with_eventfd(uint32_t flags, uint32_t index)
{
	return while_routed(index, flags, act_with_another);
}

static const char *irq_mask_eventfd(void)
{
	return has_level() ? with_eventfd(DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_MASK, 0) : NONE;
}

static const char *irq_resample(void)
{
	return has_level() ? with_eventfd(RESAMPLE, 0) : NONE;
}

static const char *irq_message_mask(void)
{
	int index = message_index();

	return index < 0 ? NONE : with_eventfd(MASK, (uint32_t)index);
}

static const char *irq_req_mask(void)
{
	if (!is_pci() || !vectors(DFD_PCI_REQ))
		return NONE;
	return with_eventfd(MASK, DFD_PCI_REQ);
}

/* ---- the line of an edu ---- */

static bool is_edu(void)
{
	uint32_t id = 0;

	return is_pci() && has_level() && dfd_region_read(dev, 0, 0, &id, 4) == 4 && id == EDU_ID;
}

static void put(uint64_t reg, uint32_t value)
{
	dfd_region_write(dev, 0, reg, &value, sizeof(value));
}

/* Masked on delivery, and again for as long as the line is up when the other eventfd unmasks it. */
static const char *resampled(int fd, int unmask)
{
	put(EDU_RAISE, 1);
	if (!came(fd, WAIT_MS))
		return "nothing came";
	if (came(fd, SOON_MS))
		return "not masked";
	eventfd_write(unmask, 1);
	if (!came(fd, WAIT_MS))
		return "not again";
	put(EDU_CLEAR, 1);
	eventfd_write(unmask, 1);
	if (came(fd, SOON_MS))
		return "for nothing";
	put(EDU_RAISE, 1);
	return came(fd, WAIT_MS) ? "ok" : "not once more";
}

static const char *irq_line(void)
{
	int fd, unmask, ret;
	const char *answer;

	if (!is_edu())
		return NONE;
	fd = new_eventfd();
	unmask = new_eventfd();
	ret = set_irq(ROUTE, 0, 1, fd);
	if (!ret)
		ret = set_irq(RESAMPLE, 0, 1, unmask);
	answer = ret ? result(ret) : resampled(fd, unmask);
	put(EDU_CLEAR, 1);
	off(0);
	close(fd);
	close(unmask);
	return answer;
}

/* A line that is up stays unheard while it is masked, and is heard when the mask goes. */
static const char *masked_line(int fd)
{
	int ret = set_irq(MASK, 0, 1, -1);

	if (ret)
		return result(ret);
	put(EDU_RAISE, 1);
	if (came(fd, SOON_MS))
		return "not masked";
	ret = set_irq(UNMASK, 0, 1, -1);
	return ret ? result(ret) : came(fd, WAIT_MS) ? "ok" : "nothing came";
}

static const char *irq_masked_line(void)
{
	const char *answer;
	int fd, ret;

	if (!is_edu())
		return NONE;
	fd = new_eventfd();
	ret = set_irq(ROUTE, 0, 1, fd);
	answer = ret ? result(ret) : masked_line(fd);
	put(EDU_CLEAR, 1);
	off(0);
	close(fd);
	return answer;
}

/* The message of an edu goes nowhere without bus mastering. */
static const char *irq_message(void)
{
	const char *answer = "ok";
	int fd, ret;

	if (!is_edu() || !vectors(DFD_PCI_MSI))
		return NONE;
	fd = new_eventfd();
	ret = set_irq(ROUTE, DFD_PCI_MSI, 1, fd);
	put(EDU_RAISE, 1);
	if (ret)
		answer = result(ret);
	else if (came(fd, SOON_MS))
		answer = "came without";
	put(EDU_CLEAR, 1);
	set_master(true);
	put(EDU_RAISE, 1);
	if (!ret && !came(fd, WAIT_MS))
		answer = "nothing came";
	put(EDU_CLEAR, 1);
	set_master(false);
	off(DFD_PCI_MSI);
	close(fd);
	return answer;
}

/* ---- in the wrong way ---- */

static const char *irq_two_kinds(void)
{
	int fd, ret;

	if (!is_pci() || !vectors(DFD_PCI_MSI) || !vectors(DFD_PCI_INTX))
		return NONE;
	fd = new_eventfd();
	if (set_irq(ROUTE, DFD_PCI_INTX, 1, fd)) {
		close(fd);
		return NONE;
	}
	ret = set_irq(ROUTE, DFD_PCI_MSI, 1, fd);
	off(DFD_PCI_MSI);
	off(DFD_PCI_INTX);
	close(fd);
	return result(ret);
}

static const char *irq_bad_fd(void)
{
	int fd, ret;

	if (!vectors(0))
		return NONE;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ret = set_irq(ROUTE, 0, 1, fd);
	if (!ret)
		off(0);
	close(fd);
	return result(ret);
}

static const char *irq_closed_fd(void)
{
	int ret;

	if (!vectors(0))
		return NONE;
	ret = set_irq(ROUTE, 0, 1, 900);
	if (!ret)
		off(0);
	return result(ret);
}

static const char *irq_bad_index(void)
{
	return result(set_irq(LOOPBACK, 900, 1, -1));
}

static const char *irq_two_actions(void)
{
	return result(set_irq(LOOPBACK | DFD_IRQ_ACTION_MASK, 0, 1, -1));
}

static const char *irq_no_action(void)
{
	return result(set_irq(DFD_IRQ_DATA_NONE, 0, 1, -1));
}

static const char *irq_two_data(void)
{
	return result(set_irq(LOOPBACK | DFD_IRQ_DATA_BOOL, 0, 1, -1));
}

static const char *irq_wired_idle(void)
{
	return vectors(0) ? result(set_irq(LOOPBACK, 0, 1, -1)) : NONE;
}

static const char *irq_message_idle(void)
{
	int index = message_index();

	return index < 0 ? NONE : result(set_irq(LOOPBACK, (uint32_t)index, 1, -1));
}

static const char *irq_off_twice(void)
{
	int index = message_index();

	return index < 0 ? NONE : result(set_irq(LOOPBACK, (uint32_t)index, 0, -1));
}

const struct test irq_tests[] = {
	{ "irq-wired", "ok", irq_wired },
	{ "irq-wired-bool", "ok", irq_wired_bool },
	{ "irq-msi", "ok", irq_msi },
	{ "irq-msix", "ok", irq_msix },
	{ "irq-err", "ok", irq_err },
	{ "irq-req", "ok", irq_req },
	{ "irq-vectors", "ok", irq_vectors },
	{ "irq-past-vectors", "EINVAL", irq_past_vectors },
	{ "irq-unrouted", "ok", irq_unrouted },
	{ "irq-mask", "ok", irq_mask },
	{ "irq-masked", "came", irq_masked },
	{ "irq-mask-off", "EINVAL", irq_mask_off },
	{ "irq-mask-eventfd", "ENOTTY", irq_mask_eventfd },
	{ "irq-resample", "ok", irq_resample },
	{ "irq-message-mask", "ENOTTY", irq_message_mask },
	{ "irq-req-mask", "ENOTTY", irq_req_mask },
	{ "irq-line", "ok", irq_line },
	{ "irq-masked-line", "ok", irq_masked_line },
	{ "irq-message", "ok", irq_message },
	{ "irq-two-kinds", "EINVAL", irq_two_kinds },
	{ "irq-bad-fd", "EINVAL", irq_bad_fd },
	{ "irq-closed-fd", "EBADF", irq_closed_fd },
	{ "irq-bad-index", "EINVAL", irq_bad_index },
	{ "irq-two-actions", "EINVAL", irq_two_actions },
	{ "irq-no-action", "EINVAL", irq_no_action },
	{ "irq-two-data", "EINVAL", irq_two_data },
	{ "irq-wired-idle", "EINVAL", irq_wired_idle },
	{ "irq-message-idle", "EINVAL", irq_message_idle },
	{ "irq-off-twice", "EINVAL", irq_off_twice },
	{ 0 },
};
