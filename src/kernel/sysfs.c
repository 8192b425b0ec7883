/* SPDX-License-Identifier: MIT */
/*
 * A PCI function as sysfs describes it.
 *
 * Theory of operation: everything comes from the attributes of one directory, none of which opens
 * the device. What an unprivileged user cannot read is absent from the description. The file
 * `config` stays open and serves configuration space live; BARs have no contents here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <devfd/enumerate.h>
#include <devfd/provider.h>

#include "desc/fact.h"
#include "kernel/function.h"
#include "pci/caps.h"
#include "util/sysfs.h"

#define CONFIG_SIZE	 256
#define CONFIG_SIZE_PCIE 4096

#define HEADER_TYPE   0x0e
#define INTERRUPT_PIN 0x3d

/** struct function - a PCI function in sysfs
 * @dir: its directory
 * @config: its configuration space, or -1 where that cannot be opened
 * @virtual: a virtual function (SR-IOV)
 * @image: the first bytes of it, as far as the user may read
 * @len: bytes in @image
 */
struct function {
	int dir;
	int config;
	bool virtual;
	uint8_t image[CONFIG_SIZE];
	size_t len;
};

/* A virtual function reads all ones where its ids should be; vfio-pci puts them there, too. */
static void overlay_ids(const struct dfd_desc *desc, uint64_t offset, uint8_t *buf, size_t len)
{
	uint64_t vendor = 0xffff, device = 0xffff;

	dfd_desc_num(desc, DFD_FACT_VENDOR_ID, &vendor);
	dfd_desc_num(desc, DFD_FACT_DEVICE_ID, &device);
	for (; offset < 4 && len; offset++, len--)
		*buf++ = (uint8_t)((vendor | device << 16) >> (8 * offset));
}

static ssize_t config_read(struct dfd_device *dev, uint32_t index, uint64_t offset, void *buf,
			   size_t len)
{
	const struct function *f = dfd_device_priv(dev);
	ssize_t n;

	if (index != DFD_PCI_CONFIG || f->config < 0)
		return -EOPNOTSUPP;
	n = pread(f->config, buf, len, (off_t)offset);
	if (n < 0)
		return -errno;
	if (f->virtual)
		overlay_ids(dfd_device_desc(dev), offset, buf, (size_t)n);
	/* The kernel shows the first 64 bytes to everybody and ends the file there. */
	return n ? n : -EACCES;
}

static void function_free(struct function *f)
{
	if (f->config >= 0)
		close(f->config);
	if (f->dir >= 0)
		close(f->dir);
	free(f);
}

static void function_close(struct dfd_device *dev)
{
	function_free(dfd_device_priv(dev));
}

static const struct dfd_device_ops function_ops = {
	.size = sizeof(function_ops),
	.name = "sysfs",
	.region_read = config_read,
	.close = function_close,
};

static void add_facts(struct dfd_desc_builder *b, const struct function *f)
{
	/* Bridges have other things where a plain function has its subsystem ids. */
	bool bridge = f->len > HEADER_TYPE && f->image[HEADER_TYPE] & 0x7f;

	for (int i = 0; i < DFD_NUM_FACTS; i++) {
		enum dfd_fact fact = (enum dfd_fact)i;
		const char *attribute = dfd_fact_infos[fact].sysfs;
		int64_t value;

		if (!attribute || (bridge && (fact == DFD_FACT_SUBSYSTEM_VENDOR_ID ||
					      fact == DFD_FACT_SUBSYSTEM_ID)))
			continue;
		/* Negative: a NUMA node that the kernel does not know. */
		if (!dfd_sysfs_num(f->dir, attribute, &value) && value >= 0)
			dfd_desc_set_num(b, fact, (uint64_t)value);
	}
}

static int add_resources(struct dfd_desc_builder *b, int dir, struct dfd_error *err)
{
	struct function_resource resources[FUNCTION_NUM_RESOURCES];
	int ret = function_resources(dir, resources, err);

	for (uint32_t i = 0; i < FUNCTION_NUM_RESOURCES && !ret; i++) {
		struct dfd_region r = { .index = i, .size = resources[i].size };

		if (!r.size)
			continue;
		if (i == DFD_PCI_ROM)
			r.flags = DFD_REGION_READ_ONLY;
		else if (resources[i].io)
			r.flags = DFD_REGION_IOPORT;
		r.phys_addr = resources[i].phys;
		r.has_phys = r.phys_addr != 0;
		dfd_desc_add_region(b, &r);
	}
	return ret;
}

static void add_config(struct dfd_desc_builder *b, const struct function *f)
{
	struct stat st;

	if (fstatat(f->dir, "config", &st, 0))
		return;
	dfd_desc_add_region(
		b, &(struct dfd_region){
			   .index = DFD_PCI_CONFIG,
			   .size = st.st_size >= CONFIG_SIZE_PCIE ? CONFIG_SIZE_PCIE : CONFIG_SIZE,
		   });
}

static bool has_intx(const struct function *f)
{
	int64_t irq;

	if (f->len > INTERRUPT_PIN)
		return f->image[INTERRUPT_PIN];
	return !dfd_sysfs_num(f->dir, "irq", &irq) && irq > 0;
}

static void add_irqs(struct dfd_desc_builder *b, const struct function *f)
{
	int msi = dfd_pci_msi_vectors(f->image, f->len);
	int msix = dfd_pci_msix_vectors(f->image, f->len);

	if (has_intx(f))
		dfd_desc_add_irq(b, &(struct dfd_irq){
					    .count = 1,
					    .flags = DFD_IRQ_LEVEL | DFD_IRQ_MASKABLE,
				    });
	if (msi > 0)
		dfd_desc_set_num(b, DFD_FACT_MSI_VECTORS, (uint64_t)msi);
	if (msix > 0)
		dfd_desc_set_num(b, DFD_FACT_MSIX_VECTORS, (uint64_t)msix);
}

static int describe(const struct function *f, const struct dfd_desc **out, struct dfd_error *err)
{
	struct dfd_desc_builder *b = dfd_desc_builder_new(DFD_BUS_PCI);
	int ret = add_resources(b, f->dir, err);

	if (ret) {
		dfd_desc_builder_free(b);
		return ret;
	}
	add_config(b, f);
	add_facts(b, f);
	add_irqs(b, f);
	if (!faccessat(f->dir, "reset", F_OK, 0))
		dfd_desc_add_flags(b, DFD_DEVICE_RESET);
	return dfd_desc_build(b, out, err);
}

static struct function *function_new(int dir)
{
	struct function *f = calloc(1, sizeof(*f));
	ssize_t n;

	if (!f) {
		close(dir);
		return NULL;
	}
	f->dir = dir;
	f->config = openat(dir, "config", O_RDONLY | O_CLOEXEC);
	f->virtual = !faccessat(dir, "physfn", F_OK, 0);
	n = f->config < 0 ? 0 : pread(f->config, f->image, sizeof(f->image), 0);
	f->len = n < 0 ? 0 : (size_t)n;
	return f;
}

int dfd_sysfs_open(const char *root, const char *bdf, struct dfd_device **out,
		   struct dfd_error *err)
{
	const struct dfd_desc *desc = NULL;
	struct dfd_error why;
	struct function *f;
	char name[FUNCTION_NAME_SIZE];
	int ret, dir;

	dir = function_open("sysfs", root, bdf, name, err);
	if (dir < 0)
		return dir;
	f = function_new(dir);
	if (!f)
		return dfd_error_set(err, -ENOMEM, "sysfs:%s: out of memory", name);
	ret = describe(f, &desc, &why);
	if (ret)
		dfd_error_set(err, ret, "sysfs:%s: %s", name, why.text);
	else
		ret = dfd_device_new(desc, &function_ops, f, false, out);
	dfd_desc_unref(desc);
	if (ret)
		function_free(f);
	return ret;
}
