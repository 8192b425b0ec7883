/* SPDX-License-Identifier: MIT */
/*
 * What is served: devices with a socket each, and the clients that come there. A second client is
 * told that it is one.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "device/device.h"
#include "user/server.h"

/* ---- clients come ---- */

static void session_log(void *ctx, const char *text)
{
	server_say(ctx, DFD_SERVE_DEBUG, "%s", text);
}

/* An answer to the request that every client starts with. */
static void refuse(struct export *e, int fd)
{
	const struct user_header busy = { .command = USER_VERSION,
					  .size = sizeof(busy),
					  .flags = USER_TYPE_REPLY | USER_ERROR,
					  .error = EBUSY };

	server_say(e, DFD_SERVE_INFO, "a second client was sent away");
	if (send(fd, &busy, sizeof(busy), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		server_say(e, DFD_SERVE_DEBUG, "it did not wait to be told");
	close(fd);
}

static void begin(struct export *e, int fd)
{
	const struct timeval alone = { .tv_usec = SERVER_ALONE / 1000 };

	session_start(&e->session, &e->target, fd);
	e->session.log = session_log;
	e->session.log_ctx = e;
	e->session.dma_patience = e->srv->patience.dma;
	e->has_client = true;
	e->events = EPOLLIN;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &alone, sizeof(alone));
	e->since = user_now();
	e->seen_in = e->seen_out = e->seen_twin_in = e->seen_twin_out = 0;
	if (!e->srv->polls && server_poll(e->srv, fd, &e->talks)) {
		client_drop(e, "was sent away: it cannot be polled");
		return;
	}
	server_say(e, DFD_SERVE_INFO, "a client has come");
	server_tick(e->srv);
}

void export_pause(struct export *e, bool paused)
{
	struct epoll_event event = { .events = paused ? 0 : EPOLLIN, .data.ptr = &e->listens };

	e->paused = paused;
	epoll_ctl(e->srv->epoll_fd, EPOLL_CTL_MOD, e->listener, &event);
	server_tick(e->srv);
}

static bool hung_up(const struct export *e)
{
	struct pollfd p = { .fd = e->session.conn.fd };

	return e->has_client && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

void export_welcome(struct export *e)
{
	int fd;

	/* The old one may have gone, with something left to take. */
	while (hung_up(e))
		client_talk(e, true);
	fd = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			server_say(e, DFD_SERVE_ERROR, "no client can be taken for now: %m");
			export_pause(e, true);
		}
		return;
	}
	if (e->has_client)
		refuse(e, fd);
	else
		begin(e, fd);
}

/* ---- exports come and go ---- */

void export_free(struct export *e)
{
	if (e->has_client)
		session_end(&e->session);
	/* In this order: while it listens nobody takes the file for one that was left behind. */
	user_unplace(&e->place);
	/* Somebody else may have the listener too, so closing it would not be enough. */
	epoll_ctl(e->srv->epoll_fd, EPOLL_CTL_DEL, e->listener, NULL);
	close(e->listener);
	if (e->target.dev)
		device_signal_by(e->target.dev, NULL);
	target_finish(&e->target);
	free(e);
}

/* Who polls needs no fd that tells when there is work. */
static int watch_device(struct export *e)
{
	int work = e->srv->polls ? -EOPNOTSUPP : dfd_device_poll_fd(e->target.dev);

	if (work >= 0)
		return server_poll(e->srv, work, &e->works);
	return work == -EOPNOTSUPP ? 0 : work;
}

/*
 * A client can fill its eventfd just when it is signalled. That must not hold up the client of
 * another device. A server of one device does without, since asynchronous I/O delays the end of a
 * killed process by 30 ms, in which its sockets still take what nobody will read: QEMU 11.1 aborts
 * when a server ends like that.
 */
static void protect_each_other(struct dfd_server *srv)
{
	if (!srv->signaller.ctx)
		dfd_signaller_start(&srv->signaller);
}

/* @fd is closed on failure. */
static int export_new(struct dfd_server *srv, struct dfd_device *dev, int fd, const char *name,
		      struct user_place *place, struct dfd_error *err)
{
	struct export *e = calloc(1, sizeof(*e));
	int ret;

	if (!e) {
		close(fd);
		user_unplace(place);
		return dfd_error_set(err, -ENOMEM, "%s: out of memory", name);
	}
	*e = (struct export){ .srv = srv, .listener = fd, .place = *place };
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->listens = (struct source){ SOURCE_LISTENER, e };
	e->talks = (struct source){ SOURCE_CLIENT, e };
	e->twins = (struct source){ SOURCE_TWIN, e };
	e->works = (struct source){ SOURCE_DEVICE, e };
	e->rings = (struct source){ SOURCE_RING, e };
	e->awake.ring = &e->session.ring;
	e->bells = (struct source){ SOURCE_BELLS, e };
	ret = target_init(&e->target, dev, err);
	if (!ret) {
		device_signal_by(dev, &srv->signaller);
		ret = server_poll(srv, fd, &e->listens);
		if (!ret)
			ret = watch_device(e);
		if (ret)
			dfd_error_set(err, ret, "%s: cannot be polled: %s", name, strerror(-ret));
	}
	if (ret) {
		export_free(e);
		return ret;
	}
	if (srv->exports)
		protect_each_other(srv);
	e->next = srv->exports;
	srv->exports = e;
	return 0;
}

int dfd_server_add(struct dfd_server *srv, struct dfd_device *dev, const char *path, mode_t mode,
		   struct dfd_error *err)
{
	struct user_place place = { 0 };
	int fd = user_listen(path, mode, &place, err);

	return fd < 0 ? fd : export_new(srv, dev, fd, path, &place, err);
}

int dfd_server_add_fd(struct dfd_server *srv, struct dfd_device *dev, int fd, struct dfd_error *err)
{
	struct user_place none = { 0 };
	int listens = 0, type = 0, domain = 0;
	socklen_t len = sizeof(int);
	char name[32];

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) || !listens ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || domain != AF_UNIX) {
		close(fd);
		return dfd_error_set(err, -EINVAL, "fd %d is no listening AF_UNIX stream socket",
				     fd);
	}
	snprintf(name, sizeof(name), "fd %d", fd);
	return export_new(srv, dev, fd, name, &none, err);
}

void dfd_server_remove(struct dfd_server *srv, const struct dfd_device *dev)
{
	for (struct export **at = &srv->exports; *at; at = &(*at)->next) {
		struct export *e = *at;

		if (e->target.dev != dev)
			continue;
		*at = e->next;
		if (e->has_client)
			client_drop(e, "was sent away: its device is served no more");
		if (!srv->polls && !e->failed)
			epoll_ctl(srv->epoll_fd, EPOLL_CTL_DEL, dfd_device_poll_fd(e->target.dev),
				  NULL);
		export_free(e);
		server_tick(srv);
		return;
	}
}

uint64_t dfd_server_served(const struct dfd_server *srv, const struct dfd_device *dev)
{
	uint64_t served = 0;

	for (const struct export *e = srv->exports; e; e = e->next) {
		if (!dev || e->target.dev == dev)
			served += e->served;
	}
	return served;
}
