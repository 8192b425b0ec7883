/* SPDX-License-Identifier: MIT */
/* libFuzzer on a server: a client that sends anything, in any pieces, with any fds. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <devfd/devfd.h>

#include "stream.h"
#include "user/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/** struct place - a served device; what it answered and was not checked yet is in @out */
struct place {
	struct dfd_server *srv;
	struct sockaddr_un address;
	socklen_t len;
	uint8_t out[USER_MAX_MESSAGE + 4096];
	size_t have;
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

/* Return: false when the server has hung up. */
static bool listen_to(struct place *p, int fd)
{
	for (;;) {
		ssize_t n = recv(fd, p->out + p->have, sizeof(p->out) - p->have, MSG_DONTWAIT);
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
		size_t sent = stream_send(fd, data, size, &wait);

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
	serve(p);
	talk(p, fd, data, size);
	close(fd);
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
