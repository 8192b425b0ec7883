/* SPDX-License-Identifier: MIT */
/*
 * Writes that a client need not send: an eventfd stands for each (REGION_IO_FDS, ioeventfd).
 *
 * Theory of operation: the device names writes that do the same once or twice, as an eventfd does
 * not say how often it was signalled. The client signals it, or lets KVM do that when the guest
 * writes that value there. The write counts as the last thing that the client has said: what it had
 * sent by the socket before is handled first.
 */
#include <endian.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device/device.h"
#include "user/session.h"
#include "util/eventfd.h"

void session_bells_finish(struct session *s)
{
	struct bells *b = &s->bells;

	if (!b->open)
		return;
	for (unsigned int i = 0; i < b->count; i++)
		close(b->fds[i]);
	close(b->epoll_fd);
	*b = (struct bells){ 0 };
}

static int add_bell(struct bells *b)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	b->fds[b->count++] = fd;
	return epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* All at once, when the first is asked for. */
static int open_bells(struct session *s)
{
	struct bells *b = &s->bells;
	uint32_t count;
	int ret = 0;

	if (b->open)
		return 0;
	device_doorbells(s->target->dev, &count);
	b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll_fd < 0)
		return -errno;
	b->open = true;
	for (uint32_t i = 0; i < count && i < MAX_BELLS && !ret; i++)
		ret = add_bell(b);
	if (ret)
		session_bells_finish(s);
	return ret;
}

int session_bells_list(struct session *s, uint32_t region, struct user_io_fd list[MAX_BELLS],
		       int fds[MAX_BELLS])
{
	uint32_t count;
	const struct dfd_doorbell *d = device_doorbells(s->target->dev, &count);
	uint32_t found = 0, max = s->peer.max_fds < MAX_BELLS ? s->peer.max_fds : MAX_BELLS;

	for (uint32_t i = 0; i < count && i < MAX_BELLS && found < max; i++) {
		int ret = d[i].region == region ? open_bells(s) : 1;

		if (ret < 0)
			return ret;
		if (ret)
			continue;
		list[found] = (struct user_io_fd){ .offset = d[i].offset,
						   .size = d[i].size,
						   .fd_index = found,
						   .flags = USER_IO_FD_DATAMATCH,
						   .value = d[i].value };
		fds[found++] = s->bells.fds[i];
	}
	return (int)found;
}

void session_bells_take(struct session *s)
{
	struct bells *b = &s->bells;
	struct conn *c = &s->conn;
	int waiting = 0;

	for (unsigned int i = 0; i < b->count; i++) {
		if (dfd_eventfd_take(b->fds[i]))
			b->rung |= UINT32_C(1) << i;
	}
	if (ioctl(c->fd, FIONREAD, &waiting) < 0)
		waiting = 0;
	b->after = c->in_position + (c->in.end - c->in.start) + (uint64_t)waiting;
}

void session_bells_run(struct session *s)
{
	struct bells *b = &s->bells;
	uint32_t count;
	const struct dfd_doorbell *d;

	if (!b->rung || s->conn.in_position < b->after)
		return;
	d = device_doorbells(s->target->dev, &count);
	for (uint32_t i = 0; i < b->count; i++) {
		const struct user_access a = { d[i].offset, d[i].region, d[i].size };
		const uint64_t value = htole64(d[i].value);
		int ret = 0;

		if (b->rung >> i & 1)
			ret = session_write(s, &a, (const uint8_t *)&value);
		if (ret)
			session_refused(s, USER_REGION_WRITE, ret);
	}
	b->rung = 0;
}

void session_bells_drop(struct session *s)
{
	for (unsigned int i = 0; i < s->bells.count; i++)
		dfd_eventfd_take(s->bells.fds[i]);
	s->bells.rung = 0;
}
