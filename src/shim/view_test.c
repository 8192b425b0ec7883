/* SPDX-License-Identifier: MIT */
/* Which paths lead into the view, told quickly and as it is defined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "shim/shim.h"

static const char *const inside[] = {
	"/sys/bus/pci",
	"/sys/kernel/iommu_groups",
	"/sys/class/vfio",
	"/sys/class/vfio-dev",
	"/sys/class/iommu",
	"/sys/module/vfio",
	"/sys/module/vfio_pci",
	"/dev/vfio",
	"/sys/devices/pci0000:00",
	"/sys/devices/pciffff:ff",
	"/sys/devices/pci0000:00/0000:00:04.0/config",
	"/sys/bus/pci/devices/",
	"/sys/module/vfio_iommu_type1",
};

static const char *const outside[] = {
	"/",
	"",
	"sys/bus/pci",
	"/sys",
	"/sys/",
	"/dev/",
	"/dev/vfi",
	"/dev/vfio-x",
	"/sys/b",
	"/sys/bus/pcie",
	"/sys/class/net",
	"/sys/class/vfi",
	"/sys/module/vfiox",
	"/sys/devices/pc",
	"/sys/devices",
	"/sys/module/v",
	"/sys/bus/usb/pci",
	"/syx/bus/pci",
	"/dex/vfio",
	"/usr/bus/pci",
};

/* The path itself where it is outside, else that below the directory of the view. */
static void expect(const char *path, bool is_inside)
{
	char buf[PATH_MAX], want[PATH_MAX];
	/* Its own memory: reading beyond its end is found. */
	char *own = strdup(path);

	snprintf(want, sizeof(want), "%s%s", is_inside ? "/view" : "", path);
	assert_string_equal(shim_view(own, buf), want);
	free(own);
}

static void prefixes(void **state)
{
	char longer[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++) {
		expect(inside[i], true);
		snprintf(longer, sizeof(longer), "%s/x", inside[i]);
		expect(longer, true);
	}
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		expect(outside[i], false);
}

/* Names of every length before what leads back out of them and into the view. */
static void detours(void **state)
{
	static const char *const ways[] = { "/../bus/pci/x", "//../bus/pci", "/./../bus/pci" };
	char path[128] = "/sys/";

	(void)state;
	for (size_t len = 1; len < 60; len++) {
		memset(path + 5, 'n', len);
		for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
			strcpy(path + 5 + len, ways[i]);
			expect(path, true);
		}
		/* To nowhere in the view, or no detour at all. */
		strcpy(path + 5 + len, "/../class/net");
		expect(path, false);
		strcpy(path + 5 + len, "/a.b/c./");
		expect(path, false);
		path[5 + len] = '\0';
		expect(path, false);
	}
}

static int set(void **state)
{
	(void)state;
	shim_view_set("/view");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes),
		cmocka_unit_test(detours),
	};

	return cmocka_run_group_tests(tests, set, NULL);
}
