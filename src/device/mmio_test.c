/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <devfd/mmio.h>

static void test_little_endian(void **state)
{
	static const uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	_Alignas(8) uint8_t regs[8];

	(void)state;
	memcpy(regs, bytes, 8);
	assert_int_equal(dfd_mmio_read8(regs + 1), 0x02);
	assert_int_equal(dfd_mmio_read16(regs + 2), 0x0403);
	assert_int_equal(dfd_mmio_read32(regs + 4), 0x08070605);
	assert_int_equal(dfd_mmio_read64(regs), 0x0807060504030201);
	memset(regs, 0, 8);
	dfd_mmio_write8(regs, 0x01);
	dfd_mmio_write8(regs + 1, 0x02);
	dfd_mmio_write16(regs + 2, 0x0403);
	dfd_mmio_write32(regs + 4, 0x08070605);
	assert_memory_equal(regs, bytes, 8);
	memset(regs, 0, 8);
	dfd_mmio_write64(regs, 0x0807060504030201);
	assert_memory_equal(regs, bytes, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_little_endian) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
