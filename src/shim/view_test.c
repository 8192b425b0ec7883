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

/* A path of a name of some length and what comes before and after it. */
static void expect_around(const char *start, size_t len, const char *end, bool is_inside)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%.*s%s", start, (int)len,
		 "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv", end);
	expect(path, is_inside);
}

/* Whatever is before them, detours are seen: in the middle, and at the very end. */
static void detours(void **state)
{
	(void)state;
	for (size_t len = 1; len < 60; len++) {
		expect_around("/sys/", len, "/../bus/pci/x", true);
		expect_around("/sys/", len, "//../bus/pci", true);
		expect_around("/sys/", len, "/./../bus/pci", true);
		expect_around("/dev/", len, "/../vfio", true);
		/* To nowhere in the view, or no detour at all. */
		expect_around("/sys/", len, "/../class/net", false);
		expect_around("/sys/", len, "/a.b/c./", false);
		expect_around("/sys/", len, "", false);
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
