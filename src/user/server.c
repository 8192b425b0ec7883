/* SPDX-License-Identifier: MIT */
/*
 * Many devices, one event loop.
 *
 * Theory of operation: an epoll fd has three sources for each device: its listening socket, its
 * client, and its own poll fd. One event of a client is one receive, the requests in it are
 * answered, and all answers leave with one send. A client with more to say comes round again, after
 * the others. Once a second clients are looked at that have begun something and do not go on.
 *
 * A server that polls asks each client and each device in turn, and the epoll fd, which then has
 * the listening sockets and the clock only, once in many rounds. A lone client with a device that
 * has nothing of its own to do is asked some times in a row, with nothing in between: what happens
 * there is time by which a request is seen later.
 *
 * A server of one device whose client keeps it busy, and whose device has nothing of its own to do,
 * sleeps in the receive itself, which saves the system call that says what happened. Nobody else
 * can wake it there, so that sleep is short, and the epoll fd has its turn every few milliseconds:
 * a second client, the clock and dfd_server_stop() come late by that much. A signal wakes it.
 *
 * A client of ours has a ring for registers, and wakes the server by a bell. From then on the
 * ring is looked at without sleeping as long as it is used, with a look at everything else in
 * between.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "device/device.h"
#include "user/server.h"

#define MAX_EVENTS 32
/* A server that polls asks the epoll fd after so many looks, all but a lone client after these. */
#define POLL_LOOKS  256u
#define ALONE_LOOKS 8u
#define SECOND	    UINT64_C(1000000000)

static const struct patience usual_patience = { 5 * SECOND, 10 * SECOND, 10 * SECOND, SECOND };

void server_say(const struct export *e, enum dfd_serve_level level, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int len;

	if (!e->srv->line)
		return;
	len = snprintf(text, sizeof(text), "%s: ", e->name);
	va_start(args, fmt);
	vsnprintf(text + len, sizeof(text) - (size_t)len, fmt, args);
	va_end(args);
	e->srv->line(e->srv->line_ctx, level, text);
}

int server_poll(struct dfd_server *srv, int fd, struct source *source)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	return epoll_ctl(srv->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void server_tick(struct dfd_server *srv)
{
	struct itimerspec period = { 0 };
	bool needed = false;

	for (const struct export *e = srv->exports; e && !needed; e = e->next)
		needed = e->has_client || e->paused;
	if (needed == srv->ticking)
		return;
	srv->ticking = needed;
	if (needed) {
		period.it_value.tv_sec = (time_t)(srv->patience.look / SECOND);
		period.it_value.tv_nsec = (long)(srv->patience.look % SECOND);
	}
	period.it_interval = period.it_value;
	timerfd_settime(srv->timer_fd, 0, &period, NULL);
}

/* ---- events ---- */

static void serve_device(struct export *e)
{
	int ret = dfd_device_service(e->target.dev);

	if (ret < 0) {
		server_say(e, DFD_SERVE_ERROR, "the device has failed: %s", strerror(-ret));
		e->failed = true;
		if (!e->srv->polls)
			epoll_ctl(e->srv->epoll_fd, EPOLL_CTL_DEL,
				  dfd_device_poll_fd(e->target.dev), NULL);
	}
	if (e->has_client && session_queued(&e->session))
		client_talk(e, false);
}

static void tick(struct dfd_server *srv)
{
	uint64_t expired, now = user_now();

	if (read(srv->timer_fd, &expired, sizeof(expired)) < 0)
		return;
	for (struct export *e = srv->exports; e; e = e->next) {
		if (e->paused)
			export_pause(e, false);
		if (e->has_client)
			client_look_at(e, now);
	}
}

static uint64_t coarse_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static int wait_for_events(struct dfd_server *srv, int timeout_ms)
{
	struct epoll_event events[MAX_EVENTS];
	bool ticks = false;
	int ret = 0, count = epoll_wait(srv->epoll_fd, events, MAX_EVENTS, timeout_ms);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	srv->looked = coarse_now();
	for (int i = 0; i < count; i++) {
		const struct source *source = events[i].data.ptr;

		switch (source->kind) {
		case SOURCE_LISTENER:
			export_welcome(source->export);
			break;
		case SOURCE_CLIENT:
			client_talk(source->export, events[i].events & ~(uint32_t)EPOLLOUT);
			break;
		case SOURCE_TWIN:
			client_twin(source->export);
			break;
		case SOURCE_DEVICE:
			serve_device(source->export);
			break;
		case SOURCE_RING:
			ring_hear(&source->export->session.ring);
			rings_serve(&source->export->awake);
			break;
		case SOURCE_BELLS:
			client_bells(source->export);
			break;
		case SOURCE_TICK:
			ticks = true;
			break;
		case SOURCE_STOP:
			ret = -ECANCELED;
			break;
		}
	}
	/* What has come in time is taken first, however late this is. */
	if (ticks)
		tick(srv);
	return ret;
}

/* Return: how often it has looked, about */
static unsigned int ask_all(struct dfd_server *srv)
{
	if (srv->awake.first)
		awake_look(&srv->awake, ring_now_ns());
	for (struct export *e = srv->exports; e; e = e->next) {
		client_talk(e, true);
		if (e->has_client && session_has_twin(&e->session))
			client_twin(e);
		if (!e->failed)
			serve_device(e);
	}
	return 1;
}

/* Is there one client, with one thing to listen to, and nothing to do before it says more? */
static bool alone(const struct dfd_server *srv)
{
	const struct export *e = srv->exports;

	return e && !e->next && e->has_client && e->events == EPOLLIN && e->session.agreed &&
	       !e->session.ring.shared && !conn_queued(&e->session.twin) &&
	       !(srv->polls && session_has_twin(&e->session)) && !e->session.bells.open &&
	       !e->session.slots_used && dfd_device_quiet(e->target.dev);
}

static unsigned int ask_one(struct export *e)
{
	int ret = conn_look(&e->session.conn, ALONE_LOOKS);

	if (ret == -EAGAIN)
		return ALONE_LOOKS;
	client_answer(e, ret);
	return 1;
}

static int wait_for_one(struct dfd_server *srv)
{
	struct export *e = srv->exports;
	int ret;

	if (coarse_now() - srv->looked > SERVER_ALONE)
		return wait_for_events(srv, 0);
	ret = conn_receive_wait(&e->session.conn);
	if (ret == -EAGAIN || ret == -EINTR)
		e->busy = false;
	else
		client_answer(e, ret);
	return 0;
}

/* While rings are awake nothing is waited for. */
static int see_to_others(void *srv)
{
	return wait_for_events(srv, 0);
}

int dfd_server_wait(struct dfd_server *srv, int timeout_ms)
{
	int ret;

	for (unsigned int i = 0; srv->polls && i < POLL_LOOKS;)
		i += alone(srv) ? ask_one(srv->exports) : ask_all(srv);
	if (srv->polls)
		return wait_for_events(srv, 0);
	if (timeout_ms < 0 && alone(srv) && srv->exports->busy)
		return wait_for_one(srv);
	ret = wait_for_events(srv, srv->awake.first ? 0 : timeout_ms);
	return ret || !timeout_ms ? ret : awake_turn(&srv->awake, see_to_others, srv);
}

int dfd_server_service(struct dfd_server *srv)
{
	if (srv->polls)
		ask_all(srv);
	return wait_for_events(srv, 0);
}

int dfd_server_set_poll(struct dfd_server *srv, bool poll)
{
	if (srv->exports)
		return -EBUSY;
	srv->polls = srv->awake.polls = poll;
	return 0;
}

int dfd_server_poll_fd(const struct dfd_server *srv)
{
	return srv->epoll_fd;
}

void dfd_server_stop(struct dfd_server *srv)
{
	const uint64_t one = 1;

	/* It is non-blocking, and full only when it was called before. */
	if (write(srv->stop_fd, &one, sizeof(one)) < 0)
		return;
}

void dfd_server_watch_log(struct dfd_server *srv,
			  void (*line)(void *ctx, enum dfd_serve_level level, const char *text),
			  void *ctx)
{
	srv->line = line;
	srv->line_ctx = ctx;
}

void dfd_server_set_patience(struct dfd_server *srv, const struct patience *patience)
{
	srv->patience = *patience;
}

/* ---- life ---- */

int dfd_server_new(struct dfd_server **out)
{
	struct dfd_server *srv = calloc(1, sizeof(*srv));
	int ret = 0;

	if (!srv)
		return -ENOMEM;
	srv->patience = usual_patience;
	srv->awake.serve = rings_serve;
	srv->ticks.kind = SOURCE_TICK;
	srv->stops.kind = SOURCE_STOP;
	srv->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	srv->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	srv->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (srv->epoll_fd < 0 || srv->timer_fd < 0 || srv->stop_fd < 0)
		ret = -errno;
	if (!ret)
		ret = server_poll(srv, srv->timer_fd, &srv->ticks);
	if (!ret)
		ret = server_poll(srv, srv->stop_fd, &srv->stops);
	if (ret)
		dfd_server_free(srv);
	else
		*out = srv;
	return ret;
}

void dfd_server_free(struct dfd_server *srv)
{
	const int fds[] = { srv ? srv->epoll_fd : -1, srv ? srv->timer_fd : -1,
			    srv ? srv->stop_fd : -1 };

	while (srv && srv->exports) {
		struct export *e = srv->exports;

		srv->exports = e->next;
		export_free(e);
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	if (srv)
		dfd_signaller_finish(&srv->signaller);
	free(srv);
}
