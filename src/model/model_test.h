/* SPDX-License-Identifier: MIT */
/* What the tests of the models share. */
#ifndef MODEL_MODEL_TEST_H
#define MODEL_MODEL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <time.h>

#include "model/model.h"

static inline struct dfd_device *open_model(const char *spec)
{
	struct dfd_device *dev;
	struct dfd_error err;

	if (dfd_model_open(spec, &dev, &err))
		fail_msg("%s", err.text);
	return dev;
}

static inline uint64_t get(struct dfd_device *dev, uint32_t region, uint64_t offset, size_t width)
{
	unsigned char raw[8];

	assert_int_equal(dfd_region_read(dev, region, offset, raw, width), width);
	return dfd_reg_load(raw, width);
}

static inline void put(struct dfd_device *dev, uint32_t region, uint64_t offset, size_t width,
		       uint64_t value)
{
	unsigned char raw[8];

	dfd_reg_store(raw, width, value);
	assert_int_equal(dfd_region_write(dev, region, offset, raw, width), width);
}

static inline uint32_t get32(struct dfd_device *dev, uint64_t offset)
{
	return (uint32_t)get(dev, 0, offset, 4);
}

static inline void put32(struct dfd_device *dev, uint64_t offset, uint32_t value)
{
	put(dev, 0, offset, 4, value);
}

/* Poll until the bits of a 4-byte register are as wanted; fail after 5 s. */
static inline void wait_bits(struct dfd_device *dev, uint64_t offset, uint32_t mask, uint32_t want)
{
	const struct timespec pause = { .tv_nsec = 50000 };

	for (int i = 0; i < 100000; i++) {
		if ((get32(dev, offset) & mask) == want)
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("register 0x%x stays at 0x%x", (unsigned int)offset, get32(dev, offset));
}

/* PCI: the command register, such as 6: memory decode and bus mastering. */
static inline void set_command(struct dfd_device *dev, uint16_t command)
{
	put(dev, DFD_PCI_CONFIG, 4, 2, command);
}

#endif
