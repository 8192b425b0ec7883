/* SPDX-License-Identifier: MIT */
/*
 * What the ioctls do on devices that the models are not; tests/ioctl/ has the rest: devices that
 * are only described, that have every capability, or that have operations of their own.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <devfd/feature.h>
#include <devfd/file.h>
#include <devfd/ioctl.h>
#include <devfd/open.h>
#include <devfd/provider.h>
#include <devfd/table.h>

#include "abi/vfio.h"
#include "random_desc.h"
#include "util/usermem.h"

/* ---- a device that remembers what it was asked ---- */

struct probe {
	struct dfd_irq_set set;
	int32_t fds[8];
	unsigned int sets, resets;
	int answer;
	uint32_t feature;
	size_t feature_len;
};

static int probe_set_irqs(struct dfd_device *dev, const struct dfd_irq_set *set)
{
	struct probe *p = dfd_device_priv(dev);

	p->sets++;
	p->set = *set;
	if (set->flags & DFD_IRQ_DATA_EVENTFD)
		memcpy(p->fds, set->fds, set->count * sizeof(*set->fds));
	return p->answer;
}

static int probe_reset(struct dfd_device *dev)
{
	struct probe *p = dfd_device_priv(dev);

	p->resets++;
	return p->answer;
}

/* Features 7 and 11 can be read. */
static int probe_feature(struct dfd_device *dev, uint32_t flags, void *data, size_t len)
{
	struct probe *p = dfd_device_priv(dev);

	p->feature = flags;
	p->feature_len = len;
	if ((flags & 0xffff) != 7 && (flags & 0xffff) != DFD_FEATURE_DMA_BUF)
		return -ENOTTY;
	if (flags & VFIO_DEVICE_FEATURE_PROBE)
		return data ? -EIO : 0;
	memset(data, 0x77, len);
	return 3;
}

/* The primary plane is in dma-buf 5. */
static int probe_plane(struct dfd_device *dev, enum dfd_plane_way way,
		       const enum dfd_plane_kind *kind, struct dfd_plane *out)
{
	(void)dev;
	if (way != DFD_PLANE_DMABUF || (kind && *kind != DFD_PLANE_PRIMARY))
		return -EINVAL;
	if (kind)
		*out = (struct dfd_plane){ 0x34325258, 9, 640, 480, 2560, 1228800, 1, 2, 3, 4, 5 };
	return 0;
}

static int probe_dmabuf(struct dfd_device *dev, uint32_t where)
{
	(void)dev;
	return where == 5 ? dup(0) : -EINVAL;
}

static const struct dfd_device_ops probe_ops = {
	.size = sizeof(probe_ops),
	.name = "probe",
	.set_irqs = probe_set_irqs,
	.reset = probe_reset,
	.feature = probe_feature,
	.plane = probe_plane,
	.plane_dmabuf = probe_dmabuf,
};
static const struct dfd_device_ops described = { .size = sizeof(described), .name = "described" };

static const struct dfd_cap caps[] = {
	{ .id = 5, .version = 1, .size = 4, .data = "\1\0\0\0" },
	{ .id = 9, .version = 2 },
};

static struct dfd_device *open_pci(const struct dfd_device_ops *ops, struct probe *p)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
	const struct dfd_desc *desc = NULL;
	struct dfd_device *dev;

	dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	dfd_desc_set_num(b, DFD_FACT_MSI_VECTORS, 4);
	dfd_desc_add_cap(b, &caps[0]);
	dfd_desc_add_cap(b, &caps[1]);
	dfd_desc_add_irq(b, &(struct dfd_irq){ .count = 1 });
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_device_new(desc, ops, p, false, &dev), 0);
	dfd_desc_unref(desc);
	return dev;
}

/* ---- 2011 ---- */

static void test_message_array_is_whole(void **state)
{
	struct probe p = { 0 };
	struct dfd_device *dev = open_pci(&probe_ops, &p);
	int efd = eventfd(0, EFD_CLOEXEC), zero = 0;
	int two[] = { 2, -1, efd }, bad[] = { 2, efd, 999999 };

	(void)state;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, two), 0);
	assert_int_equal(p.set.flags, DFD_IRQ_ACTION_TRIGGER | DFD_IRQ_DATA_EVENTFD);
	assert_int_equal(p.set.index, DFD_PCI_MSI);
	assert_int_equal(p.set.count, 4);
	assert_memory_equal(p.fds, ((int32_t[]){ -1, efd, -1, -1 }), 16);
	/* A source never sees what is no eventfd. */
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, bad), -EINVAL);
	assert_int_equal(p.sets, 1);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, &zero), 0);
	assert_int_equal(p.set.flags, DFD_IRQ_ACTION_TRIGGER | DFD_IRQ_DATA_NONE);
	assert_int_equal(p.set.count, 0);
	/* The kernel has only so many vectors left, or says that nothing was on. */
	p.answer = 1;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, two), -EINVAL);
	p.answer = -EINVAL;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, &zero), 0);
	close(efd);
	dfd_device_close(dev);
}

static void test_wired(void **state)
{
	struct probe p = { 0 };
	struct dfd_device *dev = open_pci(&probe_ops, &p);
	int efd = eventfd(0, EFD_CLOEXEC), on[] = { 0, efd }, bad[] = { 0, 999999 }, index = 0;

	(void)state;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_SET_IRQ_EVENTFD, bad), -EINVAL);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_SET_UNMASK_IRQ_EVENTFD, bad), -EINVAL);
	assert_int_equal(p.sets, 0);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_SET_UNMASK_IRQ_EVENTFD, on), 0);
	assert_int_equal(p.set.flags, DFD_IRQ_ACTION_UNMASK | DFD_IRQ_DATA_EVENTFD);
	/* A source without unmasking says ENOTTY; for 2011 that is an unknown request. */
	p.answer = -ENOTTY;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_UNMASK_IRQ, &index), -EINVAL);
	close(efd);
	dfd_device_close(dev);
}

static void test_reset(void **state)
{
	struct probe p = { 0 };
	struct dfd_device *dev = open_pci(&probe_ops, &p);
	int probe = 1, perform = 0;

	(void)state;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_PCI_RESET, &probe), 0);
	assert_int_equal(p.resets, 0);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_PCI_RESET, &perform), 0);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_RESET, NULL), 0);
	assert_int_equal(p.resets, 2);
	p.answer = -EAGAIN;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_RESET, NULL), -EAGAIN);
	dfd_device_close(dev);
}

static void test_described_only(void **state)
{
	struct dfd_device *dev = open_pci(&described, NULL);
	int efd = eventfd(0, EFD_CLOEXEC), on[] = { 0, efd }, off[] = { 0, -1 }, zero = 0;
	uint64_t flags = 0;

	(void)state;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_FLAGS, &flags), 0);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_SET_IRQ_EVENTFD, on), -EOPNOTSUPP);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_SET_IRQ_EVENTFD, off), -EOPNOTSUPP);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_PCI_SET_MSI_EVENTFDS, &zero), -EOPNOTSUPP);
	close(efd);
	dfd_device_close(dev);
}

/* ---- today's ---- */

static void test_device_capabilities(void **state)
{
	struct dfd_device *dev = open_pci(&described, NULL);
	struct {
		struct vfio_device_info info;
		struct vfio_info_cap_header first;
		uint64_t body;
		struct vfio_info_cap_header second;
	} all = { .info = { .argsz = sizeof(all.info) } };

	(void)state;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_INFO, &all), 0);
	assert_int_equal(all.info.argsz, 48);
	assert_int_equal(all.info.flags,
			 VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_CAPS);
	assert_int_equal(all.info.cap_offset, 0);
	assert_int_equal(all.first.id, 0);

	assert_int_equal(sizeof(all), 48);
	all.body = UINT64_MAX;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_INFO, &all), 0);
	assert_int_equal(all.info.cap_offset, 24);
	assert_int_equal(all.first.id, 5);
	assert_int_equal(all.first.next, 40);
	assert_int_equal(all.body, 1); /* padded with zeros */
	assert_int_equal(all.second.id, 9);
	assert_int_equal(all.second.version, 2);
	assert_int_equal(all.second.next, 0);

	/* Room for more than there is. */
	all.info = (struct vfio_device_info){ .argsz = 4096 };
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_INFO, &all), 0);
	assert_int_equal(all.info.argsz, 4096);
	assert_int_equal(all.info.cap_offset, 24);

	/* An old program, whose struct ends before cap_offset, gets nothing past its end. */
	all.info = (struct vfio_device_info){ .argsz = 16, .cap_offset = 77 };
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_INFO, &all), 0);
	assert_int_equal(all.info.argsz, 48);
	assert_int_equal(all.info.cap_offset, 77);
	dfd_device_close(dev);
}

static void test_set_irqs_passes_on(void **state)
{
	struct probe p = { .answer = 2 };
	struct dfd_device *dev = open_pci(&probe_ops, &p);
	int efd = eventfd(0, EFD_CLOEXEC);
	uint32_t args[8] = { sizeof(args),
			     VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			     VFIO_PCI_MSI_IRQ_INDEX,
			     1,
			     3,
			     (uint32_t)efd,
			     (uint32_t)-5,
			     (uint32_t)-1 };

	(void)state;
	/* The kernel's "so many are available" comes through. */
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_SET_IRQS, args), 2);
	assert_int_equal(p.set.start, 1);
	assert_int_equal(p.set.count, 3);
	assert_memory_equal(p.fds, ((int32_t[]){ efd, -1, -1 }), 12);
	close(efd);
	dfd_device_close(dev);
}

static void test_planes(void **state)
{
	struct probe p = { 0 };
	struct dfd_device *dev = open_pci(&probe_ops, &p), *edu;
	struct vfio_device_gfx_plane_info info = { .argsz = 60, .flags = 3, .reserved = 7 };
	uint32_t where = 5;
	int fd;

	(void)state;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_QUERY_GFX_PLANE, &info), 0);
	assert_int_equal(info.width, 0);
	info.flags = 5;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_QUERY_GFX_PLANE, &info), -EINVAL);
	info.flags = 2;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_QUERY_GFX_PLANE, &info), -EINVAL);
	info.drm_plane_type = 1;
	info.argsz = 59;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_QUERY_GFX_PLANE, &info), -EINVAL);
	info.argsz = 60;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_QUERY_GFX_PLANE, &info), 0);
	assert_int_equal(info.drm_format, 0x34325258);
	assert_int_equal(info.drm_format_mod, 9);
	assert_int_equal(info.width * info.height * 4, info.size);
	assert_int_equal(info.stride, 2560);
	assert_int_equal(info.x_pos * 1000 + info.y_pos * 100 + info.x_hot * 10 + info.y_hot, 1234);
	assert_int_equal(info.where, 5);
	assert_int_equal(info.reserved, 7);
	fd = dfd_ioctl(dev, VFIO_DEVICE_GET_GFX_DMABUF, &where);
	assert_true(fd > 0);
	close(fd);
	where = 6;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_GFX_DMABUF, &where), -EINVAL);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_GET_GFX_DMABUF, NULL), -EFAULT);
	dfd_device_close(dev);

	assert_int_equal(dfd_open("model:edu", &edu, NULL), 0);
	assert_int_equal(dfd_ioctl(edu, VFIO_DEVICE_QUERY_GFX_PLANE, NULL), -ENOTTY);
	assert_int_equal(dfd_ioctl(edu, VFIO_DEVICE_GET_GFX_DMABUF, NULL), -ENOTTY);
	dfd_device_close(edu);
}

static void test_feature(void **state)
{
	struct probe p = { 0 };
	struct dfd_device *dev = open_pci(&probe_ops, &p);
	/* argsz, flags, body */
	uint32_t args[2048] = { 12, 7 | VFIO_DEVICE_FEATURE_GET };
	const uint32_t probe = VFIO_DEVICE_FEATURE_PROBE;

	(void)state;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_FEATURE, args), 3);
	assert_int_equal(p.feature_len, 4);
	assert_int_equal(args[2], 0x77777777);
	assert_int_equal(args[3], 0);
	/* Setting gives nothing back. */
	args[0] = 16;
	args[1] = 7 | VFIO_DEVICE_FEATURE_SET;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_FEATURE, args), 3);
	assert_int_equal(args[3], 0);
	/* More room than any feature needs is cut. */
	args[0] = sizeof(args);
	args[1] = 7 | VFIO_DEVICE_FEATURE_GET;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_FEATURE, args), 3);
	assert_int_equal(p.feature_len, 4096);
	assert_int_equal(args[2 + 1024], 0);
	args[1] = 7 | probe | VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_FEATURE, args), 0);
	args[1] = 8 | probe;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_FEATURE, args), -ENOTTY);
	dfd_device_close(dev);
}

/* The fd that a device gives for a part of a region would be one of another process. */
static void test_feature_of_another_process(void **state)
{
	struct probe p = { 0 };
	struct dfd_device *dev = open_pci(&probe_ops, &p);
	uint32_t plain[] = { 12, 7 | VFIO_DEVICE_FEATURE_GET, 0 };
	uint32_t fd[] = { 12, DFD_FEATURE_DMA_BUF | VFIO_DEVICE_FEATURE_GET, 0 };
	struct dfd_caller caller = { .pidfd = -1 };

	(void)state;
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_FEATURE, fd), 3);
	caller.pid = fork();
	if (!caller.pid) {
		pause();
		_exit(0);
	}
	dfd_call_from(&caller);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_FEATURE, plain), 3);
	assert_int_equal(dfd_ioctl(dev, VFIO_DEVICE_FEATURE, fd), -ENOTTY);
	dfd_call_from(NULL);
	kill(caller.pid, SIGKILL);
	waitpid(caller.pid, NULL, 0);
	dfd_device_close(dev);
}

/* ---- anything ---- */

static const unsigned long requests[] = {
	VFIO_DEVICE_GET_FLAGS,
	VFIO_DEVICE_GET_NUM_REGIONS,
	VFIO_DEVICE_GET_REGION_LEN,
	VFIO_DEVICE_GET_REGION_PHYS_ADDR,
	VFIO_DEVICE_GET_NUM_IRQS,
	VFIO_DEVICE_SET_IRQ_EVENTFD,
	VFIO_DEVICE_UNMASK_IRQ,
	VFIO_DEVICE_SET_UNMASK_IRQ_EVENTFD,
	VFIO_DEVICE_GET_DTPATH,
	VFIO_DEVICE_GET_DTINDEX,
	VFIO_DEVICE_RESET,
	VFIO_DEVICE_PCI_RESET,
	VFIO_DEVICE_PCI_SET_MSI_EVENTFDS,
	VFIO_DEVICE_PCI_SET_MSIX_EVENTFDS,
	VFIO_DEVICE_CHECK_EXTENSION,
	VFIO_DEVICE_GET_INFO,
	VFIO_DEVICE_GET_REGION_INFO,
	VFIO_DEVICE_GET_IRQ_INFO,
	VFIO_DEVICE_SET_IRQS,
	VFIO_DEVICE_FEATURE,
};

/* Words that mean something somewhere, and some that do not. */
static uint32_t random_word(uint64_t *seed, int efd)
{
	switch (dfd_random_below(seed, 4)) {
	case 0:
		return dfd_random_below(seed, 48);
	case 1:
		return UINT32_C(1) << dfd_random_below(seed, 32);
	case 2:
		return (uint32_t)efd;
	default:
		return (uint32_t)dfd_random(seed);
	}
}

/* No argument makes it crash, hang or answer what is no errno. */
static void hammer(const char *address, uint64_t seed)
{
	const size_t num = sizeof(requests) / sizeof(*requests);
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct dfd_device *dev;
	struct dfd_error err;

	if (dfd_open(address, &dev, &err))
		fail_msg("%s", err.text);
	for (int i = 0; i < 50000; i++) {
		unsigned long request = requests[dfd_random_below(&seed, num)];
		uint32_t args[64];
		uint64_t buf = (uintptr_t)args;
		int ret;

		for (size_t w = 0; w < 64; w++)
			args[w] = random_word(&seed, efd);
		if (request == VFIO_DEVICE_GET_DTPATH)
			memcpy(&args[4], &buf, sizeof(buf));
		else if (!_IOC_SIZE(request) && args[0] > sizeof(args))
			args[0] = dfd_random_below(&seed, sizeof(args));
		if (!dfd_random_below(&seed, 16))
			request ^= 1ul << dfd_random_below(&seed, 32);
		ret = dfd_ioctl(dev, request, args);
		assert_true(ret > -134);
	}
	dfd_device_close(dev);
	close(efd);
}

static void test_anything(void **state)
{
	(void)state;
	hammer("model:edu,msix=1", 1);
	hammer("model:pl011", 2);
	hammer("model:shapes", 3);
}

/* ---- the file ---- */

static struct dfd_device *open_other(const struct dfd_region *regions, size_t count)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_OTHER);
	const struct dfd_desc *desc = NULL;
	struct dfd_device *dev;

	for (size_t i = 0; i < count; i++)
		dfd_desc_add_region(b, &regions[i]);
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_device_new(desc, &described, NULL, false, &dev), 0);
	dfd_desc_unref(desc);
	return dev;
}

static void test_layout(void **state)
{
	/* A saved file may say so: the first lies below the table's end. */
	const struct dfd_region regions[] = { { .index = 3, .offset = 8, .size = 0x1000 },
					      { .index = 5, .offset = 0x2000, .size = 16 } };
	struct dfd_device *dev = open_other(regions, 2);
	const struct dfd_desc *desc = dfd_device_desc(dev);
	struct dfd_file *file = dfd_file_new(dev);
	uint64_t within = 0;
	uint32_t index = 0;
	char byte;

	(void)state;
	assert_int_equal(dfd_file_locate(desc, 8, &index, &within), -EINVAL);
	assert_int_equal(dfd_file_pread(file, &byte, 1, 8), 1);
	assert_int_equal(dfd_file_locate(desc, 0x800, &index, &within), 0);
	assert_int_equal(index, 3);
	assert_int_equal(within, 0x7f8);
	assert_int_equal(dfd_file_pread(file, &byte, 1, 0x800), -EOPNOTSUPP);
	assert_int_equal(dfd_file_locate(desc, 0x200f, &index, &within), 0);
	assert_int_equal(index, 5);
	assert_int_equal(within, 15);
	assert_int_equal(dfd_file_locate(desc, 0x2010, &index, &within), -EINVAL);
	assert_int_equal(dfd_file_pread(file, &byte, 1, 0x1800), -EINVAL);
	assert_int_equal(dfd_file_pread(file, &byte, 1, UINT64_MAX), -EINVAL);
	assert_int_equal(dfd_file_end(desc), 0x2010);
	dfd_file_free(file);
	dfd_device_close(dev);
}

static void test_file_without_regions(void **state)
{
	struct dfd_device *dev = open_other(NULL, 0);
	struct dfd_file *file = dfd_file_new(dev);
	char header[32];
	void *addr;

	(void)state;
	assert_int_equal(dfd_file_end(dfd_device_desc(dev)), 16);
	assert_int_equal(dfd_file_pread(file, header, sizeof(header), 0), 16);
	assert_memory_equal(header, "dev", 4);
	assert_int_equal(dfd_file_pread(file, header, 1, 16), 0);
	assert_int_equal(dfd_file_pread(file, header, 1, UINT64_MAX), 0);
	assert_int_equal(dfd_file_pwrite(file, header, 1, 0), -EINVAL);
	assert_int_equal(dfd_file_mmap(file, 0, 4096, 1, &addr), -EINVAL);
	dfd_file_free(file);
	dfd_file_free(NULL);
	dfd_device_close(dev);
}

/* Byte by byte, a table of 0.7 MiB costs milliseconds, not minutes. */
static void test_long_table_in_bytes(void **state)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_DT);
	const struct dfd_desc *desc;
	struct dfd_device *dev;
	struct dfd_file *file;
	char path[701], byte;
	uint64_t at = 0;
	clock_t start;

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	for (uint32_t i = 0; i <= DFD_MAX_REGION_INDEX; i++)
		dfd_desc_add_region(b, &(struct dfd_region){ .index = i,
							     .size = 4096,
							     .dt = { path, DFD_DT_REG, i } });
	assert_int_equal(dfd_desc_build(b, &desc, NULL), 0);
	assert_int_equal(dfd_device_new(desc, &described, NULL, false, &dev), 0);
	file = dfd_file_new(dev);
	start = clock();
	while (clock() - start < 10 * CLOCKS_PER_SEC && dfd_file_pread(file, &byte, 1, at) == 1)
		at++;
	assert_int_equal(at, dfd_table_size(desc));
	dfd_file_free(file);
	dfd_device_close(dev);
	dfd_desc_unref(desc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_array_is_whole),
		cmocka_unit_test(test_wired),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_described_only),
		cmocka_unit_test(test_device_capabilities),
		cmocka_unit_test(test_set_irqs_passes_on),
		cmocka_unit_test(test_feature),
		cmocka_unit_test(test_feature_of_another_process),
		cmocka_unit_test(test_planes),
		cmocka_unit_test(test_anything),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_file_without_regions),
		cmocka_unit_test(test_long_table_in_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
