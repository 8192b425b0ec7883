/* SPDX-License-Identifier: MIT */
/* Devices in other processes, by the vfio-user protocol. */
#ifndef USER_CLIENT_H
#define USER_CLIENT_H

#include <devfd/device.h>

/**
 * dfd_user_open() - what dfd_open() does for "user:@path"
 * @path: of the server's socket
 *
 * Return: 0; -ENOENT and -ECONNREFUSED where nobody serves; -EBUSY when another client has the
 * device; -EPROTO for a server that speaks something else; -EBADMSG for answers that make no
 * device; -ETIMEDOUT; or what connect() says.
 */
int dfd_user_open(const char *path, struct dfd_device **out, struct dfd_error *err);

#endif
