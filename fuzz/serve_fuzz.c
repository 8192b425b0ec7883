/* SPDX-License-Identifier: MIT */
/* libFuzzer on a server: a client that sends anything, in any pieces, with any fds. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <devfd/devfd.h>

#include "stream.h"
#include "user/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/**
 * struct place - a served device
 * @out: what it answered and was not checked yet
 * @second: the second socket, if the server has given one, else -1
 */
struct place {
	struct dfd_server *srv;
	struct sockaddr_un address;
	socklen_t len;
	uint8_t out[USER_MAX_MESSAGE + 4096];
	size_t have;
	int second;
};

static void place_start(struct place *p, const char *device)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct dfd_device *dev;

	p->len = sizeof(p->address);
	/* A name without a file, chosen by the kernel. */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) ||
	    listen(fd, 4) || getsockname(fd, (struct sockaddr *)&p->address, &p->len) ||
	    dfd_open(device, &dev, NULL) || dfd_server_new(&p->srv) ||
	    dfd_server_add_fd(p->srv, dev, fd, NULL))
		abort();
}

static void serve(struct place *p)
{
	if (dfd_server_service(p->srv))
		abort();
}

/* The memory of a region comes alone, too. */
static bool is_socket(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISSOCK(st.st_mode);
}

/* A lone fd is the second socket; the ring has two, and the others are closed by the kernel. */
static ssize_t receive(struct place *p, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { p->out + p->have, sizeof(p->out) - p->have };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int got;

	if (n > 0 && CMSG_FIRSTHDR(&msg)) {
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
		if (p->second < 0 && !(msg.msg_flags & MSG_CTRUNC) && is_socket(got))
			p->second = got;
		else
			close(got);
	}
	return n;
}

static void drain(int fd)
{
	uint8_t bytes[4096];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* Return: false when the server has hung up. */
static bool listen_to(struct place *p, int fd)
{
	if (p->second >= 0)
		drain(p->second);
	for (;;) {
		ssize_t n = receive(p, fd);
		size_t checked;

		if (n <= 0)
			return n < 0;
		p->have += (size_t)n;
		checked = stream_check(p->out, p->have);
		memmove(p->out, p->out + checked, p->have - checked);
		p->have -= checked;
	}
}

static void talk(struct place *p, int fd, const uint8_t *data, size_t size)
{
	bool wait;

	while (size) {
		bool second = p->second >= 0 && stream_is_second(data, size);
		size_t sent = stream_send(second ? p->second : fd, data, size, &wait);

		data += sent;
		size -= sent;
		if (sent && !wait)
			continue;
		serve(p);
		if (!listen_to(p, fd))
			return;
	}
	for (int i = 0; i < 2; i++) {
		serve(p);
		if (!listen_to(p, fd))
			return;
	}
}

static struct place *place_for(const uint8_t *data, size_t size)
{
	static struct place places[2];

	if (!places[0].srv) {
		stream_start();
		place_start(&places[0], "model:edu,latency=0,msix");
		place_start(&places[1], "model:shapes");
	}
	return &places[size && data[0] & 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct place *p = place_for(data, size);
	uint64_t served = dfd_server_served(p->srv, NULL);
	int lowest, fd;

	lowest = stream_lowest_fd();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&p->address, p->len))
		abort();
	p->have = 0;
	p->second = -1;
	serve(p);
	talk(p, fd, data, size);
	close(fd);
	if (p->second >= 0)
		close(p->second);
	for (int i = 0; dfd_server_served(p->srv, NULL) == served; i++) {
		if (i == 100000)
			abort(); /* it does not see that the client has gone */
		serve(p);
	}
	serve(p);
	if (stream_lowest_fd() != lowest)
		abort();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return stream_mutate(data, size, max, seed, false);
}
