/* SPDX-License-Identifier: MIT */
/*
 * Streams of vfio-user messages as input of a fuzzer: as they lie on the wire, so that every
 * recorded session is a start.
 *
 * How a message is sent is said by bits of its flags that both ends ignore: which fds go with it,
 * where it is cut, whether the next one waits until it is served, whether it
 * goes by the second socket.
 */
#ifndef FUZZ_STREAM_H
#define FUZZ_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** stream_start() - make the fds that are sent; before the first stream_lowest_fd() */
void stream_start(void);

/**
 * stream_send() - send the message at the front of @data, or all that is left of a broken one
 *
 * @wait: receives whether the next one shall wait until this one is served
 *
 * Return: bytes sent; 0 when the socket takes no more.
 */
size_t stream_send(int fd, const uint8_t *data, size_t len, bool *wait);

/** stream_is_second() - Return: is the message at the front of @data for the second socket? */
bool stream_is_second(const uint8_t *data, size_t len);

/** stream_second() - Return: a socket whose other end goes with messages from now on; to be closed
 */
int stream_second(void);

/** stream_mutate() - as LLVMFuzzerCustomMutator(); @replies: messages start as replies */
size_t stream_mutate(uint8_t *data, size_t len, size_t room, unsigned int seed, bool replies);

/** stream_check() - abort on bytes that a peer would lose step with. Return: bytes of whole
 * messages */
size_t stream_check(const uint8_t *data, size_t len);

/** stream_lowest_fd() - Return: the number that the next fd gets: a leak moves it */
int stream_lowest_fd(void);

#endif
