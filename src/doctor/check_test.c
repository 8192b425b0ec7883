/* SPDX-License-Identifier: MIT */
/* Checks of devices by their own file, and checks that open; tests/lsvfio/check.txt has the rest.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <devfd/device.h>

#include "doctor/steps.h"
#include "fake_kernel.h"
#include "tree.h"

#define FUNCTION "sys/bus/pci/devices/0000:01:00.0/"
#define GROUP	 "sys/kernel/iommu_groups/7/devices/"
#define SERIAL	 "sys/bus/platform/devices/" FAKE_PLATFORM "/"

static const struct kernel_env env = { tree_root, &fake_calls };

/** struct seen - the last step, and which of them were notes */
struct seen {
	enum dfd_check_step last;
	enum dfd_check_result result;
	char text[512];
	const char *call;
	int error;
	uint32_t notes;
};

static void see(void *ctx, const struct dfd_check *check)
{
	struct seen *s = ctx;

	assert_int_equal(check->step, s->last + 1);
	s->last = check->step;
	s->result = check->result;
	s->call = check->call;
	s->error = check->error;
	s->notes |= (uint32_t)(check->result == DFD_CHECK_NOTE) << check->step;
	snprintf(s->text, sizeof(s->text), "%s", check->text);
}

static int check(const char *address, bool open, struct seen *s)
{
	struct dfd_error err;

	*s = (struct seen){ 0 };
	return doctor_check(&env, address, open, see, s, &err);
}

static int setup(void **state)
{
	(void)state;
	tree_start();
	tree_link(FUNCTION "iommu_group", "../../../../kernel/iommu_groups/7");
	tree_link(FUNCTION "driver", "../../../../bus/pci/drivers/vfio-pci");
	tree_text(FUNCTION "vfio-dev/vfio0/dev", "511:0\n");
	tree_text(FUNCTION "reset_method", "flr bus\n");
	tree_link(GROUP "0000:01:00.0", "../../../../bus/pci/devices/0000:01:00.0");
	tree_text("dev/vfio/devices/vfio0", "");
	tree_text("dev/vfio/vfio", "");
	tree_text("dev/vfio/7", "");
	tree_text("dev/iommu", "");
	tree_text("proc/interrupts", " 24: 7 0 PCI-MSI 458752-edge eth0\n");
	tree_text("sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
	fake_start("model:edu");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stop();
	tree_stop();
	return 0;
}

static void test_opens(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(check("01:00.0", false, &s), 0);
	assert_int_equal(s.last, DFD_CHECK_MEMORY);
	assert_int_equal(fake.calls, 0);
	assert_int_equal(check("01:00.0", true, &s), 0);
	assert_int_equal(s.last, DFD_CHECK_OPEN);
	assert_string_equal(s.text, "it opens, by its own file");
	assert_int_equal(s.notes, 1u << DFD_CHECK_INTERRUPTS);
	assert_int_equal(fake.open, 0);
}

/* What only the kernel knows. */
static void test_open_fails(void **state)
{
	struct seen s;

	(void)state;
	fake.failures[0] = (struct fake_failure){ .request = VFIO_DEVICE_ATTACH_IOMMUFD_PT,
						  .ret = -EINVAL,
						  .times = -1 };
	assert_int_equal(check("pci:01:00.0?via=cdev", true, &s), DFD_CHECK_OPEN);
	assert_int_equal(s.error, -EINVAL);
	assert_null(s.call);
	assert_non_null(strstr(s.text, "does not go into an address space of the IOMMU"));
	assert_int_equal(fake.open, 0);
	memset(fake.failures, 0, sizeof(fake.failures));
}

/* The calls that are named, and the parameter that counts, are those of the interface. */
static void test_interfaces(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(check("01:00.0?via=group", false, &s), DFD_CHECK_INTERRUPTS);
	assert_string_equal(s.call, "VFIO_SET_IOMMU");
	assert_int_equal(s.error, -EPERM);
	tree_remove("sys/module/iommufd/parameters/allow_unsafe_interrupts");
	assert_int_equal(check("01:00.0?via=cdev", false, &s), DFD_CHECK_INTERRUPTS);
	assert_string_equal(s.call, "VFIO_DEVICE_BIND_IOMMUFD");
	tree_remove("proc/interrupts");
	tree_remove("dev/iommu");
	assert_int_equal(check("01:00.0?via=cdev", false, &s), DFD_CHECK_FILES);
	assert_non_null(strstr(s.text, "modprobe iommufd"));
	assert_int_equal(check("01:00.0?via=cdev,iommufd=5", false, &s), 0);
	/* Without it the group is taken. */
	assert_int_equal(check("01:00.0", false, &s), 0);
	tree_remove("dev/vfio/vfio");
	assert_int_equal(check("01:00.0", false, &s), DFD_CHECK_FILES);
	assert_int_equal(s.error, -ENOENT);
}

/* One without an IOMMU: its group has no members that matter. */
static void test_noiommu(void **state)
{
	struct seen s;

	(void)state;
	tree_text("sys/class/vfio/noiommu-7/dev", "10:7\n");
	tree_text("dev/vfio/noiommu-7", "");
	tree_remove(FUNCTION "vfio-dev/vfio0/dev");
	tree_remove(FUNCTION "vfio-dev/vfio0");
	assert_int_equal(check("01:00.0", false, &s), DFD_CHECK_IOMMU);
	assert_non_null(strstr(s.text, "?via=noiommu"));
	assert_int_equal(check("01:00.0?via=noiommu", false, &s), 0);
	assert_true(s.notes >> DFD_CHECK_IOMMU & 1);
}

static void test_platform(void **state)
{
	struct seen s;

	(void)state;
	tree_link(SERIAL "iommu_group", "../../../../kernel/iommu_groups/7");
	tree_link(SERIAL "driver", "../../../../bus/platform/drivers/pl011");
	assert_int_equal(check("platform:" FAKE_PLATFORM, false, &s), DFD_CHECK_DRIVER);
	assert_non_null(strstr(s.text, "echo vfio-platform >/sys/bus/platform/devices/"));
	tree_remove(SERIAL "driver");
	tree_link(SERIAL "driver", "../../../../bus/platform/drivers/vfio-platform");
	assert_int_equal(check("platform:" FAKE_PLATFORM "?via=group", false, &s),
			 DFD_CHECK_INTERRUPTS);
	tree_remove("proc/interrupts");
	assert_int_equal(check("platform:" FAKE_PLATFORM "?via=group", false, &s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_opens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interfaces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_noiommu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_platform, setup, teardown),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
