/* SPDX-License-Identifier: MIT */
/* Memory on huge pages: where there are some, and what is said where there are none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <devfd/device.h>
#include <devfd/open.h>

#include "device/huge.h"
#include "tree.h"

#define POOL "sys/kernel/mm/hugepages/hugepages-2048kB/"
#define MIB  (UINT64_C(1) << 20)

static int set_up(void **state)
{
	(void)state;
	tree_start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tree_stop();
	return 0;
}

static void put_pool(const char *all, const char *idle, const char *promised)
{
	tree_text(POOL "nr_hugepages", all);
	tree_text(POOL "free_hugepages", idle);
	tree_text(POOL "resv_hugepages", promised);
}

static void test_too_few(void **state)
{
	static const struct {
		const char *all, *idle, *promised;
		int ret, wanted;
		const char *text;
	} cases[] = {
		{ "0", "0", "0", -ENOSPC, -ENOMEM,
		  "3 of 2048 KiB are needed, and 0 of 0 are free; use less, or let there be more, "
		  "as "
		  "root: echo 3 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages" },
		{ "8", "4", "2", -ENOSPC, -ENOMEM,
		  "2 of 8 are free; use less, or let there be more, as "
		  "root: echo 9 >" },
		{ "8", "2", "4", -ENOMEM, -ENOMEM, "0 of 8 are free" },
		{ "8", "8", "0", -ENOSPC, -ENOMEM, "hugetlb.*.max" },
		{ "8", "8", "0", -EIO, -EIO, "Input/output error" },
	};
	struct dfd_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put_pool(cases[i].all, cases[i].idle, cases[i].promised);
		assert_int_equal(huge_explain_lack(tree_root, 2 * MIB, 3, cases[i].ret, &err),
				 cases[i].wanted);
		if (!strstr(err.text, cases[i].text))
			fail_msg("%s", err.text);
	}
}

static void test_size(void **state)
{
	struct dfd_error err;

	(void)state;
	assert_int_equal(huge_explain_size(tree_root, 4 * MIB, -ENODEV, &err), -ENODEV);
	assert_non_null(strstr(err.text, "this kernel has none"));
	put_pool("0", "0", "0");
	assert_int_equal(huge_explain_size(tree_root, 4 * MIB, -ENODEV, &err), -EINVAL);
	assert_non_null(
		strstr(err.text, "4096 KiB: this kernel has no such pages, but of 2048 KiB"));
	assert_int_equal(huge_explain_size(tree_root, 2 * MIB, -EMFILE, &err), -EMFILE);
}

/* Either the kernel has set some aside, or it is said what to do. */
static void test_alloc(void **state)
{
	struct dfd_dma_buf buf = { .fd = -1 };
	struct dfd_device *dev;
	struct dfd_error err;
	int ret;

	(void)state;
	assert_int_equal(dfd_open("model:edu", &dev, &err), 0);
	assert_int_equal(dfd_dma_alloc_huge(dev, 0, 0, 0, &buf, &err), -EINVAL);
	assert_int_equal(dfd_dma_alloc_huge(dev, 1, 0, 3, &buf, &err), -EINVAL);
	assert_int_equal(dfd_dma_alloc_huge(dev, 1, 0, 1, &buf, &err), -EINVAL);
	assert_int_equal(dfd_dma_alloc_huge(dev, UINT64_MAX, 0, 0, &buf, &err), -EINVAL);
	ret = dfd_dma_alloc_huge(dev, 1, 0, 0, &buf, &err);
	if (ret) {
		assert_non_null(strstr(err.text, "huge pages"));
		assert_int_equal(buf.fd, -1);
	} else {
		assert_true(buf.size >= MIB && !((uintptr_t)buf.addr % buf.size));
		memset(buf.addr, 1, buf.size);
		dfd_dma_free(dev, &buf);
	}
	dfd_device_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_too_few, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_size, set_up, tear_down),
		cmocka_unit_test(test_alloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
