/* SPDX-License-Identifier: MIT */
/*
 * The one client of an export, from the loop's side: when it is listened to, when its requests are
 * taken and its answers sent, and when it is sent away.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "user/server.h"

void client_drop(struct export *e, const char *why)
{
	rings_forget(e);
	server_say(e, why ? DFD_SERVE_ERROR : DFD_SERVE_INFO, "the client %s",
		   why ? why : "has gone; the device is reset");
	session_end(&e->session);
	e->has_client = e->bells_polled = false;
	e->served++;
	server_tick(e->srv);
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

void client_fail(struct export *e, int error)
{
	client_drop(e, reason(error));
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
	if (event.events == e->events)
		return;
	e->events = event.events;
	if (!e->srv->polls)
		epoll_ctl(e->srv->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

/* It is in the epoll fd of the server until the session closes it. */
static int poll_bells(struct export *e)
{
	int ret;

	if (e->bells_polled || !e->session.bells.open)
		return 0;
	ret = server_poll(e->srv, e->session.bells.epoll_fd, &e->bells);
	e->bells_polled = !ret;
	return ret;
}

void client_answer(struct export *e, int ret)
{
	int more = 0, sent;

	if (ret >= 0 || ret == -EAGAIN)
		more = session_handle(&e->session);
	session_bells_run(&e->session);
	if (!more)
		more = poll_bells(e);
	if (!more)
		more = rings_after_socket(e);
	sent = session_flush(&e->session);
	if (!sent)
		sent = watch_twin(e);
	if (more >= 0 && sent)
		more = sent;
	/* What it has sent before it left is done first. */
	if (!ret && !more && !session_blocked(&e->session))
		client_drop(e, NULL);
	else if (ret < 0 && ret != -EAGAIN)
		client_fail(e, ret);
	else if (more < 0)
		client_fail(e, more);
	else
		set_interest(e, more);
	e->busy = ret > 0;
}

void client_talk(struct export *e, bool readable)
{
	struct conn *c = &e->session.conn;

	if (e->has_client)
		client_answer(e, readable && !session_blocked(&e->session) ? conn_receive(c) : 1);
}

void client_twin(struct export *e)
{
	int ret = e->has_client ? session_twin(&e->session) : -EAGAIN;

	if (!ret)
		client_drop(e, NULL);
	else if (ret < 0 && ret != -EAGAIN)
		client_fail(e, ret);
	else
		client_talk(e, false);
}

void client_bells(struct export *e)
{
	if (!e->has_client || !e->session.bells.open)
		return;
	session_bells_take(&e->session);
	client_talk(e, true);
}

static bool stuck(const struct conn *c, uint64_t seen_in, uint64_t seen_out)
{
	return (conn_partial(c) && c->in_position == seen_in) ||
	       (conn_queued(c) && c->sent == seen_out);
}

void client_look_at(struct export *e, uint64_t now)
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
		client_drop(e, "was sent away: it has stopped in the middle");
	}
}
