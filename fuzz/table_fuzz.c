/* SPDX-License-Identifier: MIT */
/* libFuzzer on the reader of the table; good tables to start from are in tests/data. */
#include "table_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	dfd_check_table(data, size);
	return 0;
}
