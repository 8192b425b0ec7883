/* SPDX-License-Identifier: MIT */
/*
 * The driver of edu.c without the library: an fd, its ioctls, pread and pwrite.
 *
 * usage: raw-edu PATH N, such as
 *        devfd run --at /dev/edu=model:edu -- raw-edu /dev/edu 10
 *
 * DMA is missing: the device fd of 2011 has no call for it.
 */
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <devfd/ioctl.h>

enum {
	ID = 0x00,
	LIVENESS = 0x04,
	FACTORIAL = 0x08,
	STATUS = 0x20,
	IRQ_STATUS = 0x24,
	IRQ_ACK = 0x64,
};

#define STATUS_BUSY 0x01u
#define STATUS_IRQ  0x80u

static int fd;
static uint64_t bar0; /* where BAR 0 is in the file */

static void ask(unsigned long request, void *arg, const char *what)
{
	if (ioctl(fd, request, arg) < 0)
		err(1, "%s", what);
}

/* Never assume where a region is: ask. */
static uint64_t region_offset(uint64_t index)
{
	uint64_t value = index;

	ask(VFIO_DEVICE_GET_REGION_LEN, &value, "GET_REGION_LEN");
	if (!value)
		errx(1, "region %" PRIu64 " is absent", index);
	value = index;
	ask(VFIO_DEVICE_GET_REGION_OFFSET, &value, "GET_REGION_OFFSET");
	return value;
}

static uint32_t get(uint64_t reg)
{
	uint32_t value;

	if (pread(fd, &value, 4, (off_t)(bar0 + reg)) != 4)
		err(1, "register 0x%" PRIx64, reg);
	return le32toh(value);
}

static void put(uint64_t reg, uint32_t value)
{
	value = htole32(value);
	if (pwrite(fd, &value, 4, (off_t)(bar0 + reg)) != 4)
		err(1, "register 0x%" PRIx64, reg);
}

/* Messages are DMA, for which a function must be bus master. */
static void enable_bus_master(void)
{
	off_t at = (off_t)(region_offset(7) + 4);
	uint16_t command;

	if (pread(fd, &command, 2, at) != 2)
		err(1, "command register");
	command = htole16(le16toh(command) | 4);
	if (pwrite(fd, &command, 2, at) != 2)
		err(1, "command register");
}

/* Route messages to an eventfd, or INTx where there are none. */
static int enable_irq(const char **name)
{
	static const struct {
		uint32_t id;
		unsigned long request;
		const char *name;
	} kinds[] = {
		{ VFIO_DEVICE_EXT_MSIX_VECTORS, VFIO_DEVICE_PCI_SET_MSIX_EVENTFDS, "MSI-X" },
		{ VFIO_DEVICE_EXT_MSI_VECTORS, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, "MSI" },
	};
	int event = eventfd(0, EFD_CLOEXEC);
	int messages[] = { 1, event }, intx[] = { 0, event };

	if (event < 0)
		err(1, "eventfd");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		uint32_t id = kinds[i].id;

		if (ioctl(fd, VFIO_DEVICE_CHECK_EXTENSION, &id) <= 0)
			continue;
		*name = kinds[i].name;
		ask(kinds[i].request, messages, *name);
		return event;
	}
	*name = "INTx";
	ask(VFIO_DEVICE_SET_IRQ_EVENTFD, intx, *name);
	return event;
}

static uint32_t factorial_by_polling(uint32_t n)
{
	uint32_t status;

	put(FACTORIAL, n);
	do {
		status = get(STATUS);
		if (status == UINT32_MAX)
			errx(1, "the device is gone");
	} while (status & STATUS_BUSY);
	return get(FACTORIAL);
}

static uint32_t factorial_by_irq(uint32_t n, int event)
{
	struct pollfd wait = { .fd = event, .events = POLLIN };

	put(STATUS, STATUS_IRQ);
	put(FACTORIAL, n);
	if (poll(&wait, 1, 5000) != 1)
		errx(1, "no interrupt came");
	if (get(IRQ_STATUS) != 1)
		errx(1, "an interrupt with a wrong cause came");
	put(IRQ_ACK, 1);
	return get(FACTORIAL);
}

static void drive(uint32_t n)
{
	const char *irq;
	uint64_t flags;
	int regions, event;

	ask(VFIO_DEVICE_GET_FLAGS, &flags, "GET_FLAGS");
	ask(VFIO_DEVICE_GET_NUM_REGIONS, &regions, "GET_NUM_REGIONS");
	printf("flags 0x%" PRIx64 ", %d regions\n", flags, regions);
	bar0 = region_offset(0);
	if ((get(ID) & 0xff) != 0xed)
		errx(1, "this is not the educational device");
	printf("identification 0x%08" PRIx32 "\n", get(ID));
	put(LIVENESS, 0x12345678);
	printf("liveness 0x12345678 -> 0x%08" PRIx32 "\n", get(LIVENESS));
	printf("%" PRIu32 "! by polling: %" PRIu32 "\n", n, factorial_by_polling(n));
	enable_bus_master();
	event = enable_irq(&irq);
	printf("%" PRIu32 "! by %s: %" PRIu32 "\n", n, irq, factorial_by_irq(n, event));
	close(event);
}

static uint32_t number(const char *text)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 0);
	if (*text < '0' || *text > '9' || *end || errno || value > UINT32_MAX)
		errx(2, "%s is no number of 32 bits", text);
	return (uint32_t)value;
}

int main(int argc, char **argv)
{
	uint32_t n;

	if (argc != 3)
		errx(2, "usage: raw-edu PATH N");
	n = number(argv[2]);
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", argv[1]);
	drive(n);
	close(fd);
	if (fflush(stdout))
		err(1, "standard output");
	return 0;
}
