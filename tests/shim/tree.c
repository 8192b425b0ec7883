/* SPDX-License-Identifier: MIT */
/*
 * A program of 2011 for a device of a device tree: what and where it is, by the ioctls and by the
 * table, and its first interrupt on an eventfd.
 *
 * usage: tree PATH    under devfd run
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <devfd/ioctl.h>

static int fd;

static uint64_t ask(unsigned long request, uint64_t value, const char *what)
{
	if (ioctl(fd, request, &value) < 0)
		err(1, "%s", what);
	return value;
}
#define ASK(request, value) ask(VFIO_DEVICE_##request, value, #request)

static void show_path(uint32_t type, uint32_t index)
{
	char path[256];
	struct vfio_device_dtpath arg = {
		.type = type, .index = index, .buf_len = sizeof(path), .buf = (uintptr_t)path
	};
	struct vfio_device_dtindex where = { .type = type, .index = index };

	if (ioctl(fd, VFIO_DEVICE_GET_DTPATH, &arg) || ioctl(fd, VFIO_DEVICE_GET_DTINDEX, &where))
		err(1, "GET_DTPATH, GET_DTINDEX");
	printf("%s, entry %" PRIu32 " of property %" PRIu32, path, where.prop_index,
	       where.prop_type);
}

static void show_regions(void)
{
	uint64_t count = ASK(GET_NUM_REGIONS, 0), size, at;
	uint32_t id;

	for (uint32_t i = 0; i < count; i++) {
		size = ASK(GET_REGION_LEN, i);
		at = ASK(GET_REGION_OFFSET, i);
		printf("region %" PRIu32 ": ", i);
		show_path(VFIO_DEVICE_DT_REGION, i);
		printf(", 0x%" PRIx64 " bytes at 0x%" PRIx64 "\n", size,
		       ASK(GET_REGION_PHYS_ADDR, i));
		/* Where devices of ARM's say what they are. */
		if (pread(fd, &id, 4, (off_t)(at + size - 0x20)) == 4)
			printf("  identification 0x%02" PRIx32 "\n", id);
		else
			printf("  identification: %s\n", strerror(errno));
	}
}

static void show_irqs(void)
{
	uint64_t count = ASK(GET_NUM_IRQS, 0);
	int event[2] = { 0, eventfd(0, EFD_CLOEXEC) }, none[2] = { 0, -1 };

	for (uint32_t i = 0; i < count; i++) {
		printf("irq %" PRIu32 ": ", i);
		show_path(VFIO_DEVICE_DT_IRQ, i);
		printf("\n");
	}
	printf("irq 0 on an eventfd: %s\n",
	       ioctl(fd, VFIO_DEVICE_SET_IRQ_EVENTFD, event) ? strerror(errno) : "yes");
	if (!ioctl(fd, VFIO_DEVICE_SET_IRQ_EVENTFD, none))
		printf("and off: yes\n");
	close(event[1]);
}

int main(int argc, char **argv)
{
	char magic[4];
	uint32_t header[3];

	fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		err(1, "usage: tree PATH");
	if (pread(fd, magic, 4, 0) != 4 || pread(fd, header, 12, 4) != 12)
		err(1, "the table");
	printf("\"%.4s\", version %" PRIu32 ", flags %" PRIu64 "\n", magic, header[0],
	       ASK(GET_FLAGS, 0));
	show_regions();
	show_irqs();
	return 0;
}
