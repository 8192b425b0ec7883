/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pci/caps.h"

/* A function with power management at 0x40, MSI at 0x50 and MSI-X at 0x80. */
static void fill(uint8_t config[256])
{
	static const uint8_t pm[] = { 0x01, 0x50 }, msi[] = { 0x05, 0x80, 0x86, 0x00 },
			     msix[] = { 0x11, 0x00, 0x04, 0x80 };

	memset(config, 0, 256);
	config[0x06] = 0x10;
	config[0x34] = 0x40;
	memcpy(config + 0x40, pm, sizeof(pm));
	memcpy(config + 0x50, msi, sizeof(msi));
	memcpy(config + 0x80, msix, sizeof(msix));
}

static void test_found(void **state)
{
	uint8_t config[256];

	(void)state;
	fill(config);
	assert_int_equal(dfd_pci_find_cap(config, 256, 0x01), 0x40);
	assert_int_equal(dfd_pci_find_cap(config, 256, 0x10), 0);
	assert_int_equal(dfd_pci_msi_vectors(config, 256), 8);
	assert_int_equal(dfd_pci_msix_vectors(config, 256), 5);
	config[0x34] = 0x43; /* the two low bits are reserved */
	assert_int_equal(dfd_pci_find_cap(config, 256, 0x01), 0x40);
}

static void test_no_list(void **state)
{
	uint8_t config[256];

	(void)state;
	fill(config);
	config[0x06] = 0;
	assert_int_equal(dfd_pci_msi_vectors(config, 256), 0);
	assert_int_equal(dfd_pci_msi_vectors(config, 64), 0);
}

static void test_cardbus(void **state)
{
	uint8_t config[256];

	(void)state;
	fill(config);
	config[0x0e] = 0x82;
	config[0x14] = 0x80;
	assert_int_equal(dfd_pci_find_cap(config, 256, 0x11), 0x80);
	assert_int_equal(dfd_pci_find_cap(config, 256, 0x05), 0);
}

/* What an unprivileged user sees: 64 bytes, or less of a broken file. */
static void test_cut(void **state)
{
	uint8_t config[256];

	(void)state;
	fill(config);
	for (size_t len = 0; len < 256; len++) {
		uint8_t *cut = malloc(len ? len : 1); /* a read past it is seen under ASan */

		assert_non_null(cut);
		memcpy(cut, config, len);
		assert_int_equal(dfd_pci_msi_vectors(cut, len), len < 0x54 ? -ENODATA : 8);
		assert_int_equal(dfd_pci_msix_vectors(cut, len), len < 0x84 ? -ENODATA : 5);
		free(cut);
	}
}

static void test_hostile(void **state)
{
	uint8_t config[256];

	(void)state;
	fill(config);
	config[0x51] = 0x40; /* a circle */
	assert_int_equal(dfd_pci_msix_vectors(config, 256), 0);
	memset(config, 0xff, sizeof(config)); /* a function that does not answer */
	assert_int_equal(dfd_pci_msi_vectors(config, 256), 0);
	fill(config);
	config[0x52] = 0x0c; /* a reserved number of vectors */
	assert_int_equal(dfd_pci_msi_vectors(config, 256), -ENODATA);
	config[0x51] = 0x3c; /* inside the header */
	assert_int_equal(dfd_pci_msix_vectors(config, 256), 0);
}

static void test_msix_table(void **state)
{
	uint32_t bar = 99, offset = 99;
	uint8_t config[256];

	(void)state;
	fill(config);
	memcpy(config + 0x84, "\x0c\x30\x02\x80", 4);
	assert_int_equal(dfd_pci_msix_table(config, 256, &bar, &offset), 5);
	assert_int_equal(bar, 4);
	assert_int_equal(offset, 0x80023008);
	assert_int_equal(dfd_pci_msix_table(config, 0x87, &bar, &offset), -ENODATA);
	config[0x80] = 0x10;
	assert_int_equal(dfd_pci_msix_table(config, 256, &bar, &offset), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msix_table), cmocka_unit_test(test_found),
		cmocka_unit_test(test_no_list),	   cmocka_unit_test(test_cardbus),
		cmocka_unit_test(test_cut),	   cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
