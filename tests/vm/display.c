/* SPDX-License-Identifier: MIT */
/*
 * What a Bochs display of the kernel's shows: off at first, then a mode that is set by its
 * registers, with its pixels in a dma-buf.
 *
 * usage: vm-display ADDRESS
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

#define REGISTERS 2	/* BAR */
#define DISPI	  0x500 /* its registers, of 2 bytes each */
#define WIDTH	  640u
#define HEIGHT	  480u
#define XR24	  0x34325258u

enum { X_RESOLUTION = 1, Y_RESOLUTION, BITS, ENABLE };

static struct dfd_device *dev;

static void put(uint64_t number, uint16_t value)
{
	must(dfd_region_write(dev, REGISTERS, DISPI + 2 * number, &value, 2) == 2,
	     "a register cannot be written");
}

static void look_at_mode(const struct dfd_plane *p)
{
	printf("%ux%u, format 0x%08x, stride %u, size %u\n", p->width, p->height, p->format,
	       p->stride, p->size);
	must(p->width == WIDTH && p->height == HEIGHT && p->format == XR24, "another mode");
	must(p->stride == 4 * WIDTH && p->size == 4 * WIDTH * HEIGHT && !p->modifier,
	     "another layout");
}

/*
 * Nobody can map it: its fd is for reading only, and such a map never is VM_SHARED, which
 * samples/vfio-mdev/mbochs.c, mbochs_mmap_dmabuf() wants. Its size and its kind can be seen.
 */
static void look_at_pixels(const struct dfd_plane *p)
{
	char link[32], name[64] = "";
	int fd = dfd_plane_dmabuf(dev, p->where);

	must(fd >= 0, "no dma-buf");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	must(readlink(link, name, sizeof(name) - 1) > 0 && strstr(name, "dmabuf"),
	     "another kind of file");
	must(lseek(fd, 0, SEEK_END) == (off_t)p->size, "a dma-buf of another size");
	close(fd);
}

int main(int argc, char **argv)
{
	struct dfd_plane p;

	must(argc == 2, "usage: vm-display ADDRESS");
	dev = open_one(argv[1]);
	must(!dfd_plane_probe(dev, DFD_PLANE_DMABUF), "no planes by dma-buf");
	must(dfd_plane_probe(dev, DFD_PLANE_REGION) == -EINVAL, "planes by region");
	must(!dfd_plane_get(dev, DFD_PLANE_DMABUF, DFD_PLANE_PRIMARY, &p) && !p.width,
	     "it shows something before it is switched on");
	put(X_RESOLUTION, WIDTH);
	put(Y_RESOLUTION, HEIGHT);
	put(BITS, 32);
	put(ENABLE, 1);
	/* A new mode fails once: samples/vfio-mdev/mbochs.c does not look at what it has made. */
	must(dfd_plane_get(dev, DFD_PLANE_DMABUF, DFD_PLANE_PRIMARY, &p) == -ENOMEM,
	     "a new mode does not fail: the kernel was mended");
	must(!dfd_plane_get(dev, DFD_PLANE_DMABUF, DFD_PLANE_PRIMARY, &p), "no primary plane");
	look_at_mode(&p);
	look_at_pixels(&p);
	must(dfd_plane_dmabuf(dev, p.where + 99) == -ENOENT, "a dma-buf that there is not");
	dfd_device_close(dev);
	return 0;
}
