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
 * the listening sockets and the clock only, once in many rounds.
 *
 * A server of one device whose client keeps it busy, and whose device has nothing of its own to do,
 * sleeps in the receive itself, which saves the system call that says what happened. Nobody else
 * can wake it there, so that sleep is short, and the epoll fd has its turn every few milliseconds:
 * a second client, the clock and dfd_server_stop() come late by that much. A signal wakes it.
 *
 * A client of ours has a ring for registers, and wakes the server by an eventfd. From then on the
 * ring is looked at without sleeping as long as it is used, with a look at everything else in
 * between.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <devfd/serve.h>

#include "device/device.h"
#include "user/listen.h"
#include "user/patience.h"
#include "user/session.h"

#define MAX_EVENTS  32
#define POLL_ROUNDS 256
#define SECOND	    UINT64_C(1000000000)
/* How long a lone client may have the server for itself. */
#define ALONE UINT64_C(10000000)

/* So long a ring is looked at after its last request. */
#define RING_IDLE UINT64_C(50000)
/* Looks at rings, or answers, before all others get their turn: a few microseconds. */
#define RING_LOOKS   64
#define RING_ANSWERS 32
/* After that time whoever has called gets control again. */
#define RING_TURN UINT64_C(1000000)

static const struct patience usual_patience = { 5 * SECOND, 10 * SECOND, 10 * SECOND, SECOND };

enum source_kind {
	SOURCE_LISTENER,
	SOURCE_CLIENT,
	SOURCE_TWIN,
	SOURCE_DEVICE,
	SOURCE_RING,
	SOURCE_BELLS,
	SOURCE_TICK,
	SOURCE_STOP
};

/** struct source - what an event is about */
struct source {
	enum source_kind kind;
	struct export *export;
};

/**
 * struct export - a device that is served
 * @paused: nobody can be accepted for now
 * @failed: the device has; it gets no more service
 * @served: clients that have gone again
 * @busy: the client has just had something to say
 * @events: what is polled for at the client
 * @since: something has not gone on since then, as far as @seen_in and the others tell
 * @ring_polled: its eventfd wakes us, or need not
 * @next_awake: in the list of rings that are looked at
 * @ring_used: when there was a request; @ring_busy: or is right now
 */
struct export
{
	struct export *next;
	struct dfd_server *srv;
	struct target target;
	struct user_place place;
	char name[108];
	int listener;
	bool paused;
	struct source listens, talks, twins, works, rings, bells;
	bool has_client;
	bool failed, busy;
	uint64_t served;
	struct session session;
	uint32_t events;
	uint64_t since, seen_in, seen_out, seen_twin_in, seen_twin_out;
	struct export *next_awake;
	bool bells_polled;
	bool ring_polled, ring_awake, ring_busy;
	uint64_t ring_used;
};

/**
 * struct dfd_server
 * @ticking: the clock is on
 * @polls: see dfd_server_set_poll()
 * @looked: when the epoll fd was asked last
 */
struct dfd_server {
	int epoll_fd, timer_fd, stop_fd;
	struct source ticks, stops;
	struct export *exports, *awake;
	struct patience patience;
	struct dfd_signaller signaller;
	bool ticking, polls;
	uint64_t looked;
	void (*line)(void *ctx, enum dfd_serve_level level, const char *text);
	void *line_ctx;
};

static void say(const struct export *e, enum dfd_serve_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const struct export *e, enum dfd_serve_level level, const char *fmt, ...)
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

/* The eventfd of a ring is never read: each time it is rung makes an event. */
static int poll_add(struct dfd_server *srv, int fd, struct source *source)
{
	const uint32_t once = source->kind == SOURCE_RING ? EPOLLET : 0;
	struct epoll_event event = { .events = EPOLLIN | once, .data.ptr = source };

	return epoll_ctl(srv->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void tick_while_needed(struct dfd_server *srv)
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

/* ---- one client ---- */

static void forget_ring(struct export *e)
{
	struct export **at = &e->srv->awake;

	while (*at && *at != e)
		at = &(*at)->next_awake;
	if (*at)
		*at = e->next_awake;
	e->ring_awake = false;
	/* The client has the eventfd too, so closing it would not be enough. */
	if (e->ring_polled && !e->srv->polls)
		epoll_ctl(e->srv->epoll_fd, EPOLL_CTL_DEL, e->session.ring.bell, NULL);
	e->ring_polled = false;
}

static void drop(struct export *e, const char *why)
{
	forget_ring(e);
	say(e, why ? DFD_SERVE_ERROR : DFD_SERVE_INFO, "the client %s",
	    why ? why : "has gone; the device is reset");
	session_end(&e->session);
	e->has_client = e->bells_polled = false;
	e->served++;
	tick_while_needed(e->srv);
}

static const char *reason(int error)
{
	switch (error) {
	case -EPROTO:
		return "was sent away: it does not keep to the protocol";
	case -EMSGSIZE:
		return "was sent away: a message is too long";
	case -ECONNRESET:
	case -EPIPE:
		return NULL;
	default:
		return "was sent away: the connection has failed";
	}
}

/* Answers are always taken: there are no more of them than requests. */
static int watch_twin(struct export *e)
{
	struct conn *c = &e->session.twin;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &e->twins };
	int op = c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (conn_queued(c))
		event.events |= EPOLLOUT;
	if (!session_has_twin(&e->session) || event.events == c->events || e->srv->polls)
		return 0;
	c->events = event.events;
	return epoll_ctl(e->srv->epoll_fd, op, c->fd, &event) ? -errno : 0;
}

/* Poll for what can be done next. @more: requests wait in the buffer. */
static void set_interest(struct export *e, bool more)
{
	const struct conn *c = &e->session.conn;
	struct epoll_event event = { .data.ptr = &e->talks };

	if (!session_blocked(&e->session))
		event.events |= EPOLLIN;
	if (more || conn_queued(c))
		event.events |= EPOLLOUT;
	if (event.events == e->events || e->srv->polls)
		return;
	e->events = event.events;
	epoll_ctl(e->srv->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

/* A version was agreed on. Who polls does not need to be woken. */
static int poll_ring(struct export *e)
{
	int ret = 0;

	if (e->ring_polled || !e->session.ring.shared)
		return 0;
	if (e->srv->polls)
		ring_asleep(&e->session.ring, false);
	else
		ret = poll_add(e->srv, e->session.ring.bell, &e->rings);
	e->ring_polled = !ret;
	return ret;
}

/* It is looked at from now on. */
static void ring_used(struct export *e)
{
	e->ring_busy = true;
	if (e->ring_awake)
		return;
	e->ring_awake = true;
	e->next_awake = e->srv->awake;
	e->srv->awake = e;
}

/* What had to wait for the socket. Return: 0, or why the client must go */
static int ring_after_socket(struct export *e)
{
	int ret = poll_ring(e);

	if (!ret)
		ret = session_ring(&e->session);
	if (ret > 0)
		ring_used(e);
	return ret < 0 ? ret : 0;
}

/* It is in the epoll fd of the server until the session closes it. */
static int poll_bells(struct export *e)
{
	int ret;

	if (e->bells_polled || !e->session.bells.open)
		return 0;
	ret = poll_add(e->srv, e->session.bells.epoll_fd, &e->bells);
	e->bells_polled = !ret;
	return ret;
}

/* Take requests, send answers. @ret: as conn_receive() */
static void answer(struct export *e, int ret)
{
	int more = 0, sent;

	if (ret >= 0 || ret == -EAGAIN)
		more = session_handle(&e->session);
	session_bells_run(&e->session);
	if (!more)
		more = poll_bells(e);
	if (!more)
		more = ring_after_socket(e);
	sent = session_flush(&e->session);
	if (!sent)
		sent = watch_twin(e);
	if (more >= 0 && sent)
		more = sent;
	/* What it has sent before it left is done first. */
	if (!ret && !more && !session_blocked(&e->session))
		drop(e, NULL);
	else if (ret < 0 && ret != -EAGAIN)
		drop(e, reason(ret));
	else if (more < 0)
		drop(e, reason(more));
	else
		set_interest(e, more);
	e->busy = ret > 0;
}

static void talk(struct export *e, bool readable)
{
	struct conn *c = &e->session.conn;

	if (e->has_client)
		answer(e, readable && !session_blocked(&e->session) ? conn_receive(c) : 1);
}

static void serve_twin(struct export *e)
{
	int ret = e->has_client ? session_twin(&e->session) : -EAGAIN;

	if (!ret)
		drop(e, NULL);
	else if (ret < 0 && ret != -EAGAIN)
		drop(e, reason(ret));
	else
		talk(e, false);
}

static void serve_bells(struct export *e)
{
	if (!e->has_client || !e->session.bells.open)
		return;
	session_bells_take(&e->session);
	talk(e, true);
}

/* ---- rings ---- */

/* Return: was there a request? */
static bool serve_ring(struct export *e)
{
	const struct conn *c = &e->session.conn;
	int ret = e->has_client ? session_ring(&e->session) : 0;

	if (ret < 0)
		drop(e, reason(ret));
	else if (ret)
		ring_used(e);
	/* What it has received and not handled is in no socket any more: no event will tell of it.
	 */
	if (e->has_client && (conn_queued(c) || (!ret && conn_partial(c))))
		talk(e, false);
	return ret > 0;
}

static void look_at_rings(struct dfd_server *srv)
{
	bool crowded = false;
	int answers = 0;

	for (int i = 0; i < RING_LOOKS && answers < RING_ANSWERS && !crowded; i++) {
		/* Who looks without a pause takes the line from a client that is still writing. */
		ring_pause();
		for (struct export *e = srv->awake, *next; e; e = next) {
			next = e->next_awake; /* the client may have to go */
			answers += serve_ring(e);
			crowded |= e->session.ring.crowded;
		}
	}
	/* A client waits for this very processor. */
	if (crowded)
		sched_yield();
}

/* Nobody looks any more, so clients have to ring; what came too early for that is not missed. */
static void ring_rest(struct export *e)
{
	if (!e->srv->polls && ring_asleep(&e->session.ring, true))
		serve_ring(e);
}

static void rest_if_idle(struct dfd_server *srv, uint64_t now)
{
	for (struct export **at = &srv->awake, *e; (e = *at);) {
		if (e->ring_busy)
			e->ring_used = now;
		e->ring_busy = false;
		if (now - e->ring_used < RING_IDLE) {
			at = &e->next_awake;
			continue;
		}
		*at = e->next_awake;
		e->ring_awake = false;
		ring_rest(e);
	}
}

/* ---- clients come ---- */

static void session_log(void *ctx, const char *text)
{
	say(ctx, DFD_SERVE_DEBUG, "%s", text);
}

/* An answer to the request that every client starts with. */
static void refuse(struct export *e, int fd)
{
	const struct user_header busy = { .command = USER_VERSION,
					  .size = sizeof(busy),
					  .flags = USER_TYPE_REPLY | USER_ERROR,
					  .error = EBUSY };

	say(e, DFD_SERVE_INFO, "a second client was sent away");
	if (send(fd, &busy, sizeof(busy), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		say(e, DFD_SERVE_DEBUG, "it did not wait to be told");
	close(fd);
}

static void begin(struct export *e, int fd)
{
	const struct timeval alone = { .tv_usec = ALONE / 1000 };

	session_start(&e->session, &e->target, fd);
	e->session.log = session_log;
	e->session.log_ctx = e;
	e->session.dma_patience = e->srv->patience.dma;
	e->has_client = true;
	e->events = EPOLLIN;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &alone, sizeof(alone));
	e->since = user_now();
	e->seen_in = e->seen_out = e->seen_twin_in = e->seen_twin_out = 0;
	if (!e->srv->polls && poll_add(e->srv, fd, &e->talks)) {
		drop(e, "was sent away: it cannot be polled");
		return;
	}
	say(e, DFD_SERVE_INFO, "a client has come");
	tick_while_needed(e->srv);
}

static void pause_listener(struct export *e, bool paused)
{
	struct epoll_event event = { .events = paused ? 0 : EPOLLIN, .data.ptr = &e->listens };

	e->paused = paused;
	epoll_ctl(e->srv->epoll_fd, EPOLL_CTL_MOD, e->listener, &event);
	tick_while_needed(e->srv);
}

static bool hung_up(const struct export *e)
{
	struct pollfd p = { .fd = e->session.conn.fd };

	return e->has_client && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

static void welcome(struct export *e)
{
	int fd;

	/* The old one may have gone, with something left to take. */
	while (hung_up(e))
		talk(e, true);
	fd = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			say(e, DFD_SERVE_ERROR, "no client can be taken for now: %m");
			pause_listener(e, true);
		}
		return;
	}
	if (e->has_client)
		refuse(e, fd);
	else
		begin(e, fd);
}

/* ---- events ---- */

static void serve_device(struct export *e)
{
	int ret = dfd_device_service(e->target.dev);

	if (ret < 0) {
		say(e, DFD_SERVE_ERROR, "the device has failed: %s", strerror(-ret));
		e->failed = true;
		if (!e->srv->polls)
			epoll_ctl(e->srv->epoll_fd, EPOLL_CTL_DEL,
				  dfd_device_poll_fd(e->target.dev), NULL);
	}
	if (e->has_client && session_queued(&e->session))
		talk(e, false);
}

static bool stuck(const struct conn *c, uint64_t seen_in, uint64_t seen_out)
{
	return (conn_partial(c) && c->in_position == seen_in) ||
	       (conn_queued(c) && c->sent == seen_out);
}

/* Has it begun something, and not gone on for too long? */
static void look_at(struct export *e, uint64_t now)
{
	const struct conn *c = &e->session.conn, *twin = &e->session.twin;
	const struct patience *patience = &e->srv->patience;
	bool stays =
		stuck(c, e->seen_in, e->seen_out) || stuck(twin, e->seen_twin_in, e->seen_twin_out);

	session_dma_expire(&e->session, now);
	if (!stays && e->session.agreed) {
		e->since = now;
		e->seen_in = c->in_position;
		e->seen_out = c->sent;
		e->seen_twin_in = twin->in_position;
		e->seen_twin_out = twin->sent;
		session_trim(&e->session);
	} else if (now - e->since > (e->session.agreed ? patience->stall : patience->version)) {
		drop(e, "was sent away: it has stopped in the middle");
	}
}

static void tick(struct dfd_server *srv)
{
	uint64_t expired, now = user_now();

	if (read(srv->timer_fd, &expired, sizeof(expired)) < 0)
		return;
	for (struct export *e = srv->exports; e; e = e->next) {
		if (e->paused)
			pause_listener(e, false);
		if (e->has_client)
			look_at(e, now);
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
	int ret = 0, count = epoll_wait(srv->epoll_fd, events, MAX_EVENTS, timeout_ms);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	srv->looked = coarse_now();
	for (int i = 0; i < count; i++) {
		const struct source *source = events[i].data.ptr;

		switch (source->kind) {
		case SOURCE_LISTENER:
			welcome(source->export);
			break;
		case SOURCE_CLIENT:
			talk(source->export, events[i].events & ~(uint32_t)EPOLLOUT);
			break;
		case SOURCE_TWIN:
			serve_twin(source->export);
			break;
		case SOURCE_DEVICE:
			serve_device(source->export);
			break;
		case SOURCE_RING:
			ring_hear(&source->export->session.ring);
			serve_ring(source->export);
			break;
		case SOURCE_BELLS:
			serve_bells(source->export);
			break;
		case SOURCE_TICK:
			tick(srv);
			break;
		case SOURCE_STOP:
			ret = -ECANCELED;
			break;
		}
	}
	return ret;
}

static void ask_all(struct dfd_server *srv)
{
	if (srv->awake) {
		look_at_rings(srv);
		rest_if_idle(srv, user_now());
	}
	for (struct export *e = srv->exports; e; e = e->next) {
		talk(e, true);
		if (e->has_client && session_has_twin(&e->session))
			serve_twin(e);
		if (!e->failed)
			serve_device(e);
	}
}

/* Is there one client, with more to say by the socket probably, and nothing else to do? */
static bool alone(const struct dfd_server *srv)
{
	const struct export *e = srv->exports;

	return e && !e->next && e->has_client && e->busy && e->events == EPOLLIN &&
	       e->session.agreed && !e->session.ring.shared && !session_has_twin(&e->session) &&
	       !e->session.bells.open && !e->session.slots_used && dfd_device_quiet(e->target.dev);
}

static int wait_for_one(struct dfd_server *srv)
{
	struct export *e = srv->exports;
	int ret;

	if (coarse_now() - srv->looked > ALONE)
		return wait_for_events(srv, 0);
	ret = conn_receive_wait(&e->session.conn);
	if (ret == -EAGAIN || ret == -EINTR)
		e->busy = false;
	else
		answer(e, ret);
	return 0;
}

/* While rings are awake nothing is waited for. */
static int look_for_a_turn(struct dfd_server *srv)
{
	uint64_t now = user_now(), end = now + RING_TURN;
	int ret = 0;

	for (struct export *e = srv->awake; e; e = e->next_awake)
		ring_asleep(&e->session.ring, false);
	for (; srv->awake && !ret && now < end; now = user_now()) {
		look_at_rings(srv);
		rest_if_idle(srv, now);
		ret = wait_for_events(srv, 0);
	}
	for (struct export *e = srv->awake, *next; e; e = next) {
		next = e->next_awake;
		ring_rest(e);
	}
	return ret;
}

int dfd_server_wait(struct dfd_server *srv, int timeout_ms)
{
	int ret;

	for (int i = 0; srv->polls && i < POLL_ROUNDS; i++)
		ask_all(srv);
	if (srv->polls)
		return wait_for_events(srv, 0);
	if (timeout_ms < 0 && alone(srv))
		return wait_for_one(srv);
	ret = wait_for_events(srv, srv->awake ? 0 : timeout_ms);
	return ret || !timeout_ms ? ret : look_for_a_turn(srv);
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
	srv->polls = poll;
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

uint64_t dfd_server_served(const struct dfd_server *srv, const struct dfd_device *dev)
{
	uint64_t served = 0;

	for (const struct export *e = srv->exports; e; e = e->next) {
		if (!dev || e->target.dev == dev)
			served += e->served;
	}
	return served;
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

static void export_free(struct export *e)
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
		return poll_add(e->srv, work, &e->works);
	return work == -EOPNOTSUPP ? 0 : work;
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
	e->bells = (struct source){ SOURCE_BELLS, e };
	ret = target_init(&e->target, dev, err);
	if (!ret) {
		device_signal_by(dev, &srv->signaller);
		ret = poll_add(srv, fd, &e->listens);
		if (!ret)
			ret = watch_device(e);
		if (ret)
			dfd_error_set(err, ret, "%s: cannot be polled: %s", name, strerror(-ret));
	}
	if (ret) {
		export_free(e);
		return ret;
	}
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
	int listens = 0, type = 0;
	socklen_t len = sizeof(int);
	char name[32];

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) || !listens ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM) {
		close(fd);
		return dfd_error_set(err, -EINVAL, "fd %d is no listening stream socket", fd);
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
			drop(e, "was sent away: its device is served no more");
		if (!srv->polls && !e->failed)
			epoll_ctl(srv->epoll_fd, EPOLL_CTL_DEL, dfd_device_poll_fd(e->target.dev),
				  NULL);
		export_free(e);
		tick_while_needed(srv);
		return;
	}
}

int dfd_server_new(struct dfd_server **out)
{
	struct dfd_server *srv = calloc(1, sizeof(*srv));
	int ret = 0;

	if (!srv)
		return -ENOMEM;
	srv->patience = usual_patience;
	dfd_signaller_start(&srv->signaller);
	srv->ticks.kind = SOURCE_TICK;
	srv->stops.kind = SOURCE_STOP;
	srv->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	srv->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	srv->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (srv->epoll_fd < 0 || srv->timer_fd < 0 || srv->stop_fd < 0)
		ret = -errno;
	if (!ret)
		ret = poll_add(srv, srv->timer_fd, &srv->ticks);
	if (!ret)
		ret = poll_add(srv, srv->stop_fd, &srv->stops);
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
