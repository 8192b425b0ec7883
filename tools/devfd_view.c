/* SPDX-License-Identifier: MIT */
/*
 * The view of a program under `devfd run`: directories, files and links as a kernel has them for a
 * PCI function that is bound to vfio-pci.
 *
 * All links are relative, so that the tree can be looked at from anywhere. Attributes are what they
 * were when the program started, but for those that src/shim/sysfs.c answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <devfd/device.h>

#include "devfd_view.h"
#include "shim/env.h"
#include "tool.h"

/* A function of PCI Express has all of it, others the first 256 bytes. */
#define CONFIG_SIZE 4096

/* The first BAR in configuration space, and bits of each that is memory. */
#define BAR0		 0x10
#define BAR_64		 0x4
#define BAR_PREFETCHABLE 0x8

/* Flags of a line of `resource`; those of a BAR have its lowest bits as well. */
#define RESOURCE_IO	      UINT64_C(0x40101)
#define RESOURCE_MEMORY	      UINT64_C(0x40200)
#define RESOURCE_PREFETCHABLE UINT64_C(0x2000)
#define RESOURCE_64	      UINT64_C(0x100000)
#define RESOURCE_ROM	      UINT64_C(0x46200)

/* Where BARs lie that have no address yet: nobody reaches them there. */
#define FIRST_ADDRESS UINT64_C(0xe0000000)

/** struct view - a directory being filled; @config: of the function; @failed keeps the first errno
 */
struct view {
	const char *dir;
	const char *name;
	char device[64]; /* directory of the function */
	unsigned int number, group;
	uint8_t config[CONFIG_SIZE];
	size_t config_len;
	int failed;
};

const char *view_name(const char *text, char out[16])
{
	unsigned int domain, bus = 0, device = 0, function = 0;
	int end = -1;

	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) != 4) {
		domain = 0;
		end = -1;
		sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end);
	}
	if (end < 0 || text[end] || device > 0x1f || function > 7)
		return NULL;
	snprintf(out, 16, "%04x:%02x:%02x.%x", domain, bus, device, function);
	return out;
}

/* ---- files ---- */

/* Return: 0, or why one of them cannot be made */
static int make_parents(char *path)
{
	int failed = 0;

	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST && !failed)
			failed = errno;
		*slash = '/';
	}
	return failed;
}

__attribute__((format(printf, 3, 0))) static bool full_path(struct view *v, char path[PATH_MAX],
							    const char *format, va_list args)
{
	int n = snprintf(path, PATH_MAX, "%s/", v->dir);

	if (n > 0 && n < PATH_MAX)
		n += vsnprintf(path + n, PATH_MAX - (size_t)n, format, args);
	if (n < 0 || n >= PATH_MAX) {
		v->failed = v->failed ? v->failed : ENAMETOOLONG;
		return false;
	}
	n = make_parents(path);
	if (n && !v->failed)
		v->failed = n;
	return !n;
}

static void put_bytes(struct view *v, const char *path, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if ((fd < 0 || fchmod(fd, mode) || write(fd, bytes, len) != (ssize_t)len) && !v->failed)
		v->failed = errno ? errno : EIO;
	if (fd >= 0)
		close(fd);
}

/* A file with a text; the path is the format. */
__attribute__((format(printf, 3, 4))) static void put(struct view *v, const char *text,
						      const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	if (full_path(v, path, format, args))
		put_bytes(v, path, text, strlen(text), 0644);
	va_end(args);
}

__attribute__((format(printf, 3, 4))) static void put_link(struct view *v, const char *to,
							   const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	if (full_path(v, path, format, args) && symlink(to, path) && errno != EEXIST && !v->failed)
		v->failed = errno;
	va_end(args);
}

/* An attribute of the function. */
__attribute__((format(printf, 3, 4))) static void attribute(struct view *v, const char *name,
							    const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put(v, text, "%s/%s", v->device, name);
}

/* ---- what a function says ---- */

static uint64_t number(const struct dfd_desc *desc, enum dfd_fact fact)
{
	uint64_t value = 0;

	dfd_desc_num(desc, fact, &value);
	return value;
}

static void put_ids(struct view *v, const struct dfd_desc *desc)
{
	uint64_t vendor = number(desc, DFD_FACT_VENDOR_ID);
	uint64_t device = number(desc, DFD_FACT_DEVICE_ID);
	uint64_t sub_vendor = number(desc, DFD_FACT_SUBSYSTEM_VENDOR_ID);
	uint64_t sub_device = number(desc, DFD_FACT_SUBSYSTEM_ID);
	uint64_t class = number(desc, DFD_FACT_CLASS_CODE);
	char modalias[96];

	snprintf(modalias, sizeof(modalias),
		 "pci:v%08" PRIX64 "d%08" PRIX64 "sv%08" PRIX64 "sd%08" PRIX64 "bc%02" PRIX64
		 "sc%02" PRIX64 "i%02" PRIX64,
		 vendor, device, sub_vendor, sub_device, class >> 16 & 0xff, class >> 8 & 0xff,
		 class & 0xff);
	attribute(v, "vendor", "0x%04" PRIx64 "\n", vendor);
	attribute(v, "device", "0x%04" PRIx64 "\n", device);
	attribute(v, "subsystem_vendor", "0x%04" PRIx64 "\n", sub_vendor);
	attribute(v, "subsystem_device", "0x%04" PRIx64 "\n", sub_device);
	attribute(v, "class", "0x%06" PRIx64 "\n", class);
	attribute(v, "revision", "0x%02" PRIx64 "\n", number(desc, DFD_FACT_REVISION_ID));
	attribute(v, "modalias", "%s\n", modalias);
	attribute(v, "uevent",
		  "DRIVER=vfio-pci\nPCI_CLASS=%" PRIX64 "\nPCI_ID=%04" PRIX64 ":%04" PRIX64
		  "\nPCI_SUBSYS_ID=%04" PRIX64 ":%04" PRIX64 "\nPCI_SLOT_NAME=%s\nMODALIAS=%s\n",
		  class, vendor, device, sub_vendor, sub_device, v->name, modalias);
}

static uint64_t resource_flags(const struct view *v, const struct dfd_region *r)
{
	uint8_t bar = v->config[BAR0 + 4 * r->index];

	if (r->index == DFD_PCI_ROM)
		return RESOURCE_ROM;
	if (r->flags & DFD_REGION_IOPORT)
		return RESOURCE_IO;
	return RESOURCE_MEMORY | (bar & BAR_64 ? RESOURCE_64 : 0) |
	       (bar & BAR_PREFETCHABLE ? RESOURCE_PREFETCHABLE : 0) |
	       (bar & (BAR_64 | BAR_PREFETCHABLE));
}

/* One line for each BAR, one for the ROM; BARs without an address follow each other. */
static void put_resource(struct view *v, const struct dfd_desc *desc)
{
	uint64_t next = FIRST_ADDRESS + ((uint64_t)v->number << 24);
	char text[8 * 64];
	size_t len = 0;

	for (uint32_t i = 0; i <= DFD_PCI_ROM; i++) {
		const struct dfd_region *r = dfd_desc_region(desc, i);
		uint64_t start = 0, last = 0, flags = 0;

		if (r) {
			start = r->has_phys ? r->phys_addr : (next + r->size - 1) & -r->size;
			last = start + r->size - 1;
			next = r->has_phys ? next : last + 1;
			flags = resource_flags(v, r);
		}
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"0x%016" PRIx64 " 0x%016" PRIx64 " 0x%016" PRIx64 "\n",
					start, last, flags);
	}
	attribute(v, "resource", "%s", text);
}

static void read_config(struct view *v, struct dfd_device *dev)
{
	const struct dfd_region *r = dfd_desc_region(dfd_device_desc(dev), DFD_PCI_CONFIG);

	while (r && v->config_len < r->size && v->config_len < sizeof(v->config)) {
		ssize_t n = dfd_region_read(dev, DFD_PCI_CONFIG, v->config_len,
					    v->config + v->config_len, 4);

		if (n <= 0)
			break;
		v->config_len += (size_t)n;
	}
}

/* What the preloaded library answers instead, by this file's name, owner and mode. */
__attribute__((format(printf, 5, 6))) static void put_live(struct view *v, mode_t mode,
							   const void *bytes, size_t len,
							   const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	if (full_path(v, path, format, args))
		put_bytes(v, path, bytes, len, mode);
	va_end(args);
}

static void put_live_files(struct view *v, const struct dfd_desc *desc)
{
	put_live(v, 0644, v->config, v->config_len, "%s/config", v->device);
	for (uint32_t i = 0; i < DFD_PCI_ROM; i++) {
		const struct dfd_region *r = dfd_desc_region(desc, i);

		if (r)
			put_live(v, 0600, "", 0, "%s/resource%" PRIu32, v->device, i);
		if (r && (resource_flags(v, r) & RESOURCE_PREFETCHABLE))
			put_live(v, 0600, "", 0, "%s/resource%" PRIu32 "_wc", v->device, i);
	}
	if (dfd_desc_region(desc, DFD_PCI_ROM))
		put_live(v, 0600, "", 0, "%s/rom", v->device);
	if (dfd_desc_flags(desc) & DFD_DEVICE_RESET)
		put_live(v, 0200, "", 0, "%s/reset", v->device);
}

/* A device that is near to none of the processors is near to all. */
static void put_cpus(struct view *v)
{
	char text[256] = "0\n";
	int fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (n > 0)
		text[n] = '\0';
	if (fd >= 0)
		close(fd);
	attribute(v, "local_cpulist", "%s", text);
}

static void put_function(struct view *v, struct dfd_device *dev)
{
	const struct dfd_desc *desc = dfd_device_desc(dev);

	read_config(v, dev);
	put_ids(v, desc);
	put_resource(v, desc);
	put_live_files(v, desc);
	attribute(v, "irq", "%d\n", dfd_desc_vectors(desc, DFD_PCI_INTX) ? 11 : 0);
	attribute(v, "numa_node", "-1\n");
	attribute(v, "enable", "0\n"); /* vfio-pci does that when it is opened */
	attribute(v, "driver_override", "vfio-pci\n");
	attribute(v, "power_state", "D0\n");
	attribute(v, "msi_bus", "1\n");
	attribute(v, "dma_mask_bits", "32\n"); /* no driver of the kernel has said more */
	attribute(v, "consistent_dma_mask_bits", "32\n");
	attribute(v, "ari_enabled", "0\n");
	attribute(v, "broken_parity_status", "0\n");
	if (v->config_len == CONFIG_SIZE)
		attribute(v, "max_link_speed", "Unknown\n");
	put_cpus(v);
	if (dfd_desc_flags(desc) & DFD_DEVICE_RESET)
		attribute(v, "reset_method", "device_specific\n");
}

/* ---- how functions, groups and drivers hang together ---- */

static void put_links(struct view *v)
{
	const char *name = v->name;
	char to[128];

	snprintf(to, sizeof(to), "../../../%s", v->device + strlen("sys/"));
	put_link(v, to, "sys/bus/pci/devices/%s", name);
	snprintf(to, sizeof(to), "../../../../%s", v->device + strlen("sys/"));
	put_link(v, to, "sys/bus/pci/drivers/vfio-pci/%s", name);
	put_link(v, to, "sys/kernel/iommu_groups/%u/devices/%s", v->group, name);
	put_link(v, "../../../bus/pci", "%s/subsystem", v->device);
	put_link(v, "../../../bus/pci/drivers/vfio-pci", "%s/driver", v->device);
	snprintf(to, sizeof(to), "../../../kernel/iommu_groups/%u", v->group);
	put_link(v, to, "%s/iommu_group", v->device);
	put_link(v, "../../../class/iommu/dmar0", "%s/iommu", v->device);
	snprintf(to, sizeof(to), "../../../../%s", v->device + strlen("sys/"));
	put_link(v, to, "sys/class/iommu/dmar0/devices/%s", name);
	snprintf(to, sizeof(to), "../../%s/vfio-dev/vfio%u", v->device + strlen("sys/"), v->number);
	put_link(v, to, "sys/class/vfio-dev/vfio%u", v->number);
}

static void put_vfio(struct view *v)
{
	char text[32];

	snprintf(text, sizeof(text), "%u:%u\n", SHIM_MAJOR_CDEV, v->number);
	put(v, text, "%s/vfio-dev/vfio%u/dev", v->device, v->number);
	put_link(v, "../..", "%s/vfio-dev/vfio%u/device", v->device, v->number);
	put_link(v, "../../../../../class/vfio-dev", "%s/vfio-dev/vfio%u/subsystem", v->device,
		 v->number);
	snprintf(text, sizeof(text), "%u:%u\n", SHIM_MAJOR_GROUP, v->group);
	put(v, text, "sys/class/vfio/%u/dev", v->group);
	put(v, "DMA\n", "sys/kernel/iommu_groups/%u/type", v->group);
	put(v, "0x00000000fee00000 0x00000000feefffff msi\n",
	    "sys/kernel/iommu_groups/%u/reserved_regions", v->group);
	put(v, "", "dev/vfio/%u", v->group);
	put(v, "", "dev/vfio/devices/vfio%u", v->number);
}

static void put_machine(struct view *v)
{
	put(v, "", "dev/iommu");
	put(v, "", "dev/vfio/vfio");
	put(v, "", "sys/bus/pci/drivers/vfio-pci/new_id");
	put(v, "", "sys/bus/pci/drivers/vfio-pci/bind");
	put(v, "", "sys/bus/pci/drivers/vfio-pci/unbind");
	put(v, "", "sys/bus/pci/drivers_probe");
	put(v, "N\n", "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	put(v, "live\n", "sys/module/vfio_pci/initstate");
	put(v, "N\n", "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	put(v, "1\n", "sys/class/iommu/dmar0/version");
}

int view_add(const char *dir, const char *name, unsigned int number_, unsigned int group,
	     struct dfd_device *dev)
{
	struct view v = { .dir = dir, .name = name, .number = number_, .group = group };

	snprintf(v.device, sizeof(v.device), "sys/devices/pci%.7s/%s", name, name);
	put_machine(&v);
	put_function(&v, dev);
	put_links(&v);
	put_vfio(&v);
	if (v.failed)
		return tool_fail(TOOL_FAILED, "%s: the view of sysfs cannot be written: %s", dir,
				 strerror(v.failed));
	return 0;
}

/* ---- the tree comes and goes ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_tree(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Somebody else's child, so that the program has none that it did not start. */
static void watch(const char *dir, int program)
{
	struct pollfd p = { .fd = program, .events = POLLIN };

	setsid();
	if (fork())
		_exit(0);
	for (int fd = 0; fd < 1024; fd++) {
		if (fd != program)
			close(fd);
	}
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	remove_tree(dir);
	_exit(0);
}

int view_start(char *dir, size_t size)
{
	const char *tmp = getenv("TMPDIR");
	int program, status;
	pid_t child;

	tmp = tmp && tmp[0] == '/' ? tmp : "/tmp";
	snprintf(dir, size, "%s/devfd-run-XXXXXX", tmp);
	if (!mkdtemp(dir))
		return tool_fail(TOOL_FAILED,
				 "%s: no directory can be made there: %s; set TMPDIR to another",
				 tmp, strerror(errno));
	program = (int)syscall(SYS_pidfd_open, getpid(), 0);
	child = program < 0 ? -1 : fork();
	if (!child)
		watch(dir, program);
	if (child < 0) {
		remove_tree(dir);
		return tool_fail(TOOL_FAILED, "the view of sysfs: %s", strerror(errno));
	}
	close(program);
	waitpid(child, &status, 0);
	return 0;
}
