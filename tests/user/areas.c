/* SPDX-License-Identifier: MIT */
/* A device of one BAR of 8 KiB, of which the second half can be mapped. Called as devfd serve is.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <devfd/devfd.h>

#define BAR_SIZE 0x2000

static struct dfd_server *server;
static int memory;

static int region_map(struct dfd_device *dev, uint32_t index, int *fd, uint64_t *offset)
{
	(void)dev;
	(void)index;
	*fd = memory;
	*offset = 0;
	return 0;
}

static ssize_t region_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			   size_t len)
{
	(void)dev;
	(void)index;
	return pread(memory, buf, len, (off_t)offset);
}

static int make_device(struct dfd_device **dev, struct dfd_error *err)
{
	static const struct dfd_device_ops ops = { .size = sizeof(ops),
						   .name = "areas",
						   .region_read = region_read,
						   .region_map = region_map };
	static const struct dfd_area area = { 0x1000, 0x1000 };
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
	const struct dfd_desc *desc;
	int ret;

	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_BAR0,
						     .flags = DFD_REGION_MAPPABLE,
						     .size = BAR_SIZE,
						     .areas = &area,
						     .num_areas = 1 });
	dfd_desc_add_region(b, &(struct dfd_region){ .index = DFD_PCI_CONFIG, .size = 256 });
	ret = dfd_desc_build(b, &desc, err);
	if (ret)
		return ret;
	ret = dfd_device_new(desc, &ops, NULL, true, dev);
	dfd_desc_unref(desc);
	return ret;
}

static void on_signal(int number)
{
	(void)number;
	dfd_server_stop(server);
}

int main(int argc, char **argv)
{
	struct dfd_error err = { .text = "" };
	struct dfd_device *dev;

	memory = memfd_create("areas", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (argc < 5 || ftruncate(memory, BAR_SIZE) ||
	    fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) || make_device(&dev, &err) ||
	    dfd_server_new(&server) || dfd_server_add(server, dev, argv[4], 0600, &err)) {
		fprintf(stderr, "areas: %s\n", err.text);
		return 1;
	}
	signal(SIGTERM, on_signal);
	while (!dfd_server_wait(server, -1))
		;
	signal(SIGTERM, SIG_IGN);
	dfd_server_free(server);
	dfd_device_close(dev);
	close(memory);
	return 0;
}
