/* SPDX-License-Identifier: MIT */
/*
 * Each view asks devices that tell the truth but for one byte of one answer.
 * usage: ask-mutate COUNT [SEED]
 *
 * The view must refuse, or describe some device; which of them is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <devfd/file.h>
#include <devfd/ioctl.h>
#include <devfd/open.h>
#include <devfd/provider.h>
#include <devfd/view.h>

#include "random_desc.h"

#define DEVICES 32

static const struct dfd_device_ops described = { .size = sizeof(described), .name = "described" };

static struct dfd_device *make_device(unsigned int n)
{
	static const char *const models[] = { "model:edu", "model:pl011", "model:shapes" };
	struct dfd_device *dev = NULL;
	const struct dfd_desc *desc;

	if (n < sizeof(models) / sizeof(*models)) {
		if (dfd_open(models[n], &dev, NULL))
			abort();
		return dev;
	}
	desc = dfd_random_desc(n);
	if (dfd_device_new(desc, &described, NULL, true, &dev))
		abort();
	dfd_desc_unref(desc);
	return dev;
}

/* ---- a device that lies once ---- */

struct liar {
	struct dfd_file *file;
	uint64_t seed;
	uint32_t answers; /* given so far */
	uint32_t lie;	  /* number of the answer that is not true */
};

static void lie(struct liar *l, void *bytes, size_t len)
{
	if (l->answers++ == l->lie && len)
		((uint8_t *)bytes)[dfd_random_below(&l->seed, (uint32_t)len)] ^=
			(uint8_t)(1 + dfd_random_below(&l->seed, 255));
}

static ssize_t liar_pread(void *ctx, void *buf, size_t len, uint64_t offset)
{
	struct liar *l = ctx;
	ssize_t n = dfd_file_pread(l->file, buf, len, offset);

	lie(l, buf, n > 0 ? (size_t)n : 0);
	return n;
}

/* What an argument holds: 2011's requests carry the size, today's have it in their first word. */
static size_t argument_size(unsigned long request, const void *arg)
{
	uint32_t argsz;

	if (_IOC_SIZE(request))
		return _IOC_SIZE(request);
	memcpy(&argsz, arg, sizeof(argsz));
	return argsz;
}

static int liar_ioctl(void *ctx, unsigned long request, void *arg)
{
	struct liar *l = ctx;
	size_t size = argument_size(request, arg);
	int ret = dfd_file_ioctl(l->file, request, arg);

	if (request == VFIO_DEVICE_CHECK_EXTENSION && l->answers == l->lie) {
		l->answers++;
		return (int)(dfd_random(&l->seed) & INT32_MAX);
	}
	if (request == VFIO_DEVICE_GET_DTPATH && ret >= 0 && dfd_random_below(&l->seed, 2)) {
		const struct vfio_device_dtpath *path = arg;

		lie(l, (void *)(uintptr_t)path->buf, path->buf_len);
	} else {
		lie(l, arg, size);
	}
	return ret;
}

static const struct dfd_fd_ops liar_ops = { liar_pread, liar_ioctl };

struct tally {
	unsigned long refused, harmless, believed;
};

static void ask_liar(struct dfd_device *dev, enum dfd_view_kind kind, uint64_t *seed,
		     struct tally *tally)
{
	struct liar truth = { .file = dfd_file_new(dev), .lie = UINT32_MAX }, liar = truth;
	struct dfd_view told, believed;

	if (!truth.file || dfd_view_get(kind, &liar_ops, &truth, &told, NULL))
		abort();
	liar.seed = dfd_random(seed);
	liar.lie = dfd_random_below(seed, truth.answers);
	if (dfd_view_get(kind, &liar_ops, &liar, &believed, NULL) < 0)
		tally->refused++;
	else if (dfd_desc_equal(told.desc, believed.desc, NULL))
		tally->harmless++;
	else
		tally->believed++;
	dfd_desc_unref(told.desc);
	dfd_desc_unref(believed.desc);
	dfd_file_free(truth.file);
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct tally tally[DFD_NUM_VIEWS] = { 0 };
	struct dfd_device *devices[DEVICES];

	if (!count) {
		fprintf(stderr, "usage: ask-mutate COUNT [SEED]\n");
		return 2;
	}
	for (unsigned int n = 0; n < DEVICES; n++)
		devices[n] = make_device(n);
	for (unsigned long i = 0; i < count; i++) {
		struct dfd_device *dev = devices[dfd_random_below(&seed, DEVICES)];

		for (int kind = 0; kind < DFD_NUM_VIEWS; kind++)
			ask_liar(dev, (enum dfd_view_kind)kind, &seed, &tally[kind]);
	}
	for (int kind = 0; kind < DFD_NUM_VIEWS; kind++)
		printf("%s: %lu damaged answers, %lu refused, %lu harmless, %lu believed\n",
		       dfd_view_name((enum dfd_view_kind)kind), count, tally[kind].refused,
		       tally[kind].harmless, tally[kind].believed);
	for (unsigned int n = 0; n < DEVICES; n++)
		dfd_device_close(devices[n]);
	return 0;
}
