/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of a device of the kernel's VFIO.
 *
 * Theory of operation: MSI, and with kernels before 6.5 MSI-X, have as many vectors as they were
 * first enabled with (NORESIZE), and the kernel refuses any more. Who hands in the whole list has
 * said all that it takes to enable them anew, so that is done. Who adds one vector has not.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "abi/vfio.h"
#include "kernel/irqs.h"

_Static_assert(DFD_IRQ_HAS_EVENTFD == VFIO_IRQ_INFO_EVENTFD &&
		       DFD_IRQ_HAS_MASK == VFIO_IRQ_INFO_MASKABLE &&
		       DFD_IRQ_AUTOMASKS == VFIO_IRQ_INFO_AUTOMASKED &&
		       DFD_IRQ_NORESIZE == VFIO_IRQ_INFO_NORESIZE,
	       "told as they come");
#include "util/eventfd.h"

#define ROUTE (DFD_IRQ_DATA_EVENTFD | DFD_IRQ_ACTION_TRIGGER)

static int send(const struct kernel_calls *calls, int fd, const struct dfd_irq_set *set)
{
	struct {
		struct vfio_irq_set head;
		uint8_t data[DFD_MAX_IRQ_COUNT * sizeof(int32_t)];
	} arg = { .head = { .flags = set->flags,
			    .index = set->index,
			    .start = set->start,
			    .count = set->count } };
	size_t len = 0;

	if (set->flags & DFD_IRQ_DATA_EVENTFD)
		len = set->count * sizeof(int32_t);
	else if (set->flags & DFD_IRQ_DATA_BOOL)
		len = set->count;
	if (len > sizeof(arg.data))
		return -EINVAL;
	if (len)
		memcpy(arg.data,
		       set->flags & DFD_IRQ_DATA_BOOL ? (const void *)set->bools : set->fds, len);
	arg.head.argsz = (uint32_t)(sizeof(arg.head) + len);
	return calls->ioctl(fd, VFIO_DEVICE_SET_IRQS, &arg);
}

int irqs_flags(const struct kernel_calls *calls, int fd, uint32_t index, uint32_t *flags)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };
	int ret = calls->ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, &info);

	if (!ret)
		*flags = info.flags;
	return ret;
}

static bool keeps_size(const struct kernel_calls *calls, int fd, uint32_t index)
{
	uint32_t flags;

	return !irqs_flags(calls, fd, index, &flags) && (flags & DFD_IRQ_NORESIZE);
}

static bool all_eventfds(const struct dfd_irq_set *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (set->fds[i] >= 0 && !dfd_is_eventfd(set->fds[i]))
			return false;
	}
	return true;
}

int irqs_set(const struct kernel_calls *calls, int fd, const struct dfd_irq_set *set,
	     struct dfd_error *why)
{
	const struct dfd_irq_set off = { .flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_TRIGGER,
					 .index = set->index };
	int ret = send(calls, fd, set);

	why->text[0] = '\0';
	if (ret > 0)
		dfd_error_set(why, ret,
			      "interrupt %" PRIu32 ": of %" PRIu32 " vectors the kernel can give "
			      "%d; enable that many",
			      set->index, set->start + set->count, ret);
	if (ret != -EINVAL || set->flags != ROUTE || !all_eventfds(set) ||
	    !keeps_size(calls, fd, set->index))
		return ret;
	if (set->start)
		return dfd_error_set(
			why, ret,
			"interrupt %" PRIu32 ": this kernel does not add vectors to "
			"those that are enabled; route all of them, from 0 on, at once",
			set->index);
	/* One that is off already takes that, too, unless another kind is on: which stays. */
	ret = send(calls, fd, &off);
	return ret < 0 ? ret : send(calls, fd, set);
}

/* One that has no mask refuses it, which is as good. */
void irqs_forget_mask(const struct kernel_calls *calls, int fd, uint32_t index)
{
	const struct dfd_irq_set unmask = { .flags = DFD_IRQ_DATA_NONE | DFD_IRQ_ACTION_UNMASK,
					    .index = index,
					    .count = 1 };

	send(calls, fd, &unmask);
}
