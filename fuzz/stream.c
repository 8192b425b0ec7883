/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"
#include "user/proto.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

#define NUM_KINDS 8

/* ---- sending ---- */

static int make_memory(bool sealed)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 1 << 16) || (sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)))
		abort();
	return fd;
}

static int kinds[NUM_KINDS];

void stream_start(void)
{
	int pair[2];

	if (kinds[0])
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	kinds[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	kinds[1] = make_memory(true);
	kinds[2] = make_memory(false);
	kinds[3] = eventfd(0, EFD_CLOEXEC);
	kinds[4] = pair[0];
	kinds[5] = open("/dev/null", O_RDWR | O_CLOEXEC);
	kinds[6] = open("/", O_RDONLY | O_CLOEXEC);
	kinds[7] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	eventfd_write(kinds[3], UINT64_MAX - 1);
}

/*
 * Behind memory come eventfds, as the ring has them.
 *
 * Bits 8 to 10 of the flags: the kind; 11 to 14: how many; 15 to 22: where to cut; 23: wait; 24: by
 * the second socket.
 */
static ssize_t send_with_fds(int fd, const uint8_t *data, size_t len, uint32_t flags)
{
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	unsigned int count = flags >> 11 & 15, kind = flags >> 8 & 7;

	if (count) {
		struct cmsghdr *cmsg = &control.align;

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
		for (unsigned int i = 0; i < count; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &kinds[i && kind == 1 ? 0 : kind],
			       sizeof(int));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

size_t stream_send(int fd, const uint8_t *data, size_t len, bool *wait)
{
	struct user_header head = { 0 };
	size_t whole, cut;
	ssize_t n;

	memcpy(&head, data, len < sizeof(head) ? len : sizeof(head));
	whole = head.size >= sizeof(head) && head.size <= len ? head.size : len;
	cut = head.flags >> 15 & 255;
	*wait = head.flags >> 23 & 1;
	n = send_with_fds(fd, data, cut && cut < whole ? cut : whole, head.flags);
	if (n > 0 && (size_t)n < whole) {
		ssize_t rest = send(fd, data + n, whole - (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);

		n += rest > 0 ? rest : 0;
	}
	return n > 0 ? (size_t)n : 0;
}

bool stream_is_second(const uint8_t *data, size_t len)
{
	struct user_header head = { 0 };

	memcpy(&head, data, len < sizeof(head) ? len : sizeof(head));
	return head.flags >> 24 & 1;
}

int stream_second(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
	    dup3(pair[0], kinds[4], O_CLOEXEC) < 0)
		abort();
	close(pair[0]);
	return pair[1];
}

/* ---- checking ---- */

size_t stream_check(const uint8_t *data, size_t len)
{
	struct user_header head;
	size_t at = 0;

	while (len - at >= sizeof(head)) {
		memcpy(&head, data + at, sizeof(head));
		if (head.size < sizeof(head) || head.size > USER_MAX_MESSAGE ||
		    (head.flags & USER_TYPE_MASK) > USER_TYPE_REPLY ||
		    (head.flags & USER_ERROR && head.size != sizeof(head)))
			abort();
		if (head.size > len - at)
			break;
		at += head.size;
	}
	return at;
}

int stream_lowest_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* ---- mutating ---- */

static uint32_t next(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 8) % below;
}

/* What each message is at least, so that something new has the right size. */
static const uint16_t sizes[USER_NUM_COMMANDS] = { 16, 20, 48, 40, 32, 48, 32, 32, 36,
						   32, 36, 48, 48, 16, 16, 48, 24 };

static struct user_header header_of(const uint8_t *at)
{
	struct user_header head;

	memcpy(&head, at, sizeof(head));
	return head;
}

/* Every message gets a size that its neighbours fit to. */
static void repair(uint8_t *data, size_t len, bool replies, uint32_t *seed)
{
	uint16_t number = 0;

	for (size_t at = 0; len - at >= sizeof(struct user_header);) {
		struct user_header head = header_of(data + at);
		size_t left = len - at;

		if (head.size < sizeof(head) || head.size > left)
			head.size = sizes[head.command % USER_NUM_COMMANDS];
		if (head.size > left)
			head.size = (uint32_t)left;
		if ((head.flags & USER_TYPE_MASK) > USER_TYPE_REPLY)
			head.flags &= ~UINT32_C(14);
		if (replies && head.flags & 1 && next(seed, 16))
			head.id = number++;
		memcpy(data + at, &head, sizeof(head));
		at += head.size;
	}
}

/* The start of one of the messages. */
static size_t choose(const uint8_t *data, size_t len, uint32_t *seed)
{
	size_t starts[64], count = 0;

	for (size_t at = 0; count < 64 && len - at >= sizeof(struct user_header);) {
		uint32_t size = header_of(data + at).size;

		starts[count++] = at;
		if (size < sizeof(struct user_header) || size > len - at)
			break;
		at += size;
	}
	return count ? starts[next(seed, (uint32_t)count)] : 0;
}

static size_t insert(uint8_t *data, size_t len, size_t room, size_t at, const uint8_t *piece,
		     size_t size)
{
	if (room - len < size)
		return len;
	memmove(data + at + size, data + at, len - at);
	memcpy(data + at, piece, size);
	return len + size;
}

static size_t insert_new(uint8_t *data, size_t len, size_t room, bool replies, uint32_t *seed)
{
	uint8_t piece[64] = { 0 };
	uint16_t command = (uint16_t)next(seed, USER_NUM_COMMANDS);
	struct user_header head = { .command = command,
				    .size = sizes[command],
				    .id = (uint16_t)next(seed, 4),
				    .flags = next(seed, 4) ? replies : !replies };

	head.flags |= next(seed, 1u << 16) << 8;
	memcpy(piece, &head, sizeof(head));
	for (size_t i = sizeof(head); i < head.size; i += 4)
		piece[i] = (uint8_t)(next(seed, 2) ? next(seed, 64) : 0);
	return insert(data, len, room, choose(data, len, seed), piece, head.size);
}

static size_t repeat(uint8_t *data, size_t len, size_t room, uint32_t *seed)
{
	uint8_t piece[512];
	size_t from = choose(data, len, seed), size = len - from;

	if (size >= sizeof(struct user_header) && header_of(data + from).size < size)
		size = header_of(data + from).size;
	if (size > sizeof(piece))
		return len;
	memcpy(piece, data + from, size);
	return insert(data, len, room, choose(data, len, seed), piece, size);
}

static size_t drop(uint8_t *data, size_t len, uint32_t *seed)
{
	size_t from = choose(data, len, seed), size = len - from;

	if (size >= sizeof(struct user_header) && header_of(data + from).size < size)
		size = header_of(data + from).size;
	if (size == len)
		return len;
	memmove(data + from, data + from + size, len - from - size);
	return len - size;
}

/* Fds, cuts and glue of one message. */
static size_t send_otherwise(uint8_t *data, size_t len, uint32_t *seed)
{
	size_t at = choose(data, len, seed);
	struct user_header head;

	if (len - at < sizeof(head))
		return len;
	head = header_of(data + at);
	head.flags = (head.flags & 255) | next(seed, 1u << 16) << 8;
	memcpy(data + at, &head, sizeof(head));
	return len;
}

size_t stream_mutate(uint8_t *data, size_t len, size_t room, unsigned int number, bool replies)
{
	uint32_t seed = number;

	switch (next(&seed, 8)) {
	case 0:
		len = insert_new(data, len, room, replies, &seed);
		break;
	case 1:
		len = repeat(data, len, room, &seed);
		break;
	case 2:
		len = drop(data, len, &seed);
		break;
	case 3:
		len = send_otherwise(data, len, &seed);
		break;
	default:
		len = LLVMFuzzerMutate(data, len, room);
	}
	if (next(&seed, 4))
		repair(data, len, replies, &seed);
	return len;
}
