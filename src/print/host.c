/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include <devfd/print.h>

#include "kernel/limits.h"
#include "print/host.h"
#include "print/origin.h"
#include "print/plain.h"

const char *dfd_state_words(char *buf, size_t len, enum dfd_state state, const char *why)
{
	char plain[STATE_SIZE];
	const char *name = dfd_state_name(state);

	if (!why)
		snprintf(buf, len, "%s", name);
	else if (state == DFD_STATE_NOT_VIABLE)
		snprintf(buf, len, "%s: %s", name, dfd_plain(plain, sizeof(plain), why));
	else
		snprintf(buf, len, "%s (%s)", name, dfd_plain(plain, sizeof(plain), why));
	return buf;
}

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static void print_memlock(FILE *out, uint64_t bytes)
{
	char size[16];

	if (bytes == UINT64_MAX)
		fputs("memlock unlimited\n", out);
	else
		fprintf(out, "memlock %s%s\n", dfd_print_size(size, sizeof(size), bytes),
			bytes < LIMITS_LOW_MEMLOCK ? " (low)" : "");
}

void dfd_print_host(FILE *out, const struct dfd_origin *origin)
{
	static const char *const known[] = { "unknown", "no", "yes" };
	char plain[4 * sizeof(((struct dfd_machine *)0)->iommu) + 1];
	struct dfd_machine machine;

	if (!origin_machine(origin, &machine))
		return;
	fprintf(out, "IOMMU: %s",
		machine.iommu[0] ? dfd_plain(plain, sizeof(plain), machine.iommu) : "none");
	if (machine.iommu[0] || machine.groups)
		fprintf(out, ", %" PRIu32 " group%s", machine.groups,
			machine.groups == 1 ? "" : "s");
	fputs("; ", out);
	fprintf(out, "interrupt remapping %s; vfio-pci %s; ", known[machine.remapping],
		machine.vfio_pci ? "loaded" : "not loaded");
	fprintf(out, "interfaces: group %s, cdev %s", yes_no(machine.group), yes_no(machine.cdev));
	if (machine.cdev_why[0])
		fprintf(out, " (/dev/vfio/devices missing: %s)",
			dfd_plain(plain, sizeof(plain), machine.cdev_why));
	fprintf(out, ", iommufd %s, noiommu %s; ", yes_no(machine.iommufd),
		machine.noiommu ? "on" : "off");
	print_memlock(out, machine.memlock);
}
