/* SPDX-License-Identifier: MIT */
/*
 * Eventfds that write to a register when they are signalled (VFIO_DEVICE_IOEVENTFD).
 *
 * Theory of operation: in the kernel whoever signals such an eventfd does the write on the way.
 * Here the eventfds of a device are in an epoll set, and they are looked at whenever somebody takes
 * the device (core_lock()): so who signals and then reads a register finds it written. A loop or a
 * thread that is told of the set (side_watch()) takes the device for those that nobody follows up.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "abi/vfio.h"
#include "pci/caps.h"
#include "shim/ioeventfd.h"
#include "shim/server.h"
#include "shim/vfio.h"
#include "util/eventfd.h"
#include "util/usermem.h"

/* The kernel's limit for a device. */
#define MAX_BELLS 1000u

/* What is looked at in one go. */
#define BATCH 64

#define CONFIG_SIZE 256u
#define MSIX_ENTRY  16u
#define WIDTHS	    0xfu /* bytes, and a flag for each */

/**
 * struct rope - an eventfd
 * @fd: a duplicate of it
 * @id: its number in the kernel, or -1
 * @bells: those that hang on it
 */
struct rope {
	struct rope *next;
	int fd;
	int id;
	uint32_t bells;
};

/** struct bell - a write that an eventfd stands for */
struct bell {
	struct bell *next;
	struct rope *rope;
	uint32_t index;
	uint32_t size;
	uint64_t within;
	uint64_t value;
};

/** struct shim_bells - of a device; @watch: the epoll set */
struct shim_bells {
	struct shim_watch watch; /* the first member */
	struct shim_mount *mount;
	struct bell *list;
	struct rope *ropes;
	uint32_t count;
};

/* ---- being signalled ---- */

/* All that hang on it, the last one first, as in the kernel. */
static void ring(const struct shim_mount *m, const struct rope *r)
{
	if (!dfd_eventfd_take(r->fd))
		return;
	for (const struct bell *b = m->bells->list; b; b = b->next) {
		const uint64_t value = htole64(b->value);

		if (b->rope == r)
			dfd_region_write(m->dev, b->index, b->within, &value, b->size);
	}
}

void ioeventfd_run(struct shim_mount *m)
{
	struct epoll_event ready[BATCH];
	int n = BATCH;

	for (uint32_t seen = 0; n == BATCH && seen < m->bells->count; seen += BATCH) {
		n = epoll_wait(m->bells->watch.fd, ready, BATCH, 0);
		for (int i = 0; i < n; i++)
			ring(m, ready[i].data.ptr);
	}
}

static void signalled(struct shim_watch *w)
{
	struct shim_mount *m = ((struct shim_bells *)w)->mount;

	if (!core_lock(m))
		core_unlock(m);
}

/* ---- adding and removing; the device is locked ---- */

static int make_set(struct shim_mount *m)
{
	struct shim_bells *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	side_enter();
	*s = (struct shim_bells){ .watch = { epoll_create1(EPOLL_CLOEXEC), signalled },
				  .mount = m };
	side_leave();
	ret = s->watch.fd < 0 ? -errno : side_watch(&s->watch);
	if (!ret) {
		m->bells = s;
		return 0;
	}
	if (s->watch.fd >= 0)
		NEXT(close)(s->watch.fd);
	free(s);
	return ret;
}

static int keep_eventfd(int fd)
{
	int mine = dfd_user_fd(fd), keep;

	if (mine < 0)
		return mine;
	side_enter();
	keep = dfd_is_eventfd(mine) ? dfd_eventfd_dup(mine) : -EINVAL;
	side_leave();
	dfd_user_fd_done(mine);
	return keep;
}

/* @fd is ours. Return: 0 or a negative errno */
static int new_rope(struct shim_bells *s, int fd, int id, struct rope **out)
{
	struct rope *r = malloc(sizeof(*r));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = r };
	int ret;

	if (!r)
		return -ENOMEM;
	*r = (struct rope){ s->ropes, fd, id, 0 };
	ret = epoll_ctl(s->watch.fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
	if (ret) {
		free(r);
		return ret;
	}
	s->ropes = r;
	*out = r;
	return 0;
}

static struct rope *known_rope(const struct shim_bells *s, int id)
{
	struct rope *r = s->ropes;

	while (r && (id < 0 || r->id != id))
		r = r->next;
	return r;
}

/* One signal is for all writes of an eventfd, whatever numbers it has had. */
static int take_rope(struct shim_bells *s, int fd, struct rope **out)
{
	const int mine = keep_eventfd(fd);
	int id, ret = 0;

	if (mine < 0)
		return mine;
	side_enter();
	id = dfd_eventfd_id(mine);
	side_leave();
	*out = known_rope(s, id);
	if (!*out)
		ret = new_rope(s, mine, id, out);
	else
		NEXT(close)(mine);
	if (ret)
		NEXT(close)(mine);
	else
		(*out)->bells++;
	return ret;
}

static void leave_rope(struct shim_bells *s, struct rope *r)
{
	struct rope **at = &s->ropes;

	if (--r->bells)
		return;
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	/* The eventfd is still the program's, so closing ours would not take it out of the set. */
	epoll_ctl(s->watch.fd, EPOLL_CTL_DEL, r->fd, NULL);
	NEXT(close)(r->fd);
	free(r);
}

static int add(struct shim_mount *m, const struct bell *what, int fd)
{
	struct bell *b = malloc(sizeof(*b));
	int ret = b ? 0 : -ENOMEM;

	if (!ret && !m->bells)
		ret = make_set(m);
	if (!ret) {
		*b = *what;
		ret = take_rope(m->bells, fd, &b->rope);
	}
	if (ret) {
		free(b);
		return ret;
	}
	b->next = m->bells->list;
	m->bells->list = b;
	m->bells->count++;
	return 0;
}

static void remove_at(struct shim_bells *s, struct bell **at)
{
	struct bell *b = *at;

	*at = b->next;
	s->count--;
	leave_rope(s, b->rope);
	free(b);
}

static struct bell **find(struct shim_bells *s, const struct bell *what)
{
	struct bell **at = &s->list;

	while (*at && ((*at)->index != what->index || (*at)->within != what->within ||
		       (*at)->value != what->value || (*at)->size != what->size))
		at = &(*at)->next;
	return at;
}

static int change(struct shim_mount *m, const struct bell *what, int fd)
{
	struct bell *none = NULL, **at = m->bells ? find(m->bells, what) : &none;

	if (*at && fd >= 0)
		return -EEXIST;
	if (*at)
		remove_at(m->bells, at);
	else if (fd < 0)
		return -ENODEV;
	else if (m->bells && m->bells->count >= MAX_BELLS)
		return -ENOSPC;
	else
		return add(m, what, fd);
	return 0;
}

/* ---- what may be written ---- */

/* The table of MSI-X is the kernel's. */
static bool in_msix_table(struct dfd_device *dev, const struct bell *b)
{
	uint8_t config[CONFIG_SIZE] = { 0 };
	uint32_t bar, offset;
	int vectors;

	for (uint32_t at = 0; at < sizeof(config); at += 4)
		dfd_region_read(dev, DFD_PCI_CONFIG, at, config + at, 4);
	vectors = dfd_pci_msix_table(config, sizeof(config), &bar, &offset);
	return vectors > 0 && b->index == bar && b->within + b->size > offset &&
	       b->within < offset + (uint32_t)vectors * MSIX_ENTRY;
}

static int find_register(struct dfd_device *dev, uint64_t offset, struct bell *b)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);

	if (dfd_file_locate(desc, offset, &b->index, &b->within) || b->index >= DFD_PCI_ROM ||
	    b->size > dfd_desc_region(desc, b->index)->size - b->within)
		return -EINVAL;
	return in_msix_table(dev, b) ? -EINVAL : 0;
}

int ioeventfd_ioctl(struct shim_mount *m, const void *arg)
{
	struct vfio_device_ioeventfd in = { 0 };
	struct bell what = { 0 };
	int ret = vfio_get(&in, arg, offsetof(struct vfio_device_ioeventfd, reserved));

	if (ret)
		return ret;
	if ((in.flags & ~WIDTHS) || __builtin_popcount(in.flags) != 1 || in.fd < -1)
		return -EINVAL;
	what.size = in.flags;
	what.value = in.data;
	ret = core_lock(m);
	if (ret)
		return ret;
	ret = find_register(m->dev, in.offset, &what);
	if (!ret)
		ret = change(m, &what, in.fd);
	core_unlock(m);
	return ret;
}

void ioeventfd_release(struct shim_mount *m)
{
	while (m->bells && m->bells->list)
		remove_at(m->bells, &m->bells->list);
}

void ioeventfd_forked(struct shim_mount *m)
{
	struct rope *r;
	struct bell *b;

	if (!m->bells)
		return;
	while ((b = m->bells->list)) {
		m->bells->list = b->next;
		free(b);
	}
	/* The set is that of the parent, too, so nothing is taken out of it. */
	while ((r = m->bells->ropes)) {
		m->bells->ropes = r->next;
		NEXT(close)(r->fd);
		free(r);
	}
	NEXT(close)(m->bells->watch.fd);
	free(m->bells);
	m->bells = NULL;
}
