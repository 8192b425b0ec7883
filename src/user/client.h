/* SPDX-License-Identifier: MIT */
/* Devices in other processes, by the vfio-user protocol. */
#ifndef USER_CLIENT_H
#define USER_CLIENT_H

#include <devfd/device.h>

/**
 * dfd_user_open() - what dfd_open() does for "user:@address"
 * @address: path of the server's socket; with ",ring=off" behind it registers go by the socket also
 *           where the server offers a ring; with ",twin=off" the server is offered no second socket
 *           for its requests; with ",poll" neither, and an answer by the socket is looked for
 *           instead of slept for
 *
 * Return: 0; -ENOENT and -ECONNREFUSED where nobody serves; -EINVAL for an unknown option; -EBUSY
 * when another client has the device; -EPROTO for a server that speaks something else; -EBADMSG for
 * answers that make no device; -ETIMEDOUT; or what connect() says.
 */
int dfd_user_open(const char *address, struct dfd_device **out, struct dfd_error *err);

#endif
