/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include <devfd/print.h>

char *dfd_print_size(char *buf, size_t len, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t exact = bytes, rounded = bytes;
	size_t unit = 0;

	while (exact && !(exact & 1023)) {
		exact >>= 10;
		unit++;
	}
	if (exact < 100000) {
		snprintf(buf, len, "%" PRIu64 " %s", exact, units[unit]);
		return buf;
	}
	for (unit = 0; rounded >> 10 >= 1024; unit++)
		rounded >>= 10;
	snprintf(buf, len, "%.1f %s", (double)rounded / 1024, units[unit + 1]);
	return buf;
}
