/* SPDX-License-Identifier: MIT */
/* What a server asks a client, byte for byte: the last of vectors.txt. usage: asked VECTORS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/link.h"

#define IOVA	   0x7000
#define MAX_VECTOR 128
#define FIRST	   53 /* of those that a server sends */
#define UNMAPPED   55 /* from this one on there is no memory */

static uint8_t memory[4096] = "ABCDEFGHIJKLMNOP";

static size_t from_hex(const char *text, uint8_t bytes[MAX_VECTOR])
{
	size_t len = strlen(text) / 2;

	for (size_t i = 0; i < len && i < MAX_VECTOR; i++) {
		unsigned int value;

		if (sscanf(text + 2 * i, "%2x", &value) != 1)
			return 0;
		bytes[i] = (uint8_t)value;
	}
	return len;
}

/* The answer to the next request of the client lies there before it asks. */
static void agree(int server, uint16_t id, uint16_t command)
{
	const struct user_header head = {
		.id = id, .command = command, .size = sizeof(head), .flags = USER_TYPE_REPLY
	};

	if (send(server, &head, sizeof(head), 0) < 0)
		abort();
}

static void map(struct link *l, int server)
{
	struct dfd_dma_map map = { .iova = IOVA,
				   .size = sizeof(memory),
				   .prot = DFD_DMA_READ | DFD_DMA_WRITE,
				   .kind = DFD_DMA_ADDRESS,
				   .addr = memory };

	agree(server, 0, USER_DMA_MAP);
	l->peer.max_dma_maps = 1;
	if (link_map(l, &map))
		abort();
}

static void unmap(struct link *l, int server)
{
	uint64_t unmapped = 0;
	uint8_t asked[256];

	agree(server, 1, USER_DMA_UNMAP);
	if (link_unmap(l, IOVA, sizeof(memory), &unmapped) || unmapped != sizeof(memory) ||
	    recv(server, asked, sizeof(asked), 0) < 0)
		abort();
}

static int check(struct link *l, int server, int number, const char *call, const char *answer)
{
	uint8_t sent[MAX_VECTOR], wanted[MAX_VECTOR], got[MAX_VECTOR];
	size_t len = from_hex(call, sent), want = from_hex(answer, wanted);
	ssize_t n;

	if (send(server, sent, len, 0) < 0 || link_service(l))
		return fprintf(stderr, "vector %d: the link has failed\n", number);
	n = recv(server, got, sizeof(got), MSG_DONTWAIT);
	if (n == (ssize_t)want && !memcmp(got, wanted, want))
		return 0;
	fprintf(stderr, "vector %d: another answer of %zd bytes\n", number, n);
	return 1;
}

int main(int argc, char **argv)
{
	char line[1024], call[1024], answer[1024];
	FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
	int pair[2], number, failed = 0, tried = 0;
	struct link l;

	if (!file || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 1;
	link_start(&l, pair[0], 1000);
	map(&l, pair[1]);
	if (recv(pair[1], line, sizeof(line), 0) < 0)
		return 1;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%d 0 %1000s", &number, call) != 2 || number < FIRST)
			continue;
		if (!fgets(line, sizeof(line), file) || sscanf(line, " %1000s", answer) != 1)
			return 1;
		if (number == UNMAPPED)
			unmap(&l, pair[1]);
		if (number == UNMAPPED - 1) /* this one writes what that one has read */
			memset(memory, 0, sizeof(memory));
		failed += check(&l, pair[1], number, call, answer) != 0;
		failed += number == UNMAPPED - 1 && memcmp(memory, "ABCDEFGHIJKLMNOP", 16) != 0;
		tried++;
	}
	fclose(file);
	link_finish(&l);
	close(pair[1]);
	return failed || tried != 4;
}
