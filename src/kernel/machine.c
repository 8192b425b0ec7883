/* SPDX-License-Identifier: MIT */
/* What a machine offers to VFIO. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <devfd/enumerate.h>

#include "kernel/explain.h"
#include "kernel/limits.h"
#include "kernel/root.h"
#include "util/sysfs.h"

static int open_dir(const char *root, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static uint32_t count_entries(const char *root, const char *name)
{
	struct dirent **names;
	char path[PATH_MAX];
	int count;

	snprintf(path, sizeof(path), "%s%s", root, name);
	count = scandir(path, &names, not_hidden, NULL);
	for (int i = 0; i < count; i++)
		free(names[i]);
	if (count >= 0)
		free(names);
	return count < 0 ? 0 : (uint32_t)count;
}

/* ---- the IOMMU ---- */

/* The names that the drivers of the kernel give to their units. */
static const struct {
	const char *prefix;
	const char *name;
} kinds[] = {
	{ "dmar", "intel" }, { "ivhd", "amd" }, { "smmu", "arm smmu" }, { "virtio", "virtio" }
};

static const char *kind_of(const char *unit)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!strncmp(unit, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].name;
	}
	return "IOMMU";
}

/* Address width of an Intel unit: bits 16 to 21 of its capability register, plus one. */
static unsigned int address_width(int units, const char *unit)
{
	char path[NAME_MAX + 32], text[32];

	snprintf(path, sizeof(path), "%s/intel-iommu/cap", unit);
	if (dfd_sysfs_text(units, path, text, sizeof(text)) < 0)
		return 0;
	return (unsigned int)(strtoull(text, NULL, 16) >> 16 & 0x3f) + 1;
}

static void describe_iommu(const char *root, struct dfd_machine *out)
{
	int units = open_dir(root, "/sys/class/iommu"), count;
	struct dirent **names;
	unsigned int width;
	size_t len;

	out->iommu[0] = '\0';
	if (units < 0)
		return;
	count = scandirat(units, ".", &names, not_hidden, versionsort);
	for (int i = 0; i < count; i++) {
		len = strlen(out->iommu);
		snprintf(out->iommu + len, sizeof(out->iommu) - len, "%s%s%.32s",
			 i ? ", " : kind_of(names[i]->d_name), i ? "" : " (", names[i]->d_name);
	}
	if (count > 0) {
		width = address_width(units, names[0]->d_name);
		len = strlen(out->iommu);
		if (width)
			snprintf(out->iommu + len, sizeof(out->iommu) - len, ", aw %u)", width);
		else
			snprintf(out->iommu + len, sizeof(out->iommu) - len, ")");
	}
	for (int i = 0; i < count; i++)
		free(names[i]);
	if (count >= 0)
		free(names);
	close(units);
}

/* On x86 the names of remapped interrupts say so: IR-PCI-MSI, IR-IO-APIC. */
static enum dfd_known look_for_remapping(const char *root)
{
	enum dfd_known known = DFD_UNKNOWN;
	char path[PATH_MAX], *line = NULL;
	size_t room = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/interrupts", root);
	f = fopen(path, "re");
	while (f && known != DFD_YES && getline(&line, &room, f) > 0) {
		if (strstr(line, " IR-"))
			known = DFD_YES;
		else if (strstr(line, "IO-APIC") || strstr(line, "PCI-MSI"))
			known = DFD_NO;
	}
	free(line);
	if (f)
		fclose(f);
	return known;
}

static bool noiommu(const char *root)
{
	char text[8];

	return root_text(root, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", text,
			 sizeof(text)) > 0 &&
	       text[0] == 'Y';
}

/* Is there a line with this name in /proc/devices? */
static bool has_numbers(const char *root, const char *name)
{
	char path[PATH_MAX], *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/devices", root);
	f = fopen(path, "re");
	while (f && !found && getline(&line, &room, f) > 0) {
		const char *word = line + strspn(line, " 0123456789");

		found = !strncmp(word, name, strlen(name)) && word[strlen(name)] == '\n';
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/*
 * The module takes its numbers when it is loaded, whether there are devices or not; the directory
 * comes with the first of them.
 */
const char *machine_why_no_cdev(const char *root)
{
	if (has_numbers(root, "vfio-dev"))
		return count_entries(root, "/sys/class/vfio-dev") ? "they are not in this container"
								  : "no device is bound to VFIO";
	return has_numbers(root, "vfio") || root_exists(root, "/sys/module/vfio")
		       ? "kernel built without VFIO_DEVICE_CDEV"
		       : "VFIO is not loaded";
}

void dfd_machine_get(const char *root, struct dfd_machine *out)
{
	root = root ? root : "";
	*out = (struct dfd_machine){ .memlock = UINT64_MAX };
	describe_iommu(root, out);
	out->groups = count_entries(root, "/sys/kernel/iommu_groups");
	out->remapping = look_for_remapping(root);
	out->vfio_pci = root_exists(root, "/sys/bus/pci/drivers/vfio-pci");
	/* The file may be there without the module, to have it loaded. */
	out->group = root_exists(root, "/dev/vfio/vfio") && root_exists(root, "/sys/module/vfio");
	out->cdev = root_exists(root, "/dev/vfio/devices");
	if (!out->cdev)
		snprintf(out->cdev_why, sizeof(out->cdev_why), "%s", machine_why_no_cdev(root));
	out->iommufd = root_exists(root, "/dev/iommu");
	out->noiommu = noiommu(root);
	memlock_limit(root, &out->memlock);
}
