/* SPDX-License-Identifier: MIT */
/* How long each end waits for the other, for src/user/ and its tests. */
#ifndef USER_PATIENCE_H
#define USER_PATIENCE_H

#include <devfd/serve.h>

/**
 * struct patience - of a server, in ns
 * @version: for the VERSION of a client that has connected
 * @stall: for a client that has begun to send or to take something
 * @dma: for the answer to a DMA by message
 * @look: how often clients are looked at
 */
struct patience {
	uint64_t version, stall, dma, look;
};

/** dfd_server_set_patience() - other limits than the usual ones; before clients come */
void dfd_server_set_patience(struct dfd_server *srv, const struct patience *patience);

/* How long a client waits for an answer, in ms, if nobody says otherwise. */
#define USER_PATIENCE_MS 10000

/** dfd_user_open_within() - dfd_user_open() with another limit for each answer */
int dfd_user_open_within(const char *path, int patience_ms, struct dfd_device **out,
			 struct dfd_error *err);

/** dfd_user_open_socket() - with a socket that is connected already; it is closed on failure */
int dfd_user_open_socket(int fd, const char *path, int patience_ms, struct dfd_device **out,
			 struct dfd_error *err);

#endif
