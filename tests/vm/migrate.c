/* SPDX-License-Identifier: MIT */
/*
 * Two of the kernel's sample serial devices (mtty): the state of one is saved and restored into the
 * other, and one keeps account of its DMA.
 *
 * usage: vm-migrate SOURCE TARGET
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

#define PAGE 4096u

/* Registers of a 16550, and what is in it: characters that were sent come back. */
enum { DATA = 0, FIFO_CONTROL = 2, LINE_CONTROL = 3, SCRATCH = 7 };
#define SENT	"two machines"
#define MAX_LEN 4096u

static void put(struct dfd_device *dev, uint64_t reg, uint8_t value)
{
	must(dfd_region_write(dev, 0, reg, &value, 1) == 1, "a register cannot be written");
}

static uint8_t get(struct dfd_device *dev, uint64_t reg)
{
	uint8_t value = 0;

	must(dfd_region_read(dev, 0, reg, &value, 1) == 1, "a register cannot be read");
	return value;
}

static void must_be(struct dfd_device *dev, uint32_t wanted)
{
	uint32_t state = DFD_MIGRATION_ERROR;

	must(!dfd_migration_get(dev, &state), "the state cannot be asked for");
	printf("state %s\n", dfd_migration_state_name(state));
	must(state == wanted, "the state is another one");
}

/* Goes there. Return: the fd of that state, or -1 */
static int go(struct dfd_device *dev, enum dfd_migration_state state)
{
	int fd;

	must(!dfd_migration_set(dev, state, &fd), dfd_migration_state_name(state));
	must_be(dev, state);
	return fd;
}

/** struct saved - the state of a device */
struct saved {
	uint8_t bytes[MAX_LEN];
	size_t len;
};

static void read_on(int fd, struct saved *s)
{
	ssize_t n;

	while ((n = read(fd, s->bytes + s->len, MAX_LEN - s->len)) > 0)
		s->len += (size_t)n;
	must(!n, "the state cannot be read to its end");
}

/* What there is is read while the device runs, the rest when it has stopped. */
static void save_live(struct dfd_device *dev, struct saved *s)
{
	struct dfd_precopy precopy = { 0 };
	uint64_t size = 0;
	int fd;

	must(!dfd_migration_size(dev, &size), "the size is not told");
	fd = go(dev, DFD_MIGRATION_STATE_PRE_COPY);
	must(fd >= 0, "no fd to read from");
	must(!dfd_migration_precopy(fd, &precopy), "what there is to read is not told");
	must(precopy.initial && !precopy.dirty && !precopy.again, "that is no new state");
	must(precopy.initial < size, "that is no beginning of the state");
	read_on(fd, s);
	must(s->len == precopy.initial, "not as much as told");
	must(!dfd_migration_precopy(fd, &precopy) && !precopy.initial, "there is still more");
	must(go(dev, DFD_MIGRATION_STATE_STOP_COPY) == -1, "a second fd");
	must(dfd_migration_precopy(fd, &precopy) == -EINVAL, "it is not running");
	read_on(fd, s);
	printf("%zu bytes of %llu\n", s->len, (unsigned long long)size);
	must(s->len == size, "the size is another one");
	must(go(dev, DFD_MIGRATION_STOP) == -1, "an fd of a stopped device");
	must(read(fd, s->bytes, 1) < 0 && errno == ENODEV, "the fd still has something");
	close(fd);
}

static void save(struct dfd_device *dev, struct saved *s)
{
	int fd = go(dev, DFD_MIGRATION_STATE_STOP_COPY);

	read_on(fd, s);
	close(fd);
	must(go(dev, DFD_MIGRATION_RUNNING) == -1, "an fd of a running device");
}

static void put_part(int fd, const struct saved *s, size_t from, size_t to)
{
	must(write(fd, s->bytes + from, to - from) == (ssize_t)(to - from),
	     "the state is not taken");
}

/* Half a state is refused, and does no harm to the whole. */
static void restore(struct dfd_device *dev, const struct saved *s)
{
	int fd = go(dev, DFD_MIGRATION_RESUMING), other;

	put_part(fd, s, 0, s->len / 2);
	must(dfd_migration_set(dev, DFD_MIGRATION_RUNNING, &other) == -EINVAL && other == -1,
	     "half a state is taken for one");
	must_be(dev, DFD_MIGRATION_RESUMING);
	put_part(fd, s, s->len / 2, s->len);
	close(fd);
	must(go(dev, DFD_MIGRATION_RUNNING) == -1, "an fd of a running device");
}

static void migrate(struct dfd_device *from, struct dfd_device *to)
{
	static struct saved first, second;
	uint64_t flags = 0;

	must(!dfd_migration_flags(from, &flags), "it does not migrate");
	must(flags == (DFD_MIGRATION_STOP_COPY | DFD_MIGRATION_P2P | DFD_MIGRATION_PRE_COPY),
	     "it can do something else");
	must_be(from, DFD_MIGRATION_RUNNING);
	put(from, FIFO_CONTROL, 7);
	put(from, LINE_CONTROL, 3);
	put(from, SCRATCH, 0x5a);
	for (const char *c = SENT; *c; c++)
		put(from, DATA, (uint8_t)*c);
	save_live(from, &first);
	restore(to, &first);
	save(to, &second);
	must(first.len == second.len && !memcmp(first.bytes, second.bytes, first.len),
	     "what was restored is something else");
	must(get(to, LINE_CONTROL) == 3, "the line is set up in another way");
	for (const char *c = SENT; *c; c++)
		must(get(to, DATA) == (uint8_t)*c, "another character comes back");
	must(go(from, DFD_MIGRATION_RUNNING) == -1, "an fd of a running device");
}

/* The device does no DMA, so what it tells is that nothing was written. */
static void logging(struct dfd_device *dev)
{
	const struct dfd_dma_range ranges[] = { { 0x100000, 64 * PAGE }, { 0x200000, PAGE } };
	const struct dfd_dma_range odd = { 0x100, PAGE }, twice[] = { ranges[0], ranges[0] };
	uint64_t bits[1] = { 0 };

	must(dfd_dma_logging_start(dev, PAGE, &odd, 1) == -EINVAL, "off pages");
	must(dfd_dma_logging_start(dev, PAGE, twice, 2) == -EINVAL, "one range twice");
	must(dfd_dma_logging_start(dev, 512, ranges, 2) == -EINVAL, "pages of 512 bytes");
	must(!dfd_dma_logging_start(dev, PAGE, ranges, 2), "no account is kept");
	must(!dfd_dma_logging_report(dev, ranges, PAGE, bits) && !bits[0], "something was written");
	must(!dfd_dma_logging_stop(dev), "the account cannot be ended");
}

int main(int argc, char **argv)
{
	struct dfd_device *from, *to;

	must(argc == 3, "usage: vm-migrate SOURCE TARGET");
	from = open_one(argv[1]);
	to = open_one(argv[2]);
	migrate(from, to);
	logging(from);
	dfd_device_close(from);
	dfd_device_close(to);
	puts("ok");
	return 0;
}
