/* SPDX-License-Identifier: MIT */
/*
 * Prints what people are told when a PCI function cannot be opened or memory cannot be mapped: a
 * made-up machine and a made-up kernel bring about each failure, and its remedy ends it.
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <devfd/provider.h>

#include "abi/vfio.h"
#include "fake_kernel.h"
#include "kernel/vfio.h"
#include "tree.h"

#define DEVICES	 "sys/bus/pci/devices/"
#define FUNCTION DEVICES "0000:01:00.0/"
#define GROUP	 "sys/kernel/iommu_groups/7/devices/"
#define DRIVERS	 "../../../../bus/pci/drivers/"

static const struct kernel_env env = { tree_root, &fake_calls };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* ---- the machine ---- */

/* A network function in a group with a bridge, as it should be. */
static void build(void)
{
	tree_start();
	tree_link(FUNCTION "iommu_group", "../../../../kernel/iommu_groups/7");
	tree_link(FUNCTION "driver", DRIVERS "vfio-pci");
	tree_text("sys/bus/pci/drivers/vfio-pci/new_id", "");
	tree_link(DEVICES "0000:00:01.0/driver", DRIVERS "pcieport");
	tree_text(DEVICES "0000:00:1f.2/vendor", "0x8086\n");
	tree_link(GROUP "0000:00:01.0", "../../../../bus/pci/devices/0000:00:01.0");
	tree_link(GROUP "0000:01:00.0", "../../../../bus/pci/devices/0000:01:00.0");
	tree_link(GROUP "0000:00:1f.2", "../../../../bus/pci/devices/0000:00:1f.2");
	tree_text("dev/vfio/vfio", "");
	tree_chmod("dev/vfio/vfio", 0600);
	tree_text("dev/vfio/7", "");
	tree_chmod("dev/vfio/7", 0600);
	tree_text(
		"proc/self/limits",
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max processes             95868                95868                processes \n"
		"Max locked memory         8388608              8388608              bytes     \n");
	tree_text("sys/module/vfio_iommu_type1/parameters/dma_entry_limit", "65535\n");
}

/* ---- printing ---- */

static void replace(char *text, size_t room, const char *what, const char *by)
{
	char *at = strstr(text, what), rest[512];

	if (!at)
		return;
	snprintf(rest, sizeof(rest), "%s", at + strlen(what));
	snprintf(at, room - (size_t)(at - text), "%s%s", by, rest);
}

/* Whoever runs this is USER:GROUP, number UID. */
static void print_failure(const char *name, int ret, const char *text)
{
	const struct passwd *user = getpwuid(geteuid());
	const struct group *group = getgrgid(getegid());
	char plain[1024], owner[128];

	snprintf(plain, sizeof(plain), "%s", text);
	snprintf(owner, sizeof(owner), "%s:%s", user ? user->pw_name : "?",
		 group ? group->gr_name : "?");
	replace(plain, sizeof(plain), owner, "USER:GROUP");
	snprintf(owner, sizeof(owner), "chown %u", geteuid());
	replace(plain, sizeof(plain), owner, "chown UID");
	replace(plain, sizeof(plain), tree_root, "ROOT");
	printf("# %s\n%s: %s\n\n", name, strerrorname_np(-ret), plain);
}

/* ---- opening ---- */

static void expect_open(const char *bdf, const char *name)
{
	struct dfd_device *dev = NULL;
	struct dfd_error err;
	int ret = dfd_pci_open(&env, bdf, &dev, &err);

	must(ret < 0 && ret == err.code && !dev, name);
	must(!fake.open, "a file was left open");
	print_failure(name, ret, err.text);
}

/* The failure has an end: the same again, with everything as it should be. */
static struct dfd_device *open_ok(void)
{
	struct dfd_device *dev;
	struct dfd_error err;

	if (dfd_pci_open(&env, "01:00.0", &dev, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return dev;
}

static void remedy(void)
{
	memset(fake.failures, 0, sizeof(fake.failures));
	fake.not_viable = false;
	dfd_device_close(open_ok());
}

static void fail_open(const char *path, int ret, const char *name)
{
	fake.failures[0] = (struct fake_failure){ .path = path, .ret = ret, .times = 1 };
	expect_open("01:00.0", name);
	remedy();
}

static void fail_ioctl(unsigned long request, int ret, const char *name)
{
	fake.failures[0] = (struct fake_failure){ .request = request, .ret = ret, .times = 1 };
	expect_open("01:00.0", name);
	remedy();
}

static void before_opening(void)
{
	expect_open("1:0", "not the name of a function");
	expect_open("02:00.0", "no such function");
	tree_remove(FUNCTION "iommu_group");
	expect_open("01:00.0", "no IOMMU");
	tree_text("sys/kernel/iommu_groups/0/type", "DMA\n");
	expect_open("01:00.0", "an IOMMU, but the function is not behind it");
	tree_link(FUNCTION "iommu_group", "../../../../kernel/iommu_groups/7");
	tree_remove(FUNCTION "driver");
	expect_open("01:00.0", "bound to no driver");
	tree_link(FUNCTION "driver", DRIVERS "e1000e");
	expect_open("01:00.0", "bound to another driver");
	tree_remove("sys/bus/pci/drivers/vfio-pci/new_id");
	tree_remove("sys/bus/pci/drivers/vfio-pci");
	expect_open("01:00.0", "bound to another driver, vfio-pci is not loaded");
	tree_text("sys/bus/pci/drivers/vfio-pci/new_id", "");
	tree_link(FUNCTION "driver", DRIVERS "vfio-pci");
	remedy();
	tree_link(FUNCTION "driver", DRIVERS "mlx5_vfio_pci");
	remedy();
	tree_link(FUNCTION "driver", DRIVERS "vfio-pci");
}

static void container(void)
{
	fail_open("/vfio/vfio", -ENOENT, "/dev/vfio/vfio is missing");
	fail_open("/vfio/vfio", -ENODEV, "/dev/vfio/vfio has nobody behind it");
	fail_open("/vfio/vfio", -EACCES, "no permission for /dev/vfio/vfio");
	fail_open("/vfio/vfio", -EPERM, "/dev/vfio/vfio is not in the container's device list");
	fail_open("/vfio/vfio", -EMFILE, "too many open files");
	fail_ioctl(VFIO_GET_API_VERSION, 1, "another version of VFIO");
	fail_ioctl(VFIO_CHECK_EXTENSION, -ENOTTY, "no IOMMU of type 1");
}

static void group(void)
{
	char own[64];

	fail_open("/vfio/7", -ENOENT, "the file of the group is missing");
	fail_open("/vfio/7", -EACCES, "no permission for the group");
	fail_open("/vfio/7", -EPERM, "the group is not in the container's device list");
	fail_open("/vfio/7", -ENODEV, "the group has gone");
	fail_open("/vfio/7", -EBUSY, "group busy, nobody can be seen");
	snprintf(own, sizeof(own), "proc/%d/fd/3", getpid());
	tree_link(own, "/dev/vfio/7");
	fail_open("/vfio/7", -EBUSY, "group busy by this process");
	tree_remove(own);
	tree_text("proc/4711/comm", "qemu-system-x86\n");
	tree_link("proc/4711/fd/3", "/dev/vfio/70");
	tree_link("proc/4711/fd/4", "/dev/vfio/vfio");
	tree_link("proc/4711/fd/5", "/dev/vfio/7");
	fail_open("/vfio/7", -EBUSY, "group busy");
	tree_link(DEVICES "0000:00:1f.2/driver", DRIVERS "ahci");
	fake.not_viable = true;
	expect_open("01:00.0", "group not viable");
	remedy();
	fail_ioctl(VFIO_GROUP_SET_CONTAINER, -EPERM, "group not viable when it is put to use");
	tree_remove(DEVICES "0000:00:1f.2/driver");
	fake.not_viable = true;
	expect_open("01:00.0", "group not viable, culprit unknown");
	remedy();
	fail_ioctl(VFIO_GROUP_SET_CONTAINER, -EBUSY, "group in use by the kernel");
	fail_ioctl(VFIO_SET_IOMMU, -EPERM, "no interrupt remapping");
	fail_ioctl(VFIO_SET_IOMMU, -ENOMEM, "the IOMMU cannot be set up");
}

static void device(void)
{
	fail_ioctl(VFIO_GROUP_GET_DEVICE_FD, -ENODEV, "device gone");
	fail_ioctl(VFIO_GROUP_GET_DEVICE_FD, -EACCES, "VF token");
	fail_ioctl(VFIO_GROUP_GET_DEVICE_FD, -EINVAL, "device not handed out");
	fail_ioctl(VFIO_DEVICE_GET_INFO, -ENODEV, "device gone while it is asked");
	fail_ioctl(VFIO_IOMMU_GET_INFO, -EIO, "the IOMMU does not answer");
}

/* ---- DMA ---- */

static char logged[1024];

static void log_line(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(logged, sizeof(logged), "%s", text);
}

static void expect_map(struct dfd_device *dev, uint64_t iova, uint64_t max, uint64_t size, int want,
		       const char *name)
{
	static char memory[16384] __attribute__((aligned(4096)));
	struct dfd_dma_map map = {
		.iova = iova, .max_iova = max, .size = size, .prot = DFD_DMA_READ, .addr = memory
	};
	int ret;

	logged[0] = '\0';
	ret = dfd_dma_map(dev, &map);
	must(ret == want && logged[0] && map.iova == iova, name);
	print_failure(name, ret, logged);
	memset(fake.failures, 0, sizeof(fake.failures));
	fake.entries = 65535;
}

static void fail_map(struct dfd_device *dev, int ret, const char *name)
{
	fake.failures[0] =
		(struct fake_failure){ .request = VFIO_IOMMU_MAP_DMA, .ret = ret, .times = 1 };
	expect_map(dev, DFD_IOVA_ANY, 0, 4096, ret, name);
}

static void dma(void)
{
	struct dfd_device *dev = open_ok();
	struct dfd_dma_buf buf;

	dfd_device_watch_log(dev, log_line, NULL);
	fail_map(dev, -ENOMEM, "more memory than may be locked");
	tree_text("proc/self/limits", "Max locked memory  unlimited  unlimited  bytes\n");
	fail_map(dev, -ENOMEM, "no memory, although all may be locked");
	fake.entries = 0;
	expect_map(dev, DFD_IOVA_ANY, 0, 4096, -ENOSPC, "mapping entries exhausted");
	expect_map(dev, DFD_IOVA_ANY, 0x1fff, 8192, -ENOSPC, "no room for an address");
	expect_map(dev, 0xfee00000, 0, 4096, -EINVAL, "IOVA outside of the ranges");
	expect_map(dev, 0xfedff000, 0, 8192, -EINVAL, "IOVA across the end of a range");
	expect_map(dev, 0x1000, 0, 100, -EINVAL, "not a page");
	fail_map(dev, -EFAULT, "memory that is not there");
	fail_map(dev, -ENODEV, "device gone while memory is mapped");
	must(!dfd_dma_alloc(dev, 4096, 0, &buf) && buf.iova == 0x1000, "dfd_dma_alloc");
	expect_map(dev, 0x1000, 0, 4096, -EEXIST, "overlap");
	dfd_device_close(dev);
}

int main(void)
{
	build();
	fake_start("model:edu");
	before_opening();
	container();
	group();
	device();
	dma();
	fake_stop();
	tree_stop();
	return 0;
}
