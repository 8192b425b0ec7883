/* SPDX-License-Identifier: MIT */
/*
 * Serving devices to other processes by the vfio-user protocol.
 *
 * A server is an event loop without a thread: one socket for each device, one client for each
 * device at a time. Whoever owns it calls dfd_server_wait(), or polls dfd_server_poll_fd() and
 * calls dfd_server_service(). A client that leaves, in whatever way, leaves the device reset, with
 * its interrupts off and nothing mapped, to the next one.
 *
 * A client is a stranger: it can do to the device what a driver can, and nothing to the server,
 * with three exceptions that decide who may connect (@mode of dfd_server_add()). Linux has no way
 * to let go of a file that cannot block, so a client with a file system of its own (FUSE) can hold
 * the server up with a file of that. A server of one device can be held up by a client that fills a
 * blocking eventfd in the very moment in which it is signalled. And a client that was given memory
 * of a region keeps it mapped after it has left.
 *
 * Not thread-safe, except for dfd_server_stop().
 */
#ifndef DEVFD_SERVE_H
#define DEVFD_SERVE_H

#include <sys/types.h>

#include <devfd/device.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dfd_server;

/** enum dfd_serve_level - how much something matters to people */
enum dfd_serve_level {
	DFD_SERVE_ERROR, /* a client was sent away for what it did */
	DFD_SERVE_INFO,	 /* clients come and go */
	DFD_SERVE_DEBUG, /* requests that were refused */
};

/** dfd_server_new() - a server without devices. Return: 0, -ENOMEM, -EMFILE */
int dfd_server_new(struct dfd_server **out);

/** dfd_server_free() - send all clients away and remove the socket files; NULL is fine */
void dfd_server_free(struct dfd_server *srv);

/**
 * dfd_server_set_poll() - look for work all the time instead of sleeping
 * @poll: true to poll
 *
 * For who has a processor to spare: an access then costs the server a receive and a send, and
 * memory that drivers write without a message (mapped doorbells) is looked at at once. Then
 * dfd_server_wait() never sleeps, and returns every now and then whatever its time-out; devices get
 * their service from it and from dfd_server_service(), and dfd_server_poll_fd() tells of nothing
 * but new clients.
 *
 * Return: 0; -EBUSY once there is a device.
 */
int dfd_server_set_poll(struct dfd_server *srv, bool poll);

/**
 * dfd_server_watch_log() - be told what happens
 * @line: gets one sentence without newline; nothing of it was sent by a client. NULL ends it
 */
void dfd_server_watch_log(struct dfd_server *srv,
			  void (*line)(void *ctx, enum dfd_serve_level level, const char *text),
			  void *ctx);

/**
 * dfd_server_add() - serve a device at a path
 * @dev: stays the caller's and must outlive the server; nobody else should use it meanwhile
 * @path: where to put the socket; what an ended server has left there is replaced
 * @mode: of the socket file: who may use the device
 *
 * Return: 0; -EADDRINUSE where a server is alive; -EEXIST for a file that is no socket;
 * -ENAMETOOLONG; -ENOMEM; what socket() and bind() say.
 */
int dfd_server_add(struct dfd_server *srv, struct dfd_device *dev, const char *path, mode_t mode,
		   struct dfd_error *err);

/**
 * dfd_server_add_fd() - serve a device at a socket that somebody else listens on
 * @fd: a listening socket, which becomes the server's also on failure
 *
 * Return: 0, -EINVAL for no listening AF_UNIX stream socket, -ENOMEM.
 */
int dfd_server_add_fd(struct dfd_server *srv, struct dfd_device *dev, int fd,
		      struct dfd_error *err);

/**
 * dfd_server_remove() - serve a device no more: its client is sent away, its socket file removed
 * @dev: what is not served is no error
 */
void dfd_server_remove(struct dfd_server *srv, const struct dfd_device *dev);

/** dfd_server_poll_fd() - Return: an fd that polls readable when there is work; the server's */
int dfd_server_poll_fd(const struct dfd_server *srv);

/** dfd_server_service() - do what there is to do; never blocks. Return: 0 or a negative errno */
int dfd_server_service(struct dfd_server *srv);

/**
 * dfd_server_wait() - wait for work and do it
 * @timeout_ms: -1 waits for ever
 *
 * Return: 0, also after @timeout_ms and on a signal; -ECANCELED after dfd_server_stop().
 */
int dfd_server_wait(struct dfd_server *srv, int timeout_ms);

/** dfd_server_stop() - let dfd_server_wait() return; from any thread and from signal handlers */
void dfd_server_stop(struct dfd_server *srv);

/**
 * dfd_server_served() - how many clients have come and gone again
 * @dev: of that device; NULL: of all that are served
 */
uint64_t dfd_server_served(const struct dfd_server *srv, const struct dfd_device *dev);

#ifdef __cplusplus
}
#endif
#endif
