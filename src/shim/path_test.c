/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "shim/env.h"

static const struct {
	const char *base, *path, *want;
} cases[] = {
	{ "/", "/dev/devfd/edu", "/dev/devfd/edu" },
	{ "/x", "/dev//devfd/./edu", "/dev/devfd/edu" },
	{ "/x", "/dev/a/../edu", "/dev/edu" },
	{ "/x", "/../../edu", "/edu" },
	{ "/dev/devfd", "edu", "/dev/devfd/edu" },
	{ "/dev/devfd/", "./edu", "/dev/devfd/edu" },
	{ "/dev/devfd", "../edu", "/dev/edu" },
	{ "/", "edu", "/edu" },
	{ "/a", "..b/.c/...", "/a/..b/.c/..." },
	{ "/a/b", "../..", "" },
};

static void absolute(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(shim_path_absolute(cases[i].base, cases[i].path, out, sizeof(out)));
		assert_string_equal(out, cases[i].want);
	}
}

static void too_long(void **state)
{
	char out[8];

	(void)state;
	assert_true(shim_path_absolute("/", "abcdef", out, sizeof(out)));
	assert_string_equal(out, "/abcdef");
	assert_false(shim_path_absolute("/", "abcdefg", out, sizeof(out)));
	assert_false(shim_path_absolute("/abc", "defg", out, sizeof(out)));
	/* What the path takes back must fit as well. */
	assert_false(shim_path_absolute("/abcdefgh", "..", out, sizeof(out)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absolute),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
