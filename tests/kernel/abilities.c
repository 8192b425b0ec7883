/* SPDX-License-Identifier: MIT */
/*
 * Prints what a device behind a made-up kernel can do, for people and as JSON: by its group, with a
 * hot reset that another driver's device forbids, and by its own file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <devfd/print.h>

#include "fake_kernel.h"
#include "kernel/vfio.h"
#include "tree.h"

#define DEVICES	 "sys/bus/pci/devices/"
#define FUNCTION DEVICES "0000:01:00.0/"
#define DRIVERS	 "../../../../bus/pci/drivers/"

static const struct kernel_env env = { tree_root, &fake_calls };

static void put_status(const char *path, unsigned int locked, unsigned int pinned)
{
	char text[128];

	snprintf(text, sizeof(text), "Name:\tit\nUid:\t%u\nVmLck:\t%u kB\nVmPin:\t%u kB\n",
		 getuid(), locked, pinned);
	tree_text(path, text);
}

static void build(void)
{
	tree_start();
	tree_link(FUNCTION "iommu_group", "../../../../kernel/iommu_groups/7");
	tree_link(FUNCTION "driver", DRIVERS "vfio-pci");
	tree_link(DEVICES "0000:01:00.1/driver", DRIVERS "e1000");
	tree_text(FUNCTION "vfio-dev/vfio0/dev", "511:0\n");
	tree_text("dev/vfio/devices/vfio0", "");
	tree_text("dev/vfio/7", "");
	tree_text("dev/iommu", "");
	tree_text("proc/self/limits", "Max locked memory  8388608  8388608  bytes\n");
	put_status("proc/self/status", 2048, 1024);
	put_status("proc/4711/status", 0, 4096);
}

static void show(const char *rest)
{
	struct dfd_device *dev;
	struct dfd_error err;

	if (dfd_vfio_open(&env, "pci", rest, &dev, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	printf("# %s\n", rest);
	dfd_print_abilities(stdout, dev);
	dfd_print_features(stdout, dev);
	dfd_print_device_json(stdout, rest, dev, NULL, NULL);
	dfd_device_close(dev);
}

int main(void)
{
	build();
	setenv("DEVFD_PCI_IDS", "/dev/null", 1);
	fake_start("model:uart");
	fake.feature_gets = 1u << 1 | 1u << 2 | UINT64_C(1) << 40;
	fake.feature_sets = 1u << 2 | 1u << 7;
	fake.reset_devices[0] = (struct vfio_pci_dependent_device){ 7, 0, 1, 0 };
	fake.reset_devices[1] = (struct vfio_pci_dependent_device){ 7, 0, 1, 1 };
	fake.reset_count = 2;
	fake.planes = VFIO_GFX_PLANE_TYPE_DMABUF;
	show("01:00.0?via=group");
	fake.planes = 0;
	fake.reset_count = 0;
	fake.feature_gets = fake.feature_sets = 0;
	show("01:00.0?via=cdev");
	fake_stop();
	tree_stop();
	return 0;
}
