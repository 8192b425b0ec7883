/* SPDX-License-Identifier: MIT */
/* The agreement at the start of a connection. */
#ifndef USER_VERSION_H
#define USER_VERSION_H

#include <stdbool.h>
#include <stddef.h>

#include "user/proto.h"

/**
 * struct user_limits - what the sender of a VERSION can take
 * @max_fds: fds in one message
 * @max_data: bytes of data in one message
 * @max_dma_maps: DMA maps at a time
 * @ring: the layout of the ring that it wants or gives, see ring/ring.h; 0 for none
 * @twin: a second socket for requests of the server is wanted or given
 * @twin_fd: which of the fds of the answer it is; UINT32_MAX where that is not said
 */
struct user_limits {
	uint32_t max_fds;
	uint32_t max_data;
	uint32_t max_dma_maps;
	uint32_t ring;
	bool twin;
	uint32_t twin_fd;
};

/* A text of ours is never longer, with its NUL. */
#define VERSION_MAX_TEXT 256u

/**
 * version_parse() - look at the payload of a VERSION
 * @body, @len: the payload
 * @version: receives the numbers
 * @limits: receives what the peer can take, with the defaults of the protocol
 * @keys: receives a bit for each of our keys that the peer has named, for version_answer()
 *
 * Return: 0; -EINVAL for a text that is not allowed; -ENOMEM.
 */
int version_parse(const uint8_t *body, size_t len, struct user_version *version,
		  struct user_limits *limits, uint32_t *keys);

/* The bits of what version_parse() finds that not everybody wants. */
#define VERSION_TWIN (UINT32_C(1) << 0)
#define VERSION_RING (UINT32_C(1) << 5)

/** version_request() - the text of a client, but for @unwanted. Return: bytes with the NUL */
size_t version_request(char text[VERSION_MAX_TEXT], uint32_t unwanted);

/**
 * version_answer() - the text of a server
 * @keys: as version_parse() found them; becomes those that are in the answer
 * @room: bytes of the text of the request; some peers take no longer answer
 *
 * What matters most comes first, and what does not fit is left out, so that the peer assumes the
 * default. Return: bytes with the NUL, 0 for no text.
 */
size_t version_answer(uint32_t *keys, size_t room, char text[VERSION_MAX_TEXT]);

#endif
