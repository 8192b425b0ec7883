/* SPDX-License-Identifier: MIT */
/*
 * Prints what people are told when a PCI function cannot be opened or memory cannot be mapped: a
 * made-up machine and a made-up kernel bring about each failure, and its remedy ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <devfd/provider.h>

#include "abi/iommufd.h"
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
	tree_text("dev/iommu", "");
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

/* What is opened where nothing else is said. */
static const char *address = "01:00.0";

static void expect(const char *scheme, const char *rest, const char *name)
{
	struct dfd_device *dev = NULL;
	struct dfd_error err;
	int ret = dfd_vfio_open(&env, scheme, rest, &dev, &err);

	must(ret < 0 && ret == err.code && !dev, name);
	must(!fake.open, "a file was left open");
	print_failure(name, ret, err.text);
}

static void expect_open(const char *bdf, const char *name)
{
	expect("pci", bdf, name);
}

/* The failure has an end: the same again, with everything as it should be. */
static struct dfd_device *open_ok(void)
{
	struct dfd_device *dev;
	struct dfd_error err;

	if (dfd_vfio_open(&env, "pci", address, &dev, &err)) {
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
	expect_open(address, name);
	remedy();
}

static void fail_ioctl(unsigned long request, int ret, const char *name)
{
	fake.failures[0] = (struct fake_failure){ .request = request, .ret = ret, .times = 1 };
	expect_open(address, name);
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
	fake.iommu_types = 0;
	expect_open("01:00.0", "no IOMMU of type 1");
	fake.iommu_types = 1u << VFIO_TYPE1v2_IOMMU;
	remedy();
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

/* ---- the device's own file ---- */

static void own_file(void)
{
	tree_text("proc/devices", "Character devices:\n 10 misc\n511 vfio\n");
	expect_open("01:00.0?via=cdev", "no file of its own: the kernel has none");
	tree_text("proc/devices", "Character devices:\n511 vfio\n510 vfio-dev\n");
	tree_text("sys/class/vfio-dev/vfio0", "");
	expect_open("01:00.0?via=cdev", "no file of its own: it is elsewhere");
	tree_remove("sys/class/vfio-dev/vfio0");
	tree_text("dev/vfio/devices/vfio0", "");
	tree_chmod("dev/vfio/devices/vfio0", 0600);
	tree_text(FUNCTION "vfio-dev/vfio0/dev", "511:0\n");
	address = "01:00.0?via=cdev";
	fail_open("/devices/vfio0", -EACCES, "no permission for the device's own file");
	fail_open("/devices/vfio0", -EPERM, "the file is not in the container's device list");
	fail_open("/devices/vfio0", -ENODEV, "the device behind the file has gone");
	fail_open("/dev/iommu", -ENOENT, "/dev/iommu is missing");
	fail_open("/dev/iommu", -EMFILE, "too many open files for /dev/iommu");
	fail_ioctl(IOMMU_IOAS_ALLOC, -ENOMEM, "no address space");
	fail_ioctl(VFIO_DEVICE_BIND_IOMMUFD, -EPERM, "no interrupt remapping, with an iommufd");
	tree_link(DEVICES "0000:00:1f.2/driver", DRIVERS "ahci");
	fail_ioctl(VFIO_DEVICE_BIND_IOMMUFD, -EPERM, "group not viable, with an iommufd");
	tree_remove(DEVICES "0000:00:1f.2/driver");
	fail_ioctl(VFIO_DEVICE_BIND_IOMMUFD, -EBUSY, "the group is open, so the file is busy");
	fail_ioctl(VFIO_DEVICE_BIND_IOMMUFD, -EINVAL, "the file is bound already");
	fail_ioctl(VFIO_DEVICE_BIND_IOMMUFD, -EACCES, "VF token, with an iommufd");
	fail_ioctl(VFIO_DEVICE_ATTACH_IOMMUFD_PT, -EINVAL, "another address space");
	fail_ioctl(IOMMU_IOAS_IOVA_RANGES, -EIO, "the iommufd does not answer");
	expect_open("01:00.0?iommufd=0", "something else than an iommufd");
	expect_open("01:00.0?iommufd=99", "no file for an iommufd");
	address = "01:00.0";
}

static void options(void)
{
	expect_open("01:00.0?via=iommufd", "no such interface");
	expect_open("01:00.0?token=1", "no token");
	expect_open("01:00.0?via=noiommu", "without an IOMMU, but it has one");
	address = "01:00.0?token=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001,via=group";
	fail_ioctl(VFIO_GROUP_GET_DEVICE_FD, -EACCES, "wrong VF token");
	fail_ioctl(VFIO_GROUP_GET_DEVICE_FD, -EINVAL, "VF token for something else");
	address = "01:00.0";
}

/* The group that the kernel makes for a device without an IOMMU. */
static void noiommu(void)
{
	tree_remove(FUNCTION "iommu_group");
	address = "01:00.0?via=noiommu";
	expect_open(address, "without an IOMMU, but the kernel does not");
	tree_text("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	tree_remove(FUNCTION "driver");
	expect_open(address, "without an IOMMU, and without a driver");
	tree_link(FUNCTION "driver", DRIVERS "vfio-pci");
	tree_link(FUNCTION "iommu_group", "../../../../kernel/iommu_groups/9");
	tree_text("sys/class/vfio/noiommu-9/dev", "10:1\n");
	expect_open("01:00.0", "without an IOMMU, not asked for");
	fake.iommu_types = 1u << VFIO_NOIOMMU_IOMMU;
	fail_open("/noiommu-9", -EPERM, "without an IOMMU, not privileged");
	fake.iommu_types = 1u << VFIO_TYPE1v2_IOMMU;
	address = "01:00.0";
	tree_link(FUNCTION "iommu_group", "../../../../kernel/iommu_groups/7");
}

static void given(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	expect("fd", "x", "no number of a file");
	expect("fd", "99", "no file of that number");
	dup2(fd, 70);
	expect("fd", "70", "a file of the wrong kind");
	close(fd);
	close(70);
	expect("cdev", "/dev/null", "no file of a device");
	expect("cdev", "vfio7", "a file without a device");
	expect("platform", "../x", "no name of a platform device");
	expect("platform", "9000000.serial", "no such platform device");
	tree_text("sys/bus/platform/devices/9000000.serial/uevent", "");
	expect("platform", "9000000.serial?via=noiommu", "platform device without a driver");
	expect("platform", "9000000.serial", "platform device without an IOMMU");
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

static void fail_map(struct dfd_device *dev, unsigned long request, int ret, const char *name)
{
	fake.failures[0] = (struct fake_failure){ .request = request, .ret = ret, .times = 1 };
	expect_map(dev, DFD_IOVA_ANY, 0, 4096, ret, name);
}

/* A file that cannot be mapped in this process. */
static void fail_file(struct dfd_device *dev, const char *name)
{
	struct dfd_dma_map map = { .iova = DFD_IOVA_ANY,
				   .size = 4096,
				   .prot = DFD_DMA_READ,
				   .kind = DFD_DMA_FD,
				   .fd = 100 };
	int fd = eventfd(0, EFD_CLOEXEC);

	logged[0] = '\0';
	must(dup2(fd, map.fd) == map.fd && dfd_dma_map(dev, &map) == -EOPNOTSUPP && logged[0],
	     name);
	close(fd);
	close(map.fd);
	print_failure(name, -EOPNOTSUPP, logged);
}

/* No account is kept of what is written, or it is not told as asked. */
static void fail_account(struct dfd_device *dev, int ret, const char *name)
{
	must(ret == -EOPNOTSUPP && logged[0], name);
	print_failure(name, ret, logged);
	logged[0] = '\0';
	dfd_dirty_stop(dev);
}

static void dma(void)
{
	uint64_t bit = 0;
	struct dfd_device *dev;
	struct dfd_dma_buf buf;

	address = "01:00.0?via=group";
	dev = open_ok();
	dfd_device_watch_log(dev, log_line, NULL);
	fail_map(dev, VFIO_IOMMU_MAP_DMA, -ENOMEM, "more memory than may be locked");
	tree_text("proc/self/limits", "Max locked memory  unlimited  unlimited  bytes\n");
	fail_map(dev, VFIO_IOMMU_MAP_DMA, -ENOMEM, "no memory, although all may be locked");
	fake.entries = 0;
	expect_map(dev, DFD_IOVA_ANY, 0, 4096, -ENOSPC, "mapping entries exhausted");
	expect_map(dev, DFD_IOVA_ANY, 0x1fff, 8192, -ENOSPC, "no room for an address");
	expect_map(dev, 0xfee00000, 0, 4096, -EINVAL, "IOVA outside of the ranges");
	expect_map(dev, 0xfedff000, 0, 8192, -EINVAL, "IOVA across the end of a range");
	expect_map(dev, 0x1000, 0, 100, -EINVAL, "not a page");
	fail_map(dev, VFIO_IOMMU_MAP_DMA, -EFAULT, "memory that is not there");
	fail_map(dev, VFIO_IOMMU_MAP_DMA, -ENODEV, "device gone while memory is mapped");
	must(!dfd_dma_alloc(dev, 4096, 0, &buf) && buf.iova == 0x1000, "dfd_dma_alloc");
	expect_map(dev, 0x1000, 0, 4096, -EEXIST, "overlap");
	fail_file(dev, "a file that is no memory");
	must(!dfd_dirty_start(dev), "dfd_dirty_start");
	fail_account(dev, dfd_dirty_peek(dev, 0x1000, 4096, &bit),
		     "a look at a container's account");
	fake.failures[0] = (struct fake_failure){ VFIO_IOMMU_DIRTY_PAGES, NULL, -ENOTTY, 1 };
	fail_account(dev, dfd_dirty_start(dev), "no account by a container");
	dfd_device_close(dev);
}

static void dma_by_iommufd(void)
{
	struct dfd_device *dev;

	tree_text("proc/self/limits", "Max locked memory  8388608  8388608  bytes\n");
	address = "01:00.0?via=cdev";
	dev = open_ok();
	dfd_device_watch_log(dev, log_line, NULL);
	fail_map(dev, IOMMU_IOAS_MAP, -ENOMEM, "more memory than may be locked, by an iommufd");
	fail_map(dev, IOMMU_IOAS_MAP, -EFAULT, "memory that is not there, by an iommufd");
	fail_account(dev, dfd_dirty_start(dev), "no account by an IOMMU");
	dfd_device_close(dev);
}

static void dma_without_iommu(void)
{
	struct dfd_device *dev;

	tree_link(FUNCTION "iommu_group", "../../../../kernel/iommu_groups/9");
	tree_text(FUNCTION "vfio-dev/noiommu-vfio0/dev", "511:0\n");
	tree_remove(FUNCTION "vfio-dev/vfio0/dev");
	tree_remove(FUNCTION "vfio-dev/vfio0");
	tree_text("dev/vfio/devices/noiommu-vfio0", "");
	fake.phys = 0x10000;
	fake.contiguous = 4096;
	address = "01:00.0?via=noiommu";
	dev = open_ok();
	dfd_device_watch_log(dev, log_line, NULL);
	expect_map(dev, 0x1000, 0, 4096, -EINVAL, "an IOVA, but no IOMMU");
	expect_map(dev, DFD_IOVA_ANY, 0, 8192, -EOPNOTSUPP, "pages that are not beside each other");
	expect_map(dev, DFD_IOVA_ANY, 0xffff, 4096, -ENOSPC, "memory too high, no IOMMU");
	fail_account(dev, dfd_dirty_start(dev), "no account without an IOMMU");
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
	own_file();
	options();
	noiommu();
	given();
	dma();
	dma_by_iommufd();
	dma_without_iommu();
	fake_stop();
	tree_stop();
	return 0;
}
