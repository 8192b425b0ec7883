/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "model/model_test.h"

static void test_refused(void **state)
{
	static const struct {
		const char *spec;
		int code;
		const char *says;
	} cases[] = {
		{ "", -ENOENT,
		  "model:: there is no such model; there are: edu, igb, nvme, pl011, shapes, "
		  "uart" },
		{ "ed", -ENOENT,
		  "model:ed: there is no such model; there are: edu, igb, nvme, pl011, shapes, "
		  "uart" },
		{ "edu2,msix=1", -ENOENT,
		  "model:edu2: there is no such model; there are: edu, igb, nvme, pl011, shapes, "
		  "uart" },
		{ "edu,speed=1", -EINVAL,
		  "model:edu: has no option \"speed\"; it has: dma_mask, latency, msix" },
		{ "edu,", -EINVAL,
		  "model:edu: has no option \"\"; it has: dma_mask, latency, msix" },
		{ "edu,,msix", -EINVAL,
		  "model:edu: has no option \"\"; it has: dma_mask, latency, msix" },
		{ "pl011,msix=1", -EINVAL, "model:pl011: has no option \"msix\"; it takes none" },
		{ "edu,msix=2", -EINVAL, "model:edu: msix=2 is not a number from 0 to 1" },
		{ "edu,latency=1k", -EINVAL,
		  "model:edu: latency=1k is not a number from 0 to 60000000000" },
		{ "edu,latency=1KK", -EINVAL,
		  "model:edu: latency=1KK is not a number from 0 to 60000000000" },
		{ "edu,latency=1T", -EINVAL,
		  "model:edu: latency=1T is not a number from 0 to 60000000000" },
		{ "edu,dma_mask=16777216T", -EINVAL,
		  "model:edu: dma_mask=16777216T is not a number from 4095 to "
		  "18446744073709551615" },
		{ "edu,msix=yes", -EINVAL, "model:edu: msix=yes is not a number from 0 to 1" },
		{ "edu,msix=", -EINVAL, "model:edu: msix= is not a number from 0 to 1" },
		{ "edu,latency", -EINVAL,
		  "model:edu: latency= is not a number from 0 to 60000000000" },
		{ "edu,latency=-1", -EINVAL,
		  "model:edu: latency=-1 is not a number from 0 to 60000000000" },
		{ "edu,latency=60000000001", -EINVAL,
		  "model:edu: latency=60000000001 is not a number from 0 to 60000000000" },
		{ "edu,dma_mask=0x", -EINVAL,
		  "model:edu: dma_mask=0x is not a number from 4095 to 18446744073709551615" },
		{ "edu,dma_mask=18446744073709551616", -EINVAL,
		  "model:edu: dma_mask=18446744073709551616 is not a number from 4095 to "
		  "18446744073709551615" },
		{ "edu,dma_mask=0xfff ", -EINVAL,
		  "model:edu: dma_mask=0xfff  is not a number from 4095 to 18446744073709551615" },
		{ "nvme,image", -EINVAL, "model:nvme: image= needs a text" },
		{ "nvme,image=", -EINVAL, "model:nvme: image= needs a text" },
		{ "nvme", -EINVAL, "model:nvme: say which file: image=FILE" },
		{ "nvme,image=/nowhere/x", -ENOENT,
		  "model:nvme: image /nowhere/x: it does not exist; size= makes one" },
		{ "nvme,image=/", -EISDIR, "model:nvme: image /: Is a directory" },
		{ "nvme,image=/,readonly", -EINVAL,
		  "model:nvme: image /: it is neither a file nor a block device" },
		{ "nvme,image=/dev/null", -EINVAL,
		  "model:nvme: image /dev/null: it is neither a file nor a block device" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dfd_device *dev = NULL;
		struct dfd_error err = { 0 };

		assert_int_equal(dfd_model_open(cases[i].spec, &dev, &err), cases[i].code);
		assert_int_equal(err.code, cases[i].code);
		assert_string_equal(err.text, cases[i].says);
		assert_null(dev);
		assert_int_equal(dfd_model_open(cases[i].spec, &dev, NULL), cases[i].code);
	}
}

static void test_accepted(void **state)
{
	static const char *const specs[] = {
		"edu",	"edu,msix", "edu,msix=1,latency=0,dma_mask=0xffffffffffffffff",
		"igb",	"pl011",    "shapes",
		"uart",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++)
		dfd_device_close(open_model(specs[i]));
}

static void append(void *ctx, const char *text)
{
	strcat(strcat(ctx, text), "\n");
}

static void test_help(void **state)
{
	char text[4096] = "";

	(void)state;
	dfd_model_help(append, text);
	assert_non_null(strstr(text, "edu: the educational PCI device"));
	assert_non_null(
		strstr(text, "\n  msix=0|1: one MSI-X vector, its table in BAR 2; default 0\n"));
	assert_non_null(strstr(text, "; default 0xfffffff\n"));
	assert_non_null(strstr(text, "\npl011: "));
	assert_non_null(strstr(text, "\nshapes: "));
	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
		assert_true(end - line < 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
